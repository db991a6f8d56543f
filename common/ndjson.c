/* ndjson.c - see ndjson.h. */
#include "common/ndjson.h"

#include "common/id.h"
#include "common/json.h"
#include <string.h>

void sr_ndjson_init(struct sr_ndjson *in, size_t event_bytes)
{
	*in = (struct sr_ndjson){.event_bytes = event_bytes};
	sr_buf_init(&in->in, event_bytes + SR_NDJSON_FRAME + SR_NDJSON_FEED_MAX);
	sr_buf_init(&in->type, SR_EVENT_TYPE_MAX);
	sr_buf_init(&in->data, 8 * (event_bytes + SR_NDJSON_FRAME)); /* one byte becomes six at most when it is escaped */
	sr_buf_init(&in->why, 512);
}

void sr_ndjson_release(struct sr_ndjson *in)
{
	sr_buf_release(&in->in);
	sr_buf_release(&in->type);
	sr_buf_release(&in->data);
	sr_buf_release(&in->why);
}

enum sr_err sr_ndjson_feed(struct sr_ndjson *in, const char *bytes, size_t len)
{
	sr_buf_consume(&in->in, in->at);
	in->searched -= in->at;
	in->at = 0;
	return sr_buf_append(&in->in, bytes, len);
}

void sr_ndjson_close(struct sr_ndjson *in)
{
	in->closed = true;
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

enum sr_err sr_event_check(const char *type, size_t type_len, size_t data_len, size_t event_bytes, struct sr_buf *why)
{
	if (!sr_event_type_valid(type, type_len)) {
		sr_buf_explain(why, "'%.*s' is no event type: 1 to %d of A-Z a-z 0-9 . _ : -", type_len < 80 ? (int)type_len : 80, type, SR_EVENT_TYPE_MAX);
		return SR_EINVAL;
	}
	if (sr_event_type_reserved(type, type_len)) {
		sr_buf_explain(why, "the type %.*s is reserved: only the servers make such events", (int)type_len, type);
		return SR_EINVAL;
	}
	if (data_len > event_bytes) {
		sr_buf_explain(why, "%zu bytes of data, more than event_bytes = %zu", data_len, event_bytes);
		return SR_ETOOBIG;
	}
	return SR_OK;
}

static enum sr_ndjson_what refuse(struct sr_ndjson *in)
{
	in->bad = true;
	return SR_NDJSON_BAD;
}

static enum sr_ndjson_what read_line(struct sr_ndjson *in, const char *line, size_t len)
{
	enum sr_err err;

	if (in->ended) {
		sr_buf_explain(&in->why, "a line after the one that ended the stream");
		return refuse(in);
	}
	err = sr_json_event(&in->type, &in->data, line, len, &in->why);
	if (err == SR_OK)
		err = sr_event_check(sr_buf_text(&in->type), in->type.len, in->data.len, in->event_bytes, &in->why);
	else if (err == SR_ETOOBIG)
		sr_buf_explain(&in->why, "more data than event_bytes = %zu", in->event_bytes);
	if (err == SR_ENOMEM)
		return SR_NDJSON_NOMEM;
	in->big = err == SR_ETOOBIG;
	if (err != SR_OK)
		return refuse(in);
	in->ended = in->terminal = sr_event_type_terminal(in->type.data, in->type.len);
	return SR_NDJSON_EVENT;
}

/* Find the next line's end. false: it is not there yet. */
static bool find_end(struct sr_ndjson *in, size_t *len)
{
	const char *end = NULL;

	if (in->searched < in->in.len)
		end = memchr(in->in.data + in->searched, '\n', in->in.len - in->searched);
	if (end) {
		*len = (size_t)(end - in->in.data) - in->at;
		in->searched = in->at + *len + 1;
		return true;
	}
	in->searched = in->in.len;
	*len = in->in.len - in->at;
	return in->closed && *len > 0;
}

enum sr_ndjson_what sr_ndjson_next(struct sr_ndjson *in)
{
	const char *line;
	size_t len;
	bool whole;

	if (in->bad)
		return SR_NDJSON_BAD;
	for (;;) {
		whole = find_end(in, &len);
		if (len > in->event_bytes + SR_NDJSON_FRAME) {
			in->number++;
			in->big = true;
			sr_buf_explain(&in->why, "longer than event_bytes = %zu allows", in->event_bytes);
			return refuse(in);
		}
		if (!whole)
			return in->closed ? SR_NDJSON_END : SR_NDJSON_MORE;
		line = in->in.data + in->at;
		in->at = in->searched;
		in->number++;
		if (!is_blank(line, len))
			return read_line(in, line, len);
	}
}
