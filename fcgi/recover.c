/* recover.c - see recover.h. One struct per request, from its first Redis call to its answer. */
#include "fcgi/recover.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "fcgi/answer.h"
#include "fcgi/hub.h"
#include "fcgi/turn.h"
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_S 2
#define PAGE SR_PAGE_EVENTS

struct recovery {
	struct sr_hub *hub;
	struct sr_request *request;
	struct sr_turn turn;
	bool with_events;
	struct sr_event_id after;  /* events are wanted after it; moves on with each page */
	struct sr_event_id expected; /* the first entry of the next page proves that nothing before it is missing */
	bool check;                /* `expected` is valid */
	unsigned events;           /* in `body` so far */
	int status;
	struct sr_buf body;        /* the JSON object, without its closing brace while events are added */
	char id[];
};

/* Send what was built and release everything. */
static void finish(struct recovery *r, enum sr_err built, struct sr_buf *out)
{
	if (built != SR_OK)
		sr_buf_reset(out);
	r->hub->lookups--;
	sr_answer_send(r->hub, r->request, out);
	sr_buf_release(out);
	sr_buf_release(&r->body);
	free(r);
}

static void answer(struct recovery *r, enum sr_err err)
{
	static const char away[] = "{\"error\":\"Redis is not available, try again\"}\n", broken[] = "{\"error\":\"internal error\"}\n";
	const struct sr_conf *conf = r->hub->conf;
	struct sr_buf out;
	enum sr_err built;

	sr_buf_init(&out, 4 * SR_RECOVER_BYTES_MAX + 65536);
	if (err == SR_OK)
		err = sr_buf_puts(&r->body, "}\n");
	if (err == SR_OK)
		built = sr_answer_json(&out, conf, r->request->origin, r->status, 0, r->body.data, r->body.len);
	else if (err == SR_EDOWN || err == SR_ETIMEOUT || err == SR_EREFUSED || err == SR_EBUSY || err == SR_EDENIED)
		built = sr_answer_json(&out, conf, r->request->origin, 503, RETRY_AFTER_S, away, sizeof away - 1);
	else
		built = sr_answer_json(&out, conf, r->request->origin, 500, 0, broken, sizeof broken - 1);
	finish(r, built, &out);
}

/* --- events -------------------------------------------------------------------------------------------------- */

static enum sr_err add_event(struct recovery *r, const struct sr_log_entry *e)
{
	char id[SR_EVENT_ID_SIZE];
	enum sr_err err = sr_buf_printf(&r->body, "%s{\"id\":\"%s\",\"type\":", r->events ? "," : "", sr_event_id_format(id, e->id));

	if (err == SR_OK)
		err = sr_json_quote(&r->body, e->type, e->type_len);
	if (err == SR_OK)
		err = sr_buf_puts(&r->body, ",\"data\":");
	if (err == SR_OK)
		err = sr_json_value(&r->body, e->data, e->data_len);
	if (err == SR_OK)
		err = sr_buf_puts(&r->body, "}");
	r->events += err == SR_OK;
	return err;
}

static void ask_page(struct recovery *r);

static enum sr_err end_events(struct recovery *r, bool more)
{
	return sr_buf_puts(&r->body, more ? "],\"more\":true" : "]");
}

static enum sr_err begin_events(struct recovery *r, bool gap)
{
	char id[SR_EVENT_ID_SIZE];
	enum sr_err err = SR_OK;

	if (gap)
		err = sr_buf_printf(&r->body, ",\"gap\":{\"after\":\"%s\",\"reason\":\"trimmed\"}", sr_event_id_format(id, r->after));
	return err == SR_OK ? sr_buf_puts(&r->body, ",\"events\":[") : err;
}

/* `full`: there may be more than this page. */
static enum sr_err add_page(struct recovery *r, const struct sr_reply *reply, bool *full)
{
	size_t count = sr_reply_count(reply);
	struct sr_log_entry e;
	enum sr_err err = SR_OK;
	bool first = r->events == 0;

	*full = count > PAGE;
	for (size_t i = 0; err == SR_OK && i < count; i++) {
		if (sr_log_read(reply, i, &e) != SR_OK)
			continue;
		if (first && i == 0)
			err = begin_events(r, r->check && sr_event_id_compare(e.id, r->expected) != 0);
		if (err != SR_OK || sr_event_id_compare(e.id, r->after) <= 0)
			continue;
		if (r->events >= SR_RECOVER_EVENTS_MAX || r->body.len >= SR_RECOVER_BYTES_MAX)
			return SR_OK;
		err = add_event(r, &e);
		if (err == SR_OK)
			r->after = e.id;
	}
	if (err == SR_OK && first && count == 0)
		err = begin_events(r, r->check);
	return err;
}

static void on_page(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct recovery *r = ctx;
	struct sr_hub *hub = r->hub; /* the answer frees r */
	bool full = false, limit;

	if (err == SR_OK)
		err = add_page(r, reply, &full);
	limit = r->events >= SR_RECOVER_EVENTS_MAX || r->body.len >= SR_RECOVER_BYTES_MAX;
	if (err == SR_OK && full && !limit) {
		ask_page(r);
		sr_turn_over(hub);
		return;
	}
	if (err == SR_OK)
		err = end_events(r, full || limit);
	answer(r, err);
	sr_turn_over(hub);
}

static void go(struct sr_turn *turn)
{
	ask_page(SR_DUE_OWNER(turn, struct recovery, turn));
}

static void ask_page(struct recovery *r)
{
	struct sr_call call;
	enum sr_err err;

	if (!sr_turn_ready(r->hub, &r->turn, go))
		return;
	sr_log_call(&call, &r->hub->reg, r->id, r->after, PAGE + 1);
	err = sr_redis_send(r->hub->commands, &call, 0, on_page, r);
	sr_call_release(&call);
	if (err == SR_OK)
		sr_turn_taken(r->hub);
	else
		answer(r, err);
}

/* --- the stream ---------------------------------------------------------------------------------------------- */

static enum sr_err add_text(struct sr_buf *out, const char *name, const char *value)
{
	enum sr_err err = sr_buf_printf(out, ",\"%s\":", name);

	return err == SR_OK ? sr_json_quote(out, value, strlen(value)) : err;
}

static enum sr_err describe_end(struct sr_buf *out, const struct sr_recover_result *s)
{
	char id[SR_EVENT_ID_SIZE];
	enum sr_err err = sr_buf_puts(out, ",\"terminalEventType\":");

	if (err == SR_OK)
		err = sr_json_quote(out, s->end_type, s->end_type_len);
	if (err == SR_OK)
		err = sr_buf_puts(out, ",\"terminalEventData\":");
	if (err == SR_OK)
		err = sr_json_value(out, s->end_data, s->end_data_len);
	if (err == SR_OK)
		err = add_text(out, "completedAt", s->completed_at);
	if (err == SR_OK && sr_event_id_compare(s->last, SR_EVENT_ID_START) > 0)
		err = add_text(out, "lastEventId", sr_event_id_format(id, s->last));
	return err;
}

static enum sr_err describe_live(struct sr_buf *out, const struct sr_recover_result *s)
{
	char id[SR_EVENT_ID_SIZE];
	enum sr_err err = add_text(out, "streamType", s->type);

	if (err == SR_OK)
		err = add_text(out, "startedAt", s->started_at);
	if (err == SR_OK)
		err = add_text(out, "lastHeartbeat", s->last_heartbeat);
	return err == SR_OK ? add_text(out, "lastEventId", sr_event_id_format(id, s->last)) : err;
}

static enum sr_err describe(struct recovery *r, const struct sr_recover_result *s)
{
	const char *status = s->outcome == SR_EXPIRED ? "expired" : s->state;
	enum sr_err err;

	r->status = 200;
	if (s->outcome == SR_UNKNOWN || s->outcome == SR_FOREIGN) {
		r->status = 404;
		status = "not_found";
	} else if (s->outcome == SR_EXPIRED) {
		r->status = 410;
	}
	err = sr_buf_printf(&r->body, "{\"status\":\"%s\",\"streamId\":\"%s\"", status, r->id);
	if (err == SR_OK && s->outcome == SR_ENDED)
		err = describe_end(&r->body, s);
	else if (err == SR_OK && s->outcome == SR_SAME)
		err = describe_live(&r->body, s);
	return err;
}

static void on_recovered(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct recovery *r = ctx;
	struct sr_recover_result s;

	if (err != SR_OK && reply)
		sr_hub_complain(r->hub, "recover", err, reply);
	if (err == SR_OK)
		err = sr_recover_read(reply, &s);
	if (err == SR_OK)
		err = describe(r, &s);
	if (err != SR_OK || r->status != 200 || !r->with_events) {
		answer(r, err);
		return;
	}
	r->check = s.first_known;
	r->expected = sr_event_id_compare(r->after, SR_EVENT_ID_START) > 0 ? r->after : s.first;
	ask_page(r);
}

static void on_head(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct recovery *r = ctx;
	const struct sr_conf *conf = r->hub->conf;
	struct sr_recover_result s;
	struct sr_buf out;

	if (err == SR_OK)
		err = sr_recover_read(reply, &s);
	if (err != SR_OK) {
		answer(r, err);
		return;
	}
	sr_buf_init(&out, 8192);
	if (s.outcome == SR_FOREIGN || (s.outcome == SR_UNKNOWN && conf->on_unknown == SR_UNKNOWN_WAIT))
		err = sr_answer_error(&out, conf, r->request->origin, 404, "no such stream", NULL);
	else
		err = sr_answer_stream_headers(&out, conf, r->request->origin, r->id);
	finish(r, err, &out);
}

static struct recovery *begin(struct sr_hub *hub, struct sr_request *request, const char *id)
{
	size_t len = strlen(id);
	struct recovery *r = sr_calloc(1, sizeof *r + len + 1);

	if (!r) {
		sr_answer_refuse(hub, request, 503, "out of memory", NULL);
		return NULL;
	}
	r->hub = hub;
	r->request = request;
	memcpy(r->id, id, len + 1);
	/* Headroom for the last event, which may be large. */
	sr_buf_init(&r->body, 4 * SR_RECOVER_BYTES_MAX);
	hub->lookups++;
	return r;
}

static void ask(struct recovery *r, sr_redis_cb *cb)
{
	struct sr_call call;
	enum sr_err err;

	sr_recover_call(&call, &r->hub->reg, r->id, r->request->user, r->hub->reg.anonymous);
	err = sr_redis_send(r->hub->commands, &call, 0, cb, r);
	sr_call_release(&call);
	if (err != SR_OK)
		answer(r, err);
}

void sr_recover_start(struct sr_hub *hub, struct sr_request *request, const char *id, const struct sr_event_id *after)
{
	struct recovery *r = begin(hub, request, id);

	if (!r)
		return;
	r->with_events = after != NULL;
	r->after = after ? *after : SR_EVENT_ID_START;
	ask(r, on_recovered);
}

void sr_recover_head(struct sr_hub *hub, struct sr_request *request, const char *id)
{
	struct recovery *r = begin(hub, request, id);

	if (!r)
		return;
	ask(r, on_head);
}
