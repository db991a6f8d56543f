/* recover.h - GET {mount}/{id}/recover: what became of a stream, as JSON, and the events after ?after=. Also HEAD of a stream. */
#ifndef SR_RECOVER_H
#define SR_RECOVER_H
#include "common/id.h"
#include "fcgi/request.h"

struct sr_hub;

#define SR_RECOVER_EVENTS_MAX 1000      /* of one answer; "more": true says that there are others */
#define SR_RECOVER_BYTES_MAX (2u << 20) /* of one answer's events, about */

/* Takes the request. after: NULL = without events. 503 + Retry-After when Redis is away. */
void sr_recover_start(struct sr_hub *hub, struct sr_request *request, const char *id, const struct sr_event_id *after);

/* HEAD {mount}/{id}: 200 with a stream's headers, or 404 for another user's. Registers nothing. */
void sr_recover_head(struct sr_hub *hub, struct sr_request *request, const char *id);

#endif
