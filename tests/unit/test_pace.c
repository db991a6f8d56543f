/* How fast a pass may mark: when a large share of several responders' streams is stale. */
#include "guardian/pace.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BATCH 50

TestSuite(pace, .timeout = 5);

static struct sr_owners owners_of(const char *const *names)
{
	struct sr_owners owners = {.count = 0};

	for (; *names; names++)
		sr_owners_add(&owners, *names, strlen(*names));
	return owners;
}

Test(pace, a_share_is_large_above_55_percent)
{
	cr_assert(sr_pace_large(100, 56));
	cr_assert_not(sr_pace_large(100, 55), "exactly 55 percent is not more than 55");
	cr_assert(sr_pace_large(181, 100), "55.2 percent");
	cr_assert(sr_pace_large(100000, 100000));
	cr_assert_not(sr_pace_large(100000, 54999));
}

Test(pace, few_stale_streams_are_never_a_large_share)
{
	cr_assert_not(sr_pace_large(0, 0));
	cr_assert_not(sr_pace_large(19, 19));
	cr_assert(sr_pace_large(20, 20));
}

Test(pace, one_responder_or_none_is_swept_at_full_speed)
{
	for (int owners = 0; owners < 2; owners++) {
		struct sr_pace pace = sr_pace_of(1000, 1000, owners, BATCH);

		cr_assert_not(pace.slow);
		cr_assert_eq(pace.batch, BATCH);
		cr_assert_eq(pace.pause_ms, 0);
	}
}

Test(pace, a_small_share_of_many_responders_is_swept_at_full_speed)
{
	cr_assert_not(sr_pace_of(1000, 500, 5, BATCH).slow);
	cr_assert_not(sr_pace_of(19, 19, 5, BATCH).slow);
}

Test(pace, a_large_share_of_two_responders_is_marked_slowly)
{
	static const struct { long long active; int64_t rate, pause_ms; int batch; } cases[] = {
		{20, 10, 1000, 10},     /* at least 10 a second */
		{1000, 10, 1000, 10},
		{3000, 30, 1000, 30},   /* else 1 percent of all */
		{5000, 50, 1000, 50},
		{7500, 75, 667, 50},    /* in batches of at most 50 */
		{100000, 1000, 50, 50},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sr_pace pace = sr_pace_of(cases[i].active, cases[i].active, 2, BATCH);

		cr_assert(pace.slow);
		cr_assert_eq(pace.rate, cases[i].rate, "%lld active: rate %lld", cases[i].active, (long long)pace.rate);
		cr_assert_eq(pace.batch, cases[i].batch, "%lld active: batch %d", cases[i].active, pace.batch);
		cr_assert_eq(pace.pause_ms, cases[i].pause_ms, "%lld active: pause %lld", cases[i].active, (long long)pace.pause_ms);
	}
}

Test(pace, no_pace_is_faster_than_its_rate)
{
	for (long long active = 20; active < 2000000; active = active * 5 / 4 + 1) {
		struct sr_pace pace = sr_pace_of(active, active, 2, BATCH);

		cr_assert(pace.batch >= 1 && pace.batch <= BATCH);
		cr_assert(pace.pause_ms >= 1);
		cr_assert(pace.batch * 1000 <= pace.rate * pace.pause_ms, "%lld active", active);
	}
}

Test(pace, an_owner_counts_once)
{
	cr_assert_eq(owners_of((const char *const[]){NULL}).count, 0);
	cr_assert_eq(owners_of((const char *const[]){"a", "a", "a", NULL}).count, 1);
	cr_assert_eq(owners_of((const char *const[]){"a", "b", "a", "", "ab", "b", NULL}).count, 4);
}

Test(pace, the_set_of_owners_is_bounded)
{
	struct sr_owners owners = {.count = 0};
	char name[16];

	for (int i = 0; i < 2 * SR_PACE_SAMPLE; i++)
		sr_owners_add(&owners, name, (size_t)snprintf(name, sizeof name, "n%d", i));
	cr_assert_eq(owners.count, SR_PACE_SAMPLE);
}

Test(pace, a_value_of_the_viewers_hash)
{
	static const char *const none[] = {"", " ", "0 1763920000000", "-1 5", "3", "3 ", "3  x", "3 5 7", "x 5", "3 -5", "3,5", NULL};
	int64_t said_ms = 42;

	for (int i = 0; none[i]; i++)
		cr_assert_not(sr_pace_viewers(none[i], &said_ms), "'%s'", none[i]);
	cr_assert_eq(said_ms, 42, "untouched");
	cr_assert(sr_pace_viewers("3 1763920000000", &said_ms));
	cr_assert_eq(said_ms, INT64_C(1763920000000));
	cr_assert(sr_pace_viewers("1 0", &said_ms));
	cr_assert_eq(said_ms, 0);
}
