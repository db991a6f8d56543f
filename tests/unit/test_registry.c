/* The readers of replies against replies of every wrong shape, and the push. */
#include "tests/support/world.h"

#include <stdlib.h>
#include <string.h>

/* --- wrong shapes -------------------------------------------------------------------------------------------- */

static enum sr_err read_attach(const struct sr_reply *r) { struct sr_attach_result out; return sr_attach_read(r, &out); }
static enum sr_err read_detach(const struct sr_reply *r) { bool out; return sr_detach_read(r, &out); }
static enum sr_err read_beat(const struct sr_reply *r) { struct sr_beat_result out; return sr_beat_read(r, 0, &out); }
static enum sr_err read_log(const struct sr_reply *r) { struct sr_log_entry out; return sr_log_read(r, 0, &out); }
static enum sr_err read_recover(const struct sr_reply *r) { struct sr_recover_result out; return sr_recover_read(r, &out); }
static enum sr_err read_open(const struct sr_reply *r) { struct sr_open_result out; return sr_open_read(r, &out); }
static enum sr_err read_publish(const struct sr_reply *r) { struct sr_publish_result out; return sr_publish_read(r, &out); }
static enum sr_err read_stale(const struct sr_reply *r) { struct sr_stale_result out; return sr_stale_read(r, &out); }
static enum sr_err read_look(const struct sr_reply *r) { struct sr_look_result out; return sr_look_read(r, 0, &out); }
static enum sr_err read_sweep(const struct sr_reply *r) { int64_t out; return sr_sweep_read(r, 2, &out); }

static const struct { const char *name; enum sr_err (*read)(const struct sr_reply *); } readers[] = {
	{"attach", read_attach}, {"detach", read_detach}, {"beat", read_beat}, {"log", read_log}, {"recover", read_recover},
	{"open", read_open}, {"publish", read_publish}, {"stale", read_stale}, {"sweep", read_sweep}, {"look", read_look},
};

static enum sr_err read_as(const char *name, const struct sr_reply *reply)
{
	for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
		if (strcmp(readers[i].name, name) == 0)
			return readers[i].read(reply);
	cr_assert_fail("no reader %s", name);
	return SR_OK;
}

world_test(registry, what_is_no_reply_of_any_script_is_refused_by_all)
{
	static const char *const lua[] = {"return false", "return 17", "return -17", "return 'x'", "return ''", "return {}", "return {17}",
	                                  "return {'x', 'y'}", "return {{1}, {2}}", "return {false, false}", "return {status = 'OK'}",
	                                  "return {redis.error_reply('OOM x')}"};

	for (size_t r = 0; r < sizeof readers / sizeof readers[0]; r++) {
		cr_assert_eq(readers[r].read(NULL), SR_EREPLY, "%s of nothing", readers[r].name);
		for (size_t i = 0; i < sizeof lua / sizeof lua[0]; i++)
			cr_assert_eq(readers[r].read(raw("EVAL", lua[i], "0")), SR_EREPLY, "%s: %s", readers[r].name, lua[i]);
	}
}

world_test(registry, a_reply_that_is_almost_right_is_refused)
{
	static const struct { const char *name, *lua; enum sr_err err; } cases[] = {
		{"attach", "return {1, 'active', '0-0', '0-0', '', '', 0, 't', '{}', 'x', 'ann'}", SR_OK},
		{"attach", "return {1, 'active', '0-0', '0-0', '', '', 0, 't', '{}', 'x'}", SR_EREPLY},
		{"attach", "return {1, 'active', '0-0', '0-0', '', '', 0, 't', '{}', 'x', 'ann', 'more'}", SR_EREPLY},
		{"attach", "return {1, 'active', '00-0', '0-0', '', '', 0, 't', '{}', 'x', 'ann'}", SR_EREPLY},
		{"attach", "return {0, 'active', '0-0', '', '', '', 0, 't', '{}', 'x', 'ann'}", SR_EREPLY},
		{"attach", "return {2, 'failed', '1-1', '0-0', '', '', 'failed', '{}'}", SR_OK},
		{"attach", "return {2, 'failed', '1-1', '0-0', '', '', 'failed'}", SR_EREPLY},
		{"attach", "return {2, 'failed', false, '0-0', '', '', 'failed', '{}'}", SR_EREPLY},
		{"attach", "return {3, 'failed', '1-1'}", SR_OK},
		{"attach", "return {3, 'failed'}", SR_EREPLY},
		{"attach", "return {-1}", SR_OK},
		{"attach", "return {-2}", SR_EREPLY},
		{"attach", "return {-3}", SR_OK},
		{"look", "return {5, {0, 1, -1, 'f'}}", SR_OK},
		{"look", "return {5, {}}", SR_OK},
		{"look", "return {5, {0, 1, -1}}", SR_EREPLY},
		{"look", "return {5, {0, 1, -2, 'f'}}", SR_EREPLY},
		{"look", "return {5, {'x', 1, 1, 'f'}}", SR_EREPLY},
		{"look", "return {5, 5}", SR_EREPLY},
		{"look", "return {'x', {0, 1, -1, 'f'}}", SR_EREPLY},
		{"detach", "return 0", SR_OK},
		{"detach", "return '1'", SR_OK},
		{"detach", "return 2", SR_EREPLY},
		{"beat", "return {-4, '1-1'}", SR_OK},
		{"beat", "return {-4}", SR_EREPLY},
		{"beat", "return {1, '1'}", SR_EREPLY},
		{"beat", "return {3, '1-1'}", SR_EREPLY},
		{"log", "return {{'1-1', {'type', 't', 'data', '1'}}}", SR_OK},
		{"log", "return {{'1-1', {'type'}}}", SR_OK},
		{"log", "return {{'1-1'}}", SR_OK},
		{"log", "return {{'1'}}", SR_EREPLY},
		{"log", "return {'1-1'}", SR_EREPLY},
		{"recover", "return {1, 'active', 'x', 'y', '0-0', 't', ''}", SR_OK},
		{"recover", "return {1, 'active', 'x', 'y'}", SR_EREPLY},
		{"recover", "return {1, 'active', 'x', 'y', '-', 't', ''}", SR_EREPLY},
		{"recover", "return {2, 'failed', '{}', 'x', '', ''}", SR_OK},
		{"recover", "return {3, 'failed', ''}", SR_OK},
		{"recover", "return {0}", SR_EREPLY},
		{"recover", "return {-2}", SR_EREPLY},
		{"open", "return {1, ''}", SR_OK},
		{"open", "return {-2, 'failed'}", SR_OK},
		{"open", "return {-4}", SR_EREPLY},
		{"open", "return {2}", SR_EREPLY},
		{"publish", "return {0}", SR_OK},
		{"publish", "return {-2, 'failed', '1-1'}", SR_OK},
		{"publish", "return {3, 'x'}", SR_EREPLY},
		{"stale", "return {1, 0, 0, {}, {}, -1}", SR_OK},
		{"stale", "return {1, 0, 0, {}}", SR_EREPLY},
		{"stale", "return {1, 0, 0, 'x', {}, -1}", SR_EREPLY},
		{"stale", "return {1, 'x', 0, {}, {}, -1}", SR_EREPLY},
		{"sweep", "return {1, 0, 0}", SR_OK},
		{"sweep", "return {1, 0}", SR_EREPLY},
		{"sweep", "return {1, 0, 0, 0}", SR_EREPLY},
		{"sweep", "return {0, 0, 0}", SR_EREPLY},
		{"sweep", "return {-9, 5}", SR_EREFUSED},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_assert_eq(read_as(cases[i].name, raw("EVAL", cases[i].lua, "0")), cases[i].err, "%s: %s", cases[i].name, cases[i].lua);
}

/* --- getters ------------------------------------------------------------------------------------------------- */

world_test(reply, getters_take_nothing_and_wrong_types)
{
	const struct sr_reply *r = raw("EVAL", "return {1, 'x', '42', '-7', '9x', '', {2, 3}, false, redis.error_reply('ERR y'), {ok = 'fine'}}", "0");
	size_t len = 99;

	cr_assert_eq(sr_reply_count(r), 10);
	cr_assert_eq(sr_reply_int_at(r, 0, -1), 1);
	cr_assert_eq(sr_reply_int_at(r, 1, -1), -1);
	cr_assert_eq(sr_reply_int_at(r, 2, -1), 42);
	cr_assert_eq(sr_reply_int_at(r, 3, -1), -7);
	cr_assert_eq(sr_reply_int_at(r, 4, -1), -1);
	cr_assert_eq(sr_reply_int_at(r, 5, -1), -1);
	cr_assert_eq(sr_reply_int_at(r, 6, -1), -1);
	cr_assert_eq(sr_reply_int_at(r, 7, -1), -1);
	cr_assert_eq(sr_reply_int_at(r, 99, -1), -1);
	cr_assert_str_eq(sr_reply_text_at(r, 0, &len), "");
	cr_assert_eq(len, 0);
	cr_assert_str_eq(sr_reply_text_at(r, 2, &len), "42");
	cr_assert_eq(len, 2);
	cr_assert_str_eq(sr_reply_text_at(r, 6, NULL), "");
	cr_assert_str_eq(sr_reply_text_at(r, 7, NULL), "");
	cr_assert_str_eq(sr_reply_text_at(r, 8, NULL), "ERR y");
	cr_assert_str_eq(sr_reply_text_at(r, 9, NULL), "fine");
	cr_assert_eq(sr_reply_count(sr_reply_at(r, 6)), 2);
	cr_assert_eq(sr_reply_count(sr_reply_at(r, 1)), 0);
	cr_assert(sr_reply_is_array(r) && !sr_reply_is_error(r));
	cr_assert(sr_reply_is_error(sr_reply_at(r, 8)) && !sr_reply_is_array(sr_reply_at(r, 8)));
	cr_assert_null(sr_reply_at(r, 10));
	cr_assert_null(sr_reply_at(sr_reply_at(r, 1), 0));
	cr_assert(!sr_reply_is_error(NULL) && !sr_reply_is_array(NULL) && !sr_reply_is_noscript(NULL));
	cr_assert_eq(sr_reply_error(NULL), SR_OK);
	cr_assert_eq(sr_reply_int(NULL, 5), 5);
	cr_assert_str_eq(sr_reply_text(NULL, NULL), "");
	cr_assert_eq(sr_reply_count(NULL), 0);
	sr_reply_free(NULL);
}

world_test(reply, errors_are_told_apart_by_their_first_word)
{
	static const struct { const char *text; enum sr_err err; } cases[] = {
		{"NOAUTH Authentication required.", SR_EDENIED}, {"WRONGPASS invalid username-password pair", SR_EDENIED},
		{"NOPERM this user has no permissions", SR_EDENIED}, {"ERR invalid password", SR_EDENIED},
		{"ERR AUTH <password> called without any password configured", SR_EDENIED},
		{"OOM command not allowed when used memory > 'maxmemory'.", SR_EREFUSED}, {"MISCONF Redis is configured", SR_EREFUSED},
		{"READONLY You can't write against a read only replica.", SR_EREFUSED}, {"LOADING Redis is loading", SR_EREFUSED},
		{"BUSY Redis is busy running a script.", SR_EREFUSED}, {"NOREPLICAS Not enough good replicas to write.", SR_EREFUSED},
		{"MASTERDOWN Link with MASTER is down", SR_EREFUSED}, {"CLUSTERDOWN The cluster is down", SR_EREFUSED}, {"TRYAGAIN x", SR_EREFUSED},
		{"ERR unknown command", SR_EREPLY}, {"WRONGTYPE Operation", SR_EREPLY}, {"ERR OOM", SR_EREPLY}, {"NOSCRIPT No matching script.", SR_EREPLY},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct sr_reply *r = raw("EVAL", "return {redis.error_reply(ARGV[1]), ARGV[1]}", "0", cases[i].text);

		cr_assert_eq(sr_reply_error(sr_reply_at(r, 0)), cases[i].err, "%s", cases[i].text);
		cr_assert_eq(sr_reply_error(sr_reply_at(r, 1)), SR_OK, "the same words as data");
		cr_assert_eq(sr_reply_is_noscript(sr_reply_at(r, 0)), strncmp(cases[i].text, "NOSCRIPT", 8) == 0);
		cr_assert(!sr_reply_is_noscript(sr_reply_at(r, 1)));
	}
}

/* --- the push ------------------------------------------------------------------------------------------------ */

static enum sr_err push(const char *bytes, size_t len, struct sr_push *p)
{
	char *copy = malloc(len ? len : 1); /* of its very size: reading past it is an error that a sanitizer sees */
	enum sr_err err;

	memcpy(copy, bytes, len);
	err = sr_push_read(copy, len, p);
	if (err == SR_OK) {
		p->event.data = bytes + (p->event.data - copy);
		p->event.type = bytes + (p->event.type - copy);
		p->owner = bytes + (p->owner - copy);
	}
	free(copy);
	return err;
}

Test(push, is_id_prev_type_owner_and_data, .timeout = WORLD_TIMEOUT)
{
	static const char one[] = "5-6 3-4 token a b\n{\"a b\": \"c  d\"}", two[] = "5-6 0-0 token \n", three[] = "5-6 3-4 t \n\0\n";
	struct sr_push p;

	cr_assert_eq(push(one, sizeof one - 1, &p), SR_OK);
	cr_assert(p.inlined && same_id(p.event.id, "5-6") && same_id(p.prev, "3-4"));
	cr_assert(p.event.type_len == 5 && memcmp(p.event.type, "token", 5) == 0);
	cr_assert(p.owner_len == 3 && memcmp(p.owner, "a b", 3) == 0, "an owner may have spaces");
	cr_assert(p.event.data_len == 15 && memcmp(p.event.data, "{\"a b\": \"c  d\"}", 15) == 0, "with its spaces");
	cr_assert_eq(push(two, sizeof two - 1, &p), SR_OK);
	cr_assert(!p.inlined && same_id(p.prev, "0-0") && p.owner_len == 0);
	cr_assert_eq(push(three, sizeof three - 1, &p), SR_OK);
	cr_assert(p.inlined && p.event.data_len == 2);
}

Test(push, anything_else_is_refused, .timeout = WORLD_TIMEOUT)
{
	static const char *const bad[] = {"", " ", "5", "5-6", "5-6 ", "5-6  3-4", " 5-6 3-4", "x 3-4", "5-6 x", "5-6 03-4 token 1", "-6 3-4",
	                                  "5-6\t3-4 token 1", "18446744073709551616-0 0-0",
	                                  "5-6 3-4", "5-6 3-4 token", "5-6 3-4 token ", "5-6 3-4 token a {}", "5-6\n3-4 token a\n{}"};
	struct sr_push p;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert_eq(push(bad[i], strlen(bad[i]), &p), SR_EREPLY, "'%s'", bad[i]);
	cr_assert_eq(push("5-6\0 3-4", 8, &p), SR_EREPLY);
}
