/* Producers: every branch of common/lua/open.lua, publish.lua and end.lua, and of what they include. */
#include "tests/support/race.h"
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

/* --- open ---------------------------------------------------------------------------------------------------- */

world_test(open, creates_a_stream)
{
	struct sr_open_result r = open_stream(.id = "a");

	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert_str_eq(r.epoch, "");
	cr_assert_eq(raw_int("HLEN", "sse:stream:a"), 7);
	cr_assert_str_eq(field("sse:stream:a", "streamId"), "a");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "generation");
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann");
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert_str_eq(field("sse:stream:a", "metadata"), "{}");
	cr_assert(iso_now(field("sse:stream:a", "startedAt")));
	cr_assert_str_eq(field("sse:stream:a", "lastHeartbeat"), field("sse:stream:a", "startedAt"));
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:active", 2 * STREAM_TTL);
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
	cr_assert_eq(raw_int("DBSIZE"), 2);
}

world_test(open, creates_a_stream_with_what_is_given)
{
	struct sr_open_result r = open_stream(.id = "a", .user = "bob", .type = "export", .metadata = "{\"x\":\"\\u0000\"}", .lease = true);

	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert_str_eq(r.epoch, "1");
	cr_assert_str_eq(field("sse:stream:a", "producer"), "1");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	cr_assert_str_eq(field("sse:stream:a", "userId"), "bob");
	cr_assert_str_eq(field("sse:stream:a", "metadata"), "{\"x\":\"\\u0000\"}");
}

world_test(open, again_changes_what_is_given_and_renews)
{
	struct sr_open_result r;
	const char *started;

	open_stream(.id = "a", .user = "");
	started = field("sse:stream:a", "startedAt");
	publish("token", "1", .id = "a");
	raw("PEXPIRE", "sse:stream:a", "100000");
	raw("PEXPIRE", "sse:events:a", "100000");
	raw("PEXPIRE", "sse:active", "100000");
	raw("HSET", "sse:stream:a", "lastHeartbeat", "2020-01-01T00:00:00.000Z");
	age("a", 20000);
	r = open_stream(.id = "a", .user = "ann", .type = "export");
	cr_assert_eq(r.outcome, SR_SAME);
	cr_assert_str_eq(r.epoch, "");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	cr_assert_str_eq(field("sse:stream:a", "metadata"), "{}");
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann", "an ownerless stream is taken");
	cr_assert_str_eq(field("sse:stream:a", "startedAt"), started);
	cr_assert(iso_now(field("sse:stream:a", "lastHeartbeat")));
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	assert_ttl("sse:active", 2 * STREAM_TTL);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1, "its log stays");
	cr_assert_eq(open_stream(.id = "a", .user = "", .metadata = "{\"x\":1}").outcome, SR_SAME);
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann", "no user changes nothing");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	cr_assert_str_eq(field("sse:stream:a", "metadata"), "{\"x\":1}");
}

world_test(open, refuses_another_user)
{
	const char *before;

	open_stream(.id = "a", .user = "ann");
	before = digest();
	cr_assert_eq(open_stream(.id = "a", .user = "bob", .type = "x", .lease = true).outcome, SR_FOREIGN);
	cr_assert_str_eq(digest(), before);
	end_stream("completed", "{}", .id = "a");
	cr_assert_eq(open_stream(.id = "a", .user = "bob").outcome, SR_FOREIGN);
}

world_test(open, a_lease_is_taken_over_and_the_old_one_fenced)
{
	cr_assert_str_eq(open_stream(.id = "a", .lease = true).epoch, "1");
	cr_assert_eq(producer_beat(.id = "a", .epoch = "1").outcome, SR_SAME);
	cr_assert_str_eq(open_stream(.id = "a", .lease = true).epoch, "2");
	cr_assert_eq(producer_beat(.id = "a", .epoch = "1").outcome, SR_FENCED);
	cr_assert_eq(producer_beat(.id = "a", .epoch = "2").outcome, SR_SAME);
	cr_assert_str_eq(open_stream(.id = "a").epoch, "2", "without a lease the epoch stays");
	cr_assert_eq(producer_beat(.id = "a", .epoch = "2").outcome, SR_SAME);
}

world_test(open, takes_a_lease_on_a_stream_that_a_viewer_registered)
{
	attach(.id = "a", .type = "export");
	cr_assert_str_eq(open_stream(.id = "a", .lease = true).epoch, "1");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	cr_assert(attach(.id = "a").leased);
	cr_assert(!detach("a", "n1", 0, false), "its producer keeps it now");
}

world_test(open, a_ghost_hash_and_a_stray_log_are_no_stream)
{
	raw("HSET", "sse:stream:a", "lastHeartbeat", "2020-01-01T00:00:00.000Z", "producer", "7");
	raw("XADD", "sse:events:a", "*", "type", "secret", "data", "{}");
	cr_assert_str_eq(open_stream(.id = "a", .lease = true).epoch, "1");
	cr_assert_eq(raw_int("HLEN", "sse:stream:a"), 8);
	cr_assert(!there("sse:events:a"));
}

world_test(open, an_ended_stream_stays_ended)
{
	struct sr_open_result r;
	const char *before;

	open_stream(.id = "a");
	end_stream("failed", "{}", .id = "a");
	before = digest();
	r = open_stream(.id = "a", .lease = true, .type = "x");
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.state, "failed");
	cr_assert_str_eq(digest(), before);
	raw("DEL", "sse:completion:a", "sse:events:a");
	r = open_stream(.id = "a");
	cr_assert_eq(r.outcome, SR_ENDED, "also when its result has expired");
	cr_assert_str_eq(r.state, "failed");
	open_stream(.id = "b");
	end_stream("cancelled", "{}", .id = "b");
	raw("DEL", "sse:stream:b");
	r = open_stream(.id = "b");
	cr_assert_eq(r.outcome, SR_ENDED, "also when only its result is left");
	cr_assert_str_eq(r.state, "cancelled");
}

world_test(open, adopts_a_foreign_completion)
{
	struct sr_open_result r;

	open_stream(.id = "a");
	seed_completion("a", "completed", "{}", true);
	r = open_stream(.id = "a");
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.state, "completed");
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
	assert_ttl("sse:completion:a", COMPLETION_TTL);
	seed_completion("b", "failed", "{}", false);
	r = open_stream(.id = "b");
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.state, "failed");
	cr_assert(!there("sse:stream:b"));
	assert_ttl("sse:events:b", COMPLETION_TTL);
}

world_test(open, makes_an_orphan_active_again)
{
	open_stream(.id = "a", .lease = true);
	age("a", STALE + 1);
	prove(PROOF + 1);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	cr_assert_str_eq(open_stream(.id = "a", .lease = true).epoch, "2");
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "orphanedAt"), 0);
	cr_assert_eq(score("sse:orphaned", "a"), -1000);
}

world_test(open, makes_a_detached_stream_active_again)
{
	attach(.id = "a");
	publish("token", "1", .id = "a");
	cr_assert(detach("a", "n1", 0, false));
	cr_assert_eq(open_stream(.id = "a").outcome, SR_SAME);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "detachedAt"), 0);
	assert_ttl("sse:events:a", STREAM_TTL);
}

static int open_once(struct sr_session *s, int i, void *shared)
{
	struct sr_open o = {.id = "a", .user = "ann", .lease = true};
	struct sr_open_result r;
	struct sr_call call;

	(void)i;
	(void)shared;
	sr_open_call(&call, &w.reg, &o);
	if (sr_open_read(race_call(s, &call), &r) != SR_OK)
		return -1;
	return (r.outcome == SR_NEW) == (strcmp(r.epoch, "1") == 0) ? atoi(r.epoch) : -1;
}

world_test(open, of_many_producers_at_once_each_gets_its_own_epoch)
{
	struct race race = race_run(8, open_once, NULL);

	for (int epoch = 1; epoch <= 8; epoch++)
		cr_assert_eq(race.count[epoch], 1, "epoch %d", epoch);
}

/* --- publish ------------------------------------------------------------------------------------------------- */

world_test(publish, a_push_names_the_owner_of_the_moment)
{
	open_stream(.id = "a", .user = "");
	listen_to("a");
	publish("token", "1", .id = "a");
	cr_assert_str_eq(hear().owner, "");
	open_stream(.id = "a", .user = "ann lee");
	publish("token", "2", .id = "a");
	cr_assert_str_eq(hear().owner, "ann lee");
	listen_to("b");
	publish("token", "1", .id = "b", .user = "bob", .create = true);
	cr_assert_str_eq(hear().owner, "bob");
	listen_to("c");
	end_stream("failed", "{}", .id = "c", .user = "cid", .create = true);
	cr_assert_str_eq(hear().owner, "cid");
}

world_test(publish, stores_and_tells)
{
	struct stored one, two;
	struct heard h;

	open_stream(.id = "a");
	listen_to("a");
	one = publish("token", "{\"text\":\"Hel lo\"}", .id = "a");
	cr_assert(one.outcome == SR_NEW && one.count == 1);
	two = publish("note", "2", .id = "a");
	cr_assert_str_eq(entry("sse:events:a", 0), text("%s token {\"text\":\"Hel lo\"}", stored_id(one, 0)));
	cr_assert_str_eq(entry("sse:events:a", 1), text("%s note 2", stored_id(two, 0)));
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), stored_id(one, 0));
	cr_assert_str_eq(field("sse:stream:a", "lastEventId"), stored_id(two, 0));
	assert_ttl("sse:events:a", STREAM_TTL);
	h = hear();
	cr_assert(same_id(h.id, stored_id(one, 0)) && same_id(h.prev, "0-0") && h.inlined);
	cr_assert_str_eq(h.type, "token");
	cr_assert_str_eq(h.data, "{\"text\":\"Hel lo\"}");
	h = hear();
	cr_assert(same_id(h.id, stored_id(two, 0)) && same_id(h.prev, stored_id(one, 0)));
	cr_assert(hear().quiet);
}

world_test(publish, a_batch_is_a_chain)
{
	struct stored s;
	struct heard h;

	open_stream(.id = "a");
	listen_to("a");
	s = publish_many(1, SR_BATCH_MAX, .id = "a");
	cr_assert(s.outcome == SR_NEW && s.count == SR_BATCH_MAX);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), SR_BATCH_MAX);
	for (size_t i = 0; i < SR_BATCH_MAX; i++) {
		h = hear();
		cr_assert(same_id(h.id, stored_id(s, i)));
		cr_assert(same_id(h.prev, i ? stored_id(s, i - 1) : "0-0"));
		cr_assert_str_eq(h.data, num((long long)i + 1));
	}
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), stored_id(s, 0));
	cr_assert_str_eq(field("sse:stream:a", "lastEventId"), stored_id(s, SR_BATCH_MAX - 1));
}

world_test(publish, counts_as_a_sign_of_life)
{
	open_stream(.id = "a");
	publish("token", "1", .id = "a");
	raw("PEXPIRE", "sse:stream:a", "100000");
	raw("PEXPIRE", "sse:events:a", "100000");
	raw("PEXPIRE", "sse:active", "100000");
	raw("HSET", "sse:stream:a", "lastHeartbeat", "2020-01-01T00:00:00.000Z");
	age("a", 20000);
	publish("token", "2", .id = "a");
	cr_assert(iso_now(field("sse:stream:a", "lastHeartbeat")));
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	assert_ttl("sse:active", 2 * STREAM_TTL);
}

world_test(publish, makes_an_orphan_active_again)
{
	for (int leased = 0; leased < 2; leased++) {
		const char *id = leased ? "leased" : "unleased", *key = text("sse:stream:%s", id);

		open_stream(.id = id, .lease = leased);
		age(id, STALE + 1);
		prove(PROOF + 1);
		cr_assert_eq(sweep_one(id), SR_MARKED);
		cr_assert_eq(publish("token", "1", .id = id).outcome, SR_NEW);
		cr_assert_str_eq(field(key, "state"), "active");
		cr_assert_eq(raw_int("HEXISTS", key, "orphanedAt"), 0);
		cr_assert_eq(score("sse:orphaned", id), -1000);
		cr_assert_geq(score("sse:active", id), redis_ms() - 10000);
	}
}

world_test(publish, makes_a_detached_stream_active_again)
{
	attach(.id = "a");
	publish("token", "1", .id = "a");
	cr_assert(detach("a", "n1", 0, false));
	cr_assert_eq(publish("token", "2", .id = "a").outcome, SR_NEW);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "detachedAt"), 0);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
}

world_test(publish, to_an_unknown_stream_only_if_it_may_open_it)
{
	struct stored s;
	const char *before = digest();

	cr_assert_eq(publish("token", "1", .id = "a").outcome, SR_UNKNOWN);
	cr_assert_str_eq(digest(), before);
	raw("HSET", "sse:stream:a", "lastHeartbeat", "ghost", "p:x", "9 1-1 1 1-1");
	raw("XADD", "sse:events:a", "*", "type", "secret", "data", "{}");
	cr_assert_eq(publish("token", "1", .id = "a").outcome, SR_UNKNOWN);
	s = publish("token", "1", .id = "a", .user = "ann", .create = true, .producer = "x", .n = 1);
	cr_assert_eq(s.outcome, SR_NEW);
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "generation");
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), stored_id(s, 0));
	cr_assert(iso_now(field("sse:stream:a", "startedAt")));
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
	cr_assert(!there("sse:viewers:a"));
	cr_assert_eq(publish("token", "2", .id = "a", .user = "ann", .create = true).outcome, SR_NEW);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 2);
}

world_test(publish, checks_the_user_when_one_is_given)
{
	const char *before;

	open_stream(.id = "a", .user = "ann");
	open_stream(.id = "b", .user = "");
	before = digest();
	cr_assert_eq(publish("token", "1", .id = "a", .user = "bob").outcome, SR_FOREIGN);
	cr_assert_eq(publish("token", "1", .id = "a", .user = "bob", .create = true).outcome, SR_FOREIGN);
	cr_assert_str_eq(digest(), before);
	cr_assert_eq(publish("token", "1", .id = "a", .user = "ann").outcome, SR_NEW);
	cr_assert_eq(publish("token", "1", .id = "a").outcome, SR_NEW);
	cr_assert_eq(publish("token", "1", .id = "b", .user = "bob").outcome, SR_NEW);
	cr_assert_str_eq(field("sse:stream:b", "userId"), "");
}

world_test(publish, a_repeat_stores_nothing_and_returns_the_first_ids)
{
	struct stored one, two, again;
	const char *before;

	open_stream(.id = "a");
	one = publish("token", "1", .id = "a", .producer = "p1", .n = 1);
	two = publish_many(2, 3, .id = "a", .producer = "p1", .n = 2);
	publish("token", "other", .id = "a", .producer = "p2", .n = 7);
	listen_to("a");
	before = digest();
	for (int i = 0; i < 3; i++) {
		again = publish_many(2, 3, .id = "a", .producer = "p1", .n = 2);
		cr_assert(again.outcome == SR_SAME && again.count == 3);
		for (size_t e = 0; e < 3; e++)
			cr_assert_str_eq(stored_id(again, e), stored_id(two, e));
	}
	again = publish("token", "1", .id = "a", .producer = "p1", .n = 1);
	cr_assert(again.outcome == SR_SAME && again.count == 0, "older than the last one: its ids are not known any more");
	cr_assert_str_neq(stored_id(one, 0), "");
	cr_assert_str_eq(digest(), before);
	cr_assert(hear().quiet);
	cr_assert_eq(publish("token", "5", .id = "a", .producer = "p1", .n = 3).outcome, SR_NEW);
	cr_assert_eq(publish("token", "5", .id = "a", .producer = "p3", .n = 1).outcome, SR_NEW, "every producer counts for itself");
	one = publish("token", "6", .id = "a", .producer = "p3", .n = 9);
	again = publish("token", "6", .id = "a", .producer = "p3", .n = 9);
	cr_assert(again.outcome == SR_SAME && again.count == 1);
	cr_assert_str_eq(stored_id(again, 0), stored_id(one, 0));
}

world_test(publish, without_a_producers_name_nothing_is_a_repeat)
{
	open_stream(.id = "a");
	cr_assert_eq(publish("token", "1", .id = "a", .n = 1).outcome, SR_NEW);
	cr_assert_eq(publish("token", "1", .id = "a", .n = 1).outcome, SR_NEW);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 2);
	cr_assert_eq(raw_int("HLEN", "sse:stream:a"), 9);
}

world_test(publish, numbers_compare_as_numbers)
{
	open_stream(.id = "a");
	cr_assert_eq(publish("token", "1", .id = "a", .producer = "p", .n = 9).outcome, SR_NEW);
	cr_assert_eq(publish("token", "2", .id = "a", .producer = "p", .n = 10).outcome, SR_NEW);
	cr_assert_eq(publish("token", "2", .id = "a", .producer = "p", .n = 10).outcome, SR_SAME);
	cr_assert_eq(publish("token", "3", .id = "a", .producer = "p", .n = 9007199254740991).outcome, SR_NEW);
	cr_assert_eq(publish("token", "3", .id = "a", .producer = "p", .n = 9007199254740991).outcome, SR_SAME);
	cr_assert_eq(publish("token", "3", .id = "a", .producer = "p", .n = 9007199254740990).outcome, SR_SAME);
}

/* The ids of other events must not be passed off as the batch's. */
world_test(publish, a_repeat_after_a_trim_returns_what_is_left_of_the_batch)
{
	struct stored s, again;

	open_stream(.id = "a");
	s = publish_many(1, 3, .id = "a", .producer = "p", .n = 1);
	publish_many(4, 3, .id = "a");
	raw("XTRIM", "sse:events:a", "MAXLEN", "4");
	again = publish_many(1, 3, .id = "a", .producer = "p", .n = 1);
	cr_assert(again.outcome == SR_SAME && again.count == 1);
	cr_assert_str_eq(stored_id(again, 0), stored_id(s, 2));
	raw("XTRIM", "sse:events:a", "MAXLEN", "3");
	again = publish_many(1, 3, .id = "a", .producer = "p", .n = 1);
	cr_assert(again.outcome == SR_SAME && again.count == 1);
	cr_assert_str_eq(stored_id(again, 0), stored_id(s, 2), "the last id is known without the log");
	s = publish("token", "7", .id = "a", .producer = "q", .n = 1);
	raw("XTRIM", "sse:events:a", "MAXLEN", "0");
	again = publish("token", "7", .id = "a", .producer = "q", .n = 1);
	cr_assert(again.outcome == SR_SAME && again.count == 1);
	cr_assert_str_eq(stored_id(again, 0), stored_id(s, 0), "so is that of a single event");
}

world_test(publish, a_repeat_is_known_after_the_end)
{
	struct stored batch, end, again;

	open_stream(.id = "a");
	batch = publish_many(1, 3, .id = "a", .producer = "p", .n = 1);
	end_stream("completed", "{}", .id = "a", .producer = "q", .n = 1);
	again = publish_many(1, 3, .id = "a", .producer = "p", .n = 1);
	cr_assert(again.outcome == SR_SAME && again.count == 3);
	cr_assert_str_eq(stored_id(again, 2), stored_id(batch, 2));
	end = publish("token", "4", .id = "a", .producer = "p", .n = 2);
	cr_assert_eq(end.outcome, SR_ENDED);
	cr_assert_str_eq(end.end_type, "completed");
}

world_test(publish, to_an_ended_stream)
{
	struct stored end, s;
	const char *before;

	open_stream(.id = "a");
	publish("token", "1", .id = "a");
	end = end_stream("cancelled", "{}", .id = "a");
	listen_to("a");
	before = digest();
	s = publish("token", "2", .id = "a", .create = true);
	cr_assert_eq(s.outcome, SR_ENDED);
	cr_assert_str_eq(s.end_type, "cancelled");
	cr_assert_str_eq(sr_reply_text_at(s.reply, 2, NULL), stored_id(end, 0));
	cr_assert_str_eq(digest(), before);
	cr_assert(hear().quiet);
	raw("DEL", "sse:stream:a");
	s = publish("token", "2", .id = "a", .create = true);
	cr_assert_eq(s.outcome, SR_ENDED, "its record is gone, its result is not");
	cr_assert_str_eq(s.end_type, "cancelled");
	cr_assert_str_eq(sr_reply_text_at(s.reply, 2, NULL), stored_id(end, 0));
	cr_assert(!there("sse:stream:a"));
}

world_test(publish, finds_a_foreign_completion)
{
	struct stored s;

	open_stream(.id = "a");
	publish("token", "1", .id = "a");
	seed_completion("a", "failed", "{\"x\":1}", true);
	s = publish("token", "2", .id = "a");
	cr_assert_eq(s.outcome, SR_ENDED);
	cr_assert_str_eq(s.end_type, "failed");
	cr_assert_str_eq(sr_reply_text_at(s.reply, 2, NULL), field("sse:completion:a", "eventId"));
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 2);
	assert_ttl("sse:completion:a", COMPLETION_TTL);
	seed_completion("b", "completed", "{}", false);
	s = publish("token", "1", .id = "b", .create = true);
	cr_assert_eq(s.outcome, SR_ENDED);
	cr_assert_str_eq(s.end_type, "completed");
	cr_assert_str_eq(sr_reply_text_at(s.reply, 2, NULL), field("sse:completion:b", "eventId"));
	cr_assert_eq(raw_int("XLEN", "sse:events:b"), 1);
	cr_assert(!there("sse:stream:b"));
}

world_test(publish, a_large_event_is_told_without_its_data)
{
	char *data = repeat('1', 16385);
	struct heard h;
	struct stored s;

	open_stream(.id = "a");
	listen_to("a");
	s = publish("token", data, .id = "a");
	h = hear();
	cr_assert(!h.inlined && same_id(h.id, stored_id(s, 0)) && same_id(h.prev, "0-0"));
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
	data[16384] = 0;
	publish("token", data, .id = "a");
	h = hear();
	cr_assert(h.inlined && same_id(h.prev, stored_id(s, 0)));
	free(data);
}

world_test(publish, the_log_is_bounded)
{
	open_stream(.id = "a");
	w.reg.log_events = 10;
	for (int i = 0; i < 10; i++)
		publish_many(1 + i * SR_BATCH_MAX, SR_BATCH_MAX, .id = "a");
	cr_assert_leq(raw_int("XLEN", "sse:events:a"), 110, "whole nodes of 100 are dropped");
	cr_assert_geq(raw_int("XLEN", "sse:events:a"), 10);
	cr_assert_str_eq(attach(.id = "a").gap, "trimmed");
}

world_test(publish, one_shot_producers_are_forgotten_by_age)
{
	struct stored s;
	int known = 0;

	open_stream(.id = "a");
	for (int i = 0; i < 300; i++) {
		s = publish("token", "1", .id = "a", .producer = text("p%d", i), .n = 1);
		cr_assert_eq(s.outcome, SR_NEW);
		cr_assert_leq(raw_int("HLEN", "sse:stream:a"), 256 + 16);
		cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", text("p:p%d", i)), 1, "the newest is always known");
	}
	for (int i = 299; i >= 0 && raw_int("HEXISTS", "sse:stream:a", text("p:p%d", i)); i--)
		known++;
	cr_assert_geq(known, 100);
	cr_assert_eq(known + 9, raw_int("HLEN", "sse:stream:a"), "what is forgotten is older than all that is known");
	cr_assert_eq(publish("token", "1", .id = "a", .producer = "p299", .n = 1).outcome, SR_SAME);
	cr_assert_str_eq(field("sse:stream:a", "streamId"), "a");
}

/* Of requests without a key: nobody can repeat them, and they must not push out the names of those who can. */
world_test(publish, names_of_one_request_are_forgotten_first)
{
	open_stream(.id = "a");
	publish("token", "1", .id = "a", .producer = "k:order-1", .n = 1);
	for (int i = 0; i < 300; i++) {
		publish("token", "1", .id = "a", .producer = text("r:%d", i), .n = 1);
		cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", text("p:r:%d", i)), 1, "the newest is always known");
	}
	cr_assert_eq(publish("token", "1", .id = "a", .producer = "k:order-1", .n = 1).outcome, SR_SAME);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "p:r:0"), 0);
}

/* The newest name is what its own request's next attempt is known by, even where all others are keys. */
world_test(publish, the_newest_name_of_one_request_is_known_among_keys)
{
	open_stream(.id = "a");
	for (int i = 0; i < 256; i++)
		publish("token", "1", .id = "a", .producer = text("k:%d", i), .n = 1);
	for (int i = 0; i < 20; i++) {
		publish("token", "1", .id = "a", .producer = text("r:%d", i), .n = 1);
		cr_assert_eq(publish("token", "1", .id = "a", .producer = text("r:%d", i), .n = 1).outcome, SR_SAME);
	}
}

world_test(publish, an_end_with_the_number_of_something_else_is_no_repeat)
{
	struct stored s;

	open_stream(.id = "a");
	publish("token", "1", .id = "a", .producer = "p", .n = 5);
	for (unsigned n = 4; n <= 5; n++) {
		s = publish("completed", "{}", .id = "a", .producer = "p", .n = n);
		cr_assert(s.outcome == SR_MISNUMBERED && sr_reply_int_at(s.reply, 1, 0) == 5);
		s = end_stream("completed", "{}", .id = "a", .producer = "p", .n = n);
		cr_assert(s.outcome == SR_MISNUMBERED && sr_reply_int_at(s.reply, 1, 0) == 5);
	}
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert(raw_int("XLEN", "sse:events:a") == 1 && !there("sse:completion:a"));
	cr_assert_eq(publish("completed", "{}", .id = "a", .producer = "p", .n = 6).outcome, SR_NEW);
	cr_assert_eq(publish("completed", "{}", .id = "a", .producer = "p", .n = 6).outcome, SR_SAME);
	cr_assert_eq(end_stream("completed", "{}", .id = "a", .producer = "p", .n = 6).outcome, SR_SAME);
}

/* Ids of one millisecond differ in their last part only, and "9" is not above "10". */
world_test(publish, the_age_of_what_is_stored_is_compared_as_numbers)
{
	const char *now;

	open_stream(.id = "a");
	now = num(redis_ms());
	for (int i = 0; i < 300; i++)
		raw("HSET", "sse:stream:a", text("p:p%d", i), text("1 %s-%d 1 %s-%d", now, i, now, i));
	publish("token", "1", .id = "a", .producer = "last", .n = 1);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "p:p0"), 0);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "p:p99"), 0);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "p:p149"), 0);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "p:p150"), 1);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "p:p299"), 1);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "p:last"), 1);
}

static int publish_same(struct sr_session *s, int i, void *shared)
{
	struct sr_publish p = {.id = "a", .user = "", .producer = "p", .n = 1};
	struct sr_publish_result r;
	struct sr_call call;

	(void)i;
	(void)shared;
	sr_publish_call(&call, &w.reg, &p);
	sr_publish_add(&call, "token", "1", 1);
	return sr_publish_read(race_call(s, &call), &r) == SR_OK ? (int)r.outcome : -1;
}

world_test(publish, of_many_repeats_at_once_one_is_stored)
{
	struct race race;

	open_stream(.id = "a");
	race = race_run(8, publish_same, NULL);
	cr_assert_eq(race.count[SR_NEW], 1);
	cr_assert_eq(race.count[SR_SAME], 7);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
}

static int publish_twenty(struct sr_session *s, int i, void *shared)
{
	struct sr_publish_result r;
	struct sr_call call;

	(void)shared;
	for (uint64_t n = 1; n <= 20; n++) {
		struct sr_publish p = {.id = "a", .user = "", .producer = text("p%d", i), .n = n};

		sr_publish_call(&call, &w.reg, &p);
		sr_publish_add(&call, "token", "1", 1);
		if (sr_publish_read(race_call(s, &call), &r) != SR_OK || r.outcome != SR_NEW)
			return -1;
	}
	return 0;
}

world_test(publish, many_producers_at_once_make_one_chain)
{
	char prev[SR_EVENT_ID_SIZE] = "0-0";
	struct heard h;

	open_stream(.id = "a");
	listen_to("a");
	race_run(8, publish_twenty, NULL);
	for (int i = 0; i < 160; i++) {
		h = hear();
		cr_assert(!h.quiet && same_id(h.prev, prev), "event %d", i);
		sr_event_id_format(prev, h.id);
	}
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 160);
}

world_test(publish, survives_an_emptied_script_cache)
{
	open_stream(.id = "a");
	publish("token", "1", .id = "a");
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(publish("token", "2", .id = "a").outcome, SR_NEW);
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(open_stream(.id = "a").outcome, SR_SAME);
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(end_stream("completed", "{}", .id = "a").outcome, SR_NEW);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 3);
}

/* --- a batch that ends the stream ---------------------------------------------------------------------------- */

/* A batch of type, data, type, data ..., NULL; the reply as it is. */
static const struct sr_reply *send_batch(struct sr_publish p, const char *const *words)
{
	struct sr_call call;

	p.user = p.user ? p.user : "";
	p.producer = p.producer ? p.producer : "";
	sr_publish_call(&call, &w.reg, &p);
	for (; *words; words += 2)
		sr_publish_add(&call, words[0], words[1], strlen(words[1]));
	return world_call(&call);
}
#define batch(p, ...) send_batch((p), (const char *const[]){__VA_ARGS__, NULL})

/* Everything that end.lua leaves behind, too. */
static void assert_ended(const char *id, const char *type, const char *data, const char *event_id)
{
	const char *stream = text("sse:stream:%s", id), *done = text("sse:completion:%s", id), *events = text("sse:events:%s", id);

	cr_assert_eq(raw_int("HLEN", done), 6);
	cr_assert_str_eq(field(done, "terminalEventType"), type);
	cr_assert_str_eq(field(done, "terminalEventData"), data);
	cr_assert_str_eq(field(done, "eventId"), event_id);
	cr_assert_str_eq(field(done, "userId"), "ann");
	assert_ttl(done, COMPLETION_TTL);
	cr_assert_str_eq(field(stream, "state"), type);
	cr_assert_str_eq(field(stream, "endedAt"), field(done, "completedAt"));
	cr_assert_str_eq(field(stream, "lastEventId"), event_id);
	assert_ttl(stream, STREAM_TTL);
	assert_ttl(events, COMPLETION_TTL);
	cr_assert(!there(text("sse:viewers:%s", id)));
	cr_assert_eq(score("sse:active", id), -1000);
}

world_test(batch, its_last_event_may_end_the_stream)
{
	static const char *const types[] = {"completed", "failed", "cancelled"};
	const struct sr_reply *r;
	struct heard h;

	for (int i = 0; i < 3; i++) {
		const char *id = types[i], *events = text("sse:events:%s", id);
		struct sr_publish p = {.id = id, .producer = "p", .n = 3};

		open_stream(.id = id, .lease = true);
		listen_to(id);
		r = batch(p, "token", "1", "token", "2", types[i], "{\"a\":[1]}");
		cr_assert(sr_reply_int_at(r, 0, -9) == 1 && sr_reply_count(r) == 4);
		assert_ended(id, types[i], "{\"a\":[1]}", sr_reply_text_at(r, 3, NULL));
		cr_assert_str_eq(field(text("sse:stream:%s", id), "firstEventId"), sr_reply_text_at(r, 1, NULL));
		cr_assert_str_eq(field(text("sse:stream:%s", id), "p:p"), text("3 %s 3 %s", sr_reply_text_at(r, 1, NULL), sr_reply_text_at(r, 3, NULL)));
		cr_assert_eq(raw_int("XLEN", events), 3);
		cr_assert_str_eq(entry(events, 1), text("%s token 2", sr_reply_text_at(r, 2, NULL)));
		cr_assert_str_eq(entry(events, 2), text("%s %s {\"a\":[1]}", sr_reply_text_at(r, 3, NULL), types[i]));
		for (int e = 1; e <= 3; e++) {
			h = hear();
			cr_assert(same_id(h.id, sr_reply_text_at(r, (size_t)e, NULL)) && same_id(h.prev, e > 1 ? sr_reply_text_at(r, (size_t)e - 1, NULL) : "0-0"));
			cr_assert_str_eq(h.type, e == 3 ? types[i] : "token");
		}
		cr_assert(hear().quiet);
	}
}

world_test(batch, the_end_may_be_all_of_it)
{
	struct sr_publish p = {.id = "a", .producer = "p", .n = 7}, fresh = {.id = "b", .user = "ann", .create = true};
	const struct sr_reply *r;
	struct stored before;
	struct heard h;

	open_stream(.id = "a");
	before = publish("token", "1", .id = "a");
	listen_to("a");
	r = batch(p, "completed", "{}");
	cr_assert(sr_reply_int_at(r, 0, -9) == 1 && sr_reply_count(r) == 2);
	assert_ended("a", "completed", "{}", sr_reply_text_at(r, 1, NULL));
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), stored_id(before, 0), "the first of all stays the first");
	h = hear();
	cr_assert(same_id(h.prev, stored_id(before, 0)) && strcmp(h.type, "completed") == 0);
	r = batch(fresh, "failed", "{}");
	cr_assert_eq(sr_reply_int_at(r, 0, -9), 1, "of a stream that nobody opened");
	assert_ended("b", "failed", "{}", sr_reply_text_at(r, 1, NULL));
	cr_assert_str_eq(field("sse:stream:b", "firstEventId"), sr_reply_text_at(r, 1, NULL));
}

world_test(batch, a_repeat_of_the_end_answers_the_same_ids)
{
	struct sr_publish p = {.id = "a", .producer = "p", .n = 2}, other = {.id = "a", .producer = "q", .n = 2};
	const struct sr_reply *first, *again;
	const char *before;

	open_stream(.id = "a");
	first = batch(p, "token", "1", "completed", "{}");
	before = digest();
	for (int i = 0; i < 2; i++) {
		again = batch(p, "token", "1", "completed", "{}");
		cr_assert(sr_reply_int_at(again, 0, -9) == 0 && sr_reply_count(again) == 3);
		for (size_t e = 1; e <= 2; e++)
			cr_assert_str_eq(sr_reply_text_at(again, e, NULL), sr_reply_text_at(first, e, NULL));
	}
	again = batch(other, "token", "1", "failed", "{}");
	cr_assert_eq(sr_reply_int_at(again, 0, -9), -2, "another producer's end is refused, with its whole batch");
	cr_assert_str_eq(sr_reply_text_at(again, 1, NULL), "completed");
	cr_assert_str_eq(sr_reply_text_at(again, 2, NULL), sr_reply_text_at(first, 2, NULL));
	cr_assert_str_eq(digest(), before);
}

static void refused(const struct sr_reply *r, int code, int index, const char *before, const char *what)
{
	cr_assert_eq(sr_reply_int_at(r, 0, -99), code, "%s: %lld", what, sr_reply_int_at(r, 0, -99));
	cr_assert_eq(sr_reply_int_at(r, 1, -99), index, "%s: %lld", what, sr_reply_int_at(r, 1, -99));
	cr_assert_str_eq(digest(), before, "%s: nothing is stored", what);
}

world_test(batch, what_is_no_type_stops_it_before_anything_is_stored)
{
	static const char *const bad[] = {"", "a b", "a\nb", "a\r", "t\xc3\xb6", "a/b", "connected", "gap", "orphaned"};
	struct sr_publish p = {.id = "a", .user = "ann", .create = true, .producer = "p", .n = 1};
	char *just = repeat('t', 64), *longer = repeat('t', 65);

	for (int opened = 0; opened < 2; opened++) {
		const char *before;

		if (opened)
			open_stream(.id = "a");
		listen_to("a");
		before = digest();
		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
			refused(batch(p, bad[i], "1"), -4, 1, before, bad[i]);
			refused(batch(p, "token", "1", "token", "2", bad[i], "3"), -4, 3, before, bad[i]);
			refused(batch(p, bad[i], "1", "completed", "{}"), -4, 1, before, bad[i]);
		}
		refused(batch(p, longer, "1"), -4, 1, before, "65 bytes");
		refused(batch(p, "completed", "{}", "token", "1"), -4, 1, before, "an event behind the end");
		refused(batch(p, "token", "1", "failed", "{}", "failed", "{}"), -4, 2, before, "two ends");
		cr_assert(hear().quiet);
	}
	cr_assert_eq(sr_reply_int_at(batch(p, just, "1"), 0, -9), 1);
	free(just);
	free(longer);
}

/* A NUL, which no C string holds: a caller of another language can send one. */
world_test(batch, a_nul_in_a_type_or_a_user_is_refused)
{
	struct sr_publish p = {.id = "a", .user = "", .producer = ""};
	struct sr_call call;
	const char *before;

	open_stream(.id = "a");
	before = digest();
	sr_publish_call(&call, &w.reg, &p);
	sr_call_arg(&call, "a\0b", 3);
	sr_call_text(&call, "1");
	refused(world_call(&call), -4, 1, before, "type");
	sr_call_init(&call, SR_SCRIPT_OPEN);
	for (enum sr_key key = SR_KEY_STREAM; key <= SR_KEY_VIEWERS; key++)
		sr_call_key(&call, "sse:", key, "a");
	sr_call_key(&call, "sse:", SR_KEY_ACTIVE, NULL);
	sr_call_key(&call, "sse:", SR_KEY_ORPHANED, NULL);
	sr_call_text(&call, "a");
	sr_call_text(&call, "sse:channel:a");
	sr_call_text(&call, "");
	sr_call_arg(&call, "ann\0bob", 7);
	for (int i = 5; i <= 9; i++)
		sr_call_text(&call, "1");
	refused(world_call(&call), -5, 4, before, "user");
}

/* --- misuse -------------------------------------------------------------------------------------------------- */

/* A call with one argument replaced or added, or, with NULL, ended there. */
static const struct sr_reply *with_argument(enum sr_script_name script, int at, const char *word)
{
	static const char *const opening[16] = {"a", "sse:channel:a", "export", "ann", "{}", "1", "1000", "3600000", "300000"},
	                 *const publishing[16] = {"a", "sse:channel:a", "ann", "1", "p", "1", "1000", "3600000", "300000", "token", "1"},
	                 *const ending[16] = {"a", "sse:channel:a", "ann", "1", "p", "1", "1000", "3600000", "300000", "failed", "{}"};
	const char *const *args = script == SR_SCRIPT_OPEN ? opening : script == SR_SCRIPT_PUBLISH ? publishing : ending;
	const char *words[24] = {"EVAL", sr_script_get(script)->text, "6", "sse:active", "sse:orphaned", "sse:stream:a", "sse:completion:a",
	                         "sse:events:a", "sse:viewers:a"};

	for (int i = 1; i == at ? word != NULL : args[i - 1] != NULL; i++)
		words[8 + i] = i == at ? word : args[i - 1];
	return world_raw(words);
}

world_test(misuse, of_a_public_script_stores_nothing_and_says_which_argument)
{
	static const enum sr_script_name scripts[] = {SR_SCRIPT_OPEN, SR_SCRIPT_PUBLISH, SR_SCRIPT_END};
	static const char *const ids[] = {"", "-", "a b", "a\n", "a/b", "\xc3\xb6"}, *const users[] = {"a\nb", "\r", "\t", "\x7f"},
	                 *const numbers[] = {"", "x", "-1", "1.5", "1e3", " 1", "9007199254740992", "99999999999999999"};
	char *user = repeat('u', 256), *id = repeat('i', 129), *producer = repeat('p', 133);
	const char *before = digest();

	for (size_t s = 0; s < 3; s++) {
		enum sr_script_name name = scripts[s];
		const char *what = sr_script_get(name)->name;
		int user_at = name == SR_SCRIPT_OPEN ? 4 : 3, count = name == SR_SCRIPT_OPEN ? 9 : 11;

		for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
			refused(with_argument(name, 1, ids[i]), -5, 1, before, what);
		refused(with_argument(name, 1, id), -5, 1, before, what);
		for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
			refused(with_argument(name, user_at, users[i]), -5, user_at, before, what);
		refused(with_argument(name, user_at, user), -5, user_at, before, what);
		for (int at = 7; at <= 9; at++) {
			for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
				refused(with_argument(name, at, numbers[i]), -5, at, before, what);
			refused(with_argument(name, at, "0"), -5, at, before, what);
		}
		for (int at = 1; at <= count; at++)
			refused(with_argument(name, at, NULL), -5, at, before, what);
		if (name == SR_SCRIPT_OPEN) {
			refused(with_argument(name, 3, "a b"), -5, 3, before, what);
			continue;
		}
		refused(with_argument(name, 5, "p q"), -5, 5, before, what);
		refused(with_argument(name, 5, producer), -5, 5, before, what);
		for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
			refused(with_argument(name, 6, numbers[i]), -5, 6, before, what);
	}
	refused(with_argument(SR_SCRIPT_PUBLISH, 12, "token"), -5, 13, before, "a type without data");
	cr_assert_eq(sr_reply_int_at(with_argument(SR_SCRIPT_OPEN, 3, ""), 0, -9), 1, "no type is the default one");
	cr_assert_eq(sr_reply_int_at(with_argument(SR_SCRIPT_PUBLISH, 6, "9007199254740991"), 0, -9), 1);
	free(user);
	free(id);
	free(producer);
}

/* --- end ----------------------------------------------------------------------------------------------------- */

world_test(end, with_a_type_that_ends_nothing)
{
	static const char *const types[] = {"", "token", "Completed", "completed ", "orphaned", "fail"};
	const char *before;

	open_stream(.id = "a");
	before = digest();
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		refused(with_argument(SR_SCRIPT_END, 10, types[i]), -4, 1, before, types[i]);
}

world_test(end, stores_the_end_in_every_place)
{
	static const char *const types[] = {"completed", "failed", "cancelled"};
	struct stored s, end;
	struct heard h;

	for (size_t i = 0; i < 3; i++) {
		const char *id = types[i], *stream = text("sse:stream:%s", id), *done = text("sse:completion:%s", id),
		           *events = text("sse:events:%s", id);

		attach(.id = id);
		s = publish("token", "1", .id = id);
		listen_to(id);
		end = end_stream(types[i], "{\"a\":[1]}", .id = id);
		cr_assert(end.outcome == SR_NEW && end.count == 1);

		cr_assert_eq(raw_int("HLEN", done), 6);
		cr_assert_str_eq(field(done, "streamId"), id);
		cr_assert_str_eq(field(done, "terminalEventType"), types[i]);
		cr_assert_str_eq(field(done, "terminalEventData"), "{\"a\":[1]}");
		cr_assert(iso_now(field(done, "completedAt")));
		cr_assert_str_eq(field(done, "userId"), "ann");
		cr_assert_str_eq(field(done, "eventId"), stored_id(end, 0));
		assert_ttl(done, COMPLETION_TTL);

		cr_assert_str_eq(field(stream, "state"), types[i]);
		cr_assert_str_eq(field(stream, "endedAt"), field(done, "completedAt"));
		cr_assert_str_eq(field(stream, "firstEventId"), stored_id(s, 0));
		cr_assert_str_eq(field(stream, "lastEventId"), stored_id(end, 0));
		assert_ttl(stream, STREAM_TTL);

		cr_assert_str_eq(entry(events, 1), text("%s %s {\"a\":[1]}", stored_id(end, 0), types[i]));
		cr_assert_str_eq(entry(events, 2), "");
		assert_ttl(events, COMPLETION_TTL);
		cr_assert(!there(text("sse:viewers:%s", id)));
		cr_assert_eq(score("sse:active", id), -1000);

		h = hear();
		cr_assert(same_id(h.id, stored_id(end, 0)) && same_id(h.prev, stored_id(s, 0)));
		cr_assert_str_eq(h.type, types[i]);
		cr_assert_str_eq(h.data, "{\"a\":[1]}");
		cr_assert(hear().quiet);
	}
}

world_test(end, the_first_one_wins)
{
	struct stored first, s;
	const char *before;
	struct heard h;

	open_stream(.id = "a");
	listen_to("a");
	first = end_stream("failed", "{\"x\":1}", .id = "a");
	h = hear();
	cr_assert(same_id(h.id, stored_id(first, 0)) && same_id(h.prev, "0-0"), "of a stream without another event");
	before = digest();
	s = end_stream("completed", "{\"x\":2}", .id = "a");
	cr_assert_eq(s.outcome, SR_ENDED);
	cr_assert_str_eq(s.end_type, "failed");
	cr_assert_str_eq(sr_reply_text_at(s.reply, 2, NULL), stored_id(first, 0));
	s = end_stream("failed", "{\"x\":1}", .id = "a", .producer = "p", .n = 1);
	cr_assert_eq(s.outcome, SR_ENDED, "the same end without the same number is another one");
	cr_assert_str_eq(digest(), before);
	cr_assert(hear().quiet);
	raw("DEL", "sse:completion:a", "sse:events:a");
	cr_assert_eq(end_stream("completed", "{}", .id = "a").outcome, SR_ENDED, "also when the result has expired");
	cr_assert(!there("sse:completion:a"));
	cr_assert_str_eq(field("sse:stream:a", "state"), "failed");
}

world_test(end, a_repeat_returns_the_first_id)
{
	struct stored first, s;
	const char *before;

	open_stream(.id = "a");
	publish("token", "1", .id = "a", .producer = "p", .n = 1);
	first = end_stream("completed", "{}", .id = "a", .producer = "p", .n = 2);
	before = digest();
	for (int i = 0; i < 3; i++) {
		s = end_stream("completed", "{}", .id = "a", .producer = "p", .n = 2);
		cr_assert(s.outcome == SR_SAME && s.count == 1);
		cr_assert_str_eq(stored_id(s, 0), stored_id(first, 0));
	}
	cr_assert_eq(end_stream("completed", "{}", .id = "a", .producer = "p", .n = 3).outcome, SR_ENDED);
	s = end_stream("completed", "{}", .id = "a", .producer = "p", .n = 1);
	cr_assert_eq(s.outcome, SR_SAME);
	cr_assert_str_eq(stored_id(s, 0), "");
	cr_assert_str_eq(digest(), before);
}

world_test(end, of_an_unknown_stream_only_if_it_may_open_it)
{
	const char *before = digest();
	struct stored s;

	cr_assert_eq(end_stream("completed", "{}", .id = "a").outcome, SR_UNKNOWN);
	cr_assert_str_eq(digest(), before);
	s = end_stream("completed", "{}", .id = "a", .user = "ann", .create = true);
	cr_assert_eq(s.outcome, SR_NEW);
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann");
	cr_assert_str_eq(field("sse:stream:a", "state"), "completed");
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), stored_id(s, 0));
	cr_assert_str_eq(field("sse:completion:a", "userId"), "ann");
	cr_assert_eq(attach(.id = "a").outcome, SR_ENDED);
}

world_test(end, checks_the_user_when_one_is_given)
{
	const char *before;

	open_stream(.id = "a", .user = "ann");
	before = digest();
	cr_assert_eq(end_stream("failed", "{}", .id = "a", .user = "bob", .create = true).outcome, SR_FOREIGN);
	cr_assert_str_eq(digest(), before);
	cr_assert_eq(end_stream("completed", "{}", .id = "a", .user = "ann").outcome, SR_NEW);
	cr_assert_eq(end_stream("failed", "{}", .id = "a", .user = "bob").outcome, SR_FOREIGN);
}

world_test(end, of_an_orphan_and_of_a_detached_stream)
{
	open_stream(.id = "a", .lease = true);
	age("a", STALE + 1);
	prove(PROOF + 1);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	cr_assert_geq(score("sse:orphaned", "a"), 0);
	cr_assert_eq(end_stream("completed", "{}", .id = "a").outcome, SR_NEW);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "orphanedAt"), 0);
	cr_assert_eq(score("sse:orphaned", "a"), -1000);

	attach(.id = "b");
	publish("token", "1", .id = "b");
	cr_assert(detach("b", "n1", 0, false));
	cr_assert_eq(end_stream("completed", "{}", .id = "b").outcome, SR_NEW);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:b", "detachedAt"), 0);
	assert_ttl("sse:stream:b", STREAM_TTL);
}

world_test(end, after_a_foreign_completion)
{
	struct stored s;

	open_stream(.id = "a");
	seed_completion("a", "failed", "{\"x\":1}", false);
	s = end_stream("completed", "{}", .id = "a");
	cr_assert_eq(s.outcome, SR_ENDED);
	cr_assert_str_eq(s.end_type, "failed");
	cr_assert_str_eq(field("sse:completion:a", "terminalEventData"), "{\"x\":1}");
	cr_assert_str_eq(field("sse:stream:a", "state"), "failed");
}

/* What lies under the completion's name and is none goes. */
world_test(end, replaces_half_a_completion)
{
	open_stream(.id = "a");
	raw("HSET", "sse:completion:a", "note", "1", "eventId", "9-9");
	cr_assert_eq(end_stream("completed", "{}", .id = "a").outcome, SR_NEW);
	cr_assert_eq(raw_int("HLEN", "sse:completion:a"), 6);
	assert_ttl("sse:completion:a", COMPLETION_TTL);
}

static int end_once(struct sr_session *s, int i, void *shared)
{
	static const char *const types[] = {"completed", "failed", "cancelled"};
	struct sr_publish p = {.id = "a", .user = "", .producer = shared ? shared : text("p%d", i), .n = 1};
	struct sr_publish_result r;
	struct sr_call call;

	sr_end_call(&call, &w.reg, &p, types[i % 3], "{}", 2);
	return sr_publish_read(race_call(s, &call), &r) == SR_OK ? (int)r.outcome : -1;
}

world_test(end, of_many_at_once_one_is_stored)
{
	static const char *const types[] = {"completed", "failed", "cancelled"};
	struct race race;

	open_stream(.id = "a");
	race = race_run(8, end_once, NULL);
	cr_assert_eq(race.count[SR_NEW], 1);
	cr_assert_eq(race.count[SR_ENDED], 7);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
	for (int i = 0; i < 8; i++)
		if (race.result[i] == SR_NEW)
			cr_assert_str_eq(field("sse:completion:a", "terminalEventType"), types[i % 3]);
}

world_test(end, of_many_repeats_at_once_one_is_stored)
{
	struct race race;

	open_stream(.id = "a");
	race = race_run(8, end_once, (void *)"p");
	cr_assert_eq(race.count[SR_NEW], 1);
	cr_assert_eq(race.count[SR_SAME], 7);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
}

/* Four publish until they are told that it has ended; four end. */
static int publish_or_end(struct sr_session *s, int i, void *shared)
{
	struct sr_publish_result r = {.outcome = SR_NEW};
	struct sr_call call;

	if (i >= 4)
		return end_once(s, i, shared);
	for (uint64_t n = 1; r.outcome == SR_NEW && n < 100000; n++) {
		struct sr_publish p = {.id = "a", .user = "", .producer = text("p%d", i), .n = n};

		sr_publish_call(&call, &w.reg, &p);
		sr_publish_add(&call, "token", "1", 1);
		if (sr_publish_read(race_call(s, &call), &r) != SR_OK)
			return -1;
	}
	return r.outcome == SR_ENDED ? RACE_MAX - 1 : -1;
}

world_test(end, nothing_follows_the_end)
{
	struct race race;
	const struct sr_reply *last;

	open_stream(.id = "a");
	race = race_run(8, publish_or_end, NULL);
	cr_assert_eq(race.count[RACE_MAX - 1], 4);
	cr_assert_eq(race.count[SR_NEW], 1);
	cr_assert_eq(race.count[SR_ENDED], 3);
	last = sr_reply_at(raw("XREVRANGE", "sse:events:a", "+", "-", "COUNT", "1"), 0);
	cr_assert_str_eq(sr_reply_text_at(last, 0, NULL), field("sse:completion:a", "eventId"));
}
