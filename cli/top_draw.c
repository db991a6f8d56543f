/* top_draw.c - see top.h. */
#include "cli/top.h"

#include "cli/age.h"
#include "cli/columns.h"
#include "common/clock.h"
#include <stdlib.h>
#include <string.h>

#define ID_WIDTH_MAX 40
#define LINE_MAX_BYTES 16384
#define HEAD_LINES 4   /* and the names of the columns */
#define MIB (1024 * 1024.0)

/* ---- lines ---- */

/* A line under way: cells are put into it as long as there is room; a cell of no width is left out. */
struct line {
	struct sr_buf *out;
	int left;          /* columns */
	bool begun;
	enum sr_err err;
};

/* A whole line, made visible, and cut to the width. */
static enum sr_err add_text(struct sr_buf *out, int columns, const char *begin, const char *format, va_list ap)
{
	struct sr_buf text, shown;
	enum sr_err err;
	int used;

	sr_buf_init(&text, LINE_MAX_BYTES);
	sr_buf_init(&shown, 8 * LINE_MAX_BYTES);
	err = sr_buf_vprintf(&text, format, ap);
	if (err == SR_OK)
		err = sr_visible(&shown, sr_buf_text(&text), text.len);
	if (err == SR_OK)
		err = sr_buf_puts(out, begin);
	if (err == SR_OK)
		err = sr_buf_append(out, sr_buf_text(&shown), sr_columns_fit(sr_buf_text(&shown), shown.len, columns, &used));
	if (err == SR_OK)
		err = sr_buf_puts(out, *begin ? SR_COLOUR_END "\n" : "\n");
	sr_buf_release(&text);
	sr_buf_release(&shown);
	return err;
}

static enum sr_err add_line(struct sr_buf *out, int columns, const char *begin, const char *format, ...) SR_PRINTF(4, 5);
static enum sr_err add_line(struct sr_buf *out, int columns, const char *begin, const char *format, ...)
{
	enum sr_err err;
	va_list ap;

	va_start(ap, format);
	err = add_text(out, columns, begin, format, ap);
	va_end(ap);
	return err;
}

static void add_cell(struct line *l, const char *text, int width, enum sr_side side, const char *colour)
{
	if (width == 0)
		return;
	if (l->begun && l->left > 0 && l->err == SR_OK) {
		l->err = sr_buf_puts(l->out, " ");
		l->left--;
	}
	if (width > l->left)
		width = l->left;
	if (width <= 0 || l->err != SR_OK)
		return; /* the line is full */
	l->begun = true;
	l->err = sr_buf_puts(l->out, colour);
	if (l->err == SR_OK)
		l->err = sr_columns_cell(l->out, text, width, side);
	l->left -= width;
	if (l->err == SR_OK && *colour)
		l->err = sr_buf_puts(l->out, SR_COLOUR_END);
}

/* ---- the head ---- */

static void say_memory(char *out, size_t size, const struct sr_glance *g)
{
	if (!g->memory)
		snprintf(out, size, "%s", "");
	else if (g->limit > 0)
		snprintf(out, size, "  memory %.1f of %.1f MiB", (double)g->used / MIB, (double)g->limit / MIB);
	else
		snprintf(out, size, "  memory %.1f MiB", (double)g->used / MIB);
}

static void say_rate(char *out, size_t size, double rate)
{
	if (rate < 0)
		snprintf(out, size, "-");
	else
		snprintf(out, size, rate < 1000 ? "%.1f" : "%.0f", rate);
}

static const char *plural(long long n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static enum sr_err add_first(const struct sr_top *t, int columns, struct sr_buf *out)
{
	const struct sr_glance *g = &t->look.glance;
	char at[SR_ISO_SIZE], memory[80];

	sr_clock_iso(at, g->now_ms);
	say_memory(memory, sizeof memory, g);
	return add_line(out, columns, "", "sse-resilience %.10s %.8s%s  redis %s", at, at + 11, memory, t->ctl->conf.redis_url);
}

static enum sr_err add_second(const struct sr_top *t, int columns, struct sr_buf *out)
{
	const struct sr_glance *g = &t->look.glance;
	struct sr_total total = sr_picture_total(&t->look.picture);
	char rate[32];

	say_rate(rate, sizeof rate, total.rate);
	return add_line(out, columns, "", "streams %lld active, %lld orphaned  viewers %lld  events/s %s", g->active, g->orphaned, total.viewers, rate);
}

static enum sr_err add_third(const struct sr_top *t, int columns, struct sr_buf *out)
{
	const struct sr_glance *g = &t->look.glance;
	char age[SR_AGE_SIZE] = "", pass[64] = "never";

	sr_age_say(age, g->now_ms - g->pass_ms);
	if (g->pass_ms >= 0)
		snprintf(pass, sizeof pass, "%s ago", age);
	return add_line(out, columns, "", "alive %lld %s, %lld %s  last pass %s  by %s", g->responders, plural(g->responders, "responder", "responders"),
	                g->guardians, plural(g->guardians, "guardian", "guardians"), pass, sr_order_names[t->order]);
}

/* What is not as it should be; the most important only, since it is one line. */
static enum sr_err add_note(const struct sr_top *t, int columns, struct sr_buf *out)
{
	const char *colour = t->ctl->out.colour ? "\033[1;31m" : "";
	char age[SR_AGE_SIZE];

	sr_age_say(age, t->away_ms);
	if (t->away)
		return add_line(out, columns, colour, "Redis has been away for %s, trying again: %s", age, t->away);
	if (t->paused)
		return add_line(out, columns, "", "paused; p goes on");
	if (t->look.picture.partial)
		return add_line(out, columns, "", "only the %zu streams that were heard of last were looked at", t->look.picture.count);
	return add_line(out, columns, "", "%s", "");
}

/* ---- the streams ---- */

enum { ID, STATE, USER, TYPE, AGE, SILENCE, VIEWERS, EVENTS, RATE, COLUMNS };
struct columns { int width[COLUMNS]; };
static const struct { const char *name; enum sr_side side; int width, least; } table[COLUMNS] = {
	[ID] = {"ID", SR_LEFT, 8, 10},      [STATE] = {"STATE", SR_LEFT, 8, 8},    [USER] = {"USER", SR_LEFT, 12, 6},
	[TYPE] = {"TYPE", SR_LEFT, 12, 6},  [AGE] = {"AGE", SR_RIGHT, 6, 6},       [SILENCE] = {"SILENT", SR_RIGHT, 6, 6},
	[VIEWERS] = {"VIEWERS", SR_RIGHT, 7, 7}, [EVENTS] = {"EVENTS", SR_RIGHT, 7, 7}, [RATE] = {"EVENTS/S", SR_RIGHT, 8, 8},
};

static int sum_of(const struct columns *c)
{
	int sum = -1;

	for (int i = 0; i < COLUMNS; i++)
		sum += c->width[i] ? c->width[i] + 1 : 0;
	return sum;
}

static void shrink(struct columns *c, int i, int least, int columns)
{
	int over = sum_of(c) - columns;

	if (over > c->width[i] - least)
		over = c->width[i] - least;
	if (over > 0)
		c->width[i] -= over;
}

/* The id takes what it needs; on a narrow screen these give way, and then go, in this order. */
static struct columns arrange(const struct sr_row **rows, size_t count, int columns)
{
	static const int gives_way[] = {USER, TYPE, ID}, goes[] = {TYPE, USER, AGE, STATE, EVENTS};
	struct columns c;

	for (int i = 0; i < COLUMNS; i++)
		c.width[i] = table[i].width;
	for (size_t i = 0; i < count; i++)
		if ((int)strlen(rows[i]->id) > c.width[ID])
			c.width[ID] = (int)strlen(rows[i]->id);
	if (c.width[ID] > ID_WIDTH_MAX)
		c.width[ID] = ID_WIDTH_MAX;
	for (size_t i = 0; i < sizeof gives_way / sizeof *gives_way; i++)
		shrink(&c, gives_way[i], table[gives_way[i]].least, columns);
	for (size_t i = 0; i < sizeof goes / sizeof *goes && sum_of(&c) > columns; i++)
		c.width[goes[i]] = 0;
	return c;
}

static enum sr_err add_names(const struct sr_top *t, const struct columns *c, int columns, struct sr_buf *out)
{
	const char *colour = t->ctl->out.colour ? "\033[7m" : "";
	struct line l = {.out = out, .left = columns};

	l.err = sr_buf_puts(out, colour);
	for (int i = 0; i < COLUMNS; i++)
		add_cell(&l, table[i].name, c->width[i], table[i].side, "");
	if (l.err == SR_OK)
		l.err = sr_buf_puts(out, *colour ? SR_COLOUR_END "\n" : "\n");
	return l.err;
}

static void say_age(char out[SR_AGE_SIZE], int64_t since, int64_t now)
{
	snprintf(out, SR_AGE_SIZE, "-");
	if (since >= 0)
		sr_age_say(out, now - since);
}

static enum sr_err add_row(const struct sr_top *t, const struct columns *c, const struct sr_row *row, int columns, struct sr_buf *out)
{
	char age[SR_AGE_SIZE], silence[SR_AGE_SIZE], viewers[24], events[24], rate[32];
	const char *const cells[COLUMNS] = {row->id, row->state, row->user, row->type, age, silence, viewers, events, rate};
	struct line l = {.out = out, .left = columns};

	say_age(age, row->started_ms, row->looked_ms);
	say_age(silence, row->beat_ms, row->looked_ms);
	snprintf(viewers, sizeof viewers, "%lld", row->viewers);
	snprintf(events, sizeof events, "%lld", row->added >= 0 ? row->added : row->length);
	say_rate(rate, sizeof rate, row->rate);
	for (int i = 0; i < COLUMNS; i++)
		add_cell(&l, cells[i], c->width[i], table[i].side, i == STATE ? sr_state_colour(&t->ctl->out, row->state) : "");
	return l.err == SR_OK ? sr_buf_puts(out, "\n") : l.err;
}

static enum sr_err add_rows(const struct sr_top *t, int lines, int columns, struct sr_buf *out)
{
	const struct sr_picture *p = &t->look.picture;
	size_t count, most;
	const struct sr_row **rows = sr_picture_sort(p, t->order, &count);
	struct columns c;
	enum sr_err err = rows || p->count == 0 ? SR_OK : SR_ENOMEM;

	most = lines > 0 && count > (size_t)lines ? (size_t)lines : count;
	c = arrange(rows, most, columns);
	if (err == SR_OK)
		err = add_names(t, &c, columns, out);
	for (size_t i = 0; err == SR_OK && rows && i < most; i++)
		err = add_row(t, &c, rows[i], columns, out);
	free(rows);
	return err;
}

static enum sr_err add_help(const struct sr_top *t, int lines, int columns, struct sr_buf *out)
{
	static const char *const help[] = {
		"q  quit", "s  sort by something else: rate, viewers, events, age, silence, id", "p  pause, and go on", "?  this help; any key leaves it", "",
		"EVENTS    ever stored in the stream's log", "EVENTS/S  since the picture before", "SILENT    since the last sign of life"};
	enum sr_err err = SR_OK;

	(void)t;
	for (int i = 0; err == SR_OK && i < 8 && i < lines; i++)
		err = add_line(out, columns, "", "%s", help[i]);
	return err;
}

enum sr_err sr_top_lines(const struct sr_top *t, int lines, int columns, struct sr_buf *out)
{
	static enum sr_err (*const head[HEAD_LINES])(const struct sr_top *, int, struct sr_buf *) = {add_first, add_second, add_third, add_note};
	int rest = lines - HEAD_LINES;
	enum sr_err err = SR_OK;

	for (int i = 0; err == SR_OK && i < HEAD_LINES && (lines == 0 || i < lines); i++)
		err = head[i](t, columns, out);
	if (err != SR_OK || (lines > 0 && rest <= 0))
		return err;
	if (t->help)
		return add_help(t, rest, columns, out);
	if (lines > 0 && rest == 1)
		return SR_OK;
	return add_rows(t, lines > 0 ? rest - 1 : 0, columns, out);
}

/* ---- JSON ---- */

static void json_number(struct sr_json *j, const char *name, long long value)
{
	if (value >= 0)
		sr_json_int(j, name, value);
	else
		sr_json_text(j, name, NULL);
}

/* Two places behind the point are enough for a rate. */
static void json_rate(struct sr_json *j, const char *name, double rate)
{
	char text[40];
	int len = snprintf(text, sizeof text, "%.2f", rate);

	if (rate < 0)
		sr_json_text(j, name, NULL);
	else
		sr_json_raw(j, name, text, (size_t)len);
}

static void json_date(struct sr_json *j, const char *name, int64_t ms)
{
	char at[SR_ISO_SIZE];

	sr_clock_iso(at, ms);
	sr_json_text(j, name, ms >= 0 ? at : NULL);
}

static void json_head(struct sr_json *j, const struct sr_top *t)
{
	const struct sr_glance *g = &t->look.glance;

	sr_json_open(j, "redis", '{');
	sr_json_bool(j, "available", !t->away);
	if (t->away)
		sr_json_text(j, "reason", t->away);
	if (!t->away && g->memory) {
		sr_json_int(j, "usedMemory", g->used);
		sr_json_int(j, "maxmemory", g->limit);
	}
	sr_json_close(j, '}');
	if (t->away)
		return;
	json_date(j, "at", g->now_ms);
	sr_json_int(j, "active", g->active);
	sr_json_int(j, "orphaned", g->orphaned);
	sr_json_int(j, "viewers", sr_picture_total(&t->look.picture).viewers);
	json_rate(j, "eventsPerSecond", sr_picture_total(&t->look.picture).rate);
	sr_json_int(j, "responders", g->responders);
	sr_json_int(j, "guardians", g->guardians);
	json_date(j, "lastPassAt", g->pass_ms);
	sr_json_bool(j, "partial", t->look.picture.partial);
}

static void json_row(struct sr_json *j, const struct sr_row *row)
{
	sr_json_open(j, NULL, '{');
	sr_json_text(j, "streamId", row->id);
	sr_json_text(j, "state", row->state);
	sr_json_text(j, "streamType", row->type);
	sr_json_text(j, "userId", row->user);
	sr_json_bool(j, "leased", row->leased);
	json_number(j, "ageMs", row->started_ms < 0 ? -1 : row->looked_ms - row->started_ms);
	json_number(j, "silentMs", row->beat_ms < 0 ? -1 : row->looked_ms - row->beat_ms);
	sr_json_int(j, "viewers", row->viewers);
	sr_json_int(j, "logLength", row->length);
	json_number(j, "events", row->added);
	json_rate(j, "eventsPerSecond", row->rate);
	sr_json_text(j, "lastEventId", *row->last_event ? row->last_event : NULL);
	sr_json_close(j, '}');
}

enum sr_err sr_top_json(const struct sr_top *t)
{
	size_t count = 0;
	const struct sr_row **rows = t->away ? NULL : sr_picture_sort(&t->look.picture, t->order, &count);
	struct sr_json j;
	enum sr_err err;

	if (!rows && !t->away && t->look.picture.count > 0)
		return SR_ENOMEM;
	sr_json_begin(&j);
	sr_json_open(&j, NULL, '{');
	json_head(&j, t);
	if (!t->away)
		sr_json_open(&j, "streams", '[');
	for (size_t i = 0; rows && i < count; i++)
		json_row(&j, rows[i]);
	if (!t->away)
		sr_json_close(&j, ']');
	sr_json_close(&j, '}');
	err = sr_json_print(&j, &t->ctl->out);
	sr_json_release(&j);
	free(rows);
	return err;
}
