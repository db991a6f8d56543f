/* intake.c - see intake.h. libfcgi's private fields are used as "taking a request over" needs them: Debian's ABI keeps
 * them, and fcgiapp.h shows them. */
#include "fcgi/intake.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fcgi/inspect.h"
#include "fcgi/record.h"
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX 4096          /* requests the loop has not taken yet; then the threads wait */
#define BODY_BYTES_MAX 65536    /* of a request that needs no body */
#define ACCEPT_PAUSE_MS 200     /* when descriptors or memory are out: other streams may leave */

struct sr_intake {
	int listen_fd, stop_fd; /* stop_fd is readable from sr_intake_stop() on */
	struct ev_loop *loop;
	ev_async arrived;
	sr_intake_cb *cb;
	void *ctx;
	int threads;
	pthread_t *thread;
	atomic_bool stopping;

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t room;
	struct sr_request *head, **tail;
	unsigned queued;
	int64_t receive_timeout;
	char *user_variable;
};

/* What one thread works with, taken once a connection. */
struct settings {
	int64_t receive_timeout;
	char user_variable[128];
};

static void take_settings(struct sr_intake *in, struct settings *out)
{
	size_t len;

	pthread_mutex_lock(&in->lock);
	out->receive_timeout = in->receive_timeout;
	len = strnlen(in->user_variable, sizeof out->user_variable - 1);
	memcpy(out->user_variable, in->user_variable, len);
	out->user_variable[len] = 0;
	pthread_mutex_unlock(&in->lock);
}

/* --- one connection ------------------------------------------------------------------------------------------ */

/* Wait for more bytes than are there by now. Peeked bytes keep a socket readable, so poll() cannot wait for more of them;
 * a web server sends its request at once, and this is only for those that do not. */
static bool wait_for_more(int fd, size_t have, sr_mono_ms deadline)
{
	struct pollfd p = {.fd = fd, .events = have ? POLLRDHUP : POLLIN};
	int64_t left = deadline - sr_clock_mono();

	if (left <= 0)
		return false;
	poll(&p, 1, have ? (left < 5 ? (int)left : 5) : (int)left);
	return (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0 || have == 0;
}

/* Peek until the head of the request is whole. */
static enum sr_inspect await_head(int fd, uint8_t *bytes, sr_mono_ms deadline, uint16_t *id, const char **why)
{
	size_t had = 0;

	for (;;) {
		ssize_t n = recv(fd, bytes, SR_INSPECT_BYTES_MAX, MSG_PEEK | MSG_DONTWAIT);
		enum sr_inspect verdict = SR_INSPECT_MORE;

		if (n == 0) {
			*why = "closed before the request was whole";
			return SR_INSPECT_BAD;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			*why = strerror(errno);
			return SR_INSPECT_BAD;
		}
		if (n > 0 && (size_t)n != had)
			verdict = sr_inspect(bytes, (size_t)n, id, why);
		if (verdict != SR_INSPECT_MORE)
			return verdict;
		if (n == SR_INSPECT_BYTES_MAX) {
			*why = "the request's head passes 80 KiB";
			return *id ? SR_INSPECT_BIG : SR_INSPECT_BAD;
		}
		had = n > 0 ? (size_t)n : 0;
		if (!wait_for_more(fd, had, deadline)) {
			*why = sr_clock_mono() >= deadline ? "not whole within receive_timeout" : "closed before the request was whole";
			return SR_INSPECT_BAD;
		}
	}
}

static void set_receive_timeout(int fd, sr_mono_ms deadline)
{
	int64_t left = deadline - sr_clock_mono();
	struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};

	if (left <= 0)
		tv = (struct timeval){.tv_usec = 1000};
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

/* Take STDIN to its end: bytes left behind on the socket would look like a client that goes on talking. */
static const char *drain_stdin(FCGX_Request *r, sr_mono_ms deadline)
{
	char bytes[4096];
	size_t total = 0;
	int n;

	while ((n = FCGX_GetStr(bytes, sizeof bytes, r->in)) > 0) {
		total += (size_t)n;
		if (total > BODY_BYTES_MAX)
			return "a body of more than 64 KiB on a request that takes none";
		if (sr_clock_mono() >= deadline)
			return "its body was not whole within receive_timeout";
		set_receive_timeout(r->ipcFd, deadline);
	}
	return FCGX_GetError(r->in) ? "its body broke off" : NULL;
}

static struct sr_request *from_params(FCGX_Request *r, const struct settings *settings)
{
	struct sr_request_values values = {
	    .method = FCGX_GetParam("REQUEST_METHOD", r->envp), .script_name = FCGX_GetParam("SCRIPT_NAME", r->envp),
	    .path_info = FCGX_GetParam("PATH_INFO", r->envp), .query = FCGX_GetParam("QUERY_STRING", r->envp),
	    .last_event_id = FCGX_GetParam("HTTP_LAST_EVENT_ID", r->envp), .user = FCGX_GetParam(settings->user_variable, r->envp),
	    .origin = FCGX_GetParam("HTTP_ORIGIN", r->envp), .remote_addr = FCGX_GetParam("REMOTE_ADDR", r->envp)};

	return sr_request_new(&values);
}

static void hand_over(struct sr_intake *in, struct sr_request *request)
{
	fcntl(request->fd, F_SETFL, fcntl(request->fd, F_GETFL) | O_NONBLOCK);
	pthread_mutex_lock(&in->lock);
	while (in->queued >= QUEUE_MAX && !in->stopping)
		pthread_cond_wait(&in->room, &in->lock);
	*in->tail = request;
	in->tail = &request->next;
	in->queued++;
	pthread_mutex_unlock(&in->lock);
	ev_async_send(in->loop, &in->arrived);
}

static void refuse(int fd, const char *why)
{
	sr_log(SR_LOG_WARN, "fastcgi connection refused", "reason", why, (char *)NULL);
	close(fd);
}

/* A head past the limits is answered by the loop with 414, unparsed. */
static void hand_over_refusal(struct sr_intake *in, int fd, uint16_t id, const char *why)
{
	struct sr_request *request = sr_request_new(&(struct sr_request_values){.method = "GET"});

	if (!request) {
		refuse(fd, "out of memory");
		return;
	}
	request->fd = fd;
	request->id = id;
	request->refusal = why;
	hand_over(in, request);
}

/* libfcgi parses exactly this connection: its listening socket is -1, so an error comes back instead of a new accept. */
static void parse(struct sr_intake *in, int fd, sr_mono_ms deadline, const struct settings *settings)
{
	FCGX_Request r;
	struct sr_request *request = NULL;
	const char *why = "libfcgi could not parse it";

	set_receive_timeout(fd, deadline);
	FCGX_InitRequest(&r, -1, 0);
	r.ipcFd = fd;
	r.keepConnection = 1;
	if (FCGX_Accept_r(&r) != 0) { /* it closed fd */
		sr_log(SR_LOG_WARN, "fastcgi connection refused", "reason", why, (char *)NULL);
		FCGX_Free(&r, 0);
		return;
	}
	why = drain_stdin(&r, deadline);
	if (!why) {
		request = from_params(&r, settings);
		why = request ? NULL : "out of memory";
	}
	if (request) {
		request->fd = r.ipcFd;
		request->id = (uint16_t)r.requestId;
	}
	r.ipcFd = -1; /* ours from here on: libfcgi must not linger on it */
	FCGX_Free(&r, 0);
	if (request)
		hand_over(in, request);
	else
		refuse(fd, why);
}

static void serve(struct sr_intake *in, int fd, uint8_t *bytes)
{
	struct settings settings;
	sr_mono_ms deadline;
	const char *why = "";
	uint16_t id = 0;

	take_settings(in, &settings);
	deadline = sr_clock_mono() + settings.receive_timeout;
	switch (await_head(fd, bytes, deadline, &id, &why)) {
	case SR_INSPECT_WHOLE:
		parse(in, fd, deadline, &settings);
		break;
	case SR_INSPECT_BIG:
		hand_over_refusal(in, fd, id, why);
		break;
	default:
		refuse(fd, why);
	}
}

/* --- threads ------------------------------------------------------------------------------------------------- */

static bool pause_or_stop(struct sr_intake *in, int ms)
{
	struct pollfd p = {.fd = in->stop_fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0;
}

/* EPOLLEXCLUSIVE: of all threads and processes on this socket, one or few are woken for a connection. */
static int watch(struct sr_intake *in)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event listening = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = in->listen_fd};
	struct epoll_event stop = {.events = EPOLLIN, .data.fd = in->stop_fd};

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, in->listen_fd, &listening) != 0 || epoll_ctl(ep, EPOLL_CTL_ADD, in->stop_fd, &stop) != 0) {
		sr_log(SR_LOG_ERROR, "an intake thread cannot watch its socket", "reason", strerror(errno), (char *)NULL);
		if (ep >= 0)
			close(ep);
		return -1;
	}
	return ep;
}

static void accept_all(struct sr_intake *in, uint8_t *bytes)
{
	static _Thread_local int said; /* errno that was logged last, so that a full table is said once */
	int fd;

	while (!in->stopping && (fd = accept4(in->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		said = 0;
		serve(in, fd, bytes);
	}
	if (in->stopping || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	if (said != errno)
		sr_log(SR_LOG_ERROR, "cannot accept", "reason", strerror(errno), "raise", "the open files limit (LimitNOFILE, ulimit -n)", (char *)NULL);
	said = errno;
	pause_or_stop(in, ACCEPT_PAUSE_MS);
}

static void *run(void *arg)
{
	struct sr_intake *in = arg;
	struct epoll_event events[2];
	uint8_t *bytes = sr_malloc(SR_INSPECT_BYTES_MAX);
	int ep = bytes ? watch(in) : -1, n;

	while (ep >= 0) {
		n = epoll_wait(ep, events, 2, -1);
		for (int i = 0; i < n; i++)
			if (events[i].data.fd == in->stop_fd)
				goto out;
		if (n > 0)
			accept_all(in, bytes);
	}
out:
	if (ep >= 0)
		close(ep);
	free(bytes);
	return NULL;
}

static void on_arrived(struct ev_loop *loop, ev_async *w, int revents)
{
	struct sr_intake *in = w->data;
	struct sr_request *list, *next;

	(void)loop;
	(void)revents;
	pthread_mutex_lock(&in->lock);
	list = in->head;
	in->head = NULL;
	in->tail = &in->head;
	in->queued = 0;
	pthread_cond_broadcast(&in->room);
	pthread_mutex_unlock(&in->lock);
	for (; list; list = next) {
		next = list->next;
		list->next = NULL;
		in->cb(in->ctx, list);
	}
}

static int start_threads(struct sr_intake *in, int count)
{
	sigset_t all, old;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; error == 0 && in->threads < count; in->threads += error == 0)
		error = pthread_create(&in->thread[in->threads], NULL, run, in);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return error;
}

struct sr_intake *sr_intake_start(struct ev_loop *loop, const struct sr_intake_options *o, sr_intake_cb *cb, void *ctx)
{
	struct sr_intake *in = sr_calloc(1, sizeof *in);

	if (!in)
		return NULL;
	in->listen_fd = o->listen_fd;
	in->loop = loop;
	in->cb = cb;
	in->ctx = ctx;
	in->tail = &in->head;
	in->receive_timeout = o->receive_timeout;
	in->user_variable = sr_strdup(o->user_variable);
	in->thread = sr_calloc((size_t)o->threads, sizeof *in->thread);
	in->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&in->lock, NULL);
	pthread_cond_init(&in->room, NULL);
	ev_async_init(&in->arrived, on_arrived);
	in->arrived.data = in;
	ev_async_start(loop, &in->arrived);
	if (!in->user_variable || !in->thread || in->stop_fd < 0 || FCGX_Init() != 0 ||
	    fcntl(in->listen_fd, F_SETFL, fcntl(in->listen_fd, F_GETFL) | O_NONBLOCK) != 0 || start_threads(in, o->threads) != 0) {
		sr_intake_free(in);
		return NULL;
	}
	return in;
}

enum sr_err sr_intake_configure(struct sr_intake *in, int64_t receive_timeout, const char *user_variable)
{
	char *copy = sr_strdup(user_variable), *old;

	if (!copy)
		return SR_ENOMEM;
	pthread_mutex_lock(&in->lock);
	old = in->user_variable;
	in->user_variable = copy;
	in->receive_timeout = receive_timeout;
	pthread_mutex_unlock(&in->lock);
	free(old);
	return SR_OK;
}

void sr_intake_stop(struct sr_intake *in)
{
	pthread_mutex_lock(&in->lock);
	in->stopping = true;
	pthread_cond_broadcast(&in->room);
	pthread_mutex_unlock(&in->lock);
	if (eventfd_write(in->stop_fd, 1) != 0)
		sr_log(SR_LOG_ERROR, "cannot stop the intake", "reason", strerror(errno), (char *)NULL);
}

void sr_intake_free(struct sr_intake *in)
{
	int error = errno;

	if (!in)
		return;
	if (in->stop_fd >= 0)
		sr_intake_stop(in);
	for (int i = 0; i < in->threads; i++)
		pthread_join(in->thread[i], NULL);
	ev_async_stop(in->loop, &in->arrived);
	for (struct sr_request *r = in->head, *next; r; r = next) {
		next = r->next;
		sr_request_free(r);
	}
	if (in->stop_fd >= 0)
		close(in->stop_fd);
	pthread_mutex_destroy(&in->lock);
	pthread_cond_destroy(&in->room);
	free(in->user_variable);
	free(in->thread);
	free(in);
	errno = error;
}
