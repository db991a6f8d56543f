/* beats.h - what a responder tells the registry by itself: that its channels have viewers, and that it is alive. */
#ifndef SR_BEATS_H
#define SR_BEATS_H
#include "common/clock.h"
#include <stdbool.h>

struct sr_hub;

/* Beat for every channel that is due, in batches of SR_BATCH_MAX. Channels without viewers take their next step instead. */
void sr_beats_due(struct sr_hub *hub, sr_mono_ms now);

/* Write this node's counters, and set hub->report_at to when it is due again. */
void sr_beats_report(struct sr_hub *hub);

/* The last report: this node is gone, and all that it counted is in the totals. true: the loop is broken when Redis has it. false: it is away. */
bool sr_beats_leave(struct sr_hub *hub);

#endif
