/* relay.h - the web server's side of one FastCGI connection, made of two descriptors: what plain CGI has. On the loop, without blocking.
 *
 *   in (standard input)   ──read──> STDIN records ──> connection ──> responder
 *   out (standard output) <──tee─── STDOUT's content <── connection <──
 *
 * Each direction holds one piece at most and reads on when it is taken, so that a slow client holds up the responder, which has its own
 * bound, and a slow responder the producer. The end of `in` says nothing about the client: a web server closes it behind the body. That
 * nobody reads `out` any more does, at once, also while nothing is written. */
#ifndef SR_RELAY_H
#define SR_RELAY_H
#include "common/tee.h"
#include "fcgi/response.h"
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define SR_RELAY_PIECE 16384
#define SR_RELAY_LINGER_MS 30000   /* a client may take so long to read the rest of a response that is over */
#define SR_RELAY_TO_END UINT64_MAX /* a body of unknown length: to the end of `in` */

struct sr_relay {
	struct ev_loop *loop;
	ev_io in;        /* a piece of the body can be read */
	ev_io to, from;  /* the connection */
	ev_io left;      /* the reader of `out` is gone */
	ev_timer linger;
	struct sr_tee out;
	struct sr_response response;
	int connection;
	uint64_t body;   /* bytes still to be read */
	uint32_t at, len;/* what of `piece` is sent, and its length */
	bool over;       /* the responder said all it had to say */
	bool done;       /* and all of it was passed on, or the client left: nothing more will happen */
	char piece[SR_RELAY_PIECE];
};

/**
 * Begin to copy.
 * connection  one end of a socket pair, non-blocking; the relay's from here on, which closes it when the response is over or the client left
 * in, out     stay the caller's, and what flags they have
 * body        bytes of `in` that are the request's body, or SR_RELAY_TO_END; 0: none, and no STDIN record is sent
 */
void sr_relay_start(struct sr_relay *r, struct ev_loop *loop, int connection, uint16_t request_id, int in, int out, uint64_t body);
/* No more of it. Twice is fine. */
void sr_relay_stop(struct sr_relay *r);

#endif
