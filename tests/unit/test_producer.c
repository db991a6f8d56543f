/* The engine of a producer, on a real Redis in every kind of trouble. */
#include "common/clock.h"
#include "common/mem.h"
#include "common/producer.h"
#include "tests/support/world.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* --- a producer under test, and what its hooks were told ----------------------------------------------------- */

struct told { uint64_t n; char id[48]; bool repeat; };

static struct ev_loop *loop;
static bool in_loop; /* hooks must come from there only */

struct maker {
	struct sr_producer *p;
	int opens, closes, downs, rooms, beats;
	bool created;
	char epoch[24];
	enum sr_err down_err;
	enum sr_outcome beat;
	struct told *told;
	size_t count, cap;
	uint64_t feed;    /* on_room emits up to this number; on_stored, too, unless room_only */
	bool room_only;
	int tokens;       /* emitted by token() */
	struct sr_producer_hooks hooks;
};

static void feed(struct maker *m)
{
	while (m->p && sr_producer_next_n(m->p) <= m->feed)
		if (sr_producer_emit(m->p, "token", 5, "1", 1) != SR_OK)
			return;
}

static void on_open(void *ctx, bool created, const char *epoch)
{
	struct maker *m = ctx;

	cr_assert(in_loop);
	m->opens++;
	m->created = created;
	snprintf(m->epoch, sizeof m->epoch, "%s", epoch);
}

static void on_stored(void *ctx, uint64_t n, const char *event_id, bool repeat)
{
	struct maker *m = ctx;

	cr_assert(in_loop);
	if (m->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 64;
		m->told = realloc(m->told, m->cap * sizeof *m->told);
		cr_assert(m->told);
	}
	m->told[m->count].n = n;
	m->told[m->count].repeat = repeat;
	snprintf(m->told[m->count++].id, sizeof m->told->id, "%s", event_id);
	if (!m->room_only)
		feed(m);
}

static void on_room(void *ctx)
{
	struct maker *m = ctx;

	cr_assert(in_loop);
	m->rooms++;
	feed(m);
}

static void on_beat(void *ctx, enum sr_outcome outcome)
{
	struct maker *m = ctx;

	cr_assert(in_loop);
	m->beats++;
	m->beat = outcome;
}

static void on_closed(void *ctx, enum sr_producer_end end)
{
	struct maker *m = ctx;

	cr_assert(in_loop);
	m->closes++;
	cr_assert_eq(end, sr_producer_end(m->p));
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct maker *m = ctx;

	cr_assert(in_loop);
	cr_assert(*why);
	m->downs++;
	m->down_err = err;
}

static const struct sr_producer_hooks all_hooks = {on_open, on_stored, on_room, on_beat, on_closed, on_down};

static struct maker *maker_new(struct sr_producer_options o)
{
	struct maker *m = calloc(1, sizeof *m);
	struct sr_buf why;
	enum sr_err err;

	cr_assert(m);
	sr_buf_init(&why, 512);
	if (!loop)
		loop = ev_loop_new(EVFLAG_AUTO);
	w.conf.event_bytes = 65536;
	w.conf.log_events = 100000;
	if (!o.id)
		o.id = "a";
	if (!o.user)
		o.user = "ann";
	o.silent = true;
	m->p = sr_producer_new(loop, &w.conf, &o, &all_hooks, m, &err, &why);
	cr_assert(m->p, "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	return m;
}
#define maker(...) maker_new((struct sr_producer_options){__VA_ARGS__})

static void maker_free(struct maker *m)
{
	sr_producer_free(m->p);
	free(m->told);
	free(m);
}

static void done(void)
{
	if (loop)
		ev_loop_destroy(loop);
	loop = NULL;
}

static void tick(struct ev_loop *l, ev_timer *t, int revents)
{
	(void)t;
	(void)revents;
	ev_break(l, EVBREAK_ONE);
}

static void turn(void)
{
	ev_timer t;

	ev_now_update(loop);
	ev_timer_init(&t, tick, 0.02, 0.);
	ev_timer_start(loop, &t);
	in_loop = true;
	ev_run(loop, EVRUN_ONCE);
	in_loop = false;
	ev_timer_stop(loop, &t);
}

static long long now_ms(void)
{
	return sr_clock_mono();
}

#define until(m, condition) \
	do { \
		for (long long until_ = now_ms() + 20000; !(condition); turn()) \
			cr_assert(now_ms() < until_, "waited in vain for: %s (%zu stored, end %d, downs %d: %s)", #condition, (m)->count, \
			          (int)sr_producer_end((m)->p), (m)->downs, sr_producer_why((m)->p)); \
	} while (0)

/* Run the loop for so long: for what must not happen. */
static void pass(long long ms)
{
	for (long long end = now_ms() + ms; now_ms() < end;)
		turn();
}

static enum sr_err emit(struct maker *m, const char *type, const char *data)
{
	return sr_producer_emit(m->p, type, strlen(type), data, strlen(data));
}

/* `count` events of the type "token" whose data is a number, from 1 on. */
static void tokens(struct maker *m, int count)
{
	char data[16];

	for (int i = 0; i < count; i++) {
		snprintf(data, sizeof data, "%d", ++m->tokens);
		cr_assert_eq(emit(m, "token", data), SR_OK);
	}
}

/* All of the log: `count` tokens from `first` on, each once and in order, and then what `last` says, "" = nothing. */
static void assert_log(int first, int count, const char *last)
{
	const struct sr_reply *all = raw("XRANGE", "sse:events:a", "-", "+");

	cr_assert_eq(sr_reply_count(all), (size_t)count + (*last != '\0'), "%zu events", sr_reply_count(all));
	for (int i = 0; i < count; i++) {
		struct sr_log_entry e;

		cr_assert_eq(sr_log_read(all, (size_t)i, &e), SR_OK);
		cr_assert_eq(strtol(e.data, NULL, 10), first + i, "event %d is %s", i, e.data);
	}
	if (*last)
		cr_assert_str_eq(entry("sse:events:a", count) + strcspn(entry("sse:events:a", count), " ") + 1, last);
}

/* The hooks were told of events first to last, each once and in order. */
static void assert_told(const struct maker *m, uint64_t first, uint64_t last)
{
	cr_assert_eq(m->count, last - first + 1, "%zu", m->count);
	for (size_t i = 0; i < m->count; i++)
		cr_assert_eq(m->told[i].n, first + i);
}

#define producer_test(name) \
	static void producer_##name##_inner(void); \
	world_test(producer, name) \
	{ \
		producer_##name##_inner(); \
		done(); \
	} \
	static void producer_##name##_inner(void)

/* --- all is well --------------------------------------------------------------------------------------------- */

producer_test(stores_in_order_and_ends)
{
	struct maker *m = maker(.open = true, .type = "export", .metadata = "{\"x\":1}");

	tokens(m, 250);
	cr_assert_eq(sr_producer_waiting(m->p), 250);
	cr_assert_eq(sr_producer_unconfirmed(m->p), 0);
	until(m, m->count == 250);
	cr_assert(m->opens == 1 && m->created && !*m->epoch);
	cr_assert(sr_producer_is_open(m->p));
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	cr_assert_str_eq(field("sse:stream:a", "metadata"), "{\"x\":1}");
	tokens(m, 1);
	cr_assert_eq(emit(m, "completed", "{\"ok\":1}"), SR_OK);
	cr_assert_eq(emit(m, "token", "1"), SR_EINVAL);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DONE);
	cr_assert(sr_producer_waiting(m->p) == 0 && sr_producer_unconfirmed(m->p) == 0);
	cr_assert_eq(emit(m, "token", "1"), SR_EINVAL);
	assert_told(m, 1, 252);
	assert_log(1, 251, "completed {\"ok\":1}");
	for (size_t i = 0; i < m->count; i++)
		cr_assert(!m->told[i].repeat && strncmp(entry("sse:events:a", (int)i), m->told[i].id, strlen(m->told[i].id)) == 0);
	cr_assert_str_eq(field("sse:stream:a", "state"), "completed");
	maker_free(m);
}

producer_test(events_of_one_turn_leave_together)
{
	struct maker *m = maker(.open = true);

	until(m, m->opens == 1);
	tokens(m, 100);
	until(m, m->count == 100);
	cr_assert_str_eq(text("%.4s", field("sse:stream:a", text("p:%s", sr_producer_name(m->p)))), "100 ");
	cr_assert_str_eq(m->told[0].id, text("%.*s", (int)strcspn(entry("sse:events:a", 0), " "), entry("sse:events:a", 0)));
	maker_free(m);
}

producer_test(tells_nothing_from_inside_a_call)
{
	struct maker *m = maker(.open = true);

	tokens(m, 1);
	sr_producer_beat(m->p);
	sr_producer_hurry(m->p);
	cr_assert_eq(m->downs + m->opens + (int)m->count, 0);
	until(m, m->count == 1);
	tokens(m, 1);
	in_loop = true;
	ev_run(loop, EVRUN_NOWAIT | EVRUN_ONCE);
	in_loop = false;
	sr_producer_free(m->p);
	cr_assert(m->count == 1 && m->closes == 0 && m->downs == 0, "free drops what waits, and says nothing");
	free(m->told);
	free(m);
}

producer_test(events_can_be_emitted_from_hooks)
{
	struct maker *m = maker(.open = true, .backlog_bytes = 70000);

	m->feed = 20000;
	feed(m);
	cr_assert_lt(sr_producer_next_n(m->p), 20000, "the backlog was full");
	until(m, m->count == 20000);
	assert_told(m, 1, 20000);
	cr_assert_geq(m->rooms, 200);
	maker_free(m);
}

producer_test(a_full_backlog_refuses_but_for_the_end)
{
	struct maker *m;
	char data[1001];
	int taken = 0;

	memset(data, '1', 1000);
	data[1000] = '\0';
	m = maker(.open = true, .backlog_bytes = 100000);
	while (emit(m, "token", data) == SR_OK)
		taken++;
	cr_assert_eq(emit(m, "token", data), SR_EBUSY);
	cr_assert_eq(taken, 100000 / (1000 + 5 + 8));
	cr_assert_eq(emit(m, "failed", data), SR_OK);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DONE);
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), taken + 1);
	maker_free(m);
}

producer_test(refuses_what_it_cannot_carry)
{
	struct maker *m = maker(.open = true, .first_n = SR_PRODUCER_N_MAX);
	static char data[65538];

	memset(data, '1', 65537);
	cr_assert_eq(emit(m, "token", data), SR_ETOOBIG);
	cr_assert_eq(emit(m, "", "1"), SR_EINVAL);
	cr_assert_eq(emit(m, "token", data + 1), SR_OK, "event_bytes");
	cr_assert_eq(emit(m, "token", "1"), SR_EINVAL, "no number is left");
	until(m, m->count == 1);
	cr_assert_eq(m->told[0].n, SR_PRODUCER_N_MAX);
	maker_free(m);
}

static enum sr_err bad(struct sr_producer_options o, const char *says)
{
	struct sr_buf why;
	enum sr_err err = SR_OK;

	sr_buf_init(&why, 512);
	loop = loop ? loop : ev_loop_new(EVFLAG_AUTO);
	cr_assert_null(sr_producer_new(loop, &w.conf, &o, &all_hooks, NULL, &err, &why));
	cr_assert(strstr(sr_buf_text(&why), says), "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	return err;
}

producer_test(says_what_is_wrong_with_its_options)
{
	char *url = w.conf.redis_url;
	char ftp[] = "ftp://x";

	cr_assert_eq(bad((struct sr_producer_options){.id = "a b", .user = ""}, "stream id"), SR_EINVAL);
	cr_assert_eq(bad((struct sr_producer_options){.id = "a", .user = "\n"}, "user"), SR_EINVAL);
	cr_assert_eq(bad((struct sr_producer_options){.id = "a", .user = "", .name = "A"}, "producer"), SR_EINVAL);
	cr_assert_eq(bad((struct sr_producer_options){.id = "a", .user = "", .name = "123456789012345678901234567890123"}, "producer"), SR_EINVAL);
	cr_assert_eq(bad((struct sr_producer_options){.id = "a", .user = "", .first_n = SR_PRODUCER_N_MAX + 1}, "2^53"), SR_EINVAL);
	cr_assert_eq(bad((struct sr_producer_options){.id = "a", .user = "", .type = "a b"}, "type"), SR_EINVAL);
	cr_assert_eq(bad((struct sr_producer_options){.id = "a", .user = "", .epoch = "123456789012345678901234"}, "epoch"), SR_EINVAL);
	w.conf.redis_url = ftp;
	cr_assert_eq(bad((struct sr_producer_options){.id = "a", .user = ""}, "redis_url"), SR_EINVAL);
	w.conf.redis_url = url;
}

/* Each of the first allocations fails once: nothing leaks, and nothing is lost but time. */
producer_test(gets_by_without_memory)
{
	struct sr_producer_options o = {.id = "a", .user = "ann", .open = true, .type = "x", .metadata = "{}", .silent = true};
	struct sr_buf why;
	enum sr_err err;
	unsigned failed = 0;

	sr_buf_init(&why, 512);
	loop = ev_loop_new(EVFLAG_AUTO);
	for (unsigned n = 1;; n++, failed++) {
		struct sr_producer *p;

		sr_mem_fail_after(n);
		p = sr_producer_new(loop, &w.conf, &o, &all_hooks, NULL, &err, &why);
		sr_mem_fail_after(0);
		sr_producer_free(p);
		if (p)
			break;
		cr_assert_eq(err, SR_ENOMEM);
	}
	cr_assert_geq(failed, 4);
	sr_buf_release(&why);
	for (unsigned n = 1; n <= 30; n++) {
		struct maker *m = maker(.open = n == 1);

		until(m, sr_producer_is_open(m->p));
		raw("SCRIPT", "FLUSH");
		sr_mem_fail_after(n);
		while (emit(m, "token", num(n)) != SR_OK)
			;
		until(m, m->count == 1);
		sr_mem_fail_after(0);
		maker_free(m);
	}
	assert_log(1, 30, "");
}

/* --- Redis in trouble ---------------------------------------------------------------------------------------- */

static void restart_with(struct redisd_options options)
{
	sr_session_free(w.session);
	redisd_stop(w.redis);
	free(w.conf.redis_url);
	w.redis = redisd_start(&options);
	cr_assert(w.redis, "no redis-server");
	w.conf.redis_url = strdup(redisd_url(w.redis));
	w.session = world_session("test");
}

static const char *const always[] = {"--appendfsync", "always", NULL};

/* It comes back, with what it has kept. */
static void redis_again(void)
{
	cr_assert(redisd_again(w.redis, NULL));
	sr_session_free(w.session);
	w.session = world_session("test");
}

/* Nothing lost, nothing twice, in order: through kill -9 while batches are in flight. */
producer_test(a_crash_of_redis_loses_and_doubles_nothing)
{
	struct maker *m;
	int repeats = 0;

	restart_with((struct redisd_options){.appendonly = true, .more = always});
	m = maker(.open = true, .lease = true);
	for (int crash = 0; crash < 3; crash++) {
		size_t before = m->count;

		tokens(m, 3000);
		until(m, m->count >= before + 500);
		redisd_kill(w.redis);
		tokens(m, 500);
		until(m, m->downs > crash && !sr_producer_is_open(m->p));
		cr_assert(*sr_producer_why(m->p));
		redis_again();
		until(m, sr_producer_is_open(m->p));
	}
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DONE);
	assert_told(m, 1, 10501);
	assert_log(1, 10500, "completed {}");
	for (size_t i = 0; i < m->count; i++)
		repeats += m->told[i].repeat;
	cr_assert_leq(repeats, 3 * SR_BATCH_MAX);
	cr_assert(m->opens == 1 && strcmp(m->epoch, "1") == 0);
	cr_assert_str_eq(sr_producer_why(m->p), "");
	maker_free(m);
}

producer_test(a_stream_that_redis_lost_is_opened_again)
{
	struct maker *m;

	w.conf.beat_interval = 100000; /* it does not wait for that */
	m = maker(.open = true, .lease = true, .type = "export");
	tokens(m, 10);
	until(m, m->count == 10);
	redisd_kill(w.redis);
	tokens(m, 5);
	redis_again();
	until(m, m->count == 15);
	cr_assert(m->opens == 2 && m->created && strcmp(m->epoch, "1") == 0);
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	assert_told(m, 1, 15);
	assert_log(11, 5, "");
	redisd_kill(w.redis);
	redis_again();
	until(m, m->opens == 3); /* with nothing to send, too */
	cr_assert_eq(raw_int("EXISTS", "sse:stream:a"), 1);
	maker_free(m);
}

/* The viewers' processes were faster, and their stream has no lease. */
producer_test(a_lost_lease_is_taken_again)
{
	struct maker *m;

	w.conf.beat_interval = 100000; /* it does not wait for that */
	m = maker(.open = true, .lease = true, .type = "export");
	until(m, m->opens == 1);
	redisd_kill(w.redis);
	until(m, m->downs > 0);
	redis_again();
	attach(.id = "a");
	cr_assert_str_eq(field("sse:stream:a", "producer"), "");
	tokens(m, 1);
	until(m, m->opens == 2 && m->count == 1);
	cr_assert(!m->created && strcmp(m->epoch, "1") == 0);
	cr_assert_str_eq(field("sse:stream:a", "producer"), "1");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	assert_log(1, 1, "");
	cr_assert_eq(m->closes, 0);
	maker_free(m);
}

producer_test(who_did_not_open_a_lost_stream_is_told)
{
	struct maker *m = maker(.id = "a");

	open_stream(.id = "a");
	tokens(m, 1);
	until(m, m->count == 1);
	redisd_kill(w.redis);
	tokens(m, 7);
	redis_again();
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_UNKNOWN);
	cr_assert_eq(sr_producer_waiting(m->p), 7);
	cr_assert_eq(sr_producer_unconfirmed(m->p), 0);
	maker_free(m);
}

producer_test(scripts_are_flushed_in_between)
{
	struct maker *m = maker(.open = true);

	for (int i = 0; i < 20; i++) {
		tokens(m, 150);
		until(m, m->count >= (size_t)m->tokens - 100);
		raw("SCRIPT", "FLUSH");
	}
	until(m, m->count == 3000);
	cr_assert_eq(m->downs, 0);
	assert_told(m, 1, 3000);
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	until(m, m->closes == 1);
	maker_free(m);
}

/* The frozen server has the batch, and runs it after its sender has given up; the repeat is one. */
producer_test(a_frozen_redis_stores_once)
{
	struct maker *m = maker(.open = true);

	tokens(m, 5);
	until(m, m->count == 5);
	redisd_freeze(w.redis);
	tokens(m, 3);
	until(m, sr_producer_unconfirmed(m->p) == 3);
	tokens(m, 2);
	until(m, m->downs > 0);
	cr_assert_eq(m->down_err, SR_ETIMEOUT);
	cr_assert_eq(sr_producer_waiting(m->p), 5);
	cr_assert_eq(sr_producer_unconfirmed(m->p), 3);
	redisd_thaw(w.redis);
	until(m, m->count == 10);
	assert_told(m, 1, 10);
	assert_log(1, 10, "");
	for (size_t i = 0; i < 10; i++)
		cr_assert(m->told[i].repeat == (i >= 5 && i < 8) && *m->told[i].id, "event %zu", i + 1);
	cr_assert_eq(sr_producer_unconfirmed(m->p), 0);
	maker_free(m);
}

producer_test(killed_connections_lose_nothing)
{
	struct maker *m = maker(.open = true, .connection = "mine");

	for (int i = 0; i < 10; i++) {
		tokens(m, 400);
		until(m, m->count >= (size_t)m->tokens - 300);
		raw("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
	}
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DONE);
	cr_assert_geq(m->downs, 5);
	assert_told(m, 1, 4001);
	maker_free(m);
}

producer_test(a_refusal_passes)
{
	struct maker *m = maker(.open = true);
	long long began;

	until(m, m->opens == 1);
	raw("CONFIG", "SET", "maxmemory", "1");
	tokens(m, 5);
	until(m, m->downs >= 3);
	cr_assert_eq(m->down_err, SR_EREFUSED);
	cr_assert(strncmp(sr_producer_why(m->p), "OOM", 3) == 0, "%s", sr_producer_why(m->p));
	cr_assert_eq(sr_producer_unconfirmed(m->p), 0, "refused is not stored");
	cr_assert_eq(sr_producer_waiting(m->p), 5);
	pass(1500);
	cr_assert_lt(m->downs, 12, "it waits longer each time");
	raw("CONFIG", "SET", "maxmemory", "0");
	began = now_ms();
	sr_producer_hurry(m->p);
	until(m, m->count == 5);
	cr_assert_lt(now_ms() - began, 900, "hurried");
	cr_assert_str_eq(sr_producer_why(m->p), "");
	assert_log(1, 5, "");
	maker_free(m);
}

producer_test(opens_when_redis_comes)
{
	struct maker *m;

	redisd_kill(w.redis);
	m = maker(.open = true);
	tokens(m, 5);
	until(m, m->downs >= 2);
	cr_assert(!sr_producer_is_open(m->p) && *sr_producer_why(m->p));
	cr_assert_eq(m->down_err, SR_EDOWN);
	redis_again();
	sr_producer_hurry(m->p);
	until(m, m->count == 5);
	assert_log(1, 5, "");
	maker_free(m);
}

producer_test(a_full_backlog_drops_its_oldest_during_an_outage)
{
	struct maker *m = maker(.open = true, .drop_oldest = true, .backlog_bytes = 66000);

	tokens(m, 10);
	until(m, m->count == 10);
	redisd_kill(w.redis);
	until(m, m->downs > 0);
	tokens(m, 10000);
	cr_assert_gt(sr_producer_skipped(m->p), 1000);
	cr_assert_eq(sr_producer_waiting(m->p), 10000 - sr_producer_skipped(m->p) + 1);
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	redis_again();
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DONE);
	cr_assert_str_eq(strchr(entry("sse:events:a", 0), ' ') + 1, text("skipped {\"events\":%d}", (int)sr_producer_skipped(m->p)));
	cr_assert_eq(raw_int("XLEN", "sse:events:a"), 10000 - (long long)sr_producer_skipped(m->p) + 2);
	cr_assert_eq(m->count, 10010 - sr_producer_skipped(m->p) + 1);
	cr_assert_eq(m->told[10].n, 11 + sr_producer_skipped(m->p), "no word of the notice");
	cr_assert_eq(m->told[m->count - 1].n, 10011);
	maker_free(m);
}

/* --- beats ---------------------------------------------------------------------------------------------------- */

producer_test(a_silent_producer_beats)
{
	struct maker *m;
	const char *before;

	w.conf.beat_interval = 200;
	m = maker(.open = true, .lease = true);
	until(m, m->opens == 1);
	before = field("sse:stream:a", "lastHeartbeat");
	cr_assert_str_eq(m->epoch, "1");
	cr_assert_eq(m->beats, 0);
	until(m, m->beats == 3);
	cr_assert_eq(m->beat, SR_SAME);
	cr_assert_str_neq(field("sse:stream:a", "lastHeartbeat"), before);
	for (int i = 0; i < 20; i++) {
		tokens(m, 1);
		pass(50);
	}
	cr_assert_leq(m->beats, 5, "events are signs of life");
	maker_free(m);
}

producer_test(nobody_beats_unasked_without_a_lease)
{
	struct maker *m;

	w.conf.beat_interval = 100;
	m = maker(.open = true);
	until(m, m->opens == 1);
	pass(500);
	cr_assert_eq(m->beats, 0);
	sr_producer_beat(m->p);
	sr_producer_beat(m->p);
	until(m, m->beats == 1);
	pass(300);
	cr_assert_eq(m->beats, 1);
	maker_free(m);
}

producer_test(beats_under_the_lease_of_another_call)
{
	struct maker *m;

	w.conf.beat_interval = 100;
	open_stream(.id = "a", .lease = true);
	m = maker(.epoch = "1");
	until(m, m->beats == 2);
	open_stream(.id = "a", .lease = true);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_FENCED);
	maker_free(m);
}

producer_test(two_owners_of_a_lease_and_the_first_is_fenced)
{
	struct maker *first, *second;

	w.conf.beat_interval = 100;
	first = maker(.open = true, .lease = true);
	until(first, first->opens == 1);
	second = maker(.open = true, .lease = true);
	until(second, second->opens == 1);
	cr_assert_str_eq(second->epoch, "2");
	until(first, first->closes == 1);
	cr_assert_eq(sr_producer_end(first->p), SR_PRODUCER_FENCED);
	until(second, second->beats == 3);
	cr_assert_eq(second->closes, 0);
	maker_free(first);
	maker_free(second);
}

producer_test(a_beat_revives_an_orphan)
{
	struct maker *m = maker(.open = true, .lease = true);

	until(m, m->opens == 1);
	prove(PROOF);
	age("a", STALE + 1000);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	sr_producer_beat(m->p);
	until(m, m->beats == 1);
	cr_assert_eq(m->beat, SR_REVIVED);
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	maker_free(m);
}

producer_test(a_beat_of_an_unknown_stream)
{
	struct maker *m = maker(.id = "a"), *opener;

	sr_producer_beat(m->p);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_UNKNOWN);
	maker_free(m);
	opener = maker(.open = true);
	until(opener, opener->opens == 1);
	raw("FLUSHALL");
	sr_producer_beat(opener->p);
	until(opener, opener->opens == 2);
	maker_free(opener);
}

/* --- others --------------------------------------------------------------------------------------------------- */

producer_test(hears_the_end_by_a_beat)
{
	struct maker *m = maker(.id = "a");

	open_stream(.id = "a");
	sr_producer_beat(m->p);
	until(m, m->beats == 1);
	cr_assert_eq(m->beat, SR_SAME);
	end_stream("cancelled", "{}", .id = "a");
	sr_producer_beat(m->p);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_ENDED);
	cr_assert_str_eq(sr_producer_end_type(m->p), "cancelled");
	pass(100);
	cr_assert(m->closes == 1 && m->beats == 1);
	maker_free(m);
}

producer_test(hears_the_end_by_an_event)
{
	struct maker *m = maker(.open = true);

	tokens(m, 2);
	until(m, m->count == 2);
	end_stream("failed", "{}", .id = "a");
	tokens(m, 3);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_ENDED);
	cr_assert_str_eq(sr_producer_end_type(m->p), "failed");
	cr_assert(sr_producer_waiting(m->p) == 3 && sr_producer_unconfirmed(m->p) == 0, "for certain not stored");
	maker_free(m);
	m = maker(.open = true);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_ENDED);
	cr_assert_str_eq(sr_producer_end_type(m->p), "failed");
	cr_assert_eq(m->opens, 0);
	maker_free(m);
}

producer_test(a_stream_that_nobody_opened)
{
	struct maker *m = maker(.id = "a");

	tokens(m, 1);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_UNKNOWN);
	maker_free(m);
	m = maker(.create = true);
	tokens(m, 1);
	until(m, m->count == 1);
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann");
	maker_free(m);
}

producer_test(a_stream_of_another_user)
{
	struct maker *m = maker(.user = "bob");

	open_stream(.id = "a");
	tokens(m, 1);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_FOREIGN);
	maker_free(m);
	m = maker(.user = "bob", .open = true);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_FOREIGN);
	maker_free(m);
}

producer_test(a_user_without_the_right_to_write)
{
	struct maker *m = maker(.id = "a");

	open_stream(.id = "a");
	until(m, sr_producer_is_open(m->p));
	raw("ACL", "SETUSER", "default", "-evalsha", "-eval");
	tokens(m, 1);
	until(m, m->closes == 1);
	raw("ACL", "SETUSER", "default", "+@all");
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DENIED);
	cr_assert(strstr(sr_producer_why(m->p), "evalsha"), "%s", sr_producer_why(m->p));
	maker_free(m);
}

producer_test(a_refused_password_may_be_mended)
{
	struct maker *m;

	raw("CONFIG", "SET", "requirepass", "secret");
	m = maker(.create = true);
	tokens(m, 1);
	until(m, m->downs > 0);
	cr_assert_eq(m->down_err, SR_EDENIED);
	cr_assert_eq(m->closes, 0);
	raw("CONFIG", "SET", "requirepass", "");
	sr_producer_hurry(m->p);
	until(m, m->count == 1);
	maker_free(m);
}

producer_test(a_key_of_another_type)
{
	struct maker *m = maker(.id = "a");

	w.odd = true;
	raw("SET", "sse:stream:a", "x", "EX", "100");
	tokens(m, 1);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_BROKEN);
	cr_assert(strstr(sr_producer_why(m->p), "WRONGTYPE"), "%s", sr_producer_why(m->p));
	maker_free(m);
	m = maker(.id = "a");
	sr_producer_beat(m->p);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_BROKEN);
	maker_free(m);
}

/* --- names ---------------------------------------------------------------------------------------------------- */

producer_test(a_named_producer_goes_on_where_another_program_was)
{
	struct maker *m = maker(.open = true, .name = "p");
	char last[48];

	tokens(m, 120);
	until(m, m->count == 120);
	snprintf(last, sizeof last, "%s", m->told[119].id);
	maker_free(m);
	m = maker(.name = "p");
	tokens(m, 250);
	until(m, m->count == 250);
	assert_told(m, 1, 250);
	for (size_t i = 0; i < 250; i++)
		cr_assert(m->told[i].repeat == (i < 120) && (i < 119 ? !*m->told[i].id : *m->told[i].id != '\0'), "event %zu", i + 1);
	cr_assert_str_eq(m->told[119].id, last);
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	until(m, m->closes == 1);
	maker_free(m);
	m = maker(.name = "p");
	tokens(m, 250);
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DONE, "the end is a repeat, too");
	assert_told(m, 1, 251);
	assert_log(1, 250, "completed {}");
	maker_free(m);
}

producer_test(one_event_again_has_its_id_again)
{
	struct maker *m = maker(.create = true, .name = "p", .first_n = 7);
	char id[48];

	tokens(m, 1);
	until(m, m->count == 1);
	snprintf(id, sizeof id, "%s", m->told[0].id);
	cr_assert(!m->told[0].repeat);
	maker_free(m);
	m = maker(.create = true, .name = "p", .first_n = 7);
	tokens(m, 1);
	until(m, m->count == 1);
	cr_assert(m->told[0].repeat);
	cr_assert_str_eq(m->told[0].id, id);
	maker_free(m);
	assert_log(1, 1, "");
}

/* A backlog full of what is stored already has room soon. */
producer_test(known_events_make_room)
{
	struct maker *m = maker(.open = true, .name = "p", .backlog_bytes = 70000);

	m->feed = 20000;
	feed(m);
	until(m, m->count == 20000);
	maker_free(m);
	m = maker(.name = "p", .backlog_bytes = 70000);
	m->feed = 20100;
	m->room_only = true;
	feed(m);
	cr_assert_lt(sr_producer_next_n(m->p), 20000);
	until(m, m->count == 20100);
	assert_told(m, 1, 20100);
	cr_assert(m->told[19999].repeat && !m->told[20000].repeat);
	maker_free(m);
}

producer_test(two_programs_with_one_name)
{
	struct maker *m = maker(.open = true, .name = "p");

	tokens(m, 1);
	until(m, m->count == 1);
	publish("token", "x", .id = "a", .producer = "p", .n = 50);
	tokens(m, 1);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_FORGOTTEN);
	maker_free(m);
	m = maker(.name = "p");
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_FORGOTTEN, "an end is never taken for stored by its number alone");
	cr_assert_str_eq(field("sse:stream:a", "state"), "active");
	maker_free(m);
}

/* The outage outlasted the log: it is known all the same that the end is stored. */
producer_test(an_end_is_a_repeat_without_its_log)
{
	struct maker *m = maker(.open = true);

	tokens(m, 2);
	until(m, m->count == 2);
	redisd_freeze(w.redis);
	tokens(m, 2);
	cr_assert_eq(emit(m, "completed", "{}"), SR_OK);
	until(m, sr_producer_unconfirmed(m->p) == 3);
	until(m, m->downs > 0);
	redisd_thaw(w.redis);
	while (!there("sse:completion:a"))
		;
	raw("DEL", "sse:events:a", "sse:completion:a");
	until(m, m->closes == 1);
	cr_assert_eq(sr_producer_end(m->p), SR_PRODUCER_DONE);
	assert_told(m, 1, 5);
	cr_assert(!*m->told[2].id && *m->told[4].id && m->told[4].repeat);
	maker_free(m);
}

/* --- threads -------------------------------------------------------------------------------------------------- */

struct worker { pthread_t thread; struct ev_loop *loop; char id[2]; bool done; };

static void worker_closed(void *ctx, enum sr_producer_end end)
{
	struct worker *one = ctx;

	one->done = end == SR_PRODUCER_DONE;
	ev_break(one->loop, EVBREAK_ONE);
}

static void *work(void *arg)
{
	struct worker *one = arg;
	struct sr_producer_options o = {.id = one->id, .user = "ann", .open = true, .silent = true};
	struct sr_producer_hooks hooks = {.on_closed = worker_closed};
	enum sr_err err;
	struct sr_producer *p = sr_producer_new(one->loop, &w.conf, &o, &hooks, one, &err, NULL);

	for (int i = 0; p && err == SR_OK && i < 5000; i++)
		err = sr_producer_emit(p, "token", 5, "1", 1);
	if (p && err == SR_OK && sr_producer_emit(p, "completed", 9, "{}", 2) == SR_OK)
		ev_run(one->loop, 0);
	sr_producer_free(p);
	return NULL;
}

/* One producer a thread: they share no state. */
producer_test(each_thread_has_its_own)
{
	struct worker all[4];

	w.conf.event_bytes = 65536;
	w.conf.log_events = 100000;
	for (int i = 0; i < 4; i++) {
		all[i] = (struct worker){.loop = ev_loop_new(EVFLAG_AUTO), .id = {(char)('a' + i)}};
		cr_assert_eq(pthread_create(&all[i].thread, NULL, work, &all[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(all[i].thread, NULL);
		cr_assert(all[i].done, "%s", all[i].id);
		cr_assert_eq(raw_int("XLEN", text("sse:events:%s", all[i].id)), 5001);
		ev_loop_destroy(all[i].loop);
	}
}
