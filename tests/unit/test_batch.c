/* The events of one publish call: where a batch is full, and what goes into the call. */
#include "common/batch.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <string.h>

TestSuite(batch, .timeout = 20);

#define EVENT_BYTES (1u << 20)

static enum sr_err add(struct sr_batch *b, const char *type, const char *data, size_t len)
{
	return sr_batch_add(b, type, strlen(type), data, len);
}

Test(batch, takes_a_hundred_events)
{
	struct sr_batch b;

	sr_batch_init(&b, EVENT_BYTES);
	for (int i = 0; i < SR_BATCH_MAX; i++)
		cr_assert_eq(add(&b, "token", "1", 1), SR_OK);
	cr_assert(!sr_batch_fits(&b, 0));
	cr_assert_eq(add(&b, "token", "1", 1), SR_EBUSY);
	cr_assert_eq(b.count, SR_BATCH_MAX);
	sr_batch_reset(&b);
	cr_assert_eq(add(&b, "token", "1", 1), SR_OK);
	sr_batch_release(&b);
}

Test(batch, is_bounded_in_bytes_but_takes_any_first_event)
{
	static char large[EVENT_BYTES];
	struct sr_batch b;

	memset(large, 'x', sizeof large);
	sr_batch_init(&b, EVENT_BYTES);
	cr_assert_eq(add(&b, "token", large, sizeof large), SR_OK);
	cr_assert_eq(add(&b, "token", "1", 1), SR_EBUSY);
	sr_batch_reset(&b);
	cr_assert_eq(add(&b, "t", large, SR_BATCH_BYTES - 3), SR_OK);
	cr_assert(sr_batch_fits(&b, 2) && !sr_batch_fits(&b, 3));
	cr_assert_eq(add(&b, "t", "333", 3), SR_EBUSY);
	cr_assert_eq(add(&b, "t", "22", 2), SR_OK);
	cr_assert_eq(b.count, 2);
	sr_batch_release(&b);
}

/* The worst that sr_batch_fits() lets in stays within the bound of its memory. */
Test(batch, the_longest_types_fit)
{
	char type[SR_EVENT_TYPE_MAX + 1];
	static char data[SR_BATCH_BYTES / SR_BATCH_MAX - SR_EVENT_TYPE_MAX];
	struct sr_batch b;

	memset(type, 't', SR_EVENT_TYPE_MAX);
	type[SR_EVENT_TYPE_MAX] = '\0';
	memset(data, 'x', sizeof data);
	sr_batch_init(&b, 256);
	for (int i = 0; i < SR_BATCH_MAX; i++)
		cr_assert_eq(add(&b, type, data, sizeof data), SR_OK);
	sr_batch_release(&b);
}

Test(batch, nothing_comes_after_the_end)
{
	struct sr_batch b;

	sr_batch_init(&b, EVENT_BYTES);
	cr_assert_eq(add(&b, "token", "1", 1), SR_OK);
	cr_assert(!b.ended);
	cr_assert_eq(add(&b, "failed", "{}", 2), SR_OK);
	cr_assert(b.ended && !sr_batch_fits(&b, 0));
	cr_assert_eq(add(&b, "token", "1", 1), SR_EBUSY);
	sr_batch_reset(&b);
	cr_assert(!b.ended && sr_batch_fits(&b, 0));
	sr_batch_release(&b);
}

Test(batch, is_unchanged_when_memory_is_out)
{
	static char data[1000];
	struct sr_batch b;

	sr_batch_init(&b, EVENT_BYTES);
	cr_assert_eq(add(&b, "t", "1", 1), SR_OK);
	sr_mem_fail_after(1);
	cr_assert_eq(add(&b, "t", data, sizeof data), SR_ENOMEM);
	sr_mem_fail_after(0);
	cr_assert(b.count == 1 && b.bytes.len == 2);
	cr_assert_eq(add(&b, "t", data, sizeof data), SR_OK);
	sr_batch_release(&b);
}

/* Keys and arguments: as if each event had been added by hand. */
Test(batch, fills_a_call)
{
	const struct sr_registry reg = {.prefix = "sse:", .log_events = 10, .stream_ttl = 20, .completion_ttl = 30};
	const struct sr_publish p = {.id = "a", .user = "ann", .producer = "p", .n = 2};
	struct sr_call one, two;
	struct sr_batch b;

	sr_batch_init(&b, EVENT_BYTES);
	cr_assert_eq(add(&b, "token", "\"\0\"", 3), SR_OK);
	cr_assert_eq(add(&b, "completed", "{}", 2), SR_OK);
	sr_batch_call(&b, &one, &reg, &p);
	sr_publish_call(&two, &reg, &p);
	sr_publish_add(&two, "token", "\"\0\"", 3);
	sr_publish_add(&two, "completed", "{}", 2);
	cr_assert(sr_call_check(&one) == SR_OK && sr_call_check(&two) == SR_OK);
	cr_assert(one.keys == two.keys && one.args == two.args && one.tail.len == two.tail.len);
	cr_assert_arr_eq(one.tail.data, two.tail.data, two.tail.len);
	sr_call_release(&one);
	sr_call_release(&two);
	sr_batch_release(&b);
}
