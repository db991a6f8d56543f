/* change.c - see change.h. What the head says is read by change_head.c. */
#include "fcgi/change.h"

#include "common/json.h"
#include "common/log.h"
#include "common/mem.h"
#include "fcgi/answer.h"
#include "fcgi/change_parts.h"
#include "fcgi/discard.h"
#include "fcgi/hub.h"
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 100 /* between two attempts of a call */
#define RETRY_AFTER "Retry-After: 2\r\n"

/* --- the end ------------------------------------------------------------------------------------------------- */

/* Free it, or leave that to the reply which is still to come. */
static void dispose(struct sr_change *c)
{
	if (c->begun)
		sr_body_stop(&c->body);
	ev_timer_stop(c->hub->loop, &c->timer);
	sr_request_free(c->request);
	c->request = NULL;
	if (c->in_flight)
		return;
	sr_due_remove(&c->due);
	c->hub->changing--;
	c->ops->release(c);
	sr_buf_release(&c->answer);
	free(c);
}

static void send_answer(struct sr_change *c)
{
	struct sr_request *request = c->request;

	c->request = NULL;
	request->has_body = request->has_body && !c->begun; /* else it was read here */
	sr_answer_send(c->hub, request, &c->answer);
	dispose(c);
}

/* c->answer is built: send it, once the body is out of the way. */
static void conclude(struct sr_change *c)
{
	if (c->whole || !c->begun)
		send_answer(c);
	else
		sr_body_discard(&c->body, SR_DISCARD_BYTES, SR_DISCARD_MS);
}

static void respond(struct sr_change *c, int status, const char *headers, const char *json, size_t len)
{
	ev_timer_stop(c->hub->loop, &c->timer);
	c->concluded = true;
	if (sr_answer_json_with(&c->answer, c->hub->conf, "", status, headers, json, len) != SR_OK)
		sr_buf_reset(&c->answer);
	conclude(c);
}

void sr_change_answer(struct sr_change *c, int status, const struct sr_buf *json)
{
	respond(c, status, "", sr_buf_text(json), json->len);
}

/* {"error":"...", members, "stored":N} */
static enum sr_err error_json(const struct sr_change *c, struct sr_buf *out, const char *members, const char *text)
{
	enum sr_err err = sr_buf_printf(out, "{%s\"error\":", members);

	if (err == SR_OK)
		err = sr_json_quote(out, text, strlen(text));
	if (err == SR_OK && c->counts)
		err = sr_buf_printf(out, ",\"stored\":%llu", (unsigned long long)c->stored);
	return err == SR_OK ? sr_buf_puts(out, "}\n") : err;
}

static void refuse_text(struct sr_change *c, int status, const char *headers, const char *members, const char *text)
{
	struct sr_buf json;

	sr_log(SR_LOG_DEBUG, "change refused", "stream", c->id, "status", sr_log_num(status), "reason", text, "stored",
	       sr_log_num((long long)c->stored), (char *)NULL);
	sr_buf_init(&json, 8192);
	if (error_json(c, &json, members, text) != SR_OK)
		sr_buf_reset(&json);
	respond(c, status, headers, sr_buf_text(&json), json.len);
	sr_buf_release(&json);
}

void sr_change_refuse(struct sr_change *c, int status, const char *members, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	if (vsnprintf(text, sizeof text, format, ap) < 0)
		text[0] = 0;
	va_end(ap);
	refuse_text(c, status, "", members, text);
}

void sr_change_refuse_ended(struct sr_change *c, const char *state)
{
	char members[64];

	/* Another program's completion may say anything. */
	snprintf(members, sizeof members, "\"state\":\"%.32s\",", sr_event_type_terminal(state, strlen(state)) ? state : "ended");
	sr_change_refuse(c, 409, members, "the stream has ended");
}

void sr_change_refuse_misnumbered(struct sr_change *c)
{
	sr_change_refuse(c, 409, "\"state\":\"misnumbered\",",
	                 "the stream has not ended: something else is stored under this key, or this producer's number");
}

void sr_change_fail(struct sr_change *c, enum sr_err err)
{
	sr_log(SR_LOG_ERROR, "cannot change a stream", "stream", c->id, "reason", sr_strerror(err), (char *)NULL);
	refuse_text(c, 500, "", "", "internal error");
}

/* --- the call ------------------------------------------------------------------------------------------------ */

static void give_up(struct sr_change *c)
{
	char members[64] = "";

	if (c->counts)
		snprintf(members, sizeof members, "\"unconfirmed\":%zu,", c->in_flight || c->doubtful ? c->calling : 0);
	refuse_text(c, 503, RETRY_AFTER, members, "Redis is not available: try again, with the same Idempotency-Key or the same producer and n");
}

static bool passes(enum sr_err err)
{
	return err == SR_EDOWN || err == SR_ETIMEOUT || err == SR_EREFUSED || err == SR_EBUSY;
}

static void set_timer(struct sr_change *c, sr_mono_ms ms)
{
	c->timer.repeat = ms > 1 ? (double)ms / 1000 : 0.001;
	ev_now_update(c->hub->loop);
	ev_timer_again(c->hub->loop, &c->timer);
}

static void failed(struct sr_change *c, enum sr_err err)
{
	sr_mono_ms left = c->give_up - sr_clock_mono();

	if (passes(err) && left > 0)
		set_timer(c, left < AGAIN_MS ? left : AGAIN_MS);
	else if (passes(err) || err == SR_EDENIED)
		give_up(c);
	else
		sr_change_fail(c, err);
}

static void on_reply(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_change *c = ctx;

	c->in_flight = false;
	if (!c->request) {
		dispose(c); /* it was answered meanwhile */
		return;
	}
	if (c->concluded)
		return; /* its answer waits for the body's end */
	ev_timer_stop(c->hub->loop, &c->timer);
	if (err == SR_OK) {
		c->doubtful = false;
		c->ops->on_reply(c, reply);
		return;
	}
	if (reply)
		sr_hub_complain(c->hub, "publish", err, reply);
	c->doubtful = c->doubtful || err == SR_EDOWN || err == SR_ETIMEOUT;
	failed(c, err);
}

static void attempt(struct sr_change *c)
{
	struct sr_call call;
	enum sr_err err;

	c->ops->fill(c, &call);
	err = sr_redis_send(c->hub->commands, &call, 0, on_reply, c);
	sr_call_release(&call);
	if (err != SR_OK) {
		failed(c, err);
		return;
	}
	c->in_flight = true;
	set_timer(c, c->give_up - sr_clock_mono());
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_change *c = w->data;

	(void)revents;
	ev_timer_stop(loop, w);
	if (c->in_flight)
		give_up(c);
	else
		attempt(c);
}

void sr_change_call(struct sr_change *c)
{
	if (c->begun && !c->whole)
		sr_body_pause(&c->body);
	c->give_up = sr_clock_mono() + SR_CHANGE_MS;
	attempt(c);
}

/* --- the body ------------------------------------------------------------------------------------------------ */

static void on_bytes(struct sr_body *b, const char *bytes, size_t len)
{
	struct sr_change *c = SR_DUE_OWNER(b, struct sr_change, body);

	c->ops->on_bytes(c, bytes, len);
}

/* A web server that reads nothing but the answer is answered, one that left is not. */
static void answered_body_ended(struct sr_change *c, enum sr_body_end end)
{
	if (end == SR_BODY_LEFT || end == SR_BODY_BROKEN)
		dispose(c);
	else
		send_answer(c);
}

static void on_end(struct sr_body *b, enum sr_body_end end)
{
	struct sr_change *c = SR_DUE_OWNER(b, struct sr_change, body);

	c->whole = end != SR_BODY_LONG;
	if (c->concluded) {
		answered_body_ended(c, end);
		return;
	}
	switch (end) {
	case SR_BODY_END:
		c->ops->on_whole(c);
		return;
	case SR_BODY_SHORT:
		sr_change_refuse(c, 400, "", "the body broke off: %llu bytes came, Content-Length is %llu", (unsigned long long)b->got,
		                 (unsigned long long)b->expected);
		return;
	case SR_BODY_LONG:
		sr_change_refuse(c, 400, "", "the body is longer than its Content-Length, %llu", (unsigned long long)b->expected);
		return;
	case SR_BODY_LATE:
	case SR_BODY_MUCH:
		sr_change_refuse(c, 408, "", "the body came too slowly: at least %d bytes within receive_timeout", SR_BODY_PACE);
		return;
	case SR_BODY_LEFT:
		sr_log(SR_LOG_DEBUG, "the publisher left in its body", "stream", c->id, "stored", sr_log_num((long long)c->stored), (char *)NULL);
		break;
	case SR_BODY_BROKEN:
		sr_log(SR_LOG_WARN, "a body that breaks FastCGI", "stream", c->id, "stored", sr_log_num((long long)c->stored), (char *)NULL);
		break;
	}
	dispose(c);
}

void sr_change_run(struct sr_change *c)
{
	static const struct sr_body_ops ops = {.on_bytes = on_bytes, .on_end = on_end};

	if (!c->request->has_body) {
		c->ops->on_whole(c);
		return;
	}
	c->begun = true;
	sr_body_start(&c->body, c->hub->loop, c->request->fd, c->request->id, c->body_len, c->hub->conf->receive_timeout, &ops);
}

void sr_change_read_on(struct sr_change *c)
{
	if (c->begun && !c->whole)
		sr_body_resume(&c->body);
}

/* --- the beginning ------------------------------------------------------------------------------------------- */

struct sr_change *sr_change_new(struct sr_hub *hub, struct sr_request *request, const char *id, size_t size, const struct sr_change_ops *ops)
{
	struct sr_change *c;
	const struct sr_problem *problem;
	struct sr_problem full = {.status = 429, .text = "too many requests publish at a time (publish_requests)", .headers = "Retry-After: 1\r\n"};
	struct sr_problem memory = {.status = 503, .text = "out of memory", .headers = RETRY_AFTER};
	struct sr_problem head = {.status = 0};

	c = hub->changing < (size_t)hub->conf->publish_requests ? sr_calloc(1, size) : NULL;
	if (c) {
		c->hub = hub;
		memcpy(c->id, id, strlen(id) + 1);
		head = sr_change_read_head(c, request);
	}
	problem = c ? &head : hub->changing < (size_t)hub->conf->publish_requests ? &memory : &full;
	if (problem->status) {
		free(c);
		sr_problem_answer(hub, request, problem);
		return NULL;
	}
	c->request = request;
	c->ops = ops;
	hub->changing++;
	sr_due_add(&hub->changes, &c->due, 0);
	ev_init(&c->timer, on_timer);
	c->timer.data = c;
	sr_buf_init(&c->answer, 32768);
	sr_log(SR_LOG_DEBUG, "change begins", "stream", c->id, "bytes", sr_log_num((long long)c->body_len), (char *)NULL);
	return c;
}

void sr_change_abort_all(struct sr_hub *hub)
{
	struct sr_due *due;

	while ((due = sr_due_first(&hub->changes))) {
		struct sr_change *c = SR_DUE_OWNER(due, struct sr_change, due);

		sr_due_remove(due); /* one that waits for a reply stays behind for it */
		dispose(c);
	}
}
