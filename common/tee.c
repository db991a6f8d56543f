/* tee.c - see tee.h. The descriptor is shared with other programs, so it is not made non-blocking: it is asked before each
 * write, and given no more than it then takes at once. */
#include "common/tee.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define TERMINAL_STEP 256 /* a terminal is writable when it has so much room, or nearly */

static size_t step_of(int fd)
{
	struct stat st;

	if (isatty(fd))
		return TERMINAL_STEP;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? SSIZE_MAX : PIPE_BUF;
}

static void fail(struct sr_tee *t, int error)
{
	t->error = error;
	sr_buf_release(&t->out);
	t->at = 0;
}

static bool is_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) > 0;
}

/* Write as much as is taken. */
static void push(struct sr_tee *t)
{
	while (t->at < t->out.len && is_writable(t->fd)) {
		size_t len = t->out.len - t->at;
		ssize_t n = write(t->fd, t->out.data + t->at, len < t->step ? len : t->step);

		if (n >= 0)
			t->at += (size_t)n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			fail(t, errno);
	}
	if (t->at == t->out.len) {
		sr_buf_reset(&t->out);
		t->at = 0;
		ev_io_stop(t->loop, &t->io);
	} else {
		ev_io_start(t->loop, &t->io);
	}
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sr_tee *t = w->data;

	(void)loop;
	(void)revents;
	push(t);
	if (!sr_tee_waits(t))
		t->on_change(t->ctx, t);
}

void sr_tee_init(struct sr_tee *t, struct ev_loop *loop, int fd, size_t most, void (*on_change)(void *ctx, struct sr_tee *t), void *ctx)
{
	*t = (struct sr_tee){.loop = loop, .fd = fd, .step = step_of(fd), .on_change = on_change, .ctx = ctx};
	sr_buf_init(&t->out, most);
	ev_io_init(&t->io, on_writable, fd, EV_WRITE);
	t->io.data = t;
}

void sr_tee_release(struct sr_tee *t)
{
	if (t->loop)
		ev_io_stop(t->loop, &t->io);
	sr_buf_release(&t->out);
}

void sr_tee_write(struct sr_tee *t, const char *bytes, size_t len)
{
	enum sr_err err;

	if (t->error)
		return;
	err = sr_buf_append(&t->out, bytes, len);
	if (err != SR_OK) /* what waits still goes out */
		t->error = err == SR_ETOOBIG ? ENOBUFS : ENOMEM;
	push(t);
	if (t->error)
		t->on_change(t->ctx, t);
}

bool sr_tee_waits(const struct sr_tee *t)
{
	return t->at < t->out.len;
}
