/* scrape.c - see scrape.h. */
#include "fcgi/scrape.h"

#include "common/mem.h"
#include "common/metrics.h"
#include "common/resident.h"
#include "fcgi/answer.h"
#include "fcgi/health.h"
#include "fcgi/hub.h"
#include <stdlib.h>

struct scrape {
	struct sr_hub *hub;
	struct sr_request *request;
};

/* m NULL: Redis is away. */
static void answer(struct sr_hub *hub, struct sr_request *request, const struct sr_monitor *m)
{
	const struct sr_metrics_self self = {.streams = hub->channels.count, .viewers = hub->viewers, .uptime_ms = sr_clock_mono() - hub->started,
	                                     .rss = sr_resident_bytes()};
	struct sr_buf page, out;
	enum sr_err err;

	sr_buf_init(&page, SR_METRICS_BYTES_MAX);
	sr_buf_init(&out, SR_METRICS_BYTES_MAX + 8192);
	err = sr_metrics_render(&page, m, &self);
	if (err == SR_OK)
		err = sr_answer_text(&out, hub->conf, request->origin, SR_METRICS_TYPE, page.data, page.len);
	if (err != SR_OK)
		sr_buf_reset(&out);
	sr_answer_send(hub, request, &out);
	sr_buf_release(&page);
	sr_buf_release(&out);
}

static void on_monitor(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct scrape *s = ctx;
	struct sr_monitor m;

	if (err == SR_OK)
		err = sr_monitor_read(reply, &m);
	if (reply && err != SR_OK)
		sr_hub_complain(s->hub, "monitor", err, reply);
	s->hub->scrapes--;
	s->hub->lookups--;
	answer(s->hub, s->request, err == SR_OK ? &m : NULL);
	free(s);
}

void sr_scrape_start(struct sr_hub *hub, struct sr_request *request)
{
	struct scrape *s;
	struct sr_call call;
	enum sr_err err;

	if (!sr_health_allowed(hub, request))
		return;
	s = hub->scrapes < SR_SCRAPES_MAX ? sr_calloc(1, sizeof *s) : NULL;
	if (!s) {
		sr_answer_refuse(hub, request, 503, "too many ask for this page at once", NULL);
		return;
	}
	*s = (struct scrape){hub, request};
	sr_monitor_call(&call, &hub->reg);
	err = sr_redis_send(hub->commands, &call, 0, on_monitor, s);
	sr_call_release(&call);
	if (err == SR_OK) {
		hub->scrapes++;
		hub->lookups++;
		return;
	}
	free(s);
	answer(hub, request, NULL);
}
