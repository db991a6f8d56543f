/* mapper.h - the bytes that a job prints, as events. Pure: no I/O, no clock; one mapper for each of stdout and stderr.
 *
 *   feed ... ──> on_event ... ──> feed ──> flush (the window of --coalesce is over) ──> ... finish
 *
 * Where lines are cut depends on the bytes only, not on how they were fed; but for SR_MAP_RAW, whose pieces are the feeds.
 * Text that is not UTF-8 becomes U+FFFD, a byte each; NUL and other control characters are JSON escapes. An event never
 * passes event_bytes: a longer line goes out in pieces, each but the last with "cut":true, and nothing is lost. */
#ifndef SR_MAPPER_H
#define SR_MAPPER_H
#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>

#define SR_MAPPER_JOIN_BYTES (16u << 10) /* joined text goes out when it has grown so long, as JSON */

enum sr_map {
	SR_MAP_LINES,    /* {"line":"..."}; a line ends with LF or CRLF, and the last one may lack it */
	SR_MAP_JSON,     /* {"type":...,"data":...} a line; any other line that is not blank as in SR_MAP_LINES */
	SR_MAP_PROGRESS, /* a line with a percentage is progress {"percent":40,"line":"..."}, and left out when it repeats the last one;
	                  * others as in SR_MAP_LINES. CR ends a line, too, and an empty line before it is none */
	SR_MAP_RAW       /* {"text":"..."}; a character is never cut in two */
};

struct sr_mapper_options { /* borrowed */
	enum sr_map map;
	const char *type;   /* of the events with a line or a text */
	const char *more;   /* members behind the text, with their comma: ",\"stream\":\"stderr\"", or "" */
	size_t event_bytes;
	bool join;          /* text waits for sr_mapper_flush(): lines with \n between them */
	/* Terminal types come, too (SR_MAP_JSON). The strings live during the call. */
	void (*on_event)(void *ctx, const char *type, size_t type_len, const char *data, size_t data_len);
	void (*on_odd)(void *ctx, const char *why); /* SR_MAP_JSON: this line was no event, so the text of it follows */
	void *ctx;
};

struct sr_mapper {
	struct sr_mapper_options o;
	struct sr_buf line;      /* of the unfinished line, less what was cut off; SR_MAP_RAW: of an unfinished character */
	struct sr_buf out;       /* the text event under construction */
	size_t head;             /* its first bytes: {"line":" */
	size_t room;             /* `out` may grow so long before its end is put behind it */
	size_t longest;          /* a line of so many bytes is cut, whatever it holds */
	bool waiting;            /* `out` holds text */
	bool cutting;            /* the beginning of this line went out */
	bool after_cr;           /* an LF now belongs to the CR before it */
	int tenths;              /* of the progress sent last; -1 = none */
	struct sr_buf type, data, why;
};

/* SR_ENOMEM: nothing is held. Afterwards only SR_MAP_JSON allocates, and a line for which memory is out goes out as text. */
SR_MUST_CHECK enum sr_err sr_mapper_init(struct sr_mapper *m, const struct sr_mapper_options *options);
void sr_mapper_release(struct sr_mapper *m);

void sr_mapper_feed(struct sr_mapper *m, const char *bytes, size_t len);
/* Does text wait to be joined? */
bool sr_mapper_waits(const struct sr_mapper *m);
/* Send it. */
void sr_mapper_flush(struct sr_mapper *m);
/* The output is at its end: send what is left of it. */
void sr_mapper_finish(struct sr_mapper *m);

#endif
