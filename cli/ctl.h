/* ctl.h - what every command of ssectl is given: the configuration, the flags, Redis, and standard output.
 *
 *   main ── the command's row ──> produce emit bulk | show recover list status watch
 *                                     │                        │
 *                                    ctl (Redis, errors)     output (text, JSON)
 *
 * A command returns its exit code (SR_EX_..., conf.h) and has said on stderr why, when that is not 0. */
#ifndef SR_CTL_H
#define SR_CTL_H
#include "cli/output.h"
#include "common/conf.h"
#include "common/registry.h"
#include "common/session.h"

/* The flags of ssectl's own. A row of `flag` is NULL when it was not given, "" for a switch that was. */
enum sr_ctl_flag {
	SR_FLAG_JSON, SR_FLAG_VERBOSE, SR_FLAG_ID, SR_FLAG_TYPE, SR_FLAG_USER, SR_FLAG_METADATA, SR_FLAG_LEASE, SR_FLAG_PRODUCER, SR_FLAG_N,
	SR_FLAG_DEADLINE, SR_FLAG_EPOCH, SR_FLAG_STATE, SR_FLAG_AFTER,
	SR_FLAG_MAP, SR_FLAG_EVENT, SR_FLAG_COALESCE, SR_FLAG_TEE, SR_FLAG_TAIL, SR_FLAG_TIMEOUT, SR_FLAG_IDLE_TIMEOUT, SR_FLAG_GRACE,
	SR_FLAG_SPOOL, SR_FLAG_REQUIRE,
	SR_FLAG_INTERVAL, SR_FLAG_ROUNDS, SR_FLAG_OUTPUT, SR_FLAG_NAGIOS, SR_FLAG_WARNING, SR_FLAG_CRITICAL,
	SR_FLAG_SOCKET, SR_FLAG_HEADER_FILE, SR_FLAG_CACERT, SR_FLAG_DISRUPTIVE,
	SR_FLAG_SHARE, SR_FLAG_PROGRAM,
	SR_FLAG_COUNT
};
#define SR_BIT(flag) (UINT64_C(1) << (flag))

#define SR_WRITE_DEADLINE_MS 10000
#define SR_READ_DEADLINE_MS 3000
#define SR_METADATA_MAX 8192

struct sr_ctl {
	const char *command;        /* its name */
	struct sr_conf conf;
	struct sr_registry reg;     /* borrows from conf */
	const char *flag[SR_FLAG_COUNT];
	struct sr_session *session; /* NULL until sr_ctl_connect() */
	int64_t deadline_ms;        /* of one call */
	bool writes;                /* its calls change something: an end without a reply leaves the outcome unknown */
	struct sr_out out;
	void (*sigpipe)(int);       /* what SIGPIPE did when the program was started */
};

/* Say `ssectl: COMMAND: what: why` on stderr and return `code`. `what` NULL is left out. */
int sr_ctl_fail(const struct sr_ctl *ctl, int code, const char *what, const char *format, ...) SR_PRINTF(4, 5);
/* The same without a code, for what does not end the command. */
void sr_ctl_note(const struct sr_ctl *ctl, const char *what, const char *format, ...) SR_PRINTF(3, 4);

/* Take ID from the command line: NULL, with the reason on stderr, when it is none. */
const char *sr_ctl_stream_id(const struct sr_ctl *ctl, const char *word);
/* Read a flag that is a whole number in [1, most]; absent: `other`. false with the reason on stderr. */
bool sr_ctl_number(const struct sr_ctl *ctl, enum sr_ctl_flag flag, uint64_t most, uint64_t other, uint64_t *out);

/* --user, or "" without it. NULL, with the reason on stderr, when it is no name. */
const char *sr_ctl_user(const struct sr_ctl *ctl);
/* Append --metadata, checked, to a buffer of SR_METADATA_MAX. 0 or the exit code. */
int sr_ctl_metadata(const struct sr_ctl *ctl, struct sr_buf *metadata);

/* Read --deadline into deadline_ms. 0 or the exit code. */
int sr_ctl_deadline(struct sr_ctl *ctl);
/* The same, and a session that connects at its first call. 0 or the exit code. */
int sr_ctl_open(struct sr_ctl *ctl);
/* Reach Redis, within --deadline. 0 or the exit code. */
int sr_ctl_connect(struct sr_ctl *ctl);
/**
 * Send a call and wait for its reply, retrying until the command's deadline.
 * what   for messages: the stream's id, or NULL
 * call   released, whatever the outcome
 * reply  to free with sr_reply_free(); NULL unless 0 is returned
 * Returns 0 or the exit code.
 */
int sr_ctl_call(struct sr_ctl *ctl, const char *what, struct sr_call *call, struct sr_reply **reply);
/* The exit code for a call that ended as `err`, after saying so. */
int sr_ctl_redis_failed(const struct sr_ctl *ctl, const char *what, enum sr_err err);
/* The same for what was not the session's: `why` in Redis's own words, or "". */
int sr_ctl_redis_said(const struct sr_ctl *ctl, const char *what, enum sr_err err, const char *why);
/* The same when nothing was sent. */
int sr_ctl_unavailable(const struct sr_ctl *ctl, const char *why);
/* A reply which has not the shape that its command gives. */
int sr_ctl_odd_reply(const struct sr_ctl *ctl, const char *what);

/* Begin a plain command on one key: "HGETALL sse:stream:ID". More words by sr_call_text(). */
void sr_ctl_plain(struct sr_call *call, const struct sr_ctl *ctl, const char *verb, enum sr_key key, const char *id);

/* A field of a reply to HGETALL; NULL when it has none of that name. `len` may be NULL. */
const char *sr_ctl_field(const struct sr_reply *hash, const char *name, size_t *len);

/* Write out what was printed. 0, or SR_EX_IO with the reason on stderr. */
int sr_ctl_flush(struct sr_ctl *ctl);

#endif
