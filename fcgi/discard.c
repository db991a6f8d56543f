/* discard.c - see discard.h. */
#include "fcgi/discard.h"

#include "common/log.h"
#include "common/mem.h"
#include "fcgi/hub.h"
#include <stdlib.h>

struct discard {
	struct sr_body body;
	struct sr_due due; /* in hub->discards */
	struct sr_hub *hub;
	struct sr_request *request;
	sr_discarded_cb *cb;
	void *ctx;
};

static void on_end(struct sr_body *b, enum sr_body_end end)
{
	struct discard d = *SR_DUE_OWNER(b, struct discard, body);

	sr_due_remove(&SR_DUE_OWNER(b, struct discard, body)->due);
	free(SR_DUE_OWNER(b, struct discard, body));
	d.hub->lookups--;
	d.request->has_body = false;
	d.cb(d.ctx, d.hub, d.request, end);
}

void sr_discard(struct sr_hub *hub, struct sr_request *request, uint64_t bytes, sr_discarded_cb *cb, void *ctx)
{
	static const struct sr_body_ops ops = {.on_end = on_end};
	struct discard *d = sr_calloc(1, sizeof *d);

	if (!d) {
		request->has_body = false;
		cb(ctx, hub, request, SR_BODY_MUCH);
		return;
	}
	d->hub = hub;
	d->request = request;
	d->cb = cb;
	d->ctx = ctx;
	hub->lookups++;
	sr_due_add(&hub->discards, &d->due, 0);
	sr_body_start(&d->body, hub->loop, request->fd, request->id, SR_BODY_ANY, hub->conf->receive_timeout, &ops);
	sr_body_discard(&d->body, bytes, SR_DISCARD_MS);
}

void sr_discard_abort_all(struct sr_hub *hub)
{
	struct sr_due *due;

	while ((due = sr_due_first(&hub->discards))) {
		struct discard *d = SR_DUE_OWNER(due, struct discard, due);

		sr_body_stop(&d->body);
		on_end(&d->body, SR_BODY_LEFT);
	}
}
