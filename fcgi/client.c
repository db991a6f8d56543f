/* client.c - see client.h. */
#include "fcgi/client.h"

#include "common/mem.h"
#include "fcgi/record.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES_A_WRITE 8
#define WRITES_A_TURN 16 /* of one client, so that a fast reader of a long log does not starve the others */

static void watch(struct sr_client *c, int events)
{
	if (c->io.events == events && ev_is_active(&c->io))
		return;
	ev_io_stop(c->loop, &c->io);
	ev_io_modify(&c->io, events);
	ev_io_start(c->loop, &c->io);
}

/* Let the loop come to on_io, which alone may call the owner. */
static void wake(struct sr_client *c)
{
	ev_feed_event(c->loop, &c->io, EV_CUSTOM);
}

bool sr_client_blocked(const struct sr_client *c)
{
	return c->queued > 0;
}

static bool finished(const struct sr_client *c)
{
	return c->broken || (c->ending && c->queued == 0 && c->end_sent == SR_RECORD_END);
}

static void drop_front(struct sr_client *c)
{
	sr_frame_unref(c->queue[0]);
	c->queued--;
	memmove(c->queue, c->queue + 1, c->queued * sizeof *c->queue);
	c->offset = 0;
	if (c->queued == 0) {
		free(c->queue);
		c->queue = NULL;
		c->room = 0;
	}
}

static void written(struct sr_client *c, size_t n)
{
	while (n && c->queued) {
		size_t left = sr_frame_wire(c->queue[0]) - c->offset;

		c->bytes -= (uint32_t)(n < left ? n : left);
		if (n < left) {
			c->offset += (uint32_t)n;
			return;
		}
		n -= left;
		drop_front(c);
	}
}

/* true: the socket took it all, go on. */
static bool send_pieces(struct sr_client *c, struct iovec *pieces, int count, size_t total, size_t *sent)
{
	struct msghdr msg = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
	ssize_t n = sendmsg(c->io.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

	*sent = n > 0 ? (size_t)n : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		c->broken = true;
	return *sent == total;
}

static bool write_frames(struct sr_client *c)
{
	struct iovec pieces[FRAMES_A_WRITE * SR_FRAME_PIECES];
	uint8_t headers[FRAMES_A_WRITE][2][8];
	size_t total = 0, sent;
	int count = 0;
	bool all;

	for (uint32_t i = 0; i < c->queued && i < FRAMES_A_WRITE; i++) {
		size_t offset = i == 0 ? c->offset : 0;
		int n = sr_frame_pieces(c->queue[i], c->request_id, offset, pieces + count, headers[i]);
		size_t here = 0;

		for (int k = count; k < count + n; k++)
			here += pieces[k].iov_len;
		count += n;
		total += here;
		if (offset + here < sr_frame_wire(c->queue[i]))
			break; /* a frame of more than two records goes on in the next write */
	}
	all = send_pieces(c, pieces, count, total, &sent);
	written(c, sent);
	return all;
}

static bool write_end(struct sr_client *c)
{
	uint8_t end[SR_RECORD_END];
	struct iovec piece = {end + c->end_sent, sizeof end - c->end_sent};
	size_t sent;
	bool all;

	sr_record_end(end, c->request_id);
	all = send_pieces(c, &piece, 1, piece.iov_len, &sent);
	c->end_sent = (uint8_t)(c->end_sent + sent);
	return all;
}

static void write_on(struct sr_client *c)
{
	bool going = true;

	for (int i = 0; going && c->queued && i < WRITES_A_TURN; i++)
		going = write_frames(c);
	if (going && c->queued == 0 && c->ending && c->end_sent < SR_RECORD_END)
		write_end(c);
	if (finished(c))
		wake(c);
	else
		watch(c, c->queued || (c->ending && c->end_sent < SR_RECORD_END) ? EV_READ | EV_WRITE : EV_READ);
}

static void close_down(struct sr_client *c)
{
	uint8_t end[SR_RECORD_END];

	/* A peer that left half-way still reads our end (lighttpd's tcp-fin-propagate), and else logs an error for each client.
	 * Only on a record's boundary, and without waiting. */
	if (!c->ending && !c->broken && c->offset == 0) {
		sr_record_end(end, c->request_id);
		(void)!send(c->io.fd, end, sizeof end, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	ev_io_stop(c->loop, &c->io);
	close(c->io.fd);
	while (c->queued)
		drop_front(c);
	c->ops->on_gone(c);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sr_client *c = (struct sr_client *)(void *)w; /* io is the first member */
	bool was_blocked = c->queued > 0;

	(void)loop;
	/* STDIN was read to its end before the hand-over: anything readable is EOF, ABORT, or a peer out of its mind. */
	if (finished(c) || revents & EV_READ) {
		close_down(c);
		return;
	}
	if (revents & EV_WRITE)
		write_on(c);
	if (was_blocked && c->queued == 0 && !c->ending && !c->broken && c->ops->on_drained)
		c->ops->on_drained(c);
}

void sr_client_init(struct sr_client *c, struct ev_loop *loop, int fd, uint16_t request_id, uint32_t limit, const struct sr_client_ops *ops)
{
	*c = (struct sr_client){.loop = loop, .ops = ops, .request_id = request_id, .limit = limit};
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_io_start(loop, &c->io);
}

static bool enqueue(struct sr_client *c, struct sr_frame *frame)
{
	struct sr_frame **queue = c->queue;

	if (c->queued == c->room) {
		uint32_t room = c->room ? c->room * 2 : 4;

		queue = sr_realloc(c->queue, room * sizeof *queue);
		if (!queue)
			return false;
		c->queue = queue;
		c->room = room;
	}
	queue[c->queued++] = sr_frame_ref(frame);
	c->bytes += (uint32_t)sr_frame_wire(frame);
	return true;
}

bool sr_client_send(struct sr_client *c, struct sr_frame *frame)
{
	bool first = c->queued == 0;

	if (c->ending || c->broken || (!first && c->bytes + sr_frame_wire(frame) > c->limit))
		return false;
	if (!enqueue(c, frame))
		return false;
	if (first)
		write_on(c);
	return true;
}

void sr_client_end(struct sr_client *c)
{
	if (c->ending || c->broken)
		return;
	c->ending = true;
	if (c->queued == 0)
		write_on(c);
}

void sr_client_abort(struct sr_client *c)
{
	c->broken = true;
	wake(c);
}
