/* The table of scripts against a real Redis: names, hashes, counts, flags, and the date that they write. */
#include "common/clock.h"
#include "tests/support/world.h"

#include <string.h>
#include <time.h>

static const char *const names[] = {"attach", "beat", "canary", "detach", "end", "heal", "look", "lost", "monitor", "node", "open", "publish", "records", "recover",
                                    "stale", "sweep"};

world_test(script, every_hash_is_what_redis_computes)
{
	cr_assert_eq(sizeof names / sizeof names[0], SR_SCRIPT_COUNT);
	for (int i = 0; i < SR_SCRIPT_COUNT; i++) {
		const struct sr_script *s = sr_script_get((enum sr_script_name)i);

		cr_assert_str_eq(s->name, names[i]);
		cr_assert_eq(strlen(s->sha1), 40);
		cr_assert_str_eq(raw_text("SCRIPT", "LOAD", s->text), s->sha1, "%s", s->name);
	}
}

/* A replica, and a Redis that is out of memory, still answer these. */
world_test(script, those_that_only_read_say_so)
{
	for (int i = 0; i < SR_SCRIPT_COUNT; i++) {
		const struct sr_script *s = sr_script_get((enum sr_script_name)i);

		cr_assert_eq(strncmp(s->text, "#!lua flags=no-writes\n", 22) == 0,
		             i == SR_SCRIPT_LOOK || i == SR_SCRIPT_LOST || i == SR_SCRIPT_MONITOR || i == SR_SCRIPT_RECORDS || i == SR_SCRIPT_RECOVER ||
		             i == SR_SCRIPT_STALE, "%s", s->name);
	}
}

/* What programs that we do not know depend on. A change here breaks them: raise the contract, and say so in CHANGES.md. */
world_test(script, the_public_interfaces_are_what_they_were)
{
	static const struct { enum sr_script_name name; int keys, more_keys, args, more_args; } public[] = {
		{SR_SCRIPT_OPEN, 6, 0, 9, 0}, {SR_SCRIPT_PUBLISH, 6, 0, 11, 1}, {SR_SCRIPT_BEAT, 6, 1, 8, 1}, {SR_SCRIPT_END, 6, 0, 11, 0}};
	int with_contract = 0;

	for (size_t i = 0; i < sizeof public / sizeof public[0]; i++) {
		const struct sr_script *s = sr_script_get(public[i].name);

		cr_assert(s->keys == public[i].keys && s->more_keys == public[i].more_keys, "keys of %s", s->name);
		cr_assert(s->args == public[i].args && s->more_args == public[i].more_args, "args of %s", s->name);
		cr_assert_eq(s->contract, 1, "contract of %s", s->name);
	}
	for (int i = 0; i < SR_SCRIPT_COUNT; i++)
		with_contract += sr_script_get((enum sr_script_name)i)->contract != 0;
	cr_assert_eq(with_contract, 4, "the others are internal");
}

/* --- counts -------------------------------------------------------------------------------------------------- */

static void good(struct sr_call *call)
{
	cr_assert_eq(sr_call_check(call), SR_OK, "%s: %d keys, %d args", call->script < 0 ? "" : sr_script_get(call->script)->name, call->keys,
	             call->args);
	sr_call_release(call);
}

world_test(script, every_verb_sends_what_its_script_takes)
{
	static const char *const fields[] = {"a", "1", NULL}, *const ids[] = {"a", "b"}, *const keys[] = {"sse:x", "sse:y"};
	struct sr_attach a = {.id = "a", .user = "u", .node = "n"};
	struct sr_open o = {.id = "a", .user = "u"};
	struct sr_publish p = {.id = "a", .user = "u", .producer = "p"};
	struct sr_beat beats[2] = {{.id = "a"}, {.id = "b"}};
	struct sr_node node = {.name = "n", .count = 2, .counters = {{.name = "x"}, {.name = "y"}}};
	struct sr_call call;

	good((sr_attach_call(&call, &w.reg, &a), &call));
	good((sr_detach_call(&call, &w.reg, "a", "n", 0, false, NULL), &call));
	good((sr_beat_call(&call, &w.reg, "n", beats, 2), &call));
	good((sr_beat_call(&call, &w.reg, "", beats, 1), &call));
	good((sr_log_call(&call, &w.reg, "a", SR_EVENT_ID_START, 1), &call));
	good((sr_look_call(&call, &w.reg, ids, 2, 1, fields), &call));
	good((sr_lost_call(&call, &w.reg, ids, 2, fields), &call));
	good((sr_recover_call(&call, &w.reg, "a", "u", false), &call));
	good((sr_open_call(&call, &w.reg, &o), &call));
	sr_publish_call(&call, &w.reg, &p);
	cr_assert_eq(sr_call_check(&call), SR_EINVAL, "an empty batch");
	sr_publish_add(&call, "token", "1", 1);
	cr_assert_eq(sr_call_check(&call), SR_OK);
	sr_publish_add(&call, "token", "1", 1);
	good(&call);
	good((sr_end_call(&call, &w.reg, &p, "failed", "{}", 2), &call));
	good((sr_stale_call(&call, &w.reg, 1), &call));
	good((sr_sweep_call(&call, &w.reg, ids, 2), &call));
	good((sr_canary_call(&call, &w.reg, "r", NULL), &call));
	good((sr_canary_call(&call, &w.reg, "r", fields), &call));
	good((sr_heal_call(&call, &w.reg, keys, ids, 2), &call));
	good((sr_node_call(&call, &w.reg, &node, fields, false), &call));
	good((sr_node_call(&call, &w.reg, &node, NULL, true), &call));
	good((sr_monitor_call(&call, &w.reg), &call));
	good((sr_records_call(&call, &w.reg, ids, 2, fields), &call));
}

/* --- the date ------------------------------------------------------------------------------------------------ */

/* A script that writes the date of each argument, with the library that the programs' scripts include. */
static const char *dates_script(void)
{
	static char out[8192] = "";
	const char *text = sr_script_get(SR_SCRIPT_CANARY)->text, *end = strstr(text, "local gap, run, ttl");

	cr_assert(end && (size_t)(end - text) < sizeof out - 200, "canary.lua begins with lib/clock.lua and nothing else");
	memcpy(out, text, (size_t)(end - text));
	strcat(out, "local reply = {}\nfor i, ms in ipairs(ARGV) do reply[i] = iso(tonumber(ms)) end\nreturn reply\n");
	return out;
}

static void check_dates(const char *script, const long long *ms, size_t count)
{
	struct sr_call call;
	const struct sr_reply *reply;
	char wanted[SR_ISO_SIZE + 8];

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "EVAL");
	sr_call_text(&call, script);
	sr_call_text(&call, "0");
	for (size_t i = 0; i < count; i++)
		sr_call_int(&call, ms[i]);
	reply = world_call(&call);
	for (size_t i = 0; i < count; i++) {
		time_t seconds = (time_t)(ms[i] / 1000);
		struct tm tm;
		size_t len = strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));

		snprintf(wanted + len, sizeof wanted - len, ".%03dZ", (int)(ms[i] % 1000));
		cr_assert_str_eq(sr_reply_text_at(reply, i, NULL), wanted, "%lld ms", ms[i]);
	}
}

world_test(clock, writes_dates_as_strftime_does)
{
	static const long long some[] = {
		0, 1, 999, 1000, 59999, 86399999, 86400000,
		951782399999, 951782400000,   /* 2000-02-29, a leap year by 400: the turn of the day */
		951868799999, 951868800000,   /* and into March */
		1709164800000, 1709251199999, /* 2024-02-29 */
		1709251200000, 1735689599999, /* 2024-03-01, 2024-12-31 */
		1740787199999, 1740787200000, /* 2025-02-28, no leap year */
		1763920020123,                /* 2025-11-23 */
		4107542399999, 4107542400000, /* 2100-02-28: no leap year by 100 */
		13574563199999, 253402300799999,
	};

	check_dates(dates_script(), some, sizeof some / sizeof some[0]);
}

world_test(clock, writes_every_day_of_five_centuries)
{
	static long long days[400];
	const char *script = dates_script();
	long long day = 0;

	while (day < 182622) {
		size_t count = 0;

		for (; count < sizeof days / sizeof days[0]; count++, day++)
			days[count] = day * 86400000 + (day * 7919) % 86400000;
		check_dates(script, days, count);
	}
}

world_test(clock, is_redis_own_clock)
{
	struct sr_call call;
	long long before = redis_ms(), now, after;

	sr_stale_call(&call, &w.reg, 1);
	now = sr_reply_int_at(world_call(&call), 0, 0);
	after = redis_ms();
	cr_assert(before <= now && now <= after);
}
