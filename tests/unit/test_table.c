/* The channels of a process by id: found among many, removed while they are walked. */
#include "fcgi/channel.h"
#include "fcgi/table.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 3000 /* the table grows several times */

static struct sr_channel *channel_of(unsigned n)
{
	struct sr_channel *ch = calloc(1, sizeof *ch + 32);

	cr_assert(ch);
	snprintf((char *)ch->id, 32, "stream-%u", n);
	return ch;
}

static unsigned number_of(const struct sr_channel *ch)
{
	return (unsigned)strtoul(ch->id + strlen("stream-"), NULL, 10);
}

static void fill(struct sr_table *t, unsigned count)
{
	cr_assert(sr_table_init(t));
	for (unsigned n = 0; n < count; n++)
		sr_table_add(t, channel_of(n));
}

static void empty(struct sr_table *t)
{
	struct sr_channel *next;

	for (struct sr_channel *ch = sr_table_first(t); ch; ch = next) {
		next = sr_table_after(t, ch);
		sr_table_remove(t, ch);
		free(ch);
	}
	cr_expect_eq(t->count, 0);
	cr_expect_null(sr_table_first(t));
	sr_table_release(t);
}

Test(table, finds_each_of_many_and_nobody_else)
{
	struct sr_table t;
	char id[32];

	fill(&t, MANY);
	cr_expect_eq(t.count, MANY);
	for (unsigned n = 0; n < MANY; n++) {
		int len = snprintf(id, sizeof id, "stream-%u", n);
		struct sr_channel *ch = sr_table_find(&t, id, (size_t)len);

		cr_assert(ch && number_of(ch) == n, "%u", n);
	}
	cr_expect_null(sr_table_find(&t, "stream-", 7));
	cr_expect_null(sr_table_find(&t, "stream-3000", 11));
	cr_expect_eq(number_of(sr_table_find(&t, "stream-299", 9)), 29, "the length counts, not the zero byte");
	empty(&t);
}

Test(table, walks_over_each_once_while_some_are_removed)
{
	static unsigned seen[MANY];
	struct sr_channel *next;
	struct sr_table t;

	fill(&t, MANY);
	for (struct sr_channel *ch = sr_table_first(&t); ch; ch = next) {
		next = sr_table_after(&t, ch);
		seen[number_of(ch)]++;
		if (number_of(ch) % 3 == 0) {
			sr_table_remove(&t, ch);
			free(ch);
		}
	}
	for (unsigned n = 0; n < MANY; n++)
		cr_assert_eq(seen[n], 1, "%u was met %u times", n, seen[n]);
	cr_expect_eq(t.count, MANY - MANY / 3);
	cr_expect_null(sr_table_find(&t, "stream-9", 8));
	cr_expect_not_null(sr_table_find(&t, "stream-10", 9));
	empty(&t);
}
