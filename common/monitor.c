#include "common/monitor.h"

#include "common/clock.h"
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 15 /* a sum of all stays below 2^63, and one alone is exact as a double */

const char *const sr_node_kinds[SR_NODE_KINDS] = {"responder", "guardian"};

enum sr_err sr_monitor_read(const struct sr_reply *reply, struct sr_monitor *out)
{
	*out = (struct sr_monitor){.now_ms = sr_reply_int_at(reply, 0, -1), .active = sr_reply_int_at(reply, 1, -1),
	                           .orphaned = sr_reply_int_at(reply, 2, -1), .guardian = sr_reply_at(reply, 3),
	                           .totals = sr_reply_at(reply, 4), .nodes = sr_reply_at(reply, 5)};
	return out->now_ms >= 0 && sr_reply_is_array(out->guardian) && sr_reply_is_array(out->totals) && sr_reply_is_array(out->nodes) ? SR_OK : SR_EREPLY;
}

const struct sr_reply *sr_monitor_node(const struct sr_monitor *m, size_t i, long long *age_ms)
{
	const struct sr_reply *node = sr_reply_at(m->nodes, i);

	if (age_ms)
		*age_ms = sr_reply_int_at(node, 0, 0);
	return sr_reply_at(node, 1);
}

const char *sr_monitor_word(const struct sr_reply *fields, const char *name)
{
	for (size_t i = 0; i + 1 < sr_reply_count(fields); i += 2)
		if (strcmp(sr_reply_text_at(fields, i, NULL), name) == 0)
			return sr_reply_text_at(fields, i + 1, NULL);
	return "";
}

long long sr_monitor_number(const struct sr_reply *fields, const char *name)
{
	const char *word = sr_monitor_word(fields, name);
	size_t len = strlen(word);

	return len > 0 && len <= DIGITS_MAX && strspn(word, "0123456789") == len ? strtoll(word, NULL, 10) : 0;
}

enum sr_node_kind sr_monitor_kind(const struct sr_reply *fields)
{
	const char *word = sr_monitor_word(fields, "kind");
	int kind = 0;

	while (kind < SR_NODE_KINDS && strcmp(word, sr_node_kinds[kind]) != 0)
		kind++;
	return (enum sr_node_kind)kind;
}

static void add_node(struct sr_overview *o, const struct sr_reply *fields)
{
	enum sr_node_kind kind = sr_monitor_kind(fields);
	long long rss = sr_monitor_number(fields, "rss"), uptime_s = sr_monitor_number(fields, "uptime");

	if (kind == SR_NODE_KINDS)
		return;
	o->kind[kind].processes++;
	o->kind[kind].rss += rss;
	if (rss > o->kind[kind].most_rss)
		o->kind[kind].most_rss = rss;
	if (o->kind[kind].youngest_s < 0 || uptime_s < o->kind[kind].youngest_s)
		o->kind[kind].youngest_s = uptime_s;
	if (kind != SR_NODE_RESPONDER)
		return;
	o->streams += sr_monitor_number(fields, "streams");
	o->viewers += sr_monitor_number(fields, "viewers");
	o->publishing += sr_monitor_number(fields, "publishing");
}

/* Since a moment of Redis's clock; one that is still to come was just now. */
static long long age(const struct sr_monitor *m, long long at_ms)
{
	return at_ms < m->now_ms ? m->now_ms - at_ms : 0;
}

struct sr_overview sr_monitor_overview(const struct sr_monitor *m)
{
	struct sr_overview o = {.canary_age_ms = -1, .writable_ms = -1, .pass_age_ms = -1, .pass_ms = -1};
	long long last = sr_monitor_number(m->guardian, "last"), since = sr_monitor_number(m->guardian, "since");
	sr_wall_ms pass = sr_clock_from_iso(sr_monitor_word(m->guardian, "lastPassAt"));

	for (int kind = 0; kind < SR_NODE_KINDS; kind++)
		o.kind[kind].youngest_s = -1;
	for (size_t i = 0; i < sr_reply_count(m->nodes); i++)
		add_node(&o, sr_monitor_node(m, i, NULL));
	if (last > 0) {
		o.canary_age_ms = age(m, last);
		o.writable_ms = since > 0 && since <= last ? last - since : 0;
	}
	if (pass >= 0) {
		o.pass_age_ms = age(m, pass);
		o.pass_ms = sr_monitor_number(m->guardian, "lastPassMs");
	}
	return o;
}
