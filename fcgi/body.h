/* body.h - the body of one request, read from its FastCGI connection on the loop: STDIN records to bytes, without blocking.
 *
 *   reading <──resume, pause──> paused          stopped after on_end, or by sr_body_stop()
 *      └── discarding: what comes is thrown away, within bounds
 *
 * Never more than SR_BODY_PIECE bytes are held, on the stack: whoever cannot take more pauses, and the connection's own buffers then
 * hold up the web server. While it is paused nothing is noticed, not even that the client left.
 * Rules: FastCGI 1.0, 5.3 (STDIN), 5.4 (ABORT_REQUEST). */
#ifndef SR_BODY_H
#define SR_BODY_H
#include "common/clock.h"
#include "fcgi/record.h"
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_BODY_PIECE 16384     /* bytes of one on_bytes at most */
#define SR_BODY_PACE 1024       /* bytes that must come within the timeout (or the end), so that nobody holds a place by dripping */
#define SR_BODY_ANY UINT64_MAX  /* no length is expected */

enum sr_body_end {
	SR_BODY_END,   /* all of it came */
	SR_BODY_SHORT, /* its end came before the expected length */
	SR_BODY_LONG,  /* it is longer than that; the rest is unread */
	SR_BODY_LATE,  /* too slow: SR_BODY_PACE */
	SR_BODY_MUCH,  /* discarding: past the bounds; the rest is unread */
	SR_BODY_LEFT,  /* the client left: end of file, an error of the socket, or ABORT_REQUEST */
	SR_BODY_BROKEN /* not FastCGI, or not this request's */
};

struct sr_body;
struct sr_body_ops {
	/* Some of it, len >= 1; all of it must be taken. May call pause, discard and stop; must not free. NULL when only discarding. */
	void (*on_bytes)(struct sr_body *b, const char *bytes, size_t len);
	/* Nothing more will come. The last call but for SR_BODY_LONG and SR_BODY_LATE, after which sr_body_discard() reads on; may free. */
	void (*on_end)(struct sr_body *b, enum sr_body_end end);
};

struct sr_body {
	ev_io io;
	ev_timer timer;
	struct ev_loop *loop;
	const struct sr_body_ops *ops;
	uint64_t expected, got;     /* content bytes */
	sr_mono_ms timeout, discard_until;
	uint64_t discard_max, discarded;
	uint32_t paced;             /* bytes since the deadline was set */
	uint16_t request_id;
	uint16_t content;           /* bytes of the record's content still to come */
	uint8_t padding;            /* and of its padding */
	uint8_t header_len;         /* bytes of the next header that are in */
	uint8_t header[SR_RECORD_HEADER];
	bool discarding;
};

/**
 * Begin to read. Calls back from the loop only.
 * fd        non-blocking; stays the caller's, who closes it after on_end or sr_body_stop()
 * expected  CONTENT_LENGTH, or SR_BODY_ANY
 */
void sr_body_start(struct sr_body *b, struct ev_loop *loop, int fd, uint16_t request_id, uint64_t expected, sr_mono_ms timeout,
                   const struct sr_body_ops *ops);
void sr_body_pause(struct sr_body *b);
void sr_body_resume(struct sr_body *b);
/* Throw away what still comes, at most so many bytes for so long; then on_end. Lengths no longer count. */
void sr_body_discard(struct sr_body *b, uint64_t bytes, sr_mono_ms ms);
/* No more calls. Twice is fine, and so is one that ended. */
void sr_body_stop(struct sr_body *b);

#endif
