/* channel.c - see channel.h. */
#include "fcgi/channel.h"

#include "common/log.h"
#include "common/mem.h"
#include "fcgi/viewer.h"
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 500 /* after Redis refused a call */

struct sr_channel *sr_channel_new(struct sr_hub *hub, const char *id)
{
	size_t len = strlen(id);
	struct sr_channel *ch = sr_calloc(1, sizeof *ch + len + 1);

	if (!ch)
		return NULL;
	ch->hub = hub;
	memcpy(ch->id, id, len + 1);
	sr_due_add(&hub->beats, &ch->beat, sr_clock_mono() + hub->conf->beat_interval);
	return ch;
}

void sr_channel_free(struct sr_channel *ch)
{
	sr_due_remove(&ch->beat);
	sr_due_remove(&ch->turn.due);
	free(ch->owner);
	free(ch->type);
	free(ch->metadata);
	free(ch->started_at);
	free(ch);
}

/* --- viewers ------------------------------------------------------------------------------------------------- */

static void link_first(struct sr_channel *ch, struct sr_viewer *v)
{
	v->prev = NULL;
	v->next = ch->first;
	if (ch->first)
		ch->first->prev = v;
	else
		ch->last_viewer = v;
	ch->first = v;
}

static void unlink_viewer(struct sr_channel *ch, struct sr_viewer *v)
{
	*(v->prev ? &v->prev->next : &ch->first) = v->next;
	*(v->next ? &v->next->prev : &ch->last_viewer) = v->prev;
	v->prev = v->next = NULL;
}

static void link_last(struct sr_channel *ch, struct sr_viewer *v)
{
	v->next = NULL;
	v->prev = ch->last_viewer;
	if (ch->last_viewer)
		ch->last_viewer->next = v;
	else
		ch->first = v;
	ch->last_viewer = v;
}

void sr_channel_join(struct sr_channel *ch, struct sr_viewer *v)
{
	v->channel = ch;
	link_first(ch, v);
}

void sr_channel_leave(struct sr_channel *ch, struct sr_viewer *v)
{
	unlink_viewer(ch, v);
	if (ch->attaching == v)
		ch->attaching = NULL;
	if (v->attached) {
		ch->attached--;
		ch->returning = v->returning;
	}
	v->attached = false;
	v->channel = NULL;
	sr_channel_step(ch);
}

static struct sr_viewer *first_waiting(struct sr_channel *ch)
{
	struct sr_viewer *v = ch->first;

	while (v && v->state != SR_V_WAITING)
		v = v->next;
	return v;
}

void sr_channel_reattach(struct sr_channel *ch)
{
	ch->placed = false;
	ch->repairing = false;
	ch->seen = SR_EVENT_ID_START;
	for (struct sr_viewer *v = ch->first; v; v = v->next)
		if (v->state == SR_V_LIVE || v->state == SR_V_READING || v->state == SR_V_BEHIND)
			sr_viewer_wait_again(v);
}

/* --- live events --------------------------------------------------------------------------------------------- */

/* false: out of memory, nothing was delivered and the position stays, so that the next push or beat repairs it. */
static bool deliver(struct sr_channel *ch, const struct sr_log_entry *e)
{
	struct sr_frame *frame = sr_viewer_frame(e);
	bool terminal = sr_event_type_terminal(e->type, e->type_len);

	if (!frame)
		return false;
	for (struct sr_viewer *v = ch->first; v; v = v->next)
		sr_viewer_deliver(v, e->id, frame, terminal);
	sr_frame_unref(frame);
	ch->position = e->id;
	if (terminal)
		ch->told = 0; /* the end removed the viewers from the registry */
	return true;
}

static void repair(struct sr_channel *ch, struct sr_event_id from);

static void repaired(struct sr_channel *ch)
{
	ch->repairing = false;
	/* Something newer was announced than the log has: let the registry say what is true. */
	if (sr_event_id_compare(ch->seen, ch->position) > 0)
		sr_channel_reattach(ch);
}

static void repair_page(struct sr_channel *ch, const struct sr_reply *reply)
{
	size_t count = sr_reply_count(reply);
	struct sr_log_entry e;

	for (size_t i = 0; i < count; i++) {
		if (sr_log_read(reply, i, &e) != SR_OK)
			continue;
		/* The event held on to is gone: trimmed, or this is another stream's log by now. The registry knows. */
		if (i == 0 && sr_event_id_compare(e.id, ch->repair_from) != 0) {
			sr_channel_reattach(ch);
			return;
		}
		if (sr_event_id_compare(e.id, ch->position) > 0 && !deliver(ch, &e))
			break;
	}
	if (count > SR_PAGE_EVENTS)
		repair(ch, ch->position);
	else
		repaired(ch);
}

static void on_repair(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_channel *ch = ctx;
	struct sr_hub *hub = ch->hub; /* the step may free ch */

	ch->pins--;
	if (err != SR_OK) {
		ch->repairing = false; /* the beat after the reconnect, or the next one, sees it again */
		if (reply)
			sr_hub_complain(hub, "read the log", err, reply);
	} else if (ch->repairing) {
		repair_page(ch, reply);
	}
	sr_channel_step(ch);
	sr_turn_over(hub);
}

static void send_repair(struct sr_channel *ch)
{
	struct sr_call call;

	sr_log_call(&call, &ch->hub->reg, ch->id, ch->repair_from, SR_PAGE_EVENTS + 1);
	ch->repairing = sr_redis_send(ch->hub->commands, &call, 0, on_repair, ch) == SR_OK;
	sr_call_release(&call);
	if (ch->repairing) {
		ch->pins++;
		sr_turn_taken(ch->hub);
	}
}

static void go(struct sr_turn *turn)
{
	struct sr_channel *ch = SR_DUE_OWNER(turn, struct sr_channel, turn);

	ch->pins--; /* of the wait */
	if (ch->repairing)
		send_repair(ch);
	sr_channel_step(ch);
}

/* Read the log once for all live viewers, from an event that they have, or from the first one. */
static void repair(struct sr_channel *ch, struct sr_event_id from)
{
	if (sr_event_id_compare(from, SR_EVENT_ID_START) == 0) {
		sr_channel_reattach(ch); /* no event to hold on to: only the registry knows where the log begins */
		return;
	}
	ch->repair_from = from;
	ch->repairing = true;
	if (sr_due_listed(&ch->turn.due))
		return;
	if (sr_turn_ready(ch->hub, &ch->turn, go))
		send_repair(ch);
	else
		ch->pins++; /* it stays until its turn has come */
}

static void note_seen(struct sr_channel *ch, struct sr_event_id id)
{
	if (sr_event_id_compare(id, ch->seen) > 0)
		ch->seen = id;
}

/* The stream's owner is still the one that the viewers were let in for. */
static bool same_owner(const struct sr_channel *ch, const struct sr_push *p)
{
	return ch->owner && strlen(ch->owner) == p->owner_len && memcmp(ch->owner, p->owner, p->owner_len) == 0;
}

void sr_channel_push(struct sr_channel *ch, const char *payload, size_t len)
{
	struct sr_push p;
	int order;

	if (sr_push_read(payload, len, &p) != SR_OK) {
		sr_log(SR_LOG_WARN, "a message on a stream's channel is no event", "stream", ch->id, (char *)NULL);
		return;
	}
	if (!ch->placed || ch->repairing) {
		note_seen(ch, p.event.id);
		return;
	}
	if (sr_event_id_compare(p.event.id, ch->position) <= 0)
		return;
	order = sr_event_id_compare(p.prev, ch->position);
	if (order < 0 || !same_owner(ch, &p)) {
		/* Redis forgot events that viewers have, or gave the id away: each viewer asks again. */
		sr_channel_reattach(ch);
		note_seen(ch, p.event.id);
		sr_channel_step(ch);
	} else if (order > 0 || !p.inlined) {
		note_seen(ch, p.event.id);
		/* The very first event is its own beginning; else hold on to what the viewers have. */
		repair(ch, sr_event_id_compare(p.prev, SR_EVENT_ID_START) == 0 ? p.event.id : ch->position);
		sr_channel_step(ch);
	} else if (!deliver(ch, &p.event)) {
		note_seen(ch, p.event.id);
	}
}

/* --- attach and detach --------------------------------------------------------------------------------------- */

static char *keep_unless(const char *value, const char *standard)
{
	return strcmp(value, standard) == 0 ? NULL : sr_strdup(value);
}

static void forget_record(struct sr_channel *ch)
{
	free(ch->owner);
	free(ch->type);
	free(ch->metadata);
	free(ch->started_at);
	ch->owner = ch->type = ch->metadata = ch->started_at = NULL;
	ch->leased = false;
}

/* Whose it is, and what a later registration, after Redis lost the record, must say again. */
static void remember_record(struct sr_channel *ch, const struct sr_attach_result *r)
{
	forget_record(ch);
	ch->leased = r->leased;
	ch->owner = sr_strdup(r->owner);
	ch->type = keep_unless(r->type, "generation");
	ch->metadata = keep_unless(r->metadata, "{}");
	ch->started_at = sr_strdup(r->started_at);
}

static void count_attached(struct sr_channel *ch, struct sr_viewer *v, const struct sr_attach_result *r)
{
	remember_record(ch, r);
	ch->told = ch->attached + (v && v->attached ? 0 : 1);
	if (!ch->placed) {
		ch->placed = true;
		ch->position = r->last;
	}
	if (!v)
		return; /* it left meanwhile: the next step detaches */
	if (!v->attached)
		ch->attached++;
	v->attached = true;
	unlink_viewer(ch, v);
	link_last(ch, v);
}

static void on_attach(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_channel *ch = ctx;
	struct sr_viewer *v = ch->attaching;
	struct sr_attach_result result;

	ch->busy = false;
	ch->attaching = NULL;
	if (v && v->state != SR_V_ATTACHING)
		v = NULL; /* it was sent away meanwhile */
	if (err == SR_OK)
		err = sr_attach_read(reply, &result);
	if (err != SR_OK) {
		if (reply)
			sr_hub_complain(ch->hub, "attach", err, reply);
		ch->retry_at = sr_clock_mono() + RETRY_MS;
		if (v)
			v->state = SR_V_WAITING;
		sr_channel_step(ch);
		return;
	}
	if (result.outcome == SR_NEW || result.outcome == SR_SAME)
		count_attached(ch, v, &result);
	if (v)
		sr_viewer_attached(v, &result);
	if (ch->placed && !ch->repairing && sr_event_id_compare(ch->seen, ch->position) > 0)
		repair(ch, ch->position);
	sr_channel_step(ch);
}

static enum sr_attach_mode mode_of(const struct sr_channel *ch, const struct sr_viewer *v)
{
	if (v->greeted)
		return ch->leased ? SR_ATTACH_JOIN : SR_ATTACH_REVIVE;
	if (v->resumed || ch->hub->conf->on_unknown == SR_UNKNOWN_WAIT)
		return SR_ATTACH_JOIN;
	return SR_ATTACH_REGISTER;
}

static void start_attach(struct sr_channel *ch, struct sr_viewer *v)
{
	struct sr_call call;
	struct sr_attach a = {.id = ch->id, .node = ch->hub->node, .user = v->greeted && ch->owner ? ch->owner : v->request ? v->request->user : "",
	                      .viewers = (int)(ch->attached + (v->attached ? 0 : 1)), .mode = mode_of(ch, v),
	                      .from_now = v->from_now && !v->greeted, .position = v->cursor,
	                      .type = v->greeted ? ch->type : NULL, .metadata = v->greeted ? ch->metadata : NULL,
	                      .started_at = v->greeted ? ch->started_at : NULL};

	sr_attach_call(&call, &ch->hub->reg, &a);
	if (sr_redis_send(ch->hub->commands, &call, 0, on_attach, ch) == SR_OK) {
		ch->busy = true;
		ch->attaching = v;
		v->state = SR_V_ATTACHING;
	} else {
		ch->retry_at = sr_clock_mono() + RETRY_MS;
	}
	sr_call_release(&call);
}

static void on_detach(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_channel *ch = ctx;
	bool unregistered;

	ch->busy = false;
	if (err == SR_OK && sr_detach_read(reply, &unregistered) == SR_OK) {
		ch->told = 0;
		/* Who comes next may be somebody else. */
		forget_record(ch);
		ch->placed = false;
		ch->seen = SR_EVENT_ID_START;
		if (unregistered)
			sr_log(SR_LOG_DEBUG, "unregistered", "stream", ch->id, (char *)NULL);
	} else {
		if (reply)
			sr_hub_complain(ch->hub, "detach", err, reply);
		ch->retry_at = sr_clock_mono() + RETRY_MS;
	}
	sr_channel_step(ch);
}

static void start_detach(struct sr_channel *ch)
{
	struct sr_call call;

	sr_detach_call(&call, &ch->hub->reg, ch->id, ch->hub->node, 0, ch->returning || (ch->hub->draining && !ch->hub->brief), ch->owner);
	if (sr_redis_send(ch->hub->commands, &call, 0, on_detach, ch) == SR_OK)
		ch->busy = true;
	else
		ch->retry_at = sr_clock_mono() + RETRY_MS;
	sr_call_release(&call);
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static void subscribe(struct sr_channel *ch)
{
	const char *id = ch->id;

	if (ch->subscribing || sr_redis_subscribe(ch->hub->pubsub, ch->hub->reg.prefix, &id, 1) != SR_OK)
		return;
	ch->subscribing = true;
	ch->hub->unacked++;
}

static void drop(struct sr_channel *ch)
{
	const char *id = ch->id;

	/* If it cannot be sent the connection is gone or choked; a push for a channel that nobody has is ignored. */
	if (ch->subscribed && sr_redis_unsubscribe(ch->hub->pubsub, ch->hub->reg.prefix, &id, 1) != SR_OK)
		sr_log(SR_LOG_DEBUG, "unsubscribe not sent", "stream", ch->id, (char *)NULL);
	sr_table_remove(&ch->hub->channels, ch);
	sr_channel_free(ch);
}

void sr_channel_step(struct sr_channel *ch)
{
	struct sr_viewer *v;

	if (ch->busy || ch->pins)
		return;
	if (!ch->first && ch->told == 0) {
		/* An acknowledgement on its way must find its channel, or it would be taken for a later one's. */
		if (!ch->subscribing)
			drop(ch);
		return;
	}
	if (!sr_hub_online(ch->hub) || sr_clock_mono() < ch->retry_at)
		return;
	if (!ch->first) {
		start_detach(ch);
		return;
	}
	if (!ch->subscribed) {
		subscribe(ch);
		return;
	}
	v = first_waiting(ch);
	if (v)
		start_attach(ch, v);
	else if (ch->attached == 0 && ch->told > 0)
		start_detach(ch);
}

void sr_channel_subscribed(struct sr_channel *ch)
{
	ch->subscribing = false;
	ch->subscribed = true;
	sr_channel_step(ch);
}

void sr_channel_unsubscribed(struct sr_channel *ch)
{
	ch->subscribing = ch->subscribed = false;
}

void sr_channel_beaten(struct sr_channel *ch, const struct sr_beat_result *r, struct sr_event_id position)
{
	bool moved = sr_event_id_compare(ch->position, position) != 0; /* pushes came since the beat was sent */

	switch (r->outcome) {
	case SR_SAME:
	case SR_REVIVED:
		if (!ch->placed || ch->repairing)
			break;
		if (sr_event_id_compare(r->last, ch->position) > 0) {
			note_seen(ch, r->last);
			repair(ch, ch->position);
		} else if (!moved && sr_event_id_compare(r->last, position) < 0) {
			sr_log(SR_LOG_WARN, "events were lost in Redis", "stream", ch->id, (char *)NULL);
			sr_channel_reattach(ch);
		}
		break;
	case SR_ENDED:   /* an end that no push told, or a foreign one */
	case SR_UNKNOWN: /* Redis lost the record, somebody unregistered it, or it is another user's by now */
		sr_channel_reattach(ch);
		break;
	default:
		break;
	}
	sr_channel_step(ch);
}
