/* table.c - see table.h. */
#include "fcgi/table.h"

#include "common/mem.h"
#include "fcgi/channel.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 256

static size_t hash(const char *id, size_t len) /* FNV-1a */
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)id[i]) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static struct sr_channel **bucket_of(const struct sr_table *t, const char *id, size_t len)
{
	return &t->buckets[hash(id, len) & (t->size - 1)];
}

bool sr_table_init(struct sr_table *t)
{
	*t = (struct sr_table){.buckets = sr_calloc(FIRST_SIZE, sizeof(struct sr_channel *)), .size = FIRST_SIZE};
	return t->buckets != NULL;
}

void sr_table_release(struct sr_table *t)
{
	free(t->buckets);
	t->buckets = NULL;
	t->size = t->count = 0;
}

struct sr_channel *sr_table_find(const struct sr_table *t, const char *id, size_t len)
{
	struct sr_channel *ch = *bucket_of(t, id, len);

	while (ch && (strlen(ch->id) != len || memcmp(ch->id, id, len) != 0))
		ch = ch->next;
	return ch;
}

static void insert(struct sr_table *t, struct sr_channel *ch)
{
	struct sr_channel **bucket = bucket_of(t, ch->id, strlen(ch->id));

	ch->next = *bucket;
	*bucket = ch;
}

static void grow(struct sr_table *t)
{
	struct sr_table larger = {.buckets = sr_calloc(t->size * 2, sizeof(struct sr_channel *)), .size = t->size * 2, .count = t->count};
	struct sr_channel *next;

	if (!larger.buckets)
		return;
	for (size_t i = 0; i < t->size; i++)
		for (struct sr_channel *ch = t->buckets[i]; ch; ch = next) {
			next = ch->next;
			insert(&larger, ch);
		}
	free(t->buckets);
	*t = larger;
}

void sr_table_add(struct sr_table *t, struct sr_channel *ch)
{
	if (t->count >= t->size)
		grow(t);
	insert(t, ch);
	t->count++;
}

void sr_table_remove(struct sr_table *t, struct sr_channel *ch)
{
	struct sr_channel **at = bucket_of(t, ch->id, strlen(ch->id));

	while (*at != ch)
		at = &(*at)->next;
	*at = ch->next;
	t->count--;
}

/* The first one in this bucket or those behind it. */
static struct sr_channel *from(const struct sr_table *t, struct sr_channel **bucket)
{
	struct sr_channel **end = t->buckets + t->size;

	while (bucket < end && !*bucket)
		bucket++;
	return bucket < end ? *bucket : NULL;
}

struct sr_channel *sr_table_first(const struct sr_table *t)
{
	return from(t, t->buckets);
}

struct sr_channel *sr_table_after(const struct sr_table *t, const struct sr_channel *ch)
{
	return ch->next ? ch->next : from(t, bucket_of(t, ch->id, strlen(ch->id)) + 1);
}
