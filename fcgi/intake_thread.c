/* intake_thread.c - one thread: accept, wait until a head is whole, have it parsed, hand it over. See intake.h. */
#include "fcgi/intake_parts.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fcgi/due.h"
#include "fcgi/inspect.h"
#include "fcgi/parse.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define INCOMPLETE_MAX 1024 /* connections of one thread whose request is not whole */
#define ACCEPT_PAUSE_MS 200 /* when descriptors or memory are out: other streams may leave */
#define STOP_WAIT_MS 1000   /* after sr_intake_stop(): for the rest of requests that have begun */

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
	char user_variable[SR_USER_VARIABLE_SIZE];
};

/* --- one request --------------------------------------------------------------------------------------------- */

/* A request past the limits is answered by the loop with 414, unparsed. */
static void hand_over_refusal(struct sr_intake *in, int fd, uint16_t id, const char *why)
{
	struct sr_request *request = sr_request_new(&(struct sr_request_values){.method = "GET"});

	if (!request) {
		sr_parse_refuse(fd, "out of memory");
		return;
	}
	request->fd = fd;
	request->id = id;
	request->refusal = why;
	sr_intake_hand_over(in, request);
}

struct verdict {
	enum sr_inspect what;
	uint16_t id;
	size_t head; /* SR_INSPECT_BODY */
	const char *why;
};

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
	sr_intake_user_variable(t->in, t->user_variable);
	if (v->what == SR_INSPECT_WHOLE)
		sr_intake_hand_over(t->in, sr_parse_whole(fd, t->user_variable));
	else if (v->what == SR_INSPECT_BODY)
		sr_intake_hand_over(t->in, sr_parse_head(fd, t->bytes, v->head, v->id, t->user_variable));
	else if (v->what == SR_INSPECT_BIG)
		hand_over_refusal(t->in, fd, v->id, v->why);
	else
		sr_parse_refuse(fd, v->why);
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
		sr_parse_refuse(fd, "too many requests that are not whole");
		return;
	}
	c->fd = fd;
	t->count++;
	sr_due_add(&t->incomplete, &c->due, sr_clock_mono() + sr_intake_receive_timeout(t->in));
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
		sr_parse_refuse(fd, "not whole within receive_timeout");
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

		sr_parse_refuse(c->fd, "stopping, and not whole yet");
		forget(t, c);
	}
}

void *sr_intake_run(void *arg)
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
