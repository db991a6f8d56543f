/* link.h - what every part of the guardian works with: the loop, the connection, and the registry's names and policy. */
#ifndef SR_LINK_H
#define SR_LINK_H
#include "common/redis.h"
#include "common/registry.h"

/* Owned by the guardian; its parts borrow it. Connection and policy change only between two callbacks (SIGHUP). */
struct sr_link {
	struct ev_loop *loop;
	struct sr_redis *redis;
	struct sr_registry reg;
};

/* How a piece of work ended. */
enum sr_end {
	SR_END_DONE,     /* all of it is done */
	SR_END_UNPROVEN, /* Redis was not provably writable for long enough: nothing more was judged */
	SR_END_FAILED,   /* the connection was lost, or Redis refused; it was logged */
	SR_END_STOPPED   /* it was told to stop, and did after the call that was on its way */
};

/* Send a call and release it. As sr_redis_send(). */
SR_MUST_CHECK enum sr_err sr_link_send(const struct sr_link *link, struct sr_call *call, sr_redis_cb *cb, void *ctx);

/* Log that `what` failed. A lost connection is not logged again: common/redis.c did. `reply` may be NULL. */
void sr_link_complain(const char *what, enum sr_err err, const struct sr_reply *reply);

#endif
