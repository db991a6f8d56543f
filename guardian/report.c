#include "guardian/report.h"

#include "common/log.h"
#include "common/resident.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const last_names[] = {"lastPassMs", "lastPassActive", "lastPassMarked", "lastPassFailed", "lastPassHealed"};

static void write_number(char out[SR_REPORT_NUMBER], long long n)
{
	snprintf(out, SR_REPORT_NUMBER, "%lld", n);
}

void sr_report_init(struct sr_report *r)
{
	static const char *const counters[SR_REPORT_COUNTERS] = {"passes", "marked", "failed", "healed"};

	*r = (struct sr_report){.name = "guardian-"};
	sr_random_name(r->name + strlen(r->name), 10);
	if (gethostname(r->host, sizeof r->host - 1) != 0)
		r->host[0] = '\0';
	write_number(r->pid, getpid());
	sr_clock_iso(r->started_at, sr_clock_wall());
	r->started = sr_clock_mono();
	r->node.name = r->name;
	r->node.count = SR_REPORT_COUNTERS;
	for (int i = 0; i < SR_REPORT_COUNTERS; i++)
		r->node.counters[i].name = counters[i];
}

long long sr_report_count(const struct sr_report *r, enum sr_report_counter which)
{
	return (long long)r->node.counters[which].value;
}

static void count(struct sr_report *r, enum sr_report_counter which, long long more)
{
	r->node.counters[which].value += (uint64_t)more;
}

bool sr_tally_did(const struct sr_tally *t)
{
	return t->marked + t->failed + t->adopted + t->ended + t->gone + t->timed + t->indexed > 0;
}

static void log_pass(const struct sr_tally *t, long long healed, bool loud)
{
	sr_log(loud || sr_tally_did(t) ? SR_LOG_INFO : SR_LOG_DEBUG, "pass", "active", sr_log_num(t->active), "stale", sr_log_num(t->stale),
	       "marked", sr_log_num(t->marked), "failed", sr_log_num(t->failed), "adopted", sr_log_num(t->adopted),
	       "ended", sr_log_num(t->ended), "gone", sr_log_num(t->gone), "healed", sr_log_num(healed),
	       "ms", sr_log_num(t->took_ms), t->slow ? "slow" : (char *)NULL, "yes", (char *)NULL);
}

void sr_report_pass(struct sr_report *r, const struct sr_tally *t, bool loud)
{
	long long healed = t->timed + t->indexed;
	const long long numbers[] = {t->took_ms, t->active, t->marked, t->failed, healed};

	count(r, SR_PASSES, 1);
	count(r, SR_STREAMS_MARKED, t->marked);
	count(r, SR_STREAMS_FAILED, t->failed);
	count(r, SR_KEYS_HEALED, healed);
	log_pass(t, healed, loud);
	sr_clock_iso(r->last_at, t->at_ms > 0 ? t->at_ms : sr_clock_wall());
	for (int i = 0; i < 5; i++)
		write_number(r->last_number[i], numbers[i]);
	r->fresh = true;
	r->sent = false;
}

const char *const *sr_report_fields(struct sr_report *r, const char *fields[SR_REPORT_FIELDS])
{
	int n = 0;

	if (!r->fresh)
		return NULL;
	fields[n++] = "guardian";
	fields[n++] = r->name;
	fields[n++] = "lastPassAt";
	fields[n++] = r->last_at;
	for (int i = 0; i < 5; i++) {
		fields[n++] = last_names[i];
		fields[n++] = r->last_number[i];
	}
	fields[n] = NULL;
	r->sent = true;
	return fields;
}

void sr_report_kept(struct sr_report *r)
{
	if (r->sent)
		r->fresh = false;
	r->sent = false;
}

static enum sr_err send_node(struct sr_report *r, const struct sr_link *link, bool leaves, sr_redis_cb *cb, void *ctx)
{
	char uptime[SR_REPORT_NUMBER], rss[SR_REPORT_NUMBER];
	const char *const fields[] = {"kind", "guardian", "host", r->host, "version", SR_VERSION, "startedAt", r->started_at,
	                              "pid", r->pid, "uptime", uptime, "rss", rss, NULL};
	struct sr_call call;
	enum sr_err err;

	write_number(uptime, (sr_clock_mono() - r->started) / 1000);
	write_number(rss, sr_resident_bytes());
	sr_node_call(&call, &link->reg, &r->node, fields, leaves);
	err = sr_link_send(link, &call, cb, ctx);
	r->node.on_way |= err == SR_OK;
	return err;
}

static void on_node(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_report *r = ctx;

	r->node.on_way = false;
	if (err != SR_OK || sr_node_read(&r->node, reply) != SR_OK)
		sr_log(SR_LOG_DEBUG, "not reported", (char *)NULL);
}

void sr_report_node(struct sr_report *r, const struct sr_link *link)
{
	if (!r->node.on_way && send_node(r, link, false, on_node, r) != SR_OK)
		sr_log(SR_LOG_DEBUG, "not reported", (char *)NULL);
}

enum sr_err sr_report_leave(struct sr_report *r, const struct sr_link *link, sr_redis_cb *left, void *ctx)
{
	return send_node(r, link, true, left, ctx);
}
