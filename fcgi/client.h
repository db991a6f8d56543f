/* client.h - the output side of one FastCGI request that the loop holds: frames go out without blocking, and the peer's leaving is
 * noticed (EOF, HUP, FCGI_ABORT_REQUEST or any other byte after STDIN, or a failed write).
 *
 * A client is embedded in its owner. Nothing here calls the owner back from inside sr_client_send() or sr_client_end(): on_gone
 * and on_drained come from the loop only, so a caller may walk a list of clients while it sends. */
#ifndef SR_CLIENT_H
#define SR_CLIENT_H
#include "fcgi/frame.h"
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct sr_client;
struct sr_client_ops {
	/* The connection is closed: the peer left, or everything is written and ended. The last call; the owner may free. */
	void (*on_gone)(struct sr_client *c);
	/* A client that was blocked has written all it had. May be NULL. */
	void (*on_drained)(struct sr_client *c);
};

struct sr_client {
	ev_io io;
	struct ev_loop *loop;
	const struct sr_client_ops *ops;
	struct sr_frame **queue; /* frames not yet wholly written; NULL while nothing waits */
	uint32_t queued, room;   /* frames in, and slots of, the queue */
	uint32_t offset;         /* wire bytes of queue[0] that are written */
	uint32_t bytes;          /* wire bytes that wait */
	uint32_t limit;          /* bytes that may wait: client_buffer */
	uint16_t request_id;
	uint8_t end_sent;        /* bytes of the end records that are written */
	bool ending : 1;         /* sr_client_end() was called */
	bool broken : 1;         /* a write failed */
};

/* Take over `fd` (non-blocking). ops, loop: kept by reference. */
void sr_client_init(struct sr_client *c, struct ev_loop *loop, int fd, uint16_t request_id, uint32_t limit, const struct sr_client_ops *ops);

/**
 * Send one frame, or queue it behind others. Takes its own reference.
 * Returns  true: written or queued. false: the limit is reached (a first frame is always taken), memory is out, or the client is ending
 *          or broken; the frame was not taken, nothing of it is written.
 */
bool sr_client_send(struct sr_client *c, struct sr_frame *frame);
/* true while something waits for the peer to read. */
bool sr_client_blocked(const struct sr_client *c);
/* End the request after what is queued: empty STDOUT, END_REQUEST, close. on_gone follows. Twice is fine. */
void sr_client_end(struct sr_client *c);
/* End it now: what is queued is dropped, a cut frame stays cut. on_gone follows from the loop. */
void sr_client_abort(struct sr_client *c);

#endif
