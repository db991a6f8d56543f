/* picture.c - see picture.h. */
#include "cli/picture.h"

#include "common/mem.h"
#include <stdlib.h>
#include <string.h>

const char *const sr_order_names[SR_ORDERS] = {"rate", "viewers", "events", "age", "silence", "id"};

void sr_picture_release(struct sr_picture *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->rows[i].text);
	free(p->rows);
	*p = (struct sr_picture){0};
}

static bool make_room(struct sr_picture *p)
{
	size_t room = p->room ? 2 * p->room : 64;
	struct sr_row *rows;

	if (p->count < p->room)
		return true;
	rows = sr_realloc(p->rows, room * sizeof *rows);
	if (!rows)
		return false;
	p->rows = rows;
	p->room = room;
	return true;
}

enum sr_err sr_picture_add(struct sr_picture *p, const struct sr_row *row)
{
	const char *const from[] = {row->id, row->state, row->type, row->user, row->last_event};
	size_t len[5], sum = 0, at = 0;
	struct sr_row *to;
	char *text;

	for (int i = 0; i < 5; i++)
		sum += len[i] = strlen(from[i]) + 1;
	text = make_room(p) ? sr_malloc(sum) : NULL;
	if (!text)
		return SR_ENOMEM;
	to = &p->rows[p->count++];
	*to = *row;
	to->text = text;
	for (int i = 0; i < 5; at += len[i++])
		memcpy(text + at, from[i], len[i]);
	to->id = text;
	to->state = to->id + len[0];
	to->type = to->state + len[1];
	to->user = to->type + len[2];
	to->last_event = to->user + len[3];
	return SR_OK;
}

/* ---- rates ---- */

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct sr_row *)a)->id, ((const struct sr_row *)b)->id);
}

static void drop_twins(struct sr_picture *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (kept > 0 && strcmp(p->rows[kept - 1].id, p->rows[i].id) == 0)
			free(p->rows[i].text);
		else
			p->rows[kept++] = p->rows[i];
	}
	p->count = kept;
}

/* Events since then; -1 = not known. */
static long long grown(const struct sr_row *now, const struct sr_row *then)
{
	if (now->added >= 0 && then->added >= 0)
		return now->added >= then->added ? now->added - then->added : now->added;
	if (now->length > then->length)
		return now->length - then->length;
	return strcmp(now->last_event, then->last_event) == 0 ? 0 : -1;
}

static double rate_of(const struct sr_row *now, const struct sr_row *then, int64_t before_ms)
{
	int64_t since = then ? then->looked_ms : before_ms;
	long long events;

	if (then)
		events = grown(now, then);
	else
		events = now->started_ms >= before_ms ? (now->added >= 0 ? now->added : now->length) : -1;
	if (events < 0 || now->looked_ms <= since)
		return -1;
	return (double)events * 1000 / (double)(now->looked_ms - since);
}

void sr_picture_compare(struct sr_picture *now, const struct sr_picture *before)
{
	size_t k = 0;

	now->compared = before != NULL;
	if (now->count > 0)
		qsort(now->rows, now->count, sizeof *now->rows, by_id);
	drop_twins(now);
	for (size_t i = 0; i < now->count; i++) {
		const struct sr_row *then = NULL;

		while (before && k < before->count && strcmp(before->rows[k].id, now->rows[i].id) < 0)
			k++;
		if (before && k < before->count && strcmp(before->rows[k].id, now->rows[i].id) == 0)
			then = &before->rows[k];
		now->rows[i].rate = before ? rate_of(&now->rows[i], then, before->at_ms) : -1;
	}
}

struct sr_total sr_picture_total(const struct sr_picture *p)
{
	struct sr_total t = {.rate = p->compared ? 0 : -1};

	for (size_t i = 0; i < p->count; i++) {
		const struct sr_row *row = &p->rows[i];

		t.viewers += row->ended ? 0 : row->viewers;
		if (row->rate >= 0)
			t.rate += row->rate;
	}
	return t;
}

/* ---- orders ---- */

static int falling(double a, double b)
{
	return (a < b) - (a > b);
}

static int by_name(const struct sr_row *a, const struct sr_row *b)
{
	return strcmp(a->id, b->id);
}

static int by_events(const struct sr_row *a, const struct sr_row *b)
{
	int d = falling((double)(a->added >= 0 ? a->added : a->length), (double)(b->added >= 0 ? b->added : b->length));

	return d ? d : by_name(a, b);
}

static int by_viewers(const struct sr_row *a, const struct sr_row *b)
{
	int d = falling((double)a->viewers, (double)b->viewers);

	return d ? d : by_events(a, b);
}

static int by_rate(const struct sr_row *a, const struct sr_row *b)
{
	int d = falling(a->rate, b->rate);

	return d ? d : by_viewers(a, b);
}

/* The oldest first; what has no date comes last. */
static int by_time(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return (a < 0) - (b < 0);
	return (a > b) - (a < b);
}

static int by_age(const struct sr_row *a, const struct sr_row *b)
{
	int d = by_time(a->started_ms, b->started_ms);

	return d ? d : by_name(a, b);
}

static int by_silence(const struct sr_row *a, const struct sr_row *b)
{
	int d = by_time(a->beat_ms, b->beat_ms);

	return d ? d : by_name(a, b);
}

#define ROW(p) (*(const struct sr_row *const *)(p))
static int sort_rate(const void *a, const void *b) { return by_rate(ROW(a), ROW(b)); }
static int sort_viewers(const void *a, const void *b) { return by_viewers(ROW(a), ROW(b)); }
static int sort_events(const void *a, const void *b) { return by_events(ROW(a), ROW(b)); }
static int sort_age(const void *a, const void *b) { return by_age(ROW(a), ROW(b)); }
static int sort_silence(const void *a, const void *b) { return by_silence(ROW(a), ROW(b)); }
static int sort_id(const void *a, const void *b) { return by_name(ROW(a), ROW(b)); }

const struct sr_row **sr_picture_sort(const struct sr_picture *p, enum sr_order order, size_t *count)
{
	static int (*const orders[SR_ORDERS])(const void *, const void *) = {
		[SR_BY_RATE] = sort_rate, [SR_BY_VIEWERS] = sort_viewers, [SR_BY_EVENTS] = sort_events,
		[SR_BY_AGE] = sort_age, [SR_BY_SILENCE] = sort_silence, [SR_BY_ID] = sort_id};
	const struct sr_row **sorted = p->count ? sr_malloc(p->count * sizeof *sorted) : NULL;

	*count = 0;
	for (size_t i = 0; sorted && i < p->count; i++)
		if (!p->rows[i].ended)
			sorted[(*count)++] = &p->rows[i];
	if (sorted && *count > 0)
		qsort(sorted, *count, sizeof *sorted, orders[order]);
	return sorted;
}
