/* viewer.c - see viewer.h. */
#include "fcgi/viewer.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/sse.h"
#include "fcgi/answer.h"
#include "fcgi/channel.h"
#include "fcgi/hub.h"
#include <stdlib.h>
#include <string.h>

#define HOLD_SILENT_MS 1000 /* after that a client whose stream is not yet known is answered 200 and held */
#define POLL_MS 1000        /* an unknown stream is asked for again */
#define END_MS 30000        /* a client may take so long to read its end */
#define BLOCK_MAX 4096      /* of headers, guard, connected and gap */
#define EVENT_MAX (8u << 20) /* one event as JSON, escaped: several times event_bytes' upper bound */

static int64_t jittered_retry(const struct sr_hub *hub)
{
	return sr_random_between(hub->conf->retry_min, hub->conf->retry_max);
}

/* --- what is sent -------------------------------------------------------------------------------------------- */

/* Send a buffer as one frame. false: it was not taken. */
static bool send_buf(struct sr_viewer *v, const struct sr_buf *b)
{
	struct sr_frame *frame = b->len ? sr_frame_new(b->data, b->len) : NULL;
	bool taken = frame && sr_client_send(&v->client, frame);

	sr_frame_unref(frame);
	return taken;
}

static void ending(struct sr_viewer *v)
{
	v->state = SR_V_ENDING;
	sr_due_remove(&v->wait);
	sr_due_add(&v->hub->closing, &v->due, sr_clock_mono() + END_MS);
}

static void finish(struct sr_viewer *v)
{
	ending(v);
	sr_client_end(&v->client);
}

static void give_up(struct sr_viewer *v)
{
	ending(v);
	sr_client_abort(&v->client);
}

/* The first bytes of the response: headers and the guard with the position. */
static enum sr_err opening(struct sr_viewer *v, struct sr_buf *out, struct sr_event_id position)
{
	enum sr_err err = sr_answer_stream_headers(out, v->hub->conf, v->request ? v->request->origin : "", v->channel->id);

	return err == SR_OK ? sr_sse_guard(out, jittered_retry(v->hub), position) : err;
}

static void opened(struct sr_viewer *v)
{
	v->opened = true;
	v->hub->count.opened++;
	v->hub->count.resumed += v->resumed;
	sr_due_add(&v->hub->heartbeats, &v->due, sr_clock_mono() + v->hub->conf->heartbeat_interval);
}

/* Open the response if it is not, and say what the registry's answer calls for: connected (once), gap. All in one frame. */
static bool greet(struct sr_viewer *v, const struct sr_attach_result *r, bool connected)
{
	struct sr_event_id after = v->cursor;
	struct sr_buf out;
	enum sr_err err = SR_OK;
	bool taken = true;

	sr_buf_init(&out, BLOCK_MAX);
	if (!v->opened)
		err = opening(v, &out, r->from);
	if (err == SR_OK && connected && !v->greeted)
		err = sr_sse_connected(&out, r->from, v->channel->id);
	if (err == SR_OK && r->gap[0]) {
		err = sr_sse_gap(&out, after, r->gap);
		v->hub->count.gaps++;
	}
	if (err == SR_OK && out.len)
		taken = send_buf(v, &out);
	sr_buf_release(&out);
	if (err != SR_OK || !taken) {
		give_up(v); /* nothing of it was written: the client comes back with its old position */
		return false;
	}
	if (!v->opened)
		opened(v);
	return true;
}

/* Answer 200 while nothing is known yet: headers, guard, and from now on comments. */
static void hold(struct sr_viewer *v)
{
	struct sr_buf out;

	sr_buf_init(&out, BLOCK_MAX);
	if (opening(v, &out, v->cursor) == SR_OK && send_buf(v, &out))
		opened(v);
	else
		give_up(v);
	sr_buf_release(&out);
}

void sr_viewer_retire(struct sr_viewer *v, int64_t retry_ms)
{
	struct sr_buf out;

	if (v->state == SR_V_ENDING)
		return;
	if (!v->opened)
		hold(v);
	sr_buf_init(&out, BLOCK_MAX);
	/* A full client does without: its own retry time is as good. */
	if (sr_sse_comment(&out, "come back") == SR_OK && sr_sse_retry(&out, retry_ms) == SR_OK && !send_buf(v, &out))
		sr_log(SR_LOG_DEBUG, "no room for retry", "stream", v->channel->id, (char *)NULL);
	sr_buf_release(&out);
	finish(v);
}

/* The stream is not to be had. Once the response is open only a new request can be told so. */
static void refuse(struct sr_viewer *v, int status, const char *text)
{
	struct sr_buf out;

	if (v->opened) {
		sr_viewer_retire(v, jittered_retry(v->hub));
		return;
	}
	sr_buf_init(&out, BLOCK_MAX);
	v->hub->count.refused++;
	if (sr_answer_error(&out, v->hub->conf, v->request->origin, status, text, NULL) != SR_OK || !send_buf(v, &out))
		give_up(v);
	else
		finish(v);
	sr_buf_release(&out);
}

struct sr_frame *sr_viewer_frame(const struct sr_log_entry *e)
{
	static const char unreadable[] = "{\"reason\":\"unreadable\"}";
	struct sr_frame *frame = NULL;
	struct sr_buf out;
	enum sr_err err;

	sr_buf_init(&out, EVENT_MAX);
	err = sr_sse_event(&out, &e->id, e->type, e->type_len, e->data, e->data_len);
	/* Somebody's own program wrote what cannot be sent. Its place in the log is passed, and said. */
	if (err == SR_EINVAL || err == SR_ETOOBIG)
		err = sr_sse_event(&out, &e->id, "gap", 3, unreadable, sizeof unreadable - 1);
	if (err == SR_OK)
		frame = sr_frame_new(out.data, out.len);
	sr_buf_release(&out);
	return frame;
}

/* --- events -------------------------------------------------------------------------------------------------- */

static void fall_behind(struct sr_viewer *v)
{
	v->hub->count.slow++;
	if (!sr_client_blocked(&v->client)) {
		give_up(v); /* not full, so memory is out */
		return;
	}
	v->state = SR_V_BEHIND;
}

/* Send one event after the cursor. false: the viewer reads no further (slow, or at the end). */
static bool send_event(struct sr_viewer *v, struct sr_event_id id, struct sr_frame *frame, bool terminal)
{
	if (!sr_client_send(&v->client, frame)) {
		fall_behind(v);
		return false;
	}
	v->cursor = id;
	v->hub->count.delivered++;
	if (!terminal)
		return true;
	v->hub->count.terminals++;
	finish(v);
	return false;
}

void sr_viewer_deliver(struct sr_viewer *v, struct sr_event_id id, struct sr_frame *frame, bool terminal)
{
	if (v->state == SR_V_LIVE && sr_event_id_compare(id, v->cursor) > 0)
		(void)send_event(v, id, frame, terminal);
}

void sr_viewer_gap(struct sr_viewer *v, const char *reason, struct sr_event_id position)
{
	struct sr_buf out;

	sr_buf_init(&out, BLOCK_MAX);
	if (sr_sse_gap(&out, v->cursor, reason) != SR_OK || !send_buf(v, &out)) {
		fall_behind(v); /* the gap is found again when it reads on */
	} else {
		v->cursor = position;
		v->hub->count.gaps++;
	}
	sr_buf_release(&out);
}

/* --- reading the log ----------------------------------------------------------------------------------------- */

/* The log has no more, and the stream had ended: what is left is its end. */
static void send_end(struct sr_viewer *v)
{
	if (sr_event_id_compare(v->cursor, v->end->id) >= 0) {
		v->hub->count.terminals++;
		finish(v);
	} else {
		(void)send_event(v, v->end->id, v->end->frame, true);
	}
}

/* The log has no more: live, if this is where the channel is. */
static void caught_up(struct sr_viewer *v, bool moved)
{
	struct sr_channel *ch = v->channel;

	if (v->end)
		send_end(v);
	else if (!ch->placed)
		sr_viewer_wait_again(v);
	else if (sr_event_id_compare(v->cursor, ch->position) >= 0)
		v->state = SR_V_LIVE;
	else if (moved)
		sr_viewer_read(v);
	else
		sr_channel_reattach(ch); /* pushes told of events that the log does not have */
}

/* Send what a page holds. The event asked for, which the viewer has or which the registry named, proves that nothing before the
 * rest is missing. */
static void send_page(struct sr_viewer *v, const struct sr_reply *reply)
{
	size_t count = sr_reply_count(reply);
	struct sr_event_id before = v->cursor, expected = v->following_known ? v->following : v->cursor;
	struct sr_log_entry e;

	v->following_known = false;
	for (size_t i = 0; i < count; i++) {
		struct sr_frame *frame;
		bool going;

		if (sr_log_read(reply, i, &e) != SR_OK)
			continue;
		if (i == 0 && sr_event_id_compare(e.id, expected) != 0)
			sr_viewer_gap(v, "trimmed", v->cursor);
		if (v->state != SR_V_READING)
			return;
		if (sr_event_id_compare(e.id, v->cursor) <= 0)
			continue;
		frame = sr_viewer_frame(&e);
		if (!frame) {
			give_up(v);
			return;
		}
		going = send_event(v, e.id, frame, sr_event_type_terminal(e.type, e.type_len) || (v->end && sr_event_id_compare(e.id, v->end->id) >= 0));
		sr_frame_unref(frame);
		if (!going)
			return;
	}
	if (count > SR_PAGE_EVENTS)
		sr_viewer_read(v);
	else if (count == 0 && !v->end)
		sr_viewer_wait_again(v); /* the log is gone: the registry knows since when */
	else
		caught_up(v, sr_event_id_compare(v->cursor, before) > 0);
}

static void next_reader(struct sr_hub *hub)
{
	struct sr_due *first = sr_due_first(&hub->readers);
	struct sr_viewer *v;

	if (!first || hub->reads >= SR_READS_MAX)
		return;
	v = SR_DUE_OWNER(first, struct sr_viewer, wait);
	sr_due_remove(first);
	sr_viewer_read(v);
}

static void on_page(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_viewer *v = ctx;
	struct sr_hub *hub = v->hub;

	hub->reads--;
	v->in_flight = false;
	if (!v->channel) {
		free(v); /* the client left while the page was on its way */
	} else if (v->again || err != SR_OK) {
		if (reply && err != SR_OK)
			sr_hub_complain(hub, "read the log", err, reply);
		v->again = false;
		if (v->state == SR_V_READING)
			sr_viewer_wait_again(v);
	} else if (v->state == SR_V_READING) {
		send_page(v, reply);
	}
	next_reader(hub);
}

void sr_viewer_read(struct sr_viewer *v)
{
	struct sr_call call;
	enum sr_err err;

	v->state = SR_V_READING;
	if (v->hub->reads >= SR_READS_MAX) {
		sr_due_add(&v->hub->readers, &v->wait, 0);
		return;
	}
	sr_log_call(&call, &v->hub->reg, v->channel->id, v->following_known ? v->following : v->cursor, SR_PAGE_EVENTS + 1);
	err = sr_redis_send(v->hub->commands, &call, 0, on_page, v);
	sr_call_release(&call);
	if (err != SR_OK) {
		sr_viewer_wait_again(v);
		return;
	}
	v->in_flight = true;
	v->hub->reads++;
}

/* --- the registry's answers ---------------------------------------------------------------------------------- */

void sr_viewer_wait_again(struct sr_viewer *v)
{
	if (v->in_flight) {
		v->again = true;
		return;
	}
	v->following_known = false;
	v->state = SR_V_WAITING;
	sr_due_add(&v->hub->waiting, &v->wait, sr_clock_mono());
}

static void release_request(struct sr_viewer *v)
{
	sr_request_free(v->request);
	v->request = NULL;
}

static void serve(struct sr_viewer *v, const struct sr_attach_result *r)
{
	int64_t age = v->hub->conf->max_connection_age;

	if (!greet(v, r, true))
		return;
	v->greeted = true;
	release_request(v);
	sr_due_remove(&v->wait);
	v->until = sr_clock_mono() + sr_random_between(age - age / 10, age);
	v->cursor = r->from;
	v->following_known = r->more;
	v->following = r->next;
	if (r->more)
		sr_viewer_read(v);
	else
		caught_up(v, sr_event_id_compare(v->cursor, SR_EVENT_ID_START) > 0);
}

static void drop_end(struct sr_viewer *v)
{
	if (v->end)
		sr_frame_unref(v->end->frame);
	free(v->end);
	v->end = NULL;
}

static bool remember_end(struct sr_viewer *v, const struct sr_attach_result *r)
{
	struct sr_log_entry e = {.id = r->last, .type = r->end_type, .type_len = r->end_type_len, .data = r->end_data, .data_len = r->end_data_len};

	if (!sr_event_type_valid(e.type, e.type_len)) { /* a foreign completion's */
		e.type = "completed";
		e.type_len = strlen(e.type);
	}
	drop_end(v);
	v->end = sr_calloc(1, sizeof *v->end);
	if (v->end) {
		v->end->id = r->last;
		v->end->frame = sr_viewer_frame(&e);
	}
	return v->end && v->end->frame;
}

/* It had ended: the events that are missing, the terminal one, and the end of the response. */
static void serve_end(struct sr_viewer *v, const struct sr_attach_result *r)
{
	bool has_all = !r->gap[0] && !r->more && !v->from_now && sr_event_id_compare(v->cursor, r->last) >= 0;

	if (has_all) {
		refuse(v, 204, NULL);
		return;
	}
	if (!remember_end(v, r)) {
		give_up(v);
		return;
	}
	if (!greet(v, r, false))
		return;
	v->cursor = r->more ? r->from : SR_EVENT_ID_START; /* START: what the log does not have is sent from the completion */
	v->following_known = r->more;
	v->following = r->next;
	if (r->more)
		sr_viewer_read(v);
	else
		send_end(v);
}

static void unknown(struct sr_viewer *v)
{
	if (v->attached) {
		v->attached = false;
		v->channel->attached--;
		v->until = sr_clock_mono() + v->hub->conf->pending_wait;
	}
	v->state = SR_V_UNKNOWN;
	sr_due_add(&v->hub->waiting, &v->wait, sr_clock_mono());
}

void sr_viewer_attached(struct sr_viewer *v, const struct sr_attach_result *r)
{
	switch (r->outcome) {
	case SR_NEW:
	case SR_SAME:
		serve(v, r);
		break;
	case SR_ENDED:
		serve_end(v, r);
		break;
	case SR_EXPIRED:
		refuse(v, 204, NULL);
		break;
	case SR_UNKNOWN:
		unknown(v);
		break;
	default: /* another user's: the same answer as for what does not exist */
		refuse(v, 404, "no such stream");
	}
}

/* --- timers -------------------------------------------------------------------------------------------------- */

static bool starts(const struct sr_viewer *v)
{
	return sr_event_id_compare(v->cursor, SR_EVENT_ID_START) == 0;
}

void sr_viewer_check_wait(struct sr_viewer *v, sr_mono_ms now)
{
	bool late = now >= v->until && !v->greeted;

	if (v->state == SR_V_UNKNOWN && now >= v->until) {
		/* Whoever has seen events is told to stop for good; it is never registered anew as a zombie. */
		refuse(v, starts(v) ? 404 : 204, starts(v) ? "no such stream" : NULL);
	} else if (v->state == SR_V_UNKNOWN) {
		if (now >= v->wait.at + POLL_MS)
			sr_viewer_wait_again(v);
	} else if (late) {
		sr_viewer_retire(v, jittered_retry(v->hub));
	} else if (!v->opened && (!sr_hub_online(v->hub) || now >= v->wait.at + HOLD_SILENT_MS)) {
		hold(v);
	}
	if (v->state == SR_V_WAITING)
		sr_channel_step(v->channel);
}

void sr_viewer_heartbeat(struct sr_viewer *v, sr_mono_ms now)
{
	sr_due_add(&v->hub->heartbeats, &v->due, now + v->hub->conf->heartbeat_interval);
	if (v->attached && now >= v->until) {
		v->returning = true;
		sr_viewer_retire(v, jittered_retry(v->hub));
	} else if (!sr_client_blocked(&v->client) && !sr_client_send(&v->client, v->hub->heartbeat)) {
		give_up(v);
	}
}

/* --- the client's side --------------------------------------------------------------------------------------- */

static void on_gone(struct sr_client *c)
{
	struct sr_viewer *v = (struct sr_viewer *)(void *)c;

	sr_due_remove(&v->due);
	sr_due_remove(&v->wait);
	v->hub->viewers--;
	release_request(v);
	drop_end(v);
	sr_channel_leave(v->channel, v);
	if (!v->in_flight)
		free(v);
}

static void on_drained(struct sr_client *c)
{
	struct sr_viewer *v = (struct sr_viewer *)(void *)c;

	if (v->state != SR_V_BEHIND)
		return;
	if (v->end && !v->following_known && starts(v))
		send_end(v);
	else if (starts(v))
		sr_viewer_wait_again(v);
	else
		sr_viewer_read(v);
}

/* Transient trouble never answers 5xx here: any status but 200 stops a plain EventSource for good. */
static void send_away(struct sr_hub *hub, struct sr_request *request, const char *id, const char *why)
{
	struct sr_buf out;

	sr_buf_init(&out, BLOCK_MAX);
	hub->count.refused++;
	if (sr_answer_stream_headers(&out, hub->conf, request->origin, id) != SR_OK || sr_sse_comment(&out, why) != SR_OK ||
	    sr_sse_retry(&out, hub->draining ? sr_random_between(hub->conf->retry_min, hub->conf->retry_max + hub->conf->drain_window)
	                                     : jittered_retry(hub)) != SR_OK)
		sr_buf_reset(&out);
	sr_answer_send(hub, request, &out);
	sr_buf_release(&out);
}

void sr_viewer_start(struct sr_hub *hub, struct sr_request *request, const char *id, struct sr_event_id position, bool from_now)
{
	static const struct sr_client_ops ops = {.on_gone = on_gone, .on_drained = on_drained};
	bool full = hub->viewers >= (size_t)hub->conf->max_streams;
	struct sr_channel *ch = hub->draining || full ? NULL : sr_hub_find_or_add(hub, id);
	struct sr_viewer *v = ch ? sr_calloc(1, sizeof *v) : NULL;

	if (!v) {
		send_away(hub, request, id, hub->draining ? "restarting" : full ? "max_streams is reached" : "out of memory");
		if (ch)
			sr_channel_step(ch);
		return;
	}
	v->hub = hub;
	v->request = request;
	v->cursor = position;
	v->from_now = from_now;
	v->resumed = sr_event_id_compare(position, SR_EVENT_ID_START) > 0;
	v->until = sr_clock_mono() + hub->conf->pending_wait;
	sr_client_init(&v->client, hub->loop, request->fd, request->id, (uint32_t)hub->conf->client_buffer, &ops);
	request->fd = -1;
	hub->viewers++;
	sr_due_add(&hub->waiting, &v->wait, sr_clock_mono());
	sr_channel_join(ch, v);
	sr_channel_step(ch);
}
