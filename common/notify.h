/* notify.h - tell systemd about the start, the end, what is being done, and that the loop turns. Rule: sd_notify(3), "Notes":
 * one datagram to the socket that NOTIFY_SOCKET names, a leading '@' is the abstract name space. Without that variable all
 * calls do nothing. */
#ifndef SR_NOTIFY_H
#define SR_NOTIFY_H
#include <ev.h>
#include <stddef.h>

#define SR_NOTIFY_SIZE 256 /* of a status line, with its end */

/* One line of text about what the process does now: at most `size` bytes with its end, no newline. */
typedef void sr_notify_describe(void *ctx, char *out, size_t size);

struct sr_notify {
	ev_timer watchdog, status;
	sr_notify_describe *describe;
	void *ctx;
	char said[SR_NOTIFY_SIZE]; /* the last status */
};

/* READY=1, and from now on WATCHDOG=1 at half of WATCHDOG_USEC, and STATUS= when it has changed, looked at once a second. The
 * watchdog is fed by the loop alone: an outage of Redis must not become a storm of restarts. `describe` may be NULL. */
void sr_notify_start(struct sr_notify *n, struct ev_loop *loop, sr_notify_describe *describe, void *ctx);
/* A SIGHUP is being obeyed, and has been: RELOADING=1 with the time, then READY=1. */
void sr_notify_reloading(void);
void sr_notify_reloaded(void);
/* STOPPING=1; the watchdog is fed until the loop ends. */
void sr_notify_stopping(void);

#endif
