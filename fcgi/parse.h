/* parse.h - one request out of a FastCGI connection, by libfcgi: parse.c is the only file that knows it. libfcgi blocks on what is missing, so
 * it is only given what inspect.h has found to be there. */
#ifndef SR_PARSE_H
#define SR_PARSE_H
#include "fcgi/request.h"

/* Once, before the threads. false: it is of no use here. */
bool sr_parse_init(void);

/* Both take fd: it is the request's, or closed after a line in the log, and NULL returned. `user_variable` is the CGI variable that
 * names the user. */

/* Of a request without a body, which is there as a whole. Reads it to its end. */
struct sr_request *sr_parse_whole(int fd, const char *user_variable);
/* Of one with a body: its first `head` bytes, which were peeked into `bytes`, and no more. The next byte of fd is the body's then. */
struct sr_request *sr_parse_head(int fd, uint8_t *bytes, size_t head, uint16_t id, const char *user_variable);

/* Close a connection that gets no answer, and say why in the log. */
void sr_parse_refuse(int fd, const char *why);

#endif
