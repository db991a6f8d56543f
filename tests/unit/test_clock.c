#include "common/clock.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

TestSuite(clock, .timeout = 10);

static void check_iso(sr_wall_ms ms, const char *expect)
{
	char text[SR_ISO_SIZE];

	memset(text, 'x', sizeof text);
	sr_clock_iso(text, ms);
	cr_assert_str_eq(text, expect);
}

Test(clock, writes_iso_8601)
{
	check_iso(0, "1970-01-01T00:00:00.000Z");
	check_iso(1, "1970-01-01T00:00:00.001Z");
	check_iso(1763929620123, "2025-11-23T20:27:00.123Z");
	check_iso(951782399999, "2000-02-28T23:59:59.999Z");
	check_iso(951782400000, "2000-02-29T00:00:00.000Z");
	check_iso(253402300799999, "9999-12-31T23:59:59.999Z");
}

Test(clock, clamps_what_iso_cannot_say)
{
	check_iso(-1, "1970-01-01T00:00:00.000Z");
	check_iso(INT64_MIN, "1970-01-01T00:00:00.000Z");
	check_iso(253402300800000, "9999-12-31T23:59:59.999Z");
	check_iso(INT64_MAX, "9999-12-31T23:59:59.999Z");
}

Test(clock, ignores_the_time_zone)
{
	setenv("TZ", "Asia/Tokyo", 1);
	check_iso(0, "1970-01-01T00:00:00.000Z");
}

Test(clock, goes_forward)
{
	sr_mono_ms before = sr_clock_mono();

	cr_assert_geq(sr_clock_mono(), before);
	cr_assert_gt(sr_clock_wall(), 1700000000000, "milliseconds, not seconds");
}

Test(random, stays_between, .timeout = 10)
{
	int seen[5] = {0};

	for (int i = 0; i < 10000; i++) {
		int64_t n = sr_random_between(-2, 2);

		cr_assert(n >= -2 && n <= 2);
		seen[n + 2]++;
	}
	for (int i = 0; i < 5; i++)
		cr_assert(seen[i] > 1700 && seen[i] < 2300, "%d came %d times of 10000", i - 2, seen[i]);
}

Test(random, takes_every_range, .timeout = 10)
{
	bool low = false, high = false;

	cr_assert_eq(sr_random_between(7, 7), 7);
	cr_assert_eq(sr_random_between(7, 3), 7);
	for (int i = 0; i < 200; i++) {
		int64_t n = sr_random_between(INT64_MIN, INT64_MAX);

		low |= n < 0;
		high |= n > 0;
		n = sr_random_between(INT64_MAX - 1, INT64_MAX);
		cr_assert(n >= INT64_MAX - 1);
		n = sr_random_between(INT64_MIN, INT64_MIN + 1);
		cr_assert(n <= INT64_MIN + 1);
	}
	cr_assert(low && high);
}

Test(clock, reads_the_dates_that_it_writes, .timeout = 10)
{
	static const char *const wrong[] = {"", "2026-11-24", "2026-11-24T03:40:09.123", "2026-11-24T03:40:09.123Z ", "2026-13-24T03:40:09.123Z",
	                                    "2026-02-30T03:40:09.123Z", "2026-11-24T24:40:09.123Z", "1969-12-31T23:59:59.999Z", "2026-11-24t03:40:09.123Z",
	                                    "-026-11-24T03:40:09.123Z", "now"};
	static const sr_wall_ms right[] = {0, 1, 951782400000, 1763955609123, 253402300799999};
	char text[SR_ISO_SIZE];

	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		sr_clock_iso(text, right[i]);
		cr_assert_eq(sr_clock_from_iso(text), right[i], "%s", text);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_assert_eq(sr_clock_from_iso(wrong[i]), -1, "%s", wrong[i]);
}

static void *draw(void *out)
{
	*(int64_t *)out = sr_random_between(0, INT64_MAX);
	return NULL;
}

Test(random, differs_between_threads, .timeout = 10)
{
	int64_t drawn[2] = {0};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, draw, &drawn[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_assert_neq(drawn[0], drawn[1]);
}

Test(random, makes_names, .timeout = 10)
{
	char one[101], two[101];

	memset(one, 'x', sizeof one);
	sr_random_name(one, 100);
	sr_random_name(two, 100);
	cr_assert_eq(strlen(one), 100);
	cr_assert_eq(strspn(one, "abcdefghijklmnopqrstuvwxyz234567"), 100);
	cr_assert_str_neq(one, two);
	sr_random_name(one, 0);
	cr_assert_str_eq(one, "");
}
