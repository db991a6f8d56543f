/* wrap_job.c - the job of a wrap: its output on its way to the producer, its times, its end. */
#include "cli/wrap_parts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define STALL_MS 1000  /* a Redis that stores nothing for so long does not answer */
#define LOOK_MS 250    /* while the job is held up: does it still store? */
#define HURRY_MS 2000  /* after a signal the end is tried for no longer */
#define TEE_MAX (1048576 + SR_JOB_CHUNK) /* what the pipe of a job that has ended may still hold, and a chunk */
#define GROWTH 48      /* an empty line is one byte, and so many in the backlog: 8 + log{"line":"","stream":"stderr"} */

/* ---- events ---- */

static void on_event(void *ctx, const char *type, size_t type_len, const char *data, size_t data_len)
{
	struct sr_wrap *w = ctx;
	enum sr_err err;

	if (sr_event_type_terminal(type, type_len)) { /* how the job ends decides what becomes of it */
		sr_buf_reset(&w->result_type);
		sr_buf_reset(&w->result);
		if (sr_buf_append(&w->result_type, type, type_len) || sr_buf_append(&w->result, data, data_len)) {
			sr_buf_reset(&w->result);
			w->dropped++;
		}
		return;
	}
	if (sr_producer_waiting(w->producer) == 0)
		w->moved_at = sr_clock_mono();
	err = sr_producer_emit(w->producer, type, type_len, data, data_len);
	if (err != SR_OK)
		w->dropped++;
	if (err == SR_EINVAL)
		sr_wrap_warn(w);
}

static void on_odd(void *ctx, const char *why)
{
	struct sr_wrap *w = ctx;

	if (!w->odd)
		sr_ctl_note(w->ctl, w->o->id, "a line that is no event is sent as it is, and so are others like it: %s", why);
	w->odd = true;
}

/* Is Redis at work, so that waiting for it is worth while? */
static bool is_answering(const struct sr_wrap *w)
{
	return sr_producer_is_open(w->producer) && !*sr_producer_why(w->producer) && sr_clock_mono() - w->moved_at < STALL_MS;
}

/* Decide which of the job's pipes is read. Our own reader holds up the job as long as there is one, but never its end. */
void sr_wrap_regulate(struct sr_wrap *w)
{
	bool full = sr_producer_bytes(w->producer) > (size_t)w->o->spool / 2 && is_answering(w);
	bool slow_reader;

	if (w->life != SR_WRAP_RUNNING)
		return;
	slow_reader = w->o->tee && !sr_job_has_ended(w->job);
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_job_read(w->job, (enum sr_job_source)i, !full && !(slow_reader && sr_tee_waits(&w->tees[i])));
	if (full && !ev_is_active(&w->look))
		ev_timer_again(w->loop, &w->look);
	else if (!full)
		ev_timer_stop(w->loop, &w->look);
}

static void on_look(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	sr_wrap_regulate(t->data);
}

static void on_join(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct sr_wrap *w = t->data;

	(void)loop;
	(void)revents;
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_mapper_flush(&w->mappers[i]);
}

static void on_tee(void *ctx, struct sr_tee *t)
{
	struct sr_wrap *w = ctx;
	int source = (int)(t - w->tees);

	if (t->error && !w->cut[source])
		sr_ctl_note(w->ctl, w->o->id, "%s: %s; the rest only goes to the stream", source == SR_JOB_STDOUT ? "standard output" : "standard error",
		            strerror(t->error));
	w->cut[source] = t->error != 0;
	sr_wrap_regulate(w);
	sr_wrap_leave_if_done(w);
}

/* ---- the job ---- */

void sr_wrap_wait(struct sr_wrap *w, int64_t ms)
{
	ev_now_update(w->loop);
	ev_timer_stop(w->loop, &w->wait);
	ev_timer_set(&w->wait, (double)ms / 1000.0, 0.);
	ev_timer_start(w->loop, &w->wait);
}

static void on_output(void *ctx, enum sr_job_source source, const char *bytes, size_t len)
{
	struct sr_wrap *w = ctx;
	struct sr_mapper *mapper = &w->mappers[source];

	if (ev_is_active(&w->idle))
		ev_timer_again(w->loop, &w->idle);
	if (w->o->tee)
		sr_tee_write(&w->tees[source], bytes, len);
	sr_tail_feed(&w->tail, source, bytes, len);
	sr_mapper_flush(&w->mappers[!source]); /* what came first goes first */
	sr_mapper_feed(mapper, bytes, len);
	if (sr_mapper_waits(mapper) && !ev_is_active(&w->join)) {
		ev_timer_set(&w->join, (double)w->o->join_ms / 1000.0, 0.);
		ev_timer_start(w->loop, &w->join);
	}
	sr_wrap_regulate(w);
}

/* The end of the job is worth a moment, even to one who is in a hurry. */
static void hurry(struct sr_wrap *w)
{
	w->hurried = true;
	if (ev_timer_remaining(w->loop, &w->wait) > HURRY_MS / 1000.0)
		sr_wrap_wait(w, HURRY_MS);
}

static void on_signal(void *ctx, int signo)
{
	struct sr_wrap *w = ctx;

	if (w->life == SR_WRAP_STORING && !w->hurried) {
		hurry(w);
	} else if (w->life == SR_WRAP_STORING) {
		sr_wrap_give_up(w, "interrupted");
		sr_wrap_leave(w);
	} else if ((signo == SIGINT || signo == SIGTERM) && ++w->asked > 1) {
		sr_job_doom(w->job);
	}
}

/* Store how it ended, after all that it printed. */
static void store_end(struct sr_wrap *w)
{
	struct sr_buf data;
	const char *type;
	enum sr_err err;

	w->life = SR_WRAP_STORING;
	w->code = sr_ending_status(&w->ending);
	for (ev_timer *const *t = (ev_timer *const[]){&w->timeout, &w->idle, &w->join, &w->look, NULL}; *t; t++)
		ev_timer_stop(w->loop, *t);
	w->moved_at = sr_clock_mono();
	sr_wrap_wait(w, w->o->deadline_ms);
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_mapper_finish(&w->mappers[i]);
	sr_tail_finish(&w->tail);
	sr_buf_init(&data, (size_t)w->ctl->conf.event_bytes);
	err = sr_ending_write(&w->ending, (size_t)w->ctl->conf.event_bytes, &type, &data);
	if (err == SR_OK)
		err = sr_producer_emit(w->producer, type, strlen(type), sr_buf_text(&data), data.len);
	sr_buf_release(&data);
	if (err != SR_OK) { /* closed before */
		sr_wrap_settle(w);
		return;
	}
	sr_producer_hurry(w->producer);
}

static void on_job_exit(void *ctx)
{
	sr_wrap_regulate(ctx);
}

static void on_job_end(void *ctx)
{
	struct sr_wrap *w = ctx;

	w->ending.exit = sr_job_exit(w->job);
	w->ending.signal = sr_job_signal(w->job);
	store_end(w);
}

static void not_started(struct sr_wrap *w, int problem)
{
	w->ending.exit = problem == ENOENT ? 127 : 126;
	w->ending.error = strerror(problem);
	sr_ctl_note(w->ctl, w->o->argv[0], "%s", w->ending.error);
	store_end(w);
}

static void start_timer(struct sr_wrap *w, ev_timer *t, int64_t ms)
{
	ev_timer_set(t, (double)ms / 1000.0, (double)ms / 1000.0);
	if (ms)
		ev_timer_start(w->loop, t);
}

/* What is read at once must fit into the half of the spool that is kept free for it. */
static size_t chunk_of(const struct sr_wrap_options *o)
{
	int64_t chunk = o->spool / 2 / GROWTH;

	return chunk < SR_JOB_CHUNK ? (size_t)chunk : SR_JOB_CHUNK;
}

void sr_wrap_job_start(struct sr_wrap *w)
{
	struct sr_job_options options = {.grace_ms = w->o->grace_ms, .chunk = chunk_of(w->o), .sigpipe = w->ctl->sigpipe};
	struct sr_job_hooks hooks = {.on_output = on_output, .on_signal = on_signal, .on_exit = on_job_exit, .on_end = on_job_end};
	int problem = ENOMEM;

	w->life = SR_WRAP_RUNNING;
	ev_timer_stop(w->loop, &w->wait);
	w->job = sr_job_new(w->loop, &options, &hooks, w);
	if (w->job)
		problem = sr_job_start(w->job, w->o->argv);
	if (problem) {
		not_started(w, problem);
		return;
	}
	start_timer(w, &w->timeout, w->o->timeout_ms);
	start_timer(w, &w->idle, w->o->idle_ms);
}

void sr_wrap_job_stop(struct sr_wrap *w, const char *why)
{
	ev_timer_stop(w->loop, &w->timeout);
	ev_timer_stop(w->loop, &w->idle);
	if (!sr_job_has_ended(w->job))
		w->ending.reason = why;
	sr_job_stop(w->job);
}

static void on_timeout(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct sr_wrap *w = t->data;

	(void)loop;
	(void)revents;
	sr_ctl_note(w->ctl, w->o->id, "the job has run for %lld ms (--timeout): stopping it", (long long)w->o->timeout_ms);
	sr_wrap_job_stop(w, "timeout");
}

/* A job whose output we do not take is not idle. */
static void on_idle(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct sr_wrap *w = t->data;

	(void)loop;
	(void)revents;
	if (sr_job_is_held(w->job))
		return;
	sr_ctl_note(w->ctl, w->o->id, "the job has printed nothing for %lld ms (--idle-timeout): stopping it", (long long)w->o->idle_ms);
	sr_wrap_job_stop(w, "idle");
}

/* ---- life ---- */

static bool init_mappers(struct sr_wrap *w)
{
	struct sr_mapper_options o = {.map = w->o->map, .type = w->o->event, .more = "", .event_bytes = (size_t)w->ctl->conf.event_bytes,
	                              .join = w->o->join_ms > 0, .on_event = on_event, .on_odd = on_odd, .ctx = w};

	if (sr_mapper_init(&w->mappers[SR_JOB_STDOUT], &o) != SR_OK)
		return false;
	/* Progress bars are drawn on standard error, too; whatever else is there is for people. */
	if (o.map != SR_MAP_PROGRESS)
		o.map = SR_MAP_LINES;
	o.type = "log";
	o.more = ",\"stream\":\"stderr\"";
	return sr_mapper_init(&w->mappers[SR_JOB_STDERR], &o) == SR_OK;
}

static void init_timers(struct sr_wrap *w)
{
	ev_init(&w->timeout, on_timeout);
	ev_init(&w->idle, on_idle);
	ev_init(&w->join, on_join);
	ev_timer_init(&w->look, on_look, 0., LOOK_MS / 1000.0);
	w->timeout.data = w->idle.data = w->join.data = w->look.data = w;
}

enum sr_err sr_wrap_job_init(struct sr_wrap *w)
{
	static const int outputs[] = {STDOUT_FILENO, STDERR_FILENO};

	init_timers(w);
	sr_buf_init(&w->result_type, SR_EVENT_TYPE_MAX);
	sr_buf_init(&w->result, (size_t)w->ctl->conf.event_bytes);
	w->ending = (struct sr_ending){.tail = &w->tail, .result_type = &w->result_type, .result = &w->result};
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_tee_init(&w->tees[i], w->loop, outputs[i], TEE_MAX, on_tee, w);
	return init_mappers(w) ? sr_tail_init(&w->tail, (size_t)w->o->tail) : SR_ENOMEM;
}

void sr_wrap_job_release(struct sr_wrap *w)
{
	sr_job_free(w->job);
	for (int i = 0; i < SR_JOB_SOURCES; i++) {
		sr_tee_release(&w->tees[i]);
		sr_mapper_release(&w->mappers[i]);
	}
	sr_tail_release(&w->tail);
	sr_buf_release(&w->result_type);
	sr_buf_release(&w->result);
}
