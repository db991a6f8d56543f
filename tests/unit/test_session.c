/* Calls that wait: what they answer, when they give up, and what they try again. */
#include "common/clock.h"
#include "common/mem.h"
#include "tests/support/world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A plain command of words. The caller releases. */
static struct sr_call words(const char *const *list)
{
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	for (; *list; list++)
		sr_call_text(&call, *list);
	return call;
}

struct outcome { enum sr_err err; long long number, ms; char why[300]; };

/* Once, or with further attempts; how long it took is in `ms`. */
static struct outcome make(struct sr_session *s, bool again, int64_t timeout_ms, struct sr_call call)
{
	struct outcome out = {.ms = sr_clock_mono()};
	struct sr_reply *reply;

	out.err = again ? sr_session_call(s, &call, timeout_ms, &reply) : sr_session_try(s, &call, timeout_ms, &reply);
	out.ms = sr_clock_mono() - out.ms;
	cr_assert_eq(reply == NULL, out.err != SR_OK, "a reply on success only");
	out.number = sr_reply_int(reply, -1000);
	snprintf(out.why, sizeof out.why, "%s", sr_session_why(s));
	sr_reply_free(reply);
	sr_call_release(&call);
	return out;
}
#define call(s, timeout_ms, ...) make((s), true, (timeout_ms), words((const char *const[]){__VA_ARGS__, NULL}))
#define try(s, timeout_ms, ...) make((s), false, (timeout_ms), words((const char *const[]){__VA_ARGS__, NULL}))

/* --- answers ------------------------------------------------------------------------------------------------- */

world_test(session, answers)
{
	struct sr_session *s = world_session("a-name");
	struct outcome o = call(s, 0, "INCR", "n");

	cr_assert(o.err == SR_OK && o.number == 1);
	cr_assert_str_eq(o.why, "");
	o = try(s, 0, "INCR", "n");
	cr_assert(o.err == SR_OK && o.number == 2);
	cr_assert(strstr(raw_text("CLIENT", "LIST"), " name=a-name "));
	sr_session_free(s);
	raw("DEL", "n");
}

world_test(session, an_error_is_final_and_in_redis_own_words)
{
	struct sr_session *s = world_session("test");
	struct outcome o = call(s, 0, "NONSENSE");

	cr_assert_eq(o.err, SR_EREPLY);
	cr_assert_eq(strncmp(o.why, "ERR unknown command", 19), 0, "%s", o.why);
	cr_assert_lt(o.ms, 2000);
	cr_assert_str_eq(call(s, 0, "PING").why, "", "a success forgets it");
	sr_session_free(s);
}

world_test(session, a_call_that_is_none_is_refused)
{
	struct sr_session *s = world_session("test");
	struct sr_call wrong;

	cr_assert_eq(make(s, true, 0, words((const char *const[]){NULL})).err, SR_EINVAL);
	sr_call_init(&wrong, SR_SCRIPT_RECOVER);
	cr_assert_eq(make(s, true, 0, wrong).err, SR_EINVAL);
	cr_assert_eq(call(s, 0, "PING").err, SR_OK);
	sr_session_free(s);
}

world_test(session, a_large_reply_and_a_blocking_command)
{
	struct sr_session *s = world_session("test");
	struct outcome o;

	cr_assert_eq(call(s, 0, "EVAL", "return string.rep('x', 5000000)", "0").err, SR_OK);
	o = try(s, 10000, "BLPOP", "none", "4.3");
	cr_assert_eq(o.err, SR_OK, "longer than a command may take by default");
	cr_assert_geq(o.ms, 4300);
	sr_session_free(s);
}

world_test(session, a_script_is_found_again_after_a_flush)
{
	open_stream(.id = "a");
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(open_stream(.id = "a").outcome, SR_SAME);
}

/* --- giving up ----------------------------------------------------------------------------------------------- */

world_test(session, without_a_server_it_gives_up_at_the_deadline)
{
	struct sr_session *s = world_session("test");
	struct outcome o;

	redisd_kill(w.redis);
	sr_session_deadline(s, 500);
	o = call(s, 0, "PING");
	cr_assert_eq(o.err, SR_EDOWN);
	cr_assert(o.ms >= 490 && o.ms < 1500, "%lld ms", o.ms);
	cr_assert(strstr(o.why, "refused"), "%s", o.why);
	o = call(s, 0, "PING");
	cr_assert(o.err == SR_EDOWN && o.ms < 500, "the deadline has passed");
	sr_session_deadline(s, 300);
	o = try(s, 0, "PING");
	cr_assert(o.err == SR_EDOWN && o.ms < 1300);
	sr_session_free(s);
	cr_assert(redisd_again(w.redis, NULL));
	sr_session_deadline(w.session, 10000);
}

world_test(session, from_a_frozen_server_it_gives_up_at_the_deadline)
{
	struct sr_session *s = world_session("test");
	struct outcome o;

	cr_assert_eq(call(s, 0, "PING").err, SR_OK);
	redisd_freeze(w.redis);
	sr_session_deadline(s, 500);
	o = call(s, 0, "PING");
	cr_assert(o.err == SR_ETIMEOUT || o.err == SR_EDOWN, "%s", sr_strerror(o.err));
	cr_assert(o.ms >= 490 && o.ms < 1500, "%lld ms", o.ms);
	cr_assert_str_neq(o.why, "");
	sr_session_deadline(s, 500);
	o = call(s, 0, "PING");
	cr_assert(o.err == SR_EDOWN && o.ms >= 490 && o.ms < 1500, "it connects, and is not greeted: %lld ms", o.ms);
	redisd_thaw(w.redis);
	sr_session_free(s);
}

world_test(session, try_means_once)
{
	struct sr_session *s = world_session("test");
	struct outcome o;

	cr_assert_eq(call(s, 0, "PING").err, SR_OK);
	redisd_freeze(w.redis);
	o = try(s, 200, "PING");
	cr_assert_eq(o.err, SR_ETIMEOUT);
	cr_assert(o.ms >= 190 && o.ms < 1000, "%lld ms", o.ms);
	redisd_thaw(w.redis);
	cr_assert_eq(call(s, 0, "PING").err, SR_OK, "and the next finds it again");
	raw("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
	cr_assert_eq(try(s, 0, "PING").err, SR_EDOWN);
	cr_assert_eq(try(s, 0, "PING").err, SR_OK);
	sr_session_free(s);
}

world_test(session, what_redis_refuses_is_tried_until_the_deadline)
{
	struct sr_session *s = world_session("test");
	struct outcome o;

	open_stream(.id = "a");
	raw("REPLICAOF", "127.0.0.1", "1");
	sr_session_deadline(s, 600);
	o = call(s, 0, "SET", "k", "x");
	cr_assert_eq(o.err, SR_EREFUSED, "%s", sr_strerror(o.err));
	cr_assert_eq(strncmp(o.why, "READONLY", 8), 0, "%s", o.why);
	cr_assert(o.ms >= 500 && o.ms < 1700, "%lld ms", o.ms);
	o = try(s, 0, "GET", "k");
	cr_assert(o.err == SR_OK || o.err == SR_EREFUSED || o.err == SR_EDOWN);
	raw("REPLICAOF", "NO", "ONE");
	sr_session_deadline(s, 10000);
	cr_assert_eq(call(s, 0, "GET", "k").err, SR_OK);
	sr_session_free(s);
}

/* --- trying again -------------------------------------------------------------------------------------------- */

/* In a thread of its own, which is the only one with a session while it runs. It does not assert: Criterion leaks there. */
struct caller { pthread_t thread; struct sr_session *s; struct outcome o; atomic_int running; };

static void *incr(void *arg)
{
	struct caller *c = arg;
	struct sr_call call = words((const char *const[]){"INCR", "n", NULL});
	struct sr_reply *reply;

	atomic_store(&c->running, 1);
	c->o.err = sr_session_call(c->s, &call, 300, &reply);
	c->o.number = sr_reply_int(reply, -1000);
	snprintf(c->o.why, sizeof c->o.why, "%s", sr_session_why(c->s));
	sr_reply_free(reply);
	sr_call_release(&call);
	atomic_store(&c->running, 2);
	return NULL;
}

/* Start the call, and let it fail for a while. */
static void begin(struct caller *c)
{
	sr_mono_ms since = sr_clock_mono();

	cr_assert_eq(pthread_create(&c->thread, NULL, incr, c), 0);
	while (atomic_load(&c->running) < 1 || sr_clock_mono() - since < 700)
		usleep(1000);
	cr_assert_eq(atomic_load(&c->running), 1, "it is still trying");
}

world_test(session, a_frozen_server_is_waited_for)
{
	struct caller c = {.s = world_session("test")};

	cr_assert_eq(call(c.s, 0, "SET", "n", "0", "EX", "100").err, SR_OK);
	redisd_freeze(w.redis);
	begin(&c);
	redisd_thaw(w.redis);
	pthread_join(c.thread, NULL);
	cr_assert_eq(c.o.err, SR_OK, "%s", c.o.why);
	cr_assert_geq(c.o.number, 1, "it may have run more than once, which is why what is sent must allow that");
	cr_assert_str_eq(c.o.why, "");
	sr_session_free(c.s);
}

world_test(session, a_server_that_is_restarted_is_waited_for)
{
	struct caller c = {.s = world_session("test")};

	cr_assert_eq(call(c.s, 0, "PING").err, SR_OK);
	redisd_kill(w.redis);
	begin(&c);
	cr_assert(redisd_again(w.redis, NULL));
	pthread_join(c.thread, NULL);
	cr_assert(c.o.err == SR_OK && c.o.number == 1, "%s", c.o.why);
	sr_session_free(c.s);
	sr_session_deadline(w.session, 10000);
	cr_assert_eq(call(w.session, 0, "DEL", "n").err, SR_OK);
}

world_test(session, a_server_that_comes_later_is_waited_for)
{
	struct caller c = {.s = world_session("test")};

	redisd_kill(w.redis);
	begin(&c);
	cr_assert(redisd_again(w.redis, NULL));
	pthread_join(c.thread, NULL);
	cr_assert(c.o.err == SR_OK && c.o.number == 1, "%s", c.o.why);
	sr_session_free(c.s);
	cr_assert_eq(call(w.session, 0, "DEL", "n").err, SR_OK);
}

/* --- wrong from the start ------------------------------------------------------------------------------------ */

world_test(session, wrong_credentials_are_final)
{
	struct sr_session *s;
	struct outcome o;
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/password", redisd_folder(w.redis));
	f = fopen(path, "w");
	cr_assert(f && fputs("wrong\n", f) >= 0 && fclose(f) == 0 && chmod(path, 0600) == 0);
	raw("CONFIG", "SET", "requirepass", "right");
	s = world_session("test"); /* with no password */
	o = call(s, 0, "PING");
	cr_assert(o.err == SR_EDENIED && o.ms < 2000);
	cr_assert_eq(strncmp(o.why, "NOAUTH", 6), 0, "%s", o.why);
	sr_session_free(s);
	w.conf.redis_password_file = path;
	s = world_session("test");
	for (int i = 0; i < 2; i++) {
		o = call(s, 0, "PING");
		cr_assert(o.err == SR_EDENIED && o.ms < 6000);
		cr_assert_eq(strncmp(o.why, "WRONGPASS", 9), 0, "%s", o.why);
	}
	sr_session_free(s);
	raw("CONFIG", "SET", "requirepass", "");
}

world_test(session, a_command_that_is_not_allowed_is_final)
{
	struct sr_session *s = world_session("test");
	struct outcome o;

	raw("ACL", "SETUSER", "default", "-flushall");
	o = call(s, 0, "FLUSHALL");
	cr_assert(o.err == SR_EDENIED && o.ms < 2000);
	cr_assert_eq(strncmp(o.why, "NOPERM", 6), 0, "%s", o.why);
	cr_assert_eq(call(s, 0, "PING").err, SR_OK);
	sr_session_free(s);
}

Test(session, a_url_that_is_none, .timeout = WORLD_TIMEOUT)
{
	static char url[] = "redis:/x", nothing[] = "";
	struct sr_conf conf = {.redis_url = url, .redis_password_file = nothing};
	struct sr_buf why;

	sr_buf_init(&why, 512);
	cr_assert_null(sr_session_new(&conf, "test", &why));
	cr_assert(strstr(sr_buf_text(&why), "redis_url"), "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	sr_session_free(NULL);
}

Test(session, memory_runs_out, .timeout = WORLD_TIMEOUT)
{
	static char url[] = "unix:///nowhere", nothing[] = "";
	struct sr_conf conf = {.redis_url = url, .redis_password_file = nothing};
	struct sr_session *s = NULL;
	unsigned n = 0;

	while (!s) {
		sr_mem_fail_after(++n);
		s = sr_session_new(&conf, "test", NULL);
	}
	sr_mem_fail_after(0);
	cr_assert_gt(n, 3);
	sr_session_free(s); /* never used */
}
