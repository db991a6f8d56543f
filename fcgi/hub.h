/* hub.h - what one responder process holds: its channels, its two Redis connections, its timers. Everything runs on one loop.
 *
 *   request ──> viewer ──> channel ──> hub ──> Redis (commands, Pub/Sub)
 *          ──> change ──────────────────> hub ──>
 *                  <── events ──  <── pushes, log, beats ──
 *
 * Two clocks never wait for each other: the heartbeat comment to each client, and the beat of each channel to the registry. */
#ifndef SR_HUB_H
#define SR_HUB_H
#include "common/clock.h"
#include "common/conf.h"
#include "common/redis.h"
#include "common/registry.h"
#include "fcgi/due.h"
#include "fcgi/frame.h"
#include "fcgi/table.h"
#include <ev.h>

#define SR_READS_MAX 16   /* log pages on their way at once; other viewers wait for their turn */
#define SR_PAGE_EVENTS 32 /* events of one page: SR_READS_MAX pages of the largest events are the most that is ever in memory */

struct sr_channel;
struct sr_tokens;

struct sr_counters { /* since the start; shown in sse:node:{name}, and summed up in sse:totals */
	uint64_t opened, resumed, delivered, gaps, slow, terminals, refused;
	uint64_t published; /* events that HTTP requests stored, repeats aside */
};

struct sr_hub {
	struct ev_loop *loop;
	const struct sr_conf *conf;      /* main's; may be another struct after a SIGHUP */
	const struct sr_tokens *tokens;  /* main's, and so it may; NULL = publishing is off */
	struct sr_registry reg;
	struct sr_redis *commands, *pubsub;
	char node[96];                   /* this process in Redis: host:pid:random */
	char host[65];
	char started_at[SR_ISO_SIZE];
	struct sr_node self;             /* what Redis knows of it */
	sr_mono_ms started;
	struct sr_frame *heartbeat;      /* the comment, framed once */
	struct sr_frame *second_write;   /* ":\n", a comment */

	struct sr_table channels;
	size_t viewers;                  /* clients of streams, whatever their state */
	size_t answering;                /* short responses that are being written */
	size_t lookups;                  /* requests that wait for Redis (recover, HEAD) or for the end of a body that is thrown away */
	size_t changing;                 /* requests that publish, open or delete: at most publish_requests */
	size_t unacked;                  /* subscriptions on their way */
	bool resubscribing;              /* the connection is new: beat when all are acknowledged */

	struct sr_due heartbeats;        /* opened viewers, by their next comment */
	struct sr_due doubled_heartbeats, second_writes; /* those behind Apache: in turn in either */
	struct sr_due closing;           /* viewers whose end is being written */
	struct sr_due closing_answers;
	struct sr_due discards, changes; /* all of them, in no order */
	struct sr_due waiting;           /* viewers that are not attached */
	struct sr_due readers;           /* turn.h: who waits to read a page */
	struct sr_due beats;             /* channels, by their next beat */
	unsigned reads;                  /* log pages on their way */
	unsigned scrapes;                /* metrics pages that wait for Redis */
	sr_mono_ms report_at;            /* next node report */
	sr_mono_ms complained_at;        /* Redis's refusals are logged once a minute */

	ev_timer tick;
	struct sr_counters count;
	sr_mono_ms drain_until;
	bool draining, leaving;          /* leaving: the last report is on its way */
	bool brief;
};

/**
 * conf and tokens are borrowed. Starts to connect.
 * brief    of one request only (cgi.h): loads no scripts, is no node that operators look for, looks at its clocks less often, and when it
 *          is told to stop that is because the client left
 * Returns  NULL with a sentence in `why`.
 */
struct sr_hub *sr_hub_new(struct ev_loop *loop, const struct sr_conf *conf, const struct sr_tokens *tokens, bool brief, struct sr_buf *why);
/* After the loop has ended. */
void sr_hub_free(struct sr_hub *hub);
/* SIGHUP: from now on this configuration, and these tokens. */
void sr_hub_configure(struct sr_hub *hub, const struct sr_conf *conf, const struct sr_tokens *tokens);

/* Both connections are up. */
bool sr_hub_online(const struct sr_hub *hub);
/* Why it is not. */
const char *sr_hub_why(const struct sr_hub *hub);

/* NULL: out of memory. */
struct sr_channel *sr_hub_find_or_add(struct sr_hub *hub, const char *id);

/* All channels beat at the next tick: after a reconnect, before anything else. */
void sr_hub_beat_all(struct sr_hub *hub);

/* Redis answered an error where none is expected: say so, once a minute. */
void sr_hub_complain(struct sr_hub *hub, const char *what, enum sr_err err, const struct sr_reply *reply);

/* End every stream with a spread retry:, detach all viewers, then break the loop; at the latest after a few seconds. */
void sr_hub_drain(struct sr_hub *hub);
/* The drain is over: nothing is left, or its time is up. */
bool sr_hub_drained(const struct sr_hub *hub);

/* After the loop has ended: tell Redis all that was counted, and that this process is gone. Runs the loop for that, half a second at most. */
void sr_hub_leave(struct sr_hub *hub);

/* answer.c's: the peer of a short response did not read it in time. */
void sr_answering_expire(struct sr_due *due);

#endif
