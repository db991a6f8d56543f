/* Look and lost: common/lua/look.lua and lost.lua, what operators are shown of many streams at once. */
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

static const char *const fields[] = {"streamId", "state", "producer", "none", NULL};
static const char *const end_fields[] = {"completedAt", "eventId", NULL};

static const struct sr_reply *look_at(size_t bytes, const char *const *ids, size_t count)
{
	struct sr_call call;

	sr_look_call(&call, &w.reg, ids, count, bytes, fields);
	return world_call(&call);
}

static struct sr_look_result read_look(const struct sr_reply *reply, size_t i)
{
	struct sr_look_result look;

	cr_assert_eq(sr_look_read(reply, i, &look), SR_OK);
	return look;
}

static struct sr_look_result look(const char *id)
{
	return read_look(look_at(1 << 20, (const char *const[]){id}, 1), 0);
}

static const struct sr_reply *lost(const char *const *ids, size_t count)
{
	struct sr_call call;

	sr_lost_call(&call, &w.reg, ids, count, end_fields);
	return world_call(&call);
}

world_test(look, says_what_the_record_has_in_order)
{
	const struct sr_reply *reply;
	struct sr_look_result l;

	open_stream(.id = "a", .user = "ann", .lease = true);
	open_stream(.id = "b", .user = "bob");
	end_stream("failed", "{}", .id = "b");
	reply = look_at(1 << 20, (const char *const[]){"b", "nobody", "a"}, 3);
	l = read_look(reply, 0);
	cr_assert(l.known && llabs(l.now_ms - redis_ms()) < 10000);
	cr_assert_str_eq(sr_look_field(&l, 0), "b");
	cr_assert_str_eq(sr_look_field(&l, 1), "failed");
	cr_assert_str_eq(sr_look_field(&l, 2), "");
	cr_assert_str_eq(sr_look_field(&l, 3), "");
	cr_assert(!read_look(reply, 1).known);
	l = read_look(reply, 2);
	cr_assert_str_eq(sr_look_field(&l, 0), "a");
	cr_assert_str_eq(sr_look_field(&l, 2), "1");
	cr_assert(l.viewers == 0 && l.length == 0 && l.added == 0);
}

world_test(look, counts_viewers_of_nodes_that_are_alive)
{
	open_stream(.id = "a", .user = "ann", .lease = true);
	attach(.id = "a", .node = "n1", .viewers = 2);
	attach(.id = "a", .node = "n2", .viewers = 3);
	cr_assert_eq(look("a").viewers, 5);
	raw("HSET", "sse:viewers:a", "n2", text("3 %lld", redis_ms() - STALE - 1000));
	cr_assert_eq(look("a").viewers, 2, "a node that died");
	raw("HSET", "sse:viewers:a", "odd", "many", "odder", "7 soon", "oddest", "");
	cr_assert_eq(look("a").viewers, 2);
}

world_test(look, counts_events_that_the_log_no_longer_has)
{
	w.reg.log_events = 10;
	open_stream(.id = "a", .user = "ann");
	for (int i = 0; i < 5; i++)
		publish_many(i * 100, 100, .id = "a");
	cr_assert_eq(look("a").added, 500);
	cr_assert_eq(look("a").length, raw_int("XLEN", "sse:events:a"));
	cr_assert_lt(look("a").length, 500, "it was trimmed");
}

world_test(look, stops_counting_at_its_bound)
{
	static const char *const ids[] = {"a", "b", "c"};
	char *large = repeat('x', 3000);
	const struct sr_reply *reply;

	large[0] = large[2999] = '"';
	for (int i = 0; i < 3; i++) {
		open_stream(.id = ids[i], .user = "ann");
		publish("token", large, .id = ids[i]);
		publish("token", "1", .id = ids[i]);
	}
	reply = look_at(4000, ids, 3);
	cr_assert_eq(read_look(reply, 0).added, 2);
	cr_assert_eq(read_look(reply, 1).added, 2, "the one at which the bound is reached");
	cr_assert_eq(read_look(reply, 2).added, -1);
	cr_assert_eq(read_look(reply, 2).length, 2);
	cr_assert_eq(read_look(look_at(0, ids, 3), 0).added, -1, "and none at all");
	free(large);
}

world_test(look, passes_over_keys_of_other_types)
{
	const struct sr_reply *reply;

	w.odd = true;
	open_stream(.id = "a", .user = "ann");
	raw("SET", "sse:events:a", "5", "EX", "100");
	raw("SET", "sse:viewers:a", "5", "EX", "100");
	raw("SET", "sse:stream:x", "5", "EX", "100");
	raw("HSET", "sse:stream:ghost", "state", "active");
	raw("EXPIRE", "sse:stream:ghost", "100");
	reply = look_at(1 << 20, (const char *const[]){"x", "a", "ghost"}, 3);
	cr_assert(!read_look(reply, 0).known);
	cr_assert(read_look(reply, 1).known && read_look(reply, 1).length == 0 && read_look(reply, 1).viewers == 0);
	cr_assert(!read_look(reply, 2).known, "a late write's ghost");
}

world_test(look, writes_nothing)
{
	char *before;

	open_stream(.id = "a", .user = "ann");
	publish("token", "1", .id = "a");
	end_stream("failed", "{\"reason\":\"orphaned\"}", .id = "a");
	before = strdup(digest());
	look("a");
	lost((const char *const[]){"a"}, 1);
	cr_assert_str_eq(digest(), before);
	free(before);
}

world_test(lost, finds_what_the_guardian_failed)
{
	static const char *const ids[] = {"swept", "other", "longer", "done", "open", "none"};
	const struct sr_reply *reply;

	open_stream(.id = "swept", .user = "ann", .lease = true);
	age("swept", STALE + 1000);
	prove(PROOF + 1000);
	cr_assert_eq(sweep_one("swept"), SR_MARKED);
	raw("ZADD", "sse:orphaned", num(redis_ms() - GRACE - 1000), "swept");
	prove(PROOF + 1000);
	cr_assert_eq(sweep_one("swept"), SR_FAILED);
	open_stream(.id = "other", .user = "ann");
	end_stream("failed", "{\"reason\":\"orphanes\"}", .id = "other");
	open_stream(.id = "longer", .user = "ann");
	end_stream("failed", "{\"reason\":\"orphaned\",\"more\":1}", .id = "longer");
	open_stream(.id = "done", .user = "ann");
	end_stream("completed", "{\"reason\":\"orphaned\"}", .id = "done");
	open_stream(.id = "open", .user = "ann");
	reply = lost(ids, 6);
	cr_assert_eq(sr_reply_count(reply), 6);
	cr_assert(iso_now(sr_reply_text_at(sr_reply_at(reply, 0), 0, NULL)));
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 0), 1, NULL), field("sse:completion:swept", "eventId"));
	for (size_t i = 1; i < 6; i++)
		cr_assert_eq(sr_reply_count(sr_reply_at(reply, i)), 0, "%s", ids[i]);
}

world_test(lost, passes_over_keys_of_other_types)
{
	w.odd = true;
	raw("SET", "sse:completion:x", "5", "EX", "100");
	cr_assert_eq(sr_reply_count(sr_reply_at(lost((const char *const[]){"x"}, 1), 0)), 0);
}
