/* mapper.c - see mapper.h. */
#include "cli/mapper.h"

#include "cli/percent.h"
#include "common/id.h"
#include "common/json.h"
#include "common/ndjson.h"
#include "common/utf8.h"
#include <stdio.h>
#include <string.h>

#define CUT ",\"cut\":true"
#define CHARACTER_MAX 4  /* bytes */
#define QUOTED_MAX 6     /* bytes that one of them becomes: \u0000 */
#define PERCENT_SIZE 40  /* {"percent":99.9,"line":" */

/* ---- text to JSON ---- */

/* All memory is reserved by sr_mapper_init(). */
static void put(struct sr_buf *b, const char *bytes, size_t len)
{
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
}

static void put_text(struct sr_buf *b, const char *text)
{
	put(b, text, strlen(text));
}

static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Quote the character that `bytes` begins with, 1 to 6 bytes; *step = how many bytes it has. */
static size_t quote(char out[QUOTED_MAX + 2], const char *bytes, size_t len, size_t *step)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt", unknown[] = {'\xef', '\xbf', '\xbd'}; /* U+FFFD */

	*step = sr_utf8_length(bytes, len);
	if (*step == 0) {
		*step = 1;
		memcpy(out, unknown, sizeof unknown);
		return sizeof unknown;
	}
	for (const char *s = shorts; *s; s += 2)
		if (*bytes == *s) {
			out[0] = '\\';
			out[1] = s[1];
			return 2;
		}
	if (*step == 1 && !is_plain(*bytes))
		return (size_t)snprintf(out, QUOTED_MAX + 2, "\\u%04x", (unsigned)(unsigned char)*bytes);
	memcpy(out, bytes, *step);
	return *step;
}

/* Append the characters of `bytes` as they stand in a JSON string, as long as `b` does not pass `room`. Returns how many
 * bytes were taken. */
static size_t take(struct sr_buf *b, const char *bytes, size_t len, size_t room)
{
	size_t taken = 0;

	while (taken < len) {
		char quoted[QUOTED_MAX + 2];
		size_t run = 0, step, most = len - taken, need;

		if (most > room - b->len)
			most = room - b->len;
		while (run < most && is_plain(bytes[taken + run]))
			run++;
		put(b, bytes + taken, run);
		taken += run;
		if (taken == len || is_plain(bytes[taken]))
			break;
		need = quote(quoted, bytes + taken, len - taken, &step);
		if (need > room - b->len)
			break;
		put(b, quoted, need);
		taken += step;
	}
	return taken;
}

/* ---- events ---- */

static void send(struct sr_mapper *m, bool cut)
{
	put_text(&m->out, "\"");
	if (cut)
		put_text(&m->out, CUT);
	put_text(&m->out, m->o.more);
	put_text(&m->out, "}");
	m->o.on_event(m->o.ctx, m->o.type, strlen(m->o.type), m->out.data, m->out.len);
	m->out.len = m->head;
	m->waiting = false;
}

bool sr_mapper_waits(const struct sr_mapper *m)
{
	return m->waiting;
}

void sr_mapper_flush(struct sr_mapper *m)
{
	if (m->waiting)
		send(m, false);
}

static size_t join_room(const struct sr_mapper *m)
{
	return m->room < SR_MAPPER_JOIN_BYTES ? m->room : SR_MAPPER_JOIN_BYTES;
}

/* Put a line behind the ones that wait. false: it does not fit. */
static bool join(struct sr_mapper *m, const char *line, size_t len)
{
	size_t before = m->out.len;

	if (before + 2 > join_room(m))
		return false;
	put_text(&m->out, "\\n");
	if (take(&m->out, line, len, join_room(m)) == len)
		return true;
	m->out.len = before;
	return false;
}

/* A whole line, or what is left of one that was cut. */
static void add_line(struct sr_mapper *m, const char *line, size_t len)
{
	size_t taken;

	if (m->waiting && join(m, line, len))
		return;
	sr_mapper_flush(m);
	while ((taken = take(&m->out, line, len, m->room)) < len) {
		send(m, true);
		line += taken;
		len -= taken;
	}
	m->waiting = true;
	if (!m->o.join)
		send(m, false);
}

/* ---- lines ---- */

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

static void add_json(struct sr_mapper *m, const char *line, size_t len)
{
	enum sr_err err;

	if (is_blank(line, len))
		return;
	err = sr_json_event(&m->type, &m->data, line, len, &m->why);
	if (err == SR_OK)
		err = sr_event_check(sr_buf_text(&m->type), m->type.len, m->data.len, m->o.event_bytes, &m->why);
	else if (err != SR_EINVAL)
		sr_buf_explain(&m->why, "%s", sr_strerror(err));
	if (err == SR_OK) {
		sr_mapper_flush(m);
		m->o.on_event(m->o.ctx, m->type.data, m->type.len, m->data.data, m->data.len);
		return;
	}
	m->o.on_odd(m->o.ctx, sr_buf_text(&m->why));
	add_line(m, line, len);
}

static void add_progress(struct sr_mapper *m, const char *line, size_t len)
{
	char head[PERCENT_SIZE], digits[16];
	int tenths;

	if (!sr_percent_find(line, len, &tenths)) {
		add_line(m, line, len);
		return;
	}
	if (tenths == m->tenths)
		return;
	sr_mapper_flush(m);
	snprintf(digits, sizeof digits, tenths % 10 ? "%d.%d" : "%d", tenths / 10, tenths % 10);
	snprintf(head, sizeof head, "{\"percent\":%s,\"line\":\"", digits);
	m->out.len = 0;
	put_text(&m->out, head);
	if (take(&m->out, line, len, m->room) == len) {
		put_text(&m->out, "\"");
		put_text(&m->out, m->o.more);
		put_text(&m->out, "}");
		m->o.on_event(m->o.ctx, "progress", strlen("progress"), m->out.data, m->out.len);
		m->tenths = tenths;
		len = 0;
	}
	m->out.len = m->head; /* which was overwritten */
	memcpy(m->out.data, "{\"line\":\"", m->head);
	if (len > 0)
		add_line(m, line, len);
}

/* A line without its end; `end` is the character that ended it, LF or CR, or 0. */
static void end_line(struct sr_mapper *m, const char *line, size_t len, char end)
{
	bool is_long = m->cutting || len >= m->longest;

	m->cutting = false;
	if (end == '\n' && len > 0 && line[len - 1] == '\r')
		len--;
	if (end == '\r' && len == 0 && !is_long)
		return;
	if (is_long || m->o.map == SR_MAP_LINES)
		add_line(m, line, len);
	else if (m->o.map == SR_MAP_JSON)
		add_json(m, line, len);
	else
		add_progress(m, line, len);
}

/* Keep the part of a line; when that has become too long, its beginning goes out. */
static void keep(struct sr_mapper *m, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t part = m->longest - m->line.len;

		part = part < len ? part : len;
		put(&m->line, bytes, part);
		bytes += part;
		len -= part;
		if (m->line.len == m->longest) {
			sr_mapper_flush(m);
			part = take(&m->out, m->line.data, m->line.len, m->room);
			send(m, true);
			sr_buf_consume(&m->line, part);
			m->cutting = true;
		}
	}
}

/* The first byte that ends a line; NULL when there is none. */
static const char *find_end(const struct sr_mapper *m, const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len), *cr;

	if (m->o.map != SR_MAP_PROGRESS)
		return end;
	cr = memchr(bytes, '\r', end ? (size_t)(end - bytes) : len);
	return cr ? cr : end;
}

static void feed_lines(struct sr_mapper *m, const char *bytes, size_t len)
{
	const char *end;

	for (; (end = find_end(m, bytes, len)) != NULL; len -= (size_t)(end + 1 - bytes), bytes = end + 1) {
		bool is_rest = m->after_cr && end == bytes && *end == '\n';

		m->after_cr = *end == '\r';
		if (is_rest)
			continue;
		if (m->line.len == 0 && !m->cutting) {
			end_line(m, bytes, (size_t)(end - bytes), *end);
			continue;
		}
		keep(m, bytes, (size_t)(end - bytes));
		end_line(m, m->line.data, m->line.len, *end);
		sr_buf_reset(&m->line);
	}
	if (len > 0)
		m->after_cr = false;
	keep(m, bytes, len);
}

/* ---- raw ---- */

/* How many bytes at the end may be the beginning of a character. */
static size_t open_tail(const char *bytes, size_t len)
{
	for (size_t n = 1; n < CHARACTER_MAX && n <= len; n++) {
		unsigned char lead = (unsigned char)bytes[len - n];
		char whole[CHARACTER_MAX];

		if (lead < 0x80)
			return 0;
		if (lead < 0xc0)
			continue;
		memset(whole, 0x80, sizeof whole);
		memcpy(whole, bytes + len - n, n);
		if (n == 1 && lead >= 0xc2 && lead <= 0xf4)
			return 1;
		return sr_utf8_length(whole, sizeof whole) > n ? n : 0;
	}
	return 0;
}

static void add_text(struct sr_mapper *m, const char *bytes, size_t len)
{
	size_t room = m->o.join ? join_room(m) : m->room, taken;

	while ((taken = take(&m->out, bytes, len, room)) < len) {
		send(m, false);
		bytes += taken;
		len -= taken;
	}
	m->waiting = m->waiting || taken > 0;
}

static void feed_raw(struct sr_mapper *m, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t part = m->longest - m->line.len, tail;

		part = part < len ? part : len;
		put(&m->line, bytes, part);
		bytes += part;
		len -= part;
		tail = open_tail(m->line.data, m->line.len);
		add_text(m, m->line.data, m->line.len - tail);
		sr_buf_consume(&m->line, m->line.len - tail);
	}
	if (!m->o.join)
		sr_mapper_flush(m);
}

/* ---- life ---- */

enum sr_err sr_mapper_init(struct sr_mapper *m, const struct sr_mapper_options *options)
{
	const char *head = options->map == SR_MAP_RAW ? "{\"text\":\"" : "{\"line\":\"";
	size_t tail = strlen("\"" CUT "}") + strlen(options->more);

	*m = (struct sr_mapper){.o = *options, .head = strlen(head), .tenths = -1};
	m->room = options->event_bytes - tail;
	m->longest = m->room + CHARACTER_MAX;
	if (options->map == SR_MAP_JSON)
		m->longest += SR_NDJSON_FRAME;
	sr_buf_init(&m->line, m->longest);
	sr_buf_init(&m->out, options->event_bytes);
	sr_buf_init(&m->type, SR_EVENT_TYPE_MAX);
	sr_buf_init(&m->data, 8 * (options->event_bytes + SR_NDJSON_FRAME)); /* one byte becomes six at most when it is escaped */
	sr_buf_init(&m->why, 512);
	if (sr_buf_reserve(&m->line, m->longest) != SR_OK || sr_buf_reserve(&m->out, options->event_bytes) != SR_OK) {
		sr_mapper_release(m);
		return SR_ENOMEM;
	}
	put_text(&m->out, head);
	return SR_OK;
}

void sr_mapper_release(struct sr_mapper *m)
{
	sr_buf_release(&m->line);
	sr_buf_release(&m->out);
	sr_buf_release(&m->type);
	sr_buf_release(&m->data);
	sr_buf_release(&m->why);
}

void sr_mapper_feed(struct sr_mapper *m, const char *bytes, size_t len)
{
	if (m->o.map == SR_MAP_RAW)
		feed_raw(m, bytes, len);
	else
		feed_lines(m, bytes, len);
}

void sr_mapper_finish(struct sr_mapper *m)
{
	if (m->line.len > 0 && m->o.map == SR_MAP_RAW)
		add_text(m, m->line.data, m->line.len);
	else if (m->line.len > 0)
		end_line(m, m->line.data, m->line.len, '\0');
	sr_buf_reset(&m->line);
	sr_mapper_flush(m);
}
