/* fill.h - templates of other programs' configurations, and the values that are put into them. Pure.
 *
 * In a template @MOUNT@ @SOCKET@ @SHARE@ @PROGRAM@ and @NAME@ (the last part of the mount point) stand for values, lines that begin
 * with @UNIX@ or @TCP@ are for that kind of socket only, and @HOST@ and @PORT@ are the parts of a TCP one. Anything else stays. */
#ifndef SR_FILL_H
#define SR_FILL_H
#include "common/buf.h"

#define SR_FILL_SOCKET "/run/sse-resilience/fcgi.sock"
#define SR_FILL_MAX 65536 /* bytes of a filled template */

struct sr_fill {
	const char *mount;   /* /api/stream */
	const char *socket;  /* an absolute path, or HOST:PORT; an IPv6 host in brackets */
	const char *share;   /* an absolute path: where the files of deploy/cgi are */
	const char *program; /* an absolute path: sse-fcgi */
};

/* Could strings, regular expressions and shell words of every configuration hold these values? SR_EINVAL with the sentence in `why`. */
SR_MUST_CHECK enum sr_err sr_fill_check(const struct sr_fill *fill, struct sr_buf *why);
/* Append `text` with the values, which were checked. SR_ENOMEM, SR_ETOOBIG. */
SR_MUST_CHECK enum sr_err sr_fill_template(struct sr_buf *out, const char *text, const struct sr_fill *fill);

#endif
