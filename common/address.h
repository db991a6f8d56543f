/* address.h - where Redis is: the option redis_url taken apart, and names looked up off the loop. */
#ifndef SR_ADDRESS_H
#define SR_ADDRESS_H
#include "common/buf.h"
#include "common/err.h"
#include <ev.h>
#include <sys/socket.h>

/* unix:///path[?db=N]  or  redis://[user@]host[:port][/db] ; an IPv6 host stands in brackets. */
struct sr_address {
	char path[108]; /* a Unix socket, or "" */
	char host[256]; /* name or number, without brackets */
	char port[6];
	char user[128]; /* "" = the default user */
	int db;
};

/* SR_EINVAL leaves *out unspecified and puts a sentence into `why` (NULL is fine). A password in the URL is refused, and not
 * repeated there: it belongs in a file. */
SR_MUST_CHECK enum sr_err sr_address_parse(struct sr_address *out, const char *url, struct sr_buf *why);

struct sr_socket_address { struct sockaddr_storage addr; socklen_t len; };

/* `err` SR_OK with *found, or SR_EIO with a sentence. Called from the loop, never before sr_lookup_start() has returned. */
typedef void sr_lookup_cb(void *ctx, enum sr_err err, const struct sr_socket_address *found, const char *why);

struct sr_lookup;
/* Look up host and port in a thread of its own, since getaddrinfo(3) blocks. NULL when no thread or memory is to be had.
 * attempt  a name may have several addresses, of which one answers (localhost: ::1 and 127.0.0.1): each attempt takes the next
 * The lookup frees itself after its callback. */
struct sr_lookup *sr_lookup_start(struct ev_loop *loop, const struct sr_address *address, unsigned attempt, sr_lookup_cb *cb, void *ctx);
/* Forget it: the callback is not called. The thread ends by itself. */
void sr_lookup_cancel(struct sr_lookup *lookup);

#endif
