/* job.c - see job.h. */
#include "cli/job.h"

#include "cli/foreground.h"
#include "cli/spawn.h"
#include "common/mem.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 50

/* Passed on to the job. */
static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};
#define PASSED (sizeof passed / sizeof *passed)

struct pipe_end {
	struct sr_job *job;
	ev_io io;
	bool open, held;     /* held: not read for now */
};

struct sr_job {
	struct ev_loop *loop;
	struct sr_job_hooks hooks;
	void *ctx;
	struct sr_job_options o;
	pid_t pid;           /* leads the group; 0 before the start. A zombie until we go, so that nobody else gets the number */
	bool ended, finished;/* the program has ended; on_end was called */
	int exit, signal;
	struct pipe_end pipes[SR_JOB_SOURCES];
	struct sr_foreground terminal;
	ev_signal child, signals[PASSED];
	ev_timer kill;
	ev_timer tick;       /* since the end, while a pipe is open */
	int64_t quiet_ms, drained_ms;
	char chunk[SR_JOB_CHUNK];
};

static void send_group(const struct sr_job *j, int signo)
{
	if (j->pid > 0)
		(void)kill(-j->pid, signo); /* fails when all of it has gone */
}

/* ---- the end ---- */

static void close_pipe(struct sr_job *j, struct pipe_end *p)
{
	if (!p->open)
		return;
	ev_io_stop(j->loop, &p->io);
	close(p->io.fd);
	p->open = false;
}

static void finish(struct sr_job *j)
{
	if (j->finished)
		return;
	j->finished = true;
	ev_timer_stop(j->loop, &j->kill);
	ev_timer_stop(j->loop, &j->tick);
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		close_pipe(j, &j->pipes[i]);
	j->hooks.on_end(j->ctx);
}

static void look_for_end(struct sr_job *j)
{
	bool open = false;

	for (int i = 0; i < SR_JOB_SOURCES; i++)
		open = open || j->pipes[i].open;
	if (!j->ended)
		return;
	if (!open)
		finish(j);
	else if (sr_job_is_held(j)) /* it is we who are slow */
		ev_timer_stop(j->loop, &j->tick);
	else if (!ev_is_active(&j->tick))
		ev_timer_again(j->loop, &j->tick);
}

/* A pipe is still open: does anybody write? */
static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_job *j = w->data;

	(void)loop;
	(void)revents;
	j->quiet_ms += TICK_MS;
	j->drained_ms += TICK_MS;
	if (ev_is_active(&j->kill)) /* what was told to end has until then */
		return;
	if (j->quiet_ms >= SR_JOB_QUIET_MS || j->drained_ms >= j->o.grace_ms)
		finish(j);
}

static void on_kill(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_job *j = w->data;

	(void)loop;
	(void)revents;
	send_group(j, SIGKILL);
	j->quiet_ms = j->drained_ms = 0;
}

void sr_job_doom(struct sr_job *j)
{
	if (j->pid == 0 || j->finished || ev_is_active(&j->kill))
		return;
	ev_now_update(j->loop);
	ev_timer_set(&j->kill, (double)j->o.grace_ms / 1000.0, 0.);
	ev_timer_start(j->loop, &j->kill);
}

void sr_job_stop(struct sr_job *j)
{
	if (j->finished)
		return;
	send_group(j, SIGTERM);
	send_group(j, SIGCONT); /* one that is stopped would not hear it */
	sr_job_doom(j);
}

/* ---- output ---- */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct pipe_end *p = w->data;
	struct sr_job *j = p->job;
	ssize_t n = read(w->fd, j->chunk, j->o.chunk);

	(void)loop;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	j->quiet_ms = 0;
	if (n > 0) {
		j->hooks.on_output(j->ctx, (enum sr_job_source)(p - j->pipes), j->chunk, (size_t)n);
		return;
	}
	close_pipe(j, p);
	look_for_end(j);
}

void sr_job_read(struct sr_job *j, enum sr_job_source source, bool on)
{
	struct pipe_end *p = &j->pipes[source];

	if (!p->open || p->held == !on)
		return;
	p->held = !on;
	if (on)
		ev_io_start(j->loop, &p->io);
	else
		ev_io_stop(j->loop, &p->io);
	look_for_end(j);
}

/* ---- signals ---- */

static void resume(struct sr_job *j)
{
	ev_now_update(j->loop);
	if (j->terminal.wanted && !j->ended)
		(void)sr_foreground_give(&j->terminal);
	send_group(j, SIGCONT);
}

static void suspend(struct sr_job *j)
{
	sr_foreground_take(&j->terminal);
	sr_foreground_suspend();
	resume(j);
}

static void on_stopped(struct sr_job *j, int signo)
{
	bool wants = signo == SIGTTIN || signo == SIGTTOU;

	if (wants && !j->terminal.given) {
		j->terminal.wanted = true;
		if (sr_foreground_give(&j->terminal))
			send_group(j, SIGCONT);
		else
			suspend(j); /* we are in the background ourselves */
	} else if (j->terminal.given) {
		suspend(j); /* Ctrl-Z */
	}
}

static void on_child(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct sr_job *j = w->data;
	siginfo_t info = {.si_pid = 0};

	(void)loop;
	(void)revents;
	if (j->pid == 0 || j->ended)
		return;
	while (waitid(P_PID, (id_t)j->pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == j->pid) {
		on_stopped(j, info.si_status);
		info.si_pid = 0;
	}
	info.si_pid = 0;
	if (waitid(P_PID, (id_t)j->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != j->pid)
		return;
	j->ended = true;
	j->exit = info.si_code == CLD_EXITED ? info.si_status : -1;
	j->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	sr_foreground_take(&j->terminal);
	j->hooks.on_exit(j->ctx);
	look_for_end(j);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct sr_job *j = w->data;

	(void)loop;
	(void)revents;
	switch (w->signum) {
	case SIGCONT:
		resume(j);
		return;
	case SIGTSTP:
		send_group(j, SIGTSTP);
		suspend(j);
		return;
	case SIGINT:
	case SIGTERM:
	case SIGHUP:
	case SIGQUIT:
		send_group(j, w->signum);
		j->hooks.on_signal(j->ctx, w->signum);
		return;
	default:
		send_group(j, w->signum);
	}
}

static bool is_ignored(int signo)
{
	struct sigaction now;

	return sigaction(signo, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* ---- start ---- */

struct sr_job *sr_job_new(struct ev_loop *loop, const struct sr_job_options *options, const struct sr_job_hooks *hooks, void *ctx)
{
	struct sr_job *j = sr_calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->loop = loop;
	j->hooks = *hooks;
	j->ctx = ctx;
	j->o = *options;
	sr_foreground_init(&j->terminal);
	ev_timer_init(&j->kill, on_kill, 0., 0.);
	ev_timer_init(&j->tick, on_tick, 0., TICK_MS / 1000.0);
	j->kill.data = j->tick.data = j->child.data = j;
	ev_signal_init(&j->child, on_child, SIGCHLD);
	ev_signal_start(loop, &j->child);
	for (size_t i = 0; i < PASSED; i++) {
		ev_signal_init(&j->signals[i], on_signal, passed[i]);
		j->signals[i].data = j;
		if (!is_ignored(passed[i]))
			ev_signal_start(loop, &j->signals[i]);
	}
	return j;
}

void sr_job_free(struct sr_job *j)
{
	if (!j)
		return;
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		close_pipe(j, &j->pipes[i]);
	ev_timer_stop(j->loop, &j->kill);
	ev_timer_stop(j->loop, &j->tick);
	ev_signal_stop(j->loop, &j->child);
	for (size_t i = 0; i < PASSED; i++)
		ev_signal_stop(j->loop, &j->signals[i]);
	sr_foreground_take(&j->terminal);
	sr_foreground_release(&j->terminal);
	if (j->ended)
		(void)waitpid(j->pid, NULL, 0);
	free(j);
}

static void watch_pipe(struct sr_job *j, struct pipe_end *p, int fd)
{
	p->job = j;
	p->open = true;
	ev_io_init(&p->io, on_readable, fd, EV_READ);
	ev_set_priority(&p->io, p == &j->pipes[SR_JOB_STDOUT]); /* of what came at once, a complaint is more likely the end */
	p->io.data = p;
	ev_io_start(j->loop, &p->io);
}

int sr_job_start(struct sr_job *j, char **argv)
{
	struct sr_child child;
	int problem = sr_spawn(&child, argv, j->o.sigpipe);

	if (problem)
		return problem;
	j->pid = j->terminal.job = child.pid;
	watch_pipe(j, &j->pipes[SR_JOB_STDOUT], child.out);
	watch_pipe(j, &j->pipes[SR_JOB_STDERR], child.err);
	return 0;
}

bool sr_job_has_ended(const struct sr_job *j)
{
	return j->ended;
}

bool sr_job_is_held(const struct sr_job *j)
{
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		if (j->pipes[i].open && j->pipes[i].held)
			return true;
	return false;
}

int sr_job_exit(const struct sr_job *j)
{
	return j->exit;
}

int sr_job_signal(const struct sr_job *j)
{
	return j->signal;
}
