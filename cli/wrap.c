/* wrap.c - see wrap.h. The stream, and the life of the whole; the job is in wrap_job.c. */
#include "cli/wrap.h"

#include "cli/wrap_parts.h"
#include <string.h>

#define OPEN_MS 1000   /* the job waits so long for its stream */

/* ---- words ---- */

static const char *reason(const struct sr_wrap *w)
{
	const char *why = sr_producer_why(w->producer);

	return *why ? why : "no answer within --deadline";
}

/* Why the stream takes nothing from us. Returns the exit code of --require. */
static int explain(const struct sr_wrap *w, char out[512])
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

void sr_wrap_warn(struct sr_wrap *w)
{
	char text[512];

	if (w->warned)
		return;
	w->warned = true;
	(void)explain(w, text);
	sr_ctl_note(w->ctl, w->o->id, "%s; the job runs on, its output is not stored", text);
}

/* The stream was closed while the last events were on their way. */
static void warn_late(struct sr_wrap *w)
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

void sr_wrap_leave(struct sr_wrap *w)
{
	w->life = SR_WRAP_DONE;
	ev_break(w->loop, EVBREAK_ALL);
}

/* A job that ended by itself leaves its last output to its reader, who may be a pager: as without us. One that somebody ended
 * shall be gone, and a signal to us then means ourselves. */
static bool may_wait_for_reader(const struct sr_wrap *w)
{
	return !w->hurried && !w->asked && !w->ending.reason && !w->ending.signal;
}

static void leave_tees(struct sr_wrap *w)
{
	static const char *const names[] = {"standard output", "standard error"};
	size_t lost;

	for (int i = 0; w->o->tee && i < SR_JOB_SOURCES; i++) {
		lost = w->tees[i].out.len - w->tees[i].at;
		if (lost > 0)
			sr_ctl_note(w->ctl, w->o->id, "%s: %zu bytes were not taken in time", names[i], lost);
	}
	sr_wrap_leave(w);
}

void sr_wrap_leave_if_done(struct sr_wrap *w)
{
	bool written = !w->o->tee || (!sr_tee_waits(&w->tees[SR_JOB_STDOUT]) && !sr_tee_waits(&w->tees[SR_JOB_STDERR]));

	if (w->life == SR_WRAP_STORING && w->settled && written)
		sr_wrap_leave(w);
}

void sr_wrap_settle(struct sr_wrap *w)
{
	uint64_t skipped = sr_producer_skipped(w->producer);

	if (skipped > 0 && !w->settled)
		sr_ctl_note(w->ctl, w->o->id, "%llu events were dropped while Redis was away; a larger --spool holds more", (unsigned long long)skipped);
	w->settled = true;
	sr_wrap_leave_if_done(w);
}

void sr_wrap_give_up(struct sr_wrap *w, const char *why)
{
	uint64_t lost = sr_producer_waiting(w->producer) + w->dropped;

	if (!w->settled)
		sr_ctl_note(w->ctl, w->o->id, "%llu event%s not stored: %s", (unsigned long long)lost, lost == 1 ? "" : "s", why);
	sr_wrap_settle(w);
}

/* ---- the stream ---- */

static void refuse(struct sr_wrap *w, int code, const char *text)
{
	w->code = sr_ctl_fail(w->ctl, code, w->o->id, "%s; the job was not started (--require)", text);
	sr_wrap_leave(w);
}

static void on_open(void *ctx, bool created, const char *epoch)
{
	struct sr_wrap *w = ctx;

	(void)created;
	(void)epoch;
	w->opened = true;
	w->moved_at = sr_clock_mono();
	if (w->life == SR_WRAP_OPENING)
		sr_wrap_job_start(w);
}

static void on_stored(void *ctx, uint64_t n, const char *event_id, bool repeat)
{
	struct sr_wrap *w = ctx;

	(void)n;
	(void)event_id;
	(void)repeat;
	w->moved_at = sr_clock_mono();
}

static void on_room(void *ctx)
{
	sr_wrap_regulate(ctx);
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct sr_wrap *w = ctx;
	char text[512];

	if (err == SR_EDENIED && !w->warned && w->life != SR_WRAP_STORING) {
		snprintf(text, sizeof text, "Redis at %s denies access: %s", w->ctl->conf.redis_url, why);
		if (w->life == SR_WRAP_OPENING && w->o->require) {
			refuse(w, SR_EX_DENIED, text);
			return;
		}
		w->warned = true;
		sr_ctl_note(w->ctl, w->o->id, "%s; the job runs on, its output is kept until that is mended", text);
	}
	if (w->life == SR_WRAP_OPENING && !w->o->require)
		sr_wrap_job_start(w);
	sr_wrap_regulate(w);
}

static void cancelled(struct sr_wrap *w)
{
	w->warned = true;
	sr_ctl_note(w->ctl, w->o->id, "cancelled by another program: stopping the job");
	sr_wrap_job_stop(w, NULL);
}

static void on_closed(void *ctx, enum sr_producer_end end)
{
	struct sr_wrap *w = ctx;
	char text[512];
	int code;

	if (w->life == SR_WRAP_STORING) {
		if (end != SR_PRODUCER_DONE)
			warn_late(w);
		sr_wrap_settle(w);
		return;
	}
	if (w->life == SR_WRAP_OPENING && w->o->require) {
		code = explain(w, text);
		refuse(w, code, text);
	} else if (w->life == SR_WRAP_OPENING) {
		sr_wrap_warn(w);
		sr_wrap_job_start(w);
	} else if (w->life == SR_WRAP_RUNNING && w->opened && end == SR_PRODUCER_ENDED && strcmp(sr_producer_end_type(w->producer), "cancelled") == 0) {
		cancelled(w);
	} else if (w->life == SR_WRAP_RUNNING && (end != SR_PRODUCER_ENDED || !w->opened || sr_producer_waiting(w->producer) > 0)) {
		sr_wrap_warn(w);
	}
	sr_wrap_regulate(w);
}

/* A terminal event was pushed: ask whether it is so, and which. */
static void on_ended(void *ctx)
{
	struct sr_wrap *w = ctx;

	if (w->life == SR_WRAP_RUNNING)
		sr_producer_beat(w->producer);
}

/* --deadline bounds the wait for Redis, not its work: as long as it stores, there is something to wait for. */
static bool is_storing(struct sr_wrap *w)
{
	sr_mono_ms left = w->moved_at + w->o->deadline_ms - sr_clock_mono();

	if (w->life != SR_WRAP_STORING || w->settled || w->hurried || left <= 0)
		return false;
	sr_wrap_wait(w, left);
	return true;
}

static void on_wait(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct sr_wrap *w = t->data;
	char text[512];

	(void)loop;
	(void)revents;
	if (is_storing(w))
		return;
	snprintf(text, sizeof text, "Redis at %s is unavailable: %s", w->ctl->conf.redis_url, reason(w));
	if (w->life == SR_WRAP_STORING) {
		sr_wrap_give_up(w, w->hurried ? "interrupted" : text);
		if (w->life != SR_WRAP_DONE && !may_wait_for_reader(w))
			leave_tees(w);
	} else if (w->o->require) {
		refuse(w, SR_EX_REDIS, text);
	} else {
		sr_wrap_job_start(w);
	}
}

/* ---- life ---- */

/* 0 or the exit code. */
static int init_producer(struct sr_wrap *w)
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

static int init(struct sr_wrap *w)
{
	ev_init(&w->wait, on_wait);
	w->wait.data = w;
	w->loop = ev_loop_new(EVFLAG_AUTO);
	if (!w->loop || sr_wrap_job_init(w) != SR_OK)
		return sr_ctl_fail(w->ctl, SR_EX_LATER, w->o->id, "%s; the job was not started", sr_strerror(SR_ENOMEM));
	/* Without a lookout the beats find a cancellation. */
	w->lookout = sr_lookout_new(w->loop, &w->ctl->conf, w->o->id, on_ended, w);
	return init_producer(w);
}

static void release(struct sr_wrap *w)
{
	if (w->loop)
		sr_wrap_job_release(w);
	sr_lookout_free(w->lookout);
	sr_producer_free(w->producer);
	if (w->loop)
		ev_loop_destroy(w->loop);
}

int sr_wrap(struct sr_ctl *ctl, const struct sr_wrap_options *options)
{
	struct sr_wrap w = {.ctl = ctl, .o = options};
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
