/* common/ndjson: lines to events, however the bytes are cut. */
#include "common/ndjson.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(ndjson, .timeout = 20);

#define EVENT_BYTES 256

static struct sr_ndjson in;

static void start(void)
{
	sr_ndjson_init(&in, EVENT_BYTES);
}

static void stop(void)
{
	sr_ndjson_release(&in);
}

static void feed(const char *text)
{
	cr_assert_eq(sr_ndjson_feed(&in, text, strlen(text)), SR_OK);
}

static void assert_event(const char *type, const char *data)
{
	enum sr_ndjson_what what = sr_ndjson_next(&in);

	cr_assert_eq(what, SR_NDJSON_EVENT, "not the event %s but %d (%s)", type, what, sr_buf_text(&in.why));
	cr_assert_str_eq(sr_buf_text(&in.type), type);
	cr_assert_str_eq(sr_buf_text(&in.data), data);
}

static void assert_next(enum sr_ndjson_what expected)
{
	enum sr_ndjson_what what = sr_ndjson_next(&in);

	cr_assert_eq(what, expected, "%d, not %d (%s)", what, expected, sr_buf_text(&in.why));
}

static void assert_refused(const char *text, uint64_t line, const char *why)
{
	start();
	feed(text);
	sr_ndjson_close(&in);
	while (sr_ndjson_next(&in) == SR_NDJSON_EVENT)
		;
	assert_next(SR_NDJSON_BAD);
	cr_assert_eq(in.number, line, "line %llu of '%.40s'", (unsigned long long)in.number, text);
	cr_assert(strstr(sr_buf_text(&in.why), why), "'%s' does not say '%s'", sr_buf_text(&in.why), why);
	assert_next(SR_NDJSON_BAD);
	stop();
}

Test(ndjson, reads_lines, .init = start, .fini = stop)
{
	assert_next(SR_NDJSON_MORE);
	feed("{\"type\":\"a\",\"data\":{ \"x\" : 1 }}\n{\"data\":[1, 2],\"type\":\"b.c:d\"}\r\n");
	assert_event("a", "{\"x\":1}");
	cr_assert_eq(in.number, 1);
	assert_event("b.c:d", "[1,2]");
	cr_assert_eq(in.number, 2);
	assert_next(SR_NDJSON_MORE);
	sr_ndjson_close(&in);
	assert_next(SR_NDJSON_END);
	assert_next(SR_NDJSON_END);
}

Test(ndjson, data_may_be_left_out, .init = start, .fini = stop)
{
	feed("{\"type\":\"a\"}\n{\"type\":\"b\",\"data\":null}\n");
	assert_event("a", "{}");
	assert_event("b", "null");
}

Test(ndjson, the_last_line_needs_no_newline, .init = start, .fini = stop)
{
	feed("{\"type\":\"a\"}\n{\"type\":\"b\"}");
	assert_event("a", "{}");
	assert_next(SR_NDJSON_MORE);
	sr_ndjson_close(&in);
	assert_event("b", "{}");
	assert_next(SR_NDJSON_END);
}

Test(ndjson, blank_lines_are_skipped_and_counted, .init = start, .fini = stop)
{
	feed("\n \t\r\n\r\n{\"type\":\"a\"}\n\n  ");
	assert_event("a", "{}");
	cr_assert_eq(in.number, 4);
	assert_next(SR_NDJSON_MORE);
	sr_ndjson_close(&in);
	assert_next(SR_NDJSON_END);
}

Test(ndjson, nothing_is_an_end, .init = start, .fini = stop)
{
	sr_ndjson_close(&in);
	assert_next(SR_NDJSON_END);
}

Test(ndjson, every_cut_gives_the_same_events)
{
	static const char text[] = "{\"type\":\"a\",\"data\":\"\xc3\xa9\"}\n\n{\"type\":\"b\",\"data\":1}\r\n{\"type\":\"completed\"}\n";

	for (size_t cut = 0; cut < sizeof text; cut++)
		for (size_t next = cut; next < sizeof text; next++) {
			const size_t at[] = {0, cut, next, sizeof text - 1};
			char got[128] = "";

			start();
			for (int part = 0; part < 3; part++) {
				if (at[part] < at[part + 1])
					cr_assert_eq(sr_ndjson_feed(&in, text + at[part], at[part + 1] - at[part]), SR_OK);
				while (sr_ndjson_next(&in) == SR_NDJSON_EVENT)
					snprintf(got + strlen(got), sizeof got - strlen(got), "%llu %s %s;", (unsigned long long)in.number, in.type.data, in.data.data);
			}
			sr_ndjson_close(&in);
			assert_next(SR_NDJSON_END);
			cr_assert_str_eq(got, "1 a \"\xc3\xa9\";3 b 1;4 completed {};", "cut at %zu and %zu", cut, next);
			stop();
		}
}

Test(ndjson, refuses_what_is_no_event)
{
	assert_refused("{\"type\":\"a\"}\n{\"type\":\"b\"\n{\"type\":\"c\"}\n", 2, "offset 11");
	assert_refused("\n\n[1]\n", 3, "not a JSON object");
	assert_refused("{}\n", 1, "no \"type\"");
	assert_refused("{\"type\":1}", 1, "not a string");
	assert_refused("{\"type\":\"a b\"}", 1, "1 to 64 of");
	assert_refused("{\"type\":\"a\",\"id\":1}", 1, "\"id\"");
	assert_refused("{\"type\":\"a\"} {\"type\":\"b\"}\n", 1, "");
	assert_refused("{\"type\":\"a\",\"data\":\"\xff\"}\n", 1, "UTF-8");
	for (int i = 0; i < 3; i++) {
		const char *const types[] = {"connected", "gap", "orphaned"};
		char line[64];

		snprintf(line, sizeof line, "{\"type\":\"%s\"}\n", types[i]);
		assert_refused(line, 1, "reserved");
	}
}

Test(ndjson, a_terminal_event_is_the_last, .init = start, .fini = stop)
{
	feed("{\"type\":\"a\"}\n{\"type\":\"failed\",\"data\":{\"reason\":\"x\"}}\n\n");
	assert_event("a", "{}");
	cr_assert(!in.terminal);
	assert_event("failed", "{\"reason\":\"x\"}");
	cr_assert(in.terminal);
	assert_next(SR_NDJSON_MORE);
	feed("{\"type\":\"b\"}\n");
	assert_next(SR_NDJSON_BAD);
	cr_assert_eq(in.number, 4);
}

/* A line {"type":"a","data":"xxx"} whose data, quotes included, has `bytes` bytes. */
static char *line_of(size_t bytes)
{
	char *line = malloc(bytes + 64), *x = malloc(bytes);

	memset(x, 'x', bytes);
	sprintf(line, "{\"type\":\"a\",\"data\":\"%.*s\"}\n", (int)bytes - 2, x);
	free(x);
	return line;
}

Test(ndjson, bounds_the_data)
{
	char *fits = line_of(EVENT_BYTES), *larger = line_of(EVENT_BYTES + 1);

	start();
	feed(fits);
	assert_next(SR_NDJSON_EVENT);
	cr_assert_eq(in.data.len, EVENT_BYTES);
	stop();
	assert_refused(larger, 1, "event_bytes = 256");
	free(fits);
	free(larger);
}

Test(ndjson, bounds_a_line_that_never_ends, .init = start, .fini = stop)
{
	char x[400];
	int fed = 0;

	memset(x, ' ', sizeof x);
	while (sr_ndjson_next(&in) == SR_NDJSON_MORE) {
		cr_assert_eq(sr_ndjson_feed(&in, x, sizeof x), SR_OK);
		cr_assert_lt(++fed, 10, "memory is bounded by the line, not by the input");
	}
	assert_next(SR_NDJSON_BAD);
	cr_assert_eq(in.number, 1);
	cr_assert(strstr(in.why.data, "event_bytes"));
}

Test(ndjson, takes_a_full_feed_behind_a_full_line, .init = start, .fini = stop)
{
	char *rest = malloc(SR_NDJSON_FEED_MAX), line[EVENT_BYTES + SR_NDJSON_FRAME];

	memset(line, ' ', sizeof line);
	memset(rest, '\n', SR_NDJSON_FEED_MAX);
	cr_assert_eq(sr_ndjson_feed(&in, line, sizeof line), SR_OK);
	assert_next(SR_NDJSON_MORE);
	cr_assert_eq(sr_ndjson_feed(&in, rest, SR_NDJSON_FEED_MAX), SR_OK);
	assert_next(SR_NDJSON_MORE);
	cr_assert_eq(in.number, SR_NDJSON_FEED_MAX);
	free(rest);
}

Test(ndjson, many_small_feeds_do_not_add_up, .init = start, .fini = stop)
{
	for (int i = 0; i < 20000; i++) {
		feed("{\"type\":\"a\"}\n{\"ty");
		assert_event("a", "{}");
		assert_next(SR_NDJSON_MORE);
		feed("pe\":\"b\"}\n");
		assert_event("b", "{}");
	}
	cr_assert_eq(in.number, 40000);
}

/* Fail the n-th allocation, for every n, until none is left to fail. */
Test(ndjson, says_when_memory_is_out)
{
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		enum sr_ndjson_what what = SR_NDJSON_NOMEM;

		cr_assert_lt(n, 100);
		start();
		sr_mem_fail_after(n);
		if (sr_ndjson_feed(&in, "{\"type\":\"a\",\"data\":\"b\"}\n", 24) == SR_OK)
			what = sr_ndjson_next(&in);
		failed = what == SR_NDJSON_NOMEM;
		sr_mem_fail_after(0);
		cr_assert(failed || what == SR_NDJSON_EVENT, "allocation %u: %d", n, what);
		stop();
	}
}
