/* doctor_watch.h - one stream as a browser gets it: an exchange, and the events in it with the time each arrived. */
#ifndef SR_DOCTOR_WATCH_H
#define SR_DOCTOR_WATCH_H
#include "cli/web.h"
#include "common/id.h"

#define SR_WATCH_EVENTS 64 /* more are counted, but not kept */

struct sr_watched {
	char id[SR_EVENT_ID_SIZE]; /* "" = none */
	char type[SR_EVENT_TYPE_MAX + 1];
	sr_mono_ms at;
};

struct sr_watch {
	struct sr_exchange *exchange; /* NULL = none is under way */
	struct sr_watched events[SR_WATCH_EVENTS]; /* connected and gap among them */
	size_t count;
	bool guarded;                 /* the first block was the guard */
	char from[SR_EVENT_ID_SIZE];  /* the guard's id */
	unsigned blocks, comments;
	bool retry;                   /* a retry: line was among what came, also without its blank line */
};

/* Begin to watch; `w` is all zero or was closed. false: no memory, or no URL. */
bool sr_watch_open(struct sr_watch *w, struct sr_web *web, const char *url, const char *const *fields);
/* Cut the connection. What was seen stays until the next open. */
void sr_watch_close(struct sr_watch *w);
/* Take what has come since. */
void sr_watch_read(struct sr_watch *w);
/* The i-th event of this type, from `first` on; NULL when it has not come. */
const struct sr_watched *sr_watch_find(const struct sr_watch *w, size_t first, const char *type);
/* The event with this id that is not `connected`. */
const struct sr_watched *sr_watch_find_id(const struct sr_watch *w, const char *id);

#endif
