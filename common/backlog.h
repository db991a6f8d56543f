/* backlog.h - the events of one producer that wait to be sent, in the order of their numbers: a bounded queue in one block of
 * memory. Pure but for memory.
 *
 *   head ──> [notice] event event event <── push
 *
 * Numbers rise by one, so only the next one is kept. Full, it refuses what comes, or drops its oldest events (drop_oldest);
 * these are then replaced by one notice at the head, {"type":"skipped","data":{"events":N}}, under the number of the last one
 * dropped. The terminal event is always taken and never dropped: it may pass the bound. */
#ifndef SR_BACKLOG_H
#define SR_BACKLOG_H
#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_BACKLOG_OVERHEAD 8 /* bytes that an event takes beside its type and data */

struct sr_backlog {
	struct sr_buf bytes;    /* from `at` on: lengths, type, data of each event */
	size_t at, bound, count;
	uint64_t next_n;        /* number of the next event taken */
	uint64_t skipped;       /* events that the notice at the head stands for; 0 = no notice */
	uint64_t skipped_ever;
	bool drop_oldest, ended;
	char notice[40];        /* data of the notice that was looked at last */
};

struct sr_backlog_event {
	uint64_t n;
	const char *type, *data; /* valid until the next call that changes the backlog */
	size_t type_len, data_len;
	bool notice;
};

/* bound: bytes of all that waits, SR_BACKLOG_OVERHEAD for each event included; the notice is free. */
void sr_backlog_init(struct sr_backlog *b, size_t bound, uint64_t first_n, bool drop_oldest);
/* Free the memory; all that waited is gone, the numbers stay. */
void sr_backlog_release(struct sr_backlog *b);

/**
 * Take one event; its type has 1 to SR_EVENT_TYPE_MAX bytes.
 * Returns SR_OK; SR_EBUSY: full, and not drop_oldest; SR_ETOOBIG: larger than the whole bound; SR_EINVAL: after the terminal event;
 *         SR_ENOMEM. Except with SR_OK nothing was taken and nothing dropped.
 */
SR_MUST_CHECK enum sr_err sr_backlog_push(struct sr_backlog *b, const char *type, size_t type_len, const char *data, size_t data_len);
/* The oldest event, or the notice before it. false: there is none. */
bool sr_backlog_head(struct sr_backlog *b, struct sr_backlog_event *out);
/* Take away what sr_backlog_head() shows. */
void sr_backlog_pop(struct sr_backlog *b);
/* Events, the notice included. */
size_t sr_backlog_count(const struct sr_backlog *b);

#endif
