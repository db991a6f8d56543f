/* Signs of life, and leaving: every branch of common/lua/beat.lua and detach.lua. */
#include "tests/support/race.h"
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

/* The TTLs and the heartbeat of a stream as if it had been silent for a while. */
static void wear(const char *id)
{
	raw("PEXPIRE", text("sse:stream:%s", id), "100000");
	raw("PEXPIRE", text("sse:events:%s", id), "100000");
	raw("PEXPIRE", text("sse:viewers:%s", id), "100000");
	raw("PEXPIRE", "sse:active", "100000");
	raw("HSET", text("sse:stream:%s", id), "lastHeartbeat", "2020-01-01T00:00:00.000Z");
	age(id, 20000);
}

static bool worn(const char *id)
{
	return strcmp(field(text("sse:stream:%s", id), "lastHeartbeat"), "2020-01-01T00:00:00.000Z") == 0 &&
	       pttl(text("sse:stream:%s", id)) <= 100000 && score("sse:active", id) < redis_ms() - 10000;
}

static void orphan(const char *id)
{
	age(id, STALE + 1);
	prove(PROOF + 1);
	cr_assert_eq(sweep_one(id), SR_MARKED);
}

/* --- a node's beat ------------------------------------------------------------------------------------------- */

world_test(beat, of_a_node_keeps_an_unleased_stream_alive)
{
	struct sr_beat_result r;
	struct stored s;

	attach(.id = "a");
	r = node_beat("n1", .id = "a", .viewers = 1);
	cr_assert(r.outcome == SR_SAME && same_id(r.last, "0-0"));
	s = publish("token", "1", .id = "a");
	wear("a");
	r = node_beat("n2", .id = "a", .viewers = 30);
	cr_assert(r.outcome == SR_SAME && same_id(r.last, stored_id(s, 0)));
	cr_assert(iso_now(field("sse:stream:a", "lastHeartbeat")));
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	assert_ttl("sse:viewers:a", STREAM_TTL);
	assert_ttl("sse:active", 2 * STREAM_TTL);
	cr_assert_eq(raw_int("HLEN", "sse:viewers:a"), 2);
	cr_assert_eq(strncmp(field("sse:viewers:a", "n2"), "30 ", 3), 0);
	cr_assert_eq(atoll(field("sse:viewers:a", "n2") + 3), score("sse:active", "a"));
}

world_test(beat, of_a_node_does_not_keep_a_leased_stream_alive)
{
	open_stream(.id = "a", .lease = true);
	attach(.id = "a");
	wear("a");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(node_beat("n1", .id = "a", .viewers = 5).outcome, SR_SAME);
	cr_assert(worn("a"));
	cr_assert_eq(strncmp(field("sse:viewers:a", "n1"), "5 ", 2), 0, "but its viewers are counted");
	assert_ttl("sse:viewers:a", STREAM_TTL);
	orphan("a");
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 5).outcome, SR_SAME);
	cr_assert_str_eq(field("sse:stream:a", "state"), "orphaned");
	cr_assert_eq(score("sse:active", "a"), -1000);
}

world_test(beat, of_a_node_revives_an_orphan_and_a_detached_stream)
{
	attach(.id = "a");
	orphan("a");
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1).outcome, SR_REVIVED);
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "orphanedAt"), 0);
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1).outcome, SR_SAME, "once");

	publish("token", "1", .id = "a");
	cr_assert(detach("a", "n1", 0, false));
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1).outcome, SR_REVIVED);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "detachedAt"), 0);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1).outcome, SR_SAME);
}

/* --- a producer's beat --------------------------------------------------------------------------------------- */

world_test(beat, of_a_producer_keeps_its_lease)
{
	struct sr_beat_result r;
	struct stored s;

	open_stream(.id = "a", .lease = true);
	s = publish("token", "1", .id = "a");
	wear("a");
	r = producer_beat(.id = "a", .epoch = "1");
	cr_assert(r.outcome == SR_SAME && same_id(r.last, stored_id(s, 0)));
	cr_assert(iso_now(field("sse:stream:a", "lastHeartbeat")));
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	assert_ttl("sse:active", 2 * STREAM_TTL);
	cr_assert(!there("sse:viewers:a"), "it views nothing");
	wear("a");
	cr_assert_eq(producer_beat(.id = "a").outcome, SR_SAME, "without an epoch any will do");
	cr_assert(!worn("a"));
}

world_test(beat, of_a_producer_with_another_epoch_is_fenced)
{
	struct sr_beat_result r;
	struct stored s;
	const char *before;

	open_stream(.id = "a", .lease = true);
	open_stream(.id = "a", .lease = true);
	s = publish("token", "1", .id = "a");
	open_stream(.id = "unleased");
	wear("a");
	before = digest();
	r = producer_beat(.id = "a", .epoch = "1");
	cr_assert(r.outcome == SR_FENCED && same_id(r.last, stored_id(s, 0)));
	cr_assert_eq(producer_beat(.id = "a", .epoch = "3").outcome, SR_FENCED);
	cr_assert_eq(producer_beat(.id = "unleased", .epoch = "1").outcome, SR_FENCED, "there is no lease");
	cr_assert_str_eq(digest(), before);
	cr_assert(worn("a"));
	cr_assert_eq(producer_beat(.id = "unleased").outcome, SR_SAME);
}

world_test(beat, of_a_producer_revives_its_orphan)
{
	open_stream(.id = "a", .lease = true);
	orphan("a");
	cr_assert_geq(score("sse:orphaned", "a"), redis_ms() - 10000);
	cr_assert_eq(producer_beat(.id = "a", .epoch = "2").outcome, SR_FENCED);
	cr_assert_str_eq(field("sse:stream:a", "state"), "orphaned");
	cr_assert_eq(producer_beat(.id = "a", .epoch = "1").outcome, SR_REVIVED);
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert_eq(score("sse:orphaned", "a"), -1000);
	cr_assert_eq(producer_beat(.id = "a", .epoch = "1").outcome, SR_SAME);
}

/* --- what is not alive --------------------------------------------------------------------------------------- */

world_test(beat, for_an_unknown_stream_takes_it_out_of_the_indexes)
{
	struct sr_beat_result r;

	raw("ZADD", "sse:active", num(redis_ms()), "gone", num(redis_ms()), "other");
	raw("ZADD", "sse:orphaned", num(redis_ms()), "gone");
	raw("PEXPIRE", "sse:active", "100000");
	raw("HSET", "sse:stream:ghost", "lastHeartbeat", "2020-01-01T00:00:00.000Z", "producer", "1");
	raw("ZADD", "sse:active", num(redis_ms()), "ghost");
	r = node_beat("n1", .id = "gone", .viewers = 1);
	cr_assert(r.outcome == SR_UNKNOWN && same_id(r.last, "0-0"));
	cr_assert_eq(score("sse:active", "gone"), -1000);
	cr_assert_eq(score("sse:orphaned", "gone"), -1000);
	cr_assert(!there("sse:viewers:gone") && !there("sse:stream:gone"), "HSET on a key that expired would leave a ghost");
	cr_assert_eq(producer_beat(.id = "ghost", .epoch = "1").outcome, SR_UNKNOWN);
	cr_assert_eq(score("sse:active", "ghost"), -1000);
	cr_assert_eq(raw_int("HLEN", "sse:stream:ghost"), 2);
	raw("DEL", "sse:stream:ghost", "sse:active");
}

world_test(beat, for_an_ended_stream_tells_its_end)
{
	struct sr_beat_result r;
	struct stored end;
	const char *before;

	open_stream(.id = "a", .lease = true);
	end = end_stream("completed", "{}", .id = "a");
	before = digest();
	r = node_beat("n1", .id = "a", .viewers = 1);
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, stored_id(end, 0)));
	r = producer_beat(.id = "a", .epoch = "1");
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, stored_id(end, 0)));
	cr_assert_str_eq(digest(), before);
	raw("DEL", "sse:completion:a");
	r = node_beat("n1", .id = "a", .viewers = 1);
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, stored_id(end, 0)), "also when the result has expired");
	assert_ttl("sse:stream:a", STREAM_TTL);
}

world_test(beat, adopts_a_foreign_completion)
{
	struct sr_beat_result r;
	struct stored s;
	struct heard h;

	attach(.id = "a");
	s = publish("token", "1", .id = "a");
	listen_to("a");
	seed_completion("a", "failed", "{\"x\":1}", true);
	r = node_beat("n1", .id = "a", .viewers = 1);
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, field("sse:completion:a", "eventId")));
	cr_assert_str_eq(field("sse:stream:a", "state"), "failed");
	cr_assert_str_eq(field("sse:completion:a", "userId"), "ann");
	assert_ttl("sse:completion:a", COMPLETION_TTL);
	cr_assert(!there("sse:viewers:a"));
	cr_assert_eq(score("sse:active", "a"), -1000);
	h = hear();
	cr_assert(same_id(h.id, field("sse:completion:a", "eventId")) && same_id(h.prev, stored_id(s, 0)));
	cr_assert_str_eq(h.type, "failed");
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1).outcome, SR_ENDED);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 2, "once");

	seed_completion("b", "completed", "{}", false);
	raw("ZADD", "sse:active", num(redis_ms()), "b");
	raw("PEXPIRE", "sse:active", "100000");
	r = node_beat("n1", .id = "b", .viewers = 1);
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, field("sse:completion:b", "eventId")), "without a record too");
	cr_assert_eq(score("sse:active", "b"), -1000);
	assert_ttl("sse:events:b", COMPLETION_TTL);

	seed_record("c", "ann", "completed");
	seed_completion("c", "completed", "{}", false);
	cr_assert_eq(producer_beat(.id = "c").outcome, SR_ENDED);
	cr_assert_eq(raw_int("XLEN", "sse:events:c"), 1, "of a record ended by hand too");
}

/* Its record is lost, its end is not: to be attached again, which tells it. */
world_test(beat, an_end_without_a_record_is_unknown)
{
	attach(.id = "a");
	end_stream("completed", "{}", .id = "a");
	raw("DEL", "sse:stream:a");
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1).outcome, SR_UNKNOWN);
	cr_assert_eq(attach(.id = "a", .mode = SR_ATTACH_REVIVE).outcome, SR_ENDED);
}

/* The id may have been given away while the node could not reach Redis; see test_owner.c. */
world_test(beat, tells_another_owner_nothing_of_the_end)
{
	open_stream(.id = "a", .user = "bob");
	end_stream("completed", "{}", .id = "a");
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1, .owner = "ann").outcome, SR_UNKNOWN);
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1, .owner = "bob").outcome, SR_ENDED);
	cr_assert_eq(producer_beat(.id = "a", .owner = "ann").outcome, SR_UNKNOWN);
}

world_test(beat, with_an_owner_that_no_user_can_be)
{
	char *owner = repeat('x', SR_USER_MAX + 1);
	struct sr_beat b = {.id = "a", .owner = owner};
	struct sr_call call;

	sr_beat_call(&call, &w.reg, "n1", &b, 1);
	cr_assert_eq(sr_call_check(&call), SR_EINVAL);
	sr_call_release(&call);
	owner[SR_USER_MAX] = 0;
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1, .owner = owner).outcome, SR_UNKNOWN);
	free(owner);
}

/* --- batches ------------------------------------------------------------------------------------------------- */

world_test(beat, of_a_batch_answers_each_in_its_place)
{
	static const enum sr_outcome kinds[] = {SR_SAME, SR_UNKNOWN, SR_ENDED, SR_REVIVED};
	struct sr_beat beats[SR_BATCH_MAX];
	struct sr_beat_result r;
	const struct sr_reply *reply;
	struct stored last[SR_BATCH_MAX];
	char ids[SR_BATCH_MAX][16];
	struct sr_call call;

	prove(PROOF + 1);
	for (int i = 0; i < SR_BATCH_MAX; i++) {
		snprintf(ids[i], sizeof ids[i], "s%d", i);
		beats[i] = (struct sr_beat){.id = ids[i], .viewers = i};
		if (kinds[i % 4] == SR_UNKNOWN)
			continue;
		attach(.id = ids[i]);
		last[i] = publish("token", "1", .id = ids[i]);
		if (kinds[i % 4] == SR_ENDED)
			last[i] = end_stream("completed", "{}", .id = ids[i]);
		if (kinds[i % 4] == SR_REVIVED)
			age(ids[i], STALE + 1);
	}
	for (int i = 0; i < SR_BATCH_MAX; i++)
		if (kinds[i % 4] == SR_REVIVED)
			cr_assert_eq(sweep_one(ids[i]), SR_MARKED);
	sr_beat_call(&call, &w.reg, "n2", beats, SR_BATCH_MAX);
	reply = world_call(&call);
	cr_assert_eq(sr_reply_count(reply), 2 * SR_BATCH_MAX);
	for (int i = 0; i < SR_BATCH_MAX; i++) {
		cr_assert_eq(sr_beat_read(reply, (size_t)i, &r), SR_OK);
		cr_assert_eq(r.outcome, kinds[i % 4], "stream %d", i);
		if (kinds[i % 4] == SR_SAME)
			cr_assert_str_eq(field(text("sse:viewers:%s", ids[i]), "n2"), text("%d %lld", i, score("sse:active", ids[i])));
		if (kinds[i % 4] == SR_SAME || kinds[i % 4] == SR_ENDED)
			cr_assert(same_id(r.last, stored_id(last[i], 0)));
	}
	cr_assert_eq(sr_beat_read(reply, SR_BATCH_MAX, &r), SR_EREPLY);
}

world_test(beat, of_an_empty_batch_is_refused_before_it_is_sent)
{
	struct sr_call call;

	sr_beat_call(&call, &w.reg, "n1", NULL, 0);
	cr_assert_eq(sr_call_check(&call), SR_EINVAL);
	sr_call_release(&call);
}

world_test(beat, survives_an_emptied_script_cache)
{
	attach(.id = "a");
	node_beat("n1", .id = "a", .viewers = 1);
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(node_beat("n1", .id = "a", .viewers = 1).outcome, SR_SAME);
	raw("SCRIPT", "FLUSH");
	cr_assert(detach("a", "n1", 0, false));
}

/* Whatever order they come in, a stream that beats is not left an orphan. */
static int beat_or_sweep(struct sr_session *s, int i, void *shared)
{
	struct sr_beat b = {.id = "a", .viewers = 1};
	const char *id = "a";
	struct sr_call call;

	(void)shared;
	if (i % 2)
		sr_beat_call(&call, &w.reg, "n1", &b, 1);
	else
		sr_sweep_call(&call, &w.reg, &id, 1);
	return race_call(s, &call) ? 0 : -1;
}

world_test(beat, always_wins_over_a_guardian)
{
	attach(.id = "a");
	for (int round = 0; round < 5; round++) {
		age("a", STALE + 1);
		prove(PROOF + 1);
		race_run(8, beat_or_sweep, NULL);
		cr_assert_str_eq(field("sse:stream:a", "state"), "active");
		cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
	}
}

/* A policy that is none would leave the viewers without a time to live. */
world_test(beat, without_a_policy_changes_nothing)
{
	static const char *const bad[] = {"", "x", "0", "-1", "1.5"};
	const char *words[] = {"EVAL", sr_script_get(SR_SCRIPT_BEAT)->text, "6", "sse:active", "sse:orphaned", "sse:stream:a", "sse:completion:a",
	                       "sse:events:a", "sse:viewers:a", "n1", "sse:channel:", "1000", "3600000", "300000", "a", "2", "", NULL};
	const struct sr_reply *reply;
	const char *before;

	open_stream(.id = "a");
	before = digest();
	for (int at = 3; at <= 5; at++) {
		const char *good = words[8 + at];

		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
			words[8 + at] = bad[i];
			reply = world_raw(words);
			cr_assert(sr_reply_int_at(reply, 0, 0) == -5 && sr_reply_int_at(reply, 1, 0) == at, "%d: %s", at, bad[i]);
		}
		words[8 + at] = good;
	}
	for (int at = 8; at >= 1; at--) {
		words[8 + at] = NULL;
		reply = world_raw(words);
		cr_assert(sr_reply_int_at(reply, 0, 0) == -5 && sr_reply_int_at(reply, 1, 0) == at, "%d is missing", at);
	}
	cr_assert_str_eq(digest(), before);
}

/* --- detach -------------------------------------------------------------------------------------------------- */

world_test(detach, the_last_viewer_of_a_silent_stream_takes_it_along)
{
	attach(.id = "a");
	cr_assert(detach("a", "n1", 0, false));
	cr_assert_eq(raw_int("DBSIZE"), 0);
	cr_assert(!detach("a", "n1", 0, false), "once");
	cr_assert_eq(raw_int("DBSIZE"), 0);
	cr_assert_eq(attach(.id = "a", .user = "bob").outcome, SR_NEW, "nothing is left of it");
}

world_test(detach, the_last_viewer_of_a_stream_with_events_leaves_it_for_a_while)
{
	attach(.id = "a");
	publish("token", "1", .id = "a");
	cr_assert(detach("a", "n1", 0, false));
	cr_assert(iso_now(field("sse:stream:a", "detachedAt")));
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	assert_ttl("sse:stream:a", COMPLETION_TTL);
	assert_ttl("sse:events:a", COMPLETION_TTL);
	cr_assert_eq(score("sse:active", "a"), -1000);
	cr_assert(!there("sse:viewers:a"));
	cr_assert_eq(attach(.id = "a", .user = "bob").outcome, SR_FOREIGN, "its owner is kept");
	cr_assert(detach("a", "n1", 0, false), "again");
	assert_ttl("sse:stream:a", COMPLETION_TTL);
}

world_test(detach, viewers_that_remain_keep_it)
{
	attach(.id = "a", .viewers = 3);
	cr_assert(!detach("a", "n1", 2, false));
	cr_assert_eq(strncmp(field("sse:viewers:a", "n1"), "2 ", 2), 0);
	assert_ttl("sse:viewers:a", COMPLETION_TTL);
	assert_ttl("sse:stream:a", STREAM_TTL);
	cr_assert(!detach("a", "n1", 1, false));
	cr_assert(detach("a", "n1", 0, false));
}

world_test(detach, viewers_elsewhere_keep_it_while_they_are_fresh)
{
	attach(.id = "a", .node = "n1");
	attach(.id = "a", .node = "n2");
	cr_assert(!detach("a", "n1", 0, false));
	cr_assert_eq(raw_int("HEXISTS", "sse:viewers:a", "n1"), 0);
	cr_assert_geq(score("sse:active", "a"), 0);
	attach(.id = "a", .node = "n1");
	raw("HSET", "sse:viewers:a", "n2", text("1 %lld", redis_ms() - STALE + 5000));
	cr_assert(!detach("a", "n1", 0, false));
	attach(.id = "a", .node = "n1");
	raw("HSET", "sse:viewers:a", "n2", text("1 %lld", redis_ms() - STALE - 1), "n3", text("0 %lld", redis_ms()), "n4", "nonsense");
	cr_assert(detach("a", "n1", 0, false), "a node that is silent, or has none, or says nonsense, does not count");
	cr_assert(!there("sse:viewers:a"));
}

world_test(detach, a_drain_unregisters_nothing)
{
	attach(.id = "a");
	cr_assert(!detach("a", "n1", 0, true));
	cr_assert(!there("sse:viewers:a"));
	cr_assert_geq(score("sse:active", "a"), 0);
	assert_ttl("sse:stream:a", STREAM_TTL);
}

world_test(detach, a_leased_stream_belongs_to_its_producer)
{
	open_stream(.id = "a", .lease = true);
	attach(.id = "a");
	cr_assert(!detach("a", "n1", 0, false));
	cr_assert(!there("sse:viewers:a"));
	cr_assert_geq(score("sse:active", "a"), 0);
	assert_ttl("sse:stream:a", STREAM_TTL);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "detachedAt"), 0);
}

world_test(detach, from_what_is_no_more)
{
	const char *before;

	attach(.id = "a");
	end_stream("completed", "{}", .id = "a");
	raw("HSET", "sse:stream:ghost", "lastHeartbeat", "x");
	before = digest();
	cr_assert(!detach("a", "n1", 0, false), "an ended stream stays a tombstone");
	cr_assert(!detach("b", "n1", 0, false));
	cr_assert(!detach("ghost", "n1", 0, false));
	cr_assert_str_eq(digest(), before);
	assert_ttl("sse:stream:a", STREAM_TTL);
	raw("DEL", "sse:stream:ghost");
	cr_assert(!detach("b", "n1", 1, false));
	assert_ttl("sse:viewers:b", COMPLETION_TTL);
}

world_test(detach, an_unleased_orphan_is_unregistered)
{
	attach(.id = "a");
	publish("token", "1", .id = "a");
	orphan("a");
	cr_assert(detach("a", "n1", 0, false));
	assert_ttl("sse:stream:a", COMPLETION_TTL);
}

static int detach_once(struct sr_session *s, int i, void *shared)
{
	struct sr_call call;
	bool unregistered;

	(void)shared;
	sr_detach_call(&call, &w.reg, "a", text("n%d", i), 0, false, NULL);
	return sr_detach_read(race_call(s, &call), &unregistered) == SR_OK ? unregistered : -1;
}

world_test(detach, of_many_nodes_at_once_the_last_one_unregisters)
{
	struct race race;

	for (int i = 0; i < 8; i++)
		attach(.id = "a", .node = text("n%d", i));
	race = race_run(8, detach_once, NULL);
	cr_assert_eq(race.count[1], 1);
	cr_assert_eq(race.count[0], 7);
	cr_assert_eq(raw_int("DBSIZE"), 0);
}

/* A browser that reconnects to another node while the old node notices that it left. */
static int leave_or_come(struct sr_session *s, int i, void *shared)
{
	struct sr_call call;

	(void)shared;
	for (int stream = 0; stream < 50; stream++) {
		struct sr_attach a = {.id = text("s%d", stream), .user = "ann", .node = "new", .viewers = 1};

		if (i)
			sr_attach_call(&call, &w.reg, &a);
		else
			sr_detach_call(&call, &w.reg, text("s%d", stream), "old", 0, false, NULL);
		if (!race_call(s, &call))
			return -1;
	}
	return 0;
}

world_test(detach, a_late_one_does_not_take_the_new_viewers_stream)
{
	for (int i = 0; i < 50; i++)
		attach(.id = text("s%d", i), .node = "old");
	race_run(2, leave_or_come, NULL);
	for (int i = 0; i < 50; i++) {
		cr_assert_geq(score("sse:active", text("s%d", i)), 0, "s%d", i);
		cr_assert_eq(raw_int("HLEN", text("sse:viewers:s%d", i)), 1, "s%d", i);
	}
}
