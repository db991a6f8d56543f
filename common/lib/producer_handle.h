/* producer_handle.h - the inside of an sse_producer: the engine of common/producer.h, a private loop, and the waiting. For
 * sse_resilience.c, which checks what a caller gives, and for ssectl, which has checked it and has a configuration already.
 *
 *   sse_emit ──> put ──> engine's backlog        go ──> turns of the loop, until done, closed, or the time is over
 *
 * Nothing here touches signals, stdio or global state. */
#ifndef SR_PRODUCER_HANDLE_H
#define SR_PRODUCER_HANDLE_H
#include "common/buf.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/lib/sse_resilience.h"
#include "common/producer.h"
#include <ev.h>
#include <stdbool.h>

#define SR_HANDLE_WAIT_MS 10000 /* what SSE_WAIT means */

struct sr_handle_options {
	const struct sr_conf *conf; /* borrowed; must outlive the producer */
	const char *connection;     /* CLIENT SETNAME; static */
	const char *epoch;          /* the lease of beats without sse_open(); NULL = any; kept by reference */
	bool create;                /* events open an unknown stream */
	bool loud;                  /* the connection's log lines go to the process's log */
};

struct sse_producer {
	struct ev_loop *loop;
	ev_timer timer;             /* ends a turn of the loop */
	struct sr_conf own;         /* of sse_producer_new(); empty when the caller has one */
	struct sr_handle_options more;
	struct sse_options options; /* id, user and name point to what is below */
	char id[SR_STREAM_ID_MAX + 1], user[SR_USER_MAX + 1], name[SR_PRODUCER_NAME_MAX + 1];
	struct sr_producer *engine; /* NULL until the first call, which says whether the stream is to be opened */

	bool opens;                 /* the engine was told to open the stream */
	unsigned openings, beats;   /* answered */
	bool created;               /* the first opening made the stream */
	char epoch[24];             /* the lease's, "" = none */
	enum sr_outcome beat;       /* SR_SAME or SR_REVIVED, of the last beat */
	enum sr_err trouble;        /* why the connection was down last; SR_OK = it never was. SR_EDENIED closes this */
	bool ending;                /* the terminal event was taken ... */
	char end_type[16];          /* ... with this type */
	char last_id[SR_EVENT_ID_SIZE];
	struct sr_buf data;         /* of the event that is being taken */
	struct sr_buf why;
};

/* As sse_producer_new(), for arguments that are checked. NULL when memory is out. */
sse_producer *sr_handle_new(const char *stream_id, const sse_options *options, const struct sr_handle_options *more);

/* Make the engine, if there is none yet. stream NULL = events only. */
SR_MUST_CHECK sse_result sr_handle_begin(sse_producer *p, const sse_stream *stream);
/* Take one event that sr_event_check() passed, its JSON normalised. No turn of the loop: nothing leaves by this alone. */
SR_MUST_CHECK sse_result sr_handle_put(sse_producer *p, const char *type, size_t type_len, const char *data, size_t data_len);

/* What go() waits for. */
enum sr_until {
	SR_UNTIL_OPEN,   /* the stream is opened */
	SR_UNTIL_BEAT,   /* a beat more than `count` is answered */
	SR_UNTIL_KEPT,   /* at most `count` events are kept */
	SR_UNTIL_IDLE    /* the stream is opened, if it is to be, and nothing is kept */
};
/**
 * Turn the loop until that is so, the producer is closed, or wait_ms have passed (0 = what can be done without waiting;
 * negative = the default). At least one turn.
 * Returns SSE_OK, SSE_AGAIN, or why it is closed; p->why is filled when it is not SSE_OK.
 */
SR_MUST_CHECK sse_result sr_handle_go(sse_producer *p, enum sr_until until, size_t count, int64_t wait_ms);

/* Set p->why, and return `result`. */
sse_result sr_handle_say(sse_producer *p, sse_result result, const char *format, ...) SR_PRINTF(3, 4);

#endif
