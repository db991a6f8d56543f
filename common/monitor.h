/* monitor.h - what Redis knows of all processes, read from one reply (sr_monitor_call() in registry.h), and summed up. Pure.
 * The words in the reply are other programs': a number is digits and nothing else, and counts as 0 when it is none. */
#ifndef SR_MONITOR_H
#define SR_MONITOR_H
#include "common/registry.h"

struct sr_monitor {
	long long now_ms;             /* Redis's clock */
	long long active, orphaned;   /* members of the indexes; -1: they are none */
	const struct sr_reply *guardian, *totals; /* field, value, ...; none when there is nothing */
	const struct sr_reply *nodes; /* those that were seen last come first */
};
/* Borrows from the reply. */
SR_MUST_CHECK enum sr_err sr_monitor_read(const struct sr_reply *reply, struct sr_monitor *out);

/* The fields of the i-th of sr_reply_count(m->nodes) processes, and how long ago it was seen; age_ms may be NULL. */
const struct sr_reply *sr_monitor_node(const struct sr_monitor *m, size_t i, long long *age_ms);
/* A value of field, value, ...; "" when there is none of that name. */
const char *sr_monitor_word(const struct sr_reply *fields, const char *name);
long long sr_monitor_number(const struct sr_reply *fields, const char *name);

enum sr_node_kind { SR_NODE_RESPONDER, SR_NODE_GUARDIAN, SR_NODE_KINDS };
extern const char *const sr_node_kinds[SR_NODE_KINDS];
/* SR_NODE_KINDS: of another kind. */
enum sr_node_kind sr_monitor_kind(const struct sr_reply *fields);

struct sr_overview {
	struct { long long processes, rss, most_rss, youngest_s; } kind[SR_NODE_KINDS]; /* bytes; youngest_s -1: none */
	long long streams, viewers, publishing;  /* sums of all responders; a stream counts at each of them */
	long long canary_age_ms, writable_ms;    /* writable_ms: proven until the last canary; -1: there was none */
	long long pass_age_ms, pass_ms;          /* -1: there was none */
};
struct sr_overview sr_monitor_overview(const struct sr_monitor *m);

#endif
