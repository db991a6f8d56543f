/* output.c - see output.h. */
#include "cli/output.h"

#include "cli/columns.h"
#include "common/json.h"
#include "common/utf8.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JSON_MAX ((size_t)64 << 20)

void sr_out_init(struct sr_out *o, FILE *file, bool json)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	bool terminal = isatty(fileno(file));

	*o = (struct sr_out){.file = file, .terminal = terminal, .json = json};
	o->colour = terminal && !json && !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0);
}

/* Remember the first failure: by the time of the flush errno speaks of something else. */
static void put(struct sr_out *o, const char *bytes, size_t len)
{
	if (fwrite(bytes, 1, len, o->file) < len && !o->error)
		o->error = errno;
}

static void put_text(struct sr_out *o, const char *text)
{
	put(o, text, strlen(text));
}

/* ---- control characters ---- */

static unsigned long code_point(const char *c, size_t len)
{
	static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	unsigned long code = (unsigned char)c[0] & lead[len];

	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)c[i] & 0x3f);
	return code;
}

/* What a terminal obeys: C0, DEL, C1; and the marks, embeddings and isolates that reorder a line (Unicode, UAX #9). */
static bool is_obeyed(unsigned long code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

enum sr_err sr_visible(struct sr_buf *out, const char *bytes, size_t len)
{
	size_t before = out->len;
	enum sr_err err = SR_OK;

	for (size_t i = 0, step; err == SR_OK && i < len; i += step ? step : 1) {
		step = sr_utf8_length(bytes + i, len - i);
		if (step == 0)
			err = sr_buf_printf(out, "\\x%02x", (unsigned char)bytes[i]);
		else if (is_obeyed(code_point(bytes + i, step)))
			err = sr_buf_printf(out, "\\u%04lx", code_point(bytes + i, step));
		else
			err = sr_buf_append(out, bytes + i, step);
	}
	if (err != SR_OK)
		sr_buf_truncate(out, before);
	return err;
}

/* ---- text ---- */

/* Returns the columns that it took. */
static int write_visible(struct sr_out *o, const char *bytes, size_t len)
{
	struct sr_buf shown;
	int columns;

	sr_buf_init(&shown, JSON_MAX);
	if (sr_visible(&shown, bytes, len) != SR_OK)
		sr_buf_explain(&shown, "(no memory to show this)");
	put(o, sr_buf_text(&shown), shown.len);
	columns = sr_columns(sr_buf_text(&shown), shown.len);
	sr_buf_release(&shown);
	return columns;
}

void sr_out_write(struct sr_out *o, const char *bytes, size_t len)
{
	const char *end;

	if (!o->terminal) {
		put(o, bytes, len);
		return;
	}
	/* The newlines are our own: in JSON there is none, and other texts are written as fields. */
	while (len > 0) {
		end = memchr(bytes, '\n', len);
		write_visible(o, bytes, end ? (size_t)(end - bytes) : len);
		if (!end)
			return;
		put_text(o, "\n");
		len -= (size_t)(end + 1 - bytes);
		bytes = end + 1;
	}
}

void sr_out_text(struct sr_out *o, const char *text)
{
	sr_out_write(o, text, strlen(text));
}

void sr_out_printf(struct sr_out *o, const char *format, ...)
{
	struct sr_buf text;
	va_list ap;

	sr_buf_init(&text, JSON_MAX);
	va_start(ap, format);
	if (sr_buf_vprintf(&text, format, ap) == SR_OK)
		sr_out_write(o, sr_buf_text(&text), text.len);
	else
		put_text(o, "(no memory to show this)\n");
	va_end(ap);
	sr_buf_release(&text);
}

void sr_out_field(struct sr_out *o, const char *text, int width)
{
	size_t len = strlen(text);

	for (int used = write_visible(o, len ? text : "-", len ? len : 1); used < width; used++)
		put_text(o, " ");
}

const char *sr_state_colour(const struct sr_out *o, const char *state)
{
	static const char *const table[][2] = {
		{"active", "\033[32m"}, {"orphaned", "\033[33m"}, {"failed", "\033[31m"}, {"cancelled", "\033[35m"}, {"completed", "\033[36m"},
		{"good", "\033[32m"}, {"note", "\033[33m"}, {"bad", "\033[31m"}};

	for (size_t i = 0; o->colour && i < sizeof table / sizeof *table; i++)
		if (strcmp(state, table[i][0]) == 0)
			return table[i][1];
	return "";
}

void sr_out_state(struct sr_out *o, const char *state, int width)
{
	const char *colour = sr_state_colour(o, state);

	put_text(o, colour);
	sr_out_field(o, state, width);
	if (*colour)
		put_text(o, SR_COLOUR_END);
}

enum sr_err sr_out_flush(struct sr_out *o)
{
	if (fflush(o->file) != 0 && !o->error)
		o->error = errno;
	errno = o->error;
	return o->error ? SR_EIO : SR_OK;
}

/* ---- JSON ---- */

void sr_json_begin(struct sr_json *j)
{
	sr_buf_init(&j->text, JSON_MAX);
	j->err = SR_OK;
}

static void add(struct sr_json *j, const char *text)
{
	if (j->err == SR_OK)
		j->err = sr_buf_puts(&j->text, text);
}

/* What stands before each value: a comma unless it is the first, and the name. */
static void begin_value(struct sr_json *j, const char *name)
{
	char last = j->text.len ? j->text.data[j->text.len - 1] : '[';

	if (last != '[' && last != '{')
		add(j, ",");
	if (name && j->err == SR_OK)
		j->err = sr_json_quote(&j->text, name, strlen(name));
	if (name)
		add(j, ":");
}

void sr_json_open(struct sr_json *j, const char *name, char bracket)
{
	begin_value(j, name);
	add(j, (const char[]){bracket, '\0'});
}

void sr_json_close(struct sr_json *j, char bracket)
{
	add(j, (const char[]){bracket, '\0'});
}

void sr_json_text(struct sr_json *j, const char *name, const char *text)
{
	begin_value(j, name);
	if (!text)
		add(j, "null");
	else if (j->err == SR_OK)
		j->err = sr_json_quote(&j->text, text, strlen(text));
}

void sr_json_raw(struct sr_json *j, const char *name, const char *bytes, size_t len)
{
	begin_value(j, name);
	if (j->err == SR_OK)
		j->err = sr_json_value(&j->text, bytes, len);
}

void sr_json_int(struct sr_json *j, const char *name, long long value)
{
	begin_value(j, name);
	if (j->err == SR_OK)
		j->err = sr_buf_printf(&j->text, "%lld", value);
}

void sr_json_bool(struct sr_json *j, const char *name, bool value)
{
	begin_value(j, name);
	add(j, value ? "true" : "false");
}

enum sr_err sr_json_print(struct sr_json *j, struct sr_out *o)
{
	enum sr_err err = j->err;

	if (err == SR_OK) {
		sr_out_write(o, sr_buf_text(&j->text), j->text.len);
		put_text(o, "\n");
	}
	sr_buf_reset(&j->text);
	j->err = SR_OK;
	return err;
}

void sr_json_release(struct sr_json *j)
{
	sr_buf_release(&j->text);
}
