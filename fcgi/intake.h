/* intake.h - threads that accept FastCGI connections and only parse them (parse.h, by libfcgi).
 *
 *   listening socket ──accept──> peek until the head is whole ──> libfcgi parses it ──> queue ──> loop
 *
 * libfcgi blocks on what is missing, so it sees a connection only when nothing is missing: slow peers wait beside each other, each
 * for at most receive_timeout, and hold up nobody. A body is not waited for: of a request that has one, libfcgi parses a copy of
 * the head, and the loop reads the body from the connection. The queue under one mutex is all that threads and loop share. After the
 * hand-over the connection is the loop's alone. */
#ifndef SR_INTAKE_H
#define SR_INTAKE_H
#include "common/err.h"
#include "fcgi/request.h"
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct sr_intake;

struct sr_intake_options {
	int listen_fd;           /* set non-blocking: all who share it must expect that, and all are sse-fcgi */
	int threads;
	int64_t receive_timeout; /* ms; a request's head must be whole by then */
	const char *user_variable;
};

/* Called on the loop, once for each request, which is the callee's to free. */
typedef void sr_intake_cb(void *ctx, struct sr_request *request);

/* Start the threads. NULL: memory, a descriptor or a thread is not to be had (errno). Install signal handlers after this
 * call (FCGX_Init puts its own on SIGPIPE, SIGUSR1 and SIGTERM); the threads block all signals. */
struct sr_intake *sr_intake_start(struct ev_loop *loop, const struct sr_intake_options *options, sr_intake_cb *cb, void *ctx);
/* New values for the next connections (SIGHUP). SR_ENOMEM: the old ones stay. */
SR_MUST_CHECK enum sr_err sr_intake_configure(struct sr_intake *in, int64_t receive_timeout, const char *user_variable);
/* Accept no more. What was accepted still arrives: what is queued, being parsed, or made whole within a second. */
void sr_intake_stop(struct sr_intake *in);
/* After sr_intake_stop(): has the last request been handed to the callback? */
bool sr_intake_quiet(struct sr_intake *in);
/* sr_intake_stop(), wait for the threads (about a second at most), free what is queued. NULL is fine. */
void sr_intake_free(struct sr_intake *in);

#endif
