/* The guardian's side: every branch of common/lua/stale.lua, canary.lua, sweep.lua and heal.lua. */
#include "tests/support/race.h"
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

static struct sr_stale_result stale(int limit)
{
	struct sr_stale_result r;
	struct sr_call call;

	sr_stale_call(&call, &w.reg, limit);
	cr_assert_eq(sr_stale_read(world_call(&call), &r), SR_OK);
	return r;
}

static bool has(const struct sr_reply *ids, const char *id)
{
	for (size_t i = 0; i < sr_reply_count(ids); i++)
		if (strcmp(sr_reply_text_at(ids, i, NULL), id) == 0)
			return true;
	return false;
}

static long long canary(const char *run, const char *const *fields)
{
	struct sr_call call;

	sr_canary_call(&call, &w.reg, run, fields);
	return sr_reply_int(world_call(&call), -1000);
}

/* The proof as it lies in Redis: from so long ago, until so long ago. */
static void proof(long long since, long long last)
{
	long long now = redis_ms();

	raw("HSET", "sse:guardian", "since", num(now - since), "last", num(now - last), "run", "r1");
	raw("PEXPIRE", "sse:guardian", num(STREAM_TTL));
}

static long long refused(const char *id)
{
	struct sr_call call;
	int64_t proven = -1;

	sr_sweep_call(&call, &w.reg, &id, 1);
	cr_assert_eq(sr_sweep_read(world_call(&call), 1, &proven), SR_EREFUSED);
	return proven;
}

/* A stream that has been silent for longer than the threshold, and the proof. */
static void silent(const char *id, bool leased)
{
	open_stream(.id = id, .lease = leased);
	age(id, STALE + 1);
	prove(PROOF + 1000);
}

/* --- stale --------------------------------------------------------------------------------------------------- */

world_test(stale, names_what_a_guardian_should_look_at)
{
	struct sr_stale_result r = stale(10);
	const char *before;
	long long now = redis_ms();

	cr_assert(r.active == 0 && r.stale == 0 && sr_reply_count(r.ids) == 0 && sr_reply_count(r.due) == 0);
	cr_assert_eq(r.next_due_ms, -1);
	cr_assert(r.now_ms <= now && r.now_ms > now - 10000);

	raw("ZADD", "sse:active", num(now), "fresh", num(now - STALE + 5000), "old", num(now - STALE), "edge", num(now - 2 * STALE), "dead");
	raw("ZADD", "sse:orphaned", num(now), "new", num(now - GRACE + 8000), "soon", num(now - GRACE), "due", num(now - 2 * GRACE), "overdue");
	raw("PEXPIRE", "sse:active", "1000000");
	raw("PEXPIRE", "sse:orphaned", "1000000");
	before = digest();
	r = stale(10);
	cr_assert(r.active == 4 && r.stale == 2);
	cr_assert(sr_reply_count(r.ids) == 2 && has(r.ids, "edge") && has(r.ids, "dead"));
	cr_assert(sr_reply_count(r.due) == 2 && has(r.due, "due") && has(r.due, "overdue"));
	cr_assert(r.next_due_ms <= 8000 && r.next_due_ms > 0);
	r = stale(1);
	cr_assert(r.active == 4 && r.stale == 2, "the counts are of all");
	cr_assert(sr_reply_count(r.ids) == 1 && has(r.ids, "dead"), "the oldest first");
	cr_assert(sr_reply_count(r.due) == 1 && has(r.due, "overdue"));
	cr_assert_str_eq(digest(), before);
	w.reg.orphan_grace = 0;
	r = stale(10);
	cr_assert_eq(sr_reply_count(r.due), 4, "no grace: all are due");
	cr_assert_eq(r.next_due_ms, -1);
	raw("DEL", "sse:active", "sse:orphaned");
}

/* --- canary -------------------------------------------------------------------------------------------------- */

world_test(canary, proves_from_the_first_one_on)
{
	long long now, proven;

	cr_assert_eq(canary("r1", NULL), 0);
	now = redis_ms();
	cr_assert_eq(raw_int("HLEN", "sse:guardian"), 3);
	cr_assert_str_eq(field("sse:guardian", "since"), field("sse:guardian", "last"));
	cr_assert(raw_int("HGET", "sse:guardian", "last") <= now && raw_int("HGET", "sse:guardian", "last") > now - 10000);
	cr_assert_str_eq(field("sse:guardian", "run"), "r1");
	assert_ttl("sse:guardian", STREAM_TTL);
	proof(15000, 1000);
	raw("PEXPIRE", "sse:guardian", "100000");
	proven = canary("r1", NULL);
	cr_assert(proven >= 15000 && proven < 20000);
	assert_ttl("sse:guardian", STREAM_TTL);
	cr_assert(canary("r1", NULL) >= proven, "whichever guardian sings");
}

world_test(canary, a_break_begins_anew)
{
	proof(15000, 3500);
	cr_assert_eq(canary("r1", NULL), 0, "too long a silence");
	proof(15000, 2000);
	cr_assert_geq(canary("r1", NULL), 15000, "a short one is none");
	proof(15000, -10000);
	cr_assert_eq(canary("r1", NULL), 0, "the clock went back");
	cr_assert(raw_int("HGET", "sse:guardian", "last") <= redis_ms());
	proof(15000, 1000);
	cr_assert_eq(canary("r2", NULL), 0, "another server, or the same after a restart");
	cr_assert_str_eq(field("sse:guardian", "run"), "r2");
	raw("HDEL", "sse:guardian", "since");
	cr_assert_eq(canary("r2", NULL), 0);
	raw("HDEL", "sse:guardian", "last");
	cr_assert_eq(canary("r2", NULL), 0);
}

world_test(canary, keeps_a_report_beside_it)
{
	canary("r1", (const char *const[]){"pass.marked", "3", "pass.at", "2026-01-02T03:04:05.678Z", NULL});
	cr_assert_eq(raw_int("HLEN", "sse:guardian"), 5);
	cr_assert_str_eq(field("sse:guardian", "pass.marked"), "3");
	cr_assert_str_eq(field("sse:guardian", "pass.at"), "2026-01-02T03:04:05.678Z");
	canary("r1", NULL);
	cr_assert_str_eq(field("sse:guardian", "pass.marked"), "3");
}

world_test(canary, tight_thresholds_allow_shorter_gaps)
{
	w.reg.beat_interval = 1000;
	w.reg.stale_threshold = 4000;
	cr_assert_eq(sr_canary_gap(&w.reg), 2000);
	proof(15000, 2500);
	cr_assert_eq(canary("r1", NULL), 0);
	w.reg.beat_interval = BEAT;
	w.reg.stale_threshold = STALE;
	cr_assert_eq(sr_canary_gap(&w.reg), 3000);
}

/* --- sweep: the proof ---------------------------------------------------------------------------------------- */

world_test(sweep, does_nothing_without_proof)
{
	const char *before;

	open_stream(.id = "a");
	age("a", 10 * STALE);
	before = digest();
	cr_assert_eq(refused("a"), 0, "no canary at all");
	cr_assert_str_eq(digest(), before);
	proof(5000, 1000);
	before = digest();
	cr_assert(refused("a") >= 5000 && refused("a") < 10000, "not for long enough");
	proof(100000, 4000);
	cr_assert_eq(refused("a"), 0, "the last one is too old");
	proof(100000, -10000);
	cr_assert_eq(refused("a"), 0, "it is of the future");
	raw("HDEL", "sse:guardian", "since");
	cr_assert_eq(refused("a"), 0);
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	cr_assert_geq(score("sse:active", "a"), 0);
	cr_assert(!there("sse:events:a"));
	proof(PROOF, 0);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
}

/* --- sweep: marking ------------------------------------------------------------------------------------------ */

world_test(sweep, marks_an_unleased_stream)
{
	struct stored s;
	struct heard h;
	const char *beat;

	open_stream(.id = "a");
	s = publish("token", "1", .id = "a");
	beat = field("sse:stream:a", "lastHeartbeat");
	age("a", STALE + 1);
	raw("PEXPIRE", "sse:stream:a", "100000");
	raw("PEXPIRE", "sse:events:a", "100000");
	prove(PROOF + 1);
	listen_to("a");
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	cr_assert_str_eq(field("sse:stream:a", "state"), "orphaned");
	cr_assert(iso_now(field("sse:stream:a", "orphanedAt")));
	cr_assert_str_eq(field("sse:stream:a", "lastHeartbeat"), beat);
	cr_assert_eq(score("sse:active", "a"), -1000);
	cr_assert_eq(score("sse:orphaned", "a"), -1000, "no end is due: its viewers may come back");
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	cr_assert_str_eq(entry("sse:events:a", 1),
	                 text("%s orphaned {\"lastHeartbeat\":\"%s\"}", field("sse:stream:a", "lastEventId"), beat));
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), stored_id(s, 0));
	h = hear();
	cr_assert(same_id(h.id, field("sse:stream:a", "lastEventId")) && same_id(h.prev, stored_id(s, 0)));
	cr_assert_str_eq(h.type, "orphaned");
	cr_assert_eq(sweep_one("a"), SR_ALIVE, "once");
	cr_assert(hear().quiet);
}

world_test(sweep, marks_a_leased_stream_and_remembers_when)
{
	struct heard h;

	silent("a", true);
	listen_to("a");
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	h = hear();
	cr_assert(same_id(h.id, field("sse:stream:a", "lastEventId")) && same_id(h.prev, "0-0"));
	cr_assert_str_eq(h.owner, "ann");
	cr_assert_str_eq(field("sse:stream:a", "state"), "orphaned");
	cr_assert_geq(score("sse:orphaned", "a"), redis_ms() - 10000);
	assert_ttl("sse:orphaned", 2 * STREAM_TTL);
	cr_assert_str_eq(field("sse:stream:a", "firstEventId"), field("sse:stream:a", "lastEventId"), "its first event");
	cr_assert_str_neq(field("sse:stream:a", "firstEventId"), "");
	assert_ttl("sse:events:a", STREAM_TTL);
	cr_assert_eq(sweep_one("a"), SR_ALIVE, "its grace has begun");
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
}

world_test(sweep, tells_no_heartbeat_that_is_no_date)
{
	silent("a", false);
	silent("b", false);
	raw("HSET", "sse:stream:a", "lastHeartbeat", "x\",\"y\":\"");
	raw("HDEL", "sse:stream:b", "lastHeartbeat");
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	cr_assert_eq(sweep_one("b"), SR_MARKED);
	cr_assert_str_eq(entry("sse:events:a", 0), text("%s orphaned {}", field("sse:stream:a", "lastEventId")));
	cr_assert_str_eq(entry("sse:events:b", 0), text("%s orphaned {}", field("sse:stream:b", "lastEventId")));
	raw("HSET", "sse:stream:b", "lastHeartbeat", "x");
}

world_test(sweep, leaves_what_is_alive)
{
	const char *before;

	open_stream(.id = "a");
	open_stream(.id = "b", .lease = true);
	age("a", STALE - 5000);
	prove(PROOF + 1);
	before = digest();
	cr_assert_eq(sweep_one("a"), SR_ALIVE);
	cr_assert_eq(sweep_one("b"), SR_ALIVE);
	cr_assert_str_eq(digest(), before);
	age("a", STALE);
	cr_assert_eq(sweep_one("a"), SR_MARKED, "the threshold itself is stale");
}

world_test(sweep, leaves_what_is_detached)
{
	const char *before;

	attach(.id = "a");
	publish("token", "1", .id = "a");
	cr_assert(detach("a", "n1", 0, false));
	prove(PROOF + 1);
	before = digest();
	cr_assert_eq(sweep_one("a"), SR_ALIVE, "it is in no index");
	cr_assert_str_eq(digest(), before);
}

/* The seed's guardian sets the state and leaves the id in the index. */
world_test(sweep, completes_a_mark_of_the_seeds_guardian)
{
	seed_record("a", "ann", "orphaned");
	age("a", STALE + 1);
	prove(PROOF + 1);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	cr_assert(iso_now(field("sse:stream:a", "orphanedAt")));
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
	raw("ZADD", "sse:active", num(redis_ms() - STALE - 1), "a");
	raw("PEXPIRE", "sse:active", "100000");
	cr_assert_eq(sweep_one("a"), SR_ALIVE, "a stray member of the index: nobody is told again");
	cr_assert_eq(score("sse:active", "a"), -1000);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 1);
}

/* --- sweep: what is not alive -------------------------------------------------------------------------------- */

world_test(sweep, takes_the_ended_and_the_gone_out_of_the_indexes)
{
	static const char *const ids[] = {"ended", "gone", "ghost", "onlyend", "byhand"};
	static const enum sr_verdict verdicts[] = {SR_WAS_ENDED, SR_NO_RECORD, SR_NO_RECORD, SR_NO_RECORD, SR_WAS_ENDED};
	const char *before = NULL;

	prove(PROOF + 1);
	open_stream(.id = "ended", .lease = true);
	end_stream("completed", "{}", .id = "ended");
	raw("HSET", "sse:stream:ghost", "lastHeartbeat", "x");
	end_stream("completed", "{}", .id = "onlyend", .create = true);
	raw("DEL", "sse:stream:onlyend");
	seed_record("byhand", "ann", "completed");
	raw("ZREM", "sse:active", "byhand");
	before = digest();
	for (size_t i = 0; i < 5; i++) {
		raw("ZADD", "sse:active", num(redis_ms() - STALE - 1), ids[i]);
		raw("ZADD", "sse:orphaned", num(redis_ms() - GRACE - 1), ids[i]);
		cr_assert_eq(sweep_one(ids[i]), verdicts[i], "%s", ids[i]);
	}
	cr_assert_str_eq(digest(), before, "and nothing else is touched");
	raw("DEL", "sse:stream:ghost", "sse:stream:byhand");
}

world_test(sweep, adopts_foreign_completions)
{
	struct heard h;

	prove(PROOF + 1);
	attach(.id = "a");
	listen_to("a");
	seed_completion("a", "completed", "{\"x\":1}", true);
	cr_assert_eq(sweep_one("a"), SR_ADOPTED, "also of a stream that is alive");
	cr_assert_str_eq(field("sse:stream:a", "state"), "completed");
	assert_ttl("sse:completion:a", COMPLETION_TTL);
	assert_ttl("sse:events:a", COMPLETION_TTL);
	cr_assert_eq(score("sse:active", "a"), -1000);
	h = hear();
	cr_assert(same_id(h.id, field("sse:completion:a", "eventId")));
	cr_assert_eq(sweep_one("a"), SR_WAS_ENDED);

	silent("b", true);
	cr_assert_eq(sweep_one("b"), SR_MARKED);
	seed_completion("b", "failed", "{}", false);
	cr_assert_eq(sweep_one("b"), SR_ADOPTED, "of an orphan");
	cr_assert_str_eq(field("sse:stream:b", "state"), "failed");
	cr_assert_eq(score("sse:orphaned", "b"), -1000);
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:b", "orphanedAt"), 0);

	seed_completion("c", "completed", "{}", true);
	raw("ZADD", "sse:active", num(redis_ms() - STALE - 1), "c");
	raw("PEXPIRE", "sse:active", "100000");
	cr_assert_eq(sweep_one("c"), SR_ADOPTED, "without a record");
	cr_assert_eq(score("sse:active", "c"), -1000);
	assert_ttl("sse:completion:c", COMPLETION_TTL);

	seed_record("d", "ann", "completed");
	seed_completion("d", "completed", "{}", false);
	cr_assert_eq(sweep_one("d"), SR_ADOPTED, "of a record ended by hand");
	cr_assert_eq(score("sse:active", "d"), -1000);
	cr_assert(iso_now(field("sse:stream:d", "endedAt")));
}

world_test(sweep, a_key_of_another_type_does_not_stop_the_batch)
{
	static const char *const ids[] = {"a", "odd1", "odd2", "b"};
	const struct sr_reply *reply;
	struct sr_call call;
	int64_t proven;

	silent("a", false);
	silent("b", false);
	raw("SET", "sse:stream:odd1", "x", "EX", "100");
	raw("SET", "sse:completion:odd2", "x", "EX", "100");
	raw("ZADD", "sse:active", num(redis_ms() - STALE - 1), "odd1", num(redis_ms() - STALE - 1), "odd2");
	sr_sweep_call(&call, &w.reg, ids, 4);
	reply = world_call(&call);
	cr_assert_eq(sr_sweep_read(reply, 4, &proven), SR_OK);
	cr_assert_eq(sr_sweep_verdict(reply, 0), SR_MARKED);
	cr_assert_eq(sr_sweep_verdict(reply, 1), SR_NO_RECORD);
	cr_assert_eq(sr_sweep_verdict(reply, 2), SR_NO_RECORD);
	cr_assert_eq(sr_sweep_verdict(reply, 3), SR_MARKED);
	cr_assert_eq(sr_sweep_read(reply, 3, &proven), SR_EREPLY, "as many verdicts as ids");
	cr_assert_eq(score("sse:active", "odd1"), -1000);
	cr_assert_eq(score("sse:active", "odd2"), -1000);
	raw("DEL", "sse:stream:odd1", "sse:completion:odd2");
}

/* --- sweep: the end of an orphan ----------------------------------------------------------------------------- */

world_test(sweep, a_leased_orphan_past_its_grace_has_failed)
{
	struct stored s;
	struct heard h;
	const char *marked;

	silent("a", true);
	attach(.id = "a");
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	marked = field("sse:stream:a", "lastEventId");
	raw("ZADD", "sse:orphaned", num(redis_ms() - GRACE + 5000), "a");
	cr_assert_eq(sweep_one("a"), SR_ALIVE);
	raw("ZADD", "sse:orphaned", num(redis_ms() - GRACE), "a");
	listen_to("a");
	cr_assert_eq(sweep_one("a"), SR_FAILED);
	cr_assert_str_eq(field("sse:stream:a", "state"), "failed");
	cr_assert(iso_now(field("sse:stream:a", "endedAt")));
	cr_assert_eq(raw_int("HEXISTS", "sse:stream:a", "orphanedAt"), 0);
	cr_assert_eq(score("sse:orphaned", "a"), -1000);
	cr_assert_str_eq(field("sse:completion:a", "terminalEventType"), "failed");
	cr_assert_str_eq(field("sse:completion:a", "terminalEventData"), "{\"reason\":\"orphaned\"}");
	cr_assert_str_eq(field("sse:completion:a", "userId"), "ann");
	assert_ttl("sse:completion:a", COMPLETION_TTL);
	assert_ttl("sse:events:a", COMPLETION_TTL);
	assert_ttl("sse:stream:a", STREAM_TTL);
	cr_assert(!there("sse:viewers:a"));
	h = hear();
	cr_assert(same_id(h.id, field("sse:completion:a", "eventId")) && same_id(h.prev, marked));
	cr_assert_str_eq(h.type, "failed");
	s = publish("token", "1", .id = "a");
	cr_assert(s.outcome == SR_ENDED && strcmp(s.end_type, "failed") == 0, "its producer is told when it comes back");
	cr_assert_eq(producer_beat(.id = "a", .epoch = "1").outcome, SR_ENDED);
	cr_assert_eq(sweep_one("a"), SR_WAS_ENDED);
}

world_test(sweep, without_a_grace_it_fails_at_the_next_look)
{
	w.reg.orphan_grace = 0;
	silent("a", true);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	cr_assert_eq(sweep_one("a"), SR_FAILED);
}

world_test(sweep, a_due_date_that_is_none_is_forgotten)
{
	prove(PROOF + 1);
	open_stream(.id = "active", .lease = true);
	open_stream(.id = "offindex", .lease = true);
	silent("unleased", false);
	cr_assert_eq(sweep_one("unleased"), SR_MARKED);
	raw("ZREM", "sse:active", "offindex");
	raw("ZADD", "sse:orphaned", num(redis_ms() - 2 * GRACE), "active", num(redis_ms() - 2 * GRACE), "offindex", num(redis_ms() - 2 * GRACE),
	    "unleased");
	cr_assert_eq(sweep_one("active"), SR_ALIVE);
	cr_assert_eq(score("sse:orphaned", "active"), -1000, "registered anew since");
	cr_assert_eq(sweep_one("offindex"), SR_ALIVE);
	cr_assert_eq(score("sse:orphaned", "offindex"), -1000);
	cr_assert_eq(sweep_one("unleased"), SR_ALIVE);
	cr_assert_eq(score("sse:orphaned", "unleased"), -1000);
	cr_assert_str_eq(field("sse:stream:active", "state"), "active");
	cr_assert_str_eq(field("sse:stream:offindex", "state"), "active");
	cr_assert_str_eq(field("sse:stream:unleased", "state"), "orphaned");
	raw("ZADD", "sse:active", num(redis_ms()), "offindex");
}

/* The seed's heartbeat renews the index, and leaves the state. */
world_test(sweep, an_orphan_in_both_indexes_keeps_its_due_date)
{
	w.odd = true;
	silent("a", true);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	raw("ZADD", "sse:active", num(redis_ms()), "a");
	raw("PEXPIRE", "sse:active", "100000");
	cr_assert_eq(sweep_one("a"), SR_ALIVE);
	cr_assert_geq(score("sse:orphaned", "a"), 0);
	raw("ZREM", "sse:active", "a");
	raw("ZREM", "sse:orphaned", "a");
	cr_assert_eq(sweep_one("a"), SR_ALIVE, "and in none: nothing is due until it is put back");
	cr_assert_str_eq(field("sse:stream:a", "state"), "orphaned");
}

/* --- sweep: batches and races -------------------------------------------------------------------------------- */

world_test(sweep, judges_a_batch_in_its_order)
{
	const char *ids[SR_BATCH_MAX];
	char names[SR_BATCH_MAX][16];
	const struct sr_reply *reply;
	struct sr_call call;
	int64_t proven;

	prove(PROOF + 1);
	for (int i = 0; i < SR_BATCH_MAX; i++) {
		snprintf(names[i], sizeof names[i], "s%d", i);
		ids[i] = names[i];
		if (i % 3)
			open_stream(.id = ids[i]);
		if (i % 3 == 2)
			age(ids[i], STALE + 1);
	}
	sr_sweep_call(&call, &w.reg, ids, SR_BATCH_MAX);
	reply = world_call(&call);
	cr_assert_eq(sr_sweep_read(reply, SR_BATCH_MAX, &proven), SR_OK);
	for (size_t i = 0; i < SR_BATCH_MAX; i++)
		cr_assert_eq(sr_sweep_verdict(reply, i), i % 3 == 0 ? SR_NO_RECORD : i % 3 == 1 ? SR_ALIVE : SR_MARKED, "s%zu", i);
}

static int sweep_all(struct sr_session *s, int i, void *shared)
{
	const char *ids[50];
	struct sr_call call;

	(void)i;
	(void)shared;
	for (int n = 0; n < 50; n++)
		ids[n] = text("s%d", n);
	for (int at = 0; at < 50; at += 5) {
		sr_sweep_call(&call, &w.reg, ids + at, 5);
		if (!race_call(s, &call))
			return -1;
	}
	return 0;
}

world_test(sweep, many_guardians_mark_each_stream_once)
{
	for (int i = 0; i < 50; i++) {
		open_stream(.id = text("s%d", i), .lease = i % 2);
		age(text("s%d", i), STALE + 1);
	}
	prove(PROOF + 1);
	race_run(4, sweep_all, NULL);
	for (int i = 0; i < 50; i++) {
		cr_assert_str_eq(field(text("sse:stream:s%d", i), "state"), "orphaned");
		cr_assert_eq(raw_int("XLEN", text("sse:events:s%d", i)), 1);
	}
}

world_test(sweep, survives_an_emptied_script_cache)
{
	silent("a", false);
	stale(10);
	canary("r1", NULL);
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	stale(10);
	cr_assert_geq(canary("r1", NULL), PROOF);
}

/* --- heal ---------------------------------------------------------------------------------------------------- */

struct healed { long long timed, indexed; };

static struct healed heal(const char *key, const char *id)
{
	struct sr_call call;
	const struct sr_reply *reply;

	sr_heal_call(&call, &w.reg, &key, &id, 1);
	reply = world_call(&call);
	cr_assert_eq(sr_reply_count(reply), 2);
	return (struct healed){sr_reply_int_at(reply, 0, -1), sr_reply_int_at(reply, 1, -1)};
}

static bool healed(struct healed h, long long timed, long long indexed)
{
	return h.timed == timed && h.indexed == indexed;
}

world_test(heal, gives_a_ttl_to_what_has_none)
{
	open_stream(.id = "a");
	publish("token", "1", .id = "a");
	raw("PERSIST", "sse:stream:a");
	raw("PERSIST", "sse:events:a");
	raw("PERSIST", "sse:active");
	raw("SET", "sse:odd", "x");
	cr_assert(healed(heal("sse:stream:a", "a"), 1, 0));
	cr_assert(healed(heal("sse:events:a", ""), 1, 0));
	cr_assert(healed(heal("sse:active", ""), 1, 0));
	cr_assert(healed(heal("sse:odd", ""), 1, 0));
	assert_ttl("sse:stream:a", STREAM_TTL);
	assert_ttl("sse:events:a", STREAM_TTL);
	assert_ttl("sse:active", STREAM_TTL);
	assert_ttl("sse:odd", STREAM_TTL);
	raw("PEXPIRE", "sse:stream:a", "50000");
	cr_assert(healed(heal("sse:stream:a", "a"), 0, 0));
	assert_ttl("sse:stream:a", 50000);
	cr_assert(healed(heal("sse:stream:none", "none"), 0, 0));
	cr_assert(!there("sse:stream:none"));
}

world_test(heal, puts_records_back_into_their_index)
{
	open_stream(.id = "active");
	raw("ZREM", "sse:active", "active");
	silent("leased", true);
	cr_assert_eq(sweep_one("leased"), SR_MARKED);
	raw("ZREM", "sse:orphaned", "leased");
	cr_assert(healed(heal("sse:stream:active", "active"), 0, 1));
	cr_assert_geq(score("sse:active", "active"), redis_ms() - 10000);
	assert_ttl("sse:active", 2 * STREAM_TTL);
	cr_assert(healed(heal("sse:stream:leased", "leased"), 0, 1));
	cr_assert_geq(score("sse:orphaned", "leased"), redis_ms() - 10000, "its grace begins anew");
	assert_ttl("sse:orphaned", 2 * STREAM_TTL);
	age("active", 5000);
	raw("ZADD", "sse:orphaned", num(redis_ms() - 5000), "leased");
	cr_assert(healed(heal("sse:stream:active", "active"), 0, 0), "once");
	cr_assert(healed(heal("sse:stream:leased", "leased"), 0, 0));
	cr_assert_lt(score("sse:active", "active"), redis_ms() - 4000, "a member keeps its score");
	cr_assert_lt(score("sse:orphaned", "leased"), redis_ms() - 4000);
}

world_test(heal, puts_back_nothing_else)
{
	static const char *const ids[] = {"ended", "detached", "unleased", "seeds"};

	open_stream(.id = "ended", .lease = true);
	end_stream("failed", "{}", .id = "ended");
	attach(.id = "detached");
	publish("token", "1", .id = "detached");
	cr_assert(detach("detached", "n1", 0, false));
	silent("unleased", false);
	cr_assert_eq(sweep_one("unleased"), SR_MARKED);
	seed_record("seeds", "ann", "orphaned");
	for (size_t i = 0; i < 4; i++)
		cr_assert(healed(heal(text("sse:stream:%s", ids[i]), ids[i]), 0, 0), "%s", ids[i]);
	raw("HSET", "sse:stream:seeds", "producer", "1");
	cr_assert(healed(heal("sse:stream:seeds", "seeds"), 0, 0), "it is in the other index");
	raw("HSET", "sse:stream:ghost", "state", "active");
	cr_assert(healed(heal("sse:stream:ghost", "ghost"), 1, 0), "a ghost gets its TTL and no place");
	raw("SET", "sse:stream:text", "x", "EX", "100");
	cr_assert(healed(heal("sse:stream:text", "text"), 0, 0));
	raw("DEL", "sse:stream:seeds", "sse:stream:ghost", "sse:stream:text", "sse:active");
}

world_test(heal, looks_at_a_batch)
{
	static const char *const keys[] = {"sse:stream:a", "sse:active", "sse:stream:b", "sse:events:b"}, *const ids[] = {"a", "", "b", ""};
	const struct sr_reply *reply;
	struct sr_call call;

	open_stream(.id = "a");
	open_stream(.id = "b");
	publish("token", "1", .id = "b");
	raw("ZREM", "sse:active", "a", "b");
	raw("PERSIST", "sse:stream:b");
	raw("PERSIST", "sse:events:b");
	sr_heal_call(&call, &w.reg, keys, ids, 4);
	reply = world_call(&call);
	cr_assert(sr_reply_int_at(reply, 0, -1) == 2 && sr_reply_int_at(reply, 1, -1) == 2);
	cr_assert_geq(score("sse:active", "a"), 0);
	cr_assert_geq(score("sse:active", "b"), 0);
}
