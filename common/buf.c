#include "common/buf.h"
#include "common/mem.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 64, SENTENCE_MAX = 512 };

void sr_buf_init(struct sr_buf *b, size_t max)
{
	/* "No bound" becomes PTRDIFF_MAX - 1, so that no sum and no doubling in sr_buf_reserve can wrap. */
	*b = (struct sr_buf){.max = max < PTRDIFF_MAX ? max : PTRDIFF_MAX - 1};
}

void sr_buf_release(struct sr_buf *b)
{
	free(b->data);
	sr_buf_init(b, b->max);
}

void sr_buf_reset(struct sr_buf *b)
{
	sr_buf_truncate(b, 0);
}

enum sr_err sr_buf_reserve(struct sr_buf *b, size_t more)
{
	size_t need, cap;
	char *grown;

	if (more > b->max - b->len)
		return SR_ETOOBIG;
	need = b->len + more + 1;
	if (more == 0 || need <= b->cap)
		return SR_OK;
	cap = b->cap < FIRST_CAP / 2 ? FIRST_CAP : 2 * b->cap;
	if (cap > b->max + 1)
		cap = b->max + 1;
	if (cap < need)
		cap = need;
	grown = sr_realloc(b->data, cap);
	if (!grown)
		return SR_ENOMEM;
	b->data = grown;
	b->cap = cap;
	b->data[b->len] = '\0';
	return SR_OK;
}

enum sr_err sr_buf_append(struct sr_buf *b, const void *bytes, size_t len)
{
	enum sr_err e = sr_buf_reserve(b, len);

	if (e || len == 0)
		return e;
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
	return SR_OK;
}

enum sr_err sr_buf_puts(struct sr_buf *b, const char *text)
{
	return sr_buf_append(b, text, strlen(text));
}

enum sr_err sr_buf_printf(struct sr_buf *b, const char *format, ...)
{
	enum sr_err e;
	va_list ap;

	va_start(ap, format);
	e = sr_buf_vprintf(b, format, ap);
	va_end(ap);
	return e;
}

enum sr_err sr_buf_vprintf(struct sr_buf *b, const char *format, va_list ap)
{
	va_list again;
	enum sr_err e;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0)
		return SR_EINVAL;
	e = sr_buf_reserve(b, (size_t)len);
	if (e || len == 0)
		return e;
	vsnprintf(b->data + b->len, (size_t)len + 1, format, ap);
	b->len += (size_t)len;
	return SR_OK;
}

void sr_buf_explain(struct sr_buf *why, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	size_t len;
	va_list ap;
	int n;

	if (!why)
		return;
	va_start(ap, format);
	n = vsnprintf(sentence, sizeof sentence, format, ap);
	va_end(ap);
	len = n < 0 ? 0 : (size_t)n < sizeof sentence ? (size_t)n : sizeof sentence - 1;
	sr_buf_reset(why);
	if (sr_buf_append(why, sentence, len < why->max ? len : why->max))
		sr_buf_reset(why); /* no memory for words: the code that the caller returns still tells the error */
}

void sr_buf_consume(struct sr_buf *b, size_t len)
{
	if (len == 0)
		return;
	b->len -= len;
	memmove(b->data, b->data + len, b->len + 1);
}

void sr_buf_truncate(struct sr_buf *b, size_t len)
{
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
}

const char *sr_buf_text(const struct sr_buf *b)
{
	return b->data ? b->data : "";
}
