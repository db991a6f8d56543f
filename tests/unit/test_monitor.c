/* All processes at once: common/lua/monitor.lua, its reading and its sums, and the page that Prometheus gets. */
#include "common/clock.h"
#include "common/metrics.h"
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

static struct sr_monitor look(void)
{
	struct sr_monitor m;
	struct sr_call call;

	sr_monitor_call(&call, &w.reg);
	cr_assert_eq(sr_monitor_read(world_call(&call), &m), SR_OK);
	return m;
}

/* A process that was seen `ms` ago. */
static void seen(const char *name, long long ms)
{
	raw("ZADD", "sse:nodes", num(redis_ms() - ms), name);
	raw("PEXPIRE", "sse:nodes", "60000");
	raw("PEXPIRE", text("sse:node:%s", name), "60000");
}

static void responder(const char *name, const char *viewers, const char *rss, const char *uptime)
{
	raw("HSET", text("sse:node:%s", name), "node", name, "kind", "responder", "viewers", viewers, "streams", "3", "publishing", "1", "rss", rss,
	    "uptime", uptime, "version", "0.1.0");
	seen(name, 100);
}

/* The caller's to free. */
static char *page(const struct sr_monitor *m, const struct sr_metrics_self *self)
{
	struct sr_buf out;

	sr_buf_init(&out, SR_METRICS_BYTES_MAX);
	cr_assert_eq(sr_metrics_render(&out, m, self), SR_OK);
	return out.data;
}

/* The value behind "name "; NULL when there is no such line. */
static const char *value(const char *text_, const char *name)
{
	static char out[64];
	size_t len = strlen(name);

	for (const char *line = text_; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, name, len) == 0 && line[len] == ' ') {
			snprintf(out, sizeof out, "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
			return out;
		}
	return NULL;
}

#define assert_value(p, name, expected) \
	cr_assert(value(p, name) && strcmp(value(p, name), expected) == 0, "%s is %s", name, value(p, name) ? value(p, name) : "absent")

/* name="value",name="value"} and the values need no escapes. */
static void assert_labels(const char *labels)
{
	char kind[16], version[64];
	int end = 0;

	cr_assert_geq(sscanf(labels, "kind=\"%15[a-z]\"}%n", kind, &end), 1, "%s", labels);
	if (!end)
		cr_assert_geq(sscanf(labels, "kind=\"%15[a-z]\",version=\"%n%63[^\"\\]%n", kind, &end, version, &end), 1, "%s", labels);
	cr_assert(end && (labels[end] == '\0' || strcmp(labels + end, "\"}") == 0), "%s", labels);
}

/* Each line is a comment or a sample; each sample's family was announced, once, right above it. */
static void assert_format(const char *text_)
{
	char *copy = strdup(text_), *rest = copy, *line, family[128] = "", key[256], seen_families[8192] = " ";

	cr_assert(*text_ && text_[strlen(text_) - 1] == '\n');
	while ((line = strsep(&rest, "\n")) && *line) {
		char kind[16], name[128], labels[192] = "", number[64];
		int end = 0;

		for (const char *c = line; *c; c++)
			cr_assert(*c >= ' ' && *c <= '~', "a byte %d in: %s", *c, line);
		if (sscanf(line, "# HELP %127[a-z_] %n", name, &end) == 1) {
			snprintf(key, sizeof key, " %s ", name);
			cr_assert(!strstr(seen_families, key), "%s twice", name);
			cr_assert(strlen(seen_families) + strlen(key) < sizeof seen_families && line[end]);
			strncat(seen_families, key, sizeof seen_families - strlen(seen_families) - 1);
			memcpy(family, name, sizeof family);
			continue;
		}
		if (sscanf(line, "# TYPE %127[a-z_] %15s", name, kind) == 2) {
			cr_assert_str_eq(name, family);
			cr_assert_eq(strcmp(kind, "counter") == 0, strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0, "%s", name);
			continue;
		}
		if (sscanf(line, "%127[a-z_]{%191[^ ] %63[0-9.]%n", name, labels, number, &end) == 3)
			assert_labels(labels);
		else
			cr_assert_eq(sscanf(line, "%127[a-z_] %63[0-9.]%n", name, number, &end), 2, "%s", line);
		cr_assert_eq(line[end], '\0', "%s", line);
		cr_assert_str_eq(name, family);
	}
	cr_assert(!rest || !*rest);
	free(copy);
}

/* --- the script ---------------------------------------------------------------------------------------------- */

world_test(monitor, of_an_empty_redis)
{
	struct sr_monitor m = look();
	struct sr_overview o = sr_monitor_overview(&m);

	cr_assert(m.active == 0 && m.orphaned == 0 && m.now_ms > redis_ms() - 10000);
	cr_assert(sr_reply_count(m.nodes) == 0 && sr_reply_count(m.guardian) == 0 && sr_reply_count(m.totals) == 0);
	cr_assert(o.canary_age_ms == -1 && o.writable_ms == -1 && o.pass_age_ms == -1 && o.pass_ms == -1);
	cr_assert(o.kind[SR_NODE_RESPONDER].processes == 0 && o.kind[SR_NODE_RESPONDER].youngest_s == -1);
}

world_test(monitor, knows_no_age_beyond_its_clock)
{
	static const char *const scores[] = {"inf", "1e300", "-1", "-inf", "-1e300"};

	for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
		struct sr_monitor m;
		long long age_ms;

		raw("FLUSHALL");
		raw("HSET", "sse:node:r", "kind", "responder");
		seen("r", 0);
		raw("ZADD", "sse:nodes", scores[i], "r");
		m = look();
		cr_assert_eq(sr_reply_count(m.nodes), 1);
		sr_monitor_node(&m, 0, &age_ms);
		cr_assert(age_ms >= 0 && age_ms <= m.now_ms, "%s: %lld", scores[i], age_ms);
	}
}

world_test(monitor, sums_up_what_is_there)
{
	struct sr_monitor m;
	struct sr_overview o;
	long long age_ms;
	char at[SR_ISO_SIZE];

	open_stream(.id = "a", .user = "ann");
	open_stream(.id = "b", .user = "ann", .lease = true);
	age("b", STALE + 1);
	prove(PROOF + 1000);
	cr_assert_eq(sweep_one("b"), SR_MARKED);
	responder("r1", "10", "1000", "500");
	responder("r2", "32", "3000", "20");
	raw("HSET", "sse:node:g1", "node", "g1", "kind", "guardian", "rss", "77", "uptime", "9", "passes", "4");
	seen("g1", 4000);
	sr_clock_iso(at, redis_ms() - 7000);
	raw("HSET", "sse:guardian", "lastPassAt", at, "lastPassMs", "12");
	m = look();
	o = sr_monitor_overview(&m);
	cr_assert(m.active == 1 && m.orphaned == 1);
	cr_assert_eq(sr_reply_count(m.nodes), 3);
	cr_assert_str_eq(sr_monitor_word(sr_monitor_node(&m, 2, &age_ms), "node"), "g1", "the one that was seen last comes first");
	cr_assert(age_ms >= 4000 && age_ms < 14000);
	cr_assert(o.kind[SR_NODE_RESPONDER].processes == 2 && o.kind[SR_NODE_RESPONDER].rss == 4000 && o.kind[SR_NODE_RESPONDER].most_rss == 3000 &&
	          o.kind[SR_NODE_RESPONDER].youngest_s == 20);
	cr_assert(o.kind[SR_NODE_GUARDIAN].processes == 1 && o.kind[SR_NODE_GUARDIAN].rss == 77 && o.kind[SR_NODE_GUARDIAN].youngest_s == 9);
	cr_assert(o.viewers == 42 && o.streams == 6 && o.publishing == 2);
	cr_assert(o.canary_age_ms >= 0 && o.canary_age_ms < 10000 && o.writable_ms >= PROOF);
	cr_assert(o.pass_age_ms >= 7000 && o.pass_age_ms < 17000 && o.pass_ms == 12);
}

world_test(monitor, passes_over_what_is_not_ours)
{
	struct sr_monitor m;
	char *big = repeat('x', 5000);

	raw("SET", "sse:active", "x", "PX", "100000");
	raw("SET", "sse:orphaned", "x", "PX", "100000");
	raw("SET", "sse:guardian", "x", "PX", "100000");
	raw("SET", "sse:node:text", "x", "PX", "100000");
	seen("text", 0);
	seen("nobody", 0);
	raw("HSET", "sse:node:big", "kind", big);
	seen("big", 0);
	raw("EVAL", "for i = 1, 65 do redis.call('HSET', 'sse:node:many', 'f' .. i, 1) end", "0");
	seen("many", 0);
	w.odd = true;
	m = look();
	cr_assert(m.active == -1 && m.orphaned == -1 && sr_reply_count(m.guardian) == 0);
	cr_assert_eq(sr_reply_count(m.nodes), 1, "only what is a hash of a reasonable size");
	cr_assert_eq(strlen(sr_monitor_word(sr_monitor_node(&m, 0, NULL), "kind")), 128, "and its words are cut");
	free(big);
	raw("SET", "sse:nodes", "x", "PX", "100000");
	m = look();
	cr_assert_eq(sr_reply_count(m.nodes), 0);
}

world_test(monitor, is_bounded)
{
	struct sr_monitor m;
	char *p;

	raw("EVAL", "for i = 1, 700 do redis.call('ZADD', 'sse:nodes', i, 'n' .. i) redis.call('HSET', 'sse:node:n' .. i, 'kind', 'responder')"
	            " redis.call('PEXPIRE', 'sse:node:n' .. i, 60000) end redis.call('PEXPIRE', 'sse:nodes', 60000)", "0");
	m = look();
	cr_assert_eq(sr_reply_count(m.nodes), SR_MONITOR_NODES_MAX);
	p = page(&m, NULL);
	assert_format(p);
	free(p);
}

world_test(monitor, writes_nothing)
{
	char *before;

	responder("r1", "1", "1", "1");
	before = strdup(digest());
	look();
	cr_assert_str_eq(digest(), before);
	free(before);
}

Test(monitor, refuses_what_is_no_such_reply)
{
	struct sr_monitor m;

	cr_assert_eq(sr_monitor_read(NULL, &m), SR_EREPLY);
}

/* --- the page ------------------------------------------------------------------------------------------------ */

world_test(metrics, say_what_is_in_redis)
{
	struct sr_metrics_self self = {.streams = 2, .viewers = 5, .uptime_ms = 61005, .rss = 4096};
	struct sr_monitor m;
	char *p;

	responder("r1", "10", "1000", "500");
	responder("r2", "32", "3000", "20");
	prove(PROOF + 1000);
	raw("HSET", "sse:totals", "opened", "70", "delivered", "123456789012345", "failed", "2");
	raw("PEXPIRE", "sse:totals", "100000");
	m = look();
	p = page(&m, &self);
	assert_format(p);
	assert_value(p, "sse_redis_up", "1");
	assert_value(p, "sse_viewers", "42");
	assert_value(p, "sse_processes{kind=\"responder\"}", "2");
	assert_value(p, "sse_processes{kind=\"guardian\"}", "0");
	assert_value(p, "sse_version_processes{kind=\"responder\",version=\"0.1.0\"}", "2");
	assert_value(p, "sse_process_resident_memory_bytes{kind=\"responder\"}", "4000");
	assert_value(p, "sse_process_resident_memory_max_bytes{kind=\"responder\"}", "3000");
	assert_value(p, "sse_process_youngest_uptime_seconds{kind=\"responder\"}", "20");
	cr_assert(!value(p, "sse_process_youngest_uptime_seconds{kind=\"guardian\"}"), "of none there is no uptime");
	assert_value(p, "sse_viewers_opened_total", "70");
	assert_value(p, "sse_events_delivered_total", "123456789012345");
	assert_value(p, "sse_guardian_failed_streams_total", "2");
	assert_value(p, "sse_gaps_total", "0");
	assert_value(p, "sse_self_viewers", "5");
	assert_value(p, "sse_self_uptime_seconds", "61.005");
	cr_assert(value(p, "sse_guardian_canary_age_seconds"));
	cr_assert(!value(p, "sse_guardian_last_pass_age_seconds"), "there was no pass");
	free(p);
}

Test(metrics, without_redis_say_so_and_no_more)
{
	struct sr_metrics_self self = {.streams = 1, .viewers = 1, .uptime_ms = 1, .rss = 1};
	char *p = page(NULL, NULL);

	cr_assert_str_eq(p, "# HELP sse_redis_up Whether Redis answered: 1 or 0.\n# TYPE sse_redis_up gauge\nsse_redis_up 0\n");
	free(p);
	p = page(NULL, &self);
	assert_format(p);
	assert_value(p, "sse_redis_up", "0");
	assert_value(p, "sse_self_viewers", "1");
	cr_assert(!value(p, "sse_viewers"), "what is not known is not said");
	free(p);
}

world_test(metrics, keep_their_form_whatever_is_in_redis)
{
	static const char *const evil[] = {"\n", "a\nsse_fake 1", "\"", "\\", "a\"} 1\nb{c=\"", "NaN", "+Inf", "-1", "1e308", "99999999999999999999", "\xff\xfe", "",
	                                   "#", "}", "0x1"};
	struct sr_monitor m;
	char *p;

	for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
		raw("FLUSHALL");
		raw("HSET", "sse:node:r", "kind", i % 2 ? "responder" : "guardian", "version", evil[i], "viewers", evil[i], "rss", evil[i], "uptime", evil[i],
		    "streams", evil[i]);
		seen("r", 0);
		raw("HSET", "sse:node:s", "kind", evil[i], evil[i], evil[i]);
		seen("s", -100000);
		raw("HSET", "sse:totals", "opened", evil[i], evil[i], "1");
		raw("HSET", "sse:guardian", "last", evil[i], "since", evil[i], "lastPassAt", evil[i], "lastPassMs", evil[i]);
		raw("PEXPIRE", "sse:totals", "10000");
		raw("PEXPIRE", "sse:guardian", "10000");
		m = look();
		p = page(&m, NULL);
		assert_format(p);
		assert_value(p, "sse_viewers_opened_total", "0");
		assert_value(p, "sse_viewers", "0");
		cr_assert(!strstr(p, "sse_fake 1"));
		free(p);
	}
}

world_test(metrics, name_few_versions)
{
	struct sr_monitor m;
	char *p;
	int lines = 0;

	for (int i = 0; i < 20; i++) {
		raw("HSET", text("sse:node:n%d", i), "kind", "responder", "version", i == 0 ? "a\\b\"c\n\xc3\xa9" : text("9.%d", i));
		seen(text("n%d", i), i);
	}
	m = look();
	p = page(&m, NULL);
	assert_format(p);
	for (const char *at = p; (at = strstr(at, "\nsse_version_processes{")); at++)
		lines++;
	cr_assert_eq(lines, 8);
	assert_value(p, "sse_version_processes{kind=\"responder\",version=\"a_b_c___\"}", "1");
	assert_value(p, "sse_processes{kind=\"responder\"}", "20");
	free(p);
}

Test(metrics, that_do_not_fit_leave_the_buffer_alone)
{
	struct sr_buf out;

	sr_buf_init(&out, 50);
	cr_assert_eq(sr_buf_puts(&out, "before"), SR_OK);
	cr_assert_eq(sr_metrics_render(&out, NULL, NULL), SR_ETOOBIG);
	cr_assert_str_eq(out.data, "before");
	sr_buf_release(&out);
}
