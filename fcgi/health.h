/* health.h - the pages under {mount}/-/ : is the process alive, can it serve; scrape.h has the numbers. Only for addresses in status_allow. */
#ifndef SR_HEALTH_H
#define SR_HEALTH_H
#include "fcgi/request.h"

struct sr_hub;

/* May this address read them? If not it was answered 403, and the request is taken. */
bool sr_health_allowed(struct sr_hub *hub, struct sr_request *request);

/* 200 as long as the loop runs. Says nothing of Redis: a restart would not mend an outage. Takes the request. */
void sr_health_live(struct sr_hub *hub, struct sr_request *request);
/* 200 when new streams can be served; 503 with the reason when Redis is away or the process is leaving. Takes the request. */
void sr_health_ready(struct sr_hub *hub, struct sr_request *request);

#endif
