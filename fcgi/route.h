/* route.h - method and path to handler; the checks that every request must pass. */
#ifndef SR_ROUTE_H
#define SR_ROUTE_H
#include "fcgi/request.h"

struct sr_hub;

/* Serve one request; takes it. Called on the loop. */
void sr_route(struct sr_hub *hub, struct sr_request *request);

#endif
