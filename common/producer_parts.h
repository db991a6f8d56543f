/* producer_parts.h - shared by producer.c (its life) and producer_send.c (what it asks of Redis); private to them. */
#ifndef SR_PRODUCER_PARTS_H
#define SR_PRODUCER_PARTS_H
#include "common/backlog.h"
#include "common/batch.h"
#include "common/clock.h"
#include "common/producer.h"
#include "common/redis.h"

/* What a look at the record is for. */
enum sr_look {
	SR_LOOK_NOT,
	SR_LOOK_KNOWN,  /* a given name: which of its events are stored already? */
	SR_LOOK_ENDED,  /* a beat heard that the stream has ended: how? */
	SR_LOOK_FENCED  /* a beat was refused: has the lease been taken, or has Redis lost it? */
};

struct sr_producer {
	struct ev_loop *loop;
	struct sr_registry reg;
	struct sr_redis *redis;
	struct sr_producer_hooks hooks;
	void *ctx;

	char id[SR_STREAM_ID_MAX + 1], user[SR_USER_MAX + 1], name[SR_PRODUCER_NAME_MAX + 1];
	char *type, *metadata;      /* may be NULL */
	char epoch[24];             /* of the lease that beats go under; "" = any */
	bool named;                 /* the name was given: an earlier program may have stored some of the events */
	bool create, open, lease;   /* as in the options */
	bool beats;                 /* each interval */
	size_t event_bytes;

	bool opened;                /* nothing is left to be opened */
	enum sr_look look;          /* what has to be looked up before anything else is sent */
	uint64_t known;             /* a named producer has stored its events up to this number; 0 = none */
	struct sr_backlog backlog;
	struct sr_batch batch;      /* what was taken from the backlog and is not answered; empty = nothing */
	uint64_t batch_n;           /* number of its last event */
	bool batch_notice;          /* its first one is a notice */
	bool doubtful;              /* an attempt to send it had no answer: it may be stored */
	bool open_sent, look_sent, batch_sent, beat_sent; /* and not yet answered */
	bool beat_wanted;           /* asked for, or due for another reason than time */

	struct sr_event_id beat_last; /* what the last beat told of the log */
	bool reached;               /* the connection was ready once */
	sr_mono_ms beat_at;         /* the next beat */
	sr_mono_ms resume_at;       /* after a refusal nothing is sent before */
	int64_t pause;              /* the next pause after a refusal, ms */
	ev_timer timer;             /* runs the pump when something is due */
	bool kicked;                /* the timer fires in this turn */

	enum sr_producer_end end;
	char end_type[SR_EVENT_TYPE_MAX + 1];
	struct sr_buf why;
	size_t lost, lost_unconfirmed; /* closed: what waited then */
};

/* producer.c */

/* Send all that can be sent now, and set the timer for what is due later. From the loop only. */
void sr_producer_pump(struct sr_producer *p);
/* The last change of its life. end_type: SR_PRODUCER_ENDED, else "". */
void sr_producer_close(struct sr_producer *p, enum sr_producer_end end, const char *end_type);
/* A call failed for `why`: wait and try again, or close. */
void sr_producer_trouble(struct sr_producer *p, enum sr_err err, const char *why);
/* A call has worked. */
void sr_producer_well(struct sr_producer *p);

/* producer_send.c: each sends one call, or fails into sr_producer_trouble(). */

void sr_producer_send_open(struct sr_producer *p);
void sr_producer_send_look(struct sr_producer *p);
/* The batch that waits for its answer, else a new one from the backlog, if there is anything. */
void sr_producer_send_batch(struct sr_producer *p);
void sr_producer_send_beat(struct sr_producer *p);

#endif
