/* report.h - what this guardian did, for people: one log line a pass, the last pass in Redis, counters of the process. */
#ifndef SR_REPORT_H
#define SR_REPORT_H
#include "common/clock.h"
#include "guardian/link.h"

/* One pass, or what there was of it. */
struct sr_tally {
	int64_t at_ms;            /* Redis's clock when it began; 0 = Redis was not asked */
	int64_t took_ms;
	long long active, stale;  /* when it began */
	long long marked;         /* orphaned */
	long long failed;         /* orphans past their grace, ended */
	long long adopted;        /* ended by a completion that another program had stored */
	long long ended, gone;    /* out of the indexes: had ended before; had no record */
	long long timed, indexed; /* healed: keys that got a TTL; records that are in their index again */
	bool slow;                /* a large share was stale */
};

/* Was anything changed? */
bool sr_tally_did(const struct sr_tally *t);

#define SR_REPORT_NUMBER 24
struct sr_report {
	char name[24], host[256], pid[SR_REPORT_NUMBER], started_at[SR_ISO_SIZE];
	sr_mono_ms started;
	struct sr_node node;                      /* its counters are what it did since the start */
	bool fresh, sent;                         /* the last pass is not in Redis yet; it is on its way there */
	char last_at[SR_ISO_SIZE];
	char last_number[5][SR_REPORT_NUMBER];
};

void sr_report_init(struct sr_report *r);
/* A pass ended: count it, keep it as the last one, and log it (info if it did something or `loud`, else debug). */
void sr_report_pass(struct sr_report *r, const struct sr_tally *t, bool loud);

#define SR_REPORT_FIELDS 16
/* The last pass as name, value pairs for sr_canary_call(), if Redis does not have it yet; else NULL. Fills and returns `fields`. */
const char *const *sr_report_fields(struct sr_report *r, const char *fields[SR_REPORT_FIELDS]);
/* Redis has what sr_report_fields() returned last. */
void sr_report_kept(struct sr_report *r);

enum sr_report_counter { SR_PASSES, SR_STREAMS_MARKED, SR_STREAMS_FAILED, SR_KEYS_HEALED, SR_REPORT_COUNTERS };
long long sr_report_count(const struct sr_report *r, enum sr_report_counter which);

/* Tell Redis that this guardian is alive, with its counters. An outage is no matter: the next time will do. */
void sr_report_node(struct sr_report *r, const struct sr_link *link);
/* Tell it for the last time: the guardian is gone, and what it did is in the totals. SR_OK: `left` is called from the loop. */
SR_MUST_CHECK enum sr_err sr_report_leave(struct sr_report *r, const struct sr_link *link, sr_redis_cb *left, void *ctx);

#endif
