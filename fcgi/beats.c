/* beats.c - see beats.h. */
#include "fcgi/beats.h"

#include "common/mem.h"
#include "common/resident.h"
#include "fcgi/channel.h"
#include "fcgi/hub.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct batch {
	struct sr_hub *hub;
	size_t count;
	struct { struct sr_channel *channel; struct sr_event_id position; } item[SR_BATCH_MAX];
};

static void on_beat(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct batch *b = ctx;
	struct sr_beat_result result;

	if (err != SR_OK && reply)
		sr_hub_complain(b->hub, "beat", err, reply);
	for (size_t i = 0; i < b->count; i++) {
		struct sr_channel *ch = b->item[i].channel;

		ch->pins--;
		if (err == SR_OK && sr_beat_read(reply, i, &result) == SR_OK)
			sr_channel_beaten(ch, &result, b->item[i].position);
		else
			sr_channel_step(ch);
	}
	free(b);
}

static void send_batch(struct sr_hub *hub, const struct batch *b)
{
	struct sr_beat beats[SR_BATCH_MAX];
	struct batch *kept = sr_malloc(sizeof *kept);
	struct sr_call call;

	if (!kept)
		return; /* the next beat comes in beat_interval, a third of the threshold */
	*kept = *b;
	for (size_t i = 0; i < b->count; i++)
		beats[i] = (struct sr_beat){.id = b->item[i].channel->id, .viewers = (int)b->item[i].channel->attached,
		                            .owner = b->item[i].channel->owner};
	sr_beat_call(&call, &hub->reg, hub->node, beats, b->count);
	if (sr_redis_send(hub->commands, &call, 0, on_beat, kept) == SR_OK)
		for (size_t i = 0; i < b->count; i++)
			kept->item[i].channel->pins++;
	else
		free(kept);
	sr_call_release(&call);
}

void sr_beats_due(struct sr_hub *hub, sr_mono_ms now)
{
	struct batch b = {.hub = hub};
	struct sr_due *d, *last = hub->beats.prev;
	bool done = false;

	while (!done && (d = sr_due_first(&hub->beats)) && d->at <= now) {
		struct sr_channel *ch = SR_DUE_OWNER(d, struct sr_channel, beat);

		done = d == last;
		sr_due_add(&hub->beats, d, now + hub->conf->beat_interval);
		if (!ch->attached) {
			sr_channel_step(ch); /* may free it */
			continue;
		}
		b.item[b.count].channel = ch;
		b.item[b.count++].position = ch->position;
		if (b.count == SR_BATCH_MAX) {
			send_batch(hub, &b);
			b.count = 0;
		}
	}
	if (b.count)
		send_batch(hub, &b);
}

/* --- the report ---------------------------------------------------------------------------------------------- */

static void keep(struct sr_hub *hub, enum sr_err err, const struct sr_reply *reply)
{
	hub->self.on_way = false;
	if (err == SR_OK)
		err = sr_node_read(&hub->self, reply);
	if (reply && err != SR_OK)
		sr_hub_complain(hub, "node", err, reply);
}

static void on_reported(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	keep(ctx, err, reply);
}

static void on_left(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_hub *hub = ctx;

	keep(hub, err, reply);
	ev_break(hub->loop, EVBREAK_ALL);
}

static void count(struct sr_hub *hub)
{
	const struct sr_counters *c = &hub->count;
	const struct { const char *name; uint64_t value; } counts[] = {
	    {"opened", c->opened}, {"resumed", c->resumed}, {"delivered", c->delivered}, {"gaps", c->gaps}, {"slow", c->slow},
	    {"terminals", c->terminals}, {"refused", c->refused}, {"published", c->published}};

	hub->self.count = sizeof counts / sizeof *counts;
	for (size_t i = 0; i < hub->self.count; i++) {
		hub->self.counters[i].name = counts[i].name;
		hub->self.counters[i].value = counts[i].value;
	}
}

#define NUMBERS 6

static enum sr_err report(struct sr_hub *hub, bool leaves, sr_redis_cb *cb)
{
	struct sr_call call;
	enum sr_err err;
	char text[NUMBERS][24];
	const struct { const char *name; long long value; } numbers[NUMBERS] = {
	    {"pid", getpid()}, {"uptime", (sr_clock_mono() - hub->started) / 1000}, {"rss", sr_resident_bytes()},
	    {"streams", (long long)hub->channels.count}, {"viewers", (long long)hub->viewers}, {"publishing", (long long)hub->changing}};
	const char *fields[9 + 2 * NUMBERS] = {"kind", "responder", "host", hub->host, "version", SR_VERSION, "startedAt", hub->started_at};

	for (int i = 0; i < NUMBERS; i++) {
		snprintf(text[i], sizeof text[i], "%lld", numbers[i].value);
		fields[8 + 2 * i] = numbers[i].name;
		fields[9 + 2 * i] = text[i];
	}
	count(hub);
	sr_node_call(&call, &hub->reg, &hub->self, fields, leaves);
	err = sr_redis_send(hub->commands, &call, 0, cb, hub);
	sr_call_release(&call);
	hub->self.on_way |= err == SR_OK;
	return err;
}

void sr_beats_report(struct sr_hub *hub)
{
	if (!hub->self.on_way && report(hub, false, on_reported) == SR_OK)
		hub->report_at = sr_clock_mono() + sr_node_period(&hub->reg);
}

bool sr_beats_leave(struct sr_hub *hub)
{
	return report(hub, true, on_left) == SR_OK;
}
