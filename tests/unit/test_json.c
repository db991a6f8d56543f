#include "common/json.h"
#include "common/json_scan.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(json, .timeout = 20);

typedef enum sr_err reader(struct sr_buf *out, const char *bytes, size_t len, struct sr_buf *why);

/* `in` has `len` bytes; it becomes `expect`, behind what the buffer had. */
static void accept_bytes(reader *read, const char *in, size_t len, const char *expect)
{
	struct sr_buf out, why;

	sr_buf_init(&out, 100000);
	sr_buf_init(&why, 200);
	cr_assert_eq(sr_buf_puts(&out, "kept:"), SR_OK);
	cr_assert_eq(read(&out, in, len, &why), SR_OK, "%s: %s", in, sr_buf_text(&why));
	cr_assert_str_eq(out.data + 5, expect);
	cr_assert_eq(out.len, 5 + strlen(expect));
	for (size_t i = 0; i < out.len; i++)
		cr_assert_geq((unsigned char)out.data[i], 0x20);
	sr_buf_release(&out);
	sr_buf_release(&why);
}

static void accept(const char *in, const char *expect)
{
	accept_bytes(sr_json_normalise, in, strlen(in), expect);
}

static void refuse_bytes(reader *read, const char *in, size_t len, const char *because)
{
	struct sr_buf out, why;

	sr_buf_init(&out, 100000);
	sr_buf_init(&why, 200);
	cr_assert_eq(sr_buf_puts(&out, "kept"), SR_OK);
	cr_assert_eq(read(&out, in, len, &why), SR_EINVAL, "%s", in);
	cr_assert_str_eq(sr_buf_text(&out), "kept");
	cr_assert_not_null(strstr(sr_buf_text(&why), because), "%s: \"%s\" lacks \"%s\"", in, sr_buf_text(&why), because);
	cr_assert_eq(read(&out, in, len, NULL), SR_EINVAL);
	sr_buf_release(&out);
	sr_buf_release(&why);
}

static void refuse(const char *in, const char *because)
{
	refuse_bytes(sr_json_normalise, in, strlen(in), because);
}

/* ---- values ---- */

Test(json, takes_every_kind)
{
	accept("{}", "{}");
	accept("[]", "[]");
	accept("null", "null");
	accept("true", "true");
	accept("false", "false");
	accept("0", "0");
	accept("\"\"", "\"\"");
	accept(" \t\r\n{ \"a\" : [ 1 , { \"b\" : null } ] } \r\n", "{\"a\":[1,{\"b\":null}]}");
	accept(" 12 ", "12");
	accept("\"a\" ", "\"a\"");
	accept("[ ]\n", "[]");
}

Test(json, takes_numbers_as_they_are)
{
	accept("[1.0,1.50,-0.5,1e5,1E+5,2e-7,123456789012345678901234567890.5]",
	       "[1.0,1.50,-0.5,1e5,1E+5,2e-7,123456789012345678901234567890.5]");
	accept("[1e999,-1e999,0e99999,1e-99999]", "[1e999,-1e999,0e99999,1e-99999]");
	accept("[9223372036854775807,9223372036854775808,18446744073709551615,-9223372036854775808]",
	       "[9223372036854775807,9223372036854775808,18446744073709551615,-9223372036854775808]");
}

Test(json, refuses_integers_that_json_c_would_change)
{
	refuse("18446744073709551616", "offset 0: an integer of more than 64 bits");
	refuse("[1,-9223372036854775809]", "offset 3");
	refuse("{\"a\":100000000000000000000}", "64 bits");
	refuse("-99999999999999999999999999", "64 bits");
}

Test(json, refuses_numbers_that_are_none)
{
	static const char *const bad[] = {"01", "-01", "+1", "1.", ".5", "1.e5", "1e", "1e+", "-", "--1", "0x10", "1_000", "-a", NULL};

	for (const char *const *b = bad; *b; b++)
		refuse(*b, "offset");
	refuse("NaN", "offset 0: not JSON");
	refuse("[-NaN]", "offset 1");
	refuse("{\"a\":Infinity}", "offset 5: not JSON");
	refuse("-Infinity", "offset 0");
	refuse("nan", "offset 0");
	refuse("[1-2]", "offset");
	refuse("1 2", "offset");
}

Test(json, refuses_what_is_no_json)
{
	static const char *const bad[] = {
		"",      " ",       "{",      "}",        "[1,]",    "[,1]",     "{\"a\":1,}", "{\"a\"}",  "{\"a\":}", "{a:1}",    "{'a':1}",
		"'a'",   "[1 2]",   "[1]]",   "{}{}",     "{} x",    "[1] []",   "tru",        "TRUE",     "nullx",    "truefalse", "[truefalse]",
		"\"a",   "\"a\\",   "\"\\q\"", "\"\\u12\"", "\"\\u12G4\"", "/* c */ 1", "// c\n1", "1 // c", "]",     ":",         ",",
		"\xef\xbb\xbf{}",   "[1\v]",  "[\"a\" \"b\"]", "{\"a\":1 \"b\":2}", "[1,,2]", "{,}", "[{]}", "undefined", NULL,
	};

	for (const char *const *b = bad; *b; b++)
		refuse(*b, "");
	refuse_bytes(sr_json_normalise, "1\0", 2, "offset 1");
	refuse_bytes(sr_json_normalise, "\0", 1, "offset 0");
	refuse_bytes(sr_json_normalise, "{}\0{}", 5, "offset 2");
	refuse("]]]]", "offset 0: not JSON");
	refuse("\"abc", "offset 0: a string without end");
	refuse("", "offset 0: the end, where a value was expected");
	refuse("  [1,]", "offset 5");
}

Test(json, looks_at_length_and_not_at_a_nul)
{
	accept_bytes(sr_json_normalise, "123456", 3, "123");
	accept_bytes(sr_json_normalise, "[1]garbage", 3, "[1]");
	accept_bytes(sr_json_normalise, "trueish", 4, "true");
	refuse_bytes(sr_json_normalise, "[1]", 2, "offset");
	refuse_bytes(sr_json_normalise, "\"abc\"", 4, "without end");
	refuse_bytes(sr_json_normalise, "\"\\u0041\"", 5, "not an escape");
}

/* ---- strings ---- */

Test(json, keeps_strings)
{
	accept("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
	accept("\"</script>\"", "\"</script>\"");
	accept("\"\\u0041\\u00e4\\u20ac\\ud83d\\ude00\"", "\"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	accept("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x80\xa8\"", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x80\xa8\"");
	accept("\"a\\u0000b\\u001f\"", "\"a\\u0000b\\u001f\"");
	accept("\"\\\\u0000\"", "\"\\\\u0000\"");
	accept("\"\\ud800\"", "\"\xef\xbf\xbd\"");
	accept("\"\\udc00x\"", "\"\xef\xbf\xbdx\"");
}

Test(json, refuses_raw_control_characters)
{
	for (char c = 0; c < 0x20; c++) {
		char text[] = {'[', '"', 'a', c, '"', ']'};

		refuse_bytes(sr_json_normalise, text, sizeof text, "offset 3: a raw control character");
	}
}

Test(json, refuses_what_is_not_utf8)
{
	static const char *const bad[] = {
		"\xff",             "\x80",         "\xc3",     "\xc3(",     "\xc0\x80",     "\xc1\xbf",         "\xe0\x80\x80",     "\xe0\x9f\xbf",
		"\xed\xa0\x80",     "\xed\xbf\xbf", "\xe2\x82", "\xe2(\x82", "\xf0\x9f\x98", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xf0\x9f\x98x", "\xfe", NULL,
	};
	char text[32];

	for (const char *const *b = bad; *b; b++) {
		snprintf(text, sizeof text, "[\"%s\"]", *b);
		refuse(text, "offset 2: not UTF-8");
		snprintf(text, sizeof text, "{\"%s\":1}", *b);
		refuse(text, "offset 2: not UTF-8");
	}
	accept("[\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xe0\xa0\x80\xc2\x80\"]",
	       "[\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xe0\xa0\x80\xc2\x80\"]");
}

Test(json, refuses_a_nul_in_a_name)
{
	refuse("{\"a\\u0000b\":1}", "a member's name with");
	refuse("{\"a\":{\"\\u0000\" : 1}}", "a member's name with");
	refuse("{\"\\u0000\\n\":1}", "a member's name with");
	accept("{\"a\":\"\\u0000\",\"b\":1}", "{\"a\":\"\\u0000\",\"b\":1}");
	accept("[\"\\u0000\",{\"b\":1}]", "[\"\\u0000\",{\"b\":1}]");
	accept("{\"\\\\u0000\":1}", "{\"\\\\u0000\":1}");
}

Test(json, lets_the_last_of_equal_names_count)
{
	accept("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}");
}

/* ---- depth ---- */

static void nest(char *text, int depth, char open, char close)
{
	for (int i = 0; i < depth; i++) {
		text[i] = open;
		text[2 * depth - 1 - i] = close;
	}
	text[2 * depth] = '\0';
}

Test(json, bounds_the_depth)
{
	char text[200];

	nest(text, SR_JSON_DEPTH_MAX, '[', ']');
	accept(text, text);
	memcpy(text + SR_JSON_DEPTH_MAX, "1]]]", 4); /* the innermost array with a number in it */
	memset(text + SR_JSON_DEPTH_MAX + 1, ']', SR_JSON_DEPTH_MAX);
	text[2 * SR_JSON_DEPTH_MAX + 1] = '\0';
	accept(text, text);
	nest(text, SR_JSON_DEPTH_MAX + 1, '[', ']');
	refuse(text, "offset 32: nested too deeply");
	memset(text, '[', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	refuse(text, "nested too deeply");
}

Test(json, counts_depth_and_not_brackets)
{
	char text[500] = "[[]";

	for (int i = 0; i < 2 * SR_JSON_DEPTH_MAX; i++)
		memcpy(text + 3 + 5 * i, ",[{}]", 5);
	memcpy(text + 3 + 10 * SR_JSON_DEPTH_MAX, "]", 2);
	accept(text, text);
}

Test(json, bounds_the_depth_of_objects)
{
	char text[400] = "";
	size_t len = 0;

	for (int i = 0; i < SR_JSON_DEPTH_MAX - 1; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "{\"a\":");
	len += (size_t)snprintf(text + len, sizeof text - len, "{\"a\":true}");
	memset(text + len, '}', SR_JSON_DEPTH_MAX - 1);
	accept(text, text);
}

/* ---- objects, errors ---- */

Test(json, wants_an_object_for_metadata)
{
	accept_bytes(sr_json_normalise_object, " {\"a\" : 1}", 10, "{\"a\":1}");
	accept_bytes(sr_json_normalise_object, "{}", 2, "{}");
	refuse_bytes(sr_json_normalise_object, "[]", 2, "not a JSON object");
	refuse_bytes(sr_json_normalise_object, "null", 4, "not a JSON object");
	refuse_bytes(sr_json_normalise_object, "\"{}\"", 4, "not a JSON object");
	refuse_bytes(sr_json_normalise_object, "{", 1, "offset");
}

Test(json, leaves_a_full_buffer_unchanged)
{
	struct sr_buf out;

	sr_buf_init(&out, 10);
	cr_assert_eq(sr_buf_puts(&out, "kept"), SR_OK);
	cr_assert_eq(sr_json_normalise(&out, "[1,2,3]", 7, NULL), SR_ETOOBIG);
	cr_assert_eq(sr_json_normalise_object(&out, "{\"a\":1}", 7, NULL), SR_ETOOBIG);
	cr_assert_eq(sr_json_value(&out, "[1,2,3]", 7), SR_ETOOBIG);
	for (size_t len = 5; len < 10; len++)
		cr_assert_eq(sr_json_quote(&out, "\n\n\xff\xff\xff\xff\xff\xff\xff\xff", len), SR_ETOOBIG);
	cr_assert_str_eq(sr_buf_text(&out), "kept");
	cr_assert_eq(sr_json_normalise(&out, "[1,22]", 6, NULL), SR_OK);
	cr_assert_str_eq(sr_buf_text(&out), "kept[1,22]");
	sr_buf_release(&out);
}

Test(json, survives_lack_of_memory)
{
	static const char in[] = "{\"a\":\"\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\"}";
	enum sr_err e = SR_ENOMEM;
	unsigned failures = 0;
	struct sr_buf out;

	for (unsigned n = 1; e; n++) {
		sr_buf_init(&out, 1000);
		sr_mem_fail_after(n);
		e = sr_json_value(&out, in, sizeof in - 1);
		if (!e)
			e = sr_json_quote(&out, in, sizeof in - 1);
		sr_mem_fail_after(0);
		cr_assert(e == SR_OK || (e == SR_ENOMEM && (out.len == 0 || out.len == sizeof in - 1)));
		failures += e == SR_ENOMEM;
		sr_buf_release(&out);
	}
	cr_assert_geq(failures, 2);
}

/* ---- events ---- */

struct event {
	struct sr_buf type, data, why;
	enum sr_err e;
};

static struct event read_event(const char *in)
{
	struct event ev;

	sr_buf_init(&ev.type, 64);
	sr_buf_init(&ev.data, 100);
	sr_buf_init(&ev.why, 200);
	cr_assert_eq(sr_buf_puts(&ev.type, "old"), SR_OK);
	cr_assert_eq(sr_buf_puts(&ev.data, "old"), SR_OK);
	ev.e = sr_json_event(&ev.type, &ev.data, in, strlen(in), &ev.why);
	return ev;
}

static void release_event(struct event *ev)
{
	sr_buf_release(&ev->type);
	sr_buf_release(&ev->data);
	sr_buf_release(&ev->why);
}

static void accept_event(const char *in, const char *type, const char *data)
{
	struct event ev = read_event(in);

	cr_assert_eq(ev.e, SR_OK, "%s: %s", in, sr_buf_text(&ev.why));
	cr_assert_str_eq(sr_buf_text(&ev.type), type);
	cr_assert_str_eq(sr_buf_text(&ev.data), data);
	release_event(&ev);
}

static void refuse_event(const char *in, enum sr_err code, const char *because)
{
	struct event ev = read_event(in);

	cr_assert_eq(ev.e, code, "%s: %s", in, sr_strerror(ev.e));
	cr_assert_str_eq(sr_buf_text(&ev.type), "");
	cr_assert_str_eq(sr_buf_text(&ev.data), "");
	cr_assert_not_null(strstr(sr_buf_text(&ev.why), because), "%s: \"%s\" lacks \"%s\"", in, sr_buf_text(&ev.why), because);
	release_event(&ev);
}

Test(json, reads_events)
{
	accept_event("{\"type\":\"token\",\"data\":{\"text\": \"Hel\"}}", "token", "{\"text\":\"Hel\"}");
	accept_event("{\"data\":[1, 2],\"type\":\"a.b_c:d-e\"}", "a.b_c:d-e", "[1,2]");
	accept_event("{\"type\":\"completed\"}", "completed", "{}");
	accept_event("{\"type\":\"t\",\"data\":null}", "t", "null");
	accept_event("{\"type\":\"t\",\"data\":\"\"}", "t", "\"\"");
	accept_event("{\"type\":\"t\",\"data\":0}", "t", "0");
	accept_event("{\"type\":\"t\",\"data\":1,\"data\":2}", "t", "2");
	accept_event("{\"type\":\"\\u0074\"}", "t", "{}");
}

Test(json, refuses_other_events)
{
	refuse_event("{}", SR_EINVAL, "no \"type\"");
	refuse_event("{\"data\":1}", SR_EINVAL, "no \"type\"");
	refuse_event("[]", SR_EINVAL, "not a JSON object");
	refuse_event("null", SR_EINVAL, "not a JSON object");
	refuse_event("{\"type\":1}", SR_EINVAL, "\"type\" is not a string");
	refuse_event("{\"type\":null}", SR_EINVAL, "\"type\" is not a string");
	refuse_event("{\"type\":\"\"}", SR_EINVAL, "\"type\" is not 1 to 64");
	refuse_event("{\"type\":\"a b\"}", SR_EINVAL, "\"type\" is not 1 to 64");
	refuse_event("{\"type\":\"a\\u0000\"}", SR_EINVAL, "\"type\" is not 1 to 64");
	refuse_event("{\"type\":\"t\",\"id\":7}", SR_EINVAL, "unknown member \"id\"");
	refuse_event("{\"Type\":\"t\"}", SR_EINVAL, "unknown member \"Type\"");
	refuse_event("{\"type\":\"t\"", SR_EINVAL, "offset");
	refuse_event("", SR_EINVAL, "offset 0");
	refuse_event("{\"type\":\"t\",\"data\":\"0123456789012345678901234567890123456789012345678901234567890123456789"
	             "012345678901234567890123456789\"}", SR_ETOOBIG, "");
}

Test(json, forgets_half_an_event_when_memory_is_out)
{
	static const char in[] = "{\"type\":\"t\",\"data\":1}";
	struct sr_buf type, data;

	for (unsigned n = 1; n <= 2; n++) {
		sr_buf_init(&type, 64);
		sr_buf_init(&data, 64);
		sr_mem_fail_after(n);
		cr_assert_eq(sr_json_event(&type, &data, in, sizeof in - 1, NULL), SR_ENOMEM);
		cr_assert(type.len == 0 && data.len == 0);
		sr_buf_release(&type);
		sr_buf_release(&data);
	}
	sr_mem_fail_after(0);
}

/* ---- quote and value ---- */

static enum sr_err quote(struct sr_buf *out, const char *bytes, size_t len, struct sr_buf *why)
{
	(void)why;
	return sr_json_quote(out, bytes, len);
}

static enum sr_err value(struct sr_buf *out, const char *bytes, size_t len, struct sr_buf *why)
{
	(void)why;
	return sr_json_value(out, bytes, len);
}

Test(json, quotes_any_bytes)
{
	accept_bytes(quote, "", 0, "\"\"");
	accept_bytes(quote, "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
	accept_bytes(quote, "\0\1\x1f\x7f\b\f\n\r\t", 9, "\"\\u0000\\u0001\\u001f\\u007f\\b\\f\\n\\r\\t\"");
	accept_bytes(quote, "\xc3\xa4\xff\xf0\x9f\x98\x80\xc3", 8, "\"\xc3\xa4\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd\"");
	accept_bytes(quote, "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

Test(json, quotes_so_that_json_reads_it_back)
{
	struct sr_buf out;

	sr_buf_init(&out, 100);
	for (int c = 0; c < 0x10000; c++) {
		char bytes[2] = {(char)(c >> 8), (char)c};
		size_t start, end;

		sr_buf_reset(&out);
		cr_assert_eq(sr_json_quote(&out, bytes, 2), SR_OK);
		cr_assert_eq(sr_json_scan(out.data, out.len, &start, &end, NULL), SR_OK);
		cr_assert(start == 0 && end == out.len);
	}
	sr_buf_release(&out);
}

Test(json, passes_on_stored_values)
{
	accept_bytes(value, "{\"a\" : 1}", 9, "{\"a\":1}");
	accept_bytes(value, "12", 2, "12");
	accept_bytes(value, "hello", 5, "\"hello\"");
	accept_bytes(value, "", 0, "\"\"");
	accept_bytes(value, "NaN", 3, "\"NaN\"");
	accept_bytes(value, "{\"a\":\n", 6, "\"{\\\"a\\\":\\n\"");
	accept_bytes(value, "99999999999999999999", 20, "\"99999999999999999999\"");
	accept_bytes(value, "\"\xff\"", 3, "\"\\\"\xef\xbf\xbd\\\"\"");
}

struct members {
	struct sr_buf text, object, why;
	struct sr_json_member wanted[3];
	enum sr_err e;
};

static struct members read_members(const char *in)
{
	static struct members m;

	m = (struct members){.e = SR_OK};
	sr_buf_init(&m.text, 10);
	sr_buf_init(&m.object, 20);
	sr_buf_init(&m.why, 300);
	m.wanted[0] = (struct sr_json_member){.name = "text", .kind = SR_JSON_STRING, .out = &m.text};
	m.wanted[1] = (struct sr_json_member){.name = "object", .kind = SR_JSON_OBJECT, .out = &m.object};
	m.wanted[2] = (struct sr_json_member){.name = "flag", .kind = SR_JSON_BOOL};
	m.e = sr_json_members(m.wanted, 3, in, strlen(in), &m.why);
	return m;
}

static void release_members(struct members *m)
{
	sr_buf_release(&m->text);
	sr_buf_release(&m->object);
	sr_buf_release(&m->why);
}

static void refuse_members(const char *in, enum sr_err code, const char *because)
{
	struct members m = read_members(in);

	cr_assert_eq(m.e, code, "%s: %s", in, sr_strerror(m.e));
	cr_assert_not_null(strstr(sr_buf_text(&m.why), because), "%s: \"%s\" lacks \"%s\"", in, sr_buf_text(&m.why), because);
	release_members(&m);
}

Test(json, reads_the_members_of_an_object)
{
	struct members m = read_members(" {\"flag\": true, \"object\": {\"a\" : [1, 2]}, \"text\": \"a\\u0000\\u00e9\"} ");

	cr_assert_eq(m.e, SR_OK, "%s", sr_buf_text(&m.why));
	cr_assert(m.wanted[0].given && m.wanted[1].given && m.wanted[2].given && m.wanted[2].value);
	cr_assert(m.text.len == 4 && memcmp(m.text.data, "a\0\xc3\xa9", 4) == 0);
	cr_assert_str_eq(m.object.data, "{\"a\":[1,2]}");
	release_members(&m);
	m = read_members("{}");
	cr_assert_eq(m.e, SR_OK);
	cr_assert(!m.wanted[0].given && !m.wanted[1].given && !m.wanted[2].given);
	release_members(&m);
}

Test(json, refuses_other_members_and_kinds)
{
	refuse_members("{\"txt\":\"a\"}", SR_EINVAL, "unknown member \"txt\"");
	refuse_members("{\"text\":1}", SR_EINVAL, "\"text\" is not a string");
	refuse_members("{\"text\":null}", SR_EINVAL, "\"text\" is not a string");
	refuse_members("{\"object\":[]}", SR_EINVAL, "\"object\" is not an object");
	refuse_members("{\"flag\":1}", SR_EINVAL, "\"flag\" is not true or false");
	refuse_members("{\"text\":\"12345678901\"}", SR_ETOOBIG, "\"text\" is longer than 10 bytes");
	refuse_members("{\"object\":{\"a\":\"1234567890123\"}}", SR_ETOOBIG, "\"object\" is longer than 20 bytes");
	refuse_members("[]", SR_EINVAL, "not a JSON object");
	refuse_members("null", SR_EINVAL, "not a JSON object");
	refuse_members("{", SR_EINVAL, "");
}
