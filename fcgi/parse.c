/* parse.c - see parse.h. libfcgi's private fields are used as "taking a request over" needs them: Debian's ABI keeps
 * them, and fcgiapp.h shows them. */
#include "fcgi/parse.h"

#include "common/log.h"
#include "fcgi/record.h"
#include <errno.h>
#include <fcgiapp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

bool sr_parse_init(void)
{
	return FCGX_Init() == 0;
}

void sr_parse_refuse(int fd, const char *why)
{
	sr_log(SR_LOG_WARN, "fastcgi connection refused", "reason", why, (char *)NULL);
	close(fd);
}

/* Never needed for a request that is whole; should libfcgi wait all the same, then not for ever. */
static void bound_reads(int fd)
{
	struct timeval tv = {.tv_sec = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

/* Take STDIN to its end: bytes left behind on the socket would look like a client that goes on talking. */
static bool drain_stdin(FCGX_Request *r)
{
	char bytes[4096];

	while (FCGX_GetStr(bytes, sizeof bytes, r->in) > 0)
		;
	return FCGX_GetError(r->in) == 0;
}

static struct sr_request *from_params(FCGX_Request *r, const char *user_variable)
{
	char *authorization = FCGX_GetParam("HTTP_AUTHORIZATION", r->envp);
	struct sr_request_values values;
	struct sr_request *request;

	values = (struct sr_request_values){
	    .method = FCGX_GetParam("REQUEST_METHOD", r->envp), .script_name = FCGX_GetParam("SCRIPT_NAME", r->envp),
	    .path_info = FCGX_GetParam("PATH_INFO", r->envp), .query = FCGX_GetParam("QUERY_STRING", r->envp),
	    .last_event_id = FCGX_GetParam("HTTP_LAST_EVENT_ID", r->envp), .user = FCGX_GetParam(user_variable, r->envp),
	    .origin = FCGX_GetParam("HTTP_ORIGIN", r->envp), .remote_addr = FCGX_GetParam("REMOTE_ADDR", r->envp),
	    .server_software = FCGX_GetParam("SERVER_SOFTWARE", r->envp), .content_type = FCGX_GetParam("CONTENT_TYPE", r->envp), .content_length = FCGX_GetParam("CONTENT_LENGTH", r->envp),
	    .idempotency_key = FCGX_GetParam("HTTP_IDEMPOTENCY_KEY", r->envp), .authorization = authorization};
	request = sr_request_new(&values);
	if (authorization)
		explicit_bzero(authorization, strlen(authorization)); /* libfcgi frees it as it is */
	return request;
}

/* libfcgi parses exactly this descriptor: its listening socket is -1, so an error comes back instead of a new accept. On success the
 * descriptor is still open, and on failure it is closed. */
static struct sr_request *parse(int fd, const char *user_variable)
{
	FCGX_Request r;
	struct sr_request *request = NULL;

	FCGX_InitRequest(&r, -1, 0);
	r.ipcFd = fd;
	r.keepConnection = 1;
	if (FCGX_Accept_r(&r) != 0) { /* it closed fd */
		sr_log(SR_LOG_WARN, "fastcgi connection refused", "reason", "libfcgi could not parse it", (char *)NULL);
		FCGX_Free(&r, 0);
		return NULL;
	}
	if (drain_stdin(&r))
		request = from_params(&r, user_variable);
	if (request)
		request->id = (uint16_t)r.requestId;
	r.ipcFd = -1; /* ours from here on: libfcgi must not linger on it */
	FCGX_Free(&r, 0);
	if (!request)
		sr_parse_refuse(fd, "out of memory");
	return request;
}

struct sr_request *sr_parse_whole(int fd, const char *user_variable)
{
	struct sr_request *request;

	bound_reads(fd);
	request = parse(fd, user_variable);
	if (request)
		request->fd = fd;
	return request;
}

/* A descriptor from which libfcgi can read the head and the end of STDIN, and nothing else; -1 with errno. libfcgi reads ahead, so that
 * it must not see a connection on which a body follows. */
static int copy_of_head(const uint8_t *bytes, size_t head, uint16_t id)
{
	uint8_t end[SR_RECORD_HEADER];
	int fd = memfd_create("head", MFD_CLOEXEC);
	bool whole;

	if (fd < 0)
		return -1;
	sr_record_stdin(end, id, 0);
	whole = pwrite(fd, bytes, head, 0) == (ssize_t)head && pwrite(fd, end, sizeof end, (off_t)head) == (ssize_t)sizeof end;
	if (whole)
		return fd;
	close(fd);
	return -1;
}

/* Take the head, which was peeked, off the connection: the next byte is the body's. */
static bool consume_head(int fd, uint8_t *bytes, size_t head)
{
	while (head) {
		ssize_t n = recv(fd, bytes, head, MSG_DONTWAIT);

		if (n <= 0)
			return false;
		head -= (size_t)n;
	}
	return true;
}

struct sr_request *sr_parse_head(int fd, uint8_t *bytes, size_t head, uint16_t id, const char *user_variable)
{
	int copy = copy_of_head(bytes, head, id);
	struct sr_request *request;

	if (copy < 0 || !consume_head(fd, bytes, head)) {
		sr_parse_refuse(fd, strerror(errno));
		if (copy >= 0)
			close(copy);
		return NULL;
	}
	request = parse(copy, user_variable);
	if (!request) {
		close(fd);
		return NULL;
	}
	close(copy);
	request->fd = fd;
	request->has_body = true;
	return request;
}
