/* heal.h - keys that would never expire get a TTL, and records that fell out of their index come back to it. Walks all keys of
 * the prefix with SCAN, a bounded part each time, on from where it was. Only keys of the kinds that common/keys.h names are
 * touched: another program may use the same prefix for more. */
#ifndef SR_HEAL_H
#define SR_HEAL_H
#include "common/clock.h"
#include "guardian/link.h"
#include "guardian/report.h"

/* Called once for each sr_heal_start(), from the loop or from inside sr_heal_start(). */
typedef void sr_heal_cb(void *ctx, enum sr_end end);

#define SR_HEAL_KINDS 10
struct sr_heal {
	const struct sr_link *link;
	sr_heal_cb *done;
	void *ctx;
	struct sr_tally *tally;  /* counts go here; the caller's */
	struct { char text[96]; size_t len; } stems[SR_HEAL_KINDS];

	char cursor[24];         /* where the walk goes on; "0" = at the beginning */
	bool whole, stopping;
	int scans_left;
	sr_mono_ms until;        /* a walk that is not whole stops then */
	struct sr_reply *page;   /* SCAN's reply, while its keys are looked at */
	size_t at;               /* the next key of it */
};

void sr_heal_init(struct sr_heal *h, const struct sr_link *link, struct sr_tally *tally, sr_heal_cb *done, void *ctx);
/* whole: from the beginning to the end. Else on from where it was, for at most `ms` and SR_HEAL_SCANS calls. */
#define SR_HEAL_SCANS 100
void sr_heal_start(struct sr_heal *h, bool whole, int64_t ms);
/* End after the call that is on its way. Only while it runs. */
void sr_heal_stop(struct sr_heal *h);
/* Begin the next walk at the beginning: another server, or another prefix. */
void sr_heal_rewind(struct sr_heal *h);

#endif
