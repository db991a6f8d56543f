/* registry.c - the calls of registry.h. Keys and arguments in the order of the scripts' head comments. */
#include "common/registry.h"

#include <stdio.h>
#include <string.h>

struct sr_registry sr_registry_of(const struct sr_conf *conf)
{
	return (struct sr_registry){.prefix = conf->key_prefix, .log_events = conf->log_events, .stream_ttl = conf->stream_ttl,
	                            .completion_ttl = conf->completion_ttl, .beat_interval = conf->beat_interval, .stale_threshold = conf->stale_threshold,
	                            .orphan_grace = conf->orphan_grace, .proof_window = conf->proof_window,
	                            .anonymous = conf->anonymous == SR_ANONYMOUS_ALLOW};
}

bool sr_publish_may_create(const struct sr_conf *conf, const char *user)
{
	return conf->on_unknown == SR_UNKNOWN_REGISTER && (*user || conf->anonymous == SR_ANONYMOUS_ALLOW);
}

static void indexes(struct sr_call *call, const struct sr_registry *reg)
{
	sr_call_key(call, reg->prefix, SR_KEY_ACTIVE, NULL);
	sr_call_key(call, reg->prefix, SR_KEY_ORPHANED, NULL);
}

static void stream_keys(struct sr_call *call, const struct sr_registry *reg, const char *id)
{
	sr_call_key(call, reg->prefix, SR_KEY_STREAM, id);
	sr_call_key(call, reg->prefix, SR_KEY_COMPLETION, id);
	sr_call_key(call, reg->prefix, SR_KEY_EVENTS, id);
	sr_call_key(call, reg->prefix, SR_KEY_VIEWERS, id);
}

/* What most scripts of one stream begin with. */
static void begin(struct sr_call *call, const struct sr_registry *reg, enum sr_script_name script, const char *id)
{
	sr_call_init(call, script);
	indexes(call, reg);
	stream_keys(call, reg, id);
	sr_call_text(call, id);
}

static void policy(struct sr_call *call, const struct sr_registry *reg)
{
	sr_call_int(call, reg->log_events);
	sr_call_int(call, reg->stream_ttl);
	sr_call_int(call, reg->completion_ttl);
}

static void stem_arg(struct sr_call *call, const struct sr_registry *reg, enum sr_key key)
{
	struct sr_buf stem;

	sr_buf_init(&stem, 256);
	if (sr_key_append_stem(&stem, reg->prefix, key) != SR_OK)
		call->err = SR_ENOMEM;
	sr_call_arg(call, sr_buf_text(&stem), stem.len);
	sr_buf_release(&stem);
}

static void channel_stem(struct sr_call *call, const struct sr_registry *reg)
{
	stem_arg(call, reg, SR_KEY_CHANNEL);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

void sr_attach_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_attach *a)
{
	static const char *const modes[] = {"register", "join", "revive"};
	char position[SR_EVENT_ID_SIZE];

	begin(call, reg, SR_SCRIPT_ATTACH, a->id);
	sr_call_name(call, reg->prefix, SR_KEY_CHANNEL, a->id);
	sr_call_text(call, a->user);
	sr_call_int(call, reg->anonymous);
	sr_call_text(call, a->node);
	sr_call_int(call, a->viewers);
	sr_call_text(call, modes[a->mode]);
	sr_call_text(call, a->from_now ? "now" : sr_event_id_format(position, a->position));
	sr_call_text(call, a->type ? a->type : "generation");
	sr_call_text(call, a->metadata ? a->metadata : "{}");
	sr_call_text(call, or_empty(a->started_at));
	policy(call, reg);
}

/* "=owner", or "" for what is not checked. */
static void owner_arg(struct sr_call *call, const char *owner)
{
	char text[SR_USER_MAX + 2] = "";

	if (owner && snprintf(text, sizeof text, "=%s", owner) >= (int)sizeof text)
		call->err = SR_EINVAL;
	sr_call_text(call, text);
}

void sr_detach_call(struct sr_call *call, const struct sr_registry *reg, const char *id, const char *node, int remaining, bool draining,
                    const char *owner)
{
	begin(call, reg, SR_SCRIPT_DETACH, id);
	sr_call_text(call, node);
	sr_call_int(call, remaining);
	sr_call_int(call, reg->stale_threshold);
	sr_call_int(call, reg->completion_ttl);
	sr_call_int(call, draining);
	owner_arg(call, owner);
}

void sr_beat_call(struct sr_call *call, const struct sr_registry *reg, const char *node, const struct sr_beat *beats, size_t count)
{
	sr_call_init(call, SR_SCRIPT_BEAT);
	indexes(call, reg);
	for (size_t i = 0; i < count; i++)
		stream_keys(call, reg, beats[i].id);
	sr_call_text(call, node);
	channel_stem(call, reg);
	policy(call, reg);
	for (size_t i = 0; i < count; i++) {
		sr_call_text(call, beats[i].id);
		if (node[0])
			sr_call_int(call, beats[i].viewers);
		else
			sr_call_text(call, or_empty(beats[i].epoch));
		owner_arg(call, beats[i].owner);
	}
}

void sr_log_call(struct sr_call *call, const struct sr_registry *reg, const char *id, struct sr_event_id from, int count)
{
	char start[SR_EVENT_ID_SIZE];

	sr_call_init(call, SR_SCRIPT_NONE);
	sr_call_text(call, "XRANGE");
	sr_call_name(call, reg->prefix, SR_KEY_EVENTS, id);
	sr_call_text(call, sr_event_id_format(start, from));
	sr_call_text(call, "+");
	sr_call_text(call, "COUNT");
	sr_call_int(call, count);
}

void sr_recover_call(struct sr_call *call, const struct sr_registry *reg, const char *id, const char *user, bool anonymous)
{
	sr_call_init(call, SR_SCRIPT_RECOVER);
	sr_call_key(call, reg->prefix, SR_KEY_STREAM, id);
	sr_call_key(call, reg->prefix, SR_KEY_COMPLETION, id);
	sr_call_text(call, user);
	sr_call_int(call, anonymous);
}

void sr_open_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_open *o)
{
	begin(call, reg, SR_SCRIPT_OPEN, o->id);
	sr_call_name(call, reg->prefix, SR_KEY_CHANNEL, o->id);
	sr_call_text(call, or_empty(o->type));
	sr_call_text(call, o->user);
	sr_call_text(call, or_empty(o->metadata));
	sr_call_int(call, o->lease);
	policy(call, reg);
}

static void producer_args(struct sr_call *call, const struct sr_registry *reg, enum sr_script_name script, const struct sr_publish *p)
{
	begin(call, reg, script, p->id);
	sr_call_name(call, reg->prefix, SR_KEY_CHANNEL, p->id);
	sr_call_text(call, p->user);
	sr_call_int(call, p->create);
	sr_call_text(call, p->producer);
	sr_call_int(call, (long long)p->n);
	policy(call, reg);
}

void sr_publish_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_publish *p)
{
	producer_args(call, reg, SR_SCRIPT_PUBLISH, p);
}

void sr_publish_add(struct sr_call *call, const char *type, const char *data, size_t data_len)
{
	sr_call_text(call, type);
	sr_call_arg(call, data, data_len);
}

void sr_end_call(struct sr_call *call, const struct sr_registry *reg, const struct sr_publish *p, const char *type, const char *data, size_t data_len)
{
	producer_args(call, reg, SR_SCRIPT_END, p);
	sr_publish_add(call, type, data, data_len);
}

#define CANARY_GAP_MAX_MS 3000

int64_t sr_canary_gap(const struct sr_registry *reg)
{
	int64_t gap = (reg->stale_threshold - reg->beat_interval) * 2 / 3;

	return gap < CANARY_GAP_MAX_MS ? gap : CANARY_GAP_MAX_MS;
}

void sr_stale_call(struct sr_call *call, const struct sr_registry *reg, int limit)
{
	sr_call_init(call, SR_SCRIPT_STALE);
	indexes(call, reg);
	sr_call_int(call, reg->stale_threshold);
	sr_call_int(call, reg->orphan_grace);
	sr_call_int(call, limit);
}

void sr_sweep_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count)
{
	sr_call_init(call, SR_SCRIPT_SWEEP);
	sr_call_key(call, reg->prefix, SR_KEY_GUARDIAN, NULL);
	indexes(call, reg);
	for (size_t i = 0; i < count; i++)
		stream_keys(call, reg, ids[i]);
	sr_call_int(call, reg->proof_window);
	sr_call_int(call, sr_canary_gap(reg));
	sr_call_int(call, reg->stale_threshold);
	sr_call_int(call, reg->orphan_grace);
	channel_stem(call, reg);
	policy(call, reg);
	for (size_t i = 0; i < count; i++)
		sr_call_text(call, ids[i]);
}

static void fields_args(struct sr_call *call, const char *const *fields)
{
	for (; fields && *fields; fields++)
		sr_call_text(call, *fields);
}

void sr_canary_call(struct sr_call *call, const struct sr_registry *reg, const char *run_id, const char *const *fields)
{
	sr_call_init(call, SR_SCRIPT_CANARY);
	sr_call_key(call, reg->prefix, SR_KEY_GUARDIAN, NULL);
	sr_call_int(call, sr_canary_gap(reg));
	sr_call_text(call, run_id);
	sr_call_int(call, reg->stream_ttl);
	fields_args(call, fields);
}

void sr_heal_call(struct sr_call *call, const struct sr_registry *reg, const char *const *keys, const char *const *ids, size_t count)
{
	sr_call_init(call, SR_SCRIPT_HEAL);
	indexes(call, reg);
	for (size_t i = 0; i < count; i++)
		sr_call_foreign_key(call, keys[i]);
	sr_call_int(call, reg->stream_ttl);
	for (size_t i = 0; i < count; i++)
		sr_call_text(call, ids[i]);
}

#define TOTALS_TTL_MS (30LL * 24 * 3600000)

int64_t sr_node_period(const struct sr_registry *reg)
{
	return reg->beat_interval < SR_NODE_PERIOD_MS ? reg->beat_interval : SR_NODE_PERIOD_MS;
}

void sr_node_call(struct sr_call *call, const struct sr_registry *reg, struct sr_node *node, const char *const *fields, bool leaves)
{
	sr_call_init(call, SR_SCRIPT_NODE);
	sr_call_key(call, reg->prefix, SR_KEY_NODES, NULL);
	sr_call_key(call, reg->prefix, SR_KEY_NODE, node->name);
	sr_call_key(call, reg->prefix, SR_KEY_TOTALS, NULL);
	sr_call_text(call, node->name);
	sr_call_int(call, SR_NODE_TTL_MS);
	sr_call_int(call, TOTALS_TTL_MS);
	sr_call_int(call, leaves);
	sr_call_int(call, node->kept_at);
	sr_call_int(call, (long long)node->count);
	for (size_t i = 0; i < node->count; i++) {
		struct sr_node_counter *c = &node->counters[i];

		c->sent = c->value;
		sr_call_text(call, c->name);
		sr_call_int(call, (long long)c->value);
		sr_call_int(call, (long long)c->kept);
	}
	fields_args(call, fields);
}

void sr_records_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count, const char *const *fields)
{
	sr_call_init(call, SR_SCRIPT_RECORDS);
	for (size_t i = 0; i < count; i++)
		sr_call_key(call, reg->prefix, SR_KEY_STREAM, ids[i]);
	fields_args(call, fields);
}

void sr_look_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count, size_t count_bytes,
                  const char *const *fields)
{
	sr_call_init(call, SR_SCRIPT_LOOK);
	for (size_t i = 0; i < count; i++) {
		sr_call_key(call, reg->prefix, SR_KEY_STREAM, ids[i]);
		sr_call_key(call, reg->prefix, SR_KEY_EVENTS, ids[i]);
		sr_call_key(call, reg->prefix, SR_KEY_VIEWERS, ids[i]);
	}
	sr_call_int(call, reg->stale_threshold);
	sr_call_int(call, (long long)count_bytes);
	fields_args(call, fields);
}

void sr_lost_call(struct sr_call *call, const struct sr_registry *reg, const char *const *ids, size_t count, const char *const *fields)
{
	sr_call_init(call, SR_SCRIPT_LOST);
	for (size_t i = 0; i < count; i++)
		sr_call_key(call, reg->prefix, SR_KEY_COMPLETION, ids[i]);
	sr_call_text(call, "failed");
	sr_call_text(call, "{\"reason\":\"orphaned\"}"); /* as sweep.lua writes it */
	fields_args(call, fields);
}

void sr_monitor_call(struct sr_call *call, const struct sr_registry *reg)
{
	sr_call_init(call, SR_SCRIPT_MONITOR);
	sr_call_key(call, reg->prefix, SR_KEY_NODES, NULL);
	indexes(call, reg);
	sr_call_key(call, reg->prefix, SR_KEY_GUARDIAN, NULL);
	sr_call_key(call, reg->prefix, SR_KEY_TOTALS, NULL);
	stem_arg(call, reg, SR_KEY_NODE);
	sr_call_int(call, SR_MONITOR_NODES_MAX);
}
