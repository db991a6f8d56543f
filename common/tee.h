/* tee.h - passes bytes on to a descriptor that others share (a standard output), without ever blocking the loop. What has not
 * yet been taken waits; meanwhile its owner stops to read, so that whoever writes feels a slow reader as it would without us. When
 * the owner reads on all the same, what is beyond the bound is lost, and what waits is still passed on. */
#ifndef SR_TEE_H
#define SR_TEE_H
#include "common/buf.h"
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

struct sr_tee {
	struct ev_loop *loop;
	ev_io io;
	int fd;
	size_t step;     /* bytes of one write that does not block when the descriptor is writable */
	struct sr_buf out;
	size_t at;       /* what of it was written */
	int error;       /* errno of the write that failed, or ENOBUFS or ENOMEM: nothing more is taken. 0 = none */
	void (*on_change)(void *ctx, struct sr_tee *t); /* it is empty, or it failed; may be called inside sr_tee_write() */
	void *ctx;
};

/* most: bytes that may wait */
void sr_tee_init(struct sr_tee *t, struct ev_loop *loop, int fd, size_t most, void (*on_change)(void *ctx, struct sr_tee *t), void *ctx);
void sr_tee_release(struct sr_tee *t);
void sr_tee_write(struct sr_tee *t, const char *bytes, size_t len);
bool sr_tee_waits(const struct sr_tee *t);

#endif
