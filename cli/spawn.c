/* spawn.c - see spawn.h. */
#include "cli/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct start {
	char **argv;
	void (*sigpipe)(int);
	int out, err;   /* of the new program */
	int report;     /* errno goes there when it cannot be started */
	pid_t parent;
	sigset_t mask;  /* our own, before all signals were blocked */
};

/* Before signals are let in: they are the program's already. */
static void reset_signals(void (*sigpipe)(int))
{
	struct sigaction now;

	for (int signo = 1; signo < NSIG; signo++)
		if (sigaction(signo, NULL, &now) == 0 && now.sa_handler != SIG_IGN && now.sa_handler != SIG_DFL)
			signal(signo, SIG_DFL);
	signal(SIGPIPE, sigpipe);
}

/* In the new process. Does not return. */
static void become(const struct start *s)
{
	int problem;

	(void)setpgid(0, 0);
	reset_signals(s->sigpipe);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	if (getppid() != s->parent)
		_exit(1);
	if (dup2(s->out, STDOUT_FILENO) >= 0 && dup2(s->err, STDERR_FILENO) >= 0)
		execvp(s->argv[0], s->argv);
	problem = errno;
	(void)!write(s->report, &problem, sizeof problem); /* nobody is left to hear that it failed */
	_exit(127);
}

static int fork_program(struct start *s, pid_t *pid)
{
	int report[2], problem = 0;
	sigset_t all;

	if (pipe2(report, O_CLOEXEC) < 0)
		return errno;
	s->report = report[1];
	s->parent = getpid();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &s->mask);
	*pid = fork();
	if (*pid == 0)
		become(s);
	if (*pid < 0)
		problem = errno;
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	close(report[1]);
	if (*pid > 0) {
		(void)setpgid(*pid, *pid); /* here, too: whoever comes first */
		while (read(report[0], &problem, sizeof problem) < 0 && errno == EINTR)
			;
		if (problem)
			(void)waitpid(*pid, NULL, 0);
	}
	close(report[0]);
	return problem;
}

/* A pipe whose reading end does not block. */
static int open_pipe(int fds[2])
{
	int problem;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return errno;
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	problem = errno;
	close(fds[0]);
	close(fds[1]);
	return problem;
}

int sr_spawn(struct sr_child *child, char **argv, void (*sigpipe)(int))
{
	struct start s = {.argv = argv, .sigpipe = sigpipe};
	int out[2], err[2], problem = open_pipe(out);

	if (problem)
		return problem;
	problem = open_pipe(err);
	if (!problem) {
		s.out = out[1];
		s.err = err[1];
		problem = fork_program(&s, &child->pid);
		close(err[1]);
		if (problem)
			close(err[0]);
	}
	close(out[1]);
	if (problem)
		close(out[0]);
	child->out = out[0];
	child->err = problem ? -1 : err[0];
	return problem;
}
