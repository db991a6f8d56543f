/* intake.c - see intake.h. libfcgi's private fields are used as "taking a request over" needs them: Debian's ABI keeps
 * them, and fcgiapp.h shows them. */
#include "fcgi/intake.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fcgi/due.h"
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX 4096      /* requests the loop has not taken yet; then the threads wait */
#define INCOMPLETE_MAX 1024 /* connections of one thread whose request is not whole */
#define ACCEPT_PAUSE_MS 200 /* when descriptors or memory are out: other streams may leave */
#define ACCEPT_WAIT_MS 10   /* for a connection that another process took first, should accept() wait at all */
#define STOP_WAIT_MS 1000   /* after sr_intake_stop(): for the rest of requests that have begun */

struct sr_intake {
	int listen_fd, stop_fd; /* stop_fd is readable from sr_intake_stop() on */
	struct ev_loop *loop;
	ev_async arrived;
	sr_intake_cb *cb;
	void *ctx;
	int threads;
	pthread_t *thread;
	atomic_bool stopping;
	atomic_int ended;       /* threads */

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t room;
	struct sr_request *head, **tail;
	unsigned queued;
	int64_t receive_timeout;
	char *user_variable;
};

/* A connection whose head is not whole yet. */
struct incomplete {
	struct sr_due due; /* in the thread's list, by its deadline */
	int fd;
};

/* One thread's own. */
struct intake_thread {
	struct sr_intake *in;
	int ep;
	struct sr_due incomplete;
	unsigned count;  /* in the list */
	int said;        /* errno of accept that was logged last, so that a full table is said once */
	uint8_t *bytes;  /* room to peek a head */
	size_t peeked;   /* bytes of it that were written since it was wiped */
};

static int64_t receive_timeout(struct sr_intake *in)
{
	int64_t ms;

	pthread_mutex_lock(&in->lock);
	ms = in->receive_timeout;
	pthread_mutex_unlock(&in->lock);
	return ms;
}

/* --- one request --------------------------------------------------------------------------------------------- */

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

static struct sr_request *from_params(struct sr_intake *in, FCGX_Request *r)
{
	char user_variable[128], *authorization = FCGX_GetParam("HTTP_AUTHORIZATION", r->envp);
	struct sr_request_values values;
	struct sr_request *request;

	pthread_mutex_lock(&in->lock);
	snprintf(user_variable, sizeof user_variable, "%s", in->user_variable);
	pthread_mutex_unlock(&in->lock);
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

/* A request past the limits is answered by the loop with 414, unparsed. */
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

/* libfcgi parses exactly this descriptor: its listening socket is -1, so an error comes back instead of a new accept. On success the
 * descriptor is still open, and on failure it is closed. */
static struct sr_request *parse(struct sr_intake *in, int fd)
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
		request = from_params(in, &r);
	if (request)
		request->id = (uint16_t)r.requestId;
	r.ipcFd = -1; /* ours from here on: libfcgi must not linger on it */
	FCGX_Free(&r, 0);
	if (!request)
		refuse(fd, "out of memory");
	return request;
}

static void take_whole(struct sr_intake *in, int fd)
{
	struct sr_request *request;

	bound_reads(fd);
	request = parse(in, fd);
	if (!request)
		return;
	request->fd = fd;
	hand_over(in, request);
}

struct verdict {
	enum sr_inspect what;
	uint16_t id;
	size_t head; /* SR_INSPECT_BODY */
	const char *why;
};

/* A descriptor from which libfcgi can read the head and the end of STDIN, and nothing else; -1 with errno. libfcgi reads ahead, so that
 * it must not see a connection on which a body follows. */
static int copy_of_head(const struct intake_thread *t, const struct verdict *v)
{
	uint8_t end[SR_RECORD_HEADER];
	int fd = memfd_create("head", MFD_CLOEXEC);
	bool whole;

	if (fd < 0)
		return -1;
	sr_record_stdin(end, v->id, 0);
	whole = pwrite(fd, t->bytes, v->head, 0) == (ssize_t)v->head && pwrite(fd, end, sizeof end, (off_t)v->head) == (ssize_t)sizeof end;
	if (whole)
		return fd;
	close(fd);
	return -1;
}

/* Take the head, which was peeked, off the connection: the next byte is the body's. */
static bool consume_head(struct intake_thread *t, int fd, size_t head)
{
	while (head) {
		ssize_t n = recv(fd, t->bytes, head, MSG_DONTWAIT);

		if (n <= 0)
			return false;
		head -= (size_t)n;
	}
	return true;
}

static void take_head(struct intake_thread *t, int fd, const struct verdict *v)
{
	int copy = copy_of_head(t, v);
	struct sr_request *request;

	if (copy < 0 || !consume_head(t, fd, v->head)) {
		refuse(fd, strerror(errno));
		if (copy >= 0)
			close(copy);
		return;
	}
	request = parse(t->in, copy);
	if (!request) {
		close(fd);
		return;
	}
	close(copy);
	request->fd = fd;
	request->has_body = true;
	hand_over(t->in, request);
}

static struct verdict peek(struct intake_thread *t, int fd)
{
	struct verdict v = {.what = SR_INSPECT_MORE, .why = "closed before the request was whole"};
	ssize_t n = recv(fd, t->bytes, SR_INSPECT_BYTES_MAX, MSG_PEEK | MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		v.what = SR_INSPECT_BAD;
		v.why = n == 0 ? v.why : strerror(errno);
	} else if (n > 0) {
		t->peeked = t->peeked > (size_t)n ? t->peeked : (size_t)n;
		v.what = sr_inspect(t->bytes, (size_t)n, &v.id, &v.head, &v.why);
	}
	if (v.what == SR_INSPECT_MORE && n == SR_INSPECT_BYTES_MAX) {
		v.what = v.id ? SR_INSPECT_BIG : SR_INSPECT_BAD;
		v.why = "the request passes 96 KiB";
	}
	return v;
}

static void act(struct intake_thread *t, int fd, const struct verdict *v)
{
	if (v->what == SR_INSPECT_WHOLE)
		take_whole(t->in, fd);
	else if (v->what == SR_INSPECT_BODY)
		take_head(t, fd, v);
	else if (v->what == SR_INSPECT_BIG)
		hand_over_refusal(t->in, fd, v->id, v->why);
	else
		refuse(fd, v->why);
	/* A publisher's token may be in there. */
	explicit_bzero(t->bytes, t->peeked);
	t->peeked = 0;
}

/* --- connections that are not whole yet ---------------------------------------------------------------------- */

static void forget(struct intake_thread *t, struct incomplete *c)
{
	sr_due_remove(&c->due);
	t->count--;
	free(c);
}

/* Peeked bytes stay readable, so only an edge tells of more of them. */
static void wait_for_rest(struct intake_thread *t, int fd)
{
	struct incomplete *c = t->count < INCOMPLETE_MAX ? sr_calloc(1, sizeof *c) : NULL;
	struct epoll_event edge = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = c};

	if (!c || epoll_ctl(t->ep, EPOLL_CTL_ADD, fd, &edge) != 0) {
		free(c);
		refuse(fd, "too many requests that are not whole");
		return;
	}
	c->fd = fd;
	t->count++;
	sr_due_add(&t->incomplete, &c->due, sr_clock_mono() + receive_timeout(t->in));
}

static void on_more(struct intake_thread *t, struct incomplete *c, uint32_t events)
{
	struct verdict v = peek(t, c->fd);
	int fd = c->fd;

	if (v.what == SR_INSPECT_MORE && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		return;
	/* Out of epoll first: whoever gets the connection next may close it and its number be reused. */
	epoll_ctl(t->ep, EPOLL_CTL_DEL, fd, NULL);
	forget(t, c);
	act(t, fd, &v);
}

static void expire(struct intake_thread *t)
{
	struct sr_due *d;

	while ((d = sr_due_first(&t->incomplete)) && d->at <= sr_clock_mono()) {
		struct incomplete *c = SR_DUE_OWNER(d, struct incomplete, due);
		int fd = c->fd;

		forget(t, c);
		refuse(fd, "not whole within receive_timeout");
	}
}

/* --- threads ------------------------------------------------------------------------------------------------- */

static void pause_or_stop(struct sr_intake *in, int ms)
{
	struct pollfd p = {.fd = in->stop_fd, .events = POLLIN};

	poll(&p, 1, ms);
}

static void accept_all(struct intake_thread *t)
{
	struct sr_intake *in = t->in;
	int fd;

	while (!in->stopping && (fd = accept4(in->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct verdict v = peek(t, fd);

		t->said = 0;
		if (v.what == SR_INSPECT_MORE)
			wait_for_rest(t, fd);
		else
			act(t, fd, &v);
	}
	if (in->stopping || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	if (t->said != errno)
		sr_log(SR_LOG_ERROR, "cannot accept", "reason", strerror(errno), "raise", "the open files limit (LimitNOFILE, ulimit -n)", (char *)NULL);
	t->said = errno;
	pause_or_stop(in, ACCEPT_PAUSE_MS);
}

/* EPOLLEXCLUSIVE: of all threads and processes on this socket, one or few are woken for a connection. */
static bool watch_listener(struct intake_thread *t)
{
	struct epoll_event listening = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &t->in->listen_fd};

	return epoll_ctl(t->ep, EPOLL_CTL_ADD, t->in->listen_fd, &listening) == 0;
}

/* The kernel wakes the first in its queue, which would be the same one for ever: whoever was served goes to the end, so that
 * processes share the streams evenly. */
static void queue_up_again(struct intake_thread *t)
{
	if (epoll_ctl(t->ep, EPOLL_CTL_DEL, t->in->listen_fd, NULL) != 0 || !watch_listener(t))
		sr_log(SR_LOG_ERROR, "an intake thread lost its socket", "reason", strerror(errno), (char *)NULL);
}

static bool watch(struct intake_thread *t)
{
	struct epoll_event stop = {.events = EPOLLIN, .data.ptr = &t->in->stop_fd};

	t->ep = epoll_create1(EPOLL_CLOEXEC);
	t->bytes = sr_malloc(SR_INSPECT_BYTES_MAX);
	if (t->ep >= 0 && t->bytes && watch_listener(t) && epoll_ctl(t->ep, EPOLL_CTL_ADD, t->in->stop_fd, &stop) == 0)
		return true;
	sr_log(SR_LOG_ERROR, "an intake thread cannot watch its socket", "reason", strerror(errno), (char *)NULL);
	return false;
}

/* Wait for at most `most` ms; -1: for however long. */
static void wait_and_work(struct intake_thread *t, int most)
{
	struct epoll_event events[64];
	struct sr_due *first = sr_due_first(&t->incomplete);
	int64_t left = first ? first->at - sr_clock_mono() : -1;
	int wait = first ? (left > 0 ? (int)left + 1 : 0) : -1;
	int n = epoll_wait(t->ep, events, 64, most >= 0 && (wait < 0 || wait > most) ? most : wait);

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr == &t->in->stop_fd)
			continue; /* `stopping` says it */
		if (events[i].data.ptr == &t->in->listen_fd) {
			accept_all(t);
			queue_up_again(t);
		} else {
			on_more(t, events[i].data.ptr, events[i].events);
		}
	}
	expire(t);
}

/* The backlog is for the other processes. Whoever was accepted may say the rest: a restart refuses nobody. */
static void finish(struct intake_thread *t)
{
	sr_mono_ms until = sr_clock_mono() + STOP_WAIT_MS;
	struct sr_due *d;

	epoll_ctl(t->ep, EPOLL_CTL_DEL, t->in->listen_fd, NULL);
	epoll_ctl(t->ep, EPOLL_CTL_DEL, t->in->stop_fd, NULL);
	while (sr_due_first(&t->incomplete) && sr_clock_mono() < until)
		wait_and_work(t, (int)(until - sr_clock_mono()) + 1);
	while ((d = sr_due_first(&t->incomplete))) {
		struct incomplete *c = SR_DUE_OWNER(d, struct incomplete, due);

		refuse(c->fd, "stopping, and not whole yet");
		forget(t, c);
	}
}

static void *run(void *arg)
{
	struct intake_thread t = {.in = arg, .ep = -1};

	sr_due_list_init(&t.incomplete);
	if (watch(&t)) {
		while (!t.in->stopping)
			wait_and_work(&t, -1);
		finish(&t);
	}
	if (t.ep >= 0)
		close(t.ep);
	free(t.bytes);
	t.in->ended++;
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

/* The flags of the listening socket belong to all who share it. systemd takes O_NONBLOCK away each time it starts one more of them
 * with the socket as standard input, and whoever is in accept() just then would stay there. The time limit is the socket's
 * own, which nobody resets, and as good: accept() obeys it. */
static int make_accept_return(int listen_fd)
{
	struct timeval tv = {.tv_usec = ACCEPT_WAIT_MS * 1000};

	if (setsockopt(listen_fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) != 0)
		return -1;
	return fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
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
	    make_accept_return(in->listen_fd) != 0 || start_threads(in, o->threads) != 0) {
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

bool sr_intake_quiet(struct sr_intake *in)
{
	bool quiet;

	pthread_mutex_lock(&in->lock);
	quiet = in->ended == in->threads && !in->head;
	pthread_mutex_unlock(&in->lock);
	return quiet;
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
