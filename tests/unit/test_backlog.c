/* What waits to be sent: order, numbers, bounds, and what is said of what was dropped. */
#include "common/backlog.h"
#include "common/id.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(backlog, .timeout = 20);

static enum sr_err push(struct sr_backlog *b, const char *type, const char *data)
{
	return sr_backlog_push(b, type, strlen(type), data, strlen(data));
}

/* The head as "n type data", "!" in front of a notice; "" = none. */
static const char *head(struct sr_backlog *b)
{
	static char text[256];
	struct sr_backlog_event e;

	if (!sr_backlog_head(b, &e))
		return "";
	snprintf(text, sizeof text, "%s%llu %.*s %.*s", e.notice ? "!" : "", (unsigned long long)e.n, (int)e.type_len, e.type, (int)e.data_len, e.data);
	return text;
}

#define assert_next(b, expected) \
	do { \
		cr_assert_str_eq(head(b), expected); \
		sr_backlog_pop(b); \
	} while (0)

/* What one event "t" with one byte of data takes. */
#define ONE (SR_BACKLOG_OVERHEAD + 2)

Test(backlog, keeps_order_and_numbers)
{
	struct sr_backlog b;

	sr_backlog_init(&b, 1000, 7, false);
	cr_assert_str_eq(head(&b), "");
	sr_backlog_pop(&b);
	cr_assert_eq(push(&b, "token", "1"), SR_OK);
	cr_assert_eq(push(&b, "progress", "{\"x\":2}"), SR_OK);
	cr_assert_eq(sr_backlog_count(&b), 2);
	cr_assert_eq(b.next_n, 9);
	cr_assert_str_eq(head(&b), "7 token 1");
	assert_next(&b, "7 token 1");
	assert_next(&b, "8 progress {\"x\":2}");
	assert_next(&b, "");
	cr_assert_eq(sr_backlog_count(&b), 0);
	cr_assert_eq(push(&b, "token", ""), SR_OK);
	assert_next(&b, "9 token ");
	sr_backlog_release(&b);
}

Test(backlog, is_bounded_and_then_refuses)
{
	struct sr_backlog b;
	char large[101];

	memset(large, 'x', 100);
	large[100] = '\0';
	sr_backlog_init(&b, 3 * ONE, 1, false);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(push(&b, "t", "1"), SR_OK);
	cr_assert_eq(push(&b, "t", ""), SR_EBUSY);
	cr_assert_eq(push(&b, "t", large), SR_ETOOBIG, "waiting does not help");
	cr_assert(b.next_n == 4 && sr_backlog_count(&b) == 3 && b.skipped_ever == 0);
	assert_next(&b, "1 t 1");
	cr_assert_eq(push(&b, "t", "22"), SR_EBUSY);
	cr_assert_eq(push(&b, "t", "2"), SR_OK);
	cr_assert_eq(push(&b, "completed", "{\"past\":1}"), SR_OK, "the end is always taken");
	cr_assert_eq(push(&b, "t", ""), SR_EINVAL);
	cr_assert_eq(push(&b, "failed", ""), SR_EINVAL);
	assert_next(&b, "2 t 1");
	assert_next(&b, "3 t 1");
	assert_next(&b, "4 t 2");
	assert_next(&b, "5 completed {\"past\":1}");
	cr_assert_eq(push(&b, "t", ""), SR_EINVAL);
	sr_backlog_release(&b);
}

Test(backlog, refuses_a_type_without_or_with_too_many_bytes)
{
	struct sr_backlog b;
	char type[SR_EVENT_TYPE_MAX + 2];

	memset(type, 'x', sizeof type);
	sr_backlog_init(&b, 1000, 1, false);
	cr_assert_eq(sr_backlog_push(&b, type, 0, "1", 1), SR_EINVAL);
	cr_assert_eq(sr_backlog_push(&b, type, SR_EVENT_TYPE_MAX + 1, "1", 1), SR_EINVAL);
	cr_assert_eq(sr_backlog_push(&b, type, SR_EVENT_TYPE_MAX, "1", 1), SR_OK);
	sr_backlog_release(&b);
}

Test(backlog, drops_the_oldest_and_says_so)
{
	struct sr_backlog b;

	sr_backlog_init(&b, 3 * ONE, 1, true);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(push(&b, "t", "1"), SR_OK);
	cr_assert_eq(sr_backlog_count(&b), 4, "three and the notice");
	cr_assert_str_eq(head(&b), "!2 skipped {\"events\":2}");
	cr_assert_eq(push(&b, "t", "1"), SR_OK);
	cr_assert_str_eq(head(&b), "!3 skipped {\"events\":3}", "further drops add to it");
	assert_next(&b, "!3 skipped {\"events\":3}");
	cr_assert_eq(sr_backlog_count(&b), 3);
	assert_next(&b, "4 t 1");
	cr_assert_eq(push(&b, "t", "1"), SR_OK);
	cr_assert_str_eq(head(&b), "5 t 1", "there was room");
	cr_assert_eq(push(&b, "t", "1"), SR_OK);
	assert_next(&b, "!5 skipped {\"events\":1}");
	cr_assert_eq(b.skipped_ever, 4);
	assert_next(&b, "6 t 1");
	assert_next(&b, "7 t 1");
	assert_next(&b, "8 t 1");
	assert_next(&b, "");
	sr_backlog_release(&b);
}

Test(backlog, a_large_event_drops_several_and_one_past_the_bound_none)
{
	struct sr_backlog b;
	char data[3 * ONE + 1] = "";

	sr_backlog_init(&b, 3 * ONE, 1, true);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(push(&b, "t", "1"), SR_OK);
	memset(data, 'x', 2 * ONE - SR_BACKLOG_OVERHEAD);
	data[2 * ONE - SR_BACKLOG_OVERHEAD - 1] = '\0';
	cr_assert_eq(push(&b, "t", data), SR_OK);
	cr_assert_str_eq(head(&b), "!2 skipped {\"events\":2}");
	memset(data, 'x', 3 * ONE);
	cr_assert_eq(push(&b, "t", data), SR_ETOOBIG);
	cr_assert_str_eq(head(&b), "!2 skipped {\"events\":2}");
	memset(data, 0, sizeof data);
	memset(data, 'x', 3 * ONE - SR_BACKLOG_OVERHEAD - 1);
	cr_assert_eq(push(&b, "t", data), SR_OK);
	cr_assert_eq(sr_backlog_count(&b), 2);
	cr_assert_eq(b.skipped_ever, 4);
	sr_backlog_release(&b);
}

Test(backlog, the_end_drops_nothing_and_is_never_dropped)
{
	struct sr_backlog b;

	sr_backlog_init(&b, 3 * ONE, 1, true);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(push(&b, "t", "1"), SR_OK);
	cr_assert_eq(push(&b, "cancelled", "{}"), SR_OK);
	cr_assert_eq(push(&b, "t", "1"), SR_EINVAL);
	assert_next(&b, "!1 skipped {\"events\":1}");
	for (int i = 2; i < 5; i++)
		sr_backlog_pop(&b);
	assert_next(&b, "5 cancelled {}");
	sr_backlog_release(&b);
}

/* Its memory stays in proportion to the bound, whatever goes through. */
Test(backlog, gives_consumed_bytes_back)
{
	struct sr_backlog b;
	char expected[64], data[32];
	unsigned long long n = 1, most = 0;

	sr_backlog_init(&b, 20000, 1, false);
	for (int i = 1; i <= 200000; i++) {
		snprintf(data, sizeof data, "%d", i);
		while (push(&b, "token", data) == SR_EBUSY) {
			snprintf(expected, sizeof expected, "%llu token %llu", n, n);
			assert_next(&b, expected);
			n++;
		}
		most = b.bytes.cap > most ? b.bytes.cap : most;
	}
	cr_assert_leq(most, 4 * 20000 + 4096 + 1);
	while (sr_backlog_count(&b)) {
		snprintf(expected, sizeof expected, "%llu token %llu", n, n);
		assert_next(&b, expected);
		n++;
	}
	cr_assert_eq(n, 200001);
	sr_backlog_release(&b);
}

Test(backlog, an_empty_one_keeps_little_memory)
{
	struct sr_backlog b;
	static char data[100001];

	memset(data, 'x', 100000);
	sr_backlog_init(&b, 1000000, 1, false);
	cr_assert_eq(push(&b, "t", data), SR_OK);
	sr_backlog_pop(&b);
	cr_assert_leq(b.bytes.cap, 65536);
	cr_assert_eq(push(&b, "t", "1"), SR_OK);
	assert_next(&b, "2 t 1");
	sr_backlog_release(&b);
}

Test(backlog, without_memory_nothing_is_taken_or_dropped)
{
	struct sr_backlog b;
	char data[61];

	memset(data, 'x', 60);
	data[60] = '\0';
	sr_backlog_init(&b, 100, 1, true);
	sr_mem_fail_after(1);
	cr_assert_eq(push(&b, "t", data), SR_ENOMEM);
	sr_mem_fail_after(0);
	cr_assert_eq(b.next_n, 1);
	cr_assert_eq(push(&b, "t", data), SR_OK);
	sr_mem_fail_after(1);
	cr_assert_eq(push(&b, "t", data), SR_ENOMEM);
	sr_mem_fail_after(0);
	cr_assert(b.skipped_ever == 0 && b.next_n == 2 && sr_backlog_count(&b) == 1);
	cr_assert_eq(push(&b, "t", data), SR_OK);
	assert_next(&b, "!1 skipped {\"events\":1}");
	sr_backlog_release(&b);
	cr_assert(sr_backlog_count(&b) == 0 && b.next_n == 3 && b.skipped_ever == 1, "the numbers stay");
}
