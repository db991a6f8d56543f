/* answer.c - see answer.h. */
#include "fcgi/answer.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "fcgi/client.h"
#include "fcgi/discard.h"
#include "fcgi/hub.h"
#include <stdlib.h>
#include <string.h>

/* How long a peer may take to read a short response. */
#define READ_MS 30000

const char *sr_status_text(int status)
{
	switch (status) {
	case 200: return "200 OK";
	case 201: return "201 Created";
	case 204: return "204 No Content";
	case 400: return "400 Bad Request";
	case 401: return "401 Unauthorized";
	case 403: return "403 Forbidden";
	case 404: return "404 Not Found";
	case 405: return "405 Method Not Allowed";
	case 408: return "408 Request Timeout";
	case 409: return "409 Conflict";
	case 410: return "410 Gone";
	case 411: return "411 Length Required";
	case 413: return "413 Content Too Large";
	case 414: return "414 URI Too Long";
	case 415: return "415 Unsupported Media Type";
	case 422: return "422 Unprocessable Content";
	case 429: return "429 Too Many Requests";
	case 503: return "503 Service Unavailable";
	default: return "500 Internal Server Error";
	}
}

static bool origin_allowed(const char *list, const char *origin)
{
	size_t len = strlen(origin);

	for (const char *at = list; len && *at;) {
		size_t word = strcspn(at, " \t");

		if (word == len && memcmp(at, origin, len) == 0)
			return true;
		at += word;
		at += strspn(at, " \t");
	}
	return false;
}

enum sr_err sr_answer_common_headers(struct sr_buf *out, const struct sr_conf *conf, const char *origin)
{
	enum sr_err err = sr_buf_puts(out, "X-Content-Type-Options: nosniff\r\n");

	if (err == SR_OK && conf->cors_origins[0])
		err = sr_buf_puts(out, "Vary: Origin\r\n");
	/* The origin is one of ours, byte for byte, so nothing foreign gets into the header. */
	if (err == SR_OK && origin_allowed(conf->cors_origins, origin))
		err = sr_buf_printf(out, "Access-Control-Allow-Origin: %s\r\nAccess-Control-Allow-Credentials: true\r\n"
		                         "Access-Control-Expose-Headers: X-Stream-Id\r\n", origin);
	return err;
}

static enum sr_err begin(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status)
{
	enum sr_err err = sr_buf_printf(out, "Status: %s\r\n", sr_status_text(status));

	if (err == SR_OK)
		err = sr_answer_common_headers(out, conf, origin);
	return err;
}

enum sr_err sr_answer_json(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status, int retry_after, const char *body,
                           size_t len)
{
	char header[40] = "";

	if (retry_after)
		snprintf(header, sizeof header, "Retry-After: %d\r\n", retry_after);
	return sr_answer_json_with(out, conf, origin, status, header, body, len);
}

static enum sr_err whole(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status, const char *headers, const char *type,
                         const char *body, size_t len)
{
	enum sr_err err = begin(out, conf, origin, status);

	if (err == SR_OK)
		err = sr_buf_printf(out, "%sCache-Control: no-store\r\nContent-Type: %s\r\n\r\n", headers, type);
	if (err == SR_OK)
		err = sr_buf_append(out, body, len);
	return err;
}

enum sr_err sr_answer_json_with(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status, const char *headers,
                                const char *body, size_t len)
{
	return whole(out, conf, origin, status, headers, "application/json", body, len);
}

enum sr_err sr_answer_text(struct sr_buf *out, const struct sr_conf *conf, const char *origin, const char *type, const char *body, size_t len)
{
	return whole(out, conf, origin, 200, "", type, body, len);
}

enum sr_err sr_answer_error(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status, const char *text, const char *allow)
{
	enum sr_err err = begin(out, conf, origin, status);

	if (err == SR_OK && allow)
		err = sr_buf_printf(out, "Allow: %s\r\n", allow);
	if (err == SR_OK && (status == 204 || !text))
		return sr_buf_puts(out, "Cache-Control: no-store\r\n\r\n");
	if (err == SR_OK)
		err = sr_buf_puts(out, "Cache-Control: no-store\r\nContent-Type: application/json\r\n\r\n{\"error\":");
	if (err == SR_OK)
		err = sr_json_quote(out, text, strlen(text));
	return err == SR_OK ? sr_buf_puts(out, "}\n") : err;
}

enum sr_err sr_answer_stream_headers(struct sr_buf *out, const struct sr_conf *conf, const char *origin, const char *stream_id)
{
	enum sr_err err = begin(out, conf, origin, 200);

	return err == SR_OK ? sr_buf_printf(out, "Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n"
	                                         "X-Accel-Buffering: no\r\nX-Stream-Id: %s\r\n\r\n", stream_id) : err;
}

/* One connection that is being answered and then closed. */
struct sr_answering {
	struct sr_client client;
	struct sr_hub *hub;
	struct sr_due due;
};

static void on_gone(struct sr_client *c)
{
	struct sr_answering *a = (struct sr_answering *)(void *)c;

	sr_due_remove(&a->due);
	a->hub->answering--;
	free(a);
}

void sr_answering_expire(struct sr_due *due)
{
	sr_client_abort(&SR_DUE_OWNER(due, struct sr_answering, due)->client);
}

/* The body is read, or will not be read. */
static void send_after(void *ctx, struct sr_hub *hub, struct sr_request *request, enum sr_body_end end)
{
	struct sr_buf *response = ctx;

	if (end == SR_BODY_LEFT || end == SR_BODY_BROKEN)
		sr_request_free(request);
	else
		sr_answer_send(hub, request, response);
	sr_buf_release(response);
	free(response);
}

static void send_later(struct sr_hub *hub, struct sr_request *request, const struct sr_buf *response)
{
	struct sr_buf *copy = sr_malloc(sizeof *copy);

	sr_request_forget(request); /* nobody asks for it any more, and the rest may take seconds */
	if (copy)
		sr_buf_init(copy, response->len);
	if (copy && sr_buf_append(copy, sr_buf_text(response), response->len) == SR_OK) {
		sr_discard(hub, request, SR_DISCARD_BYTES, send_after, copy);
		return;
	}
	free(copy);
	sr_log(SR_LOG_ERROR, "cannot answer", "reason", "out of memory", (char *)NULL);
	sr_request_free(request);
}

void sr_answer_send(struct sr_hub *hub, struct sr_request *request, const struct sr_buf *response)
{
	static const struct sr_client_ops ops = {.on_gone = on_gone};
	const char *body = response->len ? strstr(response->data, "\r\n\r\n") : NULL;
	size_t len = request->method == SR_HEAD && body ? (size_t)(body + 4 - response->data) : response->len;
	struct sr_answering *a;
	struct sr_frame *frame;

	if (request->has_body) {
		send_later(hub, request, response);
		return;
	}
	a = sr_calloc(1, sizeof *a);
	frame = len ? sr_frame_new(response->data, len) : NULL;
	if (a && frame) {
		a->hub = hub;
		hub->answering++;
		sr_client_init(&a->client, hub->loop, request->fd, request->id, (uint32_t)hub->conf->client_buffer, &ops);
		request->fd = -1;
		sr_due_add(&hub->closing_answers, &a->due, sr_clock_mono() + READ_MS);
		if (sr_client_send(&a->client, frame))
			sr_client_end(&a->client);
		else
			sr_client_abort(&a->client);
	} else {
		sr_log(SR_LOG_ERROR, "cannot answer", "reason", "out of memory", (char *)NULL);
		free(a);
	}
	sr_frame_unref(frame);
	sr_request_free(request);
}

void sr_answer_refuse(struct sr_hub *hub, struct sr_request *request, int status, const char *text, const char *allow)
{
	struct sr_buf out;

	sr_buf_init(&out, 8192);
	if (sr_answer_error(&out, hub->conf, request->origin, status, text, allow) != SR_OK)
		sr_buf_reset(&out);
	sr_answer_send(hub, request, &out);
	sr_buf_release(&out);
}
