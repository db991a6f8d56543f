/* call.h - one Redis command on its way: a script with its keys and arguments, or a plain command. Pure: encodes RESP
 * (redis.io, "Redis serialization protocol"), sends nothing.
 * Building never fails half-way: the first failure is kept, and sr_redis_send() answers it. */
#ifndef SR_CALL_H
#define SR_CALL_H
#include "common/buf.h"
#include "common/err.h"
#include "common/keys.h"
#include "common/script.h"
#include <stdbool.h>

#define SR_CALL_BYTES_MAX (4u << 20)

struct sr_call {
	enum sr_script_name script;
	int keys, args;     /* given so far */
	struct sr_buf tail; /* RESP of keys and arguments (a plain command: of all its words) */
	enum sr_err err;    /* the first failure while building */
};

void sr_call_init(struct sr_call *call, enum sr_script_name script);
void sr_call_release(struct sr_call *call);

/* A script's keys come before its arguments. */
void sr_call_key(struct sr_call *call, const char *prefix, enum sr_key key, const char *id);
/* A key whose whole name came from Redis itself (SCAN). */
void sr_call_foreign_key(struct sr_call *call, const char *name);
void sr_call_arg(struct sr_call *call, const char *bytes, size_t len);
void sr_call_text(struct sr_call *call, const char *text);
void sr_call_int(struct sr_call *call, long long value);
/* A key name as an argument: a channel, or a plain command's key. */
void sr_call_name(struct sr_call *call, const char *prefix, enum sr_key key, const char *id);

/* SR_OK, the first failure, or SR_EINVAL when the counts are not the script's. */
SR_MUST_CHECK enum sr_err sr_call_check(const struct sr_call *call);

/* Append the whole command: EVALSHA, or EVAL with the text (`whole`); a plain command as it is. Unchanged on an error. */
SR_MUST_CHECK enum sr_err sr_call_encode(const struct sr_call *call, bool whole, struct sr_buf *out);

#endif
