/* reply.h - one Redis reply (RESP2), read without knowing hiredis. A reply lives until its callback returns, or until
 * sr_reply_free() for one that a call handed over. Every getter takes NULL and a wrong type, and then answers what stands
 * behind "else". */
#ifndef SR_REPLY_H
#define SR_REPLY_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

struct sr_reply; /* hiredis's redisReply */

bool sr_reply_is_error(const struct sr_reply *r);
bool sr_reply_is_array(const struct sr_reply *r);
/* The integer, or a string's decimal value; else `other`. */
long long sr_reply_int(const struct sr_reply *r, long long other);
/* Bytes of a string, status or error, NUL-terminated; else "". *len may be NULL. */
const char *sr_reply_text(const struct sr_reply *r, size_t *len);
/* Elements of an array; else 0. */
size_t sr_reply_count(const struct sr_reply *r);
/* The i-th element; else NULL. */
const struct sr_reply *sr_reply_at(const struct sr_reply *r, size_t i);
/* Shorthands for sr_reply_at(). */
long long sr_reply_int_at(const struct sr_reply *r, size_t i, long long other);
const char *sr_reply_text_at(const struct sr_reply *r, size_t i, size_t *len);

/* What an error reply means to its caller: SR_EDENIED, SR_EREFUSED or SR_EREPLY; SR_OK if it is none. */
enum sr_err sr_reply_error(const struct sr_reply *r);
/* true for "-NOSCRIPT ...". */
bool sr_reply_is_noscript(const struct sr_reply *r);

void sr_reply_free(struct sr_reply *r);

#endif
