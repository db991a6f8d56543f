/* ending.c - see ending.h. */
#include "cli/ending.h"

#include "common/json.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TIMED_OUT 124 /* as timeout(1) */

int sr_ending_status(const struct sr_ending *e)
{
	if (e->reason)
		return TIMED_OUT;
	return e->signal ? 128 + e->signal : e->exit;
}

/* {"reason":"timeout","exit":3,"error":"..." */
static enum sr_err put_how(const struct sr_ending *e, struct sr_buf *data)
{
	const char *name = e->signal ? sigabbrev_np(e->signal) : NULL;
	enum sr_err err = sr_buf_puts(data, "{");

	if (!err && e->reason)
		err = sr_buf_printf(data, "\"reason\":\"%s\",", e->reason);
	if (!err && name)
		err = sr_buf_printf(data, "\"signal\":\"SIG%s\"", name);
	else if (!err && e->signal)
		err = sr_buf_printf(data, "\"signal\":\"SIGRTMIN+%d\"", e->signal - SIGRTMIN);
	else if (!err)
		err = sr_buf_printf(data, "\"exit\":%d", e->exit);
	if (!err && e->error)
		err = sr_buf_puts(data, ",\"error\":");
	if (!err && e->error)
		err = sr_json_quote(data, e->error, strnlen(e->error, 100));
	return err;
}

/* The tail may take what the result leaves. */
static enum sr_err put_rest(const struct sr_ending *e, size_t room, struct sr_buf *data)
{
	static const char tail[] = ",\"tail\":", result[] = ",\"result\":";
	size_t before = data->len, taken = e->result->len ? sizeof result - 1 + e->result->len : 0;
	enum sr_err err = SR_OK;

	if (before + taken + 1 > room)
		taken = 0;
	if (!e->error && before + taken + sizeof tail + 1 < room) {
		err = sr_buf_puts(data, tail);
		if (!err)
			err = sr_tail_json(e->tail, data, room - taken - 1 - data->len);
		if (err == SR_ETOOBIG) {
			sr_buf_truncate(data, before);
			err = SR_OK;
		}
	}
	if (!err && taken) {
		err = sr_buf_puts(data, result);
		if (!err)
			err = sr_buf_append(data, e->result->data, e->result->len);
	}
	return err ? err : sr_buf_puts(data, "}");
}

enum sr_err sr_ending_write(const struct sr_ending *e, size_t event_bytes, const char **type, struct sr_buf *data)
{
	bool well = e->exit == 0 && !e->signal && !e->reason;
	enum sr_err err;

	sr_buf_reset(data);
	*type = well ? "completed" : "failed";
	if (well && e->result->len) {
		*type = e->result_type->data;
		return sr_buf_append(data, e->result->data, e->result->len);
	}
	err = put_how(e, data);
	if (err)
		return err;
	return well ? sr_buf_puts(data, "}") : put_rest(e, event_bytes, data);
}
