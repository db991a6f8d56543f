#include "common/buf.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

TestSuite(buf, .timeout = 10);

Test(buf, starts_empty_and_takes_nothing)
{
	struct sr_buf b;

	sr_buf_init(&b, 10);
	cr_assert_null(b.data);
	cr_assert_eq(b.len, 0);
	cr_assert_str_eq(sr_buf_text(&b), "");
	cr_assert_eq(sr_buf_append(&b, NULL, 0), SR_OK);
	cr_assert_eq(sr_buf_puts(&b, ""), SR_OK);
	cr_assert_eq(sr_buf_printf(&b, "%s", ""), SR_OK);
	sr_buf_consume(&b, 0);
	sr_buf_truncate(&b, 0);
	sr_buf_reset(&b);
	cr_assert_null(b.data, "nothing was written, so nothing was allocated");
	sr_buf_release(&b);
}

Test(buf, appends_bytes_text_and_formats)
{
	struct sr_buf b;

	sr_buf_init(&b, 100);
	cr_assert_eq(sr_buf_append(&b, "a\0b", 3), SR_OK);
	cr_assert_eq(sr_buf_puts(&b, "cd"), SR_OK);
	cr_assert_eq(sr_buf_printf(&b, "-%d-%s", 42, "e"), SR_OK);
	cr_assert_eq(b.len, 10);
	cr_assert_eq(memcmp(b.data, "a\0bcd-42-e", 11), 0, "NUL behind the bytes included");
	sr_buf_release(&b);
}

Test(buf, keeps_its_bound_to_the_byte)
{
	struct sr_buf b;

	sr_buf_init(&b, 8);
	cr_assert_eq(sr_buf_puts(&b, "12345678"), SR_OK);
	cr_assert_leq(b.cap, 9);
	cr_assert_eq(sr_buf_append(&b, "9", 1), SR_ETOOBIG);
	cr_assert_eq(sr_buf_printf(&b, "%d", 9), SR_ETOOBIG);
	cr_assert_eq(sr_buf_reserve(&b, 1), SR_ETOOBIG);
	cr_assert_eq(sr_buf_reserve(&b, SIZE_MAX), SR_ETOOBIG, "no sum may wrap");
	cr_assert_str_eq(sr_buf_text(&b), "12345678");
	sr_buf_release(&b);
}

Test(buf, takes_the_largest_bound)
{
	struct sr_buf b;

	sr_buf_init(&b, SIZE_MAX);
	cr_assert_eq(sr_buf_puts(&b, "x"), SR_OK);
	cr_assert_eq(sr_buf_reserve(&b, SIZE_MAX), SR_ETOOBIG);
	cr_assert_eq(sr_buf_reserve(&b, SIZE_MAX - 1), SR_ETOOBIG);
	cr_assert_str_eq(sr_buf_text(&b), "x");
	sr_buf_release(&b);
}

Test(buf, grows_byte_by_byte)
{
	struct sr_buf b;

	sr_buf_init(&b, 10000);
	for (int i = 0; i < 10000; i++) {
		char c = (char)('a' + i % 26);

		cr_assert_eq(sr_buf_append(&b, &c, 1), SR_OK);
		cr_assert_eq(b.data[b.len], '\0');
	}
	cr_assert_eq(b.len, 10000);
	cr_assert_eq(b.data[9999], 'a' + 9999 % 26);
	cr_assert_eq(sr_buf_append(&b, "x", 1), SR_ETOOBIG);
	sr_buf_release(&b);
}

Test(buf, consumes_and_truncates)
{
	struct sr_buf b;

	sr_buf_init(&b, 100);
	cr_assert_eq(sr_buf_puts(&b, "one two three"), SR_OK);
	sr_buf_consume(&b, 4);
	cr_assert_str_eq(sr_buf_text(&b), "two three");
	sr_buf_truncate(&b, 3);
	cr_assert_str_eq(sr_buf_text(&b), "two");
	cr_assert_eq(b.len, 3);
	sr_buf_consume(&b, 3);
	cr_assert_str_eq(sr_buf_text(&b), "");
	sr_buf_release(&b);
}

Test(buf, can_be_used_after_reset_and_release)
{
	struct sr_buf b;
	const char *memory;

	sr_buf_init(&b, 100);
	cr_assert_eq(sr_buf_puts(&b, "x"), SR_OK);
	memory = b.data;
	sr_buf_reset(&b);
	cr_assert_eq(b.data, memory, "reset keeps the memory");
	cr_assert_str_eq(sr_buf_text(&b), "");
	sr_buf_release(&b);
	cr_assert_null(b.data);
	cr_assert_eq(b.max, 100);
	cr_assert_eq(sr_buf_puts(&b, "again"), SR_OK);
	cr_assert_str_eq(sr_buf_text(&b), "again");
	sr_buf_release(&b);
}

Test(buf, survives_lack_of_memory_unchanged)
{
	struct sr_buf b;
	char big[1000];

	memset(big, 'x', sizeof big);
	sr_buf_init(&b, 10000);
	sr_mem_fail_after(1);
	cr_assert_eq(sr_buf_puts(&b, "a"), SR_ENOMEM);
	cr_assert_str_eq(sr_buf_text(&b), "");
	cr_assert_eq(sr_buf_puts(&b, "a"), SR_OK);
	sr_mem_fail_after(1);
	cr_assert_eq(sr_buf_append(&b, big, sizeof big), SR_ENOMEM);
	sr_mem_fail_after(1);
	cr_assert_eq(sr_buf_printf(&b, "%1000d", 1), SR_ENOMEM);
	sr_mem_fail_after(0);
	cr_assert_str_eq(sr_buf_text(&b), "a");
	sr_buf_release(&b);
}

Test(buf, explains_within_its_bound)
{
	struct sr_buf b;

	sr_buf_explain(NULL, "%s", "nobody listens");
	sr_buf_init(&b, 10);
	sr_buf_explain(&b, "%s", "first");
	sr_buf_explain(&b, "%s", "a sentence that is too long");
	cr_assert_str_eq(sr_buf_text(&b), "a sentence");
	sr_buf_release(&b);
	sr_mem_fail_after(1);
	sr_buf_explain(&b, "%s", "no memory");
	cr_assert_str_eq(sr_buf_text(&b), "");
	sr_buf_init(&b, 10000);
	sr_buf_explain(&b, "%2000d", 1);
	cr_assert_eq(b.len, 511);
	sr_buf_release(&b);
}

Test(mem, fails_the_nth_allocation_once, .timeout = 10)
{
	char *one, *two;

	sr_mem_fail_after(2);
	one = sr_strdup("abc");
	cr_assert_str_eq(one, "abc");
	cr_assert_null(sr_calloc(1, 1));
	two = sr_strndup("abcdef", 4);
	cr_assert_str_eq(two, "abcd");
	two = sr_realloc(two, 100);
	cr_assert_str_eq(two, "abcd");
	free(one);
	free(two);
}
