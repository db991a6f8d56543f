/* test_response.c - fcgi/response.c: whatever pieces the records come in, the content is STDOUT's. */
#include "fcgi/response.h"

#include <criterion/criterion.h>
#include <string.h>

#define ID "\0\5"
#define HELLO "\1\6" ID "\0\5\3\0" "hello" "pad"
#define STDERR_RECORD "\1\7" ID "\0\4\1\0" "oops" "p"
#define WORLD "\1\6" ID "\0\6\0\0" " world"
#define EMPTY "\1\6" ID "\0\0\0\0"
#define END "\1\3" ID "\0\10\0\0" "\0\0\0\0\0\0\0\0"
#define WHOLE HELLO STDERR_RECORD WORLD EMPTY END

static struct sr_response response;
static char got[256];
static size_t got_len;

static void start(void)
{
	response = (struct sr_response){.request_id = 5};
	got_len = 0;
	memset(got, 0, sizeof got);
}

/* Returns how much was taken. */
static size_t feed(const char *bytes, size_t len)
{
	const char *piece;
	size_t at = 0, n;

	while ((n = sr_response_next(&response, bytes, len, &at, &piece)) > 0) {
		cr_assert(piece >= bytes && piece + n <= bytes + len);
		memcpy(got + got_len, piece, n);
		got_len += n;
	}
	return at;
}

Test(response, in_pieces_of_any_size, .timeout = 10)
{
	static const char whole[] = WHOLE;

	for (size_t step = 1; step <= sizeof whole - 1; step++) {
		start();
		for (size_t at = 0; at < sizeof whole - 1; at += step) {
			size_t len = sizeof whole - 1 - at < step ? sizeof whole - 1 - at : step;

			cr_assert(!response.ended, "step %zu, at %zu", step, at);
			cr_assert_eq(feed(whole + at, len), len);
		}
		cr_assert(response.ended && !response.broken, "step %zu", step);
		cr_assert_str_eq(got, "hello world", "step %zu", step);
	}
}

Test(response, nothing_behind_the_end, .timeout = 10)
{
	static const char more[] = WHOLE HELLO;

	start();
	cr_assert_eq(feed(more, sizeof more - 1), sizeof WHOLE - 1);
	cr_assert(response.ended);
	cr_assert_eq(feed(more, sizeof more - 1), 0);
	cr_assert_str_eq(got, "hello world");
}

Test(response, an_end_of_no_length, .timeout = 10)
{
	start();
	feed("\1\3" ID "\0\0\0\0", 8);
	cr_assert(response.ended);
}

Test(response, what_is_no_record_of_this_request, .timeout = 10)
{
	static const char *const wrong[] = {"\2\6" ID "\0\1\0\0x", "\1\6\0\6\0\1\0\0x", "HTTP/1.1 200 OK"};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		start();
		feed(HELLO, sizeof HELLO - 1);
		cr_assert_eq(feed(wrong[i], 9), 8, "%zu", i);
		cr_assert(response.broken && !response.ended, "%zu", i);
		cr_assert_str_eq(got, "hello", "%zu", i);
	}
}
