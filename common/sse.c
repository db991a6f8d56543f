#include "common/sse.h"
#include "common/json.h"
#include <inttypes.h>
#include <string.h>

enum sr_err sr_sse_guard(struct sr_buf *out, int64_t retry_ms, struct sr_event_id position)
{
	char id[SR_EVENT_ID_SIZE];

	if (retry_ms < 0)
		return SR_EINVAL;
	return sr_buf_printf(out, ":\nevent: sse-reset\nretry: %" PRId64 "\nid: %s\n\n", retry_ms, sr_event_id_format(id, position));
}

enum sr_err sr_sse_connected(struct sr_buf *out, struct sr_event_id position, const char *stream_id)
{
	char id[SR_EVENT_ID_SIZE];

	if (!sr_stream_id_valid(stream_id, strlen(stream_id)))
		return SR_EINVAL;
	return sr_buf_printf(out, "id: %s\ndata: {\"type\":\"connected\",\"streamId\":\"%s\"}\n\n", sr_event_id_format(id, position),
	                     stream_id);
}

enum sr_err sr_sse_event(struct sr_buf *out, const struct sr_event_id *id, const char *type, size_t type_len, const char *data,
                         size_t data_len)
{
	char text[SR_EVENT_ID_SIZE];
	size_t mark = out->len;
	enum sr_err e = SR_OK;

	if (!sr_event_type_valid(type, type_len))
		return SR_EINVAL;
	if (id)
		e = sr_buf_printf(out, "id: %s\n", sr_event_id_format(text, *id));
	/* A valid type needs no escapes; sr_json_value() writes no CR or LF: one data line is enough. */
	if (!e)
		e = sr_buf_printf(out, "data: {\"type\":\"%.*s\",\"data\":", (int)type_len, type);
	if (!e)
		e = sr_json_value(out, data, data_len);
	if (!e)
		e = sr_buf_puts(out, "}\n\n");
	if (e)
		sr_buf_truncate(out, mark);
	return e;
}

enum sr_err sr_sse_gap(struct sr_buf *out, struct sr_event_id after, const char *reason)
{
	char id[SR_EVENT_ID_SIZE];

	if (!sr_event_type_valid(reason, strlen(reason)))
		return SR_EINVAL;
	return sr_buf_printf(out, "data: {\"type\":\"gap\",\"data\":{\"after\":\"%s\",\"reason\":\"%s\"}}\n\n",
	                     sr_event_id_format(id, after), reason);
}

enum sr_err sr_sse_retry(struct sr_buf *out, int64_t retry_ms)
{
	return retry_ms < 0 ? SR_EINVAL : sr_buf_printf(out, "retry: %" PRId64 "\n\n", retry_ms);
}

enum sr_err sr_sse_comment(struct sr_buf *out, const char *text)
{
	return strpbrk(text, "\r\n") ? SR_EINVAL : sr_buf_printf(out, ": %s\n\n", text);
}
