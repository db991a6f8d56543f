/* sample.h - whose are the stale streams? Looks at SR_PACE_SAMPLE of them, spread evenly over all (they are sorted by their
 * last beat, and each responder beats for all its streams at once, so the oldest ones alone might be one responder's). */
#ifndef SR_SAMPLE_H
#define SR_SAMPLE_H
#include "guardian/link.h"
#include "guardian/pace.h"

/* Called once, from the loop. err: SR_OK, or why the sample could not be taken. */
typedef void sr_sample_cb(void *ctx, enum sr_err err, const struct sr_owners *owners);

struct sr_sample {
	const struct sr_link *link;
	sr_sample_cb *done;
	void *ctx;
	int64_t silent_since_ms;
	struct sr_owners owners;
	int waiting;     /* for so many replies */
	enum sr_err err; /* the first failure */
};

/**
 * Begin a sample; s->link, s->done and s->ctx are set, and stay.
 * stale            members at the low end of the index
 * silent_since_ms  Redis's clock. The owner of a stream is the responder that spoke of it last, if that was before this: one
 *                  that was heard since has contact, and what died is the producer. A stream without viewers has no owner.
 * Returns          SR_OK: `done` will be called. Else nothing is on its way.
 */
SR_MUST_CHECK enum sr_err sr_sample_start(struct sr_sample *s, long long stale, int64_t silent_since_ms);

#endif
