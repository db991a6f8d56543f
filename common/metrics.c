#include "common/metrics.h"

#include <string.h>

#define VERSIONS_MAX 8 /* of each kind, while an upgrade is under way */
#define VERSION_SIZE 33

static const struct { const char *field, *name, *help; } totals[] = {
	{"opened", "sse_viewers_opened_total", "Event streams that were opened to a client."},
	{"resumed", "sse_viewers_resumed_total", "Those of them that went on behind an event the client had."},
	{"refused", "sse_viewers_refused_total", "Clients that were sent away with 200 and retry: because of max_streams, memory or a Redis that is away."},
	{"delivered", "sse_events_delivered_total", "Events that were sent to clients, their ends included."},
	{"terminals", "sse_terminals_delivered_total", "Terminal events that were sent to clients."},
	{"gaps", "sse_gaps_total", "Gap notices that were sent to clients: events were no longer there."},
	{"slow", "sse_slow_viewers_total", "Times that a client fell behind by more than client_buffer and went back to the log."},
	{"published", "sse_events_published_total", "Events that HTTP requests stored, repeats aside."},
	{"passes", "sse_guardian_passes_total", "Passes of guardians over the streams."},
	{"marked", "sse_guardian_orphaned_streams_total", "Streams that a guardian marked as orphaned."},
	{"failed", "sse_guardian_failed_streams_total", "Orphaned streams that a guardian ended as failed."},
	{"healed", "sse_guardian_healed_keys_total", "Keys that a guardian gave a time to live or put back into an index."},
};

/* One page under construction; the first failure is kept. */
struct page {
	struct sr_buf *out;
	enum sr_err err;
};

static void add(struct page *p, const char *format, ...) SR_PRINTF(2, 3);
static void add(struct page *p, const char *format, ...)
{
	va_list ap;

	if (p->err != SR_OK)
		return;
	va_start(ap, format);
	p->err = sr_buf_vprintf(p->out, format, ap);
	va_end(ap);
}

static void head(struct page *p, const char *name, const char *type, const char *help)
{
	add(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct page *p, const char *name, const char *help, long long value)
{
	head(p, name, "gauge", help);
	add(p, "%s %lld\n", name, value);
}

/* Left out when it is unknown, -1. */
static void seconds(struct page *p, const char *name, const char *help, long long ms)
{
	if (ms < 0)
		return;
	head(p, name, "gauge", help);
	add(p, "%s %lld.%03lld\n", name, ms / 1000, ms % 1000);
}

static void each_kind(struct page *p, const char *name, const char *help, const long long values[SR_NODE_KINDS])
{
	head(p, name, "gauge", help);
	for (int kind = 0; kind < SR_NODE_KINDS; kind++)
		if (values[kind] >= 0)
			add(p, "%s{kind=\"%s\"} %lld\n", name, sr_node_kinds[kind], values[kind]);
}

/* --- versions ------------------------------------------------------------------------------------------------ */

struct versions {
	size_t count;
	struct { char name[VERSION_SIZE]; long long processes; } item[VERSIONS_MAX];
};

/* A text that somebody else wrote, as the value of a label: what is not plain ASCII becomes _. */
static void label(char out[VERSION_SIZE], const char *text)
{
	size_t n = 0;

	for (; *text && n < VERSION_SIZE - 1; text++)
		out[n++] = (char)(*text > ' ' && *text <= '~' && *text != '"' && *text != '\\' ? *text : '_');
	out[n] = '\0';
}

static void count_version(struct versions *v, const char *text)
{
	char name[VERSION_SIZE];
	size_t i = 0;

	label(name, text);
	while (i < v->count && strcmp(v->item[i].name, name) != 0)
		i++;
	if (i == VERSIONS_MAX)
		return;
	if (i == v->count) {
		memcpy(v->item[i].name, name, sizeof name);
		v->count++;
	}
	v->item[i].processes++;
}

static void versions(struct page *p, const struct sr_monitor *m)
{
	struct versions seen[SR_NODE_KINDS] = {0};

	for (size_t i = 0; i < sr_reply_count(m->nodes); i++) {
		const struct sr_reply *fields = sr_monitor_node(m, i, NULL);
		enum sr_node_kind kind = sr_monitor_kind(fields);

		if (kind != SR_NODE_KINDS)
			count_version(&seen[kind], sr_monitor_word(fields, "version"));
	}
	head(p, "sse_version_processes", "gauge", "Processes alive of each version.");
	for (int kind = 0; kind < SR_NODE_KINDS; kind++)
		for (size_t i = 0; i < seen[kind].count; i++)
			add(p, "sse_version_processes{kind=\"%s\",version=\"%s\"} %lld\n", sr_node_kinds[kind], seen[kind].item[i].name,
			    seen[kind].item[i].processes);
}

/* --- the page ------------------------------------------------------------------------------------------------ */

static void processes(struct page *p, const struct sr_monitor *m, const struct sr_overview *o)
{
	long long alive[SR_NODE_KINDS], rss[SR_NODE_KINDS], most[SR_NODE_KINDS], youngest[SR_NODE_KINDS];

	for (int kind = 0; kind < SR_NODE_KINDS; kind++) {
		alive[kind] = o->kind[kind].processes;
		rss[kind] = o->kind[kind].rss;
		most[kind] = o->kind[kind].most_rss;
		youngest[kind] = o->kind[kind].youngest_s;
	}
	each_kind(p, "sse_processes", "Processes alive.", alive);
	versions(p, m);
	each_kind(p, "sse_process_resident_memory_bytes", "Resident memory of all of them together.", rss);
	each_kind(p, "sse_process_resident_memory_max_bytes", "Resident memory of the largest.", most);
	each_kind(p, "sse_process_youngest_uptime_seconds", "Time since the last start of any of them.", youngest);
}

static void now(struct page *p, const struct sr_monitor *m)
{
	struct sr_overview o = sr_monitor_overview(m);

	gauge(p, "sse_streams_active", "Streams that live.", m->active < 0 ? 0 : m->active);
	gauge(p, "sse_streams_orphaned", "Leased streams whose producer is silent, and still waited for.", m->orphaned < 0 ? 0 : m->orphaned);
	gauge(p, "sse_streams_watched", "Streams with a viewer, counted at each responder that has one.", o.streams);
	gauge(p, "sse_viewers", "Clients that are connected.", o.viewers);
	gauge(p, "sse_requests_publishing", "HTTP requests that are publishing.", o.publishing);
	processes(p, m, &o);
	seconds(p, "sse_guardian_canary_age_seconds", "Time since a guardian last proved that Redis can be written.", o.canary_age_ms);
	seconds(p, "sse_redis_writable_seconds", "How long Redis had been writable without a break when it did.", o.writable_ms);
	seconds(p, "sse_guardian_last_pass_age_seconds", "Time since a guardian last looked at all streams.", o.pass_age_ms);
	seconds(p, "sse_guardian_last_pass_duration_seconds", "How long that took.", o.pass_ms);
}

static void ever(struct page *p, const struct sr_monitor *m)
{
	for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
		head(p, totals[i].name, "counter", totals[i].help);
		add(p, "%s %lld\n", totals[i].name, sr_monitor_number(m->totals, totals[i].field));
	}
}

static void of_itself(struct page *p, const struct sr_metrics_self *self)
{
	gauge(p, "sse_self_streams", "Streams with a viewer at the responder that answered this request.", (long long)self->streams);
	gauge(p, "sse_self_viewers", "Clients of the responder that answered this request.", (long long)self->viewers);
	gauge(p, "sse_self_resident_memory_bytes", "Resident memory of the responder that answered this request.", self->rss);
	seconds(p, "sse_self_uptime_seconds", "Time since the start of the responder that answered this request.", self->uptime_ms);
}

enum sr_err sr_metrics_render(struct sr_buf *out, const struct sr_monitor *m, const struct sr_metrics_self *self)
{
	struct page p = {.out = out};
	size_t before = out->len;

	gauge(&p, "sse_redis_up", "Whether Redis answered: 1 or 0.", m != NULL);
	if (m) {
		now(&p, m);
		ever(&p, m);
	}
	if (self)
		of_itself(&p, self);
	if (p.err != SR_OK)
		sr_buf_truncate(out, before);
	return p.err;
}
