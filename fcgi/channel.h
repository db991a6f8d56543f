/* channel.h - one stream, as far as this process has viewers of it: its subscription, its registration, its live position.
 *
 * Script calls of one channel never overlap (`busy`), so that a late detach cannot undo a newer attach. The order is always
 * subscribe, wait for the acknowledgement, attach, read the log, live.
 *
 * position  the id of the last push that was handled. A push "id prev ..." with prev beyond it means that something was missed
 *           (repair: read the log once for all live viewers); the last id that each beat returns shows it as well.
 * A channel lives while it has viewers, an unfinished call, or something to tell Redis. */
#ifndef SR_CHANNEL_H
#define SR_CHANNEL_H
#include "common/id.h"
#include "common/registry.h"
#include "fcgi/due.h"
#include "fcgi/hub.h"
#include "fcgi/turn.h"

struct sr_viewer;

struct sr_channel {
	struct sr_hub *hub;
	struct sr_channel *next;     /* in the hub's bucket */
	struct sr_viewer *first, *last_viewer; /* not attached ones first */
	struct sr_viewer *attaching; /* whom the attach on its way is for; NULL: it left meanwhile */
	struct sr_due beat;
	struct sr_event_id position;
	struct sr_event_id seen;     /* newest id heard of while not placed or repairing */
	struct sr_event_id repair_from; /* the event that the repair holds on to */
	struct sr_turn turn;         /* the repair waits to read */
	char *owner;                 /* userId of the record, as the last attach said; NULL without one */
	char *type, *metadata, *started_at; /* of the record, if not the defaults: to register it again */
	sr_mono_ms retry_at;         /* after an error: not before */
	uint32_t attached;           /* viewers that the registry counts */
	uint32_t told;               /* what the registry was told */
	uint16_t pins;               /* beats and repairs on their way */
	bool subscribing : 1, subscribed : 1;
	bool busy : 1;               /* attach or detach on its way */
	bool placed : 1;             /* position is valid */
	bool repairing : 1;
	bool leased : 1;
	bool returning : 1;          /* the last viewer was sent away by us and will be back: do not unregister */
	char id[];
};

struct sr_channel *sr_channel_new(struct sr_hub *hub, const char *id);

void sr_channel_join(struct sr_channel *ch, struct sr_viewer *v);
/* Before the viewer is freed. May free the channel. */
void sr_channel_leave(struct sr_channel *ch, struct sr_viewer *v);
/* Do what is to be done next. May free the channel. */
void sr_channel_step(struct sr_channel *ch);

/* From Pub/Sub. */
void sr_channel_subscribed(struct sr_channel *ch);
void sr_channel_push(struct sr_channel *ch, const char *payload, size_t len);
/* The Pub/Sub connection is gone, and with it the subscription. */
void sr_channel_unsubscribed(struct sr_channel *ch);

/* What a beat said; `position` is the channel's at the time the beat was sent. */
void sr_channel_beaten(struct sr_channel *ch, const struct sr_beat_result *result, struct sr_event_id position);

/* Every viewer asks the registry again where it stands. */
void sr_channel_reattach(struct sr_channel *ch);

void sr_channel_free(struct sr_channel *ch);

#endif
