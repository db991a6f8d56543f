/* scrape.h - GET {mount}/-/metrics: the numbers of all processes together, for Prometheus, by one call to Redis. */
#ifndef SR_SCRAPE_H
#define SR_SCRAPE_H
#include "fcgi/request.h"

struct sr_hub;

#define SR_SCRAPES_MAX 8 /* pages that wait for Redis at once; one more is 503 */

/* Only for addresses in status_allow. Redis away: 200 with sse_redis_up 0 and what this process says of itself, since a scrape that
 * fails tells less. Takes the request. */
void sr_scrape_start(struct sr_hub *hub, struct sr_request *request);

#endif
