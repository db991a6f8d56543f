/* relay.c - see relay.h. */
#include "fcgi/relay.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- the body ------------------------------------------------------------------------------------------------- */

static bool body_waits(const struct sr_relay *r)
{
	return r->at < r->len;
}

static void push(struct sr_relay *r)
{
	ssize_t n = send(r->connection, r->piece + r->at, r->len - r->at, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		r->at += (uint32_t)n;
	ev_io_stop(r->loop, &r->in);
	ev_io_stop(r->loop, &r->to);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return; /* the responder wants no more of it; what it says comes all the same */
	if (body_waits(r))
		ev_io_start(r->loop, &r->to);
	else if (r->body)
		ev_io_start(r->loop, &r->in);
}

static void on_to(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	push(w->data);
}

static void add_record(struct sr_relay *r, uint16_t content)
{
	sr_record_stdin((uint8_t *)r->piece + r->len, r->response.request_id, content);
	r->len += SR_RECORD_HEADER + content;
}

static void on_in(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sr_relay *r = w->data;
	size_t room = sizeof r->piece - 2 * SR_RECORD_HEADER;
	ssize_t n = read(w->fd, r->piece + SR_RECORD_HEADER, r->body < room ? (size_t)r->body : room);

	(void)loop;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	r->at = r->len = 0;
	if (n > 0)
		add_record(r, (uint16_t)n);
	if (n <= 0)
		r->body = 0; /* it broke off: shorter than announced, as the responder will see */
	else if (r->body != SR_RELAY_TO_END)
		r->body -= (uint64_t)n;
	if (r->body == 0)
		add_record(r, 0);
	push(r);
}

/* --- the response --------------------------------------------------------------------------------------------- */

static void leave(struct sr_relay *r)
{
	ev_io_stop(r->loop, &r->in);
	ev_io_stop(r->loop, &r->to);
	ev_io_stop(r->loop, &r->from);
	if (r->connection >= 0)
		close(r->connection);
	r->connection = -1;
}

static void finish(struct sr_relay *r)
{
	leave(r);
	ev_timer_stop(r->loop, &r->linger);
	ev_io_stop(r->loop, &r->left);
	r->done = true;
}

static void over(struct sr_relay *r)
{
	leave(r);
	r->over = true;
	if (sr_tee_waits(&r->out))
		ev_timer_start(r->loop, &r->linger);
	else
		finish(r);
}

static void on_from(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sr_relay *r = w->data;
	char bytes[SR_RELAY_PIECE];
	const char *piece;
	size_t at = 0, len;
	ssize_t n = recv(r->connection, bytes, sizeof bytes, MSG_DONTWAIT);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	while (n > 0 && !r->done && (len = sr_response_next(&r->response, bytes, (size_t)n, &at, &piece)))
		sr_tee_write(&r->out, piece, len);
	if (r->done)
		return; /* the client left */
	if (n <= 0 || r->response.ended || r->response.broken)
		over(r);
	else if (sr_tee_waits(&r->out))
		ev_io_stop(loop, w);
}

static void on_change(void *ctx, struct sr_tee *t)
{
	struct sr_relay *r = ctx;

	if (t->error || r->over)
		finish(r);
	else
		ev_io_start(r->loop, &r->from);
}

/* --- the client ----------------------------------------------------------------------------------------------- */

static void on_left(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	finish(w->data);
}

static void on_linger(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	finish(w->data);
}

/* A descriptor that is readable when an error or a hang-up is on `fd`, and for nothing else: on a socket that also takes input a
 * readable end is no sign. -1: of a file nobody leaves. */
static int watch_reader(int fd)
{
	struct epoll_event nothing_else = {.events = 0};
	int watch = epoll_create1(EPOLL_CLOEXEC);

	if (watch < 0 || epoll_ctl(watch, EPOLL_CTL_ADD, fd, &nothing_else) == 0)
		return watch;
	close(watch);
	return -1;
}

static void set_io(struct sr_relay *r, ev_io *w, void (*cb)(struct ev_loop *, ev_io *, int), int fd, int events)
{
	ev_io_init(w, cb, fd, events);
	w->data = r;
}

void sr_relay_start(struct sr_relay *r, struct ev_loop *loop, int connection, uint16_t request_id, int in, int out, uint64_t body)
{
	int watch = watch_reader(out);

	*r = (struct sr_relay){.loop = loop, .response = {.request_id = request_id}, .connection = connection, .body = body};
	set_io(r, &r->in, on_in, in, EV_READ);
	set_io(r, &r->to, on_to, connection, EV_WRITE);
	set_io(r, &r->from, on_from, connection, EV_READ);
	set_io(r, &r->left, on_left, watch, EV_READ);
	ev_timer_init(&r->linger, on_linger, SR_RELAY_LINGER_MS / 1000.0, 0.);
	r->linger.data = r;
	sr_tee_init(&r->out, loop, out, SR_RELAY_PIECE, on_change, r);
	ev_io_start(loop, &r->from);
	if (body)
		ev_io_start(loop, &r->in);
	if (watch >= 0)
		ev_io_start(loop, &r->left);
}

void sr_relay_stop(struct sr_relay *r)
{
	finish(r);
	sr_tee_release(&r->out);
	if (r->left.fd >= 0)
		close(r->left.fd);
	r->left.fd = -1;
}
