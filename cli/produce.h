/* produce.h - what the producing commands share: one producer of the C library, set up from the flags. */
#ifndef SR_PRODUCE_H
#define SR_PRODUCE_H
#include "cli/ctl.h"
#include "common/lib/producer_handle.h"

struct sr_producing {
	struct sr_ctl *ctl;
	const char *id, *user;     /* user "" = none is given */
	const char *name;          /* --producer; NULL = a random one */
	uint64_t n;                /* --n; 1 */
	sse_producer *handle;
};

/* Fill from the flags; sends nothing yet. `options` may hold stored and ctx. 0 or the exit code; end it in any case. */
int sr_producing_start(struct sr_ctl *ctl, struct sr_producing *p, const char *id, sse_options options);
void sr_producing_end(struct sr_producing *p);

/* Say why a call was not done. Returns 0 for SSE_OK, else the exit code. `detail` is put behind the message: "; 3 events stored". */
int sr_producing_failed(const struct sr_producing *p, sse_result result, const char *detail);
/* May some of what was asked for be done, although no answer says so? */
bool sr_producing_doubtful(const struct sr_producing *p, sse_result result);

/* Print an event's id. SR_ENOMEM when that failed. */
SR_MUST_CHECK enum sr_err sr_producing_print(struct sr_ctl *ctl, struct sr_json *json, const char *event_id, bool repeat);

/* bulk.c: `emit ID -` */
int sr_bulk(struct sr_ctl *ctl, const char *id);

#endif
