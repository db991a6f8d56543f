/* beats.c - see beats.h. */
#include "fcgi/beats.h"

#include "common/mem.h"
#include "fcgi/channel.h"
#include "fcgi/hub.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPORT_MS 10000
#define REPORT_TTL_MS 60000

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

static void on_reported(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	if (reply && err != SR_OK)
		sr_hub_complain(ctx, "node", err, reply);
}

void sr_beats_report(struct sr_hub *hub)
{
	struct sr_call call;
	char text[12][24];
	const struct { const char *name; uint64_t value; } numbers[] = {
	    {"pid", (uint64_t)getpid()}, {"streams", hub->channels}, {"viewers", hub->viewers}, {"opened", hub->count.opened},
	    {"resumed", hub->count.resumed}, {"delivered", hub->count.delivered}, {"gaps", hub->count.gaps}, {"slow", hub->count.slow},
	    {"terminals", hub->count.terminals}, {"refused", hub->count.refused},
	    {"publishing", hub->changing}, {"published", hub->count.published}};
	const char *fields[2 * 12 + 7] = {"kind", "responder", "host", hub->host, "version", SR_VERSION};

	for (size_t i = 0; i < 12; i++) {
		snprintf(text[i], sizeof text[i], "%llu", (unsigned long long)numbers[i].value);
		fields[6 + 2 * i] = numbers[i].name;
		fields[7 + 2 * i] = text[i];
	}
	sr_node_call(&call, &hub->reg, hub->node, REPORT_TTL_MS, fields);
	if (sr_redis_send(hub->commands, &call, 0, on_reported, hub) == SR_OK)
		hub->report_at = sr_clock_mono() + REPORT_MS;
	sr_call_release(&call);
}
