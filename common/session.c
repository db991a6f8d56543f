/* session.c - see session.h. */
#include "common/session.h"

#include "common/clock.h"
#include "common/mem.h"
#include <stdlib.h>

struct sr_session {
	struct ev_loop *loop;
	struct sr_redis *redis;
	ev_timer timer;       /* wakes the loop at the deadline or for the next attempt */
	sr_mono_ms deadline;
	bool started;
	bool waiting;         /* a call is on its way */
	enum sr_err err;      /* of the call */
	struct sr_reply *reply;
	struct sr_buf why;
};

static void wake(struct sr_session *s)
{
	ev_break(s->loop, EVBREAK_ONE);
}

static void on_ready(void *ctx)
{
	wake(ctx);
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct sr_session *s = ctx;

	(void)err;
	sr_buf_reset(&s->why);
	if (sr_buf_puts(&s->why, why) != SR_OK)
		sr_buf_reset(&s->why);
	wake(s);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

static void on_reply(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_session *s = ctx;

	s->waiting = false;
	s->err = err;
	if (err == SR_OK) {
		s->reply = sr_redis_take_reply(s->redis);
	} else if (reply) {
		sr_buf_reset(&s->why);
		if (sr_buf_puts(&s->why, sr_reply_text(reply, NULL)) != SR_OK)
			sr_buf_reset(&s->why);
	}
	wake(s);
}

struct sr_session *sr_session_new(const struct sr_conf *conf, const char *name, struct sr_buf *why)
{
	struct sr_session *s = sr_calloc(1, sizeof *s);
	struct sr_redis_hooks hooks = {.on_ready = on_ready, .on_down = on_down};
	struct sr_redis_options options = {.url = conf->redis_url, .password_file = conf->redis_password_file, .name = name};

	if (!s)
		return NULL;
	sr_buf_init(&s->why, 1024);
	ev_init(&s->timer, on_timer);
	s->loop = ev_loop_new(EVFLAG_AUTO);
	if (s->loop)
		s->redis = sr_redis_new(s->loop, &options, &hooks, s, why);
	if (!s->redis) {
		sr_session_free(s);
		return NULL;
	}
	sr_session_deadline(s, 10000);
	return s;
}

void sr_session_free(struct sr_session *s)
{
	if (!s)
		return;
	sr_redis_free(s->redis);
	if (s->loop)
		ev_loop_destroy(s->loop);
	sr_buf_release(&s->why);
	free(s);
}

void sr_session_deadline(struct sr_session *s, int64_t ms)
{
	s->deadline = sr_clock_mono() + ms;
}

const char *sr_session_why(const struct sr_session *s)
{
	return sr_buf_text(&s->why);
}

/* Run the loop until something happens, for at most `ms`. */
static void run(struct sr_session *s, int64_t ms)
{
	ev_now_update(s->loop);
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_set(&s->timer, ms > 0 ? (double)ms / 1000.0 : 0., 0.);
	ev_timer_start(s->loop, &s->timer);
	ev_run(s->loop, 0);
	ev_timer_stop(s->loop, &s->timer);
}

static int64_t left(const struct sr_session *s)
{
	return s->deadline - sr_clock_mono();
}

/* Wait for the connection. Wrong credentials do not get better by waiting. */
static enum sr_err connected(struct sr_session *s)
{
	if (!s->started)
		sr_redis_start(s->redis);
	s->started = true;
	while (!sr_redis_ready(s->redis)) {
		if (left(s) <= 0)
			return sr_redis_last_error(s->redis) == SR_EREFUSED ? SR_EREFUSED : SR_EDOWN;
		run(s, left(s));
		if (!sr_redis_ready(s->redis) && sr_redis_last_error(s->redis) == SR_EDENIED)
			return SR_EDENIED;
	}
	return SR_OK;
}

enum sr_err sr_session_try(struct sr_session *s, const struct sr_call *call, int64_t timeout_ms, struct sr_reply **reply)
{
	enum sr_err err = connected(s);

	*reply = NULL;
	if (err != SR_OK)
		return err;
	sr_buf_reset(&s->why);
	err = sr_redis_send(s->redis, call, timeout_ms, on_reply, s);
	if (err != SR_OK)
		return err;
	s->waiting = true;
	while (s->waiting) /* ends: sr_redis gives every command an end by its deadline */
		run(s, 1000);
	if (s->err == SR_OK) {
		*reply = s->reply;
		s->reply = NULL;
	}
	return s->err;
}

static bool worth_another_try(enum sr_err err)
{
	return err == SR_EDOWN || err == SR_ETIMEOUT || err == SR_EREFUSED || err == SR_EBUSY;
}

/* An attempt never outlives the deadline. */
static int64_t attempt_ms(const struct sr_session *s, int64_t timeout_ms)
{
	int64_t most = timeout_ms ? timeout_ms : SR_REDIS_COMMAND_MS;

	if (most > left(s))
		most = left(s);
	return most > 0 ? most : 1;
}

enum sr_err sr_session_call(struct sr_session *s, const struct sr_call *call, int64_t timeout_ms, struct sr_reply **reply)
{
	enum sr_err err;
	int64_t pause = 50, until;

	for (;;) {
		*reply = NULL;
		err = connected(s);
		if (err == SR_OK)
			err = sr_session_try(s, call, attempt_ms(s, timeout_ms), reply);
		if (!worth_another_try(err) || left(s) <= 0)
			return err;
		until = sr_clock_mono() + (pause < left(s) ? pause : left(s));
		while (sr_clock_mono() < until)
			run(s, until - sr_clock_mono());
		pause = pause < 1000 ? pause * 2 : 1000;
	}
}
