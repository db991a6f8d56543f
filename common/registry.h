/* registry.h - the registry's verbs, typed. Each verb is two pure functions: one fills a call (sr_redis_send() or
 * sr_session_call() carries it), one reads its reply. What a transition does, and all its codes, stand at the top of
 * common/lua/VERB.lua.
 *
 * Terms   stream      one piece of work and its events, known by its id
 *         producer    who publishes events and the terminal event
 *         viewer      one client that is served the stream
 *         node        one process that serves viewers, or one guardian
 *         beat        a sign of life, of a node for its viewers' streams or of a producer for its own
 *         lease       a stream whose producer beats; its epoch rises each time a producer takes it
 *         completion  the stored terminal event
 *
 * Ids, types, users are valid by id.h, data and metadata are JSON by json.h: the caller has checked. Calls keep nothing.
 * Strings of a result point into the reply and live as long as it does.
 * A _read returns SR_OK, or SR_EREPLY when the reply has not the shape of its script; then the result is unspecified. */
#ifndef SR_REGISTRY_H
#define SR_REGISTRY_H
#include "common/call.h"
#include "common/conf.h"
#include "common/id.h"
#include "common/reply.h"
#include <stdbool.h>

#define SR_BATCH_MAX 100 /* streams or events of one script call: bounds how long Redis is kept from others */

/* Prefix and policy, borrowed from the configuration; it must outlive this. */
struct sr_registry {
	const char *prefix;
	int64_t log_events, stream_ttl, completion_ttl, beat_interval, stale_threshold, orphan_grace, proof_window;
	bool anonymous;
};
struct sr_registry sr_registry_of(const struct sr_conf *conf);
/* May a publish open an unknown stream? Only if somebody can read it then: `user` ("" = none), or anybody. */
bool sr_publish_may_create(const struct sr_conf *conf, const char *user);

/* What a script says of a stream. */
enum sr_outcome {
	SR_NEW,       /* created, stored, or taken */
	SR_SAME,      /* it was there before, or a repeat */
	SR_ENDED,     /* a terminal event is stored */
	SR_EXPIRED,   /* it ended, and the result is no longer kept */
	SR_UNKNOWN,   /* no such stream */
	SR_FOREIGN,   /* another user's; tell clients SR_UNKNOWN */
	SR_REVIVED,   /* alive again after it was orphaned or detached */
	SR_FENCED,    /* the lease has a newer epoch */
	SR_MISNUMBERED, /* the producer used the number for something else */
	SR_BROKEN     /* a key of the stream holds another type: somebody else wrote there */
};

/* --- viewers' side ------------------------------------------------------------------------------------------- */

enum sr_attach_mode { SR_ATTACH_REGISTER, SR_ATTACH_JOIN, SR_ATTACH_REVIVE };
struct sr_attach {
	const char *id, *user, *node;
	int viewers;                 /* of this stream at this node, the new one included */
	enum sr_attach_mode mode;
	bool from_now;               /* else from `position` */
	struct sr_event_id position; /* SR_EVENT_ID_START = from the start */
	const char *type, *metadata, *started_at; /* NULL = generation, {}, now */
};
struct sr_attach_result {
	enum sr_outcome outcome;     /* NEW SAME ENDED EXPIRED UNKNOWN FOREIGN */
	bool leased, orphaned;
	struct sr_event_id last;     /* end of the log; ENDED: the terminal event's id */
	struct sr_event_id from;     /* reading begins after it */
	bool more;                   /* there are events after `from`, and the first of them is */
	struct sr_event_id next;
	const char *gap;             /* "" or why events before `from` may be missing */
	const char *type, *metadata, *started_at, *owner; /* NEW, SAME */
	const char *end_type, *end_data;          /* ENDED */
	size_t end_type_len, end_data_len;
};
void sr_attach_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_attach *a);
SR_MUST_CHECK enum sr_err sr_attach_read(const struct sr_reply *reply, struct sr_attach_result *out);

/* Viewers left; `remaining` are still at the node. draining: they will come back elsewhere, so nothing is unregistered. */
/* owner: as the attach said; a stream that has another one by now is left alone. NULL = not checked. */
void sr_detach_call(struct sr_call *call, const struct sr_registry *reg, const char *id, const char *node, int remaining, bool draining,
                    const char *owner);
/* *unregistered: the stream's registration is gone. */
SR_MUST_CHECK enum sr_err sr_detach_read(const struct sr_reply *reply, bool *unregistered);

/* A batch of beats: begin, add up to SR_BATCH_MAX, send. node "" = a producer. */
struct sr_beat {
	const char *id;
	int viewers;        /* a node's */
	const char *epoch;  /* a producer's; NULL or "" = any */
	const char *owner;  /* as the attach said; another one's stream is SR_UNKNOWN. NULL = not checked */
};
void sr_beat_call(struct sr_call *call, const struct sr_registry *reg, const char *node, const struct sr_beat *beats, size_t count);
struct sr_beat_result { enum sr_outcome outcome; /* SAME REVIVED ENDED UNKNOWN FENCED BROKEN */ struct sr_event_id last; };
SR_MUST_CHECK enum sr_err sr_beat_read(const struct sr_reply *reply, size_t i, struct sr_beat_result *out);

/* Read the log from an id, that event included: a plain XRANGE. Whoever resumes after an event asks for it again: if it is
 * not the first entry of the answer, the log was trimmed since. */
void sr_log_call(struct sr_call *call, const struct sr_registry *reg, const char *id, struct sr_event_id from, int count);
struct sr_log_entry { struct sr_event_id id; const char *type, *data; size_t type_len, data_len; };
/* The i-th of sr_reply_count(reply) entries. */
SR_MUST_CHECK enum sr_err sr_log_read(const struct sr_reply *reply, size_t i, struct sr_log_entry *out);

/* A push "id prev type owner\ndata" of the stream's channel. */
struct sr_push {
	struct sr_log_entry event;
	struct sr_event_id prev;   /* the event before it in the log; START: none */
	const char *owner;         /* of the stream at that time */
	size_t owner_len;
	bool inlined;              /* false: the event's data is only in the log */
};
SR_MUST_CHECK enum sr_err sr_push_read(const char *payload, size_t len, struct sr_push *out);

struct sr_recover_result {
	enum sr_outcome outcome;     /* SAME (live) ENDED EXPIRED UNKNOWN FOREIGN */
	const char *state;           /* active, orphaned, completed, failed, cancelled */
	const char *started_at, *last_heartbeat, *type; /* SAME */
	struct sr_event_id last;     /* SAME; ENDED: the terminal event's id, or 0-0 for a foreign completion */
	bool first_known;            /* SAME, ENDED: events were published, and `first` was the first of all */
	struct sr_event_id first;
	const char *end_type, *end_data, *completed_at; /* ENDED */
	size_t end_type_len, end_data_len;
};
void sr_recover_call(struct sr_call *call, const struct sr_registry *reg, const char *id, const char *user, bool anonymous);
SR_MUST_CHECK enum sr_err sr_recover_read(const struct sr_reply *reply, struct sr_recover_result *out);

/* --- producers' side ----------------------------------------------------------------------------------------- */

struct sr_open { const char *id, *user; const char *type, *metadata; /* NULL = leave, or the defaults */ bool lease; };
struct sr_open_result { enum sr_outcome outcome; /* NEW SAME ENDED FOREIGN */ const char *epoch; /* "" = unleased */ const char *state; /* ENDED */ };
void sr_open_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_open *o);
SR_MUST_CHECK enum sr_err sr_open_read(const struct sr_reply *reply, struct sr_open_result *out);

struct sr_publish {
	const char *id, *user;     /* user "" = not checked */
	bool create;               /* open an unknown stream for the user */
	const char *producer;      /* "" = no protection against repeats; else [a-z0-9]+, "k:" and a key, or "r:" and a name
	                            * that nobody will use again: it is forgotten first */
	uint64_t n;                /* rises by call */
};
/* Begin, then add up to SR_BATCH_MAX events: stored all or none. The last one may be terminal: it ends the stream. */
void sr_publish_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_publish *p);
void sr_publish_add(struct sr_call *call, const char *type, const char *data, size_t data_len);
/* The terminal event: `type` is completed, failed or cancelled. */
void sr_end_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_publish *p, const char *type, const char *data, size_t data_len);

struct sr_publish_result {
	enum sr_outcome outcome;   /* NEW SAME ENDED UNKNOWN FOREIGN MISNUMBERED */
	size_t count;              /* ids in the reply; SAME: fewer than were stored if the log was trimmed, 0 if n is below the last one */
	const char *end_type;      /* ENDED */
};
/* Reads the reply of both. */
SR_MUST_CHECK enum sr_err sr_publish_read(const struct sr_reply *reply, struct sr_publish_result *out);
const char *sr_publish_id(const struct sr_reply *reply, size_t i);

/* --- the guardian's side ------------------------------------------------------------------------------------- */

/* A longer silence between two canaries proves nothing about what lies in it, ms: 3000, or less where the thresholds are
 * tight, so that a stall which goes unnoticed, and a beat, never add up to stale_threshold. */
int64_t sr_canary_gap(const struct sr_registry *reg);

struct sr_stale_result {
	long long active, stale;           /* members of sse:active, and the stale ones among them */
	const struct sr_reply *ids, *due;  /* arrays of ids: stale ones, and orphans past their grace */
	int64_t now_ms;                    /* Redis's clock */
	int64_t next_due_ms;               /* until the next orphan's grace ends; -1 = there is none */
};
void sr_stale_call(struct sr_call *call, const struct sr_registry *reg, int limit);
SR_MUST_CHECK enum sr_err sr_stale_read(const struct sr_reply *reply, struct sr_stale_result *out);

enum sr_verdict { SR_MARKED = 1, SR_WAS_ENDED = 2, SR_ADOPTED = 3, SR_FAILED = 4, SR_ALIVE = 0, SR_NO_RECORD = -1 };
void sr_sweep_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count);
/* SR_EREFUSED: without proof nothing was judged; *proven_ms says how long it is by now. Else verdicts by sr_sweep_verdict(). */
SR_MUST_CHECK enum sr_err sr_sweep_read(const struct sr_reply *reply, size_t count, int64_t *proven_ms);
enum sr_verdict sr_sweep_verdict(const struct sr_reply *reply, size_t i);

/* One canary; fields is NULL or a NULL-ended list of name, value to keep in the guardian's hash. The reply is an integer: ms proven. */
void sr_canary_call(struct sr_call *call, const struct sr_registry *reg, const char *run_id, const char *const *fields);

/* keys: full names; ids[i] is the stream id if keys[i] is a record, else "". Reply: {timed, indexed}. */
void sr_heal_call(struct sr_call *call, const struct sr_registry *reg, const char *const *keys, const char *const *ids, size_t count);

/* A process as operators see it: its name, and what it has counted since its start. The process raises the values; the rest is
 * the two functions' own. Redis adds what is new to the totals of all processes, exactly once over any outage. */
#define SR_NODE_TTL_MS 60000    /* of one that no longer says that it lives */
#define SR_NODE_PERIOD_MS 10000 /* it says so this often, or each beat_interval where that is shorter */
#define SR_NODE_COUNTERS 12
struct sr_node_counter { const char *name; uint64_t value, sent, kept; };
struct sr_node {
	const char *name;
	size_t count;
	struct sr_node_counter counters[SR_NODE_COUNTERS];
	long long kept_at;          /* by Redis's clock; 0 = it knows nothing yet */
	bool on_way;                /* the caller's: a call that is not answered yet. A second one beside it may lose counts */
};
int64_t sr_node_period(const struct sr_registry *reg);
/* Say that it is alive; fields is a NULL-ended list of name, value beside the counters. leaves: for the last time. */
void sr_node_call(struct sr_call *call, const struct sr_registry *reg, struct sr_node *node, const char *const *fields, bool leaves);
SR_MUST_CHECK enum sr_err sr_node_read(struct sr_node *node, const struct sr_reply *reply);

/* --- the operator's side ------------------------------------------------------------------------------------- */

/* Read the fields (a NULL-ended list of names) of up to SR_BATCH_MAX records at once. The reply has one array a record, its
 * values in the fields' order: "" by sr_reply_text_at() for one that it does not have, none at all for what is no record. */
void sr_records_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count, const char *const *fields);

/* What an operator is shown of up to SR_BATCH_MAX streams. count_bytes: of events that counting may bring up in this call, which
 * bounds its time; 0 = nothing is counted. fields: of the record, a NULL-ended list;
 * what has not the first of them is no record. */
void sr_look_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count, size_t count_bytes,
                  const char *const *fields);
struct sr_look_result {
	int64_t now_ms;              /* Redis's clock */
	bool known;                  /* there is a record; else nothing below is said */
	long long viewers;           /* of nodes that said so within stale_threshold */
	long long length, added;     /* events in the log, and ever added to it; added -1 = not counted */
	const struct sr_reply *record;
};
/* The i-th stream. */
SR_MUST_CHECK enum sr_err sr_look_read(const struct sr_reply *reply, size_t i, struct sr_look_result *out);
/* The k-th field of the record: "" for one that it does not have. */
const char *sr_look_field(const struct sr_look_result *look, size_t k);

/* Which of up to SR_BATCH_MAX streams did the guardian end, as their producer did not come back? The reply has one array a stream, empty
 * for any other, else the fields' values (of the completion, a NULL-ended list). */
void sr_lost_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count, const char *const *fields);

/* All processes at once; monitor.h reads the reply. */
#define SR_MONITOR_NODES_MAX 200 /* those that were seen last; Redis is kept for some 3 ms by so many */
void sr_monitor_call(struct sr_call *call, const struct sr_registry *reg);

#endif
