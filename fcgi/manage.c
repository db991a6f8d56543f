/* manage.c - see manage.h. */
#include "fcgi/manage.h"

#include "common/json.h"
#include "common/ndjson.h"
#include "fcgi/change.h"
#include "fcgi/hub.h"
#include <string.h>

#define METADATA_MAX 8192

struct manage {
	struct sr_change change; /* first */
	struct sr_buf text;      /* the body */
	struct sr_buf type, user, metadata; /* PUT */
	bool lease;
	struct sr_buf data;      /* DELETE */
};

static struct manage *of(struct sr_change *c)
{
	return (struct manage *)(void *)c;
}

static void on_bytes(struct sr_change *c, const char *bytes, size_t len)
{
	struct manage *m = of(c);
	enum sr_err err = sr_buf_append(&m->text, bytes, len);

	if (err == SR_ETOOBIG)
		sr_change_refuse(c, 413, "", "the body is larger than %zu bytes", m->text.max);
	else if (err != SR_OK)
		sr_change_fail(c, err);
}

static void release(struct sr_change *c)
{
	struct manage *m = of(c);

	sr_buf_release(&m->text);
	sr_buf_release(&m->type);
	sr_buf_release(&m->user);
	sr_buf_release(&m->metadata);
	sr_buf_release(&m->data);
}

static void refuse_body(struct manage *m, enum sr_err err, const struct sr_buf *why)
{
	if (err == SR_EINVAL || err == SR_ETOOBIG)
		sr_change_refuse(&m->change, err == SR_ETOOBIG ? 413 : 422, "", "%s", why->len ? why->data : sr_strerror(err));
	else
		sr_change_fail(&m->change, err);
}

static struct manage *begin(struct sr_hub *hub, struct sr_request *request, const char *id, const struct sr_change_ops *ops, size_t body_max)
{
	struct sr_change *c = sr_change_new(hub, request, id, sizeof(struct manage), ops);
	struct manage *m;

	if (!c)
		return NULL;
	m = of(c);
	sr_buf_init(&m->text, body_max);
	sr_buf_init(&m->type, 256);
	sr_buf_init(&m->user, SR_USER_MAX);
	sr_buf_init(&m->metadata, METADATA_MAX);
	sr_buf_init(&m->data, 6 * body_max); /* a byte that is escaped becomes six */
	return m;
}

/* --- PUT ------------------------------------------------------------------------------------------------------ */

static void fill_open(struct sr_change *c, struct sr_call *call)
{
	struct manage *m = of(c);
	struct sr_open open = {.id = c->id, .user = c->user, .type = m->type.len ? m->type.data : NULL,
	                       .metadata = m->metadata.len ? m->metadata.data : NULL, .lease = m->lease};

	sr_open_call(call, &c->hub->reg, &open);
}

static void answer_opened(struct sr_change *c, const struct sr_open_result *result)
{
	struct sr_buf json;
	enum sr_err err;

	sr_buf_init(&json, 1024);
	err = sr_buf_printf(&json, "{\"streamId\":\"%s\",\"result\":\"%s\",\"lease\":%s}\n", c->id, result->outcome == SR_NEW ? "created" : "existing",
	                    result->epoch[0] ? result->epoch : "null");
	if (err == SR_OK)
		sr_change_answer(c, result->outcome == SR_NEW ? 201 : 200, &json);
	else
		sr_change_fail(c, err);
	sr_buf_release(&json);
}

static void on_opened(struct sr_change *c, const struct sr_reply *reply)
{
	struct sr_open_result result;

	if (sr_open_read(reply, &result) != SR_OK)
		sr_change_fail(c, SR_EREPLY);
	else if (result.outcome == SR_ENDED)
		sr_change_refuse_ended(c, result.state);
	else if (result.outcome == SR_FOREIGN)
		sr_change_refuse(c, 403, "", "the stream belongs to another user");
	else
		answer_opened(c, &result);
}

static bool read_open(struct manage *m)
{
	struct sr_json_member members[] = {{.name = "type", .kind = SR_JSON_STRING, .out = &m->type},
	                                   {.name = "user", .kind = SR_JSON_STRING, .out = &m->user},
	                                   {.name = "metadata", .kind = SR_JSON_OBJECT, .out = &m->metadata},
	                                   {.name = "lease", .kind = SR_JSON_BOOL}};
	struct sr_change *c = &m->change;
	struct sr_buf why;
	enum sr_err err;

	sr_buf_init(&why, 512);
	err = m->text.len ? sr_json_members(members, 4, m->text.data, m->text.len, &why) : SR_OK;
	if (err != SR_OK)
		refuse_body(m, err, &why);
	sr_buf_release(&why);
	if (err != SR_OK)
		return false;
	m->lease = members[3].value;
	if (members[0].given && !sr_event_type_valid(sr_buf_text(&m->type), m->type.len)) {
		sr_change_refuse(c, 422, "\"field\":\"type\",", "a type is 1 to %d of A-Z a-z 0-9 . _ : -", SR_EVENT_TYPE_MAX);
		return false;
	}
	if (members[1].given && (c->user[0] || !sr_user_valid(sr_buf_text(&m->user), m->user.len))) {
		sr_change_refuse(c, 422, "\"field\":\"user\",", "%s", c->user[0] ? "given in the query and in the body"
		                                                              : "a user is 1 to 255 bytes without control characters");
		return false;
	}
	if (members[1].given)
		memcpy(c->user, m->user.data, m->user.len + 1);
	return true;
}

static void on_open_whole(struct sr_change *c)
{
	if (!read_open(of(c)))
		return;
	if (c->user[0] == 0 && !c->hub->reg.anonymous)
		sr_change_refuse(c, 422, "\"field\":\"user\",", "without a user nobody could read the stream: say whose it is, or set anonymous = allow");
	else
		sr_change_call(c);
}

void sr_manage_put(struct sr_hub *hub, struct sr_request *request, const char *id)
{
	static const struct sr_change_ops ops = {.on_bytes = on_bytes, .on_whole = on_open_whole, .fill = fill_open, .on_reply = on_opened,
	                                         .release = release};
	struct manage *m = begin(hub, request, id, &ops, 4 * METADATA_MAX);

	if (m)
		sr_change_run(&m->change);
}

/* --- DELETE --------------------------------------------------------------------------------------------------- */

static void fill_end(struct sr_change *c, struct sr_call *call)
{
	struct manage *m = of(c);
	struct sr_publish publish = {.id = c->id, .user = c->user, .producer = c->producer, .n = c->n};

	sr_end_call(call, &c->hub->reg, &publish, "cancelled", m->data.data, m->data.len);
}

static void answer_deleted(struct sr_change *c, const struct sr_reply *reply, const struct sr_publish_result *result)
{
	const char *id = result->count ? sr_publish_id(reply, 0) : "";
	struct sr_buf json;
	enum sr_err err;

	sr_buf_init(&json, 1024);
	err = sr_buf_printf(&json, "{\"streamId\":\"%s\"", c->id);
	if (err == SR_OK && id[0])
		err = sr_buf_printf(&json, ",\"id\":\"%s\"", id);
	if (err == SR_OK)
		err = sr_buf_puts(&json, "}\n");
	if (err == SR_OK)
		sr_change_answer(c, 200, &json);
	else
		sr_change_fail(c, err);
	sr_buf_release(&json);
}

static void on_deleted(struct sr_change *c, const struct sr_reply *reply)
{
	struct sr_publish_result result;

	if (sr_publish_read(reply, &result) != SR_OK)
		sr_change_fail(c, SR_EREPLY);
	else if (result.outcome == SR_ENDED)
		sr_change_refuse_ended(c, result.end_type);
	else if (result.outcome == SR_FOREIGN)
		sr_change_refuse(c, 403, "", "the stream belongs to another user than the one in ?user=");
	else if (result.outcome == SR_UNKNOWN)
		sr_change_refuse(c, 404, "", "no such stream");
	else if (result.outcome == SR_MISNUMBERED)
		sr_change_refuse_misnumbered(c);
	else
		answer_deleted(c, reply, &result);
}

static void on_delete_whole(struct sr_change *c)
{
	struct manage *m = of(c);
	size_t most = (size_t)c->hub->conf->event_bytes;
	struct sr_buf why;
	enum sr_err err;

	sr_buf_init(&why, 512);
	err = m->text.len ? sr_json_normalise(&m->data, m->text.data, m->text.len, &why) : sr_buf_puts(&m->data, "{\"reason\":\"deleted\"}");
	if (err == SR_OK)
		err = sr_event_check("cancelled", 9, m->data.len, most, &why);
	if (err == SR_OK)
		sr_change_call(c);
	else
		refuse_body(m, err, &why);
	sr_buf_release(&why);
}

void sr_manage_delete(struct sr_hub *hub, struct sr_request *request, const char *id)
{
	static const struct sr_change_ops ops = {.on_bytes = on_bytes, .on_whole = on_delete_whole, .fill = fill_end, .on_reply = on_deleted,
	                                         .release = release};
	struct manage *m = begin(hub, request, id, &ops, 4 * (size_t)hub->conf->event_bytes + SR_NDJSON_FRAME);

	if (!m)
		return;
	/* A repeat by this process must be known as one. */
	if (m->change.producer[0] == 0) {
		sr_change_set_one_shot(&m->change);
		m->change.n = 1;
	}
	sr_change_run(&m->change);
}
