/* viewer_read.c - a viewer reads the log from its cursor, page by page, until it is where the channel is. See viewer.h. */
#include "fcgi/viewer_parts.h"

#include "fcgi/channel.h"
#include "fcgi/hub.h"
#include <stdlib.h>
#include <string.h>

/* The log has no more: live, if this is where the channel is. */
void sr_viewer_caught_up(struct sr_viewer *v, bool moved)
{
	struct sr_channel *ch = v->channel;

	if (v->end)
		sr_viewer_send_end(v);
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
 * rest is missing, and that this is still the log of its stream. Without it the registry must say what happened. */
static void send_page(struct sr_viewer *v, const struct sr_reply *reply)
{
	size_t count = sr_reply_count(reply);
	struct sr_event_id before = v->cursor, expected = v->following_known ? v->following : v->cursor;
	struct sr_log_entry e;

	v->following_known = false;
	if (count == 0 && v->end && sr_event_id_compare(v->cursor, v->end->id) < 0) {
		sr_viewer_gap(v, "expired", v->cursor); /* the log did not wait for a slow reader; its end did */
		if (v->state != SR_V_READING)
			return;
	}
	for (size_t i = 0; i < count; i++) {
		struct sr_frame *frame;
		bool going;

		if (sr_log_read(reply, i, &e) != SR_OK)
			continue;
		if (i == 0 && sr_event_id_compare(e.id, expected) != 0) {
			sr_viewer_wait_again(v);
			return;
		}
		if (sr_event_id_compare(e.id, v->cursor) <= 0)
			continue;
		frame = sr_viewer_frame(&e);
		if (!frame) {
			sr_viewer_give_up(v);
			return;
		}
		going = sr_viewer_send_event(v, e.id, frame, sr_event_type_terminal(e.type, e.type_len) || (v->end && sr_event_id_compare(e.id, v->end->id) >= 0));
		sr_frame_unref(frame);
		if (!going)
			return;
	}
	if (count > SR_PAGE_EVENTS)
		sr_viewer_read(v);
	else if (count == 0 && !v->end)
		sr_viewer_wait_again(v); /* the log is gone: the registry knows since when */
	else
		sr_viewer_caught_up(v, sr_event_id_compare(v->cursor, before) > 0);
}

static void on_page(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_viewer *v = ctx;
	struct sr_hub *hub = v->hub;

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
	sr_turn_over(hub);
}

static void go(struct sr_turn *turn)
{
	sr_viewer_read(SR_DUE_OWNER(turn, struct sr_viewer, wait));
}

void sr_viewer_read(struct sr_viewer *v)
{
	struct sr_call call;
	enum sr_err err;

	v->state = SR_V_READING;
	if (!sr_turn_ready(v->hub, &v->wait, go))
		return;
	sr_log_call(&call, &v->hub->reg, v->channel->id, v->following_known ? v->following : v->cursor, SR_PAGE_EVENTS + 1);
	err = sr_redis_send(v->hub->commands, &call, 0, on_page, v);
	sr_call_release(&call);
	if (err != SR_OK) {
		sr_viewer_wait_again(v);
		return;
	}
	v->in_flight = true;
	sr_turn_taken(v->hub);
}
