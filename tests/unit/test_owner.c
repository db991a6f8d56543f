/* test_owner.c - a stream's id can be given away: Redis lost the record, and another user registered it first. Whoever was let in
 * before must not get the new owner's events, keep his stream alive, or take it from him. */
#include "tests/support/world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

world_test(owner, is_named_by_every_push)
{
	struct heard h;

	attach(.id = "a", .user = "bob b");
	listen_to("a");
	publish("token", "1", .id = "a");
	h = hear();
	cr_assert_str_eq(h.owner, "bob b");
	cr_assert_str_eq(h.data, "1");
	end_stream("completed", "{}", .id = "a");
	cr_assert_str_eq(hear().owner, "bob b");
}

world_test(owner, is_named_by_the_push_of_a_large_event_too)
{
	char *large = repeat('7', 20000);
	struct heard h;

	attach(.id = "a");
	listen_to("a");
	publish("token", large, .id = "a");
	h = hear();
	cr_assert(!h.inlined);
	cr_assert_str_eq(h.owner, "ann");
	free(large);
}

world_test(owner, of_another_name_is_not_kept_alive_by_a_beat)
{
	const char *before;

	attach(.id = "a", .user = "bob", .node = "n1");
	before = digest();
	cr_assert_eq(node_beat("n2", .id = "a", .viewers = 1, .owner = "ann").outcome, SR_UNKNOWN);
	cr_assert_str_eq(digest(), before, "nothing was written");
	cr_assert_eq(node_beat("n2", .id = "a", .viewers = 1, .owner = "bob").outcome, SR_SAME);
	cr_assert_eq(node_beat("n2", .id = "a", .viewers = 1).outcome, SR_SAME, "who does not know the owner is not asked");
}

world_test(owner, of_no_name_is_an_owner_as_well)
{
	open_stream(.id = "a", .user = "");
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1, .owner = "ann").outcome, SR_UNKNOWN);
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1, .owner = "").outcome, SR_SAME);
}

static bool detach_as(const char *id, const char *owner)
{
	struct sr_call call;
	bool unregistered;

	sr_detach_call(&call, &w.reg, id, "n1", 0, false, owner);
	cr_assert_eq(sr_detach_read(world_call(&call), &unregistered), SR_OK);
	return unregistered;
}

world_test(owner, of_another_name_keeps_his_stream_when_our_viewers_leave)
{
	attach(.id = "a", .user = "bob", .node = "n9");
	detach("a", "n9", 0, true); /* bob's viewers are on their way to another node */
	cr_assert_not(detach_as("a", "ann"));
	cr_assert(there("sse:stream:a"));
	cr_assert_neq(score("sse:active", "a"), -1000);
	cr_assert(detach_as("a", "bob"));
	cr_assert_not(there("sse:stream:a"));
}

world_test(owner, a_log_that_a_reviver_does_not_know_is_dropped_and_said)
{
	struct sr_attach_result r;

	attach(.id = "a", .user = "bob");
	publish("secret", "1", .id = "a");
	raw("DEL", "sse:stream:a");
	r = attach(.id = "a", .user = "ann", .mode = SR_ATTACH_REVIVE, .position = {1, 0});
	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert_not(there("sse:events:a"), "bob's events");
	cr_assert_str_neq(r.gap, "");
	cr_assert_not(r.more);
}

world_test(owner, a_viewer_from_the_start_revives_no_log_either)
{
	struct sr_attach_result r;

	attach(.id = "a", .user = "bob");
	publish("secret", "1", .id = "a");
	raw("DEL", "sse:stream:a");
	r = attach(.id = "a", .user = "ann", .mode = SR_ATTACH_REVIVE);
	cr_assert_not(there("sse:events:a"));
	cr_assert_str_eq(r.gap, "lost");
}

world_test(owner, a_key_of_another_type_stops_only_its_own_stream)
{
	struct sr_beat beats[3] = {{.id = "a", .viewers = 1}, {.id = "b", .viewers = 1}, {.id = "c", .viewers = 1}};
	struct sr_beat_result out;
	const struct sr_reply *reply;
	struct sr_call call;

	for (int i = 0; i < 3; i++) {
		attach(.id = beats[i].id);
		age(beats[i].id, 20000);
	}
	raw("SET", "sse:completion:b", "not a hash", "PX", "60000");
	sr_beat_call(&call, &w.reg, "n1", beats, 3);
	reply = world_call(&call);
	cr_assert(sr_beat_read(reply, 0, &out) == SR_OK && out.outcome == SR_SAME);
	cr_assert(sr_beat_read(reply, 1, &out) == SR_OK && out.outcome == SR_BROKEN);
	cr_assert(sr_beat_read(reply, 2, &out) == SR_OK && out.outcome == SR_SAME);
	cr_assert_gt(score("sse:active", "c"), redis_ms() - 10000, "the one behind it was kept alive");
	raw("DEL", "sse:completion:b"); /* the check at the end reads completions as what they are */
}
