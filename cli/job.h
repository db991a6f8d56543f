/* job.h - the program that `ssectl run` runs: its process group, its two pipes, its signals, its end. On a libev loop.
 *
 *   start ──> on_output ... ──> the program has ended, and its pipes are empty ──> on_end
 *
 * Group   The job leads a process group of its own, so that all that it starts can be stopped with it. Signals that come to us
 *         are passed on to the group; those that were ignored when we started stay ignored, here and there.
 * End     A program may leave others behind that hold its pipes open: they are read until they have been silent for
 *         SR_JOB_QUIET_MS, and for the grace at most.
 * Death   Should we be killed, the kernel sends the job's first process SIGTERM.
 * Calls back only from the loop. One job a process, since signals are the process's. */
#ifndef SR_JOB_H
#define SR_JOB_H
#include "common/err.h"
#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_JOB_QUIET_MS 1000
#define SR_JOB_CHUNK 65536 /* bytes of output at once, at most */

enum sr_job_source { SR_JOB_STDOUT, SR_JOB_STDERR, SR_JOB_SOURCES };

struct sr_job;

struct sr_job_hooks {
	void (*on_output)(void *ctx, enum sr_job_source source, const char *bytes, size_t len);
	/* INT, TERM, HUP or QUIT came to us; it was passed on, if the job was still there. */
	void (*on_signal)(void *ctx, int signo);
	/* The program has ended; its pipes may not have. sr_job_has_ended() is true. */
	void (*on_exit)(void *ctx);
	void (*on_end)(void *ctx);
};

struct sr_job_options {
	int64_t grace_ms;       /* from SIGTERM to SIGKILL */
	size_t chunk;           /* bytes of output at once, 1 to SR_JOB_CHUNK */
	void (*sigpipe)(int);   /* what SIGPIPE is to the job: SIG_DFL or SIG_IGN */
};

/* Signals are caught from here on. NULL: memory is out. */
struct sr_job *sr_job_new(struct ev_loop *loop, const struct sr_job_options *options, const struct sr_job_hooks *hooks, void *ctx);
/* The job is left alone if it still runs. Not from a hook. NULL is fine. */
void sr_job_free(struct sr_job *j);

/* Start it: argv[0] is looked up in PATH. 0, or errno of what failed: ENOENT = there is no such program. */
SR_MUST_CHECK int sr_job_start(struct sr_job *j, char **argv);
/* Read one of its pipes, or let it wait. Both are read from the start. */
void sr_job_read(struct sr_job *j, enum sr_job_source source, bool on);
/* SIGTERM to the group, and SIGKILL when it has not ended within the grace. */
void sr_job_stop(struct sr_job *j);
/* Only the SIGKILL. */
void sr_job_doom(struct sr_job *j);

/* The program has ended, if its pipes have or not. */
bool sr_job_has_ended(const struct sr_job *j);
/* A pipe of it waits, as sr_job_read() said. */
bool sr_job_is_held(const struct sr_job *j);
/* From on_end on: the exit status, or -1 if the signal sr_job_signal() killed it, else that is 0. */
int sr_job_exit(const struct sr_job *j);
int sr_job_signal(const struct sr_job *j);

#endif
