/* look.h - what `ssectl top` asks of Redis, a round at a time: the head of its picture, and the streams of the indexes.
 * Reads only. Every call is bounded, SR_LOOK_MAX streams at most are looked at in a round, SR_BATCH_MAX a call and one call after the
 * other: sent all at once, Redis would answer them without a look at anybody else. */
#ifndef SR_LOOK_H
#define SR_LOOK_H
#include "cli/ctl.h"
#include "cli/picture.h"

#define SR_LOOK_MAX 10000
#define SR_LOOK_COUNT_BYTES ((size_t)1 << 20)

struct sr_glance {
	int64_t now_ms;                 /* Redis's clock, as all times here */
	long long active, orphaned;     /* members of the indexes */
	long long responders, guardians;
	int64_t pass_ms;                /* a guardian's, last; -1 = never */
	bool memory;                    /* INFO was permitted; then what follows is known */
	long long used, limit;          /* bytes; limit 0 = none */
};

struct sr_look {
	struct sr_ctl *ctl;             /* connected */
	const char *state;              /* active, orphaned, or NULL for both */
	bool patient;                   /* go on trying for the command's deadline; else each call is tried once */
	bool no_info;                   /* Redis does not permit INFO: it is not asked again */
	struct sr_glance glance;
	struct sr_picture picture;      /* the last one that succeeded */
};

/* Look anew. SR_EDOWN, SR_ETIMEOUT, SR_EREFUSED, SR_EBUSY: Redis is away for now; SR_EDENIED, SR_EREPLY, SR_ENOMEM will not get better.
 * On an error the picture is the one before. */
SR_MUST_CHECK enum sr_err sr_look(struct sr_look *l);
bool sr_look_may_pass(enum sr_err err);
void sr_look_release(struct sr_look *l);

#endif
