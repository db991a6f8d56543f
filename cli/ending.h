/* ending.h - how a job ended, as the terminal event of its stream. Pure but for memory.
 *
 *   exit 0                         completed {"exit":0}, or the terminal event that the job printed last
 *   exit 3                         failed {"exit":3,"tail":["last line", ...]}
 *   killed                         failed {"signal":"SIGKILL","tail":[...]}
 *   stopped by us                  failed {"reason":"timeout","signal":"SIGTERM","tail":[...]}
 *   never started                  failed {"exit":127,"error":"..."}
 * Whatever else than exit 0: with "result", the data of the terminal event that the job printed. */
#ifndef SR_ENDING_H
#define SR_ENDING_H
#include "cli/tail.h"
#include "common/buf.h"

struct sr_ending {
	int exit, signal;           /* signal 0: it exited */
	const char *reason;         /* "timeout" or "idle": we stopped it; else NULL */
	const char *error;          /* why it was not started; else NULL */
	const struct sr_tail *tail;
	const struct sr_buf *result_type, *result; /* what the job printed; empty = nothing */
};

/**
 * Write the terminal event's data into `data`, which is reset first; at most event_bytes.
 * The tail is shortened, and the result then left out, to make room for the rest.
 * type     receives "completed", "failed", ...; static, or in e->result_type
 * Returns  SR_OK or SR_ENOMEM
 */
SR_MUST_CHECK enum sr_err sr_ending_write(const struct sr_ending *e, size_t event_bytes, const char **type, struct sr_buf *data);

/* The exit status that a shell would give. */
int sr_ending_status(const struct sr_ending *e);

#endif
