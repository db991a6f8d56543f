/* top.h - the parts of `ssectl top`: what is on the screen, and how it is written down.
 *
 *   top.c: looks (look.h), keys and signals (screen.h) ──> top_draw.c: lines of text, or an object */
#ifndef SR_TOP_H
#define SR_TOP_H
#include "cli/look.h"

struct sr_top {
	struct sr_ctl *ctl;
	struct sr_look look;
	enum sr_order order;
	int64_t interval_ms;
	bool paused, help;
	const char *away;     /* why Redis is, NULL when it answers; then the picture is an old one */
	int64_t away_ms;      /* for so long */
};

/* Append the picture as lines, each ended by LF and none wider than `columns`; `lines` of them at most, 0 = as many as there are
 * streams. SR_ENOMEM: part of it was. */
SR_MUST_CHECK enum sr_err sr_top_lines(const struct sr_top *t, int lines, int columns, struct sr_buf *out);
/* Print it as one object. SR_ENOMEM: nothing was printed. */
SR_MUST_CHECK enum sr_err sr_top_json(const struct sr_top *t);

#endif
