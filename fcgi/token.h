/* token.h - the tokens that allow to publish. Whoever has one may write to every stream.
 * File: one token a line, 16 to 512 bytes of visible ASCII; '#' at the start of a line makes it a comment; blank lines; white space
 * around a token is not part of it. Several are valid at once: a new one is added, the producers change, the old one is removed. */
#ifndef SR_TOKEN_H
#define SR_TOKEN_H
#include "common/buf.h"
#include <stdbool.h>
#include <stddef.h>

#define SR_TOKEN_MIN 16
#define SR_TOKEN_MAX 512
#define SR_TOKENS_MAX 64 /* in one file */

struct sr_tokens;

/**
 * Read a file (the rules of sr_conf_secret() for who may read it).
 * out      set on SR_OK, else unchanged; free it
 * Returns  SR_OK; SR_EINVAL, SR_EIO or SR_ENOMEM with file, line and reason in `why`, which never has a token in it.
 */
SR_MUST_CHECK enum sr_err sr_tokens_load(struct sr_tokens **out, const char *path, struct sr_buf *why);
/* Wipes them. NULL is fine. */
void sr_tokens_free(struct sr_tokens *t);

/**
 * Does the value of an Authorization header ("Bearer TOKEN", the scheme in any case; RFC 6750, 2.1) hold one of them? The time it takes
 * depends on the number of tokens only. t: NULL matches nothing.
 */
bool sr_tokens_allow(const struct sr_tokens *t, const char *authorization);

#endif
