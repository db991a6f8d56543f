/* route.c - see route.h.
 *
 *   {mount}/-/health  ready  metrics      GET HEAD
 *   {mount}/{id}                          GET HEAD OPTIONS, and with a token POST PUT DELETE
 *   {mount}/{id}/recover                  GET HEAD OPTIONS
 */
#include "fcgi/route.h"

#include "common/id.h"
#include "common/log.h"
#include "fcgi/answer.h"
#include "fcgi/discard.h"
#include "fcgi/health.h"
#include "fcgi/hub.h"
#include "fcgi/manage.h"
#include "fcgi/publish.h"
#include "fcgi/recover.h"
#include "fcgi/scrape.h"
#include "fcgi/token.h"
#include "fcgi/viewer.h"
#include <string.h>

#define READ_METHODS "GET, HEAD, OPTIONS" /* what a browser may do: CORS names no more */
#define ALL_METHODS READ_METHODS ", POST, PUT, DELETE"

/* What follows the mount point: "" or "/..."; NULL when the path is elsewhere. */
static const char *below_mount(const struct sr_hub *hub, const char *path)
{
	size_t len = strlen(hub->conf->mount);

	if (strncmp(path, hub->conf->mount, len) != 0 || (path[len] != '/' && path[len] != 0))
		return NULL;
	return path + len;
}

static void preflight(struct sr_hub *hub, struct sr_request *request)
{
	struct sr_buf out;
	enum sr_err err;

	sr_buf_init(&out, 8192);
	err = sr_buf_printf(&out, "Status: 204 No Content\r\nAllow: %s\r\n", hub->tokens ? ALL_METHODS : READ_METHODS);
	if (err == SR_OK)
		err = sr_answer_common_headers(&out, hub->conf, request->origin);
	if (err == SR_OK)
		err = sr_buf_puts(&out, "Access-Control-Allow-Methods: " READ_METHODS "\r\nAccess-Control-Allow-Headers: Last-Event-ID, Cache-Control\r\n"
		                        "Access-Control-Max-Age: 600\r\n\r\n");
	if (err != SR_OK)
		sr_buf_reset(&out);
	sr_answer_send(hub, request, &out);
	sr_buf_release(&out);
}

/* Who asks. false: answered. */
static bool identified(struct sr_hub *hub, struct sr_request *request)
{
	char text[256];

	if (request->user[0] == 0) {
		if (hub->conf->anonymous == SR_ANONYMOUS_ALLOW)
			return true;
		snprintf(text, sizeof text, "no user: the web server set no %.100s (user_variable), and anonymous = deny", hub->conf->user_variable);
		sr_answer_refuse(hub, request, 401, text, NULL);
		return false;
	}
	if (sr_user_valid(request->user, strlen(request->user)))
		return true;
	sr_answer_refuse(hub, request, 400, "the user's name is longer than 255 bytes or has control characters", NULL);
	return false;
}

static void stream(struct sr_hub *hub, struct sr_request *request, const char *id)
{
	struct sr_event_id position = SR_EVENT_ID_START;
	size_t len, from_len;
	const char *param = sr_request_param(request, "lastEventId", &len), *from = sr_request_param(request, "from", &from_len);

	if (param && sr_event_id_parse(&position, param, len) != SR_OK) {
		sr_answer_refuse(hub, request, 400, "lastEventId is no event id (ms-seq)", NULL);
		return;
	}
	if (from && (from_len != 3 || memcmp(from, "now", 3) != 0)) {
		sr_answer_refuse(hub, request, 400, "from can only be now", NULL);
		return;
	}
	/* The header is newer than the query: a native reconnect repeats the query. One that no log wrote is ignored. */
	if (sr_event_id_parse(&position, request->last_event_id, strlen(request->last_event_id)) == SR_OK &&
	    sr_event_id_compare(position, SR_EVENT_ID_START) > 0)
		from = NULL;
	if (request->method == SR_HEAD)
		sr_recover_head(hub, request, id);
	else
		sr_viewer_start(hub, request, id, position, from && !param);
}

static void recover(struct sr_hub *hub, struct sr_request *request, const char *id)
{
	struct sr_event_id after;
	size_t len;
	const char *param = sr_request_param(request, "after", &len);

	if (param && sr_event_id_parse(&after, param, len) != SR_OK)
		sr_answer_refuse(hub, request, 400, "after is no event id (ms-seq)", NULL);
	else
		sr_recover_start(hub, request, id, param ? &after : NULL);
}

static void status_page(struct sr_hub *hub, struct sr_request *request, const char *page)
{
	if (strcmp(page, "health") == 0)
		sr_health_live(hub, request);
	else if (strcmp(page, "ready") == 0)
		sr_health_ready(hub, request);
	else if (strcmp(page, "metrics") == 0)
		sr_scrape_start(hub, request);
	else
		sr_answer_refuse(hub, request, 404, "no such page", NULL);
}

static void stream_page(struct sr_hub *hub, struct sr_request *request, const char *segment)
{
	const char *slash = strchr(segment, '/');
	size_t len = slash ? (size_t)(slash - segment) : strlen(segment);
	char id[SR_STREAM_ID_MAX + 1];

	if (!sr_stream_id_valid(segment, len)) {
		sr_answer_refuse(hub, request, 400, "a stream id is 1 to 128 of A-Z a-z 0-9 . _ ~ : -", NULL);
		return;
	}
	if (slash && strcmp(slash, "/recover") != 0) {
		sr_answer_refuse(hub, request, 404, "no such page", NULL);
		return;
	}
	if (!identified(hub, request))
		return;
	memcpy(id, segment, len);
	id[len] = 0;
	if (slash)
		recover(hub, request, id);
	else
		stream(hub, request, id);
}

static void unauthorised(struct sr_hub *hub, struct sr_request *request)
{
	static const char body[] = "{\"error\":\"publishing needs the header Authorization: Bearer TOKEN, with a token of publish_token_file; Apache passes it on with CGIPassAuth On\"}\n";
	struct sr_buf out;

	sr_buf_init(&out, 8192);
	if (sr_answer_json_with(&out, hub->conf, "", 401, "WWW-Authenticate: Bearer\r\n", body, sizeof body - 1) != SR_OK)
		sr_buf_reset(&out);
	sr_answer_send(hub, request, &out);
	sr_buf_release(&out);
}

static void change(struct sr_hub *hub, struct sr_request *request, const char *segment)
{
	bool allowed = sr_tokens_allow(hub->tokens, request->authorization);
	size_t len = strlen(segment);

	sr_request_forget(request);
	if (!hub->tokens)
		sr_answer_refuse(hub, request, 405, READ_METHODS ": publishing over HTTP is off: sse-fcgi has no publish_token_file, or its log says why not", READ_METHODS);
	else if (!allowed)
		unauthorised(hub, request);
	else if (strchr(segment, '/'))
		sr_answer_refuse(hub, request, 405, READ_METHODS, READ_METHODS);
	else if (!sr_stream_id_valid(segment, len))
		sr_answer_refuse(hub, request, 400, "a stream id is 1 to 128 of A-Z a-z 0-9 . _ ~ : -", NULL);
	else if (request->method == SR_POST)
		sr_publish_start(hub, request, segment);
	else if (request->method == SR_PUT)
		sr_manage_put(hub, request, segment);
	else
		sr_manage_delete(hub, request, segment);
}

static bool changes(const struct sr_request *request)
{
	return request->method == SR_POST || request->method == SR_PUT || request->method == SR_DELETE;
}

/* A body on a request that needs none was thrown away. */
static void on_discarded(void *ctx, struct sr_hub *hub, struct sr_request *request, enum sr_body_end end)
{
	(void)ctx;
	if (end == SR_BODY_END)
		sr_route(hub, request);
	else if (end == SR_BODY_MUCH)
		sr_answer_refuse(hub, request, 413, "a body of more than 64 KiB on a request that needs none", NULL);
	else if (end == SR_BODY_LATE)
		sr_answer_refuse(hub, request, 408, "the body came too slowly", NULL);
	else
		sr_request_free(request);
}

void sr_route(struct sr_hub *hub, struct sr_request *request)
{
	const char *below;

	if (request->refusal) {
		sr_log(SR_LOG_WARN, "request refused", "reason", request->refusal, (char *)NULL);
		sr_answer_refuse(hub, request, 414, request->refusal, NULL);
		return;
	}
	if (request->has_body && !changes(request)) {
		sr_discard(hub, request, SR_IDLE_BODY_BYTES, on_discarded, NULL);
		return;
	}
	below = below_mount(hub, request->path);
	if (!below) {
		sr_log(SR_LOG_WARN, "a path outside of mount", "path", request->path, "mount", hub->conf->mount, (char *)NULL);
		sr_answer_refuse(hub, request, 404, "not below the option mount", NULL);
	} else if (request->method == SR_OTHER_METHOD) {
		sr_answer_refuse(hub, request, 405, hub->tokens ? ALL_METHODS : READ_METHODS, hub->tokens ? ALL_METHODS : READ_METHODS);
	} else if (request->method == SR_OPTIONS) {
		preflight(hub, request);
	} else if (changes(request)) {
		change(hub, request, below[0] ? below + 1 : below);
	} else if (strncmp(below, "/-/", 3) == 0) {
		status_page(hub, request, below + 3);
	} else {
		stream_page(hub, request, below[0] ? below + 1 : below);
	}
}
