/* The engine of a producer, on a real Redis in every kind of trouble. */
#include "common/clock.h"
#include "common/mem.h"
#include "common/producer.h"
#include "tests/support/world.h"

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
	uint64_t feed;    /* on_room and on_stored emit up to this number */
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

	w.conf.log_events = 1000;
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
