/* Attach: every branch of common/lua/attach.lua, and of record.lua as far as a viewer can reach it. */
#include "tests/support/race.h"
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

static struct sr_event_id event_id(const char *id)
{
	struct sr_event_id out;

	cr_assert_eq(sr_event_id_parse(&out, id, strlen(id)), SR_OK);
	return out;
}

/* --- registering --------------------------------------------------------------------------------------------- */

world_test(attach, registers_an_unknown_stream)
{
	struct sr_attach_result r = attach(.id = "a", .user = "ann", .node = "n7");
	long long count, said, now;

	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert(same_id(r.last, "0-0") && same_id(r.from, "0-0"));
	cr_assert(!r.more && !r.leased && !r.orphaned);
	cr_assert_str_eq(r.gap, "");
	cr_assert_str_eq(r.type, "generation");
	cr_assert_str_eq(r.metadata, "{}");
	cr_assert_str_eq(r.owner, "ann");

	cr_assert_eq(raw_int("HLEN", "sse:stream:a"), 7, "the seed's fields and no others");
	cr_assert_str_eq(field("sse:stream:a", "streamId"), "a");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "generation");
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann");
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert_str_eq(field("sse:stream:a", "metadata"), "{}");
	cr_assert(iso_now(field("sse:stream:a", "startedAt")));
	cr_assert_str_eq(field("sse:stream:a", "startedAt"), r.started_at);
	cr_assert_str_eq(field("sse:stream:a", "lastHeartbeat"), r.started_at);
	assert_ttl("sse:stream:a", STREAM_TTL);

	now = redis_ms();
	cr_assert(score("sse:active", "a") <= now && score("sse:active", "a") > now - 10000);
	assert_ttl("sse:active", 2 * STREAM_TTL);
	cr_assert_eq(sscanf(field("sse:viewers:a", "n7"), "%lld %lld", &count, &said), 2);
	cr_assert(count == 1 && said == score("sse:active", "a"));
	assert_ttl("sse:viewers:a", STREAM_TTL);
	cr_assert_eq(raw_int("DBSIZE"), 3);
}

world_test(attach, registers_with_what_is_given)
{
	struct sr_attach_result r = attach(.id = "a.b_c~d:e-", .type = "export", .metadata = "{\"x\":[1,\"\\n\"]}", .viewers = 12,
	                                   .started_at = "2026-01-02T03:04:05.678Z");
	const char *key = "sse:stream:a.b_c~d:e-";

	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert_str_eq(r.type, "export");
	cr_assert_str_eq(r.metadata, "{\"x\":[1,\"\\n\"]}");
	cr_assert_str_eq(r.started_at, "2026-01-02T03:04:05.678Z");
	cr_assert_str_eq(field(key, "streamType"), "export");
	cr_assert_str_eq(field(key, "metadata"), "{\"x\":[1,\"\\n\"]}");
	cr_assert_str_eq(field(key, "startedAt"), "2026-01-02T03:04:05.678Z");
	cr_assert(iso_now(field(key, "lastHeartbeat")));
	cr_assert_eq(strncmp(field("sse:viewers:a.b_c~d:e-", "n1"), "12 ", 3), 0);
}

world_test(attach, again_changes_nothing_but_the_heartbeat)
{
	struct sr_attach_result first = attach(.id = "a", .type = "export", .metadata = "{\"x\":1}"), r;

	raw("PEXPIRE", "sse:stream:a", "50000");
	raw("PEXPIRE", "sse:active", "50000");
	raw("PEXPIRE", "sse:viewers:a", "50000");
	raw("HSET", "sse:stream:a", "lastHeartbeat", "2020-01-01T00:00:00.000Z");
	age("a", 20000);
	for (int i = 0; i < 3; i++) {
		r = attach(.id = "a", .type = "other", .metadata = "{}", .started_at = "2020-01-01T00:00:00.000Z", .node = "n2", .viewers = 2);
		cr_assert_eq(r.outcome, SR_SAME);
		cr_assert_str_eq(r.type, "export");
		cr_assert_str_eq(r.metadata, "{\"x\":1}");
		cr_assert_str_eq(r.started_at, first.started_at);
	}
	cr_assert(iso_now(field("sse:stream:a", "lastHeartbeat")));
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:active", 2 * STREAM_TTL);
	assert_ttl("sse:viewers:a", STREAM_TTL);
	cr_assert_eq(raw_int("HLEN", "sse:viewers:a"), 2);
	cr_assert_eq(strncmp(field("sse:viewers:a", "n2"), "2 ", 2), 0);
}

world_test(attach, joins_only_what_is_there)
{
	const char *before = digest();

	cr_assert_eq(attach(.id = "a", .mode = SR_ATTACH_JOIN).outcome, SR_UNKNOWN);
	cr_assert_eq(attach(.id = "a", .mode = SR_ATTACH_JOIN, .position = {5, 0}).outcome, SR_UNKNOWN);
	cr_assert_str_eq(digest(), before);
	attach(.id = "a");
	cr_assert_eq(attach(.id = "a", .mode = SR_ATTACH_JOIN).outcome, SR_SAME);
}

world_test(attach, a_ghost_hash_and_a_stray_log_are_no_stream)
{
	struct sr_attach_result r;

	/* HSET on a key that has just expired leaves such a hash; the log of an unknown owner outlived its record. */
	raw("HSET", "sse:stream:a", "lastHeartbeat", "2020-01-01T00:00:00.000Z", "state", "orphaned", "producer", "7");
	raw("XADD", "sse:events:a", "*", "type", "secret", "data", "{}");
	cr_assert_eq(attach(.id = "a", .mode = SR_ATTACH_JOIN).outcome, SR_UNKNOWN);
	r = attach(.id = "a");
	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert(!r.leased && !r.more);
	cr_assert_eq(raw_int("HLEN", "sse:stream:a"), 7);
	cr_assert(!there("sse:events:a"));
}

world_test(attach, revives_a_stream_that_redis_lost_with_what_is_left_of_its_log)
{
	struct sr_attach_result r;

	raw("XADD", "sse:events:a", "1000-0", "type", "token", "data", "1");
	raw("XADD", "sse:events:a", "2000-3", "type", "token", "data", "2");
	raw("PEXPIRE", "sse:events:a", "100000");
	r = attach(.id = "a", .mode = SR_ATTACH_REVIVE, .position = {1000, 0}, .started_at = "2026-01-02T03:04:05.678Z");
	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert_str_eq(r.started_at, "2026-01-02T03:04:05.678Z");
	cr_assert(same_id(r.last, "2000-3") && same_id(r.from, "1000-0") && r.more && same_id(r.next, "2000-3"));
	cr_assert_str_eq(r.gap, "");
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), "1000-0");
	cr_assert_str_eq(field("sse:stream:a", "lastEventId"), "2000-3");
	r = attach(.id = "b", .mode = SR_ATTACH_REVIVE, .position = {1000, 0});
	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert_str_eq(r.gap, "rewound", "all that the viewer has seen is gone");
	cr_assert(same_id(r.from, "0-0"));
}

/* The id may have been given away since: only an event that is in the log shows that the log is the viewer's. */
world_test(attach, revives_no_log_that_the_viewer_has_not_seen)
{
	static const struct { struct sr_event_id at; bool from_now; const char *gap; } cases[] = {
		{{0, 0}, false, "lost"}, {{0, 0}, true, "lost"}, {{500, 0}, false, "rewound"}, {{1500, 0}, false, "rewound"}, {{3000, 0}, false, "rewound"},
	};
	struct sr_attach_result r;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *id = text("s%zu", i), *events = text("sse:events:s%zu", i);

		raw("XADD", events, "1000-0", "type", "secret", "data", "1");
		raw("XADD", events, "2000-0", "type", "secret", "data", "2");
		r = attach(.id = id, .mode = SR_ATTACH_REVIVE, .position = cases[i].at, .from_now = cases[i].from_now);
		cr_assert(r.outcome == SR_NEW && !r.more && same_id(r.last, "0-0") && same_id(r.from, "0-0"), "case %zu", i);
		cr_assert_str_eq(r.gap, cases[i].gap, "case %zu", i);
		cr_assert(!there(events), "case %zu", i);
	}
	r = attach(.id = "none", .mode = SR_ATTACH_REVIVE);
	cr_assert(r.outcome == SR_NEW && r.gap[0] == 0, "nothing was there, nothing is lost");
}

world_test(attach, works_on_a_record_of_the_seeds_classes)
{
	struct sr_attach_result r;

	seed_record("a", "ann", "active");
	raw("HSET", "sse:stream:a", "lastHeartbeat", "2020-01-01T00:00:00.000Z");
	cr_assert_eq(attach(.id = "a", .user = "bob").outcome, SR_FOREIGN);
	r = attach(.id = "a");
	cr_assert_eq(r.outcome, SR_SAME);
	cr_assert(!r.more && same_id(r.last, "0-0"));
	cr_assert(iso_now(field("sse:stream:a", "lastHeartbeat")));
	assert_ttl("sse:stream:a", STREAM_TTL);
	seed_record("b", "ann", "orphaned");
	r = attach(.id = "b");
	cr_assert(r.outcome == SR_SAME && !r.orphaned);
	cr_assert_str_eq(field("sse:stream:b", "state"), "active");
}

/* A record with no more than an owner, as some other program may write it. */
world_test(attach, a_bare_record_is_enough)
{
	struct sr_attach_result r;

	w.odd = true;
	raw("HSET", "sse:stream:a", "userId", "ann");
	r = attach(.id = "a");
	cr_assert_eq(r.outcome, SR_SAME);
	cr_assert_str_eq(r.type, "");
	cr_assert_str_eq(r.metadata, "{}");
	cr_assert_str_eq(r.started_at, "");
	assert_ttl("sse:stream:a", STREAM_TTL);
}

/* --- whose it is --------------------------------------------------------------------------------------------- */

world_test(attach, another_user_is_refused_and_leaves_no_trace)
{
	const char *before;

	attach(.id = "a");
	publish("token", "1", .id = "a");
	raw("PEXPIRE", "sse:stream:a", "100000");
	before = digest();
	for (enum sr_attach_mode mode = SR_ATTACH_REGISTER; mode <= SR_ATTACH_REVIVE; mode++) {
		cr_assert_eq(attach(.id = "a", .user = "bob", .mode = mode).outcome, SR_FOREIGN);
		cr_assert_eq(attach(.id = "a", .user = "", .mode = mode).outcome, SR_FOREIGN);
		cr_assert_eq(attach(.id = "a", .user = "Ann", .mode = mode).outcome, SR_FOREIGN);
	}
	w.reg.anonymous = true;
	cr_assert_eq(attach(.id = "a", .user = "").outcome, SR_FOREIGN);
	cr_assert_str_eq(digest(), before);
	assert_ttl("sse:stream:a", 100000);
	end_stream("completed", "{}", .id = "a");
	before = digest();
	cr_assert_eq(attach(.id = "a", .user = "bob").outcome, SR_FOREIGN, "nor the end");
	cr_assert_eq(attach(.id = "a", .user = "").outcome, SR_FOREIGN);
	raw("DEL", "sse:completion:a");
	cr_assert_eq(attach(.id = "a", .user = "bob").outcome, SR_FOREIGN, "nor that there was one");
}

world_test(attach, an_ownerless_stream_is_for_all_where_anonymous_is_allowed)
{
	struct sr_attach_result r;

	open_stream(.id = "a", .user = "");
	cr_assert_eq(attach(.id = "a", .user = "").outcome, SR_FOREIGN);
	cr_assert_eq(attach(.id = "a", .user = "ann").outcome, SR_FOREIGN);
	w.reg.anonymous = true;
	cr_assert_eq(attach(.id = "a", .user = "").outcome, SR_SAME);
	r = attach(.id = "a", .user = "ann");
	cr_assert_eq(r.outcome, SR_SAME);
	cr_assert_str_eq(r.owner, "", "looking at it does not take it");
	r = attach(.id = "b", .user = "");
	cr_assert_eq(r.outcome, SR_NEW);
	cr_assert_str_eq(field("sse:stream:b", "userId"), "");
}

/* --- where reading begins ------------------------------------------------------------------------------------ */

world_test(attach, reading_begins_after_the_position)
{
	struct stored s;
	struct sr_attach_result r;

	attach(.id = "a");
	s = publish_many(1, 3, .id = "a");
	r = attach(.id = "a");
	cr_assert(same_id(r.from, "0-0") && r.more && same_id(r.next, stored_id(s, 0)) && same_id(r.last, stored_id(s, 2)));
	cr_assert_str_eq(r.gap, "");
	r = attach(.id = "a", .position = event_id(stored_id(s, 1)));
	cr_assert(same_id(r.from, stored_id(s, 1)) && r.more && same_id(r.next, stored_id(s, 2)));
	cr_assert_str_eq(r.gap, "");
	r = attach(.id = "a", .position = event_id(stored_id(s, 2)));
	cr_assert(same_id(r.from, stored_id(s, 2)) && !r.more);
	cr_assert_str_eq(r.gap, "");
	r = attach(.id = "a", .from_now = true, .position = event_id(stored_id(s, 0)));
	cr_assert(same_id(r.from, stored_id(s, 2)) && !r.more);
	cr_assert_str_eq(r.gap, "");
	r = attach(.id = "b", .from_now = true);
	cr_assert(same_id(r.from, "0-0") && !r.more);
	cr_assert_str_eq(r.gap, "");
}

world_test(attach, says_that_the_log_was_trimmed)
{
	struct stored s;
	struct sr_attach_result r;

	attach(.id = "a");
	s = publish_many(1, 5, .id = "a");
	raw("XTRIM", "sse:events:a", "MAXLEN", "2");
	r = attach(.id = "a");
	cr_assert_str_eq(r.gap, "trimmed");
	cr_assert(same_id(r.from, "0-0") && same_id(r.next, stored_id(s, 3)));
	r = attach(.id = "a", .position = event_id(stored_id(s, 1)));
	cr_assert_str_eq(r.gap, "trimmed");
	cr_assert(same_id(r.from, stored_id(s, 1)) && same_id(r.next, stored_id(s, 3)));
	r = attach(.id = "a", .position = event_id(stored_id(s, 3)));
	cr_assert_str_eq(r.gap, "", "what was seen is the log's head: all that follows is there");
	r = attach(.id = "a", .from_now = true);
	cr_assert_str_eq(r.gap, "");
}

world_test(attach, says_that_the_log_was_lost)
{
	struct stored s;
	struct sr_attach_result r;

	attach(.id = "a");
	s = publish_many(1, 3, .id = "a");
	raw("DEL", "sse:events:a");
	r = attach(.id = "a");
	cr_assert_str_eq(r.gap, "lost");
	cr_assert(same_id(r.from, stored_id(s, 2)) && !r.more && same_id(r.last, stored_id(s, 2)));
	r = attach(.id = "a", .position = event_id(stored_id(s, 0)));
	cr_assert_str_eq(r.gap, "lost");
	cr_assert(same_id(r.from, stored_id(s, 2)), "nothing before the end can be read any more");
	r = attach(.id = "a", .position = event_id(stored_id(s, 2)));
	cr_assert_str_eq(r.gap, "", "nothing is missing after the last");
}

world_test(attach, says_that_redis_went_back_in_time)
{
	static const struct { struct sr_event_id at; const char *gap; } cases[] = {
		{{1000, 6}, "rewound"}, {{1000, 10}, "rewound"}, {{1001, 0}, "rewound"}, {{10000, 0}, "rewound"}, {{9999, 0}, "rewound"},
		{{UINT64_MAX, UINT64_MAX}, "rewound"},
		{{1000, 5}, ""}, {{1000, 0}, ""},
		{{1000, 4}, "trimmed"}, {{999, 99}, "trimmed"}, {{0, 1}, "trimmed"}, {{99, 5}, "trimmed"},
	};
	struct sr_attach_result r;

	attach(.id = "a");
	raw("XADD", "sse:events:a", "1000-0", "type", "token", "data", "1");
	raw("XADD", "sse:events:a", "1000-5", "type", "token", "data", "2");
	raw("HSET", "sse:stream:a", "firstEventId", "1000-0", "lastEventId", "1000-5");
	raw("PEXPIRE", "sse:events:a", num(STREAM_TTL));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		r = attach(.id = "a", .position = cases[i].at);
		cr_assert_str_eq(r.gap, cases[i].gap, "case %zu", i);
		cr_assert(strcmp(r.gap, "rewound") == 0 ? same_id(r.from, "1000-5") : sr_event_id_compare(r.from, cases[i].at) == 0, "case %zu", i);
	}
}

/* --- states -------------------------------------------------------------------------------------------------- */

world_test(attach, makes_an_unleased_orphan_active_again)
{
	struct sr_attach_result r;

	attach(.id = "a");
	age("a", STALE + 1);
	prove(PROOF + 1);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	r = attach(.id = "a");
	cr_assert(r.outcome == SR_SAME && !r.orphaned && !r.leased);
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "orphanedAt"), 0);
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
}

world_test(attach, does_not_keep_a_leased_stream_alive)
{
	struct sr_attach_result r;
	long long beat;

	open_stream(.id = "a", .lease = true);
	age("a", 20000);
	beat = score("sse:active", "a");
	raw("PEXPIRE", "sse:stream:a", "100000");
	r = attach(.id = "a");
	cr_assert(r.outcome == SR_SAME && r.leased && !r.orphaned);
	cr_assert_eq(score("sse:active", "a"), beat);
	assert_ttl("sse:stream:a", 100000);
	cr_assert_eq(raw_int("HLEN", "sse:viewers:a"), 1, "but it is counted");
	age("a", STALE + 1);
	prove(PROOF + 1);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	r = attach(.id = "a");
	cr_assert(r.outcome == SR_SAME && r.leased && r.orphaned && r.more);
	cr_assert_str_eq(field("sse:stream:a", "state"), "orphaned");
	cr_assert_eq(score("sse:active", "a"), -1000);
}

world_test(attach, makes_a_detached_stream_active_again)
{
	struct stored s;
	struct sr_attach_result r;

	attach(.id = "a");
	s = publish("token", "1", .id = "a");
	cr_assert(detach("a", "n1", 0, false));
	r = attach(.id = "a", .mode = SR_ATTACH_JOIN, .position = event_id(stored_id(s, 0)));
	cr_assert_eq(r.outcome, SR_SAME);
	cr_assert_str_eq(r.gap, "");
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "detachedAt"), 0);
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	cr_assert_geq(score("sse:active", "a"), redis_ms() - 10000);
}

world_test(attach, an_ended_stream_tells_its_end_and_registers_nothing)
{
	struct stored s, end;
	struct sr_attach_result r;
	const char *before;

	attach(.id = "a");
	s = publish_many(1, 2, .id = "a");
	end = end_stream("failed", "{\"why\":1}", .id = "a");
	before = digest();
	for (enum sr_attach_mode mode = SR_ATTACH_REGISTER; mode <= SR_ATTACH_REVIVE; mode++) {
		r = attach(.id = "a", .mode = mode);
		cr_assert_eq(r.outcome, SR_ENDED);
		cr_assert(same_id(r.last, stored_id(end, 0)) && same_id(r.from, "0-0") && r.more && same_id(r.next, stored_id(s, 0)));
		cr_assert_str_eq(r.gap, "");
		cr_assert(r.end_type_len == 6 && r.end_data_len == 9);
		cr_assert_str_eq(r.end_type, "failed");
		cr_assert_str_eq(r.end_data, "{\"why\":1}");
	}
	r = attach(.id = "a", .position = event_id(stored_id(s, 1)));
	cr_assert(same_id(r.from, stored_id(s, 1)) && same_id(r.next, stored_id(end, 0)));
	r = attach(.id = "a", .position = event_id(stored_id(end, 0)));
	cr_assert(r.outcome == SR_ENDED && same_id(r.from, stored_id(end, 0)) && !r.more);
	cr_assert_str_eq(r.gap, "");
	cr_assert_str_eq(digest(), before);
}

world_test(attach, an_end_whose_log_is_gone_says_so)
{
	struct stored s, end;
	struct sr_attach_result r;

	attach(.id = "a");
	s = publish_many(1, 2, .id = "a");
	end = end_stream("completed", "{}", .id = "a");
	raw("DEL", "sse:events:a");
	r = attach(.id = "a", .position = event_id(stored_id(s, 0)));
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.gap, "lost");
	cr_assert(!r.more && same_id(r.last, stored_id(end, 0)));
	r = attach(.id = "a", .position = event_id(stored_id(end, 0)));
	cr_assert_str_eq(r.gap, "");
}

world_test(attach, an_end_whose_result_expired)
{
	struct stored end;
	struct sr_attach_result r;

	attach(.id = "a");
	end = end_stream("cancelled", "{}", .id = "a");
	raw("DEL", "sse:completion:a", "sse:events:a");
	r = attach(.id = "a");
	cr_assert(r.outcome == SR_EXPIRED && same_id(r.last, stored_id(end, 0)));
	seed_record("b", "ann", "completed");
	raw("ZREM", "sse:active", "b");
	r = attach(.id = "b");
	cr_assert(r.outcome == SR_EXPIRED && same_id(r.last, "0-0"));
	raw("DEL", "sse:stream:b");
}

world_test(attach, an_end_whose_record_is_gone_keeps_its_owner)
{
	struct stored end;
	struct sr_attach_result r;

	attach(.id = "a");
	end = end_stream("completed", "{\"x\":1}", .id = "a");
	raw("DEL", "sse:stream:a");
	cr_assert_eq(attach(.id = "a", .user = "bob").outcome, SR_FOREIGN);
	cr_assert_eq(attach(.id = "a", .user = "bob", .mode = SR_ATTACH_JOIN).outcome, SR_FOREIGN);
	r = attach(.id = "a");
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, stored_id(end, 0)));
	cr_assert_str_eq(r.end_data, "{\"x\":1}");
	cr_assert(!there("sse:stream:a"));
}

/* --- completions of other programs --------------------------------------------------------------------------- */

world_test(attach, adopts_a_foreign_completion)
{
	struct stored s;
	struct sr_attach_result r;
	struct heard h;
	const char *id;

	attach(.id = "a");
	s = publish("token", "1", .id = "a");
	listen_to("a");
	seed_completion("a", "completed", "{\"text\":\"done\"}", false);
	raw("PEXPIRE", "sse:completion:a", "250000");
	r = attach(.id = "a", .position = event_id(stored_id(s, 0)));
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.end_type, "completed");
	cr_assert_str_eq(r.end_data, "{\"text\":\"done\"}");
	id = field("sse:completion:a", "eventId");
	cr_assert(same_id(r.last, id) && r.more && same_id(r.next, id));
	cr_assert_str_eq(entry("sse:events:a", 1), text("%s completed {\"text\":\"done\"}", id));
	cr_assert_str_eq(field("sse:completion:a", "userId"), "ann");
	assert_ttl("sse:completion:a", 250000);
	cr_assert_str_eq(field("sse:stream:a", "state"), "completed");
	cr_assert(iso_now(field("sse:stream:a", "endedAt")));
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", COMPLETION_TTL);
	cr_assert_eq(score("sse:active", "a"), -1000);
	cr_assert(!there("sse:viewers:a"));
	h = hear();
	cr_assert(same_id(h.id, id) && same_id(h.prev, stored_id(s, 0)));
	cr_assert_str_eq(h.type, "completed");
	cr_assert_str_eq(h.owner, "ann");

	r = attach(.id = "a");
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, id), "once");
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 2);
	cr_assert(hear().quiet);
}

world_test(attach, a_foreign_completion_without_a_ttl_gets_one)
{
	attach(.id = "a");
	seed_completion("a", "failed", "{}", true);
	cr_assert_eq(attach(.id = "a").outcome, SR_ENDED);
	assert_ttl("sse:completion:a", COMPLETION_TTL);
	cr_assert_str_eq(field("sse:stream:a", "state"), "failed");
}

world_test(attach, a_foreign_completion_of_an_odd_type)
{
	char *long_type = repeat('x', 65), *longest = repeat('y', 64);
	const struct { const char *type, *event, *state; } cases[] = {
		{"cancelled", "cancelled", "cancelled"}, {"done", "done", "completed"}, {"all.done_now:1-2", "all.done_now:1-2", "completed"},
		{"two words", "completed", "completed"}, {"new\nline", "completed", "completed"}, {"", "completed", "completed"},
		{long_type, "completed", "completed"}, {longest, longest, "completed"},
	};
	struct sr_attach_result r;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *id = text("s%zu", i);

		attach(.id = id);
		seed_completion(id, cases[i].type, "{}", false);
		r = attach(.id = id);
		cr_assert_eq(r.outcome, SR_ENDED);
		cr_assert_str_eq(r.end_type, cases[i].type, "as it is stored");
		cr_assert_str_eq(entry(text("sse:events:%s", id), 0), text("%s %s {}", field(text("sse:completion:%s", id), "eventId"), cases[i].event));
		cr_assert_str_eq(field(text("sse:stream:%s", id), "state"), cases[i].state);
	}
	free(long_type);
	free(longest);
}

world_test(attach, a_foreign_completion_without_data)
{
	struct sr_attach_result r;

	w.odd = true;
	attach(.id = "a");
	raw("HSET", "sse:completion:a", "streamId", "a", "terminalEventType", "completed");
	r = attach(.id = "a");
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.end_data, "{}");
	assert_ttl("sse:completion:a", COMPLETION_TTL);
}

/* Nobody is known to own it. */
world_test(attach, a_foreign_completion_without_a_record)
{
	struct sr_attach_result r;
	const char *before;
	struct heard h;

	seed_completion("a", "completed", "{\"x\":1}", true);
	before = digest();
	cr_assert_eq(attach(.id = "a").outcome, SR_FOREIGN);
	cr_assert_eq(attach(.id = "a", .user = "").outcome, SR_FOREIGN);
	cr_assert_str_eq(digest(), before);
	w.reg.anonymous = true;
	listen_to("a");
	r = attach(.id = "a", .mode = SR_ATTACH_JOIN);
	cr_assert_eq(r.outcome, SR_ENDED);
	h = hear();
	cr_assert(same_id(h.id, field("sse:completion:a", "eventId")) && same_id(h.prev, "0-0"));
	cr_assert_str_eq(h.owner, "");
	cr_assert(same_id(r.last, field("sse:completion:a", "eventId")) && r.more);
	cr_assert_str_eq(r.end_data, "{\"x\":1}");
	assert_ttl("sse:completion:a", COMPLETION_TTL);
	assert_ttl("sse:events:a", COMPLETION_TTL);
	cr_assert(!there("sse:stream:a"));
}

/* A completion hash that only carries fields of somebody's own is none. */
world_test(attach, half_a_completion_is_none)
{
	w.odd = true;
	attach(.id = "a");
	raw("HSET", "sse:completion:a", "note", "1");
	raw("PEXPIRE", "sse:completion:a", "1000");
	cr_assert_eq(attach(.id = "a").outcome, SR_SAME);
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
}

/* The seed's program says it twice: updateState() in the record, storeCompletion() beside it. */
world_test(attach, adopts_the_completion_of_a_record_that_was_ended_by_hand)
{
	struct sr_attach_result r;

	seed_record("a", "ann", "completed");
	seed_record("b", "ann", "failed");
	seed_completion("a", "completed", "{\"x\":1}", false);
	seed_completion("b", "error", "{}", false);
	r = attach(.id = "a");
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.end_data, "{\"x\":1}");
	cr_assert(same_id(r.last, field("sse:completion:a", "eventId")) && r.more);
	cr_assert(iso_now(field("sse:stream:a", "endedAt")));
	cr_assert_eq(score("sse:active", "a"), -1000);
	cr_assert_eq(attach(.id = "b").outcome, SR_ENDED);
	cr_assert_str_eq(field("sse:stream:b", "state"), "failed", "an odd type does not change the state it has");
}

/* The first end wins, also over one that comes when the first one's result has expired. */
world_test(attach, a_foreign_completion_after_the_end_changes_nothing)
{
	struct stored end;
	struct sr_attach_result r;

	attach(.id = "a");
	end = end_stream("failed", "{}", .id = "a");
	raw("DEL", "sse:completion:a");
	seed_completion("a", "completed", "{}", false);
	r = attach(.id = "a");
	cr_assert_eq(r.outcome, SR_EXPIRED);
	cr_assert(same_id(r.last, stored_id(end, 0)));
	cr_assert_str_eq(field("sse:stream:a", "state"), "failed");
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
	cr_assert_eq(raw_int("HEXISTS", "sse:completion:a", "eventId"), 0);
}

/* --- races and the script cache ------------------------------------------------------------------------------ */

static int attach_once(struct sr_session *s, int i, void *shared)
{
	const char *same_user = shared;
	struct sr_attach a = {.id = "a", .user = same_user ? same_user : text("user%d", i), .node = text("n%d", i), .viewers = 1};
	struct sr_attach_result r;
	struct sr_call call;

	sr_attach_call(&call, &w.reg, &a);
	return sr_attach_read(race_call(s, &call), &r) == SR_OK ? (int)r.outcome : -1;
}

world_test(attach, of_many_users_at_once_one_gets_the_stream)
{
	struct race race = race_run(8, attach_once, NULL);

	cr_assert_eq(race.count[SR_NEW], 1);
	cr_assert_eq(race.count[SR_FOREIGN], 7);
	cr_assert_eq(raw_int("HLEN", "sse:viewers:a"), 1);
}

world_test(attach, of_many_viewers_at_once_one_registers)
{
	struct race race = race_run(8, attach_once, (void *)"ann");

	cr_assert_eq(race.count[SR_NEW], 1);
	cr_assert_eq(race.count[SR_SAME], 7);
	cr_assert_eq(raw_int("HLEN", "sse:viewers:a"), 8);
}

world_test(attach, survives_an_emptied_script_cache)
{
	attach(.id = "a");
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(attach(.id = "a").outcome, SR_SAME);
	cr_assert_eq(attach(.id = "b").outcome, SR_NEW);
}
