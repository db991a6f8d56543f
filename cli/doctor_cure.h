/* doctor_cure.h - what to change in the web server: one text for each trouble and server, in the words of deploy/snippets. Pure but for
 * memory. */
#ifndef SR_DOCTOR_CURE_H
#define SR_DOCTOR_CURE_H
#include "common/buf.h"
#include <stdbool.h>
#include <stdint.h>

enum sr_front { SR_FRONT_LIGHTTPD, SR_FRONT_APACHE, SR_FRONT_NGINX, SR_FRONT_UNKNOWN };

enum sr_trouble {
	SR_TROUBLE_ROUTE,        /* the URL is not sse-fcgi's */
	SR_TROUBLE_RESPONDER,    /* sse-fcgi cannot be reached */
	SR_TROUBLE_PATH_INFO,
	SR_TROUBLE_USER,         /* the server names no user */
	SR_TROUBLE_BUFFERING,
	SR_TROUBLE_COMPRESSION,
	SR_TROUBLE_HEADERS,      /* changed or removed on the way */
	SR_TROUBLE_TIMEOUT,      /* a quiet stream is cut */
	SR_TROUBLE_LAST_EVENT_ID,/* is not passed on */
	SR_TROUBLE_LEAVING,      /* a client that left is noticed late */
	SR_TROUBLE_SPOOF_HEADER, /* the client can name the user in a header */
	SR_TROUBLE_SPOOF_BASIC,  /* or in a password that nobody checked */
	SR_TROUBLE_HTTP2,
	SR_TROUBLE_FALLBACK,     /* no answer of its own while sse-fcgi is away */
	SR_TROUBLE_STATUS,       /* /-/ is public */
	SR_TROUBLES
};

/* What the texts are filled in with. */
struct sr_site {
	enum sr_front front;
	const char *mount, *socket; /* "/api/stream"; "/run/…/fcgi.sock" or HOST:PORT */
	const char *variable;       /* user_variable */
	int64_t heartbeat_ms;
};

/* SR_FRONT_UNKNOWN: what the Server field says is none of them, or it is not there. */
enum sr_front sr_front_of(const char *server);
const char *sr_front_name(enum sr_front front);

/* Replace `out` by the cure, for an unknown server by those of all three. Returns its text; "" when memory is out. */
const char *sr_cure(struct sr_buf *out, const struct sr_site *site, enum sr_trouble trouble);

#endif
