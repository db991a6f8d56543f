/* columns.c - see columns.h. */
#include "cli/columns.h"

#include "cli/output.h"
#include "common/utf8.h"
#include <locale.h>
#include <string.h>
#include <wchar.h>

#define MARKS_MAX 8 /* combining characters on one: a pile of hundreds would write over the lines around it */
#define CELL_MAX 65536

static wchar_t code_point(const char *c, size_t len)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned long code = (unsigned char)c[0] & lead[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)c[i] & 0x3f);
	return (wchar_t)code;
}

/* The program runs in the locale C, where wcwidth() knows ASCII only. Without C.UTF-8 every character counts as one column. */
static int wide_width(wchar_t c)
{
	static locale_t utf8, none = (locale_t)0;
	static int tried;
	locale_t before;
	int width;

	if (!tried) {
		tried = 1;
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", none);
	}
	if (utf8 == none)
		return 1;
	before = uselocale(utf8);
	width = wcwidth(c);
	uselocale(before);
	return width < 0 ? 1 : width;
}

/* The next character: its bytes, and its columns. */
static size_t step(const char *text, size_t len, int *width)
{
	size_t bytes = sr_utf8_length(text, len);

	*width = 1;
	if (bytes > 1)
		*width = wide_width(code_point(text, bytes));
	return bytes ? bytes : 1;
}

size_t sr_columns_fit(const char *text, size_t len, int width, int *used)
{
	size_t at = 0, bytes;
	int columns, marks = 0;

	*used = 0;
	for (; at < len; at += bytes) {
		bytes = step(text + at, len - at, &columns);
		marks = columns ? 0 : marks + 1;
		if (*used + columns > width || marks > MARKS_MAX)
			break;
		*used += columns;
	}
	return at;
}

int sr_columns(const char *text, size_t len)
{
	int sum = 0, columns;

	for (size_t at = 0; at < len; sum += columns)
		at += step(text + at, len - at, &columns);
	return sum;
}

static enum sr_err fill(struct sr_buf *out, int count)
{
	return sr_buf_printf(out, "%*s", count > 0 ? count : 0, "");
}

/* A character never takes less than one byte, or more than so many with its marks: the rest cannot be seen. */
static size_t seen_at_most(const char *text, int width)
{
	return strnlen(text, (size_t)width * 4 * (MARKS_MAX + 1) + 1);
}

static enum sr_err cell(struct sr_buf *out, const char *text, size_t len, int width, enum sr_side side)
{
	int used;
	size_t fits = sr_columns_fit(text, len, width, &used);
	bool cut = fits < len;
	enum sr_err err = SR_OK;

	if (cut)
		fits = sr_columns_fit(text, len, width - 1, &used);
	if (side == SR_RIGHT)
		err = fill(out, width - used - cut);
	if (err == SR_OK)
		err = sr_buf_append(out, text, fits);
	if (err == SR_OK && cut)
		err = sr_buf_puts(out, "+");
	if (err == SR_OK && side == SR_LEFT)
		err = fill(out, width - used - cut);
	return err;
}

enum sr_err sr_columns_cell(struct sr_buf *out, const char *text, int width, enum sr_side side)
{
	size_t before = out->len;
	struct sr_buf shown;
	enum sr_err err;

	sr_buf_init(&shown, CELL_MAX);
	err = *text ? sr_visible(&shown, text, seen_at_most(text, width)) : sr_buf_puts(&shown, "-");
	if (err == SR_OK)
		err = cell(out, sr_buf_text(&shown), shown.len, width, side);
	if (err != SR_OK)
		sr_buf_truncate(out, before);
	sr_buf_release(&shown);
	return err;
}
