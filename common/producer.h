/* producer.h - one producer of one stream: its events on their way to Redis, exactly once and in order, whatever happens to
 * the connection. Asynchronous, on a libev loop; ssectl run stands on it directly, libsse-resilience waits on it for its caller.
 *
 *   emit ──> backlog (bounded) ──> one batch in flight ──> publish script
 *                                        └── no answer: the same batch under the same number again
 *
 * Number   Each event has one, rising by one from first_n; a batch goes out under the number of its last event, and the producer's
 *          name and that number tell the script a repeat from something new. One batch is in flight at a time: the next one could
 *          otherwise overtake it (a flushed script cache resends), and the older would then be taken for a repeat.
 * Name     A random one is used by this producer alone. A given one may be an earlier program's, whose input is given again from
 *          the same first_n: what Redis knows of it is looked up first, and events below that number are told as stored (a repeat
 *          without an id) and not sent.
 * Life     waiting ──connection──> opening ──> open ──> closed
 *          Whatever the life, events are taken into the backlog. Redis away, or refusing (out of memory, loading, read-only): all
 *          waits and goes on by itself; an outage has no end here, the owner has deadlines. So it is with a password that is
 *          refused, for it may be rotated: on_down() says SR_EDENIED, and whoever does not want to wait frees the producer.
 *          A stream that Redis lost (restart without data) is opened again if this producer opened it, also when viewers have
 *          registered it anew in between. closed: the stream ended, or refuses this producer for good; what waits is dropped.
 * Lease    Beats go out each beat_interval in which no event was stored, and at each reconnection.
 * Calls back only from the loop, never from inside a call of this header. Hooks may call anything here but sr_producer_free().
 * Single-threaded; no global state. */
#ifndef SR_PRODUCER_H
#define SR_PRODUCER_H
#include "common/conf.h"
#include "common/id.h"
#include "common/registry.h"
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define SR_PRODUCER_N_MAX ((UINT64_C(1) << 53) - 1) /* the scripts count in doubles */
#define SR_BACKLOG_BYTES (8u << 20)                 /* default bound of what waits */

struct sr_producer;

enum sr_producer_end {
	SR_PRODUCER_LIVES,
	SR_PRODUCER_DONE,     /* its own terminal event is stored */
	SR_PRODUCER_ENDED,    /* somebody else's terminal event: sr_producer_end_type() */
	SR_PRODUCER_UNKNOWN,  /* no such stream, and it may not create one */
	SR_PRODUCER_FOREIGN,  /* another user's */
	SR_PRODUCER_FENCED,   /* another producer took the lease */
	SR_PRODUCER_DENIED,   /* Redis does not allow this user a command or key (NOPERM) */
	SR_PRODUCER_FORGOTTEN,/* the batch's number, or a higher one, stands for something else under this name: another program uses it */
	SR_PRODUCER_BROKEN    /* Redis answered what its script never does; sr_producer_why() */
};

struct sr_producer_options { /* all copied */
	const char *id, *user;     /* user "" = not checked */
	const char *name;          /* NULL = a random one; else 1 to 32 of a-z 0-9 */
	uint64_t first_n;          /* number of the first event; 0 = 1 */
	bool create;               /* publish may open an unknown stream, for the user */
	bool open;                 /* open before the first event; type, metadata, lease then count */
	bool lease;                /* with open: take the lease, and beat for it while this lives */
	const char *type, *metadata; /* NULL = as it is, or the defaults */
	const char *epoch;         /* without opening: beat under this lease; NULL = no beats, "" = of any lease or none */
	size_t backlog_bytes;      /* bound of what waits, 8 bytes an event beside type and data; 0 = SR_BACKLOG_BYTES; at least one event_bytes
	                            * is taken */
	bool drop_oldest;          /* a full backlog drops its oldest events and says so in one event {"type":"skipped","data":{"events":N}} in their
	                            * place (backlog.h); else it refuses new ones */
	const char *connection;    /* CLIENT SETNAME */
	bool silent;               /* nothing goes to the process's log */
};

struct sr_producer_hooks { /* any may be NULL; `ctx` first */
	/* Also after each time it was opened again. created: false if it was there, also from an attempt of ours that had no answer.
	 * epoch: of the stream's lease, "" = unleased. */
	void (*on_open)(void *ctx, bool created, const char *epoch);
	/* One event is stored; in the order of n, each once, but never for what was dropped and for the notice that says so.
	 * repeat: an earlier attempt or program had stored it. event_id "" = its id is no longer known. */
	void (*on_stored)(void *ctx, uint64_t n, const char *event_id, bool repeat);
	void (*on_room)(void *ctx);                            /* events left the backlog; those of a batch are in flight now */
	void (*on_beat)(void *ctx, enum sr_outcome outcome);   /* a beat was answered: SR_SAME, SR_REVIVED */
	void (*on_closed)(void *ctx, enum sr_producer_end end);/* once, and the last of all */
	/* The connection failed, at each attempt (SR_EDENIED: Redis refuses the user or password), or Redis refused a call that is tried
	 * again (SR_EREFUSED, SR_ENOMEM). */
	void (*on_down)(void *ctx, enum sr_err err, const char *why);
};

/* NULL with a sentence in `why` (SR_EINVAL in *err: bad URL, id, name; or SR_ENOMEM). conf is borrowed. Starts to connect. */
struct sr_producer *sr_producer_new(struct ev_loop *loop, const struct sr_conf *conf, const struct sr_producer_options *options,
                                    const struct sr_producer_hooks *hooks, void *ctx, enum sr_err *err, struct sr_buf *why);
/* Drops what waits. Not from a hook. NULL is fine. */
void sr_producer_free(struct sr_producer *p);

/**
 * Take one event, checked by sr_event_check() and with normalised JSON. A terminal type ends the stream after all that came before;
 * nothing is taken after it, and it is taken even when the backlog is full.
 * Returns  SR_OK; SR_EBUSY: the backlog is full (never with drop_oldest): on_room(); SR_ETOOBIG: data above event_bytes; SR_EINVAL: closed,
 *          after the terminal event, or above SR_PRODUCER_N_MAX; SR_ENOMEM. Except with SR_OK nothing was taken.
 */
SR_MUST_CHECK enum sr_err sr_producer_emit(struct sr_producer *p, const char *type, size_t type_len, const char *data, size_t data_len);
/* Send a beat as soon as possible: to live, or to hear whether the stream has ended. Two that wait are one. Works without a lease, too. */
void sr_producer_beat(struct sr_producer *p);
/* Try at once what waits for its next attempt: the connection, or a call that was refused. */
void sr_producer_hurry(struct sr_producer *p);

enum sr_producer_end sr_producer_end(const struct sr_producer *p);
/* SR_PRODUCER_ENDED: completed, failed, cancelled, or "" if that is no longer known. Else "". */
const char *sr_producer_end_type(const struct sr_producer *p);
bool sr_producer_is_open(const struct sr_producer *p);         /* opened (if asked to), and connected */
/* Events taken and not known to be stored, in flight included; dropped ones count as their one notice. Closed: what was lost then. */
size_t sr_producer_waiting(const struct sr_producer *p);
size_t sr_producer_unconfirmed(const struct sr_producer *p);   /* of these: sent, so perhaps stored */
size_t sr_producer_bytes(const struct sr_producer *p);         /* of the backlog, as its bound counts them; what is in flight aside */
uint64_t sr_producer_skipped(const struct sr_producer *p);     /* dropped by drop_oldest since the start */
uint64_t sr_producer_next_n(const struct sr_producer *p);      /* number of the next event taken */
const char *sr_producer_name(const struct sr_producer *p);
bool sr_producer_reached(const struct sr_producer *p);         /* there was a connection: calls may have been sent */
uint64_t sr_producer_known(const struct sr_producer *p);       /* an earlier program has stored what is up to this number; 0 = nothing known */
struct sr_event_id sr_producer_beat_last(const struct sr_producer *p); /* the stream's last event, as the last beat told; 0-0 = none */
/* Why nothing goes on: the connection's or Redis's words; "" while all is well. */
const char *sr_producer_why(const struct sr_producer *p);

#endif
