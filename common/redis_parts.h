/* redis_parts.h - shared by redis.c (the life of a connection) and redis_commands.c (what goes through it); private to them. */
#ifndef SR_REDIS_PARTS_H
#define SR_REDIS_PARTS_H
#include "common/address.h"
#include "common/clock.h"
#include "common/redis.h"

enum state { DOWN, LOOKUP, CONNECTING, GREETING, READY };

/* One command that waits for its reply. */
struct pending {
	struct pending *next;
	sr_redis_cb *cb;
	void *ctx;
	sr_mono_ms deadline;
	struct sr_call retry; /* a script's call, kept for NOSCRIPT; else without script */
};

struct sr_redis {
	struct ev_loop *loop;
	struct sr_redis_hooks hooks;
	void *ctx;
	struct sr_address address;
	char *password_file, *name;
	bool pubsub, load_scripts, once, silent;

	enum state state;
	int fd;
	int null;            /* /dev/null, to hold a place with */
	int reserve;         /* while there is no connection: keeps a descriptor for the next one, when streams take all others */
	unsigned generation; /* rises with each connection: callbacks see that theirs is gone */
	ev_io io;
	ev_prepare flush;    /* one send a loop turn */
	ev_timer timer;      /* the head's deadline, the connect's deadline, the backoff, or the probe */
	sr_mono_ms timer_at;
	struct sr_lookup *lookup;
	struct redisReader *reader;
	struct sr_reply *current; /* the reply that is being dispatched; NULL once it was taken */
	struct sr_buf out;
	struct pending *head, **tail;

	sr_mono_ms heard_at;    /* Pub/Sub: last byte read */
	bool probing;           /* Pub/Sub: a PING is on its way */
	unsigned failures;      /* in a row, for the backoff */
	enum sr_err last_error;
	struct sr_buf why;      /* of the present outage */
	struct sr_buf logged;   /* the reason that was logged last */
	sr_mono_ms logged_at;
};

/* redis.c */

/* The connection failed for `why`, which may lie inside a reply or the reader. Tries again by itself, unless once. */
void sr_redis_fail(struct sr_redis *r, enum sr_err err, const char *why);
void sr_redis_set_timer(struct sr_redis *r, int64_t ms);
/* Wait for these events of the descriptor. */
void sr_redis_watch(struct sr_redis *r, int events);

/* redis_commands.c */

/* Queue a command in any state that has a connection. Errors as of sr_redis_send(). */
enum sr_err sr_redis_enqueue(struct sr_redis *r, const struct sr_call *call, int64_t timeout_ms, sr_redis_cb *cb, void *ctx);
/* Read what has come, and dispatch it. The connection may have failed afterwards. */
void sr_redis_read(struct sr_redis *r);
/* The prepare watcher: send what is queued. */
void sr_redis_on_flush(struct ev_loop *loop, ev_prepare *w, int revents);
/* Give every waiting command the same end. A callback cannot queue a new one: the state is DOWN. */
void sr_redis_fail_pending(struct sr_redis *r, enum sr_err err);
bool sr_redis_is_misconf(const struct sr_reply *reply);

#endif
