/* discard.h - read the body of a request and throw it away, so that it can be answered. */
#ifndef SR_DISCARD_H
#define SR_DISCARD_H
#include "fcgi/body.h"
#include "fcgi/request.h"

struct sr_hub;

#define SR_DISCARD_BYTES (64u << 20) /* of a request that is refused; beyond, it is answered and cut */
#define SR_DISCARD_MS 10000
#define SR_IDLE_BODY_BYTES 65536u    /* of a request that needs no body */

/* Called once, from the loop; takes the request. Its has_body is false. */
typedef void sr_discarded_cb(void *ctx, struct sr_hub *hub, struct sr_request *request, enum sr_body_end end);

/* Throw away at most so many bytes, for at most SR_DISCARD_MS. Takes the request, whose has_body is true. */
void sr_discard(struct sr_hub *hub, struct sr_request *request, uint64_t bytes, sr_discarded_cb *cb, void *ctx);
/* End all of them now, as if their clients had left: the process stops. */
void sr_discard_abort_all(struct sr_hub *hub);

#endif
