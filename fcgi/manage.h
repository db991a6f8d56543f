/* manage.h - PUT and DELETE {mount}/{id}: open a stream, and end it before its work is done. */
#ifndef SR_MANAGE_H
#define SR_MANAGE_H
#include "fcgi/request.h"

struct sr_hub;

/* Both take the request, whose token was checked.
 * PUT     body: nothing, or {"type", "user", "metadata", "lease"}. 201 created, 200 existing: {"streamId", "result", "lease": epoch or null}.
 * DELETE  body: nothing, or the data of the event `cancelled` as JSON. 200 {"streamId", "id"}. */
void sr_manage_put(struct sr_hub *hub, struct sr_request *request, const char *id);
void sr_manage_delete(struct sr_hub *hub, struct sr_request *request, const char *id);

#endif
