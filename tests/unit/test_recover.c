/* Recovery: every branch of common/lua/recover.lua, and reading the log. */
#include "tests/support/world.h"

#include <string.h>

static struct sr_recover_result recover(const char *id)
{
	return recover_as(id, "ann", false);
}

/* --- recover ------------------------------------------------------------------------------------------------- */

world_test(recover, an_unknown_stream)
{
	raw("HSET", "sse:stream:ghost", "state", "active");
	cr_assert_eq(recover("a").outcome, SR_UNKNOWN);
	cr_assert_eq(recover_as("a", "", true).outcome, SR_UNKNOWN);
	cr_assert_eq(recover("ghost").outcome, SR_UNKNOWN);
	raw("DEL", "sse:stream:ghost");
	cr_assert_eq(raw_int("DBSIZE"), 0);
}

world_test(recover, a_live_stream)
{
	struct sr_recover_result r;
	struct stored first, s;
	const char *before;

	open_stream(.id = "a", .type = "export", .lease = true);
	r = recover("a");
	cr_assert(r.outcome == SR_SAME && same_id(r.last, "0-0") && !r.first_known);
	first = publish("token", "1", .id = "a");
	s = publish("token", "2", .id = "a");
	raw("PEXPIRE", "sse:stream:a", "100000");
	before = digest();
	r = recover("a");
	cr_assert(r.outcome == SR_SAME && same_id(r.last, stored_id(s, 0)));
	cr_assert(r.first_known && same_id(r.first, stored_id(first, 0)));
	cr_assert_str_eq(r.state, "active");
	cr_assert_str_eq(r.type, "export");
	cr_assert_str_eq(r.started_at, field("sse:stream:a", "startedAt"));
	cr_assert_str_eq(r.last_heartbeat, field("sse:stream:a", "lastHeartbeat"));
	cr_assert_str_eq(digest(), before, "looking is no sign of life");
	assert_ttl("sse:stream:a", 100000);
	age("a", STALE + 1);
	prove(PROOF + 1);
	cr_assert_eq(sweep_one("a"), SR_MARKED);
	r = recover("a");
	cr_assert_eq(r.outcome, SR_SAME);
	cr_assert_str_eq(r.state, "orphaned");
}

world_test(recover, an_ended_stream)
{
	static const char *const types[] = {"completed", "failed", "cancelled"};
	struct sr_recover_result r;
	struct stored s;

	for (size_t i = 0; i < 3; i++) {
		s = end_stream(types[i], "{\"x\":\"\xc3\xa4\"}", .id = types[i], .user = "ann", .create = true);
		r = recover(types[i]);
		cr_assert(r.outcome == SR_ENDED && same_id(r.last, stored_id(s, 0)));
		cr_assert(r.first_known && same_id(r.first, stored_id(s, 0)));
		cr_assert_str_eq(r.state, types[i]);
		cr_assert_str_eq(r.end_type, types[i]);
		cr_assert_str_eq(r.end_data, "{\"x\":\"\xc3\xa4\"}");
		cr_assert(r.end_type_len == strlen(types[i]) && r.end_data_len == 10);
		cr_assert_str_eq(r.completed_at, field(text("sse:completion:%s", types[i]), "completedAt"));
		raw("DEL", text("sse:stream:%s", types[i]));
		r = recover(types[i]);
		cr_assert(r.outcome == SR_ENDED && same_id(r.last, stored_id(s, 0)), "its record is gone, its owner is not");
		cr_assert(!r.first_known);
		cr_assert_eq(recover_as(types[i], "bob", true).outcome, SR_FOREIGN);
	}
}

world_test(recover, an_end_whose_result_expired)
{
	struct sr_recover_result r;

	end_stream("failed", "{}", .id = "a", .user = "ann", .create = true);
	raw("DEL", "sse:completion:a", "sse:events:a");
	r = recover("a");
	cr_assert_eq(r.outcome, SR_EXPIRED);
	cr_assert_str_eq(r.state, "failed");
	seed_completion("a", "completed", "{}", false);
	r = recover("a");
	cr_assert_eq(r.outcome, SR_EXPIRED, "the first end wins");
	cr_assert_str_eq(r.state, "failed");
	seed_record("b", "ann", "completed");
	r = recover("b");
	cr_assert_eq(r.outcome, SR_EXPIRED, "ended by hand, without a result");
	cr_assert_str_eq(r.state, "completed");
	raw("DEL", "sse:stream:b", "sse:active");
}

world_test(recover, a_foreign_completion)
{
	struct sr_recover_result r;
	const char *before;

	w.odd = true;
	seed_record("a", "ann", "active");
	seed_completion("a", "failed", "{\"x\":1}", true);
	seed_record("b", "ann", "completed");
	seed_completion("b", "completed", "{}", false);
	seed_record("c", "ann", "active");
	raw("HSET", "sse:completion:c", "terminalEventType", "done");
	seed_completion("d", "completed", "{}", false);
	before = digest();
	r = recover("a");
	cr_assert(r.outcome == SR_ENDED && same_id(r.last, "0-0"), "it has no event yet");
	cr_assert_str_eq(r.state, "failed");
	cr_assert_str_eq(r.end_data, "{\"x\":1}");
	cr_assert_eq(recover_as("a", "bob", false).outcome, SR_FOREIGN);
	cr_assert_eq(recover("b").outcome, SR_ENDED);
	r = recover("c");
	cr_assert_eq(r.outcome, SR_ENDED);
	cr_assert_str_eq(r.end_type, "done");
	cr_assert_str_eq(r.state, "completed", "an odd type is an end all the same");
	cr_assert_str_eq(r.end_data, "{}");
	cr_assert_str_eq(r.completed_at, "");
	cr_assert_eq(recover("d").outcome, SR_FOREIGN, "nobody is known to own it");
	cr_assert_eq(recover_as("d", "", false).outcome, SR_FOREIGN);
	cr_assert_eq(recover_as("d", "", true).outcome, SR_ENDED);
	cr_assert_eq(recover_as("d", "ann", true).outcome, SR_ENDED);
	cr_assert_str_eq(digest(), before, "it only reads");
	raw("DEL", "sse:completion:a", "sse:completion:c", "sse:completion:d");
}

world_test(recover, whose_it_is)
{
	static const struct { const char *owner, *user; bool anonymous; enum sr_outcome outcome; } cases[] = {
		{"ann", "ann", false, SR_SAME}, {"ann", "ann", true, SR_SAME},
		{"ann", "bob", false, SR_FOREIGN}, {"ann", "bob", true, SR_FOREIGN}, {"ann", "ANN", true, SR_FOREIGN},
		{"ann", "", false, SR_FOREIGN}, {"ann", "", true, SR_FOREIGN},
		{"", "", false, SR_FOREIGN}, {"", "", true, SR_SAME}, {"", "bob", false, SR_FOREIGN}, {"", "bob", true, SR_SAME},
	};

	open_stream(.id = "a", .user = "ann");
	open_stream(.id = "none", .user = "");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_assert_eq(recover_as(cases[i].owner[0] ? "a" : "none", cases[i].user, cases[i].anonymous).outcome, cases[i].outcome, "case %zu", i);
	end_stream("completed", "{}", .id = "a");
	end_stream("completed", "{}", .id = "none");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_assert_eq(recover_as(cases[i].owner[0] ? "a" : "none", cases[i].user, cases[i].anonymous).outcome,
		             cases[i].outcome == SR_SAME ? SR_ENDED : SR_FOREIGN, "case %zu, ended", i);
}

world_test(recover, a_bare_record)
{
	struct sr_recover_result r;

	w.odd = true;
	raw("HSET", "sse:stream:a", "userId", "ann");
	r = recover("a");
	cr_assert(r.outcome == SR_SAME && same_id(r.last, "0-0"));
	cr_assert_str_eq(r.state, "active");
	cr_assert_str_eq(r.started_at, "");
	cr_assert_str_eq(r.last_heartbeat, "");
	cr_assert_str_eq(r.type, "");
	raw("DEL", "sse:stream:a");
}

world_test(recover, survives_an_emptied_script_cache)
{
	open_stream(.id = "a");
	recover("a");
	raw("SCRIPT", "FLUSH");
	cr_assert_eq(recover("a").outcome, SR_SAME);
}

/* --- the log ------------------------------------------------------------------------------------------------- */

static const struct sr_reply *read_log(const char *id, struct sr_event_id from, int count)
{
	struct sr_call call;

	sr_log_call(&call, &w.reg, id, from, count);
	return world_call(&call);
}

static struct sr_log_entry read_entry(const struct sr_reply *reply, size_t i)
{
	struct sr_log_entry e;

	cr_assert_eq(sr_log_read(reply, i, &e), SR_OK);
	return e;
}

world_test(log, is_read_from_an_event_on)
{
	const struct sr_reply *reply;
	struct sr_event_id third;
	struct sr_log_entry e;
	struct stored s;

	open_stream(.id = "a");
	cr_assert_eq(sr_reply_count(read_log("a", SR_EVENT_ID_START, 10)), 0);
	s = publish_many(1, 5, .id = "a");
	reply = read_log("a", SR_EVENT_ID_START, 10);
	cr_assert_eq(sr_reply_count(reply), 5);
	for (size_t i = 0; i < 5; i++) {
		e = read_entry(reply, i);
		cr_assert(same_id(e.id, stored_id(s, i)) && e.type_len == 5 && e.data_len == 1);
		cr_assert_str_eq(e.type, "token");
		cr_assert_str_eq(e.data, num((long long)i + 1));
	}
	cr_assert_eq(sr_log_read(reply, 5, &e), SR_EREPLY);
	third = read_entry(reply, 2).id;
	reply = read_log("a", third, 2);
	cr_assert_eq(sr_reply_count(reply), 2);
	cr_assert(same_id(read_entry(reply, 0).id, stored_id(s, 2)), "that event included");
	raw("XDEL", "sse:events:a", stored_id(s, 2));
	cr_assert(same_id(read_entry(read_log("a", third, 2), 0).id, stored_id(s, 3)), "so that it is seen that it is gone");
	cr_assert_eq(sr_reply_count(read_log("unknown", third, 2)), 0);
}

/* What another program has added to the log. */
world_test(log, entries_of_another_shape)
{
	const struct sr_reply *reply;
	struct sr_log_entry e;

	raw("XADD", "sse:events:a", "1-1", "data", "{\"x\":1}", "type", "swapped", "more", "ignored");
	raw("XADD", "sse:events:a", "1-2", "note", "neither");
	raw("XADD", "sse:events:a", "18446744073709551615-18446744073709551615", "type", "", "data", "");
	raw("PEXPIRE", "sse:events:a", "1000");
	reply = read_log("a", SR_EVENT_ID_START, 10);
	e = read_entry(reply, 0);
	cr_assert_str_eq(e.type, "swapped");
	cr_assert_str_eq(e.data, "{\"x\":1}");
	e = read_entry(reply, 1);
	cr_assert(e.type_len == 0 && e.data_len == 2);
	cr_assert_str_eq(e.type, "");
	cr_assert_str_eq(e.data, "{}");
	e = read_entry(reply, 2);
	cr_assert(e.id.ms == UINT64_MAX && e.id.seq == UINT64_MAX && e.data_len == 0);
	cr_assert_eq(sr_reply_count(read_log("a", e.id, 1)), 1);
}

/* --- records for operators ----------------------------------------------------------------------------------- */

world_test(records, are_read_in_a_batch)
{
	static const char *const ids[] = {"a", "none", "text", "b"}, *const fields[] = {"streamType", "producer", "state", NULL};
	const struct sr_reply *reply;
	struct sr_call call;
	const char *before;

	open_stream(.id = "a", .type = "export");
	open_stream(.id = "b", .lease = true);
	raw("SET", "sse:stream:text", "x", "EX", "100");
	before = digest();
	sr_records_call(&call, &w.reg, ids, 4, fields);
	reply = world_call(&call);
	cr_assert_eq(sr_reply_count(reply), 4);
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 0), 0, NULL), "export");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 0), 1, NULL), "");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 0), 2, NULL), "active");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 1), 2, NULL), "");
	cr_assert_eq(sr_reply_count(sr_reply_at(reply, 2)), 0, "no hash");
	cr_assert_str_eq(sr_reply_text_at(sr_reply_at(reply, 3), 1, NULL), "1");
	cr_assert_str_eq(digest(), before);
	raw("DEL", "sse:stream:text");
}
