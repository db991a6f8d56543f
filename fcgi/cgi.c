/* cgi.c - see cgi.h. */
#include "fcgi/cgi.h"

#include "fcgi/hub.h"
#include "fcgi/inspect.h"
#include "fcgi/relay.h"
#include "fcgi/route.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_ID 1
#define REDIS_WAIT_MS 1000        /* this process has only just begun to connect */
#define CONNECTION_BYTES 32768    /* of a response, between responder and relay; more would only hide a slow client */

bool sr_cgi_asked(void)
{
	return getenv("GATEWAY_INTERFACE") != NULL;
}

/* 0 also for what is no number: then the responder refuses it, unread. */
static uint64_t body_bytes(void)
{
	const char *length = getenv("CONTENT_LENGTH"), *coding = getenv("HTTP_TRANSFER_ENCODING");

	if (!length || !length[0])
		return coding && coding[0] ? SR_RELAY_TO_END : 0;
	return strlen(length) <= 18 && strspn(length, "0123456789") == strlen(length) ? strtoull(length, NULL, 10) : 0;
}

static bool too_large(const struct sr_request_values *v)
{
	const char *const texts[] = {v->script_name, v->path_info, v->query, v->last_event_id, v->user, v->origin, v->remote_addr, v->content_type,
	                             v->content_length, v->idempotency_key, v->authorization};
	size_t bytes = 0;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		bytes += texts[i] ? strlen(texts[i]) : 0;
	return bytes > SR_PARAMS_BYTES_MAX;
}

struct sr_request *sr_cgi_request(const char *user_variable, uint64_t *body)
{
	char *authorization = getenv("HTTP_AUTHORIZATION");
	struct sr_request_values values = {
	    .method = getenv("REQUEST_METHOD"), .script_name = getenv("SCRIPT_NAME"), .path_info = getenv("PATH_INFO"),
	    .query = getenv("QUERY_STRING"), .last_event_id = getenv("HTTP_LAST_EVENT_ID"), .user = getenv(user_variable),
	    .origin = getenv("HTTP_ORIGIN"), .remote_addr = getenv("REMOTE_ADDR"), .content_type = getenv("CONTENT_TYPE"),
	    .server_software = getenv("SERVER_SOFTWARE"), .content_length = getenv("CONTENT_LENGTH"), .idempotency_key = getenv("HTTP_IDEMPOTENCY_KEY"), .authorization = authorization};
	bool large = too_large(&values);
	struct sr_request *request;

	if (large)
		values = (struct sr_request_values){.method = values.method};
	request = sr_request_new(&values);
	if (authorization)
		explicit_bzero(authorization, strlen(authorization));
	*body = body_bytes();
	if (!request)
		return NULL;
	request->id = REQUEST_ID;
	request->has_body = *body > 0;
	if (large)
		request->refusal = "the request's parameters pass 64 KiB";
	return request;
}

/* A pair of descriptors: the request gets one end, the other one is returned; -1 with errno. */
static int connect_request(struct sr_request *request)
{
	int pair[2], bytes = CONNECTION_BYTES;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	request->fd = pair[0];
	return pair[1];
}

/* What is said at once is right more often: an end is known, another user's stream is 404, and recover has an answer. */
static void wait_for_redis(struct sr_hub *hub, const struct sr_relay *relay)
{
	sr_mono_ms until = sr_clock_mono() + REDIS_WAIT_MS;

	while (!sr_hub_online(hub) && !hub->draining && !relay->done && sr_clock_mono() < until)
		ev_run(hub->loop, EVRUN_ONCE);
}

/* So that the web server sees the end of the response, and need not wait until Redis knows of it. */
static void release_output(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	close(null);
}

bool sr_cgi_serve(struct sr_hub *hub)
{
	uint64_t body;
	struct sr_request *request = sr_cgi_request(hub->conf->user_variable, &body);
	int connection = request ? connect_request(request) : -1;
	struct sr_relay relay;

	if (connection < 0) {
		int error = request ? errno : ENOMEM;

		sr_request_free(request);
		errno = error;
		return false;
	}
	sr_relay_start(&relay, hub->loop, connection, REQUEST_ID, STDIN_FILENO, STDOUT_FILENO, body);
	wait_for_redis(hub, &relay);
	if (relay.done)
		sr_request_free(request);
	else
		sr_route(hub, request);
	while (!relay.done && !(hub->draining && sr_clock_mono() >= hub->drain_until))
		ev_run(hub->loop, EVRUN_ONCE);
	sr_relay_stop(&relay);
	release_output();
	sr_hub_drain(hub);
	while (!sr_hub_drained(hub))
		ev_run(hub->loop, EVRUN_ONCE);
	return true;
}
