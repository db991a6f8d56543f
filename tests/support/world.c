/* world.c - see world.h. */
#include "tests/support/world.h"

#include "common/clock.h"
#include "common/log.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world w;

/* Replies handed to the test. */
static struct sr_reply **replies;
static size_t reply_count;

static struct ear {
	struct ev_loop *loop;
	struct sr_redis *redis;
	char channel[256];
	bool subscribed;
	struct heard queue[256];
	size_t heard, read;
	char marks; /* marks that came and were not yet waited for */
} ear;

/* What must hold whenever no script is running. */
static const char invariants[] =
	"local wrong, odd = {}, ARGV[1] == '1'\n"
	"local function say(...) wrong[#wrong + 1] = table.concat({...}, ' ') end\n"
	"local function get(key, name) return redis.call('HGET', key, name) end\n"
	"for _, key in ipairs(redis.call('KEYS', '*')) do\n"
	"  if redis.call('PTTL', key) == -1 then say('no TTL:', key) end\n"
	"end\n"
	"if odd then return wrong end\n"
	"for _, id in ipairs(redis.call('ZRANGE', 'sse:active', 0, -1)) do\n"
	"  local key = 'sse:stream:' .. id\n"
	"  if not get(key, 'userId') then say('in active without a record:', id)\n"
	"  elseif get(key, 'state') ~= 'active' then say('in active as', get(key, 'state') or 'nothing', id)\n"
	"  elseif get(key, 'detachedAt') then say('in active and detached:', id) end\n"
	"end\n"
	"for _, id in ipairs(redis.call('ZRANGE', 'sse:orphaned', 0, -1)) do\n"
	"  local key = 'sse:stream:' .. id\n"
	"  if get(key, 'state') ~= 'orphaned' then say('in orphaned as', get(key, 'state') or 'nothing', id)\n"
	"  elseif not get(key, 'producer') then say('in orphaned without a lease:', id) end\n"
	"end\n"
	"for _, key in ipairs(redis.call('KEYS', 'sse:stream:*')) do\n"
	"  local id, state = string.sub(key, 12), get(key, 'state')\n"
	"  local active, orphaned = redis.call('ZSCORE', 'sse:active', id), redis.call('ZSCORE', 'sse:orphaned', id)\n"
	"  local ended = state == 'completed' or state == 'failed' or state == 'cancelled'\n"
	"  for _, name in ipairs({'streamId', 'streamType', 'userId', 'startedAt', 'lastHeartbeat', 'state', 'metadata'}) do\n"
	"    if not get(key, name) then say('no', name, 'in', key) end\n"
	"  end\n"
	"  if get(key, 'streamId') ~= id then say('another streamId in', key) end\n"
	"  if state == 'active' and not active and not get(key, 'detachedAt') then say('active and in no index:', id) end\n"
	"  if state == 'orphaned' and (not get(key, 'orphanedAt') or (get(key, 'producer') and not orphaned)) then say('half orphaned:', id) end\n"
	"  if ended ~= (get(key, 'endedAt') and true or false) then say('half ended:', id) end\n"
	"  if ended and redis.call('EXISTS', 'sse:viewers:' .. id) == 1 then say('viewers of an ended stream:', id) end\n"
	"  local last = redis.call('XREVRANGE', 'sse:events:' .. id, '+', '-', 'COUNT', 1)[1]\n"
	"  if last and get(key, 'lastEventId') ~= last[1] then say('lastEventId is not the end of the log:', id) end\n"
	"  if (get(key, 'lastEventId') and true) ~= (get(key, 'firstEventId') and true) then say('half a log position:', id) end\n"
	"  local eventId = get('sse:completion:' .. id, 'eventId')\n"
	"  if eventId and eventId ~= get(key, 'lastEventId') then say('the completion is not the last event:', id) end\n"
	"end\n"
	"for _, key in ipairs(redis.call('KEYS', 'sse:completion:*')) do\n"
	"  for _, name in ipairs({'streamId', 'terminalEventType', 'terminalEventData', 'completedAt'}) do\n"
	"    if not get(key, name) then say('no', name, 'in', key) end\n"
	"  end\n"
	"end\n"
	"return wrong\n";

/* --- life ---------------------------------------------------------------------------------------------------- */

struct sr_session *world_session(const char *name)
{
	struct sr_buf why;
	struct sr_session *s;

	sr_buf_init(&why, 512);
	s = sr_session_new(&w.conf, name, &why);
	cr_assert(s, "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	return s;
}

void world_open(void)
{
	static char nothing[] = "", prefix[] = "sse:";

	w = (struct world){.redis = redisd_start(NULL)};
	cr_assert(w.redis, "no redis-server");
	cr_assert_eq(sr_log_open("test", "/dev/null", SR_LOG_DEBUG), SR_OK);
	w.conf.redis_url = strdup(redisd_url(w.redis));
	w.conf.redis_password_file = nothing;
	w.conf.key_prefix = prefix;
	w.conf.log_events = 1000;
	w.conf.stream_ttl = STREAM_TTL;
	w.conf.completion_ttl = COMPLETION_TTL;
	w.conf.beat_interval = BEAT;
	w.conf.stale_threshold = STALE;
	w.conf.orphan_grace = GRACE;
	w.conf.proof_window = PROOF;
	w.reg = sr_registry_of(&w.conf);
	w.session = world_session("test");
}

static void close_ear(void)
{
	if (!ear.loop)
		return;
	sr_redis_free(ear.redis);
	ev_loop_destroy(ear.loop);
	ear = (struct ear){0};
}

void world_check(void)
{
	const struct sr_reply *wrong = raw("EVAL", invariants, "0", w.odd ? "1" : "0");

	for (size_t i = 0; i < sr_reply_count(wrong); i++)
		cr_expect(false, "after the test: %s", sr_reply_text_at(wrong, i, NULL));
}

void world_close(void)
{
	for (size_t i = 0; i < reply_count; i++)
		sr_reply_free(replies[i]);
	free(replies);
	replies = NULL;
	reply_count = 0;
	close_ear();
	sr_session_free(w.session);
	redisd_stop(w.redis);
	free(w.conf.redis_url);
}

/* --- any call ------------------------------------------------------------------------------------------------ */

static const struct sr_reply *keep(struct sr_reply *reply)
{
	struct sr_reply **more = realloc(replies, (reply_count + 1) * sizeof *replies);

	cr_assert(more);
	replies = more;
	replies[reply_count++] = reply;
	return reply;
}

const struct sr_reply *world_call(struct sr_call *call)
{
	struct sr_reply *reply;
	enum sr_err err = sr_call_check(call);

	cr_assert_eq(err, SR_OK, "sr_call_check(): %s; %d keys, %d args", sr_strerror(err), call->keys, call->args);
	err = sr_session_try(w.session, call, 0, &reply);
	cr_assert_eq(err, SR_OK, "%s: %s", sr_strerror(err), sr_session_why(w.session));
	sr_call_release(call);
	return keep(reply);
}

const struct sr_reply *world_raw(const char *const *words)
{
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	for (; *words; words++)
		sr_call_text(&call, *words);
	return world_call(&call);
}

const char *num(long long n)
{
	static char ring[16][24];
	static unsigned at;
	char *out = ring[at++ % 16];

	snprintf(out, sizeof ring[0], "%lld", n);
	return out;
}

const char *text(const char *format, ...)
{
	static char ring[64][512];
	static unsigned at;
	char *out = ring[at++ % 64];
	va_list ap;

	va_start(ap, format);
	vsnprintf(out, sizeof ring[0], format, ap);
	va_end(ap);
	return out;
}

char *repeat(char byte, size_t count)
{
	char *out = malloc(count + 1);

	cr_assert(out);
	memset(out, byte, count);
	out[count] = 0;
	return out;
}

/* --- looking ------------------------------------------------------------------------------------------------- */

long long redis_ms(void)
{
	const struct sr_reply *t = raw("TIME");

	return sr_reply_int_at(t, 0, 0) * 1000 + sr_reply_int_at(t, 1, 0) / 1000;
}

bool there(const char *key)
{
	return raw_int("EXISTS", key) == 1;
}

long long pttl(const char *key)
{
	return raw_int("PTTL", key);
}

const char *field(const char *key, const char *name)
{
	return raw_text("HGET", key, name);
}

const char *digest(void)
{
	return raw_text("DEBUG", "DIGEST");
}

long long score(const char *zset, const char *id)
{
	return raw_int("ZSCORE", zset, id);
}

bool iso_now(const char *date)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	char now[SR_ISO_SIZE], before[SR_ISO_SIZE];
	long long ms = redis_ms();

	for (size_t i = 0; i < sizeof form; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)date[i]) : date[i] != form[i])
			return false;
	sr_clock_iso(now, ms);
	sr_clock_iso(before, ms - 10000);
	return strcmp(date, now) <= 0 && strcmp(date, before) >= 0;
}

bool same_id(struct sr_event_id id, const char *other)
{
	char out[SR_EVENT_ID_SIZE];

	return strcmp(sr_event_id_format(out, id), other) == 0;
}

const char *entry(const char *key, int i)
{
	const struct sr_reply *all = raw("XRANGE", key, "-", "+"), *fields = sr_reply_at(sr_reply_at(all, (size_t)i), 1);

	if (!fields)
		return "";
	cr_assert_str_eq(sr_reply_text_at(fields, 0, NULL), "type");
	cr_assert_str_eq(sr_reply_text_at(fields, 2, NULL), "data");
	return text("%s %s %s", sr_reply_text_at(sr_reply_at(all, (size_t)i), 0, NULL), sr_reply_text_at(fields, 1, NULL),
	            sr_reply_text_at(fields, 3, NULL));
}

/* --- hearing ------------------------------------------------------------------------------------------------- */

static void on_subscribed(void *ctx, const char *channel, size_t len)
{
	(void)ctx;
	snprintf(ear.channel, sizeof ear.channel, "%.*s", (int)len, channel);
	ear.subscribed = true;
}

static void on_message(void *ctx, const char *channel, size_t channel_len, const char *payload, size_t len)
{
	struct heard *h = &ear.queue[ear.heard];
	struct sr_push p;

	(void)ctx;
	(void)channel;
	(void)channel_len;
	if (strcmp(payload, "mark") == 0) {
		ear.marks++;
		return;
	}
	cr_assert(ear.heard < sizeof ear.queue / sizeof ear.queue[0]);
	cr_assert_eq(sr_push_read(payload, len, &p), SR_OK, "push: %s", payload);
	h->id = p.event.id;
	h->prev = p.prev;
	h->inlined = p.inlined;
	snprintf(h->owner, sizeof h->owner, "%.*s", (int)p.owner_len, p.owner);
	snprintf(h->type, sizeof h->type, "%.*s", (int)p.event.type_len, p.event.type);
	snprintf(h->data, sizeof h->data, "%.*s", (int)p.event.data_len, p.event.data);
	ear.heard++;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)timer;
	(void)revents;
}

/* One turn of the ear's loop; false when five seconds have passed since `since`. */
static bool turn(sr_mono_ms since)
{
	ev_timer tick;

	ev_timer_init(&tick, on_tick, 0.1, 0.);
	ev_timer_start(ear.loop, &tick);
	ev_run(ear.loop, EVRUN_ONCE);
	ev_timer_stop(ear.loop, &tick);
	return sr_clock_mono() - since < 5000;
}

void listen_to(const char *id)
{
	struct sr_redis_options options = {.url = redisd_url(w.redis), .password_file = "", .name = "ear", .pubsub = true};
	struct sr_redis_hooks hooks = {.on_message = on_message, .on_subscribed = on_subscribed};
	sr_mono_ms since = sr_clock_mono();

	if (!ear.loop) {
		ear.loop = ev_loop_new(EVFLAG_AUTO);
		ear.redis = sr_redis_new(ear.loop, &options, &hooks, NULL, NULL);
		cr_assert(ear.redis);
		sr_redis_start(ear.redis);
	}
	while (!sr_redis_ready(ear.redis))
		cr_assert(turn(since), "the ear is not connected");
	ear.subscribed = false;
	cr_assert_eq(sr_redis_subscribe(ear.redis, w.reg.prefix, &id, 1), SR_OK);
	while (!ear.subscribed)
		cr_assert(turn(since), "the ear is not subscribed");
}

struct heard hear(void)
{
	sr_mono_ms since = sr_clock_mono();

	if (ear.read == ear.heard) {
		ear.marks = 0;
		raw("PUBLISH", ear.channel, "mark");
		while (!ear.marks)
			cr_assert(turn(since), "the mark did not come");
	}
	return ear.read < ear.heard ? ear.queue[ear.read++] : (struct heard){.quiet = true};
}

/* --- the verbs ----------------------------------------------------------------------------------------------- */

struct sr_attach_result world_attach(struct sr_attach a)
{
	struct sr_attach_result out;
	struct sr_call call;

	a.user = a.user ? a.user : "ann";
	a.node = a.node ? a.node : "n1";
	a.viewers = a.viewers ? a.viewers : 1;
	sr_attach_call(&call, &w.reg, &a);
	cr_assert_eq(sr_attach_read(world_call(&call), &out), SR_OK, "attach %s: not the shape", a.id);
	return out;
}

bool detach(const char *id, const char *node, int remaining, bool draining)
{
	struct sr_call call;
	bool unregistered;

	sr_detach_call(&call, &w.reg, id, node, remaining, draining, NULL);
	cr_assert_eq(sr_detach_read(world_call(&call), &unregistered), SR_OK, "detach %s: not the shape", id);
	return unregistered;
}

struct sr_beat_result world_beat(const char *node, struct sr_beat b)
{
	struct sr_beat_result out;
	struct sr_call call;

	sr_beat_call(&call, &w.reg, node, &b, 1);
	cr_assert_eq(sr_beat_read(world_call(&call), 0, &out), SR_OK, "beat %s: not the shape", b.id);
	return out;
}

struct sr_recover_result recover_as(const char *id, const char *user, bool anonymous)
{
	struct sr_recover_result out;
	struct sr_call call;

	sr_recover_call(&call, &w.reg, id, user, anonymous);
	cr_assert_eq(sr_recover_read(world_call(&call), &out), SR_OK, "recover %s: not the shape", id);
	return out;
}

struct sr_open_result world_open_stream(struct sr_open o)
{
	struct sr_open_result out;
	struct sr_call call;

	o.user = o.user ? o.user : "ann";
	sr_open_call(&call, &w.reg, &o);
	cr_assert_eq(sr_open_read(world_call(&call), &out), SR_OK, "open %s: not the shape", o.id);
	return out;
}

static void fill(struct sr_publish *p)
{
	p->user = p->user ? p->user : "";
	p->producer = p->producer ? p->producer : "";
}

static struct stored store(struct sr_call *call)
{
	struct stored out = {.reply = world_call(call)};
	struct sr_publish_result read;

	cr_assert_eq(sr_publish_read(out.reply, &read), SR_OK, "publish or end: not the shape");
	out.outcome = read.outcome;
	out.count = read.count;
	out.end_type = read.end_type;
	return out;
}

const char *stored_id(struct stored s, size_t i)
{
	return sr_publish_id(s.reply, i);
}

struct stored world_publish(const char *type, const char *data, struct sr_publish p)
{
	struct sr_call call;

	fill(&p);
	sr_publish_call(&call, &w.reg, &p);
	sr_publish_add(&call, type, data, strlen(data));
	return store(&call);
}

struct stored world_publish_many(int first, int count, struct sr_publish p)
{
	struct sr_call call;

	fill(&p);
	sr_publish_call(&call, &w.reg, &p);
	for (int i = first; i < first + count; i++)
		sr_publish_add(&call, "token", num(i), strlen(num(i)));
	return store(&call);
}

struct stored world_end(const char *type, const char *data, struct sr_publish p)
{
	struct sr_call call;

	fill(&p);
	sr_end_call(&call, &w.reg, &p, type, data, strlen(data));
	return store(&call);
}

void prove(long long ms)
{
	long long now = redis_ms();

	raw("HSET", "sse:guardian", "since", num(now - ms), "last", num(now), "run", "r1");
	raw("PEXPIRE", "sse:guardian", num(STREAM_TTL));
}

enum sr_verdict sweep_one(const char *id)
{
	struct sr_call call;
	const struct sr_reply *reply;
	int64_t proven;

	sr_sweep_call(&call, &w.reg, &id, 1);
	reply = world_call(&call);
	cr_assert_eq(sr_sweep_read(reply, 1, &proven), SR_OK, "sweep %s: not the shape, or no proof", id);
	return sr_sweep_verdict(reply, 0);
}

void age(const char *id, long long ms)
{
	raw("ZADD", "sse:active", "XX", num(redis_ms() - ms), id);
}

void seed_record(const char *id, const char *user, const char *state)
{
	char now[SR_ISO_SIZE];
	const char *key = text("sse:stream:%s", id);

	sr_clock_iso(now, redis_ms());
	raw("HSET", key, "streamId", id, "streamType", "generation", "userId", user, "startedAt", now, "lastHeartbeat", now, "state", state,
	    "metadata", "{}");
	raw("EXPIRE", key, num(STREAM_TTL / 1000));
	raw("ZADD", "sse:active", num(redis_ms()), id);
	raw("PEXPIRE", "sse:active", num(2 * STREAM_TTL)); /* the seed does not; the heal test looks at that */
}

void seed_completion(const char *id, const char *type, const char *data, bool timeless)
{
	char now[SR_ISO_SIZE];
	const char *key = text("sse:completion:%s", id);

	sr_clock_iso(now, redis_ms());
	raw("HSET", key, "streamId", id, "terminalEventType", type, "terminalEventData", data, "completedAt", now);
	if (!timeless)
		raw("EXPIRE", key, num(COMPLETION_TTL / 1000));
}
