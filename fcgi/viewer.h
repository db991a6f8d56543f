/* viewer.h - one client that is served a stream: from its request to the end of its response.
 *
 *            ┌─────────────── again: Redis was away, the log was cut ──────────────┐
 *            v                                                                     │
 *   WAITING ──> ATTACHING ──> READING <──> BEHIND ──┐                              │
 *      ^            │  │          └────> LIVE ──────┴── slow: BEHIND ──────────────┘
 *      └─ UNKNOWN <─┘  └── ended, refused ──> ENDING ──> freed by on_gone
 *
 * The response is opened (200, guard) when the stream is known, or when the answer takes longer: held clients get comments.
 * cursor  the id of the last event that was written or queued: what the client will resume from, and the only thing kept of it. */
#ifndef SR_VIEWER_H
#define SR_VIEWER_H
#include "common/id.h"
#include "common/registry.h"
#include "fcgi/client.h"
#include "fcgi/due.h"
#include "fcgi/request.h"
#include "fcgi/turn.h"

struct sr_hub;
struct sr_channel;

enum sr_viewer_state {
	SR_V_WAITING,   /* to be attached as soon as Redis and the channel allow */
	SR_V_ATTACHING, /* the attach is on its way */
	SR_V_UNKNOWN,   /* nobody knows the stream: asked again each second until `until` */
	SR_V_READING,   /* a page of the log is on its way, or its turn is waited for */
	SR_V_LIVE,      /* at the channel's position: gets the pushes */
	SR_V_BEHIND,    /* the client is slow: goes back to the log from the cursor when it has drained */
	SR_V_ENDING     /* the end is written or being written */
};

/* The end of a stream that had ended when the viewer came; for what the log no longer has. */
struct sr_viewer_end { struct sr_event_id id; struct sr_frame *frame; };

struct sr_viewer {
	struct sr_client client;         /* first: the client's callbacks cast back */
	struct sr_hub *hub;
	struct sr_channel *channel;      /* NULL once it left */
	struct sr_viewer *prev, *next;   /* in the channel */
	struct sr_request *request;      /* until the response is opened and the viewer attached; then NULL */
	struct sr_viewer_end *end;
	struct sr_due due;               /* heartbeat, or the deadline of the end */
	struct sr_turn wait;             /* its due: in hub.waiting, or in hub.readers */
	struct sr_event_id cursor;
	struct sr_event_id following;    /* following_known: the first event after the cursor, as the registry said */
	sr_mono_ms until;                /* WAITING, UNKNOWN: pending_wait is over; else: max_connection_age is */
	uint8_t state;                   /* enum sr_viewer_state */
	bool opened : 1;                 /* headers and guard are sent */
	bool greeted : 1;                /* `connected` is sent */
	bool attached : 1;               /* the channel counts it */
	bool from_now : 1;               /* wants only what comes */
	bool resumed : 1;                /* came with a position after the start */
	bool following_known : 1;
	bool in_flight : 1;              /* a page is on its way: the struct stays until it is here */
	bool again : 1;                  /* go back to WAITING when it is here */
	bool returning : 1;              /* we sent it away, it will be back */
	bool doubled : 1;                /* its web server notices a client that left at the second write only: Apache */
};

/* Serve GET {mount}/{id}. Takes the request. `position` SR_EVENT_ID_START = from the start. */
void sr_viewer_start(struct sr_hub *hub, struct sr_request *request, const char *id, struct sr_event_id position, bool from_now);

/* The registry's answer to the attach. */
void sr_viewer_attached(struct sr_viewer *v, const struct sr_attach_result *result);
/* Back to the registry, from wherever it is. */
void sr_viewer_wait_again(struct sr_viewer *v);

/* A live event. Ends the viewer's response behind a terminal one. */
void sr_viewer_deliver(struct sr_viewer *v, struct sr_event_id id, struct sr_frame *frame, bool terminal);
/* Events after its cursor may be missing; it goes on at `position`. */
void sr_viewer_gap(struct sr_viewer *v, const char *reason, struct sr_event_id position);

/* From the hub's tick. */
void sr_viewer_heartbeat(struct sr_viewer *v, sr_mono_ms now);
void sr_viewer_second_write(struct sr_viewer *v, sr_mono_ms now);
void sr_viewer_check_wait(struct sr_viewer *v, sr_mono_ms now);
void sr_viewer_read(struct sr_viewer *v);

/* End the response after a whole event, with retry: so that the client comes back after that time. */
void sr_viewer_retire(struct sr_viewer *v, int64_t retry_ms);

/* One event as a frame; NULL when memory is out. */
struct sr_frame *sr_viewer_frame(const struct sr_log_entry *e);

#endif
