/* columns.h - texts in columns of a terminal: how wide is a text, and what of it fits. Pure.
 * A text is one that may be shown (sr_visible(), output.h): UTF-8 without control characters. Wide characters (East Asian, emoji)
 * take two columns, combining ones none. */
#ifndef SR_COLUMNS_H
#define SR_COLUMNS_H
#include "common/buf.h"

/* Columns that `len` bytes take. */
int sr_columns(const char *text, size_t len);
/* How many bytes from the start fit into `width` columns: whole characters, each with its combining ones, though no more of these
 * than a writing needs. *used: the columns that they take. */
size_t sr_columns_fit(const char *text, size_t len, int width, int *used);

enum sr_side { SR_LEFT, SR_RIGHT };
/* Append a text that somebody else wrote, made visible, as a cell of exactly `width` columns (from 1 up): cut with a '+' at its end, or
 * filled up with spaces. "" is shown as "-". */
SR_MUST_CHECK enum sr_err sr_columns_cell(struct sr_buf *out, const char *text, int width, enum sr_side side);

#endif
