/* fcgi_ask.h - ask a responder on its own socket for a short page, as a web server does (FastCGI 1.0). Blocks, for a while. */
#ifndef SR_FCGI_ASK_H
#define SR_FCGI_ASK_H
#include <sys/socket.h>

struct sr_fcgi_answer {
	int error;       /* errno of the attempt to connect; 0 when it succeeded, ETIMEDOUT */
	int status;      /* HTTP status; 0: what listens there gave no FastCGI answer in time */
	char body[512];  /* its beginning */
};

/* mount, page: "/api/stream", "/-/ready". */
void sr_fcgi_ask(struct sr_fcgi_answer *out, const struct sockaddr *addr, socklen_t len, const char *mount, const char *page, int ms);

#endif
