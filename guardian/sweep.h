/* sweep.h - stale streams are marked as orphans, and orphans past their grace get their end, in batches until none is left.
 *
 *   ask: stale.lua ──> [first page: sample the owners, choose the pace] ──> judge: sweep.lua, the stale ones
 *    ^                                                                        │
 *    └───── [slow: pause] <── page done <── judge: sweep.lua, the due ones <──┘
 *
 * A page is what stale.lua names at once: at most one batch of each kind. Only sweep.lua decides; a beat that comes in
 * between wins. */
#ifndef SR_SWEEP_H
#define SR_SWEEP_H
#include "guardian/pace.h"
#include "guardian/report.h"
#include "guardian/sample.h"

/* Called once for each sr_sweep_start(): from the loop, or from inside sr_sweep_start() or sr_sweep_stop(). */
typedef void sr_sweep_cb(void *ctx, enum sr_end end);

struct sr_sweep {
	const struct sr_link *link;
	sr_sweep_cb *done;
	void *ctx;
	struct sr_tally *tally; /* counts go here; the caller's */
	int64_t proven_ms;      /* SR_END_UNPROVEN: how long the proof is */
	int64_t next_due_ms;    /* SR_END_DONE: until the next orphan's grace ends; -1 = there is none */
	bool was_slow;          /* the pass before was slow: that was logged */

	bool stopping;
	bool paced;             /* the pace was chosen, on the first page */
	struct sr_pace pace;
	struct sr_sample sample;
	ev_timer pause;
	struct sr_reply *page;  /* stale.lua's reply, while its ids are judged */
	const struct sr_reply *lists[2]; /* of the page: stale ids, due ids */
	int list;               /* the one that is judged, 0 or 1 */
	const char *ids[SR_BATCH_MAX];
	int count;              /* ids on their way to sweep.lua */
	int judged;             /* of this page */
	bool moved;             /* this page changed something */
	int idle;               /* pages in a row that changed nothing */
};

void sr_sweep_init(struct sr_sweep *s, const struct sr_link *link, struct sr_tally *tally, sr_sweep_cb *done, void *ctx);
void sr_sweep_start(struct sr_sweep *s);
/* End after the call that is on its way, or now if none is. Only while it runs. */
void sr_sweep_stop(struct sr_sweep *s);

#endif
