/* publish.c - see publish.h. The fields of a form are read by publish_form.c. */
#include "fcgi/publish.h"

#include "common/json.h"
#include "common/producer.h"
#include "fcgi/hub.h"
#include "fcgi/publish_parts.h"
#include <stdlib.h>
#include <string.h>

#define IDS_MAX 100 /* events of an answer that names all ids */

static struct sr_publishing *of(struct sr_change *c)
{
	return (struct sr_publishing *)(void *)c; /* its first member */
}

/* --- the answer ---------------------------------------------------------------------------------------------- */

static enum sr_err add_ids(const struct sr_publishing *p, struct sr_buf *out)
{
	enum sr_err err = SR_OK;

	if (p->known == p->change.stored && p->known <= IDS_MAX)
		err = sr_buf_printf(out, ",\"ids\":[%s]", sr_buf_text(&p->ids));
	else if (p->first_id[0])
		err = sr_buf_printf(out, ",\"firstId\":\"%s\"", p->first_id);
	return err == SR_OK && p->last_id[0] ? sr_buf_printf(out, ",\"lastId\":\"%s\"", p->last_id) : err;
}

static void finish(struct sr_publishing *p)
{
	struct sr_change *c = &p->change;
	struct sr_buf json;
	enum sr_err err;

	if (p->forgotten) {
		c->stored -= p->forgotten;
		sr_change_refuse(c, 409, "\"state\":\"forgotten\",",
		                 "the number is below the last one of this producer: what it stored then is no longer known");
		return;
	}
	sr_buf_init(&json, 16384);
	err = sr_buf_printf(&json, "{\"streamId\":\"%s\",\"stored\":%llu", c->id, (unsigned long long)c->stored);
	if (err == SR_OK)
		err = add_ids(p, &json);
	if (err == SR_OK)
		err = sr_buf_puts(&json, "}\n");
	if (err == SR_OK)
		sr_change_answer(c, p->fresh ? 201 : 200, &json);
	else
		sr_change_fail(c, err);
	sr_buf_release(&json);
}

static void note_ids(struct sr_publishing *p, const struct sr_reply *reply, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *id = sr_publish_id(reply, i);

		/* Ids that find no room are missing in the answer, and it then names only the last one. */
		if (p->known < IDS_MAX && sr_buf_printf(&p->ids, "%s\"%s\"", p->known ? "," : "", id) != SR_OK)
			return;
		if (p->known++ == 0 && p->change.stored == 0 && count == p->batch.count) /* else the log was trimmed since */
			snprintf(p->first_id, sizeof p->first_id, "%s", id);
		snprintf(p->last_id, sizeof p->last_id, "%s", id);
	}
}

/* --- the calls ----------------------------------------------------------------------------------------------- */

static void send_batch(struct sr_publishing *p)
{
	p->number += p->batch.count;
	p->change.calling = p->batch.count;
	sr_change_call(&p->change);
}

static void send_beat(struct sr_publishing *p)
{
	p->beats = true;
	p->change.calling = 0;
	sr_change_call(&p->change);
}

static void fill(struct sr_change *c, struct sr_call *call)
{
	struct sr_publishing *p = of(c);
	const struct sr_conf *conf = c->hub->conf;
	struct sr_beat beat = {.id = c->id, .epoch = c->lease, .owner = c->user[0] ? c->user : NULL};
	struct sr_publish publish = {.id = c->id, .user = c->user, .producer = c->producer, .n = p->number,
	                             .create = sr_publish_may_create(conf, c->user)};

	if (p->beats)
		sr_beat_call(call, &c->hub->reg, "", &beat, 1);
	else
		sr_batch_call(&p->batch, call, &c->hub->reg, &publish);
}

static void refuse_unknown(struct sr_change *c)
{
	if (c->hub->conf->on_unknown == SR_UNKNOWN_REGISTER)
		sr_change_refuse(c, 404, "", "no such stream: open it first with PUT, or say whose it is with ?user=");
	else
		sr_change_refuse(c, 404, "", "no such stream: open it first with PUT (on_unknown = wait)");
}

static void on_beaten(struct sr_publishing *p, const struct sr_reply *reply)
{
	struct sr_change *c = &p->change;
	struct sr_beat_result result;

	if (sr_beat_read(reply, 0, &result) != SR_OK) {
		sr_change_fail(c, SR_EREPLY);
		return;
	}
	switch (result.outcome) {
	case SR_SAME:
	case SR_REVIVED:
		if (sr_event_id_compare(result.last, SR_EVENT_ID_START) > 0)
			sr_event_id_format(p->last_id, result.last);
		p->known = 1; /* not of this request: no list of ids */
		finish(p);
		return;
	case SR_ENDED:
		sr_change_refuse_ended(c, "");
		return;
	case SR_FENCED:
		sr_change_refuse(c, 409, "\"state\":\"fenced\",", "the lease %s is over: another producer has taken it", c->lease);
		return;
	case SR_UNKNOWN:
		sr_change_refuse(c, 404, "", "no such stream%s: open it first with PUT", c->user[0] ? " of this user" : "");
		return;
	default:
		sr_change_fail(c, SR_EREPLY);
	}
}

static void go_on(struct sr_publishing *p);

static void on_stored(struct sr_publishing *p, const struct sr_reply *reply, const struct sr_publish_result *result)
{
	note_ids(p, reply, result->count);
	if (result->outcome == SR_NEW) {
		p->fresh = true;
		p->change.hub->count.published += p->batch.count;
	}
	p->change.stored += p->batch.count;
	/* The first batches of a long repeat may have no ids, but its last one has the producer's last number, and that one is known. */
	p->forgotten = result->count ? 0 : p->forgotten + p->batch.count;
	sr_batch_reset(&p->batch);
	go_on(p);
}

static void on_reply(struct sr_change *c, const struct sr_reply *reply)
{
	struct sr_publishing *p = of(c);
	struct sr_publish_result result;

	if (p->beats) {
		on_beaten(p, reply);
		return;
	}
	if (sr_publish_read(reply, &result) != SR_OK) {
		sr_change_fail(c, SR_EREPLY);
		return;
	}
	switch (result.outcome) {
	case SR_NEW:
	case SR_SAME:
		on_stored(p, reply, &result);
		return;
	case SR_ENDED:
		sr_change_refuse_ended(c, result.end_type);
		return;
	case SR_UNKNOWN:
		refuse_unknown(c);
		return;
	case SR_FOREIGN:
		sr_change_refuse(c, 403, "", "the stream belongs to another user than the one in ?user=");
		return;
	case SR_MISNUMBERED:
		sr_change_refuse_misnumbered(c);
		return;
	default:
		sr_change_fail(c, SR_EREPLY);
	}
}

/* --- the events ---------------------------------------------------------------------------------------------- */

static void refuse_line(struct sr_publishing *p)
{
	char members[40];

	snprintf(members, sizeof members, "\"line\":%llu,", (unsigned long long)p->in.number);
	sr_change_refuse(&p->change, p->in.big ? 413 : 422, members, "line %llu: %s", (unsigned long long)p->in.number, sr_buf_text(&p->in.why));
}

/* Put the event that was read into the batch. false: the change has ended. */
static bool add_event(struct sr_publishing *p)
{
	enum sr_err err = sr_batch_add(&p->batch, sr_buf_text(&p->in.type), p->in.type.len, sr_buf_text(&p->in.data), p->in.data.len);

	if (err != SR_OK)
		sr_change_fail(&p->change, err);
	return err == SR_OK;
}

static bool number_fits(struct sr_publishing *p)
{
	if (p->number + p->batch.count <= SR_PRODUCER_N_MAX)
		return true;
	sr_change_refuse(&p->change, 422, "", "n is too large for so many events");
	return false;
}

/* Everything was read, and nothing waits. */
static void at_end(struct sr_publishing *p)
{
	if (p->batch.count == 0 && p->change.stored > 0)
		finish(p);
	else if (p->batch.count == 0)
		send_beat(p);
	else if (number_fits(p))
		send_batch(p);
}

/* Read lines until a batch is to be sent, or more of the body is needed. */
static void read_lines(struct sr_publishing *p)
{
	for (;;) {
		switch (sr_ndjson_next(&p->in)) {
		case SR_NDJSON_EVENT:
			if (!sr_batch_fits(&p->batch, p->in.data.len)) {
				p->held = true; /* it lives in `in` until the batch was stored */
				if (number_fits(p))
					send_batch(p);
				return;
			}
			if (!add_event(p))
				return;
			break;
		case SR_NDJSON_MORE:
			sr_change_read_on(&p->change);
			return;
		case SR_NDJSON_END:
			at_end(p);
			return;
		case SR_NDJSON_BAD:
			refuse_line(p);
			return;
		case SR_NDJSON_NOMEM:
			sr_change_fail(&p->change, SR_ENOMEM);
			return;
		}
	}
}

/* A batch was stored. */
static void go_on(struct sr_publishing *p)
{
	bool held = p->held;

	p->held = false;
	if (p->format != SR_FORMAT_LINES)
		finish(p);
	else if (!held || add_event(p))
		read_lines(p);
}

/* One event is in `in`: check it and send it. */
static void send_one(struct sr_publishing *p)
{
	struct sr_ndjson *in = &p->in;
	enum sr_err err = sr_event_check(sr_buf_text(&in->type), in->type.len, in->data.len, in->event_bytes, &in->why);

	if (err != SR_OK)
		sr_change_refuse(&p->change, err == SR_ETOOBIG ? 413 : 422, err == SR_ETOOBIG ? "\"field\":\"data\"," : "\"field\":\"type\",", "%s",
		                 sr_buf_text(&in->why));
	else if (add_event(p))
		send_batch(p);
}

static void read_object(struct sr_publishing *p)
{
	struct sr_ndjson *in = &p->in;
	enum sr_err err = sr_json_event(&in->type, &in->data, sr_buf_text(&p->text), p->text.len, &in->why);

	if (err == SR_OK)
		send_one(p);
	else if (err == SR_ETOOBIG)
		sr_change_refuse(&p->change, 413, "\"field\":\"data\",", "more data than event_bytes = %zu", in->event_bytes);
	else if (err == SR_EINVAL)
		sr_change_refuse(&p->change, 422, "", "%s", sr_buf_text(&in->why));
	else
		sr_change_fail(&p->change, err);
}

static void on_whole(struct sr_change *c)
{
	struct sr_publishing *p = of(c);

	if (c->body_len == 0) {
		send_beat(p);
		return;
	}
	if (c->lease[0]) {
		sr_change_refuse(c, 400, "\"field\":\"lease\",", "lease is for a beat, which has no body");
	} else if (p->format == SR_FORMAT_LINES) {
		sr_ndjson_close(&p->in);
		read_lines(p);
	} else if (p->format == SR_FORMAT_OBJECT) {
		read_object(p);
	} else if (sr_publish_form(p)) {
		send_one(p);
	}
}

static void on_bytes(struct sr_change *c, const char *bytes, size_t len)
{
	struct sr_publishing *p = of(c);
	bool lines = p->format == SR_FORMAT_LINES;
	enum sr_err err = lines ? sr_ndjson_feed(&p->in, bytes, len) : sr_buf_append(&p->text, bytes, len);

	if (err == SR_ETOOBIG)
		sr_change_refuse(c, 413, "", "one event in more than %zu bytes: event_bytes = %zu", p->text.max, p->in.event_bytes);
	else if (err != SR_OK)
		sr_change_fail(c, err);
	else if (lines)
		read_lines(p);
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static void release(struct sr_change *c)
{
	struct sr_publishing *p = of(c);

	sr_ndjson_release(&p->in);
	sr_batch_release(&p->batch);
	sr_buf_release(&p->text);
	sr_buf_release(&p->ids);
}

static void prepare(struct sr_publishing *p)
{
	size_t event_bytes = (size_t)p->change.hub->conf->event_bytes;

	p->change.counts = true;
	p->number = p->change.n ? p->change.n - 1 : 0;
	sr_ndjson_init(&p->in, event_bytes);
	sr_batch_init(&p->batch, event_bytes);
	sr_buf_init(&p->text, 4 * event_bytes + SR_NDJSON_FRAME); /* white space and escapes are not stored */
	sr_buf_init(&p->ids, IDS_MAX * (SR_EVENT_ID_SIZE + 3));
	/* Without a name of its own, a repeat by this process would store the events twice. */
	if (p->change.producer[0] == 0)
		sr_change_set_one_shot(&p->change);
}

void sr_publish_start(struct sr_hub *hub, struct sr_request *request, const char *id)
{
	static const struct sr_change_ops ops = {.on_bytes = on_bytes, .on_whole = on_whole, .fill = fill, .on_reply = on_reply, .release = release};
	struct sr_change *c = sr_change_new(hub, request, id, sizeof(struct sr_publishing), &ops);
	struct sr_publishing *p;

	if (!c)
		return;
	p = of(c);
	prepare(p);
	p->format = sr_publish_format(request->content_type);
	if (p->format == SR_FORMAT_NONE && c->body_len)
		sr_change_refuse(c, 415, "", "the content type must be application/json, application/x-ndjson or application/x-www-form-urlencoded, in utf-8");
	else
		sr_change_run(c);
}
