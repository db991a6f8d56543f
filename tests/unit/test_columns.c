/* cli/columns, cli/age: what fits into a line, and times as people say them. */
#include "cli/age.h"
#include "cli/columns.h"
#include <criterion/criterion.h>
#include <string.h>

TestSuite(columns, .timeout = 20);
TestSuite(age, .timeout = 20);

#define HAN "\xe4\xbd\xa0"      /* two columns */
#define ACUTE "\xcc\x81"        /* combining: none */
#define SMILE "\xf0\x9f\x98\x80"

static void assert_cell(const char *text, int width, enum sr_side side, const char *expected)
{
	struct sr_buf out;

	sr_buf_init(&out, 10000);
	cr_assert_eq(sr_columns_cell(&out, text, width, side), SR_OK);
	cr_assert_str_eq(sr_buf_text(&out), expected);
	sr_buf_release(&out);
}

Test(columns, counts_columns_not_bytes)
{
	cr_assert_eq(sr_columns("", 0), 0);
	cr_assert_eq(sr_columns("abc", 3), 3);
	cr_assert_eq(sr_columns("\xc3\xa9", 2), 1);
	cr_assert_eq(sr_columns("e" ACUTE, 3), 1);
	cr_assert_eq(sr_columns(HAN HAN, 6), 4);
	cr_assert_eq(sr_columns(SMILE, 4), 2);
}

Test(columns, fits_whole_characters)
{
	int used;

	cr_assert_eq(sr_columns_fit("abc", 3, 2, &used), 2);
	cr_assert_eq(used, 2);
	cr_assert_eq(sr_columns_fit(HAN HAN, 6, 3, &used), 3, "half of one does not");
	cr_assert_eq(used, 2);
	cr_assert_eq(sr_columns_fit("e" ACUTE "f", 4, 1, &used), 3, "with its accent");
	cr_assert_eq(sr_columns_fit("abc", 3, 0, &used), 0);
	cr_assert_eq(sr_columns_fit("abc", 3, 9, &used), 3);
	cr_assert_eq(used, 3);
}

Test(columns, a_pile_of_accents_is_cut)
{
	char text[2 + 2 * 500] = "e";
	int used;

	for (int i = 0; i < 500; i++)
		strcat(text, ACUTE);
	cr_assert_leq(sr_columns_fit(text, strlen(text), 10, &used), 1 + 2 * 8);
	cr_assert_eq(used, 1);
}

Test(columns, a_cell_has_its_width)
{
	assert_cell("abc", 5, SR_LEFT, "abc  ");
	assert_cell("abc", 5, SR_RIGHT, "  abc");
	assert_cell("abc", 3, SR_LEFT, "abc");
	assert_cell("abcd", 3, SR_LEFT, "ab+");
	assert_cell("abcd", 1, SR_RIGHT, "+");
	assert_cell("", 3, SR_RIGHT, "  -");
	assert_cell(HAN HAN, 5, SR_LEFT, HAN HAN " ");
	assert_cell(HAN HAN, 3, SR_LEFT, HAN "+");
	assert_cell(HAN HAN, 2, SR_LEFT, "+ ");
	assert_cell("a\x1b[2J", 12, SR_LEFT, "a\\u001b[2J  ");
	assert_cell("a\x1b[2J", 4, SR_LEFT, "a\\u+");
	assert_cell("\xe2\x80\xae" "b\xff", 12, SR_LEFT, "\\u202eb\\xff ");
}

Test(columns, a_full_buffer_stays_as_it_was)
{
	struct sr_buf out;

	sr_buf_init(&out, 4);
	cr_assert_eq(sr_buf_puts(&out, "ab"), SR_OK);
	cr_assert_eq(sr_columns_cell(&out, "abc", 5, SR_LEFT), SR_ETOOBIG);
	cr_assert_str_eq(sr_buf_text(&out), "ab");
	sr_buf_release(&out);
}

static void assert_age(int64_t ms, const char *expected)
{
	char out[SR_AGE_SIZE];

	sr_age_say(out, ms);
	cr_assert_str_eq(out, expected);
}

Test(age, has_two_figures)
{
	assert_age(-5, "0.0s");
	assert_age(0, "0.0s");
	assert_age(999, "0.9s");
	assert_age(9999, "9.9s");
	assert_age(10000, "10s");
	assert_age(59999, "59s");
	assert_age(185000, "3m05s");
	assert_age(7800000, "2h10m");
	assert_age(4 * 86400000LL + 3 * 3600000, "4d03h");
	assert_age(812 * 86400000LL, "812d");
	assert_age(INT64_MAX, "99999999d");
}

Test(age, reads_dates_and_nothing_else)
{
	static const char *const bad[] = {"", "x", "2026-11-23", "2026-11-23T20:27:00.123", "2026-11-23T20:27:00.123Zx", "2026-13-23T20:27:00.123Z",
	                                  "2026-00-23T20:27:00.123Z", "2026-11-23T24:27:00.123Z", "2026-11-23 20:27:00.123Z", "20a6-11-23T20:27:00.123Z",
	                                  "2026-11-23T20:27:00.1Z", "\x1b"};
	int64_t ms = 7;

	cr_assert(sr_age_parse("1970-01-01T00:00:00.001Z", &ms) && ms == 1);
	cr_assert(sr_age_parse("2025-11-23T17:47:00.123Z", &ms) && ms == 1763920020123);
	cr_assert(sr_age_parse("2025-11-23T17:47:00Z", &ms) && ms == 1763920020000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_not(sr_age_parse(bad[i], &ms), "%s", bad[i]);
}
