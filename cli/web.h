/* web.h - an HTTP client for the doctor, on libcurl. The library is loaded when it is needed (libcurl.so.4), so that no other
 * command of ssectl starts slower or needs it.
 *
 * Terms   exchange   one GET and what came of it, while it comes; freeing it closes its connection
 *
 * Each exchange has a connection of its own. No proxy is used, no redirect followed, nothing decoded. One thread; the exchanges
 * go on only inside sr_web_work(). */
#ifndef SR_WEB_H
#define SR_WEB_H
#include "common/buf.h"
#include "common/clock.h"
#include <stdbool.h>

#define SR_WEB_HEAD_MAX 65536      /* bytes of an answer's header */
#define SR_WEB_BODY_MAX (1u << 20) /* bytes of a body that nobody has consumed: more ends the exchange */
#define SR_WEB_CONNECT_MS 10000    /* name, TCP and TLS */

struct sr_web;
struct sr_web_part; /* the library's side of an exchange */

struct sr_exchange {
	struct sr_web_part *part;
	int status;           /* 0 until the header is whole; 1xx do not count */
	int version;          /* of HTTP, then: 10, 11, 20, 30 */
	char local[64];       /* this end's address, then */
	sr_mono_ms started, headed, arrived; /* request begun; header whole; last bytes of the body */
	struct sr_buf head;   /* "Name: value" and NUL each */
	struct sr_buf body;   /* the caller may consume it */
	bool ended;           /* nothing will follow */
	char why[256];        /* ended: "" as it should, else how it broke */
};

/* cacert: a file of certificate authorities to trust, or NULL for the system's. NULL with a sentence in `why`. */
struct sr_web *sr_web_new(const char *cacert, struct sr_buf *why);
/* After its exchanges. */
void sr_web_free(struct sr_web *w);

/* Begin a GET. fields: "Name: value", ended by NULL; copied. NULL: no memory, or `url` is none. */
struct sr_exchange *sr_web_get(struct sr_web *w, const char *url, const char *const *fields);
void sr_exchange_free(struct sr_exchange *x);

/* Move all exchanges on for up to `ms`; returns early when something came, or a signal. */
void sr_web_work(struct sr_web *w, int64_t ms);

/* The first field of that name, or NULL. */
const char *sr_exchange_field(const struct sr_exchange *x, const char *name);
/* Does a field of that name hold this word, in any case? */
bool sr_exchange_mentions(const struct sr_exchange *x, const char *name, const char *word);

#endif
