#include "common/json.h"
#include "common/mem.h"
#include "common/sse.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(sse, .timeout = 20);

static const struct sr_event_id position = {1763920000000, 7};

/* ---- a client: HTML, "Interpreting an event stream", one line at a time ---- */

struct client {
	struct sr_buf data, type, id, last_id, got; /* `got` lists what was dispatched: type|id|data, one a line */
	long long retry;
};

static void client_init(struct client *c)
{
	struct sr_buf *bufs[] = {&c->data, &c->type, &c->id, &c->last_id, &c->got};

	for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
		sr_buf_init(bufs[i], 1000000);
	c->retry = -1;
}

static void client_release(struct client *c)
{
	sr_buf_release(&c->data);
	sr_buf_release(&c->type);
	sr_buf_release(&c->id);
	sr_buf_release(&c->last_id);
	sr_buf_release(&c->got);
}

static void must(enum sr_err e)
{
	cr_assert_eq(e, SR_OK);
}

static void dispatch(struct client *c)
{
	sr_buf_reset(&c->last_id);
	must(sr_buf_append(&c->last_id, c->id.data, c->id.len));
	if (c->data.len > 0) {
		sr_buf_truncate(&c->data, c->data.len - 1);
		must(sr_buf_printf(&c->got, "%s|%s|", c->type.len ? sr_buf_text(&c->type) : "message", sr_buf_text(&c->last_id)));
		must(sr_buf_append(&c->got, c->data.data, c->data.len));
		must(sr_buf_puts(&c->got, "\n"));
	}
	sr_buf_reset(&c->data);
	sr_buf_reset(&c->type);
}

static bool is(const char *line, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(line, name, len) == 0;
}

static void client_line(struct client *c, const char *line, size_t len)
{
	const char *colon = len > 0 ? memchr(line, ':', len) : NULL;
	size_t name = colon ? (size_t)(colon - line) : len;
	const char *value = colon ? colon + 1 : line + len;
	size_t rest = len - (size_t)(value - line);

	if (len == 0) {
		dispatch(c);
		return;
	}
	if (rest > 0 && *value == ' ') {
		value++;
		rest--;
	}
	if (is(line, name, "data")) {
		must(sr_buf_append(&c->data, value, rest));
		must(sr_buf_puts(&c->data, "\n"));
	} else if (is(line, name, "event")) {
		sr_buf_reset(&c->type);
		must(sr_buf_append(&c->type, value, rest));
	} else if (is(line, name, "id") && !memchr(value, '\0', rest)) {
		sr_buf_reset(&c->id);
		must(sr_buf_append(&c->id, value, rest));
	} else if (is(line, name, "retry")) {
		c->retry = strtoll(value, NULL, 10);
	}
}

/* Lines end with LF, CR or CRLF; what has no end is never seen. */
static void client_read(struct client *c, const char *bytes, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n' && bytes[i] != '\r')
			continue;
		client_line(c, bytes + from, i - from);
		if (bytes[i] == '\r' && i + 1 < len && bytes[i + 1] == '\n')
			i++;
		from = i + 1;
	}
}

/* ---- exact bytes ---- */

static void expect(struct sr_buf *out, enum sr_err e, const char *text)
{
	cr_assert_eq(e, SR_OK);
	cr_assert_str_eq(sr_buf_text(out), text);
	cr_assert_eq(out->len, strlen(text));
	sr_buf_release(out);
}

static enum sr_err event(struct sr_buf *out, const char *type, const char *data)
{
	return sr_sse_event(out, &position, type, strlen(type), data, strlen(data));
}

Test(sse, writes_these_bytes)
{
	struct sr_buf out;

	sr_buf_init(&out, 1000);
	expect(&out, sr_sse_guard(&out, 2731, position), ":\nevent: sse-reset\nretry: 2731\nid: 1763920000000-7\n\n");
	expect(&out, sr_sse_guard(&out, 0, SR_EVENT_ID_START), ":\nevent: sse-reset\nretry: 0\nid: 0-0\n\n");
	expect(&out, sr_sse_connected(&out, position, "abc"),
	       "id: 1763920000000-7\ndata: {\"type\":\"connected\",\"streamId\":\"abc\"}\n\n");
	expect(&out, event(&out, "token", "{\"text\": \"Hel\"}"),
	       "id: 1763920000000-7\ndata: {\"type\":\"token\",\"data\":{\"text\":\"Hel\"}}\n\n");
	expect(&out, event(&out, "note", "not JSON"), "id: 1763920000000-7\ndata: {\"type\":\"note\",\"data\":\"not JSON\"}\n\n");
	expect(&out, event(&out, "none", ""), "id: 1763920000000-7\ndata: {\"type\":\"none\",\"data\":\"\"}\n\n");
	expect(&out, sr_sse_event(&out, NULL, "tokens", 5, "1", 1), "data: {\"type\":\"token\",\"data\":1}\n\n");
	expect(&out, sr_sse_gap(&out, position, "trimmed"),
	       "data: {\"type\":\"gap\",\"data\":{\"after\":\"1763920000000-7\",\"reason\":\"trimmed\"}}\n\n");
	expect(&out, sr_sse_retry(&out, 4000), "retry: 4000\n\n");
	expect(&out, sr_sse_comment(&out, "heartbeat"), ": heartbeat\n\n");
	expect(&out, sr_sse_comment(&out, ""), ": \n\n");
}

/* ---- what a client makes of them ---- */

Test(sse, is_heard_by_a_client)
{
	struct sr_buf out;
	struct client c;

	sr_buf_init(&out, 1000);
	client_init(&c);
	must(sr_sse_guard(&out, 2731, position));
	must(sr_sse_connected(&out, position, "abc"));
	must(sr_sse_comment(&out, "heartbeat"));
	must(event(&out, "token", "[1]"));
	must(sr_sse_gap(&out, SR_EVENT_ID_START, "trimmed"));
	client_read(&c, out.data, out.len);
	cr_assert_str_eq(sr_buf_text(&c.got),
	                 "message|1763920000000-7|{\"type\":\"connected\",\"streamId\":\"abc\"}\n"
	                 "message|1763920000000-7|{\"type\":\"token\",\"data\":[1]}\n"
	                 "message|1763920000000-7|{\"type\":\"gap\",\"data\":{\"after\":\"0-0\",\"reason\":\"trimmed\"}}\n");
	cr_assert_eq(c.retry, 2731);
	must(sr_sse_retry(&out, 9));
	sr_buf_consume(&out, out.len - strlen("retry: 9\n\n"));
	client_read(&c, out.data, out.len);
	cr_assert_eq(c.retry, 9);
	client_release(&c);
	sr_buf_release(&out);
}

/* WebKit joins the torn end of one response to the next one. Cut a stream at each byte: with the guard behind the cut no
 * torn event is heard as a message, and position and delay are the guard's. */
Test(sse, guards_against_a_torn_response)
{
	struct sr_buf torn, guard;
	struct client c;

	sr_buf_init(&torn, 1000);
	sr_buf_init(&guard, 1000);
	must(sr_buf_puts(&torn, "retry: 99\nevent: odd\nid: 55-5\ndata: one\ndata: two\ndata: three"));
	must(sr_sse_guard(&guard, 2731, position));
	for (size_t cut = 0; cut <= torn.len; cut++) {
		struct sr_buf joined;

		sr_buf_init(&joined, 1000);
		must(sr_buf_append(&joined, torn.data, cut));
		must(sr_buf_append(&joined, guard.data, guard.len));
		client_init(&c);
		client_read(&c, joined.data, joined.len);
		cr_assert_null(strstr(sr_buf_text(&c.got), "message|"), "cut at %zu: %s", cut, sr_buf_text(&c.got));
		cr_assert_str_eq(sr_buf_text(&c.last_id), "1763920000000-7");
		cr_assert_eq(c.retry, 2731);
		client_release(&c);
		sr_buf_release(&joined);
	}
	sr_buf_release(&torn);
	sr_buf_release(&guard);
}

/* Data of any bytes is one event with the position's id; nothing in it ends a line, names a field or adds an event. */
static void survive(const char *data, size_t len)
{
	struct sr_buf out, expected;
	struct client c;

	sr_buf_init(&out, 100000);
	sr_buf_init(&expected, 100000);
	client_init(&c);
	must(sr_sse_event(&out, &position, "t", 1, data, len));
	client_read(&c, out.data, out.len);
	must(sr_buf_puts(&expected, "message|1763920000000-7|{\"type\":\"t\",\"data\":"));
	must(sr_json_value(&expected, data, len));
	must(sr_buf_puts(&expected, "}\n"));
	cr_assert_str_eq(sr_buf_text(&c.got), sr_buf_text(&expected));
	cr_assert_null(memchr(out.data, '\r', out.len));
	cr_assert_null(memchr(out.data, '\0', out.len));
	cr_assert_eq(c.retry, -1);
	client_release(&c);
	sr_buf_release(&out);
	sr_buf_release(&expected);
}

Test(sse, carries_hostile_data)
{
	static const char *const texts[] = {
		"\n\nid: 9-9\ndata: forged\n\n", "\r\rdata: forged\r\r", "\r\n\r\nretry: 1\r\n\r\n", "{\"a\":\n1}", "{\"a\":\r\n1}\r\n",
		"[\"a\nb\"]", "\"\\n\\ndata: x\\r\"", "\xff\xfe\n", "\"\xe2\x80\xa8\"", "\xc2\x85", "\v\f", ":", " ", "", NULL,
	};

	for (const char *const *t = texts; *t; t++)
		survive(*t, strlen(*t));
	survive("\0", 1);
	survive("a\0b\n\0", 5);
	survive("\"a\0b\"", 5);
}

Test(sse, carries_all_pairs_of_bytes)
{
	for (int c = 0; c < 0x10000; c += 1 + 6 * (c > 0x2000)) {
		char bytes[2] = {(char)(c >> 8), (char)c};

		survive(bytes, 2);
	}
}

/* ---- refusals ---- */

Test(sse, refuses_wrong_arguments)
{
	struct sr_buf out;

	sr_buf_init(&out, 1000);
	must(sr_buf_puts(&out, "kept"));
	cr_assert_eq(sr_sse_guard(&out, -1, position), SR_EINVAL);
	cr_assert_eq(sr_sse_retry(&out, -1), SR_EINVAL);
	cr_assert_eq(sr_sse_comment(&out, "a\nb"), SR_EINVAL);
	cr_assert_eq(sr_sse_comment(&out, "a\rb"), SR_EINVAL);
	cr_assert_eq(sr_sse_connected(&out, position, ""), SR_EINVAL);
	cr_assert_eq(sr_sse_connected(&out, position, "a\"b"), SR_EINVAL);
	cr_assert_eq(sr_sse_gap(&out, position, "a\nb"), SR_EINVAL);
	cr_assert_eq(sr_sse_gap(&out, position, ""), SR_EINVAL);
	cr_assert_eq(event(&out, "", "{}"), SR_EINVAL);
	cr_assert_eq(event(&out, "a\nb", "{}"), SR_EINVAL);
	cr_assert_eq(event(&out, "a\"", "{}"), SR_EINVAL);
	cr_assert_eq(sr_sse_event(&out, &position, "a\0b", 3, "{}", 2), SR_EINVAL);
	cr_assert_str_eq(sr_buf_text(&out), "kept");
	sr_buf_release(&out);
}

/* Call number `which`; SR_EINVAL when there is none. */
static enum sr_err call(int which, struct sr_buf *out)
{
	switch (which) {
	case 0:
		return sr_sse_guard(out, 2731, position);
	case 1:
		return sr_sse_connected(out, position, "abc");
	case 2:
		return event(out, "token", "{\"text\":\"Hel\"}");
	case 3:
		return event(out, "token", "no json");
	case 4:
		return sr_sse_gap(out, position, "trimmed");
	case 5:
		return sr_sse_retry(out, 1000);
	case 6:
		return sr_sse_comment(out, "heartbeat");
	}
	return SR_EINVAL;
}

Test(sse, leaves_a_full_buffer_unchanged)
{
	for (int which = 0; which < 7; which++) {
		enum sr_err e = SR_ETOOBIG;

		for (size_t room = 0; e; room++) {
			struct sr_buf out;

			sr_buf_init(&out, 4 + room);
			must(sr_buf_puts(&out, "kept"));
			e = call(which, &out);
			cr_assert(e == SR_ETOOBIG || (e == SR_OK && out.len == 4 + room), "call %d in %zu bytes: %s", which, room, sr_strerror(e));
			cr_assert(e == SR_OK || strcmp(sr_buf_text(&out), "kept") == 0, "call %d in %zu bytes", which, room);
			sr_buf_release(&out);
		}
	}
}

Test(sse, leaves_the_buffer_unchanged_without_memory)
{
	for (int which = 0; which < 7; which++) {
		enum sr_err e = SR_ENOMEM;

		for (unsigned n = 1; e; n++) {
			struct sr_buf out;

			sr_buf_init(&out, 1000);
			sr_mem_fail_after(n);
			e = call(which, &out);
			sr_mem_fail_after(0);
			cr_assert(e == SR_OK || (e == SR_ENOMEM && out.len == 0), "call %d: %s", which, sr_strerror(e));
			cr_assert(n > 1 || e == SR_ENOMEM, "the first allocation was made to fail");
			sr_buf_release(&out);
		}
	}
}
