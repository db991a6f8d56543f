/* health.c - see health.h. */
#include "fcgi/health.h"

#include "common/json.h"
#include "fcgi/answer.h"
#include "fcgi/hub.h"
#include <string.h>

bool sr_health_allowed(struct sr_hub *hub, struct sr_request *request)
{
	if (sr_conf_address_allowed(hub->conf->status_allow, request->remote_addr))
		return true;
	sr_answer_refuse(hub, request, 403, "this address is not in status_allow", NULL);
	return false;
}

static void say(struct sr_hub *hub, struct sr_request *request, int status, const char *word, const char *why)
{
	struct sr_buf body, out;
	enum sr_err err;

	sr_buf_init(&body, 4096);
	sr_buf_init(&out, 8192);
	err = sr_buf_printf(&body, "{\"status\":\"%s\",\"viewers\":%zu,\"streams\":%zu", word, hub->viewers, hub->channels.count);
	if (err == SR_OK && why[0])
		err = sr_buf_puts(&body, ",\"reason\":");
	if (err == SR_OK && why[0])
		err = sr_json_quote(&body, why, strlen(why));
	if (err == SR_OK)
		err = sr_buf_puts(&body, "}\n");
	if (err == SR_OK)
		err = sr_answer_json(&out, hub->conf, request->origin, status, status == 503 ? 2 : 0, body.data, body.len);
	if (err != SR_OK)
		sr_buf_reset(&out);
	sr_answer_send(hub, request, &out);
	sr_buf_release(&body);
	sr_buf_release(&out);
}

void sr_health_live(struct sr_hub *hub, struct sr_request *request)
{
	if (sr_health_allowed(hub, request))
		say(hub, request, 200, "ok", "");
}

void sr_health_ready(struct sr_hub *hub, struct sr_request *request)
{
	if (!sr_health_allowed(hub, request))
		return;
	if (hub->draining)
		say(hub, request, 503, "draining", "this process is leaving");
	else if (!sr_hub_online(hub))
		say(hub, request, 503, "waiting", sr_hub_why(hub));
	else
		say(hub, request, 200, "ready", "");
}
