/* cli/ending and cli/tail: what the terminal event says of a job; cli/word: the values of flags. */
#include "cli/ending.h"
#include "cli/word.h"
#include "common/json.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

TestSuite(ending, .timeout = 20);

#define EVENT_BYTES 256

static struct sr_tail tail;
static struct sr_buf type, result, data;

static void start(void)
{
	cr_assert_eq(sr_tail_init(&tail, 3), SR_OK);
	sr_buf_init(&type, 64);
	sr_buf_init(&result, EVENT_BYTES);
	sr_buf_init(&data, EVENT_BYTES);
}

static void stop(void)
{
	sr_tail_release(&tail);
	sr_buf_release(&type);
	sr_buf_release(&result);
	sr_buf_release(&data);
}

static void feed(int source, const char *text)
{
	sr_tail_feed(&tail, source, text, strlen(text));
}

static void assert_tail(const char *expected)
{
	struct sr_buf out;

	sr_buf_init(&out, 65536);
	cr_assert_eq(sr_tail_json(&tail, &out, 65536), SR_OK);
	cr_assert_str_eq(out.data, expected);
	sr_buf_release(&out);
}

static void assert_ending(struct sr_ending e, int status, const char *expected_type, const char *expected)
{
	struct sr_buf check;
	const char *is;

	e.tail = &tail;
	e.result_type = &type;
	e.result = &result;
	cr_assert_eq(sr_ending_write(&e, EVENT_BYTES, &is, &data), SR_OK);
	cr_assert_str_eq(is, expected_type);
	if (expected)
		cr_assert_str_eq(data.data, expected);
	cr_assert_leq(data.len, EVENT_BYTES);
	sr_buf_init(&check, 8 * EVENT_BYTES);
	cr_assert_eq(sr_json_normalise(&check, data.data, data.len, NULL), SR_OK, "no JSON: %s", data.data);
	sr_buf_release(&check);
	cr_assert_eq(sr_ending_status(&e), status);
}

Test(ending, says_how, .init = start, .fini = stop)
{
	assert_ending((struct sr_ending){.exit = 0}, 0, "completed", "{\"exit\":0}");
	assert_ending((struct sr_ending){.exit = 3}, 3, "failed", "{\"exit\":3,\"tail\":[]}");
	feed(0, "a\nb");
	feed(1, "c\n");
	sr_tail_finish(&tail);
	assert_ending((struct sr_ending){.exit = 3}, 3, "failed", "{\"exit\":3,\"tail\":[\"a\",\"c\",\"b\"]}");
	assert_ending((struct sr_ending){.exit = -1, .signal = SIGKILL}, 137, "failed", "{\"signal\":\"SIGKILL\",\"tail\":[\"a\",\"c\",\"b\"]}");
	assert_ending((struct sr_ending){.exit = -1, .signal = SIGRTMIN + 1}, 128 + SIGRTMIN + 1, "failed", NULL);
	cr_assert(strstr(data.data, "\"signal\":\"SIGRTMIN+1\""));
	assert_ending((struct sr_ending){.exit = -1, .signal = SIGTERM, .reason = "timeout"}, 124, "failed",
	              "{\"reason\":\"timeout\",\"signal\":\"SIGTERM\",\"tail\":[\"a\",\"c\",\"b\"]}");
	assert_ending((struct sr_ending){.exit = 0, .reason = "idle"}, 124, "failed", "{\"reason\":\"idle\",\"exit\":0,\"tail\":[\"a\",\"c\",\"b\"]}");
	assert_ending((struct sr_ending){.exit = 127, .error = "no \"x\""}, 127, "failed", "{\"exit\":127,\"error\":\"no \\\"x\\\"\"}");
}

Test(ending, carries_the_result, .init = start, .fini = stop)
{
	cr_assert(!sr_buf_puts(&type, "cancelled") && !sr_buf_puts(&result, "{\"rows\":12}"));
	feed(0, "x\n");
	assert_ending((struct sr_ending){.exit = 0}, 0, "cancelled", "{\"rows\":12}");
	assert_ending((struct sr_ending){.exit = 1}, 1, "failed", "{\"exit\":1,\"tail\":[\"x\"],\"result\":{\"rows\":12}}");
	assert_ending((struct sr_ending){.exit = -1, .signal = SIGINT}, 130, "failed", "{\"signal\":\"SIGINT\",\"tail\":[\"x\"],\"result\":{\"rows\":12}}");
}

Test(ending, stays_below_the_bound, .init = start, .fini = stop)
{
	char line[202];

	memset(line, 'o', sizeof line);
	line[sizeof line - 1] = '\0';
	line[sizeof line - 2] = '\n';
	for (int i = 0; i < 3; i++)
		feed(0, line);
	assert_ending((struct sr_ending){.exit = 1}, 1, "failed", NULL);
	cr_assert(strstr(data.data, "\"tail\":[\"ooo"), "the last line has room: %s", data.data);
	cr_assert_eq(strstr(data.data, "\",\""), NULL, "but not two");
	cr_assert(!sr_buf_puts(&type, "completed") && !sr_buf_printf(&result, "\"%0220d\"", 0));
	assert_ending((struct sr_ending){.exit = 1}, 1, "failed", NULL);
	cr_assert(strstr(data.data, "\"result\":\"000"), "the result goes before the tail: %s", data.data);
	cr_assert(!strstr(data.data, "ooo"));
	sr_buf_reset(&result);
	cr_assert(!sr_buf_printf(&result, "\"%0254d\"", 0));
	assert_ending((struct sr_ending){.exit = 1}, 1, "failed", NULL);
	cr_assert(!strstr(data.data, "result") && strstr(data.data, "\"tail\":[\"ooo"), "a result without room is left out: %s", data.data);
	assert_ending((struct sr_ending){.exit = 0}, 0, "completed", result.data);
}

Test(ending, tail_keeps_the_last_lines, .init = start, .fini = stop)
{
	feed(0, "1\n2\n3\n4\n");
	assert_tail("[\"2\",\"3\",\"4\"]");
	feed(0, "fi");
	feed(1, "err\n");
	feed(0, "ve\n\nlast");
	sr_tail_finish(&tail);
	assert_tail("[\"five\",\"\",\"last\"]");
	sr_tail_finish(&tail);
	assert_tail("[\"five\",\"\",\"last\"]");
}

Test(ending, tail_knows_carriage_returns, .init = start, .fini = stop)
{
	feed(0, "10%\r20%\r");
	feed(0, "30%\r");
	feed(0, "\ncrlf\r\n\r\rx\r\r\n");
	assert_tail("[\"30%\",\"crlf\",\"x\"]");
	feed(0, "a\rb\n");
	feed(0, "a\r");
	sr_tail_finish(&tail);
	assert_tail("[\"x\",\"b\",\"a\"]");
}

Test(ending, tail_bounds_a_line, .init = start, .fini = stop)
{
	char line[SR_TAIL_LINE_BYTES + 2], *at;
	struct sr_buf out;

	for (size_t shift = 0; shift < 4; shift++) { /* the bound falls on each byte of a character */
		memset(line, 'x', sizeof line);
		for (at = line + shift; at + 4 <= line + SR_TAIL_LINE_BYTES + 1; at += 4)
			memcpy(at, "\xf0\x9f\x98\x80", 4);
		sr_tail_feed(&tail, 0, line, SR_TAIL_LINE_BYTES + 1);
		feed(0, "\n");
		sr_buf_init(&out, 65536);
		cr_assert_eq(sr_tail_json(&tail, &out, 65536), SR_OK);
		cr_assert_eq(strstr(out.data, "\xef\xbf\xbd"), NULL, "shift %zu: %s", shift, out.data + out.len - 40);
		cr_assert_geq(out.len, (shift + 1 < 3 ? shift + 1 : 3) * (SR_TAIL_LINE_BYTES - 3));
		sr_buf_release(&out);
	}
}

Test(ending, no_tail)
{
	struct sr_tail none;
	struct sr_buf out;

	cr_assert_eq(sr_tail_init(&none, 0), SR_OK);
	sr_tail_feed(&none, 0, "a\nb", 3);
	sr_tail_finish(&none);
	sr_buf_init(&out, 64);
	cr_assert_eq(sr_tail_json(&none, &out, 64), SR_OK);
	cr_assert_str_eq(out.data, "[]");
	cr_assert_eq(sr_tail_json(&none, &out, 1), SR_ETOOBIG);
	sr_buf_release(&out);
	sr_tail_release(&none);
}

Test(ending, words)
{
	int64_t n = -1;

	cr_assert(sr_word_duration("500ms", 100, 1000, &n) && n == 500);
	cr_assert(sr_word_duration("2m", 100, 3600000, &n) && n == 120000);
	cr_assert(sr_word_duration("1h", 100, 3600000, &n) && n == 3600000);
	cr_assert(sr_word_size("8m", 1, 1 << 30, &n) && n == 8 << 20);
	cr_assert(sr_word_size("64k", 1, 1 << 30, &n) && n == 65536);
	cr_assert(sr_word_size("100", 1, 1 << 30, &n) && n == 100);
	cr_assert(sr_word_number("0", 10, &n) && n == 0);
	n = 7;
	for (const char *const *bad = (const char *const[]){"", "5", "s", "-5s", "5 s", "5sec", "99ms", "1001ms", "9999999999s", "1.5s", NULL}; *bad; bad++)
		cr_assert(!sr_word_duration(*bad, 100, 1000, &n) && n == 7, "%s", *bad);
	cr_assert(!sr_word_size("8g", 1, 1 << 30, &n) && !sr_word_size("2m", 1, 1 << 20, &n) && !sr_word_number("11", 10, &n) && n == 7);
	cr_assert(!sr_word_number("1k", 10000, &n) && n == 7);
}
