/* body.c - see body.h. */
#include "fcgi/body.h"

#include <errno.h>
#include <sys/socket.h>

#define READS_A_TURN 16 /* of one body, so that a fast sender does not starve the others */

void sr_body_stop(struct sr_body *b)
{
	ev_io_stop(b->loop, &b->io);
	ev_timer_stop(b->loop, &b->timer);
}

static bool is_reading(const struct sr_body *b)
{
	return ev_is_active(&b->io);
}

static void end(struct sr_body *b, enum sr_body_end how)
{
	sr_body_stop(b);
	b->ops->on_end(b, how);
}

/* Set the deadline anew. */
static void pace(struct sr_body *b)
{
	sr_mono_ms ms = b->timeout;

	if (b->discarding && b->discard_until - sr_clock_mono() < ms)
		ms = b->discard_until - sr_clock_mono();
	b->paced = 0;
	b->timer.repeat = ms > 1 ? (double)ms / 1000 : 0.001;
	ev_now_update(b->loop);
	ev_timer_again(b->loop, &b->timer);
}

static void on_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_body *b = w->data;

	(void)loop;
	(void)revents;
	end(b, b->discarding && sr_clock_mono() >= b->discard_until ? SR_BODY_MUCH : SR_BODY_LATE);
}

/* true: go on with the next read. */
static bool take_content(struct sr_body *b, const char *bytes, size_t len)
{
	b->content = (uint16_t)(b->content - len);
	b->got += len;
	b->paced += (uint32_t)len;
	if (b->paced >= SR_BODY_PACE)
		pace(b);
	if (b->discarding) {
		b->discarded += len;
		if (b->discarded > b->discard_max) {
			end(b, SR_BODY_MUCH);
			return false;
		}
		return true;
	}
	if (b->got > b->expected) {
		end(b, SR_BODY_LONG);
		return false;
	}
	b->ops->on_bytes(b, bytes, len);
	return is_reading(b);
}

static bool take_header(struct sr_body *b)
{
	struct sr_record record;

	b->header_len = 0;
	if (!sr_record_read(&record, b->header) || record.request_id != b->request_id) {
		end(b, SR_BODY_BROKEN);
		return false;
	}
	if (record.kind != SR_RECORD_STDIN) {
		end(b, record.kind == SR_RECORD_ABORT ? SR_BODY_LEFT : SR_BODY_BROKEN);
		return false;
	}
	if (record.len == 0) {
		end(b, !b->discarding && b->expected != SR_BODY_ANY && b->got < b->expected ? SR_BODY_SHORT : SR_BODY_END);
		return false;
	}
	b->content = record.len;
	b->padding = record.padding;
	return true;
}

static bool take(struct sr_body *b, const char *bytes, size_t len)
{
	if (b->content)
		return take_content(b, bytes, len);
	if (b->padding) {
		b->padding = (uint8_t)(b->padding - len);
		return true;
	}
	b->header_len = (uint8_t)(b->header_len + len);
	return b->header_len < SR_RECORD_HEADER || take_header(b);
}

/* Read what is wanted next: content, padding or a header; never beyond it. */
static bool read_some(struct sr_body *b)
{
	char bytes[SR_BODY_PIECE], *to = bytes;
	size_t want = b->content ? b->content : b->padding;
	ssize_t n;

	if (want == 0) {
		to = (char *)b->header + b->header_len;
		want = SR_RECORD_HEADER - b->header_len;
	} else if (want > sizeof bytes) {
		want = sizeof bytes;
	}
	n = recv(b->io.fd, to, want, MSG_DONTWAIT);
	if (n > 0)
		return take(b, to, (size_t)n);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		end(b, SR_BODY_LEFT);
	return false;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sr_body *b = w->data;

	(void)loop;
	(void)revents;
	for (int i = 0; i < READS_A_TURN && read_some(b); i++)
		;
}

void sr_body_start(struct sr_body *b, struct ev_loop *loop, int fd, uint16_t request_id, uint64_t expected, sr_mono_ms timeout,
                   const struct sr_body_ops *ops)
{
	*b = (struct sr_body){.loop = loop, .ops = ops, .expected = expected, .timeout = timeout, .request_id = request_id};
	ev_io_init(&b->io, on_readable, fd, EV_READ);
	ev_init(&b->timer, on_late);
	b->io.data = b->timer.data = b;
	sr_body_resume(b);
}

void sr_body_pause(struct sr_body *b)
{
	sr_body_stop(b);
}

void sr_body_resume(struct sr_body *b)
{
	if (is_reading(b))
		return;
	ev_io_start(b->loop, &b->io);
	pace(b);
}

void sr_body_discard(struct sr_body *b, uint64_t bytes, sr_mono_ms ms)
{
	b->discarding = true;
	b->discard_max = bytes;
	b->discard_until = sr_clock_mono() + ms;
	ev_io_start(b->loop, &b->io);
	pace(b);
}
