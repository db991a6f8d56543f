/* cli/picture: rates from two pictures, totals, orders. */
#include "cli/picture.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(picture, .timeout = 20);

static void add_row(struct sr_picture *p, struct sr_row row)
{
	row.state = row.state ? row.state : "active";
	row.type = row.user = "";
	row.last_event = row.last_event ? row.last_event : "";
	cr_assert_eq(sr_picture_add(p, &row), SR_OK);
}
#define add(p, ...) add_row((p), (struct sr_row){__VA_ARGS__})

static const struct sr_row *row(const struct sr_picture *p, const char *id)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->rows[i].id, id) == 0)
			return &p->rows[i];
	cr_assert_fail("no row %s", id);
	return NULL;
}

Test(picture, rates_are_events_a_second_of_redis_s_clock)
{
	struct sr_picture before = {.at_ms = 1000}, now = {.at_ms = 3000};

	add(&before, .id = "b", .looked_ms = 1000, .added = 10, .length = 10);
	add(&before, .id = "a", .looked_ms = 1500, .added = 0);
	add(&before, .id = "anew", .looked_ms = 1000, .added = 50, .length = 50);
	add(&before, .id = "still", .looked_ms = 1000, .added = 5, .length = 5);
	sr_picture_compare(&before, NULL);
	cr_assert(before.rows[0].rate < 0 && sr_picture_total(&before).rate < 0, "one picture has none");
	add(&now, .id = "still", .looked_ms = 3000, .added = 5, .length = 5);
	add(&now, .id = "a", .looked_ms = 3500, .added = 5, .length = 5);
	add(&now, .id = "b", .looked_ms = 3000, .added = 40, .length = 10);
	add(&now, .id = "anew", .looked_ms = 3000, .added = 4, .length = 4);
	sr_picture_compare(&now, &before);
	cr_assert_float_eq(row(&now, "a")->rate, 2.5, 1e-9);
	cr_assert_float_eq(row(&now, "b")->rate, 15, 1e-9);
	cr_assert_float_eq(row(&now, "anew")->rate, 2, 1e-9, "its log was begun anew");
	cr_assert_float_eq(row(&now, "still")->rate, 0, 1e-9);
	cr_assert_float_eq(sr_picture_total(&now).rate, 19.5, 1e-9);
	sr_picture_release(&before);
	sr_picture_release(&now);
}

Test(picture, a_new_stream_counts_from_its_start_and_an_old_one_is_not_known)
{
	struct sr_picture before = {.at_ms = 1000}, now = {.at_ms = 3000};

	sr_picture_compare(&before, NULL);
	add(&now, .id = "new", .looked_ms = 3000, .started_ms = 1000, .added = 8, .length = 8);
	add(&now, .id = "old", .looked_ms = 3000, .started_ms = 999, .added = 8, .length = 8);
	add(&now, .id = "undated", .looked_ms = 3000, .started_ms = -1, .added = 8, .length = 8);
	sr_picture_compare(&now, &before);
	cr_assert_float_eq(row(&now, "new")->rate, 4, 1e-9);
	cr_assert_lt(row(&now, "old")->rate, 0);
	cr_assert_lt(row(&now, "undated")->rate, 0);
	cr_assert_float_eq(sr_picture_total(&now).rate, 4, 1e-9);
	sr_picture_release(&now);
	cr_assert_eq(now.count, 0);
	sr_picture_compare(&now, &before);
	cr_assert_float_eq(sr_picture_total(&now).rate, 0, 1e-9, "no stream has no events");
}

Test(picture, an_uncounted_log_goes_by_its_length)
{
	struct sr_picture before = {.at_ms = 1000}, now = {.at_ms = 2000};

	add(&before, .id = "grows", .looked_ms = 1000, .added = -1, .length = 5, .last_event = "1-0");
	add(&before, .id = "same", .looked_ms = 1000, .added = 5, .length = 5, .last_event = "1-0");
	add(&before, .id = "full", .looked_ms = 1000, .added = -1, .length = 5, .last_event = "1-0");
	sr_picture_compare(&before, NULL);
	add(&now, .id = "grows", .looked_ms = 2000, .added = 7, .length = 7, .last_event = "2-0");
	add(&now, .id = "same", .looked_ms = 2000, .added = -1, .length = 5, .last_event = "1-0");
	add(&now, .id = "full", .looked_ms = 2000, .added = -1, .length = 5, .last_event = "2-0");
	sr_picture_compare(&now, &before);
	cr_assert_float_eq(row(&now, "grows")->rate, 2, 1e-9);
	cr_assert_float_eq(row(&now, "same")->rate, 0, 1e-9);
	cr_assert_lt(row(&now, "full")->rate, 0, "trimmed as fast as it grows");
	sr_picture_release(&before);
	sr_picture_release(&now);
}

Test(picture, a_clock_that_went_back_gives_no_rate)
{
	struct sr_picture before = {.at_ms = 2000}, now = {.at_ms = 1000};

	add(&before, .id = "a", .looked_ms = 2000, .added = 1);
	sr_picture_compare(&before, NULL);
	add(&now, .id = "a", .looked_ms = 1000, .added = 9);
	sr_picture_compare(&now, &before);
	cr_assert_lt(now.rows[0].rate, 0);
	sr_picture_release(&before);
	sr_picture_release(&now);
}

Test(picture, twins_are_one_and_the_ended_count_without_being_shown)
{
	struct sr_picture before = {.at_ms = 1000}, now = {.at_ms = 2000};
	const struct sr_row **rows;
	size_t count;

	add(&before, .id = "a", .looked_ms = 1000, .added = 1);
	add(&before, .id = "b", .looked_ms = 1000, .added = 1);
	sr_picture_compare(&before, NULL);
	add(&now, .id = "a", .looked_ms = 2000, .added = 2, .viewers = 2);
	add(&now, .id = "b", .looked_ms = 2000, .added = 4, .viewers = 5, .ended = true);
	add(&now, .id = "a", .looked_ms = 2000, .added = 2, .viewers = 2);
	sr_picture_compare(&now, &before);
	cr_assert_eq(now.count, 2);
	cr_assert_eq(sr_picture_total(&now).viewers, 2);
	cr_assert_float_eq(sr_picture_total(&now).rate, 4, 1e-9);
	rows = sr_picture_sort(&now, SR_BY_ID, &count);
	cr_assert(count == 1 && strcmp(rows[0]->id, "a") == 0);
	free(rows);
	sr_picture_release(&before);
	sr_picture_release(&now);
}

static void assert_order(const struct sr_picture *p, enum sr_order order, const char *expected)
{
	char ids[64] = "";
	size_t count;
	const struct sr_row **rows = sr_picture_sort(p, order, &count);

	for (size_t i = 0; i < count; i++)
		strcat(ids, rows[i]->id);
	cr_assert_str_eq(ids, expected, "by %s: %s", sr_order_names[order], ids);
	free(rows);
}

Test(picture, has_an_order_of_each_kind)
{
	struct sr_picture p = {0};

	add(&p, .id = "a", .rate = 1, .viewers = 0, .added = 3, .length = 3, .started_ms = 50, .beat_ms = 90);
	add(&p, .id = "b", .rate = 5, .viewers = 0, .added = -1, .length = 9, .started_ms = -1, .beat_ms = 80);
	add(&p, .id = "c", .rate = 1, .viewers = 7, .added = 1, .length = 1, .started_ms = 20, .beat_ms = -1);
	add(&p, .id = "d", .rate = -1, .viewers = 7, .added = 2, .length = 2, .started_ms = 20, .beat_ms = 80);
	assert_order(&p, SR_BY_RATE, "bcad");
	assert_order(&p, SR_BY_VIEWERS, "dcba");
	assert_order(&p, SR_BY_EVENTS, "badc");
	assert_order(&p, SR_BY_AGE, "cdab");
	assert_order(&p, SR_BY_SILENCE, "bdac");
	assert_order(&p, SR_BY_ID, "abcd");
	sr_picture_release(&p);
}

Test(picture, without_memory_it_is_as_it_was)
{
	struct sr_picture p = {0};
	struct sr_row r = {.id = "b", .state = "", .type = "", .user = "", .last_event = ""};
	size_t count;

	add(&p, .id = "a");
	sr_mem_fail_after(1);
	cr_assert_eq(sr_picture_add(&p, &r), SR_ENOMEM);
	cr_assert_eq(p.count, 1);
	sr_mem_fail_after(1);
	cr_assert_null(sr_picture_sort(&p, SR_BY_ID, &count));
	cr_assert_eq(count, 0);
	sr_mem_fail_after(0);
	sr_picture_release(&p);
}
