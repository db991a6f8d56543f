/* cli/mapper: the bytes of a job as events, however they are cut; cli/percent: what is progress. */
#include "cli/mapper.h"
#include "cli/percent.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/ndjson.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(mapper, .timeout = 60);

#define EVENT_BYTES 256

/* Events as lines "type data". */
static struct sr_buf got;
static unsigned odd;
static size_t largest, bound = EVENT_BYTES;

static void on_event(void *ctx, const char *type, size_t type_len, const char *data, size_t data_len)
{
	struct sr_buf check;

	(void)ctx;
	cr_assert_eq(sr_buf_printf(&got, "%.*s ", (int)type_len, type), SR_OK);
	cr_assert_eq(sr_buf_append(&got, data, data_len), SR_OK);
	cr_assert_eq(sr_buf_puts(&got, "\n"), SR_OK);
	largest = data_len > largest ? data_len : largest;
	cr_assert_leq(data_len, bound);
	sr_buf_init(&check, 8 * bound);
	cr_assert_eq(sr_json_normalise(&check, data, data_len, NULL), SR_OK, "no JSON: %.*s", (int)data_len, data);
	sr_buf_release(&check);
}

static void on_odd(void *ctx, const char *why)
{
	(void)ctx;
	cr_assert(*why);
	odd++;
}

static struct sr_mapper_options options(enum sr_map map, bool join, const char *more)
{
	return (struct sr_mapper_options){.map = map, .type = "output", .more = more, .event_bytes = EVENT_BYTES, .join = join, .on_event = on_event,
	                                  .on_odd = on_odd};
}

static void reset(void)
{
	sr_buf_release(&got);
	sr_buf_init(&got, 64 << 20);
	odd = 0;
	largest = 0;
	bound = EVENT_BYTES;
}

/* Feed `len` bytes cut at `cut`, then in steps of `step`. */
static const char *map_cut(const struct sr_mapper_options *o, const char *bytes, size_t len, size_t cut, size_t step)
{
	struct sr_mapper m;

	reset();
	cr_assert_eq(sr_mapper_init(&m, o), SR_OK);
	sr_mapper_feed(&m, bytes, cut);
	for (size_t at = cut; at < len; at += step)
		sr_mapper_feed(&m, bytes + at, len - at < step ? len - at : step);
	sr_mapper_finish(&m);
	cr_assert(!sr_mapper_waits(&m));
	sr_mapper_release(&m);
	return sr_buf_text(&got);
}

/* The same, however the bytes are cut. */
static void assert_maps(enum sr_map map, bool join, const char *bytes, size_t len, const char *expected)
{
	struct sr_mapper_options o = options(map, join, "");

	for (size_t cut = 0; cut <= len; cut++) {
		const char *is = map_cut(&o, bytes, len, cut, len + 1);

		cr_assert_str_eq(is, expected, "map %d cut at %zu of '%.60s': '%.400s'", map, cut, bytes, is);
	}
	cr_assert_str_eq(map_cut(&o, bytes, len, 0, 1), expected, "map %d byte by byte", map);
}

static void assert_text(enum sr_map map, const char *text, const char *expected)
{
	assert_maps(map, false, text, strlen(text), expected);
}

#define LINE(text) "output {\"line\":\"" text "\"}\n"

Test(mapper, lines)
{
	assert_text(SR_MAP_LINES, "", "");
	assert_text(SR_MAP_LINES, "a\nb\n", LINE("a") LINE("b"));
	assert_text(SR_MAP_LINES, "a\r\nb", LINE("a") LINE("b"));
	assert_text(SR_MAP_LINES, "\n\na\n\r\n", LINE("") LINE("") LINE("a") LINE(""));
	assert_text(SR_MAP_LINES, "1%\r2%\rend\n", LINE("1%\\r2%\\rend"));
	assert_text(SR_MAP_LINES, "say \"x\\y\"\t\x1b[0m\x7f\n", LINE("say \\\"x\\\\y\\\"\\t\\u001b[0m\\u007f"));
	assert_text(SR_MAP_LINES, "{\"type\":\"a\"}\n", LINE("{\\\"type\\\":\\\"a\\\"}"));
}

Test(mapper, bytes_that_are_no_text)
{
	static const char nul[] = "a\0b\n\0\n", bad[] = "gr\xc3\xbc\xc3\n\xff\xe2\x82\n\xf0\x9f\x98\x80\n\xed\xa0\x80\n\xc3";

	assert_maps(SR_MAP_LINES, false, nul, sizeof nul - 1, LINE("a\\u0000b") LINE("\\u0000"));
	assert_maps(SR_MAP_LINES, false, bad, sizeof bad - 1,
	            LINE("gr\xc3\xbc\xef\xbf\xbd") LINE("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") LINE("\xf0\x9f\x98\x80")
	            LINE("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") LINE("\xef\xbf\xbd"));
}

/* Take the text out of the events; `member` is "line" or "text". Checks the "cut"s. */
static void join_pieces(const char *events, const char *member, struct sr_buf *out)
{
	char head[32];

	snprintf(head, sizeof head, "output {\"%s\":\"", member);
	while (*events) {
		const char *end = strchr(events, '\n'), *cut = ",\"cut\":true}";
		bool is_cut = (size_t)(end - events) > strlen(cut) && strncmp(end - strlen(cut), cut, strlen(cut)) == 0;

		cr_assert_eq(strncmp(events, head, strlen(head)), 0, "%.60s", events);
		events += strlen(head);
		cr_assert_eq(sr_buf_append(out, events, (size_t)(end - events) - (is_cut ? strlen(cut) + 1 : 2)), SR_OK);
		if (!is_cut && strcmp(member, "line") == 0)
			cr_assert_eq(sr_buf_puts(out, "|"), SR_OK);
		events = end + 1;
	}
}

/* A line of `count` times `unit` in pieces: none lost, none doubled, and as few as there can be. */
static void check_long(enum sr_map map, const char *unit, size_t unit_len, const char *quoted, size_t count, const char *end)
{
	struct sr_mapper_options o = options(map, false, ",\"stream\":\"stderr\"");
	struct sr_buf in, expected, whole, pieces;

	o.more = "";
	sr_buf_init(&in, 1 << 20);
	sr_buf_init(&expected, 1 << 20);
	sr_buf_init(&whole, 1 << 20);
	sr_buf_init(&pieces, 1 << 20);
	for (size_t i = 0; i < count; i++)
		cr_assert(!sr_buf_append(&in, unit, unit_len) && !sr_buf_puts(&expected, quoted));
	cr_assert(!sr_buf_puts(&in, end) && !sr_buf_puts(&in, "z\n") && !sr_buf_puts(&expected, *end ? "|z|" : "z|"));
	cr_assert(!sr_buf_puts(&whole, map_cut(&o, in.data, in.len, 0, in.len + 1)));
	join_pieces(whole.data, "line", &pieces);
	cr_assert_str_eq(sr_buf_text(&pieces), sr_buf_text(&expected), "%zu times %s", count, quoted);
	for (size_t step = 1; step < 40; step += step < 8 ? 1 : 13)
		cr_assert_str_eq(map_cut(&o, in.data, in.len, 0, step), whole.data, "map %d, %zu times %s in steps of %zu", map, count, quoted, step);
	sr_buf_release(&in);
	sr_buf_release(&expected);
	sr_buf_release(&whole);
	sr_buf_release(&pieces);
}

Test(mapper, long_lines)
{
	static const struct { const char *unit; size_t len; const char *quoted; } units[] = {
		{"a", 1, "a"}, {"\xc3\xbc", 2, "\xc3\xbc"}, {"\xe2\x82\xac", 3, "\xe2\x82\xac"}, {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
		{"\0", 1, "\\u0000"}, {"\xff", 1, "\xef\xbf\xbd"}, {"\"", 1, "\\\""}, {"a\xf0\x9f\x98", 4, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}};

	for (enum sr_map map = SR_MAP_LINES; map <= SR_MAP_PROGRESS; map++)
		for (size_t u = 0; u < sizeof units / sizeof *units; u++)
			for (size_t bytes = 226; bytes < 252; bytes++) {
				check_long(map, units[u].unit, units[u].len, units[u].quoted, bytes / units[u].len, "\n");
				check_long(map, units[u].unit, units[u].len, units[u].quoted, bytes / units[u].len, "\r\n");
			}
	for (enum sr_map map = SR_MAP_LINES; map <= SR_MAP_PROGRESS; map++)
		check_long(map, "0123456789\xe2\x82\xac", 13, "0123456789\xe2\x82\xac", 700, "\n");
	check_long(SR_MAP_LINES, "0123456789", 10, "0123456789", 700, "");
}

Test(mapper, uses_the_room_it_has)
{
	struct sr_mapper_options o = options(SR_MAP_LINES, false, ",\"stream\":\"stderr\"");
	char line[2000];

	memset(line, 'x', sizeof line);
	map_cut(&o, line, sizeof line, 0, sizeof line);
	cr_assert_eq(largest, EVENT_BYTES);
}

Test(mapper, json)
{
	assert_text(SR_MAP_JSON, "{\"type\":\"token\",\"data\": \"a\"}\n{\"type\":\"b\"}\r\n", "token \"a\"\nb {}\n");
	cr_assert_eq(odd, 0);
	assert_text(SR_MAP_JSON, "\n \t\r\n", "");
	assert_text(SR_MAP_JSON, "plain\n{\"type\":\"a\"}\n{\"type\":\"gap\"}\n{\"type\":1}\n{\"type\":\"a\",\"x\":1}",
	            LINE("plain") "a {}\n" LINE("{\\\"type\\\":\\\"gap\\\"}")
	            LINE("{\\\"type\\\":1}") LINE("{\\\"type\\\":\\\"a\\\",\\\"x\\\":1}"));
	cr_assert_eq(odd, 4);
	assert_text(SR_MAP_JSON, "{\"type\":\"completed\",\"data\":{\"rows\":12}}\nafter\n", "completed {\"rows\":12}\n" LINE("after"));
}

Test(mapper, json_that_is_too_big_is_text)
{
	struct sr_mapper_options o = options(SR_MAP_JSON, false, "");
	char line[400];

	snprintf(line, sizeof line, "{\"type\":\"a\",\"data\":\"%0255d\"}\n{\"type\":\"b\"}\n", 0);
	map_cut(&o, line, strlen(line), 0, 7);
	cr_assert_eq(odd, 1);
	cr_assert(strstr(got.data, "\"cut\":true") && strstr(got.data, "\nb {}\n"), "%s", got.data);
	snprintf(line, sizeof line, "{\"type\":\"a\",\"data\":\"%0254d\"}\n", 0); /* just fits */
	map_cut(&o, line, strlen(line), 0, 7);
	cr_assert_eq(odd, 0);
	snprintf(line, sizeof line, "{\"type\":\"a\",\"data\":\"%0220d\"}\n", 0);
	map_cut(&o, line, strlen(line), 0, 7);
	cr_assert_eq(odd, 0);
}

/* What is left of a line that was cut is text, whatever it looks like. */
static void assert_text_only(enum sr_map map, const char *line)
{
	struct sr_mapper_options o = options(map, false, "");
	struct sr_buf whole;

	sr_buf_init(&whole, 1 << 20);
	cr_assert_eq(sr_buf_puts(&whole, map_cut(&o, line, strlen(line), 0, strlen(line))), SR_OK);
	for (size_t step = 1; step < 400; step += 57)
		cr_assert_str_eq(map_cut(&o, line, strlen(line), 0, step), whole.data, "steps of %zu", step);
	cr_assert_eq(strncmp(whole.data, "output ", 7), 0);
	for (const char *at = whole.data; (at = strchr(at, '\n')) != NULL && at[1]; at++)
		cr_assert_eq(strncmp(at + 1, "output ", 7), 0, "%.60s", at + 1);
	sr_buf_release(&whole);
}

Test(mapper, the_rest_of_a_long_line_is_text)
{
	char line[1600];
	size_t room = EVENT_BYTES - strlen("\",\"cut\":true}");

	memset(line, 'x', sizeof line);
	for (size_t less = 0; less < 20; less++) { /* around the length of the first piece */
		snprintf(line + room - less, sizeof line - room + less, "{\"type\":\"b\"%1150s}\n", "");
		assert_text_only(SR_MAP_JSON, line);
		snprintf(line + room - less, sizeof line - room + less, "%100s 40%%\n", "");
		assert_text_only(SR_MAP_PROGRESS, line);
		memset(line, 'x', sizeof line);
	}
}

#define PERCENT(number, text) "progress {\"percent\":" number ",\"line\":\"" text "\"}\n"

Test(mapper, progress)
{
	assert_text(SR_MAP_PROGRESS, "start\n40%\n 40.5 % done\n3/10\n",
	            LINE("start") PERCENT("40", "40%") PERCENT("40.5", " 40.5 % done") PERCENT("30", "3/10"));
	assert_text(SR_MAP_PROGRESS, "\r 10%\r 10%\r 11%\r\nend\r\n\n", PERCENT("10", " 10%") PERCENT("11", " 11%") LINE("end") LINE(""));
	assert_text(SR_MAP_PROGRESS, "50\n50.0\n51\ntext\n51\n", PERCENT("50", "50") PERCENT("51", "51") LINE("text"));
	assert_text(SR_MAP_PROGRESS, "a\r\rb\r", LINE("a") LINE("b"));
}

Test(mapper, progress_that_is_too_long_is_text)
{
	struct sr_mapper_options o = options(SR_MAP_PROGRESS, false, "");
	char line[600];

	snprintf(line, sizeof line, "%0220d 40%%\n41%%\n", 0);
	map_cut(&o, line, strlen(line), 0, 9);
	cr_assert(strstr(got.data, "output {\"line\":\"000") && strstr(got.data, "\n" PERCENT("41", "41%")), "%s", got.data);
	snprintf(line, sizeof line, "%0500d 40%%\n41%%\n", 0);
	map_cut(&o, line, strlen(line), 0, 600);
	cr_assert(strstr(got.data, "\"cut\":true") && strstr(got.data, "\n" PERCENT("41", "41%")), "%s", got.data);
}

static void assert_tenths(const char *line, int expected)
{
	int tenths = -1;
	bool found = sr_percent_find(line, strlen(line), &tenths);

	cr_assert_eq(found, expected >= 0, "'%s'", line);
	cr_assert_eq(tenths, expected, "'%s' is %d", line, tenths);
}

Test(mapper, what_is_progress)
{
	static const struct { const char *line; int tenths; } rows[] = {
		{"40%", 400}, {"40.5 %", 405}, {"40,5%", 405}, {"0%", 0}, {"100%", 1000}, {"100.0%", 1000}, {"99.99%", 999}, {"3/10", 300}, {"1/3", 333},
		{"[3/10] cc x.c", 300}, {"(3/10)", 300}, {"0/4", 0}, {"4/4", 1000}, {" 7 ", 70}, {"0", 0}, {"100", 1000}, {"12.5", 125},
		{" 40%|\xe2\x96\x88\xe2\x96\x88    | 4/10 [00:00<00:00]", 400}, {"\xe2\x96\x88" "40%", 400},
		{"  1,234,567  40%    1.21MB/s    0:00:01 (xfr#3, to-chk=3/10)", 400}, {"Progress:40%", 400}, {"###  55.2%", 552}, {"step 2/8, 99%", 990},
		{"x.txt   40%[====>   ] 1.2M  eta 3s", 400},
		{"", -1}, {"text", -1}, {"101", -1}, {"101%", -1}, {"100.1%", -1}, {"1000%", -1}, {"-5%", -1}, {"v40%", -1}, {"1.2.3%", -1}, {"11/10", -1},
		{"2026/11/23", -1}, {"a/3/10", -1}, {"3/10/2026", -1}, {"3/10MB", -1}, {"lib/3/x", -1}, {"5 files", -1}, {"50 60", -1}, {"%", -1}, {"3/0", -1},
		{"40 apples %", -1},
		{"99999999999999999999%", -1}, {"1/99999999999999999999", -1}, {"40.%", -1}, {"3/", -1}, {"/", -1}, {"3/10.5", -1}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_tenths(rows[i].line, rows[i].tenths);
}

/* raw: the pieces put together are the text; none ends within a character. */
static void assert_raw(bool join, const char *bytes, size_t len, const char *expected)
{
	struct sr_mapper_options o = options(SR_MAP_RAW, join, "");
	struct sr_buf whole;

	sr_buf_init(&whole, 1 << 20);
	for (size_t cut = 0; cut <= len; cut++)
		for (size_t step = 1; step < 6; step++) {
			sr_buf_reset(&whole);
			join_pieces(map_cut(&o, bytes, len, cut, step), "text", &whole);
			cr_assert_str_eq(sr_buf_text(&whole), expected, "cut at %zu, steps of %zu: %s", cut, step, sr_buf_text(&got));
		}
	sr_buf_release(&whole);
}

Test(mapper, raw)
{
	static const char text[] = "He\xc3\xbcllo \xe2\x82\xac\r\n\xf0\x9f\x98\x80!\0";
	static const char bad[] = "\xc3z\xe2\x82z\xf0\x9f\x98z\xff\xc0\x80\xed\xa0\x80\xf4\x90\xe2\x82";

	for (int join = 0; join < 2; join++) {
		assert_raw(join, text, sizeof text - 1, "He\xc3\xbcllo \xe2\x82\xac\\r\\n\xf0\x9f\x98\x80!\\u0000");
#define U "\xef\xbf\xbd"
		assert_raw(join, bad, sizeof bad - 1, U "z" U U "z" U U U "z" U U U U U U U U U U);
#undef U
	}
}

Test(mapper, raw_goes_out_at_once)
{
	struct sr_mapper_options o = options(SR_MAP_RAW, false, "");
	struct sr_mapper m;

	reset();
	cr_assert_eq(sr_mapper_init(&m, &o), SR_OK);
	sr_mapper_feed(&m, "Hel", 3);
	cr_assert_str_eq(sr_buf_text(&got), "output {\"text\":\"Hel\"}\n");
	sr_mapper_feed(&m, "lo\xe2", 3);
	sr_mapper_feed(&m, "\x82", 1);
	cr_assert_str_eq(sr_buf_text(&got), "output {\"text\":\"Hel\"}\noutput {\"text\":\"lo\"}\n");
	sr_mapper_feed(&m, "\xac", 1);
	cr_assert(strstr(got.data, "{\"text\":\"\xe2\x82\xac\"}"));
	sr_mapper_release(&m);
}

Test(mapper, joins_lines)
{
	struct sr_mapper_options o = options(SR_MAP_LINES, true, ",\"stream\":\"stderr\"");
	struct sr_mapper m;

	reset();
	cr_assert_eq(sr_mapper_init(&m, &o), SR_OK);
	sr_mapper_feed(&m, "\na\nb", 4);
	cr_assert(sr_mapper_waits(&m));
	cr_assert_eq(got.len, 0);
	sr_mapper_flush(&m);
	cr_assert_str_eq(got.data, "output {\"line\":\"\\na\",\"stream\":\"stderr\"}\n");
	cr_assert(!sr_mapper_waits(&m));
	sr_mapper_flush(&m);
	sr_mapper_finish(&m);
	cr_assert(strstr(got.data, "output {\"line\":\"b\",\"stream\":\"stderr\"}\n"));
	sr_mapper_release(&m);
	assert_maps(SR_MAP_JSON, true, "a\nb\n{\"type\":\"x\"}\nc\n", 19, LINE("a\\nb") "x {}\n" LINE("c"));
	assert_maps(SR_MAP_PROGRESS, true, "a\nb\n40%\nc\n", 10, LINE("a\\nb") PERCENT("40", "40%") LINE("c"));
}

Test(mapper, joined_text_is_bounded)
{
	struct sr_mapper_options o = options(SR_MAP_LINES, true, "");
	struct sr_buf in, out;
	unsigned events = 0;

	sr_buf_init(&in, 1 << 20);
	sr_buf_init(&out, 1 << 20);
	for (int i = 0; i < 2000; i++)
		cr_assert_eq(sr_buf_printf(&in, "line %d\n", i), SR_OK);
	map_cut(&o, in.data, in.len, 0, 1000);
	for (const char *at = got.data; (at = strchr(at, '\n')) != NULL; at++)
		events++;
	cr_assert_gt(largest, EVENT_BYTES - 40, "%zu", largest);
	cr_assert_gt(events, in.len / EVENT_BYTES);
	join_pieces(got.data, "line", &out);
	for (char *at = out.data; (at = strstr(at, "\\n")) != NULL; at += 2) /* within an event as between two */
		memcpy(at, "|\xff", 2);
	for (size_t i = 0, o_at = 0; i < in.len; i++, o_at++) {
		cr_assert_eq(in.data[i] == '\n' ? '|' : in.data[i], out.data[o_at], "at %zu: %.40s", i, out.data + o_at);
		o_at += out.data[o_at + 1] == '\xff';
	}
	sr_buf_release(&in);
	sr_buf_release(&out);
}

Test(mapper, joined_text_stays_below_16k)
{
	struct sr_mapper_options o = options(SR_MAP_RAW, true, "");
	static char text[60000];
	struct sr_mapper m;

	o.event_bytes = 65536;
	memset(text, 'x', sizeof text);
	reset();
	cr_assert_eq(sr_mapper_init(&m, &o), SR_OK);
	bound = o.event_bytes;
	sr_mapper_feed(&m, text, 10000);
	cr_assert_eq(got.len, 0);
	sr_mapper_feed(&m, text, sizeof text);
	cr_assert(largest > 16000 && largest < (16 << 10) + 20, "%zu", largest);
	sr_mapper_release(&m);
}

Test(mapper, without_memory)
{
	struct sr_mapper_options o = options(SR_MAP_LINES, false, "");
	struct sr_mapper m;

	for (unsigned n = 1; n <= 2; n++) {
		sr_mem_fail_after(n);
		cr_assert_eq(sr_mapper_init(&m, &o), SR_ENOMEM, "allocation %u", n);
	}
	sr_mem_fail_after(0);
	o.map = SR_MAP_JSON;
	cr_assert_eq(sr_mapper_init(&m, &o), SR_OK);
	reset();
	cr_assert_eq(sr_buf_reserve(&got, 4096), SR_OK);
	sr_mem_fail_after(1);
	sr_mapper_feed(&m, "{\"type\":\"a\"}\n", 13);
	sr_mem_fail_after(0);
	cr_assert_str_eq(got.data, LINE("{\\\"type\\\":\\\"a\\\"}"), "a line that cannot be read is not lost");
	sr_mapper_release(&m);
}
