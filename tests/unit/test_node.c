/* What processes say of themselves, and what outlives them: every branch of common/lua/node.lua. */
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

static struct sr_node node_of(const char *name)
{
	return (struct sr_node){.name = name, .count = 2, .counters = {{.name = "opened"}, {.name = "gaps"}}};
}

static long long say(struct sr_node *n, uint64_t opened, uint64_t gaps, bool leaves)
{
	static const char *const fields[] = {"kind", "responder", "streams", "12", NULL};
	struct sr_call call;

	n->counters[0].value = opened;
	n->counters[1].value = gaps;
	sr_node_call(&call, &w.reg, n, fields, leaves);
	return sr_reply_int(world_call(&call), -1);
}

static void report(struct sr_node *n, uint64_t opened, uint64_t gaps)
{
	struct sr_call call;

	n->counters[0].value = opened;
	n->counters[1].value = gaps;
	sr_node_call(&call, &w.reg, n, NULL, false);
	cr_assert_eq(sr_node_read(n, world_call(&call)), SR_OK);
}

#define assert_totals(opened, gaps) \
	do { \
		cr_assert_str_eq(field("sse:totals", "opened"), opened); \
		cr_assert_str_eq(field("sse:totals", "gaps"), gaps); \
	} while (0)

world_test(node, says_that_it_is_alive)
{
	struct sr_node a = node_of("fcgi-a");
	long long at = say(&a, 7, 0, false);

	cr_assert(at > redis_ms() - 10000 && at <= redis_ms());
	cr_assert_eq(raw_int("HLEN", "sse:node:fcgi-a"), 6);
	cr_assert_str_eq(field("sse:node:fcgi-a", "node"), "fcgi-a");
	cr_assert(iso_now(field("sse:node:fcgi-a", "seenAt")));
	cr_assert_str_eq(field("sse:node:fcgi-a", "kind"), "responder");
	cr_assert_str_eq(field("sse:node:fcgi-a", "streams"), "12");
	cr_assert_str_eq(field("sse:node:fcgi-a", "opened"), "7");
	assert_ttl("sse:node:fcgi-a", SR_NODE_TTL_MS);
	assert_ttl("sse:nodes", SR_NODE_TTL_MS);
	assert_ttl("sse:totals", 30LL * 24 * 3600000);
	cr_assert_geq(score("sse:nodes", "fcgi-a"), redis_ms() - 10000);
}

world_test(node, forgets_those_that_are_silent)
{
	struct sr_node a = node_of("fcgi-a");

	raw("ZADD", "sse:nodes", num(redis_ms() - SR_NODE_TTL_MS - 1), "dead", num(redis_ms() - SR_NODE_TTL_MS + 10000), "slow");
	raw("PEXPIRE", "sse:nodes", "60000");
	say(&a, 0, 0, false);
	cr_assert_eq(score("sse:nodes", "dead"), -1000);
	cr_assert_geq(score("sse:nodes", "slow"), 0);
}

world_test(node, that_leaves_is_gone_and_its_counts_are_not)
{
	struct sr_node a = node_of("a"), b = node_of("b");

	report(&a, 5, 1);
	report(&b, 10, 0);
	say(&a, 8, 1, true);
	cr_assert(!there("sse:node:a"));
	cr_assert_eq(score("sse:nodes", "a"), -1000);
	cr_assert_geq(score("sse:nodes", "b"), 0);
	assert_totals("18", "1");
}

world_test(node, that_leaves_without_having_come_is_counted)
{
	struct sr_node once = node_of("once");

	say(&once, 3, 0, true);
	cr_assert(!there("sse:node:once") && !there("sse:nodes"));
	cr_assert_str_eq(field("sse:totals", "opened"), "3");
	assert_ttl("sse:totals", 30LL * 24 * 3600000);
}

world_test(totals, hold_what_each_process_added_once)
{
	struct sr_node a = node_of("a"), b = node_of("b");

	report(&a, 5, 0);
	report(&b, 100, 2);
	assert_totals("105", "2");
	report(&a, 5, 0);
	assert_totals("105", "2");
	report(&a, 6, 3);
	report(&b, 101, 2);
	assert_totals("107", "5");
}

/* kill -9: the next process of that host has another name and begins at 0. */
world_test(totals, do_not_go_down_when_a_process_is_killed)
{
	struct sr_node a = node_of("a"), b = node_of("b");

	report(&a, 50, 4);
	raw("DEL", "sse:node:a");
	raw("ZREM", "sse:nodes", "a");
	report(&b, 0, 0);
	assert_totals("50", "4");
	report(&b, 1, 0);
	assert_totals("51", "4");
}

/* The reply did not come: the same is said again, from what was confirmed before. */
world_test(totals, count_what_was_said_twice_once)
{
	struct sr_node a = node_of("a");

	report(&a, 5, 0);
	say(&a, 9, 1, false);
	say(&a, 9, 1, false);
	assert_totals("9", "1");
	say(&a, 11, 1, false);
	assert_totals("11", "1");
}

/* Suspended, or away from Redis, for longer than the hash lives. */
world_test(totals, count_no_part_again_when_the_hash_has_expired)
{
	struct sr_node a = node_of("a");

	report(&a, 1000, 10);
	raw("DEL", "sse:node:a");
	report(&a, 1001, 10);
	assert_totals("1001", "10");
}

world_test(totals, begin_anew_when_redis_is_empty)
{
	struct sr_node a = node_of("a"), b = node_of("b");

	report(&a, 1000, 10);
	report(&b, 500, 0);
	raw("FLUSHALL");
	report(&a, 1002, 10);
	report(&b, 503, 0);
	cr_assert_str_eq(field("sse:totals", "opened"), "5");
	cr_assert_str_eq(field("sse:totals", "gaps"), "", "nothing was added");
}

/* A restore or a failover: the totals are smaller than they were seen, and a counter that falls a little looks like one that
 * began anew and has counted all the rest since. */
world_test(totals, begin_anew_when_redis_went_back)
{
	struct sr_node a = node_of("a"), b = node_of("b");
	const char *at;

	report(&a, 900, 0);
	report(&b, 50, 0);
	at = text("%s", field("sse:totals", "at"));
	report(&a, 1000, 5);
	report(&b, 60, 0);
	raw("HSET", "sse:totals", "at", num(strtoll(at, NULL, 10) - 1000), "opened", "950");
	raw("HDEL", "sse:totals", "gaps");
	raw("HSET", "sse:node:a", "opened", "900", "gaps", "0");
	raw("HSET", "sse:node:b", "opened", "50");
	report(&a, 1001, 5);
	cr_assert_str_eq(field("sse:totals", "opened"), "1");
	report(&b, 63, 0);
	cr_assert_str_eq(field("sse:totals", "opened"), "4", "begun anew once, and only what is new was added");
	cr_assert_str_eq(field("sse:totals", "gaps"), "");
}

world_test(totals, survive_a_clock_that_goes_back)
{
	struct sr_node a = node_of("a");
	long long later = redis_ms() + 3600000;

	report(&a, 5, 0);
	raw("HSET", "sse:totals", "at", num(later));
	report(&a, 6, 0);
	cr_assert_eq(a.kept_at, later, "it never falls");
	report(&a, 8, 0);
	assert_totals("8", "");
}

world_test(totals, take_nonsense_for_nothing)
{
	static const char *const nonsense[] = {"nan", "inf", "-5", "1e9", "", "0x10", "99999999999999999999999", " 7"};

	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		struct sr_node a = node_of("a");

		raw("DEL", "sse:node:a", "sse:totals");
		raw("HSET", "sse:totals", "opened", nonsense[i], "at", nonsense[i]);
		raw("HSET", "sse:node:a", "opened", nonsense[i]);
		report(&a, 5, 0);
		cr_assert_str_eq(field("sse:totals", "opened"), "5", "%s", nonsense[i]);
	}
}

world_test(totals, of_another_type_do_not_make_a_process_vanish)
{
	struct sr_node a = node_of("a");
	struct sr_call call;
	struct sr_reply *reply;

	raw("SET", "sse:totals", "x", "PX", "100000");
	w.odd = true;
	sr_node_call(&call, &w.reg, &a, NULL, false);
	cr_assert_neq(sr_session_try(w.session, &call, 0, &reply), SR_OK);
	sr_call_release(&call);
	cr_assert_geq(score("sse:nodes", "a"), 0);
	assert_ttl("sse:node:a", SR_NODE_TTL_MS);
}

world_test(totals, a_reply_of_another_form_confirms_nothing)
{
	struct sr_node a = node_of("a");

	a.counters[0].sent = 5;
	cr_assert_eq(sr_node_read(&a, raw("ECHO", "OK")), SR_EREPLY);
	cr_assert_eq(sr_node_read(&a, NULL), SR_EREPLY);
	cr_assert(a.counters[0].kept == 0 && a.kept_at == 0);
}

Test(node, says_so_each_beat_but_not_more_rarely_than_each_ten_seconds)
{
	cr_assert_eq(sr_node_period(&(struct sr_registry){.beat_interval = 300}), 300);
	cr_assert_eq(sr_node_period(&(struct sr_registry){.beat_interval = 60000}), SR_NODE_PERIOD_MS);
}
