/* wrap.c - see wrap.h. */
#include "cli/wrap.h"

#include "cli/ending.h"
#include "cli/job.h"
#include "cli/lookout.h"
#include "cli/tail.h"
#include "cli/tee.h"
#include "common/clock.h"
#include "common/producer.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MS 1000   /* the job waits so long for its stream */
#define STALL_MS 1000  /* a Redis that stores nothing for so long does not answer */
#define LOOK_MS 250    /* while the job is held up: does it still store? */

#define GROWTH 48      /* an empty line is one byte, and so many in the backlog: 8 + log{"line":"","stream":"stderr"} */

enum life { OPENING, RUNNING, STORING, DONE };

struct wrap {
	struct sr_ctl *ctl;
	const struct sr_wrap_options *o;
	struct ev_loop *loop;
	enum life life;
	struct sr_producer *producer;
	struct sr_lookout *lookout;
	struct sr_job *job;
	struct sr_mapper mappers[SR_JOB_SOURCES];
	struct sr_tail tail;
	struct sr_tee tees[SR_JOB_SOURCES];
	struct sr_buf result_type, result; /* the terminal event that the job printed last */
	struct sr_ending ending;
	ev_timer wait;       /* OPENING: for the stream; STORING: for the deadline */
	ev_timer timeout, idle, join, look;
	sr_mono_ms moved_at; /* when Redis last stored something, or was first given something to store */
	bool opened;         /* the stream was ours at least once */
	bool warned;         /* of a stream that takes nothing */
	bool settled;        /* STORING: it is done, or in vain */
	bool odd;            /* a line that is no event, and that was said */
	int asked;           /* signals that ask for an end, so far */
	uint64_t dropped;    /* events that the producer did not take */
	int code;
};

/* ---- words ---- */

static const char *reason(const struct wrap *w)
{
	const char *why = sr_producer_why(w->producer);

	return *why ? why : "no answer within --deadline";
}

/* Why the stream takes nothing from us. Returns the exit code of --require. */
static int explain(const struct wrap *w, char out[512])
{
	const char *url = w->ctl->conf.redis_url;

	switch (sr_producer_end(w->producer)) {
	case SR_PRODUCER_ENDED:
		snprintf(out, 512, "already ended: %s", sr_producer_end_type(w->producer));
		return SR_EX_DATA;
	case SR_PRODUCER_FOREIGN:
		snprintf(out, 512, "belongs to another user than %s", w->o->user);
		return SR_EX_DENIED;
	case SR_PRODUCER_FENCED:
		snprintf(out, 512, "another producer has taken the lease");
		return SR_EX_DENIED;
	case SR_PRODUCER_DENIED:
		snprintf(out, 512, "Redis at %s denies access: %s", url, reason(w));
		return SR_EX_DENIED;
	default:
		snprintf(out, 512, "Redis at %s answered: %s", url, reason(w));
		return SR_EX_BUG;
	}
}

/* Once: from here on the job is alone. */
static void warn(struct wrap *w)
{
	char text[512];

	if (w->warned)
		return;
	w->warned = true;
	(void)explain(w, text);
	sr_ctl_note(w->ctl, w->o->id, "%s; the job runs on, its output is not stored", text);
}

/* The stream was closed while the last events were on their way. */
static void warn_late(struct wrap *w)
{
	char text[512];
	uint64_t lost;

	if (w->warned)
		return;
	(void)explain(w, text);
	lost = sr_producer_waiting(w->producer) + w->dropped;
	if (lost > 1)
		sr_ctl_note(w->ctl, w->o->id, "%s; %llu events not stored", text, (unsigned long long)lost);
	else
		sr_ctl_note(w->ctl, w->o->id, "%s; how the job ended is not stored", text);
}

/* ---- the end of this program ---- */

static void leave(struct wrap *w)
{
	w->life = DONE;
	ev_break(w->loop, EVBREAK_ALL);
}

/* Leave, once our own output has been taken, too. */
static void leave_if_done(struct wrap *w)
{
	bool written = !w->o->tee || (!sr_tee_waits(&w->tees[SR_JOB_STDOUT]) && !sr_tee_waits(&w->tees[SR_JOB_STDERR]));

	if (w->life == STORING && w->settled && written)
		leave(w);
}

/* Nothing more will be stored. */
static void settle(struct wrap *w)
{
	uint64_t skipped = sr_producer_skipped(w->producer);

	if (skipped > 0 && !w->settled)
		sr_ctl_note(w->ctl, w->o->id, "%llu events were dropped while Redis was away; a larger --spool holds more", (unsigned long long)skipped);
	w->settled = true;
	leave_if_done(w);
}

static void give_up(struct wrap *w, const char *why)
{
	uint64_t lost = sr_producer_waiting(w->producer) + w->dropped;

	if (!w->settled)
		sr_ctl_note(w->ctl, w->o->id, "%llu event%s not stored: %s", (unsigned long long)lost, lost == 1 ? "" : "s", why);
	settle(w);
}

/* ---- events ---- */

static void on_event(void *ctx, const char *type, size_t type_len, const char *data, size_t data_len)
{
	struct wrap *w = ctx;
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
		warn(w);
}

static void on_odd(void *ctx, const char *why)
{
	struct wrap *w = ctx;

	if (!w->odd)
		sr_ctl_note(w->ctl, w->o->id, "a line that is no event is sent as it is, and so are others like it: %s", why);
	w->odd = true;
}

/* Is Redis at work, so that waiting for it is worth while? */
static bool is_answering(const struct wrap *w)
{
	return sr_producer_is_open(w->producer) && !*sr_producer_why(w->producer) && sr_clock_mono() - w->moved_at < STALL_MS;
}

/* Decide which of the job's pipes is read. */
static void regulate(struct wrap *w)
{
	bool full = sr_producer_bytes(w->producer) > (size_t)w->o->spool / 2 && is_answering(w);

	if (w->life != RUNNING)
		return;
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_job_read(w->job, (enum sr_job_source)i, !full && !(w->o->tee && sr_tee_waits(&w->tees[i])));
	if (full && !ev_is_active(&w->look))
		ev_timer_again(w->loop, &w->look);
	else if (!full)
		ev_timer_stop(w->loop, &w->look);
}

static void on_look(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	regulate(t->data);
}

static void on_join(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct wrap *w = t->data;

	(void)loop;
	(void)revents;
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_mapper_flush(&w->mappers[i]);
}

static void on_tee(void *ctx, struct sr_tee *t)
{
	struct wrap *w = ctx;
	int source = (int)(t - w->tees);

	if (t->error)
		sr_ctl_note(w->ctl, w->o->id, "%s: %s; the rest only goes to the stream", source == SR_JOB_STDOUT ? "standard output" : "standard error",
		            strerror(t->error));
	regulate(w);
	leave_if_done(w);
}

/* ---- the job ---- */

static void on_output(void *ctx, enum sr_job_source source, const char *bytes, size_t len)
{
	struct wrap *w = ctx;
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
	regulate(w);
}

static void on_signal(void *ctx, int signo)
{
	struct wrap *w = ctx;

	if (w->life == STORING) {
		give_up(w, "interrupted");
		leave(w);
	} else if ((signo == SIGINT || signo == SIGTERM) && ++w->asked > 1) {
		sr_job_doom(w->job);
	}
}

/* Store how it ended, after all that it printed. */
static void store_end(struct wrap *w)
{
	struct sr_buf data;
	const char *type;
	enum sr_err err;

	w->life = STORING;
	w->code = sr_ending_status(&w->ending);
	for (ev_timer *const *t = (ev_timer *const[]){&w->timeout, &w->idle, &w->join, &w->look, NULL}; *t; t++)
		ev_timer_stop(w->loop, *t);
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_mapper_finish(&w->mappers[i]);
	sr_tail_finish(&w->tail);
	sr_buf_init(&data, (size_t)w->ctl->conf.event_bytes);
	err = sr_ending_write(&w->ending, (size_t)w->ctl->conf.event_bytes, &type, &data);
	if (err == SR_OK)
		err = sr_producer_emit(w->producer, type, strlen(type), sr_buf_text(&data), data.len);
	sr_buf_release(&data);
	if (err != SR_OK) { /* closed before */
		settle(w);
		return;
	}
	ev_now_update(w->loop);
	ev_timer_stop(w->loop, &w->wait);
	ev_timer_set(&w->wait, (double)w->o->deadline_ms / 1000.0, 0.);
	ev_timer_start(w->loop, &w->wait);
	sr_producer_hurry(w->producer);
}

static void on_job_end(void *ctx)
{
	struct wrap *w = ctx;

	w->ending.exit = sr_job_exit(w->job);
	w->ending.signal = sr_job_signal(w->job);
	store_end(w);
}

static void not_started(struct wrap *w, int problem)
{
	w->ending.exit = problem == ENOENT ? 127 : 126;
	w->ending.error = strerror(problem);
	sr_ctl_note(w->ctl, w->o->argv[0], "%s", w->ending.error);
	store_end(w);
}

static void start_timer(struct wrap *w, ev_timer *t, int64_t ms)
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

static void start_job(struct wrap *w)
{
	struct sr_job_options options = {.grace_ms = w->o->grace_ms, .chunk = chunk_of(w->o), .sigpipe = w->ctl->sigpipe};
	struct sr_job_hooks hooks = {.on_output = on_output, .on_signal = on_signal, .on_end = on_job_end};
	int problem = ENOMEM;

	w->life = RUNNING;
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

/* why: for the stream; NULL when that has ended. */
static void stop_job(struct wrap *w, const char *why)
{
	ev_timer_stop(w->loop, &w->timeout);
	ev_timer_stop(w->loop, &w->idle);
	if (!sr_job_has_ended(w->job))
		w->ending.reason = why;
	sr_job_stop(w->job);
}

static void on_timeout(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct wrap *w = t->data;

	(void)loop;
	(void)revents;
	sr_ctl_note(w->ctl, w->o->id, "the job has run for %lld ms (--timeout): stopping it", (long long)w->o->timeout_ms);
	stop_job(w, "timeout");
}

/* A job whose output we do not take is not idle. */
static void on_idle(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct wrap *w = t->data;

	(void)loop;
	(void)revents;
	if (sr_job_is_held(w->job))
		return;
	sr_ctl_note(w->ctl, w->o->id, "the job has printed nothing for %lld ms (--idle-timeout): stopping it", (long long)w->o->idle_ms);
	stop_job(w, "idle");
}

/* ---- the stream ---- */

static void refuse(struct wrap *w, int code, const char *text)
{
	w->code = sr_ctl_fail(w->ctl, code, w->o->id, "%s; the job was not started (--require)", text);
	leave(w);
}

static void on_open(void *ctx, bool created, const char *epoch)
{
	struct wrap *w = ctx;

	(void)created;
	(void)epoch;
	w->opened = true;
	w->moved_at = sr_clock_mono();
	if (w->life == OPENING)
		start_job(w);
}

static void on_stored(void *ctx, uint64_t n, const char *event_id, bool repeat)
{
	struct wrap *w = ctx;

	(void)n;
	(void)event_id;
	(void)repeat;
	w->moved_at = sr_clock_mono();
}

static void on_room(void *ctx)
{
	regulate(ctx);
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct wrap *w = ctx;
	char text[512];

	if (err == SR_EDENIED && !w->warned && w->life != STORING) {
		snprintf(text, sizeof text, "Redis at %s denies access: %s", w->ctl->conf.redis_url, why);
		if (w->life == OPENING && w->o->require) {
			refuse(w, SR_EX_DENIED, text);
			return;
		}
		w->warned = true;
		sr_ctl_note(w->ctl, w->o->id, "%s; the job runs on, its output is kept until that is mended", text);
	}
	if (w->life == OPENING && !w->o->require)
		start_job(w);
	regulate(w);
}

static void cancelled(struct wrap *w)
{
	w->warned = true;
	sr_ctl_note(w->ctl, w->o->id, "cancelled by another program: stopping the job");
	stop_job(w, NULL);
}

static void on_closed(void *ctx, enum sr_producer_end end)
{
	struct wrap *w = ctx;
	char text[512];
	int code;

	if (w->life == STORING) {
		if (end != SR_PRODUCER_DONE)
			warn_late(w);
		settle(w);
		return;
	}
	if (w->life == OPENING && w->o->require) {
		code = explain(w, text);
		refuse(w, code, text);
	} else if (w->life == OPENING) {
		warn(w);
		start_job(w);
	} else if (w->life == RUNNING && w->opened && end == SR_PRODUCER_ENDED && strcmp(sr_producer_end_type(w->producer), "cancelled") == 0) {
		cancelled(w);
	} else if (w->life == RUNNING && (end != SR_PRODUCER_ENDED || !w->opened)) {
		warn(w);
	}
	regulate(w);
}

/* A terminal event was pushed: ask whether it is so, and which. */
static void on_ended(void *ctx)
{
	struct wrap *w = ctx;

	if (w->life == RUNNING)
		sr_producer_beat(w->producer);
}

static void on_wait(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct wrap *w = t->data;
	char text[512];

	(void)loop;
	(void)revents;
	if (w->life == STORING) {
		give_up(w, reason(w));
	} else if (w->o->require) {
		snprintf(text, sizeof text, "Redis at %s is unavailable: %s", w->ctl->conf.redis_url, reason(w));
		refuse(w, SR_EX_REDIS, text);
	} else {
		start_job(w);
	}
}

/* ---- life ---- */

static bool init_mappers(struct wrap *w)
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

static void init_timers(struct wrap *w)
{
	ev_init(&w->wait, on_wait);
	ev_init(&w->timeout, on_timeout);
	ev_init(&w->idle, on_idle);
	ev_init(&w->join, on_join);
	ev_timer_init(&w->look, on_look, 0., LOOK_MS / 1000.0);
	w->wait.data = w->timeout.data = w->idle.data = w->join.data = w->look.data = w;
}

/* 0 or the exit code. */
static int init_producer(struct wrap *w)
{
	struct sr_producer_options o = {.id = w->o->id, .user = w->o->user, .open = true, .lease = true, .type = w->o->type,
	                                .metadata = w->o->metadata, .backlog_bytes = (size_t)w->o->spool, .drop_oldest = true, .connection = "ssectl-run"};
	struct sr_producer_hooks hooks = {.on_open = on_open, .on_stored = on_stored, .on_room = on_room, .on_closed = on_closed, .on_down = on_down};
	struct sr_buf why;
	enum sr_err err;
	int code = 0;

	sr_buf_init(&why, 1024);
	w->producer = sr_producer_new(w->loop, &w->ctl->conf, &o, &hooks, w, &err, &why);
	if (!w->producer)
		code = sr_ctl_fail(w->ctl, err == SR_EINVAL ? SR_EX_CONFIG : SR_EX_LATER, w->o->id, "%s; the job was not started",
		                   why.len ? why.data : sr_strerror(err));
	sr_buf_release(&why);
	return code;
}

static int init(struct wrap *w)
{
	static const int outputs[] = {STDOUT_FILENO, STDERR_FILENO};

	init_timers(w);
	sr_buf_init(&w->result_type, SR_EVENT_TYPE_MAX);
	sr_buf_init(&w->result, (size_t)w->ctl->conf.event_bytes);
	w->ending = (struct sr_ending){.tail = &w->tail, .result_type = &w->result_type, .result = &w->result};
	w->loop = ev_loop_new(EVFLAG_AUTO);
	if (!w->loop || !init_mappers(w) || sr_tail_init(&w->tail, (size_t)w->o->tail) != SR_OK)
		return sr_ctl_fail(w->ctl, SR_EX_LATER, w->o->id, "%s; the job was not started", sr_strerror(SR_ENOMEM));
	for (int i = 0; i < SR_JOB_SOURCES; i++)
		sr_tee_init(&w->tees[i], w->loop, outputs[i], SR_JOB_CHUNK, on_tee, w);
	/* Without a lookout the beats find a cancellation. */
	w->lookout = sr_lookout_new(w->loop, &w->ctl->conf, w->o->id, on_ended, w);
	return init_producer(w);
}

static void release(struct wrap *w)
{
	sr_job_free(w->job);
	sr_lookout_free(w->lookout);
	sr_producer_free(w->producer);
	for (int i = 0; i < SR_JOB_SOURCES; i++) {
		sr_tee_release(&w->tees[i]);
		sr_mapper_release(&w->mappers[i]);
	}
	sr_tail_release(&w->tail);
	sr_buf_release(&w->result_type);
	sr_buf_release(&w->result);
	if (w->loop)
		ev_loop_destroy(w->loop);
}

int sr_wrap(struct sr_ctl *ctl, const struct sr_wrap_options *options)
{
	struct wrap w = {.ctl = ctl, .o = options};
	int code = init(&w);

	if (!code) {
		ev_timer_set(&w.wait, (double)(options->require ? options->deadline_ms : OPEN_MS) / 1000.0, 0.);
		ev_timer_start(w.loop, &w.wait);
		ev_run(w.loop, 0);
		code = w.code;
	}
	release(&w);
	return code;
}
