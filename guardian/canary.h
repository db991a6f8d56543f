/* canary.h - the proof that Redis was writable long enough to judge who is dead. While Redis stalls or restarts nobody can
 * beat, and every stream looks dead. So a guardian writes a canary every second; how long they came without a break is kept
 * in Redis, for all guardians, and checked in the script that marks (common/lua/canary.lua, sweep.lua). */
#ifndef SR_CANARY_H
#define SR_CANARY_H
#include "guardian/link.h"
#include "guardian/report.h"

#define SR_CANARY_PERIOD_MS 1000 /* less where sr_canary_gap() is short */

/* One canary was answered. err SR_OK: Redis is proven writable for proven_ms. A lost connection is no answer. */
typedef void sr_canary_cb(void *ctx, enum sr_err err, int64_t proven_ms);

struct sr_canary {
	const struct sr_link *link;
	struct sr_report *report; /* what it has to say goes along */
	sr_canary_cb *answered;
	void *ctx;
	ev_timer timer;
	char run_id[64];    /* of the Redis server; another one means that it restarted or failed over; "" = not yet known */
	bool on_way;        /* a call that is not answered yet */
	enum sr_err logged; /* the failure that was logged last */
};

void sr_canary_init(struct sr_canary *c, const struct sr_link *link, struct sr_report *report, sr_canary_cb *answered, void *ctx);
/* The connection is up: ask for the server's run id, then write canaries until sr_canary_stop(). */
void sr_canary_start(struct sr_canary *c);
void sr_canary_stop(struct sr_canary *c);
/* Write one now, unless one is on its way: to bring a report to Redis. */
void sr_canary_now(struct sr_canary *c);

#endif
