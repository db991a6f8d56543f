/* call.c - see call.h. */
#include "common/call.h"

#include <stdio.h>
#include <string.h>

void sr_call_init(struct sr_call *call, enum sr_script_name script)
{
	*call = (struct sr_call){.script = script};
	sr_buf_init(&call->tail, SR_CALL_BYTES_MAX);
}

void sr_call_release(struct sr_call *call)
{
	sr_buf_release(&call->tail);
}

static enum sr_err append_bulk(struct sr_buf *out, const char *bytes, size_t len)
{
	size_t before = out->len;
	enum sr_err err = sr_buf_printf(out, "$%zu\r\n", len);

	if (err == SR_OK)
		err = sr_buf_append(out, bytes, len);
	if (err == SR_OK)
		err = sr_buf_append(out, "\r\n", 2);
	if (err != SR_OK)
		sr_buf_truncate(out, before);
	return err;
}

static void add(struct sr_call *call, const char *bytes, size_t len)
{
	if (call->err == SR_OK)
		call->err = append_bulk(&call->tail, bytes, len);
}

static void add_name(struct sr_call *call, const char *prefix, enum sr_key key, const char *id)
{
	struct sr_buf name;

	sr_buf_init(&name, 1024);
	if (call->err == SR_OK)
		call->err = sr_key_append(&name, prefix, key, id);
	add(call, sr_buf_text(&name), name.len);
	sr_buf_release(&name);
}

/* Keys and arguments share `tail`: a key after an argument would be taken for one. */
static void expect_keys(struct sr_call *call)
{
	if (call->err == SR_OK && call->args > 0)
		call->err = SR_EINVAL;
}

void sr_call_key(struct sr_call *call, const char *prefix, enum sr_key key, const char *id)
{
	expect_keys(call);
	add_name(call, prefix, key, id);
	call->keys++;
}

void sr_call_foreign_key(struct sr_call *call, const char *name)
{
	expect_keys(call);
	add(call, name, strlen(name));
	call->keys++;
}

void sr_call_arg(struct sr_call *call, const char *bytes, size_t len)
{
	add(call, bytes, len);
	call->args++;
}

void sr_call_text(struct sr_call *call, const char *text)
{
	sr_call_arg(call, text, strlen(text));
}

void sr_call_int(struct sr_call *call, long long value)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%lld", value);

	sr_call_arg(call, text, (size_t)len);
}

void sr_call_name(struct sr_call *call, const char *prefix, enum sr_key key, const char *id)
{
	add_name(call, prefix, key, id);
	call->args++;
}

enum sr_err sr_call_check(const struct sr_call *call)
{
	const struct sr_script *script;

	if (call->err != SR_OK)
		return call->err;
	if (call->script == SR_SCRIPT_NONE)
		return call->args > 0 ? SR_OK : SR_EINVAL;
	script = sr_script_get(call->script);
	if (call->keys < script->keys || (call->keys > script->keys && !script->more_keys) || call->args < script->args ||
	    (call->args > script->args && !script->more_args))
		return SR_EINVAL;
	return SR_OK;
}

enum sr_err sr_call_encode(const struct sr_call *call, bool whole, struct sr_buf *out)
{
	const struct sr_script *script;
	const char *body;
	char keys[12];
	size_t before = out->len;
	enum sr_err err;

	if (call->script == SR_SCRIPT_NONE) {
		err = sr_buf_printf(out, "*%d\r\n", call->args);
	} else {
		script = sr_script_get(call->script);
		body = whole ? script->text : script->sha1;
		err = sr_buf_printf(out, "*%d\r\n%s\r\n", 3 + call->keys + call->args, whole ? "$4\r\nEVAL" : "$7\r\nEVALSHA");
		if (err == SR_OK)
			err = append_bulk(out, body, strlen(body));
		snprintf(keys, sizeof keys, "%d", call->keys);
		if (err == SR_OK)
			err = append_bulk(out, keys, strlen(keys));
	}
	if (err == SR_OK)
		err = sr_buf_append(out, sr_buf_text(&call->tail), call->tail.len);
	if (err != SR_OK)
		sr_buf_truncate(out, before);
	return err;
}
