/* doctor_probe.h - the web half of the doctor: what its checks share. Nobody else includes it.
 *
 *   doctor_web     sr_doctor_web(): the order of the checks, and the end of all streams that were made
 *   doctor_probe   streams of the doctor's own in Redis; requests; waiting for both sides at once
 *   doctor_identity  who asks: --header-file
 *   doctor_reach   web-reach, web-first-byte, web-http-version, web-headers
 *   doctor_live    web-buffering, web-compression, web-heartbeat, web-disconnect, web-resume, web-end, web-204, web-recover
 *   doctor_trust   web-spoof, web-status-private
 *   doctor_away    web-fallback */
#ifndef SR_DOCTOR_PROBE_H
#define SR_DOCTOR_PROBE_H
#include "cli/doctor.h"
#include "cli/doctor_cure.h"
#include "cli/doctor_watch.h"
#include <signal.h>

#define SR_PROBE_FIELDS 32 /* of --header-file */
#define SR_PROBE_STREAMS 4

struct sr_probe {
	struct sr_doctor *d;
	struct sr_web *web;
	struct sr_site site;
	char server[64];              /* the Server field, "" = none yet */

	char user[SR_USER_MAX + 1];   /* "" = a stream of nobody's */
	struct sr_buf secrets;        /* --header-file */
	const char *own[SR_PROBE_FIELDS + 1];    /* its fields, ended by NULL */
	const char *sent[SR_PROBE_FIELDS + 6];   /* of one request: sr_probe_fields() */

	char streams[SR_PROBE_STREAMS][SR_STREAM_ID_MAX + 1]; /* to be ended */
	size_t stream_count;
	uint64_t n;                   /* the last event's number */
	char end[SR_EVENT_ID_SIZE];   /* the first stream's terminal event, once it is stored */

	bool headers_changed, no_position; /* was said once: Cache-Control, Last-Event-ID do not get through */

	struct sr_watch watch, second;
	struct sr_buf url, cure;
	int code;                     /* not 0: Redis failed, and that was said */
};

/* 0 or an exit code after a message. Release it whatever the outcome. */
int sr_probe_init(struct sr_probe *p, struct sr_doctor *d);
void sr_probe_release(struct sr_probe *p);

/* Read --header-file; it may name the user. 0 or an exit code after a message. */
int sr_probe_identify(struct sr_probe *p);

/* Redis failed or a signal came: every wait ends at once, and no check says anything more. */
bool sr_probe_over(const struct sr_probe *p);
/* While something must be put back: a signal ends the waits as ever, but cannot end the process. `before`: for sigprocmask(). */
void sr_probe_hold_signals(sigset_t *before);

/* --- streams. NULL or false: sr_probe_over(). */
const char *sr_probe_stream(struct sr_probe *p, const char *user);
/* Store an event, or the terminal one of type completed or cancelled. */
bool sr_probe_emit(struct sr_probe *p, const char *id, const char *type, char event[SR_EVENT_ID_SIZE]);
/* Viewers that the registry knows of; -1: over. */
long long sr_probe_viewers(struct sr_probe *p, const char *id);

/* --- requests */
/* The URL of what is below the mount point: "/ID/recover"; "" when memory is out. Valid until the next call. */
const char *sr_probe_url(struct sr_probe *p, const char *id, const char *page);
bool sr_probe_field_is(const char *field, const char *name);
/* The fields of a request: the user's own but for the one named `without` (or NULL), then the given ones (or NULL). */
const char *const *sr_probe_fields(struct sr_probe *p, const char *without, const char *one, const char *two);
/* Watch a stream; `one` is one more field, or NULL. */
bool sr_probe_watch(struct sr_probe *p, struct sr_watch *w, const char *id, const char *one);
/* GET, to its end. NULL: over, or no memory. Free it. */
struct sr_exchange *sr_probe_get(struct sr_probe *p, const char *url, const char *const *fields);
/* Which server was it? */
void sr_probe_meet(struct sr_probe *p, const struct sr_exchange *x);

/* --- waiting: until `done` says so (true), for up to `ms`, or until over (false). */
typedef bool sr_probe_done(struct sr_probe *p, void *ctx);
bool sr_probe_wait(struct sr_probe *p, int64_t ms, sr_probe_done *done, void *ctx);

/* --- saying */
void sr_probe_good(struct sr_probe *p, const char *check, const char *format, ...) SR_PRINTF(3, 4);
void sr_probe_note(struct sr_probe *p, const char *check, const char *format, ...) SR_PRINTF(3, 4);
/* With the cure for this site's server. */
void sr_probe_bad(struct sr_probe *p, const char *check, enum sr_trouble trouble, const char *format, ...) SR_PRINTF(4, 5);
/* With one that is not the server's. */
void sr_probe_bad_else(struct sr_probe *p, const char *check, const char *cure, const char *format, ...) SR_PRINTF(4, 5);

/* --- the checks, in the order of their calls */
enum sr_reached { SR_REACHED, SR_REACHED_BUFFERED, SR_UNREACHED };
enum sr_reached sr_probe_reach(struct sr_probe *p, const char *id); /* leaves p->watch open when REACHED */
void sr_probe_live(struct sr_probe *p, const char *id);
void sr_probe_say_buffered(struct sr_probe *p, const char *id, const char *what);
void sr_probe_finished(struct sr_probe *p, const char *id); /* of a stream that may have to be ended first */
void sr_probe_trust(struct sr_probe *p);
void sr_probe_away(struct sr_probe *p);

#endif
