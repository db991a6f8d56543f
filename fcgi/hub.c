/* hub.c - see hub.h. */
#include "fcgi/hub.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/sse.h"
#include "fcgi/beats.h"
#include "fcgi/change.h"
#include "fcgi/channel.h"
#include "fcgi/discard.h"
#include "fcgi/viewer.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 100
#define BRIEF_TICK_MS 500 /* hundreds of processes would wake up ten times a second each */
#define DRAIN_LIMIT_MS 5000
#define LEAVE_LIMIT_MS 500

/* --- channels ------------------------------------------------------------------------------------------------ */

struct sr_channel *sr_hub_find_or_add(struct sr_hub *hub, const char *id)
{
	struct sr_channel *ch = sr_table_find(&hub->channels, id, strlen(id));

	if (ch)
		return ch;
	ch = sr_channel_new(hub, id);
	if (ch)
		sr_table_add(&hub->channels, ch);
	return ch;
}

/* Call `visit` for each channel; it may free the one that it was given. */
static void each_channel(struct sr_hub *hub, void (*visit)(struct sr_channel *))
{
	struct sr_channel *next;

	for (struct sr_channel *ch = sr_table_first(&hub->channels); ch; ch = next) {
		next = sr_table_after(&hub->channels, ch);
		visit(ch);
	}
}

/* --- Redis --------------------------------------------------------------------------------------------------- */

bool sr_hub_online(const struct sr_hub *hub)
{
	return sr_redis_ready(hub->commands) && sr_redis_ready(hub->pubsub);
}

const char *sr_hub_why(const struct sr_hub *hub)
{
	return sr_redis_ready(hub->commands) ? sr_redis_why(hub->pubsub) : sr_redis_why(hub->commands);
}

void sr_hub_complain(struct sr_hub *hub, const char *what, enum sr_err err, const struct sr_reply *reply)
{
	sr_mono_ms now = sr_clock_mono();

	if (hub->complained_at && now - hub->complained_at < 60000)
		return;
	hub->complained_at = now;
	sr_log(err == SR_EREFUSED ? SR_LOG_WARN : SR_LOG_ERROR, "redis refused a call", "call", what, "reason",
	       reply && sr_reply_is_error(reply) ? sr_reply_text(reply, NULL) : sr_strerror(err), (char *)NULL);
}

void sr_hub_beat_all(struct sr_hub *hub)
{
	sr_mono_ms now = sr_clock_mono();

	for (struct sr_due *d = hub->beats.next; d != &hub->beats; d = d->next)
		d->at = now;
}

static void on_commands_ready(void *ctx)
{
	struct sr_hub *hub = ctx;

	sr_hub_beat_all(hub);
	if (sr_hub_online(hub))
		each_channel(hub, sr_channel_step);
}

struct subscriptions {
	const char *ids[SR_REDIS_SUBSCRIBE_BATCH];
	struct sr_channel *channels[SR_REDIS_SUBSCRIBE_BATCH];
	size_t count;
};

/* What cannot be sent is sent when its channel steps. */
static void flush_subscriptions(struct sr_hub *hub, struct subscriptions *s)
{
	if (s->count && sr_redis_subscribe(hub->pubsub, hub->reg.prefix, s->ids, s->count) == SR_OK) {
		hub->unacked += s->count;
		for (size_t i = 0; i < s->count; i++)
			s->channels[i]->subscribing = true;
	}
	s->count = 0;
}

static void resubscribe(struct sr_hub *hub)
{
	struct subscriptions s = {.count = 0};

	for (struct sr_channel *ch = sr_table_first(&hub->channels); ch; ch = sr_table_after(&hub->channels, ch)) {
		if (!ch->first)
			continue;
		s.channels[s.count] = ch;
		s.ids[s.count++] = ch->id;
		if (s.count == SR_REDIS_SUBSCRIBE_BATCH)
			flush_subscriptions(hub, &s);
	}
	flush_subscriptions(hub, &s);
}

static void on_pubsub_ready(void *ctx)
{
	struct sr_hub *hub = ctx;

	hub->resubscribing = true;
	resubscribe(hub);
	if (sr_hub_online(hub))
		each_channel(hub, sr_channel_step);
}

static void on_pubsub_down(void *ctx, enum sr_err err, const char *why)
{
	struct sr_hub *hub = ctx;

	(void)err;
	(void)why;
	hub->unacked = 0;
	each_channel(hub, sr_channel_unsubscribed);
	each_channel(hub, sr_channel_step);
}

static struct sr_channel *of_channel(struct sr_hub *hub, const char *name, size_t len)
{
	struct sr_buf stem;
	struct sr_channel *ch = NULL;

	sr_buf_init(&stem, 256);
	if (sr_key_append_stem(&stem, hub->reg.prefix, SR_KEY_CHANNEL) == SR_OK && len > stem.len && memcmp(name, stem.data, stem.len) == 0)
		ch = sr_table_find(&hub->channels, name + stem.len, len - stem.len);
	sr_buf_release(&stem);
	return ch;
}

static void on_subscribed(void *ctx, const char *name, size_t len)
{
	struct sr_hub *hub = ctx;
	struct sr_channel *ch = of_channel(hub, name, len);

	if (ch)
		sr_channel_subscribed(ch);
	if (hub->unacked)
		hub->unacked--;
	/* What was published while there was no subscription shows in the ids that the beats return. */
	if (hub->unacked == 0 && hub->resubscribing) {
		hub->resubscribing = false;
		sr_hub_beat_all(hub);
	}
}

static void on_message(void *ctx, const char *name, size_t name_len, const char *payload, size_t len)
{
	struct sr_channel *ch = of_channel(ctx, name, name_len);

	if (ch)
		sr_channel_push(ch, payload, len);
}

/* --- the tick ------------------------------------------------------------------------------------------------ */

static void each_due(struct sr_due *list, sr_mono_ms now, void (*visit)(struct sr_viewer *v, sr_mono_ms now))
{
	struct sr_due *d;

	while ((d = sr_due_first(list)) && d->at <= now)
		visit(SR_DUE_OWNER(d, struct sr_viewer, due), now);
}

static void heartbeats_due(struct sr_hub *hub, sr_mono_ms now)
{
	struct sr_due *d;

	each_due(&hub->heartbeats, now, sr_viewer_heartbeat);
	each_due(&hub->doubled_heartbeats, now, sr_viewer_heartbeat);
	each_due(&hub->second_writes, now, sr_viewer_second_write);
	while ((d = sr_due_first(&hub->closing)) && d->at <= now) {
		sr_due_remove(d);
		sr_client_abort(&SR_DUE_OWNER(d, struct sr_viewer, due)->client);
	}
	while ((d = sr_due_first(&hub->closing_answers)) && d->at <= now) {
		sr_due_remove(d);
		sr_answering_expire(d);
	}
}

static void check_waiting(struct sr_hub *hub, sr_mono_ms now)
{
	struct sr_due *last = hub->waiting.prev, *next;

	for (struct sr_due *d = hub->waiting.next; d != &hub->waiting; d = next) {
		next = d->next;
		sr_viewer_check_wait(SR_DUE_OWNER(d, struct sr_viewer, wait.due), now);
		if (d == last)
			break; /* who was put at the end again waits for the next tick */
	}
}

bool sr_hub_drained(const struct sr_hub *hub)
{
	bool empty = hub->viewers == 0 && hub->channels.count == 0 && hub->answering == 0 && hub->lookups == 0 && hub->changing == 0;

	return hub->draining && (empty || sr_clock_mono() >= hub->drain_until);
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_hub *hub = w->data;
	sr_mono_ms now = sr_clock_mono();

	(void)revents;
	heartbeats_due(hub, now);
	check_waiting(hub, now);
	if (sr_redis_ready(hub->commands)) {
		sr_beats_due(hub, now);
		if (now >= hub->report_at && !hub->brief && !hub->leaving)
			sr_beats_report(hub);
	}
	if (hub->leaving ? now >= hub->drain_until : sr_hub_drained(hub))
		ev_break(loop, EVBREAK_ALL);
}

static void retire(struct sr_channel *ch)
{
	const struct sr_conf *conf = ch->hub->conf;

	for (struct sr_viewer *v = ch->first; v; v = v->next)
		sr_viewer_retire(v, sr_random_between(conf->retry_min, conf->retry_max + conf->drain_window));
}

void sr_hub_drain(struct sr_hub *hub)
{
	if (hub->draining)
		return;
	sr_log(SR_LOG_INFO, "draining", "viewers", sr_log_num((long long)hub->viewers), (char *)NULL);
	hub->draining = true;
	hub->drain_until = sr_clock_mono() + DRAIN_LIMIT_MS;
	each_channel(hub, retire);
}

void sr_hub_leave(struct sr_hub *hub)
{
	hub->leaving = true;
	hub->drain_until = sr_clock_mono() + LEAVE_LIMIT_MS;
	if (sr_beats_leave(hub))
		ev_run(hub->loop, 0);
}

/* --- life ---------------------------------------------------------------------------------------------------- */

/* A shorter interval holds from now on; the list stays in order. */
static void not_later_than(struct sr_due *list, sr_mono_ms at)
{
	for (struct sr_due *d = list->next; d != list; d = d->next)
		if (d->at > at)
			d->at = at;
}

static void use(struct sr_hub *hub, const struct sr_conf *conf, const struct sr_tokens *tokens)
{
	hub->conf = conf;
	hub->tokens = tokens;
	hub->reg = sr_registry_of(conf);
}

void sr_hub_configure(struct sr_hub *hub, const struct sr_conf *conf, const struct sr_tokens *tokens)
{
	sr_mono_ms now = sr_clock_mono();

	use(hub, conf, tokens);
	not_later_than(&hub->heartbeats, now + conf->heartbeat_interval);
	not_later_than(&hub->doubled_heartbeats, now + conf->heartbeat_interval);
	not_later_than(&hub->beats, now + conf->beat_interval);
}

static bool name_node(struct sr_hub *hub)
{
	char random[9];

	if (gethostname(hub->host, sizeof hub->host) != 0)
		memcpy(hub->host, "localhost", 10);
	hub->host[sizeof hub->host - 1] = 0;
	for (char *c = hub->host; *c; c++)
		if (*c <= ' ' || *c > '~')
			*c = '_';
	sr_random_name(random, 8);
	hub->self.name = hub->node;
	hub->started = sr_clock_mono();
	sr_clock_iso(hub->started_at, sr_clock_wall());
	return snprintf(hub->node, sizeof hub->node, "%s:%d:%s", hub->host, (int)getpid(), random) < (int)sizeof hub->node;
}

static bool connect_redis(struct sr_hub *hub, struct sr_buf *why)
{
	struct sr_redis_hooks commands = {.on_ready = on_commands_ready};
	struct sr_redis_hooks pubsub = {.on_ready = on_pubsub_ready, .on_down = on_pubsub_down, .on_message = on_message, .on_subscribed = on_subscribed};
	struct sr_redis_options options = {.url = hub->conf->redis_url, .password_file = hub->conf->redis_password_file, .name = "sse-fcgi",
	                                   .load_scripts = !hub->brief};

	hub->commands = sr_redis_new(hub->loop, &options, &commands, hub, why);
	options.pubsub = true;
	options.load_scripts = false;
	options.name = "sse-fcgi-pubsub";
	hub->pubsub = hub->commands ? sr_redis_new(hub->loop, &options, &pubsub, hub, why) : NULL;
	if (!hub->pubsub)
		return false;
	sr_redis_start(hub->commands);
	sr_redis_start(hub->pubsub);
	return true;
}

static bool frame_heartbeat(struct sr_hub *hub)
{
	struct sr_buf text;

	sr_buf_init(&text, 64);
	if (sr_sse_comment(&text, "heartbeat") == SR_OK)
		hub->heartbeat = sr_frame_new(text.data, text.len);
	sr_buf_release(&text);
	hub->second_write = sr_frame_new(":\n", 2);
	return hub->heartbeat && hub->second_write;
}

struct sr_hub *sr_hub_new(struct ev_loop *loop, const struct sr_conf *conf, const struct sr_tokens *tokens, bool brief, struct sr_buf *why)
{
	struct sr_hub *hub = sr_calloc(1, sizeof *hub);
	double tick = (brief ? BRIEF_TICK_MS : TICK_MS) / 1000.0;

	if (!hub)
		return NULL;
	hub->loop = loop;
	hub->brief = brief;
	use(hub, conf, tokens);
	sr_due_list_init(&hub->heartbeats);
	sr_due_list_init(&hub->doubled_heartbeats);
	sr_due_list_init(&hub->second_writes);
	sr_due_list_init(&hub->closing);
	sr_due_list_init(&hub->closing_answers);
	sr_due_list_init(&hub->discards);
	sr_due_list_init(&hub->changes);
	sr_due_list_init(&hub->waiting);
	sr_due_list_init(&hub->readers);
	sr_due_list_init(&hub->beats);
	ev_timer_init(&hub->tick, on_tick, tick, tick);
	hub->tick.data = hub;
	ev_timer_start(loop, &hub->tick);
	if (!sr_table_init(&hub->channels) || !name_node(hub) || !frame_heartbeat(hub) || !connect_redis(hub, why)) {
		sr_hub_free(hub);
		return NULL;
	}
	return hub;
}

static void cut_viewers(struct sr_channel *ch)
{
	for (struct sr_viewer *v = ch->first; v; v = v->next)
		sr_client_abort(&v->client);
}

static void free_channel(struct sr_channel *ch)
{
	sr_table_remove(&ch->hub->channels, ch);
	sr_channel_free(ch);
}

/* Clients that did not read their end in the time that the drain had are cut. */
static void cut_rest(struct sr_hub *hub)
{
	struct sr_due *d;

	each_channel(hub, cut_viewers);
	sr_discard_abort_all(hub);
	sr_change_abort_all(hub);
	while ((d = sr_due_first(&hub->closing_answers))) {
		sr_due_remove(d);
		sr_answering_expire(d);
	}
	ev_run(hub->loop, EVRUN_NOWAIT);
}

void sr_hub_free(struct sr_hub *hub)
{
	if (!hub)
		return;
	ev_timer_stop(hub->loop, &hub->tick);
	if (hub->channels.buckets)
		cut_rest(hub);
	sr_redis_free(hub->commands);
	sr_redis_free(hub->pubsub);
	if (hub->channels.buckets)
		each_channel(hub, free_channel);
	sr_frame_unref(hub->heartbeat);
	sr_frame_unref(hub->second_write);
	sr_table_release(&hub->channels);
	free(hub);
}
