/* change.h - one request that changes a stream (POST, PUT, DELETE), from its head to its answer: the part that they share.
 *
 *   admitted ──> reading its body ──> Redis, again and again for SR_CHANGE_MS ──> answered
 *                     │    ^──────────── (POST: batch by batch) ─┘                   ^
 *                     └── refused: the rest of the body is thrown away ──────────────┘
 *
 * The body stands still while a call is on its way. A call whose outcome is unknown is made again, the same: the scripts know a repeat.
 * Memory of one such request, at most: a piece of the body (SR_BODY_PIECE), what its owner holds (publish.h), and one call.
 * Kinds of change embed this as their first member. */
#ifndef SR_CHANGE_H
#define SR_CHANGE_H
#include "common/registry.h"
#include "fcgi/body.h"
#include "fcgi/due.h"
#include "fcgi/request.h"

struct sr_hub;
struct sr_change;

#define SR_CHANGE_MS 5000 /* how long one call is tried */
#define SR_KEY_MAX 128    /* bytes of an Idempotency-Key */

struct sr_change_ops {
	/* A piece of the body: take all of it. May pause (sr_change_call() does), refuse or answer. */
	void (*on_bytes)(struct sr_change *c, const char *bytes, size_t len);
	/* The body is whole, or there is none. Call, refuse or answer. */
	void (*on_whole)(struct sr_change *c);
	/* Fill the call; the same one each time until its reply came. */
	void (*fill)(struct sr_change *c, struct sr_call *call);
	void (*on_reply)(struct sr_change *c, const struct sr_reply *reply);
	/* Free what the kind holds; the struct itself is freed afterwards. */
	void (*release)(struct sr_change *c);
};

struct sr_change {
	struct sr_body body;
	struct sr_due due;              /* in hub->changes */
	struct sr_hub *hub;
	struct sr_request *request;     /* NULL: answered */
	const struct sr_change_ops *ops;
	ev_timer timer;                 /* of a call: the next attempt, or the end of all */
	sr_mono_ms give_up;
	uint64_t body_len;              /* CONTENT_LENGTH */
	uint64_t stored;                /* POST: events of this request that are in the log */
	size_t calling;                 /* POST: events of the call */
	bool begun, whole;              /* the body: its reader was started, it was read to its end */
	bool in_flight, doubtful;       /* the call: on its way; an attempt may have succeeded unseen */
	bool concluded;                 /* `answer` is built; it may wait for the rest of the body */
	bool counts;                    /* answers say "stored" */
	struct sr_buf answer;           /* the whole response */

	/* What the request says besides its body. */
	char id[SR_STREAM_ID_MAX + 1];
	char user[SR_USER_MAX + 1];     /* "" = not checked */
	char producer[2 + SR_KEY_MAX + 1]; /* name, "k:" and the key, or "r:" and a random name; "" = none given */
	char lease[24];                 /* "" = none given */
	uint64_t n;                     /* number of the first event; 0 = none given */
};

/**
 * Admit a request: limits, length, query, Idempotency-Key. Takes the request.
 * size     of the kind's struct, which is zeroed
 * Returns  the change, or NULL: it was answered.
 */
struct sr_change *sr_change_new(struct sr_hub *hub, struct sr_request *request, const char *id, size_t size, const struct sr_change_ops *ops);
/* Begin to read the body (or call on_whole at once). */
void sr_change_run(struct sr_change *c);

/* A producer's name, as a query or a form gives it: 1 to 32 of a-z 0-9, and the number of its first event. false: it is none. */
bool sr_change_set_producer(struct sr_change *c, const char *name, size_t len);
bool sr_change_set_n(struct sr_change *c, const char *digits, size_t len);
/* An Idempotency-Key: 1 to SR_KEY_MAX bytes of visible ASCII. */
bool sr_change_set_key(struct sr_change *c, const char *key, size_t len);
/* None was given: a name of this request alone, which the scripts forget before any other. */
void sr_change_set_one_shot(struct sr_change *c);

/* Send what `fill` makes. on_reply follows, or the change answers 503 or 500 itself. */
void sr_change_call(struct sr_change *c);
/* Read on, if the body is not whole. */
void sr_change_read_on(struct sr_change *c);

/* The ends. None of them calls back but for release; the change must not be touched afterwards, except inside on_bytes, where it
 * lives until that returns.
 * members: more of the JSON object, each followed by a comma ("\"line\":3,"), or "". */
void sr_change_refuse(struct sr_change *c, int status, const char *members, const char *format, ...) SR_PRINTF(4, 5);
void sr_change_answer(struct sr_change *c, int status, const struct sr_buf *json);
/* 409: the stream has ended; state as a script says it. */
void sr_change_refuse_ended(struct sr_change *c, const char *state);
/* 409: the terminal event has the number of something else. */
void sr_change_refuse_misnumbered(struct sr_change *c);
/* Redis answered what its script never does, or memory is out. */
void sr_change_fail(struct sr_change *c, enum sr_err err);

/* The process stops: all connections are closed without an answer. */
void sr_change_abort_all(struct sr_hub *hub);

#endif
