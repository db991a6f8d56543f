/* test_inspect.c - what passes fcgi/inspect.c is whole and consistent, in whatever pieces it came. */
#include "fcgi/inspect.h"

#include <criterion/criterion.h>
#include <string.h>

struct bytes { uint8_t data[SR_INSPECT_BYTES_MAX + 70000]; size_t len; };

static void put(struct bytes *b, const void *data, size_t len)
{
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void record(struct bytes *b, uint8_t type, uint16_t id, const void *content, size_t len, uint8_t padding)
{
	uint8_t header[8] = {1, type, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(len >> 8), (uint8_t)len, padding, 0};
	uint8_t zeros[255] = {0};

	put(b, header, sizeof header);
	put(b, content, len);
	put(b, zeros, padding);
}

static void begin(struct bytes *b, uint16_t id, uint8_t role)
{
	uint8_t body[8] = {0, role};

	record(b, 1, id, body, sizeof body, 0);
}

static size_t pair(uint8_t *out, const char *name, size_t value_len)
{
	size_t name_len = strlen(name), n = 0;

	out[n++] = (uint8_t)name_len;
	if (value_len < 128) {
		out[n++] = (uint8_t)value_len;
	} else {
		out[n++] = (uint8_t)(0x80 | value_len >> 24);
		out[n++] = (uint8_t)(value_len >> 16);
		out[n++] = (uint8_t)(value_len >> 8);
		out[n++] = (uint8_t)value_len;
	}
	memcpy(out + n, name, name_len);
	memset(out + n + name_len, 'v', value_len);
	return n + name_len + value_len;
}

static void get_request(struct bytes *b, uint16_t id, uint8_t padding)
{
	uint8_t params[2048];
	size_t len = pair(params, "REQUEST_METHOD", 3);

	len += pair(params + len, "QUERY_STRING", 300);
	begin(b, id, 1);
	/* one pair cut by the records' border */
	record(b, 4, id, params, 10, padding);
	record(b, 4, id, params + 10, len - 10, padding);
	record(b, 4, id, "", 0, 0);
	record(b, 5, id, "", 0, padding);
}

static struct bytes b;
static size_t head;

static enum sr_inspect look(size_t len, uint16_t *id)
{
	const char *why = NULL;
	enum sr_inspect verdict = sr_inspect(b.data, len, id, &head, &why);

	cr_assert((verdict == SR_INSPECT_BAD || verdict == SR_INSPECT_BIG) == (why != NULL));
	return verdict;
}

Test(inspect, a_request_is_whole_at_its_last_byte_and_not_before, .timeout = 10)
{
	uint16_t id;

	b.len = 0;
	get_request(&b, 258, 7);
	for (size_t len = 0; len < b.len; len++)
		cr_assert_eq(look(len, &id), SR_INSPECT_MORE, "at %zu of %zu", len, b.len);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_WHOLE);
	cr_assert_eq(id, 258);
}

Test(inspect, what_follows_the_request_is_not_looked_at, .timeout = 10)
{
	uint16_t id;

	b.len = 0;
	get_request(&b, 1, 0);
	put(&b, "garbage", 7);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_WHOLE);
}

Test(inspect, a_length_near_2_to_31_is_refused_as_soon_as_it_is_read, .timeout = 10)
{
	const uint8_t evil[] = {0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xfe};
	uint16_t id;

	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, evil, sizeof evil, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BIG);
	cr_assert_eq(id, 1);
}

Test(inspect, params_past_64_kib_are_too_big_even_before_they_are_all_in, .timeout = 10)
{
	static uint8_t params[SR_PARAMS_BYTES_MAX + 100];
	size_t len = pair(params, "QUERY_STRING", SR_PARAMS_BYTES_MAX);
	uint16_t id;

	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, params, 60000, 0);
	cr_assert_gt(len, 60000);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BIG);
}

Test(inspect, the_number_of_pairs_is_bounded, .timeout = 10)
{
	uint8_t params[4 * (SR_PARAMS_MAX + 1)];
	size_t len = 0;
	uint16_t id;

	for (unsigned i = 0; i < SR_PARAMS_MAX; i++)
		len += pair(params + len, "A", 1);
	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, params, len, 0);
	record(&b, 4, 1, "", 0, 0);
	record(&b, 5, 1, "", 0, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_WHOLE);

	len += pair(params + len, "A", 1);
	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, params, len, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BIG);
}

Test(inspect, a_body_is_known_by_the_header_of_its_first_record, .timeout = 10)
{
	size_t whole_head;
	uint16_t id;

	for (unsigned padding = 0; padding < 9; padding += 8) {
		b.len = 0;
		get_request(&b, 258, (uint8_t)padding);
		b.len -= 8 + padding;
		whole_head = b.len;
		record(&b, 5, 258, "body", 4, (uint8_t)padding);
		record(&b, 5, 258, "", 0, 0);
		for (size_t len = 0; len < whole_head + 8; len++)
			cr_assert_eq(look(len, &id), SR_INSPECT_MORE, "at %zu of %zu", len, b.len);
		for (size_t len = whole_head + 8; len <= b.len; len++) {
			head = 0;
			cr_assert_eq(look(len, &id), SR_INSPECT_BODY, "at %zu of %zu", len, b.len);
			cr_assert_eq(head, whole_head);
			cr_assert_eq(id, 258);
		}
	}
}

Test(inspect, the_size_of_a_body_is_not_judged, .timeout = 10)
{
	static uint8_t body[65535];
	uint16_t id;

	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, "", 0, 0);
	record(&b, 5, 1, body, sizeof body, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BODY);
	cr_assert_eq(head, 24);
}

Test(inspect, what_is_no_request_is_refused, .timeout = 10)
{
	uint8_t body[8] = {0, 1};
	uint16_t id;

	b.len = 0;
	put(&b, "GET / HTTP/1.0\r\n\r\n", 18);
	cr_assert_eq(look(1, &id), SR_INSPECT_BAD, "not FastCGI at its first byte");
	b.len = 0;
	record(&b, 4, 1, "", 0, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "PARAMS before BEGIN_REQUEST");
	b.len = 0;
	begin(&b, 1, 3);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "a filter");
	b.len = 0;
	begin(&b, 0, 1);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "request id 0");
	b.len = 0;
	begin(&b, 1, 1);
	begin(&b, 2, 1);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "a second BEGIN_REQUEST");
	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 2, "", 0, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "PARAMS of another request");
	b.len = 0;
	record(&b, 1, 1, body, 7, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "a short BEGIN_REQUEST");
	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, "", 0, 0);
	record(&b, 5, 2, "", 0, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "STDIN of another request");
	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, "", 0, 0);
	record(&b, 2, 1, "", 0, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "an abort instead of STDIN");
	b.len = 0;
	begin(&b, 1, 1);
	record(&b, 4, 1, "\x05\x01" "AB", 4, 0);
	record(&b, 4, 1, "", 0, 0);
	cr_assert_eq(look(b.len, &id), SR_INSPECT_BAD, "PARAMS that end inside a pair");
}
