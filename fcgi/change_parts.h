/* change_parts.h - what change.c and change_head.c share, and how a refusal before the change exists is written. */
#ifndef SR_CHANGE_PARTS_H
#define SR_CHANGE_PARTS_H
#include "fcgi/change.h"

/* A refusal. status 0: there is none. */
struct sr_problem {
	int status;
	const char *headers; /* NULL, or lines that end with CRLF */
	const char *field;   /* NULL, or what is wrong; static */
	char text[256];
};

/* Read length, query and Idempotency-Key into the change. */
struct sr_problem sr_change_read_head(struct sr_change *c, const struct sr_request *request);

/* Answer {"error", "field"}; takes the request. */
void sr_problem_answer(struct sr_hub *hub, struct sr_request *request, const struct sr_problem *problem);

#endif
