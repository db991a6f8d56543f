#include "guardian/canary.h"

#include "common/log.h"
#include <string.h>

/* Say what is wrong when it begins, and that it is over. */
static void note(struct sr_canary *c, enum sr_err err, const struct sr_reply *reply)
{
	if (err == SR_EDOWN || err == SR_ETIMEOUT || err == c->logged)
		return;
	if (err != SR_OK)
		sr_link_complain("redis cannot be written, nothing is marked", err, reply);
	else
		sr_log(SR_LOG_INFO, "redis can be written again", (char *)NULL);
	c->logged = err;
}

static void on_answer(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_canary *c = ctx;
	int64_t proven_ms = sr_reply_int(reply, -1);

	c->on_way = false;
	if (err == SR_OK && proven_ms < 0)
		err = SR_EREPLY;
	note(c, err, reply);
	if (err == SR_OK)
		sr_report_kept(c->report);
	if (err != SR_EDOWN && err != SR_ETIMEOUT)
		c->answered(c->ctx, err, err == SR_OK ? proven_ms : 0);
}

static void send_canary(struct sr_canary *c)
{
	const char *fields[SR_REPORT_FIELDS];
	struct sr_call call;

	sr_canary_call(&call, &c->link->reg, c->run_id, sr_report_fields(c->report, fields));
	c->on_way = sr_link_send(c->link, &call, on_answer, c) == SR_OK;
}

static void keep_run_id(struct sr_canary *c, const char *info)
{
	const char *line = strstr(info, "run_id:"), *id = line ? line + strlen("run_id:") : "";
	size_t len = strcspn(id, "\r\n");

	if (len == 0 || len >= sizeof c->run_id) {
		/* Then only a gap between two canaries tells a restart. */
		sr_log(SR_LOG_WARN, "the run id of the Redis server is unknown", "change", "let this user run INFO", (char *)NULL);
		id = "unknown";
		len = strlen(id);
	}
	memcpy(c->run_id, id, len);
	c->run_id[len] = '\0';
}

static void on_info(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_canary *c = ctx;

	c->on_way = false;
	if (err != SR_OK && err != SR_EDENIED && err != SR_EREPLY)
		return; /* the timer asks again */
	keep_run_id(c, err == SR_OK ? sr_reply_text(reply, NULL) : "");
	send_canary(c);
}

static void ask_run_id(struct sr_canary *c)
{
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "INFO");
	sr_call_text(&call, "server");
	c->on_way = sr_link_send(c->link, &call, on_info, c) == SR_OK;
}

void sr_canary_now(struct sr_canary *c)
{
	if (c->on_way)
		return;
	if (c->run_id[0])
		send_canary(c);
	else
		ask_run_id(c);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	sr_canary_now(w->data);
}

void sr_canary_init(struct sr_canary *c, const struct sr_link *link, struct sr_report *report, sr_canary_cb *answered, void *ctx)
{
	*c = (struct sr_canary){.link = link, .report = report, .answered = answered, .ctx = ctx};
	ev_init(&c->timer, on_timer);
	c->timer.data = c;
}

void sr_canary_start(struct sr_canary *c)
{
	int64_t period_ms = sr_canary_gap(&c->link->reg) / 3;

	if (period_ms > SR_CANARY_PERIOD_MS)
		period_ms = SR_CANARY_PERIOD_MS;
	c->run_id[0] = '\0';
	c->timer.repeat = (double)period_ms / 1000.;
	ev_timer_again(c->link->loop, &c->timer);
	sr_canary_now(c);
}

void sr_canary_stop(struct sr_canary *c)
{
	ev_timer_stop(c->link->loop, &c->timer);
}
