/* doctor.h - ssectl doctor: what each part of it may use. A check says one finding; a finding that is no good names its cure:
 * the server or file, the directive, the line to add.
 *
 *   doctor.c (the command, the report) ──> doctor_host.c   files and kernel of this machine ──> doctor_socket.c ──> rights.h, process.h, fcgi_ask.h
 *                                      ──> doctor_redis.c  reaching Redis ──> doctor_settings.c, doctor_rights.c (what its user may),
 *                                                          doctor_trial.c (a stream of its own), doctor_nodes.c (guardian, responders)
 *                                      ──> doctor_web.c    end to end through the web server ──> web.h (libcurl) */
#ifndef SR_DOCTOR_H
#define SR_DOCTOR_H
#include "cli/ctl.h"

enum sr_finding {
	SR_GOOD,
	SR_NOTE, /* worth knowing, or not checked and why; does not make the exit code bad */
	SR_BAD,
};

struct sr_doctor {
	struct sr_ctl *ctl;
	const char *url;   /* public URL of the mount point, without a slash at its end; NULL: no check through the web */
	unsigned good, notes, bad;
	bool redis;        /* Redis is reachable and writable: set by sr_doctor_redis(), needed by sr_doctor_web() */
};

/**
 * Report one finding, at once (the next one may take seconds).
 * check   a short stable name, [a-z0-9-]+: "redis-eviction", "web-buffering"
 * cure    for SR_BAD: what to change, where, with the very line to add; may have several lines. NULL for the others
 */
void sr_doctor_say(struct sr_doctor *d, enum sr_finding finding, const char *check, const char *cure, const char *format, ...) SR_PRINTF(5, 6);
/* On a terminal only: what is being waited for ("waiting 15 s for a heartbeat"); the next finding replaces it. */
void sr_doctor_wait(struct sr_doctor *d, const char *format, ...) SR_PRINTF(2, 3);
/* SIGINT, SIGTERM, SIGHUP or SIGQUIT came: end the check, put everything back. */
bool sr_doctor_interrupted(void);

/* The parts. Each returns 0 when it could do its work, whatever it found, else an exit code after a finding, or a message on stderr,
 * that says why. The others are run all the same. */
int sr_doctor_redis(struct sr_doctor *d);
int sr_doctor_host(struct sr_doctor *d);
int sr_doctor_web(struct sr_doctor *d);

#endif
