/* redis.h - one non-blocking Redis connection on a libev loop: connect, AUTH, SELECT, a FIFO of commands with deadlines,
 * Pub/Sub, and reconnection with jittered backoff. RESP2, on hiredis's reader. Never blocks; single-threaded.
 *
 *   sr_redis_send ──> out buffer ──one send(2) a loop turn──> Redis ──> reader ──> FIFO's callback | on_message
 *
 * A connection is ready from on_ready until on_down. A command that was sent and got no reply ends as SR_EDOWN or
 * SR_ETIMEOUT: whether it ran is unknown. A reply that is late fails the whole connection, since replies come in order.
 * What is logged: the first failure of an outage, each new reason, the same reason once a minute, and the recovery. */
#ifndef SR_REDIS_H
#define SR_REDIS_H
#include "common/call.h"
#include "common/err.h"
#include "common/reply.h"
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define SR_REDIS_OUT_MAX (8u << 20)       /* bytes not yet sent; more is refused with SR_EBUSY */
#define SR_REDIS_CONNECT_MS 2000          /* until the server has greeted */
#define SR_REDIS_COMMAND_MS 4000          /* default deadline of a command */
#define SR_REDIS_BACKOFF_MAX_MS 5000
#define SR_REDIS_PROBE_MS 10000           /* an idle Pub/Sub connection is asked this often whether it lives */
#define SR_REDIS_SUBSCRIBE_BATCH 512

struct sr_redis;

struct sr_redis_options {
	const char *url;           /* option redis_url; copied */
	const char *password_file; /* "" = none; read at each connect, so that a rotated password is found; copied */
	const char *name;          /* CLIENT SETNAME, no spaces; copied */
	bool pubsub;               /* this connection subscribes; sr_redis_send() is then refused */
	bool load_scripts;         /* SCRIPT LOAD all of them at connect, so that a busy start meets no NOSCRIPT */
	bool once;                 /* no reconnect by itself: on_down, and then it stays down */
	bool silent;               /* nothing goes to the log, which is the whole process's */
};

struct sr_redis_hooks { /* any may be NULL */
	void (*on_ready)(void *ctx);
	/* Every pending callback has been called with `err` before this. `why` lives during the call. */
	void (*on_down)(void *ctx, enum sr_err err, const char *why);
	void (*on_message)(void *ctx, const char *channel, size_t channel_len, const char *payload, size_t len);
	void (*on_subscribed)(void *ctx, const char *channel, size_t channel_len);
};

/* `err` SR_OK: `reply` is no error. SR_EDENIED, SR_EREFUSED, SR_EREPLY: `reply` is Redis's error. Else `reply` is NULL.
 * May call sr_redis_send(); must not free the connection. */
typedef void sr_redis_cb(void *ctx, enum sr_err err, const struct sr_reply *reply);

/* NULL with a sentence in `why` when the URL is bad (SR_EINVAL in *err) or memory is out. Starts nothing. */
struct sr_redis *sr_redis_new(struct ev_loop *loop, const struct sr_redis_options *options, const struct sr_redis_hooks *hooks, void *ctx,
                              struct sr_buf *why);
/* Calls every pending callback with SR_EDOWN, then closes. Not from a callback of this connection. NULL is fine. */
void sr_redis_free(struct sr_redis *r);
/* Begin to connect. on_ready and on_down come from the loop, never from inside this call. */
void sr_redis_start(struct sr_redis *r);
bool sr_redis_ready(const struct sr_redis *r);
/* Why it is not ready; "" when it is. */
const char *sr_redis_why(const struct sr_redis *r);
enum sr_err sr_redis_last_error(const struct sr_redis *r);

/**
 * Queue one command; it leaves at the end of this loop turn. NOSCRIPT is answered by sending the script's text, once
 * (SR_EREFUSED to cb if there is no memory for that).
 * call        not kept; release it when you like
 * timeout_ms  0 = SR_REDIS_COMMAND_MS
 * Returns     SR_OK: cb is called exactly once, from the loop. SR_EDOWN (not ready), SR_EBUSY, SR_ENOMEM or what
 *             sr_call_check() says: nothing was queued and cb is never called.
 */
SR_MUST_CHECK enum sr_err sr_redis_send(struct sr_redis *r, const struct sr_call *call, int64_t timeout_ms, sr_redis_cb *cb, void *ctx);

/* Inside an sr_redis_cb: keep this reply beyond the callback; free it with sr_reply_free(). */
struct sr_reply *sr_redis_take_reply(struct sr_redis *r);

/* Pub/Sub connection only: (un)subscribe `count` channels given as (prefix, ids). SR_EDOWN, SR_EBUSY, SR_ENOMEM: none of them was
 * sent. Subscriptions do not outlive the connection: subscribe again in on_ready. */
SR_MUST_CHECK enum sr_err sr_redis_subscribe(struct sr_redis *r, const char *prefix, const char *const *ids, size_t count);
SR_MUST_CHECK enum sr_err sr_redis_unsubscribe(struct sr_redis *r, const char *prefix, const char *const *ids, size_t count);

#endif
