/* tail.h - the last lines that a job printed, of stdout and stderr as they came, for the event of its failure. Pure but for
 * the memory taken at the start. A line is kept to SR_TAIL_LINE_BYTES, cut before a whole character; what a CR let the
 * terminal overwrite (a progress bar) is forgotten. */
#ifndef SR_TAIL_H
#define SR_TAIL_H
#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>

#define SR_TAIL_LINE_BYTES 512
#define SR_TAIL_SOURCES 2
#define SR_TAIL_LINES_MAX 100

struct sr_tail_line {
	size_t len;
	bool begun;      /* an unfinished line: there is something of it */
	bool after_cr;   /* and the next byte overwrites it, unless it is an LF */
	char bytes[SR_TAIL_LINE_BYTES];
};

struct sr_tail {
	struct sr_tail_line *ring;
	size_t lines, count, next;  /* bound; kept; where the next one goes */
	struct sr_tail_line open[SR_TAIL_SOURCES];
};

/* lines: 0 to SR_TAIL_LINES_MAX. SR_ENOMEM: nothing is held. */
SR_MUST_CHECK enum sr_err sr_tail_init(struct sr_tail *t, size_t lines);
void sr_tail_release(struct sr_tail *t);
/* source: 0 or 1 */
void sr_tail_feed(struct sr_tail *t, int source, const char *bytes, size_t len);
/* No more comes: lines without their LF count. */
void sr_tail_finish(struct sr_tail *t);
/* Append the lines as a JSON array, the oldest left out as it takes to stay below `room` bytes. SR_ENOMEM, or SR_ETOOBIG when
 * not even [] has room: `out` is unchanged. */
SR_MUST_CHECK enum sr_err sr_tail_json(const struct sr_tail *t, struct sr_buf *out, size_t room);

#endif
