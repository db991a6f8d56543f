/* viewer.c - see viewer.h. */
#include "fcgi/viewer.h"

#include "common/mem.h"
#include "common/sse.h"
#include "fcgi/answer.h"
#include "fcgi/channel.h"
#include "fcgi/hub.h"
#include "fcgi/viewer_parts.h"
#include <stdlib.h>
#include <string.h>

#define HOLD_SILENT_MS 1000 /* after that a client whose stream is not yet known is answered 200 and held */
#define POLL_MS 1000        /* an unknown stream is asked for again */
#define SECOND_WRITE_MS 1000
#define BLOCK_MAX 4096      /* of headers, comment and retry */

/* --- the registry's answers ---------------------------------------------------------------------------------- */

void sr_viewer_wait_again(struct sr_viewer *v)
{
	if (v->in_flight) {
		v->again = true;
		return;
	}
	v->following_known = false;
	v->state = SR_V_WAITING;
	sr_due_add(&v->hub->waiting, &v->wait.due, sr_clock_mono());
}

static void release_request(struct sr_viewer *v)
{
	sr_request_free(v->request);
	v->request = NULL;
}

/* Spread, so that a crowd that came together does not come back together. */
static sr_mono_ms age_limit(const struct sr_hub *hub)
{
	int64_t age = hub->conf->max_connection_age;

	return sr_clock_mono() + sr_random_between(age - age / 10, age);
}

static void serve(struct sr_viewer *v, const struct sr_attach_result *r)
{
	if (!sr_viewer_greet(v, r, true))
		return;
	v->greeted = true;
	release_request(v);
	sr_due_remove(&v->wait.due);
	v->until = age_limit(v->hub);
	v->cursor = r->from;
	v->following_known = r->more;
	v->following = r->next;
	v->state = SR_V_READING; /* from here on the channel may send it back to the registry */
	if (r->more)
		sr_viewer_read(v);
	else
		sr_viewer_caught_up(v, sr_event_id_compare(v->cursor, SR_EVENT_ID_START) > 0);
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

/* Nothing to beat for any more. */
static void uncount(struct sr_viewer *v)
{
	v->channel->attached -= v->attached;
	v->attached = false;
}

/* It had ended: the events that are missing, the terminal one, and the end of the response. */
static void serve_end(struct sr_viewer *v, const struct sr_attach_result *r)
{
	bool has_all = !r->gap[0] && !r->more && !v->from_now && sr_event_id_compare(v->cursor, r->last) >= 0;

	if (has_all) {
		sr_viewer_refuse(v, 204, NULL);
		return;
	}
	uncount(v); /* a beat would be told of the end again, and send it back to the registry each time */
	v->until = age_limit(v->hub);
	if (!remember_end(v, r)) {
		sr_viewer_give_up(v);
		return;
	}
	if (!sr_viewer_greet(v, r, false))
		return;
	v->cursor = r->more ? r->from : SR_EVENT_ID_START; /* START: what the log does not have is sent from the completion */
	v->following_known = r->more;
	v->following = r->next;
	if (r->more)
		sr_viewer_read(v);
	else
		sr_viewer_send_end(v);
}

static void unknown(struct sr_viewer *v)
{
	if (v->attached) {
		uncount(v);
		v->until = sr_clock_mono() + v->hub->conf->pending_wait;
	}
	v->state = SR_V_UNKNOWN;
	sr_due_add(&v->hub->waiting, &v->wait.due, sr_clock_mono());
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
		sr_viewer_refuse(v, 204, NULL);
		break;
	case SR_UNKNOWN:
		unknown(v);
		break;
	default: /* another user's: the same answer as for what does not exist, after the same time where that is waited for */
		if (!v->greeted && !v->resumed && v->hub->conf->on_unknown == SR_UNKNOWN_WAIT)
			unknown(v);
		else
			sr_viewer_refuse(v, 404, "no such stream");
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
		sr_viewer_refuse(v, starts(v) ? 404 : 204, starts(v) ? "no such stream" : NULL);
	} else if (v->state == SR_V_UNKNOWN) {
		if (now >= v->wait.due.at + POLL_MS)
			sr_viewer_wait_again(v);
	} else if (late) {
		sr_viewer_retire(v, sr_viewer_retry_ms(v->hub));
	} else if (!v->opened && (!sr_hub_online(v->hub) || now >= v->wait.due.at + HOLD_SILENT_MS)) {
		sr_viewer_hold(v);
	}
	if (v->state == SR_V_WAITING)
		sr_channel_step(v->channel);
}

/* How long after a heartbeat comes its second write: time for the RST of a client that left to come back to the web server. */
static int64_t second_write_delay(const struct sr_hub *hub)
{
	int64_t half = hub->conf->heartbeat_interval / 2;

	return half < SECOND_WRITE_MS ? half : SECOND_WRITE_MS;
}

void sr_viewer_await_heartbeat(struct sr_viewer *v, sr_mono_ms now)
{
	sr_mono_ms at = now + v->hub->conf->heartbeat_interval;

	if (v->doubled)
		sr_due_add(&v->hub->doubled_heartbeats, &v->due, at - second_write_delay(v->hub));
	else
		sr_due_add(&v->hub->heartbeats, &v->due, at);
}

void sr_viewer_second_write(struct sr_viewer *v, sr_mono_ms now)
{
	sr_viewer_await_heartbeat(v, now);
	if (!sr_client_blocked(&v->client) && !sr_client_send(&v->client, v->hub->second_write))
		sr_viewer_give_up(v);
}

void sr_viewer_heartbeat(struct sr_viewer *v, sr_mono_ms now)
{
	if (v->doubled)
		sr_due_add(&v->hub->second_writes, &v->due, now + second_write_delay(v->hub));
	else
		sr_viewer_await_heartbeat(v, now);
	if ((v->attached || v->end) && now >= v->until) {
		v->returning = true;
		sr_viewer_retire(v, sr_viewer_retry_ms(v->hub));
	} else if (!sr_client_blocked(&v->client) && !sr_client_send(&v->client, v->hub->heartbeat)) {
		sr_viewer_give_up(v);
	}
}

/* --- the client's side --------------------------------------------------------------------------------------- */

static void on_gone(struct sr_client *c)
{
	struct sr_viewer *v = (struct sr_viewer *)(void *)c;

	sr_due_remove(&v->due);
	sr_due_remove(&v->wait.due);
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
	if (starts(v))
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
	                                     : sr_viewer_retry_ms(hub)) != SR_OK)
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
	v->doubled = request->behind_apache;
	v->until = sr_clock_mono() + hub->conf->pending_wait;
	sr_client_init(&v->client, hub->loop, request->fd, request->id, (uint32_t)hub->conf->client_buffer, &ops);
	request->fd = -1;
	hub->viewers++;
	sr_due_add(&hub->waiting, &v->wait.due, sr_clock_mono());
	sr_channel_join(ch, v);
	sr_channel_step(ch);
}
