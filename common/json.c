#include "common/json.h"
#include "common/id.h"
#include "common/json_scan.h"
#include "common/utf8.h"
#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { SERIALISE = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE };

/* Let json-c build the value of exactly `len` bytes, which are JSON. False when it did not get through all of them. */
static bool build(struct json_tokener *tok, struct json_object **value, const char *text, size_t len)
{
	*value = json_tokener_parse_ex(tok, text, (int)len);
	if (json_tokener_get_error(tok) == json_tokener_continue) {
		/* A number or a name ends only where something follows: the NUL is json-c's sign for the end. */
		*value = json_tokener_parse_ex(tok, "", 1);
		return json_tokener_get_error(tok) == json_tokener_success;
	}
	return json_tokener_get_error(tok) == json_tokener_success && json_tokener_get_parse_end(tok) == len;
}

/* On SR_OK *value is the caller's to put; NULL is JSON's null. */
static enum sr_err parse(struct json_object **value, const char *bytes, size_t len, struct sr_buf *why)
{
	struct json_tokener *tok;
	size_t start, end;
	bool built;
	enum sr_err e = sr_json_scan(bytes, len, &start, &end, why);

	if (e)
		return e;
	if (end - start > INT_MAX)
		return SR_ETOOBIG;
	tok = json_tokener_new_ex(SR_JSON_DEPTH_MAX + 2); /* the scan bounds the depth; json-c counts what is inside, too */
	if (!tok)
		return SR_ENOMEM;
	built = build(tok, value, bytes + start, end - start);
	json_tokener_free(tok);
	if (built)
		return SR_OK;
	/* The text is JSON: only memory can be lacking. (json-c 0.16 stops without an error code then.) */
	json_object_put(*value);
	return SR_ENOMEM;
}

static enum sr_err refuse(struct sr_buf *why, const char *what)
{
	sr_buf_explain(why, "%s", what);
	return SR_EINVAL;
}

static enum sr_err append(struct sr_buf *out, struct json_object *value)
{
	size_t len;
	const char *text = json_object_to_json_string_length(value, SERIALISE, &len);

	return text ? sr_buf_append(out, text, len) : SR_ENOMEM;
}

enum sr_err sr_json_normalise(struct sr_buf *out, const char *bytes, size_t len, struct sr_buf *why)
{
	struct json_object *value;
	enum sr_err e = parse(&value, bytes, len, why);

	if (e)
		return e;
	e = append(out, value);
	json_object_put(value);
	return e;
}

enum sr_err sr_json_normalise_object(struct sr_buf *out, const char *bytes, size_t len, struct sr_buf *why)
{
	size_t mark = out->len;
	enum sr_err e = sr_json_normalise(out, bytes, len, why);

	if (!e && out->data[mark] != '{') {
		sr_buf_truncate(out, mark);
		return refuse(why, "not a JSON object");
	}
	return e;
}

static enum sr_err read_type(struct sr_buf *type, struct json_object *value, struct sr_buf *why)
{
	const char *text;
	size_t len;

	if (!json_object_is_type(value, json_type_string))
		return refuse(why, "\"type\" is not a string");
	text = json_object_get_string(value);
	len = (size_t)json_object_get_string_len(value);
	if (!sr_event_type_valid(text, len))
		return refuse(why, "\"type\" is not 1 to 64 of A-Z a-z 0-9 . _ : -");
	return sr_buf_append(type, text, len);
}

static enum sr_err read_event(struct sr_buf *type, struct sr_buf *data, struct json_object *event, struct sr_buf *why)
{
	enum sr_err e;

	if (!json_object_is_type(event, json_type_object))
		return refuse(why, "not a JSON object");
	json_object_object_foreach(event, name, member) {
		if (strcmp(name, "type") == 0) {
			e = read_type(type, member, why);
		} else if (strcmp(name, "data") == 0) {
			e = append(data, member);
		} else {
			sr_buf_explain(why, "unknown member \"%.64s\": an event has \"type\" and \"data\"", name);
			e = SR_EINVAL;
		}
		if (e)
			return e;
	}
	if (type->len == 0)
		return refuse(why, "no \"type\"");
	return data->len > 0 ? SR_OK : sr_buf_puts(data, "{}");
}

enum sr_err sr_json_event(struct sr_buf *type, struct sr_buf *data, const char *bytes, size_t len, struct sr_buf *why)
{
	struct json_object *event;
	enum sr_err e;

	sr_buf_reset(type);
	sr_buf_reset(data);
	e = parse(&event, bytes, len, why);
	if (e)
		return e;
	e = read_event(type, data, event, why);
	json_object_put(event);
	if (e) {
		sr_buf_reset(type);
		sr_buf_reset(data);
	}
	return e;
}

static enum sr_err read_member(struct sr_json_member *m, struct json_object *value, struct sr_buf *why)
{
	static const enum json_type types[] = {[SR_JSON_STRING] = json_type_string, [SR_JSON_OBJECT] = json_type_object, [SR_JSON_BOOL] = json_type_boolean};
	static const char *const names[] = {[SR_JSON_STRING] = "a string", [SR_JSON_OBJECT] = "an object", [SR_JSON_BOOL] = "true or false"};
	enum sr_err e = SR_OK;

	if (!json_object_is_type(value, types[m->kind])) {
		sr_buf_explain(why, "\"%s\" is not %s", m->name, names[m->kind]);
		return SR_EINVAL;
	}
	m->given = true;
	if (m->kind == SR_JSON_BOOL)
		m->value = json_object_get_boolean(value);
	else if (m->kind == SR_JSON_STRING)
		e = sr_buf_append(m->out, json_object_get_string(value), (size_t)json_object_get_string_len(value));
	else
		e = append(m->out, value);
	if (e == SR_ETOOBIG)
		sr_buf_explain(why, "\"%s\" is longer than %zu bytes", m->name, m->out->max);
	return e;
}

static enum sr_err read_members(struct sr_json_member *wanted, size_t count, struct json_object *object, struct sr_buf *why)
{
	enum sr_err e;

	if (!json_object_is_type(object, json_type_object))
		return refuse(why, "not a JSON object");
	json_object_object_foreach(object, name, value) {
		size_t i = 0;

		while (i < count && strcmp(wanted[i].name, name) != 0)
			i++;
		if (i == count) {
			sr_buf_explain(why, "unknown member \"%.64s\"", name);
			return SR_EINVAL;
		}
		e = read_member(&wanted[i], value, why);
		if (e)
			return e;
	}
	return SR_OK;
}

enum sr_err sr_json_members(struct sr_json_member *wanted, size_t count, const char *bytes, size_t len, struct sr_buf *why)
{
	struct json_object *object;
	enum sr_err e = parse(&object, bytes, len, why);

	if (e)
		return e;
	e = read_members(wanted, count, object, why);
	json_object_put(object);
	return e;
}

/* One character (`len` 1 to 4), or one byte that is none (`len` 0), inside a JSON string. */
static enum sr_err quote_one(struct sr_buf *out, const char *c, size_t len)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	if (len == 0)
		return sr_buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
	for (const char *s = shorts; *s; s += 2)
		if (*c == *s)
			return sr_buf_printf(out, "\\%c", s[1]);
	if ((unsigned char)*c < 0x20 || *c == 0x7f)
		return sr_buf_printf(out, "\\u%04x", (unsigned)*c);
	return sr_buf_append(out, c, len);
}

enum sr_err sr_json_quote(struct sr_buf *out, const char *bytes, size_t len)
{
	size_t mark = out->len;
	enum sr_err e = sr_buf_puts(out, "\"");

	for (size_t i = 0, step; !e && i < len; i += step ? step : 1) {
		step = sr_utf8_length(bytes + i, len - i);
		e = quote_one(out, bytes + i, step);
	}
	if (!e)
		e = sr_buf_puts(out, "\"");
	if (e)
		sr_buf_truncate(out, mark);
	return e;
}

enum sr_err sr_json_value(struct sr_buf *out, const char *bytes, size_t len)
{
	enum sr_err e = sr_json_normalise(out, bytes, len, NULL);

	return e == SR_EINVAL ? sr_json_quote(out, bytes, len) : e;
}
