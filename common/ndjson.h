/* ndjson.h - events from newline-delimited JSON, one {"type", "data"} a line. Pure: no I/O.
 *
 *   feed ... ──> next: EVENT EVENT ... MORE ──> feed ──> ... close ──> next: EVENT ... END
 *
 * A line ends with LF; a CR before it is white space, as JSON has it. The last line may lack its LF. Lines of white space
 * are skipped, but counted. */
#ifndef SR_NDJSON_H
#define SR_NDJSON_H
#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_NDJSON_FEED_MAX 65536
#define SR_NDJSON_FRAME 1024 /* bytes of a line besides its data: the member's names, the type, white space */

enum sr_ndjson_what {
	SR_NDJSON_EVENT, /* type and data are the next event */
	SR_NDJSON_MORE,  /* feed or close first */
	SR_NDJSON_END,   /* closed, and all was read */
	SR_NDJSON_BAD,   /* `why` says what is wrong with line `number`; so does each further call */
	SR_NDJSON_NOMEM  /* out of memory; no further call */
};

struct sr_ndjson {
	struct sr_buf in;       /* what was fed and not yet read begins at `at` */
	size_t at, searched;    /* no LF from `at` to `searched` */
	size_t event_bytes;     /* bound of one event's data, as it will be stored */
	bool closed, ended, bad;/* ended: a terminal event was read */
	uint64_t number;        /* of the line read last, from 1 */
	struct sr_buf type, data, why;
	bool terminal;          /* the event ends the stream */
	bool big;               /* bad, because it passes event_bytes */
};

void sr_ndjson_init(struct sr_ndjson *in, size_t event_bytes);
void sr_ndjson_release(struct sr_ndjson *in);
/* At most SR_NDJSON_FEED_MAX bytes, and only after SR_NDJSON_MORE. SR_ENOMEM: nothing was taken. */
SR_MUST_CHECK enum sr_err sr_ndjson_feed(struct sr_ndjson *in, const char *bytes, size_t len);
/* Nothing more will be fed. */
void sr_ndjson_close(struct sr_ndjson *in);
/* Read on. type, data and why live until the next call. */
enum sr_ndjson_what sr_ndjson_next(struct sr_ndjson *in);

/* Check what one event is made of, whoever wrote it; also for single events. `data` is normalised JSON. SR_EINVAL or
 * SR_ETOOBIG with the reason in `why`. */
SR_MUST_CHECK enum sr_err sr_event_check(const char *type, size_t type_len, size_t data_len, size_t event_bytes, struct sr_buf *why);

#endif
