/* tail.c - see tail.h. */
#include "cli/tail.h"

#include "common/json.h"
#include "common/mem.h"
#include "common/utf8.h"
#include <stdlib.h>
#include <string.h>

enum sr_err sr_tail_init(struct sr_tail *t, size_t lines)
{
	*t = (struct sr_tail){.lines = lines};
	if (lines == 0)
		return SR_OK;
	t->ring = sr_calloc(lines, sizeof *t->ring);
	return t->ring ? SR_OK : SR_ENOMEM;
}

void sr_tail_release(struct sr_tail *t)
{
	free(t->ring);
	t->ring = NULL;
	t->lines = t->count = 0;
}

/* A part of a line, without LF. */
static void add_part(struct sr_tail_line *line, const char *bytes, size_t len)
{
	const char *cr;
	bool ends_in_cr = false;

	if (len == 0)
		return;
	line->begun = true;
	if (line->after_cr)
		line->len = 0;
	for (; len > 0 && bytes[len - 1] == '\r'; len--)
		ends_in_cr = true;
	cr = memrchr(bytes, '\r', len);
	if (cr) {
		line->len = 0;
		len -= (size_t)(cr + 1 - bytes);
		bytes = cr + 1;
	}
	if (len > SR_TAIL_LINE_BYTES - line->len)
		len = SR_TAIL_LINE_BYTES - line->len;
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
	line->after_cr = ends_in_cr;
}

static void end_line(struct sr_tail *t, struct sr_tail_line *line)
{
	struct sr_tail_line *slot = &t->ring[t->next];

	slot->len = line->len;
	memcpy(slot->bytes, line->bytes, line->len);
	t->next = (t->next + 1) % t->lines;
	if (t->count < t->lines)
		t->count++;
	line->len = 0;
	line->begun = line->after_cr = false;
}

void sr_tail_feed(struct sr_tail *t, int source, const char *bytes, size_t len)
{
	struct sr_tail_line *line = &t->open[source];
	const char *end;

	if (t->lines == 0)
		return;
	while ((end = memchr(bytes, '\n', len)) != NULL) {
		add_part(line, bytes, (size_t)(end - bytes));
		end_line(t, line);
		len -= (size_t)(end + 1 - bytes);
		bytes = end + 1;
	}
	add_part(line, bytes, len);
}

void sr_tail_finish(struct sr_tail *t)
{
	for (int i = 0; i < SR_TAIL_SOURCES; i++)
		if (t->open[i].begun)
			end_line(t, &t->open[i]);
}

/* The length without a character that the bound has cut in two. */
static size_t whole_length(const struct sr_tail_line *line)
{
	size_t len = line->len, back;

	if (len < SR_TAIL_LINE_BYTES)
		return len;
	for (back = 1; back < 4 && ((unsigned char)line->bytes[len - back] & 0xc0) == 0x80; back++)
		;
	if ((unsigned char)line->bytes[len - back] < 0xc0 || sr_utf8_length(line->bytes + len - back, back) == back)
		return len;
	return len - back;
}

/* The array of the last `count` lines. */
static enum sr_err put_lines(const struct sr_tail *t, struct sr_buf *out, size_t count)
{
	enum sr_err err = sr_buf_puts(out, "[");

	for (size_t i = 0; !err && i < count; i++) {
		const struct sr_tail_line *line = &t->ring[(t->next + t->lines - count + i) % t->lines];

		if (i > 0)
			err = sr_buf_puts(out, ",");
		if (!err)
			err = sr_json_quote(out, line->bytes, whole_length(line));
	}
	return err ? err : sr_buf_puts(out, "]");
}

enum sr_err sr_tail_json(const struct sr_tail *t, struct sr_buf *out, size_t room)
{
	size_t before = out->len, count = t->count;

	for (;;) {
		enum sr_err err = put_lines(t, out, count);

		if (err == SR_OK && out->len - before <= room)
			return SR_OK;
		sr_buf_truncate(out, before);
		if (err != SR_OK && err != SR_ETOOBIG)
			return err;
		if (count == 0)
			return SR_ETOOBIG;
		count--;
	}
}
