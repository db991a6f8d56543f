/* cgi.h - plain CGI: the one request that the environment describes, a stream included. Rules: RFC 3875, sections 4 (the request), 6 (the
 * response). It takes the same way as those that come over FastCGI, with relay.h in the web server's place.
 *
 * What a client can put into the environment is fixed by RFC 3875: HTTP_*, and a few names that the server chooses. SSE_* is none of
 * them, so that the configuration is the administrator's alone; nor are words on the command line, see main.c. */
#ifndef SR_CGI_H
#define SR_CGI_H
#include "fcgi/request.h"
#include <stdbool.h>
#include <stdint.h>

struct sr_hub;

/* Did a web server start this process for one request? */
bool sr_cgi_asked(void);

/**
 * The request, as the environment describes it; NULL when memory is out. Its fd is -1. Wipes HTTP_AUTHORIZATION there, which other
 * processes of this user could read in /proc for as long as the stream lasts.
 * body  receives the bytes of standard input that belong to it: CONTENT_LENGTH; SR_RELAY_TO_END for a body that came chunked
 */
struct sr_request *sr_cgi_request(const char *user_variable, uint64_t *body);

/**
 * Serve the request on standard input and output, until the response is done, the client left, or a drain is over (sr_hub_drain(), on
 * a signal); then detach. The hub is a brief one. false: no memory or descriptors, nothing was answered; errno.
 */
bool sr_cgi_serve(struct sr_hub *hub);

#endif
