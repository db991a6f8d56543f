#include "guardian/report.h"

#include "common/log.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NODE_TTL_MS 60000

static const char *const last_names[] = {"lastPassMs", "lastPassActive", "lastPassMarked", "lastPassFailed", "lastPassHealed"};

static void write_number(char out[SR_REPORT_NUMBER], long long n)
{
	snprintf(out, SR_REPORT_NUMBER, "%lld", n);
}

void sr_report_init(struct sr_report *r)
{
	*r = (struct sr_report){.name = "guardian-"};
	sr_random_name(r->name + strlen(r->name), 10);
	if (gethostname(r->host, sizeof r->host - 1) != 0)
		r->host[0] = '\0';
	write_number(r->pid, getpid());
	sr_clock_iso(r->started_at, sr_clock_wall());
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

	r->passes++;
	r->marked += t->marked;
	r->failed += t->failed;
	r->healed += healed;
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

static void on_node(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	(void)ctx;
	(void)err;
	(void)reply;
}

void sr_report_node(const struct sr_report *r, const struct sr_link *link)
{
	char passes[SR_REPORT_NUMBER], marked[SR_REPORT_NUMBER], failed[SR_REPORT_NUMBER], healed[SR_REPORT_NUMBER];
	const char *const fields[] = {"kind", "guardian", "host", r->host, "pid", r->pid, "version", SR_VERSION, "startedAt", r->started_at,
	                              "passes", passes, "marked", marked, "failed", failed, "healed", healed, NULL};
	struct sr_call call;

	write_number(passes, r->passes);
	write_number(marked, r->marked);
	write_number(failed, r->failed);
	write_number(healed, r->healed);
	sr_node_call(&call, &link->reg, r->name, NODE_TTL_MS, fields);
	if (sr_link_send(link, &call, on_node, NULL) != SR_OK)
		sr_log(SR_LOG_DEBUG, "not reported", (char *)NULL);
}
