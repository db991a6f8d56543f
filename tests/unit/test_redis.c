/* The connection: against a real Redis in every kind of trouble, and against what is none. */
#include "common/mem.h"
#include "common/registry.h"
#include "tests/support/redisd.h"
#include "tests/support/wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct redisd *d;

static void start(void)
{
	d = redisd_start(NULL);
	cr_assert(d, "no redis-server");
}

static void stop(void)
{
	redisd_stop(d);
}

TestSuite(redis, .init = start, .fini = stop, .timeout = 40);

static struct wire *ready_wire(void)
{
	struct wire *w = wire_to(.url = redisd_url(d));

	wire_until(w, w->ready == 1, 5000);
	return w;
}

static struct wire *ready_ear(struct wire *beside)
{
	struct wire *w = wire_open(&(struct sr_redis_options){.url = redisd_url(d), .pubsub = true, .name = "ear"}, beside, false);

	wire_until(w, w->ready == 1, 5000);
	return w;
}

/* The policy of the calls here. */
static const struct sr_registry reg = {.prefix = "sse:", .log_events = 1000, .stream_ttl = 3600000, .completion_ttl = 300000,
                                       .beat_interval = 10000, .stale_threshold = 30000, .orphan_grace = 60000, .proof_window = 20000};

static enum sr_err send_open(struct wire *w, struct answer *a, const char *id)
{
	struct sr_open o = {.id = id, .user = "ann"};
	struct sr_call call;
	enum sr_err err;

	*a = (struct answer){0};
	sr_open_call(&call, &reg, &o);
	err = sr_redis_send(w->redis, &call, 0, wire_answer, a);
	sr_call_release(&call);
	return err;
}

/* A file in the server's folder that holds `secret`. */
static const char *secret_file(const char *secret)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/password", redisd_folder(d));
	f = fopen(path, "w");
	cr_assert(f && fprintf(f, "%s\n", secret) > 0 && fclose(f) == 0 && chmod(path, 0600) == 0);
	return path;
}

/* In place of the one without options that the suite has started. */
static void restart_with(struct redisd_options options)
{
	redisd_stop(d);
	d = redisd_start(&options);
	cr_assert(d, "no redis-server");
}

/* --- commands ------------------------------------------------------------------------------------------------ */

Test(redis, gets_ready_and_carries_commands)
{
	struct wire *w = wire_open(&(struct sr_redis_options){.url = redisd_url(d), .name = "one-name"}, NULL, true);
	struct answer a;

	cr_assert(!sr_redis_ready(w->redis));
	cr_assert_eq(sr_redis_last_error(w->redis), SR_EDOWN);
	cr_assert_eq(wire_words(w, &a, 0, (const char *const[]){"PING", NULL}), SR_EDOWN);
	sr_redis_start(w->redis);
	sr_redis_start(w->redis);
	cr_assert_eq(w->ready, 0, "never from inside the call");
	cr_assert_eq(wire_words(w, &a, 0, (const char *const[]){"PING", NULL}), SR_EDOWN);
	wire_until(w, w->ready == 1, 5000);
	cr_assert(sr_redis_ready(w->redis));
	cr_assert_str_eq(sr_redis_why(w->redis), "");
	cr_assert_eq(sr_redis_last_error(w->redis), SR_OK);
	cr_assert_str_eq(wire_ask(w, "CLIENT", "GETNAME").text, "one-name");
	cr_assert_eq(a.ends, 0, "what was refused is never answered");
	sr_redis_start(w->redis);
	cr_assert_eq(wire_ask(w, "INCR", "n").number, 1);
	cr_assert(w->ready == 1 && w->down == 0);
	wire_close(w);
}

Test(redis, answers_come_in_order)
{
	struct wire *w = ready_wire();
	static struct answer a[1000];

	for (int i = 0; i < 1000; i++)
		wire_send(w, &a[i], 0, "INCR", "n");
	for (int i = 0; i < 1000; i++) {
		wire_until(w, a[i].ends == 1, 5000);
		cr_assert(a[i].err == SR_OK && a[i].number == i + 1);
	}
	wire_close(w);
}

Test(redis, a_large_reply_and_a_large_command)
{
	struct wire *w = ready_wire();
	static char large[3 << 20];
	struct answer a;

	memset(large, 'x', sizeof large - 1);
	cr_assert_eq(wire_ask(w, "SET", "k", large).err, SR_OK);
	cr_assert_eq(wire_ask(w, "STRLEN", "k").number, sizeof large - 1);
	cr_assert_eq(wire_ask(w, "GET", "k").err, SR_OK);
	cr_assert_eq(wire_words(w, &a, 0, (const char *const[]){"SET", large, large, NULL}), SR_ETOOBIG);
	cr_assert_eq(wire_words(w, &a, 0, (const char *const[]){NULL}), SR_EINVAL);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

Test(redis, an_error_is_an_answer)
{
	struct wire *w = ready_wire();
	struct answer a = wire_ask(w, "NONSENSE");

	cr_assert_eq(a.err, SR_EREPLY);
	cr_assert_eq(strncmp(a.text, "ERR unknown command", 19), 0, "%s", a.text);
	wire_ask(w, "SET", "k", "x");
	cr_assert_eq(wire_ask(w, "INCR", "k").err, SR_EREPLY);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

static struct answer inner;

static void on_first(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct wire *w = ctx;

	(void)reply;
	cr_assert_eq(err, SR_OK);
	wire_send(w, &inner, 0, "INCR", "n");
}

Test(redis, a_callback_may_send)
{
	struct wire *w = ready_wire();
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "PING");
	cr_assert_eq(sr_redis_send(w->redis, &call, 0, on_first, w), SR_OK);
	sr_call_release(&call);
	wire_until(w, inner.ends == 1, 5000);
	cr_assert_eq(inner.number, 1);
	wire_close(w);
}

static struct sr_reply *taken;

static void on_taken(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct wire *w = ctx;

	cr_assert_eq(err, SR_OK);
	taken = sr_redis_take_reply(w->redis);
	cr_assert_eq(taken, reply);
	cr_assert_null(sr_redis_take_reply(w->redis), "once");
}

Test(redis, a_reply_can_be_kept)
{
	struct wire *w = ready_wire();
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "ECHO");
	sr_call_text(&call, "kept");
	cr_assert_eq(sr_redis_send(w->redis, &call, 0, on_taken, w), SR_OK);
	sr_call_release(&call);
	wire_until(w, taken, 5000);
	wire_ask(w, "PING");
	wire_close(w);
	cr_assert_str_eq(sr_reply_text(taken, NULL), "kept");
	sr_reply_free(taken);
}

/* --- scripts ------------------------------------------------------------------------------------------------- */

Test(redis, scripts_survive_a_flush_in_mid_flow)
{
	struct wire *w = ready_wire();
	struct answer a[10], flush[2];

	cr_assert_eq(send_open(w, &a[0], "s0"), SR_OK);
	wire_send(w, &flush[0], 0, "SCRIPT", "FLUSH");
	for (int i = 1; i < 5; i++)
		cr_assert_eq(send_open(w, &a[i], i % 2 ? "s1" : "s2"), SR_OK);
	wire_send(w, &flush[1], 0, "SCRIPT", "FLUSH");
	for (int i = 5; i < 10; i++)
		cr_assert_eq(send_open(w, &a[i], "s3"), SR_OK);
	for (int i = 0; i < 10; i++) {
		wire_until(w, a[i].ends, 5000);
		cr_assert(a[i].err == SR_OK, "call %d: %s", i, a[i].text);
	}
	for (int i = 0; i < 20; i++)
		wire_turn(w);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(a[i].ends, 1);
	cr_assert_eq(wire_ask(w, "ZCARD", "sse:active").number, 4);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

Test(redis, scripts_are_loaded_ahead_when_asked)
{
	struct wire *w;

	for (int load = 0; load < 2; load++) {
		struct answer a;

		w = wire_to(.url = redisd_url(d), .load_scripts = load);
		wire_until(w, w->ready == 1, 5000);
		for (int i = 0; i < SR_SCRIPT_COUNT; i++) {
			const struct sr_script *s = sr_script_get((enum sr_script_name)i);

			/* Only a loaded script can be run by its hash; without keys it then fails in its own way. */
			a = wire_ask(w, "EVALSHA", s->sha1, "0");
			cr_assert_eq(strncmp(a.text, "NOSCRIPT", 8) == 0, !load, "%s: %s", s->name, a.text);
		}
		wire_close(w);
	}
}

Test(redis, a_script_is_sent_whole_only_once)
{
	struct wire *w = ready_wire();
	struct answer a;

	wire_ask(w, "ACL", "SETUSER", "default", "-eval");
	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends, 5000);
	cr_assert_eq(a.err, SR_EDENIED);
	cr_assert_eq(strncmp(a.text, "NOPERM", 6), 0, "%s", a.text);
	cr_assert_eq(w->down, 0, "a command that is not allowed does not end the connection");
	wire_close(w);
}

/* --- deadlines ----------------------------------------------------------------------------------------------- */

Test(redis, a_late_reply_fails_the_connection)
{
	struct wire *w = ready_wire();
	struct answer a, b, c;
	long long since = wire_ms();

	wire_send(w, &a, 200, "DEBUG", "SLEEP", "1");
	wire_send(w, &b, 10000, "PING");
	wire_send(w, &c, 0, "INCR", "n");
	wire_until(w, w->down == 1, 5000);
	cr_assert(wire_ms() - since >= 200 && wire_ms() - since < 900, "%lld ms", wire_ms() - since);
	cr_assert(a.ends == 1 && b.ends == 1 && c.ends == 1, "before on_down");
	cr_assert(a.err == SR_ETIMEOUT && b.err == SR_ETIMEOUT && c.err == SR_ETIMEOUT);
	cr_assert_eq(w->down_err, SR_ETIMEOUT);
	cr_assert(!sr_redis_ready(w->redis));
	cr_assert_str_eq(sr_redis_why(w->redis), w->down_why);
	cr_assert_eq(sr_redis_last_error(w->redis), SR_ETIMEOUT);
	wire_until(w, w->ready == 2, 10000);
	cr_assert_eq(wire_ask(w, "GET", "n").err, SR_OK);
	cr_assert(a.ends == 1 && b.ends == 1 && c.ends == 1);
	wire_close(w);
}

Test(redis, a_frozen_server_is_noticed_and_found_again)
{
	struct wire *w = ready_wire();
	struct answer a;

	redisd_freeze(d);
	wire_send(w, &a, 300, "PING");
	wire_until(w, w->down == 1, 5000);
	cr_assert(a.ends == 1 && a.err == SR_ETIMEOUT);
	wire_until(w, w->down == 2, 10000); /* connects, and is not greeted */
	cr_assert_eq(w->down_err, SR_ETIMEOUT);
	redisd_thaw(d);
	wire_until(w, w->ready == 2, 10000);
	cr_assert_eq(wire_ask(w, "INCR", "n").number, 1);
	wire_close(w);
}

/* The first command's generous deadline must not become the second one's. */
Test(redis, each_command_has_its_own_deadline)
{
	struct wire *w = ready_wire();
	struct answer a, b;
	long long since;

	wire_send(w, &a, 20000, "DEBUG", "SLEEP", "0.1");
	wire_send(w, &b, 500, "BLPOP", "none", "0");
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_OK);
	since = wire_ms();
	wire_until(w, b.ends == 1, 5000);
	cr_assert_eq(b.err, SR_ETIMEOUT);
	cr_assert_lt(wire_ms() - since, 1500);
	wire_close(w);
}

Test(redis, a_blocking_command_may_take_longer)
{
	struct wire *w = ready_wire();
	struct answer a;

	wire_send(w, &a, 10000, "BLPOP", "none", "4.5");
	wire_until(w, a.ends == 1, 9000);
	cr_assert_eq(a.err, SR_OK);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

/* If this process itself was stopped, the answer lies in the socket. */
Test(redis, an_answer_that_came_in_time_counts)
{
	struct wire *w = ready_wire();
	struct answer a;

	wire_send(w, &a, 100, "INCR", "n");
	ev_run(w->loop, EVRUN_NOWAIT);
	poll(NULL, 0, 300); /* as if stopped */
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_OK);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

/* --- outages ------------------------------------------------------------------------------------------------- */

Test(redis, a_killed_server_ends_every_command_once)
{
	struct wire *w = ready_wire();
	struct answer a[100], refused;
	int before;

	redisd_freeze(d);
	for (int i = 0; i < 100; i++)
		wire_send(w, &a[i], 0, "INCR", "n");
	before = w->ends_at_down;
	redisd_kill(d);
	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EDOWN);
	cr_assert_eq(w->ends_at_down - before, 100, "all of them before on_down");
	for (int i = 0; i < 100; i++)
		cr_assert(a[i].ends == 1 && a[i].err == SR_EDOWN);
	cr_assert_eq(wire_words(w, &refused, 0, (const char *const[]){"PING", NULL}), SR_EDOWN);
	wire_until(w, w->down >= 3, 10000);
	cr_assert_str_neq(sr_redis_why(w->redis), "");
	cr_assert(redisd_again(d, NULL));
	wire_until(w, w->ready == 2, 10000);
	cr_assert_str_eq(sr_redis_why(w->redis), "");
	cr_assert_eq(wire_ask(w, "INCR", "n").number, 1);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(a[i].ends, 1);
	cr_assert_eq(refused.ends, 0);
	wire_close(w);
}

Test(redis, a_server_that_comes_later_is_found)
{
	struct wire *w;

	redisd_kill(d);
	w = wire_to(.url = redisd_url(d));
	wire_until(w, w->down == 2, 5000);
	cr_assert_eq(w->down_err, SR_EDOWN);
	cr_assert(strstr(w->down_why, "refused") || strstr(w->down_why, "No such file"), "%s", w->down_why);
	cr_assert(redisd_again(d, NULL));
	wire_until(w, w->ready == 1, 10000);
	wire_close(w);
}

Test(redis, once_means_no_second_attempt)
{
	struct wire *w;

	redisd_kill(d);
	w = wire_to(.url = redisd_url(d), .once = true);
	wire_until(w, w->down == 1, 5000);
	cr_assert(redisd_again(d, NULL));
	for (int i = 0; i < 20; i++)
		wire_turn(w);
	cr_assert(w->down == 1 && w->ready == 0);
	sr_redis_start(w->redis);
	wire_until(w, w->ready == 1, 5000);
	wire_close(w);
}

Test(redis, a_killed_connection_comes_back)
{
	struct wire *w = ready_wire(), *other = wire_open(&(struct sr_redis_options){.url = redisd_url(d)}, w, false);
	struct answer a;

	wire_until(w, other->ready == 1, 5000);
	wire_send(w, &a, 0, "BLPOP", "none", "0");
	wire_until(w, wire_ask(other, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").number == 1, 5000);
	wire_until(w, w->down == 1, 5000);
	cr_assert(a.ends == 1 && a.err == SR_EDOWN);
	cr_assert_eq(w->down_err, SR_EDOWN);
	cr_assert_str_neq(w->down_why, "");
	wire_until(w, w->ready == 2, 5000);
	cr_assert_eq(other->down, 0);
	wire_close(other);
	wire_close(w);
}

Test(redis, failures_are_spaced_out)
{
	struct wire *w;
	long long since = wire_ms(), at[8] = {0}, longest = 0;
	int seen = 0;

	redisd_kill(d);
	w = wire_to(.url = redisd_url(d));
	while (seen < 8) {
		cr_assert_lt(wire_ms() - since, 30000);
		wire_turn(w);
		if (w->down > seen)
			at[seen++] = wire_ms();
	}
	for (int i = 1; i < 8; i++) {
		cr_assert_geq(at[i] - at[i - 1], 45, "attempt %d came after %lld ms", i, at[i] - at[i - 1]);
		cr_assert_leq(at[i] - at[i - 1], (100 << (i - 1)) + 500, "attempt %d came after %lld ms", i, at[i] - at[i - 1]);
		longest = at[i] - at[i - 1] > longest ? at[i] - at[i - 1] : longest;
	}
	cr_assert_geq(longest, 200, "they grow: by chance alone all of them are that short once in a billion runs");
	wire_close(w);
}

/* --- what Redis refuses -------------------------------------------------------------------------------------- */

Test(redis, a_replica_refuses_and_another_master_is_looked_for)
{
	struct wire *w = ready_wire();
	struct answer a, b;

	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends == 1, 5000); /* so that its hash is known: PING would overtake the text */
	cr_assert_eq(wire_ask(w, "REPLICAOF", "127.0.0.1", "1").err, SR_OK);
	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_send(w, &b, 0, "PING");
	wire_until(w, w->down == 1, 5000);
	cr_assert(a.ends == 1 && a.err == SR_EREFUSED);
	cr_assert_eq(strncmp(a.text, "READONLY", 8), 0, "%s", a.text);
	cr_assert(b.ends == 1 && b.err == SR_EDOWN);
	cr_assert_eq(w->down_err, SR_EREFUSED);
	wire_until(w, w->ready == 2, 5000);
	cr_assert_eq(wire_ask(w, "REPLICAOF", "NO", "ONE").err, SR_OK);
	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_OK);
	wire_close(w);
}

/* It greets as well as a master. */
Test(redis, a_replica_is_not_asked_ever_faster)
{
	struct wire *w = ready_wire();
	struct answer a;
	long long since, longest = 0;

	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(wire_ask(w, "REPLICAOF", "127.0.0.1", "1").err, SR_OK);
	for (int i = 1; i <= 7; i++) {
		cr_assert_eq(send_open(w, &a, "a"), SR_OK);
		wire_until(w, w->down == i, 5000);
		since = wire_ms();
		wire_until(w, w->ready == i + 1, 8000);
		longest = wire_ms() - since > longest ? wire_ms() - since : longest;
	}
	cr_assert_geq(longest, 200);
	wire_close(w);
}

Test(redis, reading_scripts_work_on_a_replica)
{
	struct wire *w = ready_wire();
	struct answer a = {0};
	struct sr_call call;

	cr_assert_eq(wire_ask(w, "REPLICAOF", "127.0.0.1", "1").err, SR_OK);
	sr_recover_call(&call, &reg, "a", "ann", false);
	cr_assert_eq(sr_redis_send(w->redis, &call, 0, wire_answer, &a), SR_OK);
	sr_call_release(&call);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_OK);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

Test(redis, out_of_memory_is_refused_and_the_connection_stays)
{
	static const char stale[] = "local now = redis.call('TIME')[1] * 1000\n"
	                            "redis.call('HSET', 'sse:guardian', 'since', now - 100000, 'last', now)\n"
	                            "return redis.call('ZADD', 'sse:active', now - 100000, 'a')\n";
	struct sr_beat beat = {.id = "a", .viewers = 1};
	const char *id = "a";
	struct wire *w = ready_wire();
	struct answer a;
	struct sr_call call;

	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(wire_ask(w, "EVAL", stale, "0").err, SR_OK);
	wire_ask(w, "CONFIG", "SET", "maxmemory", "1");
	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_EREFUSED, "%s", a.text);
	cr_assert_eq(strncmp(a.text, "OOM", 3), 0, "%s", a.text);
	/* Scripts that catch the errors of one stream do not catch this one. */
	sr_beat_call(&call, &reg, "n", &beat, 1);
	a = (struct answer){0};
	cr_assert_eq(sr_redis_send(w->redis, &call, 0, wire_answer, &a), SR_OK);
	sr_call_release(&call);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_EREFUSED, "%s", a.text);
	sr_sweep_call(&call, &reg, &id, 1);
	a = (struct answer){0};
	cr_assert_eq(sr_redis_send(w->redis, &call, 0, wire_answer, &a), SR_OK);
	sr_call_release(&call);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_EREFUSED, "%s", a.text);
	wire_ask(w, "CONFIG", "SET", "maxmemory", "0");
	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_OK);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

/* It answers PING and every write with MISCONF, and reads are still served. */
Test(redis, a_server_that_cannot_save_is_connected_to)
{
	struct wire *w = ready_wire(), *ear;
	struct answer a;
	char path[128];
	long long since;

	snprintf(path, sizeof path, "%s/dump.rdb", redisd_folder(d));
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/dump.rdb/x", redisd_folder(d));
	cr_assert_eq(mkdir(path, 0700), 0);
	wire_ask(w, "CONFIG", "SET", "save", "1000 1000");
	wire_ask(w, "BGSAVE");
	wire_until(w, wire_ask(w, "PING").err == SR_EREFUSED, 5000);
	wire_close(w);
	w = ready_wire();
	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_EREFUSED);
	cr_assert_eq(strncmp(a.text, "MISCONF", 7), 0, "%s", a.text);
	cr_assert_eq(wire_ask(w, "GET", "k").err, SR_OK);
	ear = ready_ear(w);
	since = wire_ms();
	wire_until(w, ear->down || wire_ms() - since > SR_REDIS_PROBE_MS + 1000, 20000);
	cr_assert_eq(ear->down, 0, "a PING that is refused so is an answer: %s", ear->down_why);
	cr_assert_eq(w->down, 0);
	wire_close(ear);
	wire_close(w);
}

Test(redis, a_busy_script_is_waited_for)
{
	struct wire *w = ready_wire(), *other = wire_open(&(struct sr_redis_options){.url = redisd_url(d)}, w, false);
	struct answer loop, a;

	wire_until(w, other->ready == 1, 5000);
	wire_ask(w, "CONFIG", "SET", "busy-reply-threshold", "50");
	wire_send(other, &loop, 20000, "EVAL", "while true do end", "0");
	wire_until(w, (a = wire_ask(w, "GET", "k")).err != SR_OK, 5000);
	cr_assert_eq(a.err, SR_EREFUSED);
	cr_assert_eq(strncmp(a.text, "BUSY", 4), 0, "%s", a.text);
	cr_assert_eq(wire_ask(w, "SCRIPT", "KILL").err, SR_OK);
	wire_until(w, loop.ends == 1, 5000);
	cr_assert_eq(loop.err, SR_EREPLY);
	cr_assert(w->down == 0 && other->down == 0);
	wire_close(other);
	wire_close(w);
}

Test(redis, a_server_that_is_loading_is_waited_for)
{
	static const char *const slow[] = {"--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024", NULL};
	struct wire *w;

	restart_with((struct redisd_options){.appendonly = true});
	w = ready_wire();
	cr_assert_eq(wire_ask(w, "DEBUG", "POPULATE", "1000", "key", "100").err, SR_OK);
	cr_assert_eq(wire_ask(w, "BGREWRITEAOF").err, SR_OK);
	wire_until(w, strstr(wire_ask(w, "INFO", "persistence").text, "loading"), 5000);
	wire_close(w);
	w = ready_wire();
	wire_until(w, wire_ask(w, "EVAL", "return string.find(redis.call('INFO', 'persistence'), 'aof_rewrite_in_progress:0') and 1 or 0", "0").number == 1,
	           10000);
	wire_close(w);
	redisd_kill(d);
	cr_assert(redisd_again(d, slow));
	w = wire_to(.url = redisd_url(d));
	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EREFUSED, "%s", w->down_why);
	cr_assert_eq(strncmp(w->down_why, "LOADING", 7), 0, "%s", w->down_why);
	wire_until(w, w->ready == 1, 20000);
	cr_assert_eq(wire_ask(w, "DBSIZE").number, 1000);
	wire_close(w);
}

Test(redis, a_server_with_too_many_clients_is_waited_for)
{
	struct wire *w = ready_wire(), *other;

	wire_ask(w, "CONFIG", "SET", "maxclients", "1");
	other = wire_open(&(struct sr_redis_options){.url = redisd_url(d)}, w, false);
	wire_until(w, other->down == 1, 5000);
	cr_assert_eq(other->down_err, SR_EREPLY);
	cr_assert(strstr(other->down_why, "max number of clients"), "%s", other->down_why);
	wire_ask(w, "CONFIG", "SET", "maxclients", "100");
	wire_until(w, other->ready == 1, 10000);
	wire_close(other);
	wire_close(w);
}

/* --- who may ------------------------------------------------------------------------------------------------- */

Test(redis, a_password)
{
	struct wire *w;

	restart_with((struct redisd_options){.password = "s3cret word"});
	w = wire_to(.url = redisd_url(d));
	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EDENIED);
	cr_assert_eq(strncmp(w->down_why, "NOAUTH", 6), 0, "%s", w->down_why);
	wire_close(w);

	w = wire_to(.url = redisd_url(d), .password_file = secret_file("s3cret word"));
	wire_until(w, w->ready == 1, 5000);
	cr_assert_eq(wire_ask(w, "INCR", "n").number, 1);
	wire_close(w);
}

/* Wrong credentials do not get better by asking often; a rotated password is found. */
Test(redis, a_wrong_password_is_tried_again_slowly)
{
	struct wire *w;
	long long since;

	restart_with((struct redisd_options){.password = "right"});
	w = wire_to(.url = redisd_url(d), .password_file = secret_file("wrong"));
	wire_until(w, w->down == 1, 5000);
	since = wire_ms();
	cr_assert_eq(w->down_err, SR_EDENIED);
	cr_assert_eq(strncmp(w->down_why, "WRONGPASS", 9), 0, "%s", w->down_why);
	cr_assert_eq(sr_redis_last_error(w->redis), SR_EDENIED);
	cr_assert(!strstr(sr_redis_why(w->redis), "wrong"), "the password is not repeated");
	secret_file("right");
	wire_until(w, w->ready == 1, 10000);
	cr_assert_geq(wire_ms() - since, 4000);
	wire_close(w);
}

Test(redis, a_password_that_nobody_asked_for)
{
	struct wire *w = wire_to(.url = redisd_url(d), .password_file = secret_file("s3cret"));

	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EDENIED);
	cr_assert(strstr(w->down_why, "without any password configured"), "%s", w->down_why);
	wire_close(w);
}

Test(redis, a_password_file_that_cannot_be_used)
{
	struct wire *w = wire_to(.url = redisd_url(d), .password_file = "/nonexistent/password");

	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EIO);
	cr_assert(strstr(w->down_why, "/nonexistent/password"), "%s", w->down_why);
	wire_close(w);
	cr_assert_eq(chmod(secret_file("s3cret"), 0644), 0);
	w = wire_to(.url = redisd_url(d), .password_file = "/dev/null");
	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EDENIED);
	cr_assert_eq(w->ready, 0);
	wire_close(w);
}

Test(redis, a_user_a_port_and_a_database)
{
	struct wire *w;
	char url[128];

	restart_with((struct redisd_options){.tcp = true, .acl = "bob on >s3cret ~* &* +@all -flushall"});
	snprintf(url, sizeof url, "redis://bob@127.0.0.1:%d/7", redisd_port(d));
	w = wire_to(.url = url, .password_file = secret_file("s3cret"));
	wire_until(w, w->ready == 1, 5000);
	cr_assert_str_eq(wire_ask(w, "ACL", "WHOAMI").text, "bob");
	cr_assert(strstr(wire_ask(w, "CLIENT", "INFO").text, " name=wire "));
	cr_assert_eq(wire_ask(w, "SET", "k", "x").err, SR_OK);
	cr_assert_eq(wire_ask(w, "FLUSHALL").err, SR_EDENIED);
	cr_assert_eq(wire_ask(w, "DBSIZE").number, 1);
	cr_assert_eq(wire_ask(w, "SELECT", "0").err, SR_OK);
	cr_assert_eq(wire_ask(w, "DBSIZE").number, 0);
	cr_assert_eq(w->down, 0);
	wire_close(w);
}

Test(redis, a_database_on_a_unix_socket)
{
	struct wire *w;
	char url[160];

	snprintf(url, sizeof url, "%s?db=5", redisd_url(d));
	w = wire_to(.url = url);
	wire_until(w, w->ready == 1, 5000);
	cr_assert_eq(wire_ask(w, "SET", "k", "x").err, SR_OK);
	wire_ask(w, "SELECT", "5");
	cr_assert_eq(wire_ask(w, "DBSIZE").number, 1);
	wire_close(w);
	snprintf(url, sizeof url, "%s?db=9999", redisd_url(d));
	w = wire_to(.url = url);
	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EREPLY);
	cr_assert(strstr(w->down_why, "out of range"), "%s", w->down_why);
	wire_close(w);
}

/* --- names --------------------------------------------------------------------------------------------------- */

Test(redis, a_hosts_name_is_looked_up)
{
	struct wire *w;
	char url[128];

	restart_with((struct redisd_options){.tcp = true});
	snprintf(url, sizeof url, "redis://localhost:%d", redisd_port(d));
	w = wire_to(.url = url);
	wire_until(w, w->ready == 1, 10000);
	redisd_kill(d);
	wire_until(w, w->down >= 1, 5000);
	cr_assert(redisd_again(d, NULL));
	wire_until(w, w->ready == 2, 10000);
	cr_assert_eq(wire_ask(w, "INCR", "n").number, 1);
	wire_close(w);
}

Test(redis, an_unknown_host_is_said)
{
	char url[128] = "redis://";
	struct wire *w;

	memset(url + 8, 'x', 80);
	w = wire_to(.url = url);
	wire_until(w, w->down == 1, 10000);
	cr_assert_eq(w->down_err, SR_EDOWN);
	cr_assert_eq(strncmp(w->down_why, "cannot look up xxx", 18), 0, "%s", w->down_why);
	wire_close(w);
	for (int turns = 0; turns < 5; turns++) { /* freed while it is looked up */
		w = wire_to(.url = "redis://localhost:1");
		for (int i = 0; i < turns; i++)
			ev_run(w->loop, EVRUN_NOWAIT);
		wire_close(w);
	}
}

Test(redis, a_url_that_is_none)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct sr_redis_options o = {.url = "redis:/x", .password_file = "", .name = "x"};
	struct sr_redis_hooks none = {0};
	struct sr_buf why;

	sr_buf_init(&why, 512);
	cr_assert_null(sr_redis_new(loop, &o, &none, NULL, &why));
	cr_assert(strstr(sr_buf_text(&why), "redis_url"), "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	o.url = redisd_url(d);
	for (unsigned n = 1; n <= 3; n++) {
		sr_mem_fail_after(n);
		cr_assert_null(sr_redis_new(loop, &o, &none, NULL, &why), "allocation %u", n);
	}
	sr_mem_fail_after(0);
	ev_loop_destroy(loop);
}

/* --- bounds -------------------------------------------------------------------------------------------------- */

Test(redis, unsent_bytes_are_bounded)
{
	struct wire *w = ready_wire();
	static char large[1 << 20];
	static struct answer a[12], after;
	int queued = 0;

	memset(large, 'x', sizeof large - 1);
	while (queued < 12 && wire_words(w, &a[queued], 20000, (const char *const[]){"SET", "k", large, NULL}) == SR_OK)
		queued++;
	cr_assert(queued == 7, "%d MB of at most %u", queued, SR_REDIS_OUT_MAX);
	cr_assert_eq(wire_words(w, &after, 0, (const char *const[]){"SET", "k", large, NULL}), SR_EBUSY);
	cr_assert_eq(w->down, 0);
	for (int i = 0; i < queued; i++) {
		wire_until(w, a[i].ends == 1, 10000);
		cr_assert_eq(a[i].err, SR_OK);
	}
	cr_assert_eq(after.ends, 0);
	cr_assert_eq(wire_ask(w, "STRLEN", "k").number, sizeof large - 1);
	wire_close(w);
}

Test(redis, memory_that_is_out_queues_nothing)
{
	struct wire *w = ready_wire();
	struct answer a = {0};
	struct sr_call call;

	sr_recover_call(&call, &reg, "a", "ann", false);
	for (unsigned n = 1; n <= 3; n++) {
		sr_mem_fail_after(n);
		cr_assert_eq(sr_redis_send(w->redis, &call, 0, wire_answer, &a), SR_ENOMEM, "allocation %u", n);
	}
	sr_mem_fail_after(0);
	cr_assert_eq(a.ends, 0);
	/* Without the memory to send the text of a script that Redis does not know, it was not stored. */
	cr_assert_eq(sr_redis_send(w->redis, &call, 0, wire_answer, &a), SR_OK);
	sr_mem_fail_after(1);
	wire_until(w, a.ends == 1, 5000);
	sr_mem_fail_after(0);
	cr_assert_eq(a.err, SR_EREFUSED);
	cr_assert_eq(strncmp(a.text, "NOSCRIPT", 8), 0, "%s", a.text);
	cr_assert_eq(wire_ask(w, "INCR", "n").number, 1);
	cr_assert_eq(a.ends, 1);
	sr_call_release(&call);
	wire_close(w);
}

Test(redis, freeing_ends_every_command_once)
{
	struct wire *w = ready_wire();
	struct answer a[20];

	for (int i = 0; i < 10; i++)
		wire_send(w, &a[i], 0, "INCR", "n");
	ev_run(w->loop, EVRUN_NOWAIT);
	for (int i = 10; i < 20; i++)
		cr_assert_eq(send_open(w, &a[i], "a"), SR_OK);
	wire_close(w);
	for (int i = 0; i < 20; i++)
		cr_assert(a[i].ends == 1 && (i < 10 || a[i].err == SR_EDOWN));
	sr_redis_free(NULL);
}

Test(redis, can_be_freed_in_every_state)
{
	for (int turns = 0; turns < 12; turns++) {
		struct wire *w = wire_open(&(struct sr_redis_options){.url = redisd_url(d), .load_scripts = turns % 2}, NULL, turns == 0);

		for (int i = 0; i < turns; i++)
			ev_run(w->loop, EVRUN_NOWAIT);
		wire_close(w);
	}
}

/* --- Pub/Sub ------------------------------------------------------------------------------------------------- */

Test(redis, a_channel_is_subscribed_heard_and_left)
{
	struct wire *w = ready_wire(), *ear = ready_ear(w);
	const char *id = "a";
	struct answer a;

	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_OK);
	cr_assert_eq(ear->acks, 0);
	wire_until(w, ear->acks == 1, 5000);
	cr_assert_str_eq(ear->channel, "sse:channel:a");
	cr_assert_eq(wire_ask(w, "PUBLISH", "sse:channel:a", "1-1 0-0 token {\"x\": 1}").number, 1);
	wire_until(w, ear->messages == 1, 5000);
	cr_assert_str_eq(ear->channel, "sse:channel:a");
	cr_assert_eq(ear->payload_len, 22);
	cr_assert_arr_eq(ear->payload, "1-1 0-0 token {\"x\": 1}", 22);
	cr_assert_eq(wire_ask(w, "EVAL", "return redis.call('PUBLISH', 'sse:channel:a', 'a\\0b\\r\\nc')", "0").number, 1);
	wire_until(w, ear->messages == 2, 5000);
	cr_assert(ear->payload_len == 6 && memcmp(ear->payload, "a\0b\r\nc", 6) == 0);
	cr_assert_eq(sr_redis_unsubscribe(ear->redis, "sse:", &id, 1), SR_OK);
	wire_until(w, wire_ask(w, "PUBLISH", "sse:channel:a", "x").number == 0, 5000);
	cr_assert_eq(sr_redis_unsubscribe(ear->redis, "sse:", &id, 1), SR_OK, "again");
	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_OK);
	wire_until(w, ear->acks == 2, 5000);
	cr_assert(ear->down == 0 && w->down == 0);
	cr_assert_eq(wire_words(ear, &a, 0, (const char *const[]){"PING", NULL}), SR_EDOWN, "this one only listens");
	cr_assert_eq(sr_redis_subscribe(w->redis, "sse:", &id, 1), SR_EDOWN, "and that one does not");
	wire_close(ear);
	wire_close(w);
}

#define MANY 1300

static const char *const *many_ids(void)
{
	static char names[MANY][16];
	static const char *ids[MANY];

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "s%d", i);
		ids[i] = names[i];
	}
	return ids;
}

Test(redis, many_channels_go_in_batches)
{
	struct wire *w = ready_wire(), *ear = ready_ear(w);
	const char *const *ids = many_ids();
	struct answer a;

	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", ids, MANY), SR_OK);
	wire_until(w, ear->acks == MANY, 5000);
	a = wire_ask(w, "EVAL", "return #redis.call('PUBSUB', 'CHANNELS', 'sse:channel:*')", "0");
	cr_assert_eq(a.number, MANY);
	a = wire_ask(w, "EVAL", "local n = tonumber(string.match(redis.call('INFO', 'commandstats'), 'cmdstat_subscribe:calls=(%d+)')) return n", "0");
	cr_assert_eq(a.number, (MANY + SR_REDIS_SUBSCRIBE_BATCH - 1) / SR_REDIS_SUBSCRIBE_BATCH);
	wire_ask(w, "EVAL", "for i = 0, ARGV[1] - 1 do redis.call('PUBLISH', 'sse:channel:s' .. i, i) end", "0", "1300");
	wire_until(w, ear->messages == MANY, 5000);
	cr_assert_str_eq(ear->channel, "sse:channel:s1299");
	cr_assert_eq(sr_redis_unsubscribe(ear->redis, "sse:", ids, MANY - 1), SR_OK);
	wire_until(w, wire_ask(w, "EVAL", "return #redis.call('PUBSUB', 'CHANNELS', 'sse:channel:*')", "0").number == 1, 5000);
	cr_assert_eq(ear->down, 0);
	wire_close(ear);
	wire_close(w);
}

Test(redis, subscriptions_do_not_outlive_the_connection)
{
	struct wire *w = ready_wire(), *ear = ready_ear(w);
	const char *id = "a";

	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_OK);
	wire_until(w, ear->acks == 1, 5000);
	cr_assert_eq(wire_ask(w, "CLIENT", "KILL", "TYPE", "pubsub").number, 1);
	wire_until(w, ear->down == 1, 5000);
	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_EDOWN);
	wire_until(w, ear->ready == 2, 5000);
	cr_assert_eq(wire_ask(w, "PUBLISH", "sse:channel:a", "x").number, 0);
	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_OK);
	wire_until(w, ear->acks == 2, 5000);
	wire_close(ear);
	wire_close(w);
}

/* All of a call or nothing: a half would leave channels that the caller does not know of. */
Test(redis, what_does_not_fit_is_not_subscribed_at_all)
{
	struct wire *w = ready_wire(), *ear = ready_ear(w);
	const char *const *ids = many_ids();
	char prefix[701]; /* long names, so that not too many are needed; and the bound falls between two batches of a call */
	enum sr_err err;
	int asked = 0;

	memset(prefix, 'x', 700);
	prefix[700] = 0;
	for (int i = 0; i < 1000; i++) { /* the loop does not turn: nothing is sent */
		err = sr_redis_subscribe(ear->redis, prefix, ids, MANY);
		if (err != SR_OK)
			break;
		asked += MANY;
	}
	cr_assert_eq(err, SR_EBUSY);
	wire_until(w, ear->acks == asked, 10000);
	wire_until(w, wire_ask(w, "PING").err == SR_OK, 5000);
	cr_assert_eq(ear->acks, asked);
	cr_assert_eq(ear->down, 0);
	wire_close(ear);
	wire_close(w);
}

Test(redis, a_channel_that_is_not_allowed_is_said)
{
	struct wire *w = ready_wire(), *ear;
	const char *id = "a";

	ear = ready_ear(w);
	wire_ask(w, "ACL", "SETUSER", "default", "resetchannels", "&other:*");
	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_OK);
	wire_until(w, ear->down == 1, 5000);
	if (ear->down_err == SR_EDOWN) { /* Redis may have closed what such a user was connected with; again, then */
		wire_until(w, ear->ready == 2, 5000);
		cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_OK);
		wire_until(w, ear->down == 2, 5000);
	}
	cr_assert_eq(ear->down_err, SR_EDENIED, "%s", ear->down_why);
	cr_assert(strstr(ear->down_why, "NOPERM"), "%s", ear->down_why);
	wire_close(ear);
	wire_close(w);
}

/* Half an hour of silence and a dead connection look the same from outside. */
Test(redis, a_silent_ear_is_asked_whether_it_lives)
{
	struct wire *w = ready_wire(), *ear = ready_ear(w), *idle = ready_ear(w);
	const char *id = "a", *count = "return tonumber(string.match(redis.call('INFO', 'commandstats'), 'cmdstat_ping:calls=(%d+)'))";
	long long pings = wire_ask(w, "EVAL", count, "0").number, since;

	cr_assert_eq(sr_redis_subscribe(ear->redis, "sse:", &id, 1), SR_OK);
	wire_until(w, ear->acks == 1, 5000);
	wire_until(w, wire_ask(w, "EVAL", count, "0").number == pings + 2, 15000); /* one is subscribed, one is not: both forms of PONG */
	cr_assert_eq(wire_ask(w, "PUBLISH", "sse:channel:a", "x").number, 1);
	wire_until(w, ear->messages == 1, 5000);
	redisd_freeze(d);
	since = wire_ms();
	wire_until(w, ear->down && idle->down, 25000);
	cr_assert(ear->down_err == SR_ETIMEOUT && idle->down_err == SR_ETIMEOUT);
	cr_assert_geq(wire_ms() - since, SR_REDIS_COMMAND_MS);
	cr_assert(strstr(ear->down_why, "PING"), "%s", ear->down_why);
	redisd_thaw(d);
	wire_until(w, ear->ready == 2 && idle->ready == 2, 10000);
	wire_close(idle);
	wire_close(ear);
	wire_close(w);
}

/* --- what is no Redis ---------------------------------------------------------------------------------------- */

/* As one that greets: CLIENT SETNAME and PING. */
static void fake_greet(struct fake *f, struct wire *w)
{
	fake_accept(f, w);
	fake_hear(f, w, 2);
	fake_say(f, "+OK\r\n+PONG\r\n", 12);
	wire_until(w, w->ready, 5000);
}

Test(fake, that_talks_something_else, .timeout = 40)
{
	static const struct { const char *bytes; size_t len; } says[] = {
		{"HTTP/1.1 400 Bad Request\r\n\r\n", 28}, {"\0\0\0\0", 4}, {"$99999999999999999999\r\n", 23}, {"*-7\r\n", 5},
	};

	for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
		struct fake f = fake_open(5);
		struct wire *w = wire_to(.url = f.url, .once = true);

		fake_accept(&f, w);
		fake_say(&f, says[i].bytes, says[i].len);
		wire_until(w, w->down == 1, 5000);
		cr_assert_eq(w->down_err, SR_EREPLY, "'%s': %s, %s", says[i].bytes, sr_strerror(w->down_err), w->down_why);
		cr_assert_str_neq(w->down_why, "");
		cr_assert_eq(w->ready, 0);
		wire_close(w);
		fake_close(&f);
	}
}

Test(fake, that_breaks_off_in_a_reply, .timeout = 40)
{
	struct fake f = fake_open(5);
	struct wire *w = wire_to(.url = f.url);
	struct answer a;

	fake_greet(&f, w);
	wire_send(w, &a, 0, "GET", "k");
	fake_hear(&f, w, 1);
	fake_say(&f, "$10\r\nabc", 8);
	wire_turn(w);
	cr_assert_eq(a.ends, 0);
	fake_hang_up(&f);
	wire_until(w, w->down == 1, 5000);
	cr_assert(a.ends == 1 && a.err == SR_EDOWN);
	fake_greet(&f, w);
	wire_until(w, w->ready == 2, 5000);
	wire_send(w, &a, 0, "GET", "k");
	fake_hear(&f, w, 1);
	fake_say(&f, "$3\r\nnew\r\n", 9);
	wire_until(w, a.ends == 1, 5000);
	cr_assert_str_eq(a.text, "new", "nothing of the old connection's bytes is left");
	wire_close(w);
	fake_close(&f);
}

Test(fake, that_answers_byte_by_byte, .timeout = 40)
{
	static const char reply[] = "$11\r\nhello\r\nwor\x00\r\n";
	struct fake f = fake_open(5);
	struct wire *w = wire_to(.url = f.url);
	struct answer a;

	fake_greet(&f, w);
	wire_send(w, &a, 0, "GET", "k");
	fake_hear(&f, w, 1);
	for (size_t i = 0; i < sizeof reply - 1; i++) {
		cr_assert_eq(a.ends, 0);
		fake_say(&f, reply + i, 1);
		wire_turn(w);
	}
	wire_until(w, a.ends == 1, 5000);
	cr_assert_str_eq(a.text, "hello\r\nwor");
	wire_close(w);
	fake_close(&f);
}

Test(fake, that_answers_what_nobody_asked, .timeout = 40)
{
	static const char *const says[] = {"+extra\r\n", "*1\r\n$3\r\nfoo\r\n", "*-1\r\n", "-NOPERM go away\r\n"};

	for (int pubsub = 0; pubsub < 2; pubsub++) {
		for (size_t i = 0; i < 4; i++) {
			struct fake f = fake_open(5);
			struct wire *w = wire_to(.url = f.url, .pubsub = pubsub, .once = true);

			fake_greet(&f, w);
			fake_say(&f, says[i], strlen(says[i]));
			wire_until(w, w->down == 1, 5000);
			cr_assert_eq(w->down_err, i == 3 ? SR_EDENIED : SR_EREPLY, "%s", says[i]);
			cr_assert(strstr(w->down_why, "nobody asked"), "%s", w->down_why);
			wire_close(w);
			fake_close(&f);
		}
	}
}

Test(fake, that_knows_no_script_ever, .timeout = 40)
{
	struct fake f = fake_open(5);
	struct wire *w = wire_to(.url = f.url);
	struct answer a;

	fake_greet(&f, w);
	cr_assert_eq(send_open(w, &a, "a"), SR_OK);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(a.ends, 0);
		fake_hear(&f, w, 1);
		fake_say(&f, "-NOSCRIPT No matching script.\r\n", 31);
	}
	wire_until(w, a.ends == 1, 5000);
	cr_assert_eq(a.err, SR_EREPLY, "its text is sent once");
	cr_assert_eq(w->down, 0);
	wire_close(w);
	fake_close(&f);
}

Test(fake, that_never_greets, .timeout = 40)
{
	struct fake f = fake_open(5);
	struct wire *w = wire_to(.url = f.url);
	long long since = wire_ms();

	fake_accept(&f, w);
	wire_until(w, w->down == 1, 10000);
	cr_assert_eq(w->down_err, SR_ETIMEOUT);
	cr_assert(wire_ms() - since >= SR_REDIS_CONNECT_MS - 10 && wire_ms() - since < SR_REDIS_CONNECT_MS + 2000);
	fake_hang_up(&f);
	fake_greet(&f, w);
	wire_close(w);
	fake_close(&f);
}

Test(fake, that_closes_every_connection, .timeout = 40)
{
	struct fake f = fake_open(5);
	struct wire *w = wire_to(.url = f.url);

	for (int i = 1; i <= 4; i++) {
		fake_accept(&f, w);
		fake_hang_up(&f);
		wire_until(w, w->down == i, 10000);
		cr_assert_eq(w->down_err, SR_EDOWN);
	}
	wire_close(w);
	fake_close(&f);
}

Test(fake, that_has_no_room_for_a_connection, .timeout = 40)
{
	struct fake f = fake_open(0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct wire *w;
	int fd[4];

	memcpy(addr.sun_path, f.path, strlen(f.path));
	for (int i = 0; i < 4; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(fd[i], (struct sockaddr *)&addr, sizeof addr); /* fills the backlog; the last ones find it full */
	}
	w = wire_to(.url = f.url);
	wire_until(w, w->down == 1, 5000);
	cr_assert_eq(w->down_err, SR_EDOWN);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	do { /* the closed ones are accepted first */
		fake_hang_up(&f);
		fake_accept(&f, w);
	} while (recv(f.peer, &(char){0}, 1, MSG_PEEK) == 0);
	fake_hear(&f, w, 2);
	fake_say(&f, "+OK\r\n+PONG\r\n", 12);
	wire_until(w, w->ready == 1, 5000);
	wire_close(w);
	fake_close(&f);
}
