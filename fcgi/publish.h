/* publish.h - POST {mount}/{id}: events from an HTTP request into a stream.
 *
 *   body ──> one object | lines | form ──> batch ──full, or the body's end──> publish script ──> ... ──> answer
 *
 * What fits into one batch (batch.h) is stored all or none. More is stored batch by batch while it comes in, and the answer says how many.
 * A batch is sent under the number of its last event: the same body again, under the same key or the same producer and n, is cut the
 * same way, and each of its batches is known as a repeat.
 * Memory of one request, at most: 64 KiB of the body, one event (as it came and as it is stored), one batch, one call of that batch. */
#ifndef SR_PUBLISH_H
#define SR_PUBLISH_H
#include "fcgi/request.h"

struct sr_hub;

/* Takes the request, whose token was checked. */
void sr_publish_start(struct sr_hub *hub, struct sr_request *request, const char *id);

#endif
