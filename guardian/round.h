/* round.h - one pass: sweep, then heal, then the report. */
#ifndef SR_ROUND_H
#define SR_ROUND_H
#include "guardian/heal.h"
#include "guardian/sweep.h"

enum sr_extent {
	SR_EXTENT_SWEEP, /* no healing: only because an orphan's grace ends */
	SR_EXTENT_USUAL, /* and a bounded part of the healing */
	SR_EXTENT_WHOLE  /* and all of it */
};

/* Called once for each sr_round_start(): from the loop, or from inside sr_round_start() or sr_round_stop(). */
typedef void sr_round_cb(void *ctx, enum sr_end end);

struct sr_round {
	struct sr_report *report;
	sr_round_cb *done;
	void *ctx;
	bool running, loud;
	enum { SR_ROUND_SWEEPING, SR_ROUND_HEALING } step;
	enum sr_extent extent;
	int64_t heal_ms;
	sr_mono_ms started;
	struct sr_tally tally;
	struct sr_sweep sweep;
	struct sr_heal heal;
};

/* loud: log a pass as info though it did nothing. */
void sr_round_init(struct sr_round *r, const struct sr_link *link, struct sr_report *report, bool loud, sr_round_cb *done, void *ctx);
/* heal_ms bounds SR_EXTENT_USUAL. */
void sr_round_start(struct sr_round *r, enum sr_extent extent, int64_t heal_ms);
/* End after the call that is on its way; nothing happens when none is running. */
void sr_round_stop(struct sr_round *r);

#endif
