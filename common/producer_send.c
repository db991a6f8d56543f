/* producer_send.c - what a producer asks of Redis, and what it makes of the answers. */
#include "common/producer_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char malformed[] = "Redis answered what the script never does";

/* Queue a call. `*sent` is true until its answer. */
static void send(struct sr_producer *p, struct sr_call *call, bool *sent, sr_redis_cb *cb)
{
	enum sr_err err = sr_redis_send(p->redis, call, 0, cb, p);

	sr_call_release(call);
	*sent = err == SR_OK;
	if (err != SR_OK)
		sr_producer_trouble(p, err, sr_strerror(err));
}

/* Every answer begins so. false: it is dealt with. */
static bool to_be_read(struct sr_producer *p, bool *sent, enum sr_err err, const struct sr_reply *reply)
{
	*sent = false;
	if (p->end != SR_PRODUCER_LIVES)
		return false;
	if (err != SR_OK)
		sr_producer_trouble(p, err, reply ? sr_reply_text(reply, NULL) : sr_strerror(err));
	else
		sr_producer_well(p);
	return err == SR_OK;
}

/* Redis does not know the stream: it lost its data, or the record's life was over. */
static void unknown(struct sr_producer *p)
{
	if (p->open)
		p->opened = false;
	else
		sr_producer_close(p, SR_PRODUCER_UNKNOWN, "");
}

/* --- open ---------------------------------------------------------------------------------------------------- */

static void opened(struct sr_producer *p, const struct sr_open_result *result)
{
	p->opened = true;
	p->look = p->named ? SR_LOOK_KNOWN : SR_LOOK_NOT;
	p->beat_at = sr_clock_mono() + p->reg.beat_interval;
	if (p->lease)
		snprintf(p->epoch, sizeof p->epoch, "%s", result->epoch);
	if (p->hooks.on_open)
		p->hooks.on_open(p->ctx, result->outcome == SR_NEW, result->epoch);
}

static void open_answered(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_producer *p = ctx;
	struct sr_open_result result;

	if (!to_be_read(p, &p->open_sent, err, reply))
		return;
	if (sr_open_read(reply, &result) != SR_OK || result.outcome == SR_UNKNOWN)
		sr_producer_trouble(p, SR_EREPLY, malformed);
	else if (result.outcome == SR_ENDED)
		sr_producer_close(p, SR_PRODUCER_ENDED, result.state);
	else if (result.outcome == SR_FOREIGN)
		sr_producer_close(p, SR_PRODUCER_FOREIGN, "");
	else
		opened(p, &result);
	sr_producer_pump(p);
}

void sr_producer_send_open(struct sr_producer *p)
{
	struct sr_open o = {.id = p->id, .user = p->user, .type = p->type, .metadata = p->metadata, .lease = p->lease};
	struct sr_call call;

	if (p->open_sent)
		return;
	sr_open_call(&call, &p->reg, &o);
	send(p, &call, &p->open_sent, open_answered);
}

/* --- a look at the record ------------------------------------------------------------------------------------ */

/* The fields that are asked for, in this order: the end, the lease, and what the script last stored of this name. */
enum { STATE, LEASE, NOTE };

static void looked(struct sr_producer *p, const struct sr_reply *fields)
{
	const char *state = sr_reply_text_at(fields, STATE, NULL);
	enum sr_look look = p->look;

	p->look = SR_LOOK_NOT;
	if (look == SR_LOOK_KNOWN)
		p->known = strtoull(sr_reply_text_at(fields, NOTE, NULL), NULL, 10); /* "n first-id count last-id" */
	else if (look == SR_LOOK_ENDED)
		sr_producer_close(p, SR_PRODUCER_ENDED, sr_event_type_terminal(state, strlen(state)) ? state : "");
	else if (look == SR_LOOK_FENCED && p->open && !*sr_reply_text_at(fields, LEASE, NULL))
		p->opened = false; /* Redis lost the stream, and a viewer has registered it anew */
	else if (look == SR_LOOK_FENCED)
		sr_producer_close(p, SR_PRODUCER_FENCED, "");
}

static void look_answered(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_producer *p = ctx;

	if (!to_be_read(p, &p->look_sent, err, reply))
		return;
	if (sr_reply_count(reply) != 1)
		sr_producer_trouble(p, SR_EREPLY, malformed);
	else
		looked(p, sr_reply_at(reply, 0));
	sr_producer_pump(p);
}

void sr_producer_send_look(struct sr_producer *p)
{
	char note[2 + SR_PRODUCER_NAME_MAX + 1];
	const char *ids[] = {p->id}, *fields[] = {[STATE] = "state", [LEASE] = "producer", [NOTE] = note, NULL};
	struct sr_call call;

	if (p->look_sent)
		return;
	snprintf(note, sizeof note, "p:%s", p->name);
	sr_records_call(&call, &p->reg, ids, 1, fields);
	send(p, &call, &p->look_sent, look_answered);
}

/* --- batches ------------------------------------------------------------------------------------------------- */

/* The answer's ids are those of the last events: a trimmed log has lost the first ones, and a batch that ends where an earlier
 * program's did may have been longer then. */
static void tell_stored(struct sr_producer *p, const struct sr_reply *reply, const struct sr_publish_result *result, size_t count)
{
	bool notice = p->batch_notice;

	for (size_t left = count; left > 0; left--) {
		const char *event_id = left <= result->count ? sr_publish_id(reply, result->count - left) : "";

		if ((notice && left == count) || !p->hooks.on_stored)
			continue;
		p->hooks.on_stored(p->ctx, p->batch_n - (left - 1), event_id, result->outcome == SR_SAME);
	}
}

static void stored(struct sr_producer *p, const struct sr_reply *reply, const struct sr_publish_result *result)
{
	size_t count = p->batch.count;
	bool ended = p->batch.ended;

	if (result->outcome == SR_NEW && result->count != count) {
		sr_producer_trouble(p, SR_EREPLY, malformed);
		return;
	}
	if (result->count == 0) {
		sr_producer_close(p, SR_PRODUCER_FORGOTTEN, "");
		return;
	}
	p->doubtful = false;
	sr_batch_reset(&p->batch);
	p->beat_at = sr_clock_mono() + p->reg.beat_interval;
	tell_stored(p, reply, result, count);
	if (ended)
		sr_producer_close(p, SR_PRODUCER_DONE, "");
}

static void batch_answered(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_producer *p = ctx;
	struct sr_publish_result result;

	if (err != SR_OK && !reply)
		p->doubtful = true;
	if (!to_be_read(p, &p->batch_sent, err, reply))
		return;
	if (sr_publish_read(reply, &result) != SR_OK) {
		sr_producer_trouble(p, SR_EREPLY, malformed);
	} else if (result.outcome == SR_NEW || result.outcome == SR_SAME) {
		stored(p, reply, &result);
	} else {
		p->doubtful = false; /* a repeat would have been told apart: it is not stored */
		if (result.outcome == SR_ENDED)
			sr_producer_close(p, SR_PRODUCER_ENDED, result.end_type);
		else if (result.outcome == SR_FOREIGN)
			sr_producer_close(p, SR_PRODUCER_FOREIGN, "");
		else if (result.outcome == SR_MISNUMBERED)
			sr_producer_close(p, SR_PRODUCER_FORGOTTEN, "");
		else
			unknown(p);
	}
	sr_producer_pump(p);
}

/* Events that an earlier program stored under this name. The last of them is sent all the same: its id is still known. A terminal
 * one would have been the last: sent, it is told that it is not what the name stands for. */
static bool is_known(const struct sr_producer *p, const struct sr_backlog_event *event)
{
	return event->notice ? event->n <= p->known : event->n < p->known && !sr_event_type_terminal(event->type, event->type_len);
}

static bool pass_known(struct sr_producer *p)
{
	struct sr_backlog_event event;
	bool passed = false;

	while (sr_backlog_head(&p->backlog, &event) && is_known(p, &event)) {
		sr_backlog_pop(&p->backlog);
		passed = true;
		if (!event.notice && p->hooks.on_stored)
			p->hooks.on_stored(p->ctx, event.n, "", true);
	}
	return passed;
}

/* Move events from the backlog into the batch, up to its bounds; none beyond `known` beside one up to it. */
static enum sr_err fill_batch(struct sr_producer *p)
{
	struct sr_backlog_event event;
	enum sr_err err;

	while (sr_backlog_head(&p->backlog, &event) && sr_batch_fits(&p->batch, event.data_len) &&
	       (p->batch.count == 0 || p->batch_n != p->known)) {
		err = sr_batch_add(&p->batch, event.type, event.type_len, event.data, event.data_len);
		if (err != SR_OK)
			return p->batch.count ? SR_OK : err;
		if (p->batch.count == 1)
			p->batch_notice = event.notice;
		p->batch_n = event.n;
		sr_backlog_pop(&p->backlog);
	}
	return SR_OK;
}

/* A batch from the backlog. Returns true if there is room in it now for more. */
static bool next_batch(struct sr_producer *p)
{
	bool passed = pass_known(p);
	enum sr_err err = fill_batch(p);

	if (err != SR_OK)
		sr_producer_trouble(p, err, sr_strerror(err));
	return passed || p->batch.count > 0;
}

static void send_this_batch(struct sr_producer *p)
{
	struct sr_publish publish = {.id = p->id, .user = p->user, .create = p->create, .producer = p->name, .n = p->batch_n};
	struct sr_call call;

	sr_batch_call(&p->batch, &call, &p->reg, &publish);
	send(p, &call, &p->batch_sent, batch_answered);
}

void sr_producer_send_batch(struct sr_producer *p)
{
	bool room = false;

	if (p->batch_sent)
		return;
	if (p->batch.count == 0)
		room = next_batch(p);
	if (p->batch.count > 0)
		send_this_batch(p);
	if (room && p->end == SR_PRODUCER_LIVES && p->hooks.on_room)
		p->hooks.on_room(p->ctx);
}

/* --- beats --------------------------------------------------------------------------------------------------- */

static void beaten(struct sr_producer *p, const struct sr_beat_result *result)
{
	switch (result->outcome) {
	case SR_SAME:
	case SR_REVIVED:
		p->beat_last = result->last;
		if (p->hooks.on_beat)
			p->hooks.on_beat(p->ctx, result->outcome);
		break;
	case SR_ENDED:
		/* An unanswered batch may hold the end: its own answer says so. */
		if (p->batch.count == 0)
			p->look = SR_LOOK_ENDED;
		break;
	case SR_FENCED:
		if (p->opened)
			p->look = SR_LOOK_FENCED;
		break;
	case SR_UNKNOWN:
		unknown(p);
		break;
	default:
		sr_producer_trouble(p, SR_EREPLY, "a key of the stream holds another type");
	}
}

static void beat_answered(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_producer *p = ctx;
	struct sr_beat_result result;

	if (err != SR_OK)
		p->beat_wanted = true;
	if (!to_be_read(p, &p->beat_sent, err, reply))
		return;
	p->beat_at = sr_clock_mono() + p->reg.beat_interval;
	if (sr_beat_read(reply, 0, &result) != SR_OK)
		sr_producer_trouble(p, SR_EREPLY, malformed);
	else
		beaten(p, &result);
	sr_producer_pump(p);
}

void sr_producer_send_beat(struct sr_producer *p)
{
	struct sr_beat beat = {.id = p->id, .epoch = p->epoch};
	struct sr_call call;

	if (p->beat_sent)
		return;
	p->beat_wanted = false;
	sr_beat_call(&call, &p->reg, "", &beat, 1);
	send(p, &call, &p->beat_sent, beat_answered);
	if (!p->beat_sent)
		p->beat_wanted = true;
}
