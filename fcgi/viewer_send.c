/* viewer_send.c - what one client is sent: the opening of its response, events, gaps, its end. See viewer.h. */
#include "fcgi/viewer_parts.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/sse.h"
#include "fcgi/answer.h"
#include "fcgi/channel.h"
#include "fcgi/hub.h"
#include <stdlib.h>
#include <string.h>

#define END_MS 30000         /* a client may take so long to read its end */
#define BLOCK_MAX 4096       /* of headers, guard, connected and gap */
#define EVENT_MAX (8u << 20) /* one event as JSON, escaped: several times event_bytes' upper bound */

int64_t sr_viewer_retry_ms(const struct sr_hub *hub)
{
	return sr_random_between(hub->conf->retry_min, hub->conf->retry_max);
}

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
	sr_due_remove(&v->wait.due);
	sr_due_add(&v->hub->closing, &v->due, sr_clock_mono() + END_MS);
}

void sr_viewer_finish(struct sr_viewer *v)
{
	ending(v);
	sr_client_end(&v->client);
}

void sr_viewer_give_up(struct sr_viewer *v)
{
	ending(v);
	sr_client_abort(&v->client);
}

/* The first bytes of the response: headers and the guard with the position. */
static enum sr_err opening(struct sr_viewer *v, struct sr_buf *out, struct sr_event_id position)
{
	enum sr_err err = sr_answer_stream_headers(out, v->hub->conf, v->request ? v->request->origin : "", v->channel->id);

	return err == SR_OK ? sr_sse_guard(out, sr_viewer_retry_ms(v->hub), position) : err;
}

static void opened(struct sr_viewer *v)
{
	v->opened = true;
	v->hub->count.opened++;
	v->hub->count.resumed += v->resumed;
	sr_viewer_await_heartbeat(v, sr_clock_mono());
}

/* Open the response if it is not, and say what the registry's answer calls for: connected (once), gap. All in one frame. */
bool sr_viewer_greet(struct sr_viewer *v, const struct sr_attach_result *r, bool connected)
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
		sr_viewer_give_up(v); /* nothing of it was written: the client comes back with its old position */
		return false;
	}
	if (!v->opened)
		opened(v);
	return true;
}

/* Answer 200 while nothing is known yet: headers, guard, and from now on comments. */
void sr_viewer_hold(struct sr_viewer *v)
{
	struct sr_buf out;

	sr_buf_init(&out, BLOCK_MAX);
	if (opening(v, &out, v->cursor) == SR_OK && send_buf(v, &out))
		opened(v);
	else
		sr_viewer_give_up(v);
	sr_buf_release(&out);
}

void sr_viewer_retire(struct sr_viewer *v, int64_t retry_ms)
{
	struct sr_buf out;

	if (v->state == SR_V_ENDING)
		return;
	if (!v->opened)
		sr_viewer_hold(v);
	sr_buf_init(&out, BLOCK_MAX);
	/* A full client does without: its own retry time is as good. */
	if (sr_sse_comment(&out, "come back") == SR_OK && sr_sse_retry(&out, retry_ms) == SR_OK && !send_buf(v, &out))
		sr_log(SR_LOG_DEBUG, "no room for retry", "stream", v->channel->id, (char *)NULL);
	sr_buf_release(&out);
	sr_viewer_finish(v);
}

/* The stream is not to be had. Once the response is open only a new request can be told so. */
void sr_viewer_refuse(struct sr_viewer *v, int status, const char *text)
{
	struct sr_buf out;

	if (v->opened) {
		sr_viewer_retire(v, sr_viewer_retry_ms(v->hub));
		return;
	}
	sr_buf_init(&out, BLOCK_MAX);
	v->hub->count.refused++;
	if (sr_answer_error(&out, v->hub->conf, v->request->origin, status, text, NULL) != SR_OK || !send_buf(v, &out))
		sr_viewer_give_up(v);
	else
		sr_viewer_finish(v);
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
		sr_viewer_give_up(v); /* not full, so memory is out */
		return;
	}
	v->state = SR_V_BEHIND;
}

/* Send one event after the cursor. false: the viewer reads no further (slow, or at the end). */
bool sr_viewer_send_event(struct sr_viewer *v, struct sr_event_id id, struct sr_frame *frame, bool terminal)
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
	sr_viewer_finish(v);
	return false;
}

void sr_viewer_deliver(struct sr_viewer *v, struct sr_event_id id, struct sr_frame *frame, bool terminal)
{
	if (v->state == SR_V_LIVE && sr_event_id_compare(id, v->cursor) > 0)
		(void)sr_viewer_send_event(v, id, frame, terminal);
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

/* The log has no more, and the stream had ended: what is left is its end. */
void sr_viewer_send_end(struct sr_viewer *v)
{
	if (sr_event_id_compare(v->cursor, v->end->id) >= 0) {
		v->hub->count.terminals++;
		sr_viewer_finish(v);
	} else {
		(void)sr_viewer_send_event(v, v->end->id, v->end->frame, true);
	}
}
