/* picture.h - streams as they were at one moment; two such pictures tell how many events each gets a second. Pure. */
#ifndef SR_PICTURE_H
#define SR_PICTURE_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sr_row {
	const char *id, *state, *type, *user, *last_event; /* the row's own */
	bool leased;
	bool ended;               /* since the picture before: it counts, and is not shown */
	int64_t looked_ms;        /* when it was looked at, by Redis's clock, as all times here */
	int64_t started_ms;       /* -1 = not known */
	int64_t beat_ms;          /* its last sign of life; -1 = not known */
	long long viewers;
	long long length, added;  /* events in its log, and ever added; -1 = not counted */
	double rate;              /* events a second since the picture before; -1 = not known */
	char *text;
};

struct sr_picture {
	struct sr_row *rows;
	size_t count, room;
	int64_t at_ms;            /* when it was begun */
	bool partial;             /* there are more streams than were looked at */
	bool compared;            /* with a picture before it: its rates are known */
};

void sr_picture_release(struct sr_picture *p);
/* Add a stream; the texts are copied. SR_ENOMEM: the picture is as before. */
SR_MUST_CHECK enum sr_err sr_picture_add(struct sr_picture *p, const struct sr_row *row);

/* Sort the rows by id and fill in their rates; a stream that is there twice is kept once. A row that `before` (NULL: there is none) has
 * not is new: all its events count if it was started since, else nothing is known of its rate. A log that was begun anew counts
 * from its start. A log that was not counted is taken by its length, as long as that grows. */
void sr_picture_compare(struct sr_picture *now, const struct sr_picture *before);

struct sr_total { long long viewers; double rate; /* -1 = not compared */ };
struct sr_total sr_picture_total(const struct sr_picture *p);

enum sr_order { SR_BY_RATE, SR_BY_VIEWERS, SR_BY_EVENTS, SR_BY_AGE, SR_BY_SILENCE, SR_BY_ID, SR_ORDERS };
extern const char *const sr_order_names[SR_ORDERS];
/* The rows that are shown, the first in this order first: pointers into `p`, as many as *count says. NULL: out of memory, or there
 * are none. Free it. */
const struct sr_row **sr_picture_sort(const struct sr_picture *p, enum sr_order order, size_t *count);

#endif
