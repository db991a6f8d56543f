/* Records: common/lua/records.lua, what an operator lists. */
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

static const struct sr_reply *records(const char *const *ids, size_t count)
{
	static const char *const fields[] = {"streamId", "state", "none", NULL};
	struct sr_call call;

	sr_records_call(&call, &w.reg, ids, count, fields);
	return world_call(&call);
}

world_test(records, reads_a_batch_in_order)
{
	const struct sr_reply *reply;

	open_stream(.id = "a", .user = "ann");
	open_stream(.id = "b", .user = "bob");
	end_stream("failed", "{}", .id = "b");
	reply = records((const char *const[]){"b", "nobody", "a"}, 3);
	cr_assert_eq(sr_reply_count(reply), 3);
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 0), 0, NULL), "b");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 0), 1, NULL), "failed");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 0), 2, NULL), "");
	cr_assert_eq(sr_reply_count(sr_reply_at(reply, 1)), 3, "nils keep their places");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 1), 0, NULL), "");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 2), 1, NULL), "active");
}

world_test(records, passes_over_what_is_no_record)
{
	const struct sr_reply *reply;

	open_stream(.id = "a", .user = "ann");
	raw("SET", "sse:stream:x", "5", "EX", "100");
	w.odd = true;
	reply = records((const char *const[]){"x", "a"}, 2);
	cr_assert_eq(sr_reply_count(reply), 2);
	cr_assert_eq(sr_reply_count(sr_reply_at(reply, 0)), 0);
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 1), 0, NULL), "a");
}

world_test(records, writes_nothing)
{
	char *before;

	open_stream(.id = "a", .user = "ann");
	before = strdup(digest());
	records((const char *const[]){"a"}, 1);
	cr_assert_str_eq(digest(), before);
	free(before);
}
