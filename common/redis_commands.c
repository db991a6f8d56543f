/* redis_commands.c - what goes through a connection: commands and their replies, and Pub/Sub. */
#include "common/redis_parts.h"

#include "common/log.h"
#include "common/mem.h"
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The timer follows the command whose answer is next. One that fires too early only looks again. */
static void watch_head(struct sr_redis *r)
{
	if (r->state == READY && r->head && r->head->deadline < r->timer_at)
		sr_redis_set_timer(r, r->head->deadline - sr_clock_mono());
}

static void pending_free(struct pending *p)
{
	sr_call_release(&p->retry);
	free(p);
}

/* Its command; the bytes go into the out buffer. */
static enum sr_err prepare(struct sr_redis *r, struct pending *p, const struct sr_call *call)
{
	enum sr_err err = SR_OK;

	sr_call_init(&p->retry, call->script);
	if (call->script != SR_SCRIPT_NONE) {
		p->retry.keys = call->keys;
		p->retry.args = call->args;
		err = sr_buf_append(&p->retry.tail, sr_buf_text(&call->tail), call->tail.len);
	}
	return err == SR_OK ? sr_call_encode(call, false, &r->out) : err;
}

enum sr_err sr_redis_enqueue(struct sr_redis *r, const struct sr_call *call, int64_t timeout_ms, sr_redis_cb *cb, void *ctx)
{
	struct pending *p = sr_calloc(1, sizeof *p);
	enum sr_err err = p ? prepare(r, p, call) : SR_ENOMEM;

	if (err != SR_OK) {
		if (p)
			pending_free(p);
		return err == SR_ETOOBIG ? SR_EBUSY : err;
	}
	p->cb = cb;
	p->ctx = ctx;
	p->deadline = sr_clock_mono() + (timeout_ms ? timeout_ms : SR_REDIS_COMMAND_MS);
	*r->tail = p;
	r->tail = &p->next;
	watch_head(r);
	return SR_OK;
}

static struct pending *pop(struct sr_redis *r)
{
	struct pending *p = r->head;

	r->head = p->next;
	if (!r->head)
		r->tail = &r->head;
	p->next = NULL;
	return p;
}

enum sr_err sr_redis_send(struct sr_redis *r, const struct sr_call *call, int64_t timeout_ms, sr_redis_cb *cb, void *ctx)
{
	enum sr_err err = sr_call_check(call);

	if (err != SR_OK)
		return err;
	if (r->state != READY || r->pubsub)
		return SR_EDOWN;
	return sr_redis_enqueue(r, call, timeout_ms, cb, ctx);
}

/* The script's cache was emptied: send its text in place of its hash, with the same callback. */
static bool resend_whole(struct sr_redis *r, struct pending *p)
{
	if (sr_call_encode(&p->retry, true, &r->out) != SR_OK)
		return false;
	sr_call_release(&p->retry);
	p->retry.script = SR_SCRIPT_NONE;
	p->deadline = sr_clock_mono() + SR_REDIS_COMMAND_MS;
	*r->tail = p;
	r->tail = &p->next;
	return true;
}

bool sr_redis_is_misconf(const struct sr_reply *reply)
{
	return sr_reply_is_error(reply) && strncmp(sr_reply_text(reply, NULL), "MISCONF", 7) == 0;
}

/* The connection does what it is for. Greeting well is not enough: a replica does so too, and then refuses every write. */
static void proven(struct sr_redis *r)
{
	if (r->state != READY || (!r->failures && !r->logged.len))
		return;
	r->failures = 0;
	if (r->logged.len && !r->silent)
		sr_log(SR_LOG_INFO, "redis up", "connection", r->pubsub ? "pubsub" : "commands", (char *)NULL);
	sr_buf_reset(&r->logged);
}

static void answer(struct sr_redis *r, const struct sr_reply *reply)
{
	struct pending *p = pop(r);
	unsigned generation = r->generation;
	enum sr_err err = sr_reply_error(reply);

	watch_head(r);
	if (sr_reply_is_noscript(reply) && p->retry.script != SR_SCRIPT_NONE) {
		if (resend_whole(r, p))
			return;
		err = SR_EREFUSED; /* no memory or no room for its text now */
	}
	if (err == SR_OK)
		proven(r);
	p->cb(p->ctx, err, reply);
	pending_free(p);
	/* A replica that was a master a moment ago: look for the master again. */
	if (generation == r->generation && err == SR_EREFUSED && strncmp(sr_reply_text(reply, NULL), "READONLY", 8) == 0)
		sr_redis_fail(r, SR_EREFUSED, sr_reply_text(reply, NULL));
}

static bool push(struct sr_redis *r, const struct sr_reply *reply)
{
	const char *kind = sr_reply_text_at(reply, 0, NULL), *channel, *payload;
	size_t channel_len, len;

	/* MISCONF refuses even PING, and yet the connection is as good as it can be. */
	if (!sr_reply_is_array(reply) && (r->head || (strcmp(sr_reply_text(reply, NULL), "PONG") != 0 && !sr_redis_is_misconf(reply))))
		return false;
	proven(r);
	if (!sr_reply_is_array(reply))
		return true;
	channel = sr_reply_text_at(reply, 1, &channel_len);
	if (strcmp(kind, "message") == 0) {
		payload = sr_reply_text_at(reply, 2, &len);
		if (r->hooks.on_message)
			r->hooks.on_message(r->ctx, channel, channel_len, payload, len);
	} else if (strcmp(kind, "subscribe") == 0) {
		if (r->hooks.on_subscribed)
			r->hooks.on_subscribed(r->ctx, channel, channel_len);
	} else if (strcmp(kind, "unsubscribe") != 0 && strcmp(kind, "pong") != 0) {
		return false;
	}
	return true;
}

static void dispatch(struct sr_redis *r, struct sr_reply *reply)
{
	char why[256];

	r->current = reply;
	if (r->pubsub && r->state == READY && push(r, reply))
		;
	else if (r->head)
		answer(r, reply);
	else {
		snprintf(why, sizeof why, "an answer that nobody asked for: %.180s", sr_reply_text(reply, NULL));
		sr_redis_fail(r, sr_reply_is_error(reply) ? sr_reply_error(reply) : SR_EREPLY, why);
	}
	sr_reply_free(r->current);
	r->current = NULL;
}

struct sr_reply *sr_redis_take_reply(struct sr_redis *r)
{
	struct sr_reply *taken = r->current;

	r->current = NULL;
	return taken;
}

static void read_replies(struct sr_redis *r)
{
	unsigned generation = r->generation;
	void *reply;

	while (generation == r->generation) {
		if (redisReaderGetReply(r->reader, &reply) != REDIS_OK) {
			sr_redis_fail(r, SR_EREPLY, r->reader->errstr);
			return;
		}
		if (!reply)
			return;
		dispatch(r, reply);
	}
}

#define OUT_KEEP 65536   /* of an empty out buffer */
#define READ_BYTES 16384
#define READS_A_TURN 32 /* so that one busy connection does not starve the streams */

void sr_redis_read(struct sr_redis *r)
{
	char bytes[READ_BYTES];
	unsigned generation = r->generation;

	for (int i = 0; i < READS_A_TURN && generation == r->generation; i++) {
		ssize_t n = recv(r->fd, bytes, sizeof bytes, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			sr_redis_fail(r, SR_EDOWN, n == 0 ? "Redis closed the connection" : strerror(errno));
			return;
		}
		r->heard_at = sr_clock_mono();
		r->probing = false;
		if (redisReaderFeed(r->reader, bytes, (size_t)n) != REDIS_OK) {
			sr_redis_fail(r, SR_EREPLY, r->reader->errstr);
			return;
		}
		read_replies(r);
		if ((size_t)n < sizeof bytes)
			return;
	}
}

void sr_redis_on_flush(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct sr_redis *r = w->data;
	unsigned generation = r->generation;
	ssize_t n;
	int error;

	(void)loop;
	(void)revents;
	if (r->out.len == 0 || r->state < GREETING)
		return;
	n = send(r->fd, r->out.data, r->out.len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		error = errno;
		sr_redis_read(r); /* Redis may have said why it hung up: too many clients */
		if (generation == r->generation)
			sr_redis_fail(r, SR_EDOWN, strerror(error));
		return;
	}
	if (n > 0)
		sr_buf_consume(&r->out, (size_t)n);
	if (r->out.len == 0 && r->out.cap > OUT_KEEP)
		sr_buf_release(&r->out); /* a crowd's burst is no reason to stay large */
	sr_redis_watch(r, r->out.len ? EV_READ | EV_WRITE : EV_READ);
}

void sr_redis_fail_pending(struct sr_redis *r, enum sr_err err)
{
	struct pending *p = r->head, *next;

	r->head = NULL;
	r->tail = &r->head;
	for (; p; p = next) {
		next = p->next;
		p->cb(p->ctx, err, NULL);
		pending_free(p);
	}
}

static enum sr_err change_subscriptions(struct sr_redis *r, const char *verb, const char *prefix, const char *const *ids, size_t count)
{
	struct sr_call call;
	size_t before = r->out.len;
	enum sr_err err = SR_OK;

	if (r->state != READY || !r->pubsub)
		return SR_EDOWN;
	for (size_t done = 0; err == SR_OK && done < count;) {
		size_t end = done + SR_REDIS_SUBSCRIBE_BATCH < count ? done + SR_REDIS_SUBSCRIBE_BATCH : count;

		sr_call_init(&call, SR_SCRIPT_NONE);
		sr_call_text(&call, verb);
		for (; done < end; done++)
			sr_call_name(&call, prefix, SR_KEY_CHANNEL, ids[done]);
		err = sr_call_check(&call);
		if (err == SR_OK)
			err = sr_call_encode(&call, false, &r->out);
		sr_call_release(&call);
	}
	if (err != SR_OK)
		sr_buf_truncate(&r->out, before); /* all or none */
	return err == SR_ETOOBIG ? SR_EBUSY : err;
}

enum sr_err sr_redis_subscribe(struct sr_redis *r, const char *prefix, const char *const *ids, size_t count)
{
	return change_subscriptions(r, "SUBSCRIBE", prefix, ids, count);
}

enum sr_err sr_redis_unsubscribe(struct sr_redis *r, const char *prefix, const char *const *ids, size_t count)
{
	return change_subscriptions(r, "UNSUBSCRIBE", prefix, ids, count);
}

