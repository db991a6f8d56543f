/* producer_handle.c - see producer_handle.h. */
#include "common/lib/producer_handle.h"

#include "common/mem.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_AT_ONCE 3 /* of wait 0: one to take an answer and queue what follows it, one to send that; and one to spare */

sse_result sr_handle_say(sse_producer *p, sse_result result, const char *format, ...)
{
	va_list ap;
	char text[512];

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	sr_buf_explain(&p->why, "%s", text);
	return result;
}

/* ---- what the engine tells ---- */

static void on_open(void *ctx, bool created, const char *epoch)
{
	sse_producer *p = ctx;

	if (p->openings++ == 0)
		p->created = created;
	snprintf(p->epoch, sizeof p->epoch, "%s", epoch);
}

static void on_stored(void *ctx, uint64_t n, const char *event_id, bool repeat)
{
	sse_producer *p = ctx;

	snprintf(p->last_id, sizeof p->last_id, "%s", event_id);
	if (p->options.stored)
		p->options.stored(p->options.ctx, n, event_id, repeat);
}

static void on_beat(void *ctx, enum sr_outcome outcome)
{
	sse_producer *p = ctx;

	p->beats++;
	p->beat = outcome;
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	sse_producer *p = ctx;

	(void)why; /* the engine keeps it */
	p->trouble = err;
}

/* ---- life ---- */

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop; /* the turn has ended, which is all */
	(void)w;
	(void)revents;
}

static const char *keep_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
	return out;
}

sse_producer *sr_handle_new(const char *stream_id, const sse_options *options, const struct sr_handle_options *more)
{
	sse_producer *p = sr_calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->more = *more;
	p->options = *options;
	keep_text(p->id, sizeof p->id, stream_id);
	p->options.user = keep_text(p->user, sizeof p->user, options->user ? options->user : "");
	if (options->producer)
		p->options.producer = keep_text(p->name, sizeof p->name, options->producer);
	sr_buf_init(&p->why, 512);
	sr_buf_init(&p->data, 6 * 4 * (size_t)more->conf->event_bytes); /* white space goes, a byte that is escaped becomes six */
	ev_init(&p->timer, on_timer);
	p->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (p->loop)
		return p;
	sse_producer_free(p);
	return NULL;
}

void sse_producer_free(sse_producer *p)
{
	if (!p)
		return;
	sr_producer_free(p->engine);
	if (p->loop)
		ev_loop_destroy(p->loop);
	if (p->own.redis_url)
		sr_conf_release(&p->own);
	sr_buf_release(&p->data);
	sr_buf_release(&p->why);
	free(p);
}

sse_result sr_handle_begin(sse_producer *p, const sse_stream *stream)
{
	static const struct sr_producer_hooks hooks = {.on_open = on_open, .on_stored = on_stored, .on_beat = on_beat, .on_down = on_down};
	struct sr_producer_options o = {.id = p->id, .user = p->user, .name = p->options.producer, .first_n = p->options.first_n,
	                                .create = p->more.create, .epoch = p->more.epoch, .backlog_bytes = p->options.backlog_bytes,
	                                .drop_oldest = p->options.drop_oldest, .connection = p->more.connection, .silent = !p->more.loud};
	enum sr_err err = SR_OK;

	if (p->engine)
		return SSE_OK;
	if (stream) {
		o.open = true;
		o.type = stream->type;
		o.metadata = stream->metadata;
		o.lease = stream->lease;
	}
	p->engine = sr_producer_new(p->loop, p->more.conf, &o, &hooks, p, &err, &p->why);
	p->opens = p->engine && stream;
	if (p->engine)
		return SSE_OK;
	return err == SR_EINVAL ? SSE_INVALID : sr_handle_say(p, SSE_NO_MEMORY, "%s", sr_strerror(SR_ENOMEM));
}

/* ---- results ---- */

/* A password that is refused does not get better by waiting. */
static bool is_closed(const sse_producer *p)
{
	return sr_producer_end(p->engine) != SR_PRODUCER_LIVES || p->trouble == SR_EDENIED;
}

/* Why a closed producer is so. */
static sse_result closed(sse_producer *p)
{
	static const sse_result results[] = {
		[SR_PRODUCER_DONE] = SSE_ENDED,       [SR_PRODUCER_ENDED] = SSE_ENDED,   [SR_PRODUCER_UNKNOWN] = SSE_UNKNOWN,
		[SR_PRODUCER_FOREIGN] = SSE_FOREIGN,  [SR_PRODUCER_FENCED] = SSE_FENCED, [SR_PRODUCER_DENIED] = SSE_DENIED,
		[SR_PRODUCER_FORGOTTEN] = SSE_FORGOTTEN, [SR_PRODUCER_BROKEN] = SSE_BROKEN};
	enum sr_producer_end end = sr_producer_end(p->engine);
	sse_result result = end == SR_PRODUCER_LIVES ? SSE_DENIED : results[end];
	const char *why = sr_producer_why(p->engine), *type = sse_end_type(p);

	if (result == SSE_ENDED && *type)
		return sr_handle_say(p, result, "the stream has ended: %s", type);
	return sr_handle_say(p, result, "%s", *why ? why : sse_strerror(result));
}

static sse_result not_yet(sse_producer *p)
{
	const char *why = sr_producer_why(p->engine);

	if (!*why)
		why = sr_producer_reached(p->engine) ? "no answer in time" : "no connection to Redis";
	return sr_handle_say(p, SSE_AGAIN, "%s", why);
}

sse_result sr_handle_put(sse_producer *p, const char *type, size_t type_len, const char *data, size_t data_len)
{
	if (is_closed(p) && sr_producer_end(p->engine) != SR_PRODUCER_DONE)
		return closed(p);
	if (p->ending)
		return sr_handle_say(p, SSE_INVALID, "%.*s: nothing comes after the terminal event", (int)type_len, type);
	switch (sr_producer_emit(p->engine, type, type_len, data, data_len)) {
	case SR_OK:
		break;
	case SR_EBUSY:
		return sr_handle_say(p, SSE_FULL, "%zu events are kept already: %s", sse_kept(p),
		                     *sr_producer_why(p->engine) ? sr_producer_why(p->engine) : "Redis is slower than this program");
	case SR_ETOOBIG:
		return sr_handle_say(p, SSE_TOO_BIG, "the event is larger than backlog_bytes");
	case SR_ENOMEM:
		return sr_handle_say(p, SSE_NO_MEMORY, "%s", sr_strerror(SR_ENOMEM));
	default:
		return sr_handle_say(p, SSE_INVALID, "%.*s: not taken", (int)type_len, type);
	}
	if (sr_event_type_terminal(type, type_len)) {
		p->ending = true;
		snprintf(p->end_type, sizeof p->end_type, "%.*s", (int)type_len, type);
	}
	return SSE_OK;
}

/* ---- waiting ---- */

static bool reached(const sse_producer *p, enum sr_until until, size_t count)
{
	switch (until) {
	case SR_UNTIL_OPEN:
		return p->openings > 0;
	case SR_UNTIL_BEAT:
		return p->beats > count;
	case SR_UNTIL_KEPT:
		return sr_producer_waiting(p->engine) <= count;
	default:
		return (!p->opens || p->openings > 0) && sr_producer_waiting(p->engine) == 0;
	}
}

/* One turn: of what is ready, or until something is, for at most `ms`. */
static void turn(sse_producer *p, int64_t ms)
{
	if (ms <= 0) {
		ev_run(p->loop, EVRUN_NOWAIT);
		return;
	}
	ev_timer_set(&p->timer, (double)ms / 1000.0, 0.);
	ev_timer_start(p->loop, &p->timer);
	ev_run(p->loop, EVRUN_ONCE);
	ev_timer_stop(p->loop, &p->timer);
}

sse_result sr_handle_go(sse_producer *p, enum sr_until until, size_t count, int64_t wait_ms)
{
	sr_mono_ms deadline = sr_clock_mono() + (wait_ms < 0 ? SR_HANDLE_WAIT_MS : wait_ms);

	ev_now_update(p->loop); /* the loop slept since the last call: its timers must not run too early */
	for (int turns = 0;; turns++) {
		int64_t left = deadline - sr_clock_mono();
		bool done = reached(p, until, count);

		if (sr_producer_end(p->engine) == SR_PRODUCER_DONE && (until == SR_UNTIL_KEPT || until == SR_UNTIL_IDLE))
			return SSE_OK;
		if (is_closed(p))
			return closed(p);
		if (turns > 0 && done)
			return SSE_OK;
		if (left <= 0 && turns >= (wait_ms ? 1 : TURNS_AT_ONCE))
			return not_yet(p);
		turn(p, done ? 0 : left);
	}
}
