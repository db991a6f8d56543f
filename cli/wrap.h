/* wrap.h - one job and its stream: what the job prints goes out as events, how it ends as the terminal event, and who cancels
 * the stream stops the job.
 *
 *            ┌─────────────── wrap ───────────────┐
 *   job ────>│ mapper ──> producer (backlog) ─────│──> Redis
 *    ^       │ tail ──> ending ──────┘            │
 *    └───────│<── stop <── watch (Pub/Sub) <──────│─── cancelled
 *            └────────> tee ──────────────────────│──> our own stdout and stderr
 *
 * Life   opening ──the stream is open, or 1 s, or Redis is away──> running ──the job has ended──> storing ──> done
 * The job comes first: nothing that happens to the stream keeps it from starting (but with --require), from running on (but a
 * cancellation), or from printing as fast as it likes (but while Redis answers, and only takes its time). */
#ifndef SR_WRAP_H
#define SR_WRAP_H
#include "cli/ctl.h"
#include "cli/mapper.h"

struct sr_wrap_options { /* borrowed; times in ms, 0 = none */
	const char *id, *user, *type, *metadata; /* of the stream; metadata NULL = none */
	char **argv;           /* the job */
	enum sr_map map;
	const char *event;     /* type of the events of standard output */
	int64_t join_ms, timeout_ms, idle_ms, grace_ms, deadline_ms, tail, spool;
	bool tee, require;
};

/* Run it. The exit status for this program. */
int sr_wrap(struct sr_ctl *ctl, const struct sr_wrap_options *options);

#endif
