#include "cli/fcgi_ask.h"

#include "common/buf.h"
#include "common/clock.h"
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 }; /* FastCGI 1.0, section 8 */
enum { HEAD = 8, REQUEST_MAX = 4096, ANSWER_MAX = 65536 };

/* ---- the request ---- */

static enum sr_err add_record(struct sr_buf *out, unsigned char type, const char *content, size_t len)
{
	const unsigned char head[HEAD] = {1, type, 0, 1, (unsigned char)(len >> 8), (unsigned char)(len & 255), 0, 0};
	enum sr_err err = sr_buf_append(out, head, HEAD);

	return err == SR_OK && len ? sr_buf_append(out, content, len) : err;
}

/* A pair's lengths are four bytes each, with the highest bit set (section 3.4). */
static enum sr_err add_pair(struct sr_buf *out, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);
	const unsigned char lengths[8] = {0x80, 0, (unsigned char)(n >> 8), (unsigned char)(n & 255), 0x80, 0, (unsigned char)(v >> 8), (unsigned char)(v & 255)};
	enum sr_err err = sr_buf_append(out, lengths, sizeof lengths);

	if (err == SR_OK)
		err = sr_buf_append(out, name, n);
	return err == SR_OK && v ? sr_buf_append(out, value, v) : err;
}

static enum sr_err write_request(struct sr_buf *out, const char *mount, const char *page)
{
	const char responder[8] = {0, 1};
	struct sr_buf pairs, uri;
	enum sr_err err;

	sr_buf_init(&pairs, REQUEST_MAX);
	sr_buf_init(&uri, REQUEST_MAX);
	err = sr_buf_printf(&uri, "%s%s", mount, page);
	const char *const all[][2] = {{"REQUEST_METHOD", "GET"}, {"SCRIPT_NAME", mount}, {"PATH_INFO", page}, {"REQUEST_URI", sr_buf_text(&uri)},
	                              {"QUERY_STRING", ""}, {"SERVER_PROTOCOL", "HTTP/1.1"}, {"REMOTE_ADDR", "127.0.0.1"}};

	for (size_t i = 0; err == SR_OK && i < sizeof all / sizeof *all; i++)
		err = add_pair(&pairs, all[i][0], all[i][1]);
	if (err == SR_OK)
		err = add_record(out, BEGIN_REQUEST, responder, sizeof responder);
	if (err == SR_OK)
		err = add_record(out, PARAMS, sr_buf_text(&pairs), pairs.len);
	if (err == SR_OK)
		err = add_record(out, PARAMS, "", 0);
	if (err == SR_OK)
		err = add_record(out, STDIN, "", 0);
	sr_buf_release(&pairs);
	sr_buf_release(&uri);
	return err;
}

/* ---- the connection ---- */

/* Until the descriptor is ready: false at the end of the time. */
static bool wait_for(int fd, short events, sr_mono_ms end)
{
	struct pollfd p = {.fd = fd, .events = events};
	sr_mono_ms left = end - sr_clock_mono();

	return left > 0 && poll(&p, 1, (int)left) > 0;
}

/* A connected socket, or -1 with errno. */
static int connect_within(const struct sockaddr *addr, socklen_t len, sr_mono_ms end)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
	socklen_t size = sizeof error;

	if (fd < 0)
		return -1;
	if (connect(fd, addr, len) != 0)
		error = errno;
	if (error == EINPROGRESS && !wait_for(fd, POLLOUT, end))
		error = ETIMEDOUT;
	else if (error == EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* ---- the answer ---- */

/* Put the contents of whole STDOUT records behind each other. true: the request has ended. */
static bool read_records(const struct sr_buf *bytes, struct sr_buf *text)
{
	const unsigned char *at = (const unsigned char *)sr_buf_text(bytes), *end = at + bytes->len;

	while (end - at >= HEAD) {
		size_t len = (size_t)at[4] << 8 | at[5], whole = HEAD + len + at[6];

		if (at[0] != 1 || (size_t)(end - at) < whole)
			return false;
		if (at[1] == END_REQUEST)
			return true;
		if (at[1] == STDOUT && len && sr_buf_append(text, at + HEAD, len) != SR_OK)
			return false;
		at += whole;
	}
	return false;
}

/* "Status: 503 ..." among the header fields (RFC 3875, 6.3.3), else 200. */
static void read_page(struct sr_fcgi_answer *out, const char *text)
{
	const char *body = strstr(text, "\r\n\r\n"), *status = strstr(text, "Status: ");

	if (!body)
		return;
	out->status = status && status < body ? (int)strtol(status + 8, NULL, 10) : 200;
	snprintf(out->body, sizeof out->body, "%s", body + 4);
}

static void read_answer(struct sr_fcgi_answer *out, int fd, sr_mono_ms end)
{
	struct sr_buf bytes, text;
	char part[4096];
	ssize_t n = 1;
	bool ended = false;

	sr_buf_init(&bytes, ANSWER_MAX);
	sr_buf_init(&text, ANSWER_MAX);
	while (!ended && n > 0 && wait_for(fd, POLLIN, end)) {
		n = recv(fd, part, sizeof part, 0);
		if (n > 0 && sr_buf_append(&bytes, part, (size_t)n) != SR_OK)
			break;
		sr_buf_reset(&text);
		ended = read_records(&bytes, &text);
	}
	if (ended)
		read_page(out, sr_buf_text(&text));
	sr_buf_release(&bytes);
	sr_buf_release(&text);
}

void sr_fcgi_ask(struct sr_fcgi_answer *out, const struct sockaddr *addr, socklen_t len, const char *mount, const char *page, int ms)
{
	sr_mono_ms end = sr_clock_mono() + ms;
	int fd = connect_within(addr, len, end);
	struct sr_buf request;

	*out = (struct sr_fcgi_answer){.error = fd < 0 ? errno : 0};
	if (fd < 0)
		return;
	sr_buf_init(&request, REQUEST_MAX);
	/* A few hundred bytes: an empty socket takes them at once. */
	if (write_request(&request, mount, page) == SR_OK && send(fd, request.data, request.len, MSG_NOSIGNAL) == (ssize_t)request.len)
		read_answer(out, fd, end);
	sr_buf_release(&request);
	close(fd);
}
