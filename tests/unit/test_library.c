/* The C library on a real Redis: every result, what it keeps, and what it stores once. */
#include "common/lib/sse_resilience.h"

#include "common/clock.h"
#include "common/lib/producer_handle.h"
#include "common/mem.h"
#include "tests/support/world.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- producers ----------------------------------------------------------------------------------------------- */

static char setting[200];
static const char *settings[8];

struct told { unsigned count, repeats; uint64_t n; char id[48]; };

static void on_stored(void *ctx, uint64_t n, const char *event_id, int repeat)
{
	struct told *t = ctx;

	t->count++;
	t->repeats += repeat != 0;
	t->n = n;
	snprintf(t->id, sizeof t->id, "%s", event_id);
}

/* Settings for this test's Redis, and up to three more. */
static const char *const *settings_of(const char *a, const char *b, const char *c)
{
	snprintf(setting, sizeof setting, "redis_url=%s", redisd_url(w.redis));
	settings[0] = setting;
	settings[1] = a;
	settings[2] = a ? b : NULL;
	settings[3] = b ? c : NULL;
	return settings;
}

static sse_producer *producer_with(const char *id, sse_options o)
{
	char why[300];
	sse_producer *p;

	o.size = sizeof o;
	if (!o.settings)
		o.settings = settings_of(NULL, NULL, NULL);
	p = sse_producer_new(id, &o, why, sizeof why);
	cr_assert(p, "%s", why);
	cr_assert_str_eq(why, "");
	return p;
}
#define producer(id, ...) producer_with((id), (sse_options){__VA_ARGS__})

#define ok(call, p) cr_assert_eq((call), SSE_OK, "%s", sse_why(p))
#define is(result, call, p) cr_assert_eq((call), (result), "%s", sse_why(p))
#define says(p, part) cr_assert(strstr(sse_why(p), (part)), "'%s' is not in '%s'", (part), sse_why(p))

static sse_result emit(sse_producer *p, const char *data, int wait_ms)
{
	return sse_emit(p, "token", data, strlen(data), wait_ms);
}

static long long log_length(const char *id)
{
	return raw_int("XLEN", text("sse:events:%s", id));
}

/* --- the way it is meant ------------------------------------------------------------------------------------- */

world_test(library, open_emit_end)
{
	struct told told = {.count = 0};
	sse_stream stream = SSE_STREAM_INIT;
	sse_producer *p = producer("a", .user = "ann", .stored = on_stored, .ctx = &told);

	stream.type = "export";
	stream.metadata = " { \"rows\" : 3 } ";
	ok(sse_open(p, &stream, SSE_WAIT), p);
	cr_assert_str_eq(sse_lease(p), "1");
	cr_assert_str_eq(field("sse:stream:a", "streamType"), "export");
	cr_assert_str_eq(field("sse:stream:a", "metadata"), "{\"rows\":3}");
	cr_assert_str_eq(field("sse:stream:a", "userId"), "ann");
	cr_assert_str_eq(sse_last_id(p), "");
	ok(sse_open(p, &stream, SSE_WAIT), p);
	ok(emit(p, " [ 1 , 2 ]\n", SSE_WAIT), p);
	cr_assert_str_eq(sse_last_id(p), field("sse:stream:a", "lastEventId"));
	cr_assert_str_eq(entry("sse:events:a", 0), text("%s token [1,2]", sse_last_id(p)));
	ok(sse_emit(p, "note", NULL, 0, SSE_WAIT), p);
	cr_assert_str_eq(entry("sse:events:a", 1), text("%s note {}", sse_last_id(p)));
	cr_assert(told.count == 2 && told.n == 2 && told.repeats == 0);
	ok(sse_beat(p, SSE_WAIT), p);
	ok(sse_end(p, "completed", "{\"rows\":3}", 10, SSE_WAIT), p);
	cr_assert_str_eq(sse_end_type(p), "completed");
	cr_assert_str_eq(field("sse:completion:a", "terminalEventData"), "{\"rows\":3}");
	cr_assert_eq(told.count, 3);
	cr_assert_str_eq(told.id, sse_last_id(p));
	cr_assert(sse_kept(p) == 0 && sse_unconfirmed(p) == 0 && sse_skipped(p) == 0);
	cr_assert_str_eq(sse_why(p), "");
	is(SSE_INVALID, emit(p, "1", SSE_WAIT), p);
	says(p, "after the terminal event");
	is(SSE_INVALID, sse_end(p, "failed", "{}", 2, SSE_WAIT), p);
	ok(sse_flush(p, SSE_WAIT), p);
	ok(sse_work(p, SSE_WAIT), p);
	is(SSE_ENDED, sse_beat(p, SSE_WAIT), p);
	says(p, "completed");
	sse_producer_free(p);
}

world_test(library, without_opening)
{
	sse_producer *p = producer("none"), *q = producer("a", .user = "ann");

	is(SSE_UNKNOWN, emit(p, "1", SSE_WAIT), p);
	is(SSE_UNKNOWN, sse_flush(p, SSE_WAIT), p);
	is(SSE_INVALID, sse_open(p, NULL, SSE_WAIT), p);
	cr_assert(!there("sse:stream:none"));
	sse_producer_free(p);
	open_stream(.id = "a");
	ok(sse_beat(q, SSE_WAIT), q);
	ok(emit(q, "1", SSE_WAIT), q);
	is(SSE_INVALID, sse_open(q, NULL, SSE_WAIT), q);
	says(q, "before the first event");
	ok(emit(q, "2", 0) == SSE_AGAIN ? sse_flush(q, SSE_WAIT) : SSE_OK, q);
	cr_assert_eq(log_length("a"), 2);
	sse_producer_free(q);
	q = producer("a");
	ok(sse_flush(q, 0), q);
	ok(sse_work(q, SSE_WAIT), q);
	cr_assert(sse_kept(q) == 0 && sse_unconfirmed(q) == 0 && sse_skipped(q) == 0);
	cr_assert(!*sse_end_type(q) && !*sse_lease(q) && !*sse_last_id(q));
	sse_producer_free(q);
}

/* --- what is refused ----------------------------------------------------------------------------------------- */

world_test(library, closed_for_good)
{
	sse_stream unleased = SSE_STREAM_INIT;
	sse_producer *first = producer("a", .user = "ann"), *second, *p;

	ok(sse_open(first, NULL, SSE_WAIT), first);
	p = producer("a", .user = "bob");
	is(SSE_FOREIGN, sse_open(p, NULL, SSE_WAIT), p);
	is(SSE_FOREIGN, emit(p, "1", SSE_WAIT), p);
	is(SSE_FOREIGN, sse_work(p, 0), p);
	sse_producer_free(p);
	second = producer("a", .user = "ann");
	ok(sse_open(second, NULL, SSE_WAIT), second);
	cr_assert_str_eq(sse_lease(second), "2");
	is(SSE_FENCED, sse_beat(first, SSE_WAIT), first);
	is(SSE_FENCED, emit(first, "1", SSE_WAIT), first);
	sse_producer_free(first);
	end_stream("cancelled", "{}", .id = "a");
	is(SSE_ENDED, sse_beat(second, SSE_WAIT), second);
	cr_assert_str_eq(sse_end_type(second), "cancelled");
	is(SSE_ENDED, emit(second, "1", SSE_WAIT), second);
	is(SSE_ENDED, sse_end(second, "completed", NULL, 0, SSE_WAIT), second);
	says(second, "cancelled");
	sse_producer_free(second);
	p = producer("a");
	unleased.lease = 0;
	is(SSE_ENDED, sse_open(p, &unleased, SSE_WAIT), p);
	cr_assert_str_eq(sse_end_type(p), "cancelled");
	sse_producer_free(p);
}

world_test(library, names_are_known_over_restarts)
{
	struct told told = {.count = 0};
	sse_producer *p = producer("a", .producer = "job1", .stored = on_stored, .ctx = &told);

	open_stream(.id = "a");
	for (int i = 0; i < 5; i++)
		ok(emit(p, num(i), SSE_WAIT), p);
	sse_producer_free(p);
	told = (struct told){.count = 0};
	p = producer("a", .producer = "job1", .stored = on_stored, .ctx = &told);
	for (int i = 0; i < 7; i++)
		is(SSE_AGAIN, emit(p, num(i), 0), p);
	ok(sse_flush(p, SSE_WAIT), p);
	cr_assert(told.count == 7 && told.repeats == 5 && told.n == 7, "%u, %u of them repeats", told.count, told.repeats);
	cr_assert_eq(log_length("a"), 7);
	sse_producer_free(p);
	p = producer("a", .producer = "job1", .first_n = 3);
	is(SSE_FORGOTTEN, sse_end(p, "completed", NULL, 0, SSE_WAIT), p);
	sse_producer_free(p);
	p = producer("a", .producer = "job1", .first_n = 7);
	is(SSE_FORGOTTEN, sse_end(p, "completed", NULL, 0, SSE_WAIT), p);
	sse_producer_free(p);
	cr_assert_str_eq(field("sse:stream:a", "state"), "active", "the number of an event is none of an end");
	p = producer("a", .producer = "job1", .first_n = 100);
	ok(emit(p, "8", SSE_WAIT), p);
	cr_assert_eq(log_length("a"), 8);
	sse_producer_free(p);
}

static void write_text(const char *path, const char *content)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(content, f) >= 0 && fclose(f) == 0);
}

world_test(library, denied_and_broken)
{
	const char *path = text("%s/password", redisd_folder(w.redis));
	sse_producer *p;
	mode_t old = umask(077);

	write_text(path, "wrong\n");
	umask(old);
	raw("CONFIG", "SET", "requirepass", "right");
	p = producer("a", .settings = settings_of(text("redis_password_file=%s", path), NULL, NULL));
	is(SSE_DENIED, sse_open(p, NULL, SSE_WAIT), p);
	says(p, "WRONGPASS");
	is(SSE_DENIED, emit(p, "1", SSE_WAIT), p);
	sse_producer_free(p);
	p = producer("a");
	is(SSE_DENIED, emit(p, "1", SSE_WAIT), p);
	says(p, "NOAUTH");
	sse_producer_free(p);
	raw("CONFIG", "SET", "requirepass", "");
	raw("ACL", "SETUSER", "default", "-evalsha", "-eval");
	p = producer("a");
	is(SSE_DENIED, sse_open(p, NULL, SSE_WAIT), p);
	says(p, "NOPERM");
	sse_producer_free(p);
	raw("ACL", "SETUSER", "default", "+evalsha", "+eval");
	raw("SET", "sse:stream:b", "a text", "EX", "100");
	p = producer("b");
	is(SSE_BROKEN, emit(p, "1", SSE_WAIT), p);
	says(p, "WRONGTYPE");
	sse_producer_free(p);
	w.odd = true;
}

world_test(library, arguments_that_are_none)
{
	sse_producer *p = producer("a", .settings = settings_of("event_bytes=256", NULL, NULL));
	sse_stream stream = SSE_STREAM_INIT;
	char *big = repeat('x', 1000);

	big[0] = big[255] = '"';
	stream.type = "a b";
	is(SSE_INVALID, sse_open(p, &stream, 0), p);
	says(p, "type: 'a b'");
	stream.type = NULL;
	stream.metadata = "[]";
	is(SSE_INVALID, sse_open(p, &stream, 0), p);
	says(p, "metadata");
	stream.metadata = text("{\"a\":\"%s%s\"}", "", "x");
	stream.size = 3;
	is(SSE_INVALID, sse_open(p, &stream, 0), p);
	says(p, "SSE_STREAM_INIT");
	ok(sse_open(p, NULL, SSE_WAIT), p);
	is(SSE_INVALID, sse_emit(p, NULL, "1", 1, 0), p);
	is(SSE_INVALID, sse_emit(p, "", "1", 1, 0), p);
	is(SSE_INVALID, sse_emit(p, "gap", "1", 1, 0), p);
	is(SSE_INVALID, sse_emit(p, "completed", "1", 1, 0), p);
	says(p, "sse_end()");
	is(SSE_INVALID, sse_end(p, "token", "1", 1, 0), p);
	is(SSE_INVALID, sse_end(p, NULL, "1", 1, 0), p);
	is(SSE_INVALID, emit(p, "{", 0), p);
	says(p, "no JSON");
	is(SSE_INVALID, sse_emit(p, "token", "", 0, 0), p);
	ok(sse_emit(p, "token", big, 256, SSE_WAIT), p);
	big[256] = '"';
	big[255] = 'x';
	is(SSE_TOO_BIG, sse_emit(p, "token", big, 257, 0), p);
	says(p, "event_bytes = 256");
	memset(big, ' ', 1000);
	big[999] = '1';
	ok(sse_emit(p, "token", big, 1000, SSE_WAIT), p);
	cr_assert_eq(log_length("a"), 2, "white space is not stored, nor what was refused");
	free(big);
	sse_producer_free(p);
}

static const char *refused(const char *id, sse_options o)
{
	static char why[300];

	cr_assert_null(sse_producer_new(id, &o, why, sizeof why));
	return why;
}
#define refuse(id, ...) refused((id), (sse_options){.size = sizeof(sse_options), __VA_ARGS__})
#define list(...) (const char *const[]){__VA_ARGS__, NULL}

world_test(library, options_that_are_none)
{
	struct { sse_options o; size_t more; } newer = {.o = SSE_OPTIONS_INIT, .more = 0};
	char why[8] = "x";
	sse_producer *p;

	cr_assert(strstr(refuse(NULL, .user = NULL), "stream_id"));
	cr_assert(strstr(refuse("a b", .user = NULL), "stream_id"));
	cr_assert(strstr(refuse("a", .user = ""), "user"));
	cr_assert(strstr(refuse("a", .user = "a\nb"), "user"));
	cr_assert(strstr(refuse("a", .producer = ""), "producer"));
	cr_assert(strstr(refuse("a", .producer = "Job"), "producer"));
	cr_assert(strstr(refuse("a", .producer = "abcdefghijklmnopqrstuvwxyz0123456"), "producer"));
	cr_assert(strstr(refuse("a", .first_n = UINT64_C(1) << 53), "first_n"));
	cr_assert(strstr(refuse("a", .backlog_bytes = SIZE_MAX), "backlog_bytes"));
	cr_assert(strstr(refuse("a", .settings = list("redis_url=nonsense")), "redis_url"));
	cr_assert(strstr(refuse("a", .settings = list("--help=")), "unknown setting"));
	cr_assert(strstr(refuse("a", .settings = list("event_byte=300")), "did you mean event_bytes?"));
	cr_assert(strstr(refused("a", (sse_options){.size = 0}), "SSE_OPTIONS_INIT"));
	cr_assert_null(sse_producer_new("a b", NULL, why, sizeof why));
	cr_assert_str_eq(why, "stream_", "cut at the caller's size");
	cr_assert_null(sse_producer_new("a b", NULL, NULL, 0));
	newer.o.size = sizeof newer;
	p = sse_producer_new("a", &newer.o, why, sizeof why);
	cr_assert(p, "a newer header's options, as long as they are unset");
	sse_producer_free(p);
	newer.more = 1;
	cr_assert_null(sse_producer_new("a", &newer.o, why, sizeof why));
}

world_test(library, no_producer_is_harmless)
{
	sse_producer_free(NULL);
	cr_assert_eq(sse_open(NULL, NULL, 0), SSE_INVALID);
	cr_assert_eq(sse_emit(NULL, "token", "1", 1, 0), SSE_INVALID);
	cr_assert_eq(sse_end(NULL, "completed", "1", 1, 0), SSE_INVALID);
	cr_assert_eq(sse_beat(NULL, 0), SSE_INVALID);
	cr_assert_eq(sse_flush(NULL, 0), SSE_INVALID);
	cr_assert_eq(sse_work(NULL, 0), SSE_INVALID);
	cr_assert(sse_kept(NULL) == 0 && sse_unconfirmed(NULL) == 0 && sse_skipped(NULL) == 0);
	cr_assert(!*sse_last_id(NULL) && !*sse_lease(NULL) && !*sse_end_type(NULL) && *sse_why(NULL));
	for (int i = SSE_OK; i <= SSE_BROKEN; i++)
		for (int j = SSE_OK; j < i; j++)
			cr_assert_str_neq(sse_strerror((sse_result)i), sse_strerror((sse_result)j));
	cr_assert_str_eq(sse_strerror((sse_result)99), "no such result");
	cr_assert_str_eq(sse_strerror((sse_result)-1), "no such result");
}

world_test(library, settings_and_files)
{
	const char *path = text("%s/x.conf", redisd_folder(w.redis));
	sse_producer *p;

	write_text(path, text("redis_url = %s\nkey_prefix = other:\n", redisd_url(w.redis)));
	p = producer("a", .settings = list(text("config=%s", path)));
	ok(sse_open(p, NULL, SSE_WAIT), p);
	cr_assert(there("other:stream:a"));
	sse_producer_free(p);
	setenv("SSE_CONFIG", path, 1);
	setenv("SSE_KEY_PREFIX", "third:", 1);
	p = sse_producer_new("a", NULL, NULL, 0);
	cr_assert(p);
	ok(sse_open(p, NULL, SSE_WAIT), p);
	cr_assert(there("third:stream:a"));
	sse_producer_free(p);
	p = producer("a", .settings = list("key_prefix=sse:"));
	ok(sse_open(p, NULL, SSE_WAIT), p);
	cr_assert(there("sse:stream:a"));
	sse_producer_free(p);
	unsetenv("SSE_CONFIG");
	unsetenv("SSE_KEY_PREFIX");
}

/* --- waiting ------------------------------------------------------------------------------------------------- */

world_test(library, waits_as_long_as_it_is_told)
{
	sse_producer *p = producer("a");
	sr_mono_ms since;

	ok(sse_open(p, NULL, SSE_WAIT), p);
	redisd_freeze(w.redis);
	since = sr_clock_mono();
	for (int i = 0; i < 100; i++)
		is(SSE_AGAIN, emit(p, num(i), 0), p);
	cr_assert_lt(sr_clock_mono() - since, 500, "0 does not wait");
	cr_assert_eq(sse_kept(p), 100);
	cr_assert_eq(sse_unconfirmed(p), 1, "one batch is on its way, the one that was there first; it is %zu", sse_unconfirmed(p));
	since = sr_clock_mono();
	is(SSE_AGAIN, sse_flush(p, 300), p);
	cr_assert(sr_clock_mono() - since >= 299 && sr_clock_mono() - since < 1500);
	cr_assert(*sse_why(p));
	is(SSE_AGAIN, sse_beat(p, 50), p);
	ok(sse_work(p, 50), p);
	redisd_thaw(w.redis);
	ok(sse_flush(p, SSE_WAIT), p);
	cr_assert_eq(log_length("a"), 100);
	for (int i = 0; i < 100; i++)
		cr_assert(strstr(entry("sse:events:a", i), text(" token %d", i)));
	sse_producer_free(p);
}

world_test(library, redis_is_killed_and_comes_again)
{
	struct told told = {.count = 0};
	sse_producer *p = producer("a", .user = "ann", .stored = on_stored, .ctx = &told);

	ok(sse_open(p, NULL, SSE_WAIT), p);
	ok(emit(p, "0", SSE_WAIT), p);
	redisd_kill(w.redis);
	is(SSE_AGAIN, emit(p, "1", 100), p);
	cr_assert(*sse_why(p));
	is(SSE_AGAIN, emit(p, "2", 0), p);
	ok(sse_work(p, 100), p);
	cr_assert(*sse_why(p), "it says what is wrong although it is not refused");
	cr_assert_eq(sse_kept(p), 2);
	cr_assert(redisd_again(w.redis, NULL));
	ok(sse_flush(p, SSE_WAIT), p);
	cr_assert_str_eq(sse_why(p), "");
	sr_session_deadline(w.session, 10000);
	cr_assert_eq(sr_session_call(w.session, &(struct sr_call){.script = SR_SCRIPT_NONE, .err = SR_EINVAL}, 0, &(struct sr_reply *){NULL}), SR_EINVAL);
	cr_assert_eq(told.count, 3);
	sse_producer_free(p);
	p = producer("a", .user = "ann");
	ok(sse_open(p, NULL, SSE_WAIT), p);
	cr_assert_str_eq(sse_lease(p), "2", "the first one had opened it again");
	sse_producer_free(p);
}

/* Kills one client, from a thread of its own, while Redis is frozen: what that client sent before is done, and never answered. */
struct killer { pthread_t thread; struct sr_session *session; char id[24]; };

static void *kill_client(void *arg)
{
	struct killer *k = arg;
	struct sr_reply *reply;
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	for (const char *const *word = (const char *const[]){"CLIENT", "KILL", "ID", k->id, NULL}; *word; word++)
		sr_call_text(&call, *word);
	if (sr_session_try(k->session, &call, 0, &reply) == SR_OK)
		sr_reply_free(reply);
	sr_call_release(&call);
	return NULL;
}

static void find_client(struct killer *k)
{
	const char *list = raw_text("CLIENT", "LIST"), *name = strstr(list, " name=libsse-resilience "), *line = name;

	cr_assert(name);
	while (line > list && line[-1] != '\n')
		line--;
	cr_assert_eq(sscanf(line, "id=%23[0-9]", k->id), 1);
}

world_test(library, nothing_is_stored_twice_when_an_answer_is_lost)
{
	struct told told = {.count = 0};
	sse_producer *p = producer("a", .stored = on_stored, .ctx = &told);
	struct killer k = {.session = world_session("killer")};

	ok(sse_open(p, NULL, SSE_WAIT), p);
	kill_client(&(struct killer){.session = k.session, .id = "1"}); /* so that it is connected */
	for (int i = 0; i < 5; i++) {
		ok(sse_beat(p, SSE_WAIT), p);
		find_client(&k);
		redisd_freeze(w.redis);
		is(SSE_AGAIN, emit(p, num(i), 0), p);
		cr_assert_eq(sse_unconfirmed(p), 1);
		cr_assert_eq(pthread_create(&k.thread, NULL, kill_client, &k), 0);
		usleep(50000); /* if the kill comes too late, this round proves nothing; the next one does */
		redisd_thaw(w.redis);
		pthread_join(k.thread, NULL);
		ok(sse_flush(p, SSE_WAIT), p);
	}
	cr_assert(told.count == 5 && told.repeats > 0, "%u repeats", told.repeats);
	cr_assert_eq(log_length("a"), 5);
	sse_producer_free(p);
	sr_session_free(k.session);
}

world_test(library, full)
{
	sse_producer *p = producer("a", .settings = settings_of("event_bytes=256", NULL, NULL), .backlog_bytes = 2000);
	size_t kept;

	ok(sse_open(p, NULL, SSE_WAIT), p);
	redisd_freeze(w.redis);
	while (emit(p, "\"0123456789012345678901234567890123456789\"", 0) == SSE_AGAIN)
		cr_assert_lt(sse_kept(p), 1000);
	kept = sse_kept(p);
	is(SSE_FULL, emit(p, "100000000000000000", 100), p);
	says(p, "kept already");
	cr_assert(kept > 20 && kept == sse_kept(p), "%zu", kept);
	redisd_thaw(w.redis);
	ok(emit(p, "100000000000000000", SSE_WAIT), p); /* it waits for room */
	cr_assert_eq(log_length("a"), (long long)kept + 1);
	sse_producer_free(p);
}

world_test(library, drops_the_oldest)
{
	struct told told = {.count = 0};
	sse_producer *p = producer("a", .settings = settings_of("event_bytes=256", NULL, NULL), .backlog_bytes = 1000, .drop_oldest = 1,
	                           .stored = on_stored, .ctx = &told);
	bool noticed = false;

	ok(sse_open(p, NULL, SSE_WAIT), p);
	redisd_freeze(w.redis);
	for (int i = 0; i < 200; i++)
		is(SSE_AGAIN, emit(p, num(1000 + i), 0), p);
	cr_assert_gt(sse_skipped(p), 50);
	is(SSE_AGAIN, sse_end(p, "completed", NULL, 0, 0), p);
	redisd_thaw(w.redis);
	ok(sse_flush(p, SSE_WAIT), p);
	for (int i = 0; i < log_length("a"); i++)
		noticed |= strstr(entry("sse:events:a", i), text(" skipped {\"events\":%d}", (int)sse_skipped(p))) != NULL;
	cr_assert(noticed);
	cr_assert_eq(told.count + sse_skipped(p), 201);
	cr_assert_str_eq(sse_end_type(p), "completed");
	sse_producer_free(p);
}

world_test(library, work_beats_when_it_is_time)
{
	sse_producer *p = producer("a", .settings = settings_of("beat_interval=100ms", NULL, NULL));
	sr_mono_ms since = sr_clock_mono();
	long long before;

	ok(sse_open(p, NULL, SSE_WAIT), p);
	before = score("sse:active", "a");
	while (score("sse:active", "a") == before) {
		ok(sse_work(p, 0), p);
		cr_assert_lt(sr_clock_mono() - since, 5000);
		usleep(5000);
	}
	cr_assert_geq(score("sse:active", "a") - before, 99);
	end_stream("cancelled", "{}", .id = "a");
	while (sse_work(p, 0) == SSE_OK) {
		cr_assert_lt(sr_clock_mono() - since, 10000);
		usleep(5000);
	}
	is(SSE_ENDED, sse_work(p, 0), p);
	cr_assert_str_eq(sse_end_type(p), "cancelled");
	sse_producer_free(p);
}

world_test(library, memory_runs_out)
{
	sse_producer *p = NULL;
	char why[100];
	unsigned n = 0;
	sse_options o = SSE_OPTIONS_INIT;

	o.settings = settings_of(NULL, NULL, NULL);
	while (!p) {
		sr_mem_fail_after(++n);
		p = sse_producer_new("a", &o, why, sizeof why);
		cr_assert(p || strstr(why, "memory"), "%s", why);
	}
	sr_mem_fail_after(0);
	cr_assert_gt(n, 5);
	for (n = 1; sr_mem_fail_after(n), sse_open(p, NULL, 0) == SSE_NO_MEMORY; n++)
		cr_assert_str_eq(sse_why(p), "out of memory");
	sr_mem_fail_after(0);
	ok(sse_open(p, NULL, SSE_WAIT), p);
	sr_mem_fail_after(1);
	is(SSE_NO_MEMORY, emit(p, "1", 0), p);
	sr_mem_fail_after(0);
	ok(emit(p, "1", SSE_WAIT), p);
	cr_assert_eq(log_length("a"), 1);
	sse_producer_free(p);
}

/* --- threads ------------------------------------------------------------------------------------------------- */

#define EACH 300

struct worker { pthread_t thread; const char *id; sse_options options; struct told told; sse_result worst; };

/* It does not assert: Criterion leaks in other threads. */
static void *work(void *arg)
{
	struct worker *k = arg;
	sse_producer *p;

	k->options.stored = on_stored;
	k->options.ctx = &k->told;
	p = sse_producer_new(k->id, &k->options, NULL, 0);
	k->worst = sse_open(p, NULL, SSE_WAIT);
	for (int i = 0; i < EACH && k->worst == SSE_OK; i++)
		if (sse_emit(p, "token", "{\"a\":[1,2.5]}", 13, i % 10 ? 0 : SSE_WAIT) > SSE_AGAIN)
			k->worst = SSE_BROKEN;
	if (k->worst == SSE_OK)
		k->worst = sse_end(p, "completed", "{}", 2, SSE_WAIT);
	sse_producer_free(p);
	return NULL;
}

world_test(library, two_producers_in_two_threads)
{
	struct worker workers[2] = {{.id = "a", .options = SSE_OPTIONS_INIT}, {.id = "b", .options = SSE_OPTIONS_INIT}};

	for (int i = 0; i < 2; i++) {
		workers[i].options.settings = settings_of(NULL, NULL, NULL);
		cr_assert_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(workers[i].thread, NULL);
		cr_assert_eq(workers[i].worst, SSE_OK, "%s", sse_strerror(workers[i].worst));
		cr_assert(workers[i].told.count == EACH + 1 && workers[i].told.repeats == 0);
		cr_assert_eq(log_length(workers[i].id), EACH + 1);
	}
}
