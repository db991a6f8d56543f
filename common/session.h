/* session.h - calls that wait for their reply, for programs without a loop of their own (ssectl, guardian --once, tests).
 * On the same connection as the responder's, driven by a private loop. One thread, one call at a time. */
#ifndef SR_SESSION_H
#define SR_SESSION_H
#include "common/conf.h"
#include "common/redis.h"

struct sr_session;

/* Connects at the first call. NULL with a sentence in `why` when the URL is bad or memory is out. `name` for CLIENT SETNAME. */
struct sr_session *sr_session_new(const struct sr_conf *conf, const char *name, struct sr_buf *why);
void sr_session_free(struct sr_session *s);

/* From now on calls give up `ms` after this moment. */
void sr_session_deadline(struct sr_session *s, int64_t ms);

/**
 * Send a call and wait. Down, late, and refused (OOM, LOADING, ...) calls are sent again until the deadline: what is sent
 * must be harmless when it runs twice.
 * timeout_ms  of one attempt; 0 = SR_REDIS_COMMAND_MS. More than that for a blocking command.
 * reply       on SR_OK the caller's, to free with sr_reply_free(); else NULL
 * Returns     SR_OK; SR_EDENIED, SR_EREPLY, SR_EINVAL, SR_ENOMEM at once; SR_EDOWN (never sent, or nothing known),
 *             SR_ETIMEOUT or SR_EREFUSED at the deadline. sr_session_why() then says why.
 */
SR_MUST_CHECK enum sr_err sr_session_call(struct sr_session *s, const struct sr_call *call, int64_t timeout_ms, struct sr_reply **reply);
/* The same, once: no second attempt. */
SR_MUST_CHECK enum sr_err sr_session_try(struct sr_session *s, const struct sr_call *call, int64_t timeout_ms, struct sr_reply **reply);

/* Why the last call failed: Redis's own words or the system's; "" after a success. */
const char *sr_session_why(const struct sr_session *s);

#endif
