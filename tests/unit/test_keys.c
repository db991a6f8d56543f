#include "common/keys.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <string.h>

TestSuite(keys, .timeout = 10);

static const struct { enum sr_key key; const char *id, *name, *stem; } table[] = {
	{SR_KEY_STREAM, "a", "sse:stream:a", "sse:stream:"},
	{SR_KEY_COMPLETION, "a", "sse:completion:a", "sse:completion:"},
	{SR_KEY_EVENTS, "a", "sse:events:a", "sse:events:"},
	{SR_KEY_VIEWERS, "a", "sse:viewers:a", "sse:viewers:"},
	{SR_KEY_CHANNEL, "a", "sse:channel:a", "sse:channel:"},
	{SR_KEY_NODE, "fcgi-x", "sse:node:fcgi-x", "sse:node:"},
	{SR_KEY_ACTIVE, NULL, "sse:active", "sse:active"},
	{SR_KEY_ORPHANED, NULL, "sse:orphaned", "sse:orphaned"},
	{SR_KEY_GUARDIAN, NULL, "sse:guardian", "sse:guardian"},
	{SR_KEY_NODES, NULL, "sse:nodes", "sse:nodes"},
	{SR_KEY_TOTALS, NULL, "sse:totals", "sse:totals"},
	{SR_KEY_CHECK, NULL, "sse:check", "sse:check"},
};

Test(keys, the_names_are_the_seeds)
{
	struct sr_buf b;

	sr_buf_init(&b, 1024);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		sr_buf_reset(&b);
		cr_assert_eq(sr_key_append(&b, "sse:", table[i].key, table[i].id), SR_OK);
		cr_assert_str_eq(sr_buf_text(&b), table[i].name);
		sr_buf_reset(&b);
		cr_assert_eq(sr_key_append_stem(&b, "sse:", table[i].key), SR_OK);
		cr_assert_str_eq(sr_buf_text(&b), table[i].stem);
	}
	sr_buf_release(&b);
}

Test(keys, an_index_takes_no_id)
{
	struct sr_buf b;

	sr_buf_init(&b, 1024);
	cr_assert_eq(sr_key_append(&b, "sse:", SR_KEY_ACTIVE, "a"), SR_OK);
	cr_assert_str_eq(sr_buf_text(&b), "sse:active");
	sr_buf_release(&b);
}

Test(keys, are_appended_under_any_prefix)
{
	struct sr_buf b;

	sr_buf_init(&b, 1024);
	cr_assert_eq(sr_buf_puts(&b, "before "), SR_OK);
	cr_assert_eq(sr_key_append(&b, "", SR_KEY_STREAM, "a:b~c"), SR_OK);
	cr_assert_eq(sr_key_append(&b, " my.app/", SR_KEY_EVENTS, "-x"), SR_OK);
	cr_assert_str_eq(sr_buf_text(&b), "before stream:a:b~c my.app/events:-x");
	sr_buf_release(&b);
}

Test(keys, what_does_not_fit_leaves_the_buffer_as_it_was)
{
	struct sr_buf b;

	sr_buf_init(&b, 16);
	for (size_t max = 2; max < 2 + strlen("sse:stream:a"); max++) {
		b.max = max;
		sr_buf_reset(&b);
		cr_assert_eq(sr_buf_puts(&b, "x:"), SR_OK);
		cr_assert_eq(sr_key_append(&b, "sse:", SR_KEY_STREAM, "a"), SR_ETOOBIG);
		cr_assert_str_eq(sr_buf_text(&b), "x:");
		if (max < 2 + strlen("sse:stream:")) {
			cr_assert_eq(sr_key_append_stem(&b, "sse:", SR_KEY_STREAM), SR_ETOOBIG);
			cr_assert_str_eq(sr_buf_text(&b), "x:");
		}
	}
	sr_buf_release(&b);
	sr_mem_fail_after(1);
	cr_assert_eq(sr_key_append(&b, "sse:", SR_KEY_STREAM, "a"), SR_ENOMEM);
	cr_assert_eq(b.len, 0);
	sr_buf_release(&b);
}
