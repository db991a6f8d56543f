/* doctor_trial.c - ssectl doctor: a stream of its own, from open to its end, by the same calls as the programs make, and followed on
 * its channel as a responder does. Its keys are removed at the end; should that fail they expire. */
#include "cli/doctor_parts.h"

#include "common/clock.h"
#include <stdio.h>
#include <string.h>

#define PUSH_MS 3000
#define EVENT "{\"from\":\"ssectl doctor\"}"

/* The second connection, as of a responder: it only listens. */
struct listener {
	struct ev_loop *loop;
	struct sr_redis *redis;
	ev_timer timer;
	const char *prefix, *id;
	bool ended, subscribed, pushed; /* ended: lost, or refused */
	char why[256];
	char event[SR_EVENT_ID_SIZE];   /* the pushed one's id */
};

struct trial {
	struct sr_doctor *d;
	char id[24];
	struct listener ear;
	char event[SR_EVENT_ID_SIZE];   /* the published one's id */
};

/* ---- the channel ---- */

static void on_ready(void *ctx)
{
	struct listener *l = ctx;

	if (sr_redis_subscribe(l->redis, l->prefix, &l->id, 1) != SR_OK)
		l->ended = true;
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct listener *l = ctx;

	(void)err;
	l->ended = true;
	snprintf(l->why, sizeof l->why, "%s", why);
	if (strncmp(why, "an answer that nobody asked for: ", 33) == 0) /* SUBSCRIBE has no other answer than its pushes */
		snprintf(l->why, sizeof l->why, "%s", why + 33);
	ev_break(l->loop, EVBREAK_ONE);
}

static void on_subscribed(void *ctx, const char *channel, size_t len)
{
	struct listener *l = ctx;

	(void)channel;
	(void)len;
	l->subscribed = true;
	ev_break(l->loop, EVBREAK_ONE);
}

static void on_message(void *ctx, const char *channel, size_t channel_len, const char *payload, size_t len)
{
	struct listener *l = ctx;
	struct sr_push push;

	(void)channel;
	(void)channel_len;
	if (l->pushed || sr_push_read(payload, len, &push) != SR_OK)
		return;
	l->pushed = true;
	sr_event_id_format(l->event, push.event.id);
	ev_break(l->loop, EVBREAK_ONE);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ONE);
}

/* Run the loop until `*flag`, for a while. */
static bool listen_until(struct listener *l, const bool *flag)
{
	sr_mono_ms end = sr_clock_mono() + PUSH_MS;

	while (!*flag && !l->ended && !sr_doctor_interrupted() && sr_clock_mono() < end) {
		ev_now_update(l->loop);
		ev_timer_set(&l->timer, 0.1, 0.);
		ev_timer_start(l->loop, &l->timer);
		ev_run(l->loop, 0);
		ev_timer_stop(l->loop, &l->timer);
	}
	return *flag;
}

static bool open_listener(struct trial *t)
{
	const struct sr_conf *conf = &t->d->ctl->conf;
	struct sr_redis_hooks hooks = {.on_ready = on_ready, .on_down = on_down, .on_message = on_message, .on_subscribed = on_subscribed};
	struct sr_redis_options options = {
	    .url = conf->redis_url, .password_file = conf->redis_password_file, .name = "ssectl", .pubsub = true, .once = true, .silent = true};
	struct listener *l = &t->ear;
	struct sr_buf why;

	sr_buf_init(&why, 256);
	l->prefix = conf->key_prefix;
	l->id = t->id;
	ev_init(&l->timer, on_timer);
	l->loop = ev_loop_new(EVFLAG_AUTO);
	if (l->loop)
		l->redis = sr_redis_new(l->loop, &options, &hooks, l, &why);
	if (l->redis)
		sr_redis_start(l->redis);
	else
		l->ended = true;
	sr_buf_release(&why);
	return l->redis && listen_until(l, &l->subscribed);
}

static void close_listener(struct listener *l)
{
	sr_redis_free(l->redis);
	if (l->loop)
		ev_loop_destroy(l->loop);
}

static void check_subscribe(struct trial *t)
{
	const char *prefix = t->d->ctl->conf.key_prefix;
	struct sr_buf cure;
	char rules[160];

	sr_buf_init(&cure, SR_CURE_MAX);
	if (open_listener(t)) {
		sr_doctor_say(t->d, SR_GOOD, "redis-subscribe", NULL, "subscribed to %schannel:%s", prefix, t->id);
	} else if (strncmp(t->ear.why, "NOPERM", 6) == 0) {
		snprintf(rules, sizeof rules, strstr(t->ear.why, "channel") ? "'&%s*'" : "+subscribe +unsubscribe '&%s*'", prefix);
		sr_cure_rights(&cure, t->d, rules);
		sr_doctor_say(t->d, SR_BAD, "redis-subscribe", sr_buf_text(&cure), "SUBSCRIBE %schannel:ID is denied: %s", prefix, t->ear.why);
	} else if (!sr_doctor_interrupted()) {
		sr_cure_error(&cure, t->d, t->ear.why);
		sr_doctor_say(t->d, SR_BAD, "redis-subscribe", sr_buf_text(&cure), "SUBSCRIBE %schannel:%s was not answered: %s", prefix, t->id,
		              t->ear.why[0] ? t->ear.why : "no answer in time");
	}
	sr_buf_release(&cure);
}

/* ---- the stream ---- */

static void say_failed(struct trial *t, const char *check, enum sr_err err, const char *what)
{
	const char *said = sr_session_why(t->d->ctl->session), *why = *said ? said : sr_strerror(err);
	struct sr_buf cure;

	sr_buf_init(&cure, SR_CURE_MAX);
	sr_cure_error(&cure, t->d, why);
	sr_doctor_say(t->d, SR_BAD, check, sr_buf_text(&cure), "%s failed: %s", what, why);
	sr_buf_release(&cure);
}

static void say_odd(struct trial *t, const char *check, const char *what)
{
	sr_doctor_say(t->d, SR_BAD, check, "is anything between this program and Redis (a proxy)? then redis_url: Redis itself", "%s: Redis answered "
	              "otherwise than the script does", what);
}

/* Send and judge one call; NULL and a finding when it failed. */
static struct sr_reply *send_call(struct trial *t, struct sr_call *call, const char *check, const char *what)
{
	struct sr_reply *reply;
	enum sr_err err = sr_doctor_ask(t->d, call, &reply);

	if (err != SR_OK)
		say_failed(t, check, err, what);
	return reply;
}

static bool try_open(struct trial *t)
{
	struct sr_open o = {.id = t->id, .user = "doctor", .type = "doctor", .lease = true};
	struct sr_open_result result;
	struct sr_call call;
	struct sr_reply *reply;
	bool well;

	sr_open_call(&call, &t->d->ctl->reg, &o);
	reply = send_call(t, &call, "stream-open", "opening a stream");
	if (!reply)
		return false;
	well = sr_open_read(reply, &result) == SR_OK && result.outcome == SR_NEW;
	sr_reply_free(reply);
	if (well)
		sr_doctor_say(t->d, SR_GOOD, "stream-open", NULL, "opened %s", t->id);
	else
		say_odd(t, "stream-open", "opening a stream");
	return well;
}

static bool try_store(struct trial *t, const char *check, const char *what, struct sr_call *call)
{
	struct sr_reply *reply = send_call(t, call, check, what);
	struct sr_publish_result result;
	bool well;

	if (!reply)
		return false;
	well = sr_publish_read(reply, &result) == SR_OK && result.outcome == SR_NEW && result.count == 1;
	snprintf(t->event, sizeof t->event, "%s", well ? sr_publish_id(reply, 0) : "");
	sr_reply_free(reply);
	if (well)
		sr_doctor_say(t->d, SR_GOOD, check, NULL, "%s: stored as %s", what, t->event);
	else
		say_odd(t, check, what);
	return well;
}

static bool try_publish(struct trial *t)
{
	struct sr_publish p = {.id = t->id, .user = "doctor", .producer = "doctor", .n = 1};
	struct sr_call call;

	sr_publish_call(&call, &t->d->ctl->reg, &p);
	sr_publish_add(&call, "doctor", EVENT, strlen(EVENT));
	return try_store(t, "stream-publish", "an event", &call);
}

static bool try_end(struct trial *t)
{
	struct sr_publish p = {.id = t->id, .user = "doctor", .producer = "doctor", .n = 2};
	struct sr_call call;

	sr_end_call(&call, &t->d->ctl->reg, &p, "completed", EVENT, strlen(EVENT));
	return try_store(t, "stream-end", "the terminal event", &call);
}

static void check_push(struct trial *t)
{
	if (!t->ear.subscribed)
		return;
	sr_doctor_wait(t->d, "waiting for the event on its channel");
	if (listen_until(&t->ear, &t->ear.pushed) && strcmp(t->ear.event, t->event) == 0)
		sr_doctor_say(t->d, SR_GOOD, "stream-push", NULL, "it came on the channel at once");
	else if (!sr_doctor_interrupted())
		sr_doctor_say(t->d, SR_BAD, "stream-push", "redis_url: Redis itself, without a proxy that does not know Pub/Sub; the ACL's rights to channels",
		              "the event did not come on its channel within %d s%s%s: pages get events only with the next beat", PUSH_MS / 1000,
		              t->ear.why[0] ? ": " : "", t->ear.why);
}

static bool try_beat(struct trial *t)
{
	struct sr_beat beat = {.id = t->id};
	struct sr_beat_result result;
	struct sr_call call;
	struct sr_reply *reply;
	bool well;

	sr_beat_call(&call, &t->d->ctl->reg, "", &beat, 1);
	reply = send_call(t, &call, "stream-beat", "a beat");
	if (!reply)
		return false;
	well = sr_beat_read(reply, 0, &result) == SR_OK && result.outcome == SR_SAME;
	sr_reply_free(reply);
	if (well)
		sr_doctor_say(t->d, SR_GOOD, "stream-beat", NULL, "a beat keeps it alive");
	else
		say_odd(t, "stream-beat", "a beat");
	return well;
}

/* ---- and away ---- */

static enum sr_err forget(struct trial *t, const char *verb, enum sr_key index)
{
	static const enum sr_key keys[] = {SR_KEY_STREAM, SR_KEY_COMPLETION, SR_KEY_EVENTS, SR_KEY_VIEWERS};
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, verb);
	if (strcmp(verb, "ZREM") == 0) {
		sr_call_name(&call, t->d->ctl->reg.prefix, index, NULL);
		sr_call_text(&call, t->id);
	} else {
		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
			sr_call_name(&call, t->d->ctl->reg.prefix, keys[i], t->id);
	}
	err = sr_doctor_ask(t->d, &call, &reply);
	sr_reply_free(reply);
	return err;
}

static void clean_up(struct trial *t)
{
	enum sr_err err = forget(t, "DEL", SR_KEY_STREAM);

	if (err == SR_OK)
		err = forget(t, "ZREM", SR_KEY_ACTIVE);
	if (err == SR_OK)
		err = forget(t, "ZREM", SR_KEY_ORPHANED);
	if (err != SR_OK)
		sr_doctor_say(t->d, SR_NOTE, "stream-cleanup", NULL, "%s could not be removed (%s): it expires by itself within %lld s", t->id,
		              *sr_session_why(t->d->ctl->session) ? sr_session_why(t->d->ctl->session) : sr_strerror(err),
		              (long long)t->d->ctl->conf.stream_ttl / 1000);
}

void sr_doctor_trial(struct sr_doctor *d, bool rights)
{
	struct trial t = {.d = d, .id = "doctor-"};

	sr_random_name(t.id + strlen(t.id), 12);
	sr_doctor_wait(d, "subscribing");
	check_subscribe(&t);
	if (!rights) {
		sr_doctor_say(d, SR_NOTE, "stream-open", NULL, "no stream was tried: what it takes is missing, see above");
	} else if (!sr_doctor_interrupted()) {
		if (try_open(&t) && try_publish(&t)) {
			check_push(&t);
			d->redis = try_beat(&t) && try_end(&t);
		}
		clean_up(&t);
	}
	close_listener(&t.ear);
}
