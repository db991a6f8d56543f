/* notify.h - tell systemd about the start, the end, and that the loop turns. Rule: sd_notify(3), "Notes": one datagram to
 * the socket that NOTIFY_SOCKET names, a leading '@' is the abstract name space. Without that variable all calls do nothing. */
#ifndef SR_NOTIFY_H
#define SR_NOTIFY_H
#include <ev.h>

struct sr_notify { ev_timer watchdog; };

/* READY=1, and WATCHDOG=1 at half of WATCHDOG_USEC from now on. It is fed by the loop alone: an outage of Redis must not
 * become a storm of restarts. */
void sr_notify_start(struct sr_notify *n, struct ev_loop *loop);
/* STOPPING=1; the watchdog is fed until the loop ends. */
void sr_notify_stopping(void);

#endif
