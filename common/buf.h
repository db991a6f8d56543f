/* buf.h - growable bytes with a hard bound.
 * Owner: whoever holds the struct; release it. `data` is NUL-terminated behind `len` whenever it is not NULL. */
#ifndef SR_BUF_H
#define SR_BUF_H
#include "common/err.h"
#include <stdarg.h>
#include <stddef.h>

struct sr_buf {
	char *data;  /* NULL while empty and never grown */
	size_t len;  /* bytes in use */
	size_t cap;  /* bytes allocated */
	size_t max;  /* `len` never passes this */
};

/* An empty buffer that may grow to `max` bytes. Allocates nothing. */
void sr_buf_init(struct sr_buf *b, size_t max);
/* Free the memory; the struct is as after sr_buf_init with the same bound. */
void sr_buf_release(struct sr_buf *b);
/* Forget the bytes, keep the memory. */
void sr_buf_reset(struct sr_buf *b);
/* Make room for `more` bytes. SR_ETOOBIG or SR_ENOMEM leave the buffer unchanged; so below. */
SR_MUST_CHECK enum sr_err sr_buf_reserve(struct sr_buf *b, size_t more);
SR_MUST_CHECK enum sr_err sr_buf_append(struct sr_buf *b, const void *bytes, size_t len);
SR_MUST_CHECK enum sr_err sr_buf_puts(struct sr_buf *b, const char *text);
SR_MUST_CHECK enum sr_err sr_buf_printf(struct sr_buf *b, const char *format, ...) SR_PRINTF(2, 3);
SR_MUST_CHECK enum sr_err sr_buf_vprintf(struct sr_buf *b, const char *format, va_list ap);
/* Replace the content by a sentence for a person. It is cut at the bound (and at 511 bytes), and left out when memory is
 * out: the error code beside it is what programs act on. NULL is fine and takes nothing. */
void sr_buf_explain(struct sr_buf *why, const char *format, ...) SR_PRINTF(2, 3);
/* Drop the first `len` bytes (len <= b->len). */
void sr_buf_consume(struct sr_buf *b, size_t len);
/* Shorten to `len` bytes (len <= b->len): undoes a partial append. */
void sr_buf_truncate(struct sr_buf *b, size_t len);
/* The text, "" while nothing was written. */
const char *sr_buf_text(const struct sr_buf *b);

#endif
