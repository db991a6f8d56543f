/* test_body.c - fcgi/body.c on a loop and a socket pair: whatever pieces the records come in, the bytes are the body's. */
#include "fcgi/body.h"

#include "common/buf.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NONE (-1)

static struct ev_loop *loop;
static struct sr_body body;
static struct sr_buf got;
static int peer, own, ended;
static size_t pause_after; /* bytes; 0 = never */
static bool discard_at_once;

static void on_bytes(struct sr_body *b, const char *bytes, size_t len)
{
	cr_assert(len >= 1 && len <= SR_BODY_PIECE);
	cr_assert_eq(sr_buf_append(&got, bytes, len), SR_OK);
	if (pause_after && got.len >= pause_after)
		sr_body_pause(b);
	if (discard_at_once)
		sr_body_discard(b, 1000, 200);
}

static void on_end(struct sr_body *b, enum sr_body_end how)
{
	(void)b;
	cr_assert_eq(ended, NONE, "it ends once");
	ended = (int)how;
}

static const struct sr_body_ops ops = {.on_bytes = on_bytes, .on_end = on_end};

static void start(uint64_t expected, sr_mono_ms timeout)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	own = pair[0];
	peer = pair[1];
	ended = NONE;
	pause_after = 0;
	discard_at_once = false;
	loop = ev_loop_new(EVFLAG_AUTO);
	sr_buf_init(&got, 1 << 20);
	sr_body_start(&body, loop, own, 1, expected, timeout, &ops);
}

static void stop(void)
{
	sr_body_stop(&body);
	sr_buf_release(&got);
	ev_loop_destroy(loop);
	close(own);
	if (peer >= 0)
		close(peer);
}

static void turn(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

static void until_ended(void)
{
	while (ended == NONE)
		ev_run(loop, EVRUN_ONCE);
}

static void put(const void *bytes, size_t len)
{
	cr_assert_eq(send(peer, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* One record at `out`; returns its length. */
static size_t make(uint8_t *out, uint8_t type, uint16_t id, const char *content, size_t len, uint8_t padding)
{
	uint8_t header[8] = {1, type, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(len >> 8), (uint8_t)len, padding, 0};

	memcpy(out, header, 8);
	memcpy(out + 8, content, len);
	memset(out + 8 + len, 'P', padding);
	return 8 + len + padding;
}

static void record(uint8_t type, uint16_t id, const char *content, size_t len, uint8_t padding)
{
	static uint8_t bytes[70000];

	put(bytes, make(bytes, type, id, content, len, padding));
}

static size_t two_records(uint8_t *out)
{
	size_t len = make(out, 5, 1, "hello ", 6, 2);

	len += make(out + len, 5, 1, "world", 5, 0);
	return len + make(out + len, 5, 1, "", 0, 7);
}

Test(body, reads_records_in_any_pieces, .timeout = 10)
{
	uint8_t bytes[100];
	size_t len = two_records(bytes);

	for (size_t piece = 1; piece <= len; piece++) {
		start(11, 5000);
		for (size_t at = 0; at < len; at += piece) {
			cr_assert(ended == NONE || at + 7 >= len, "it ends with the header of the last record, not at %zu", at);
			put(bytes + at, at + piece < len ? piece : len - at);
			turn();
		}
		cr_assert_eq(ended, SR_BODY_END, "pieces of %zu", piece);
		cr_assert_str_eq(got.data, "hello world");
		stop();
	}
}

Test(body, a_large_record_comes_in_bounded_pieces, .timeout = 10)
{
	static char big[65535];

	memset(big, 'x', sizeof big);
	start(sizeof big, 5000);
	record(5, 1, big, sizeof big, 255);
	record(5, 1, "", 0, 0);
	until_ended();
	cr_assert_eq(ended, SR_BODY_END);
	cr_assert_eq(got.len, sizeof big);
	stop();
}

Test(body, its_length_is_checked, .timeout = 10)
{
	start(10, 5000);
	record(5, 1, "123456789", 9, 0);
	turn();
	cr_assert_eq(ended, NONE);
	record(5, 1, "", 0, 0);
	turn();
	cr_assert_eq(ended, SR_BODY_SHORT);
	stop();

	start(4, 5000);
	record(5, 1, "1234", 4, 0);
	record(5, 1, "5", 1, 0);
	turn();
	cr_assert_eq(ended, SR_BODY_LONG);
	cr_assert_str_eq(got.data, "1234", "what is beyond the length is not told");
	stop();

	start(SR_BODY_ANY, 5000);
	record(5, 1, "1234", 4, 0);
	record(5, 1, "", 0, 0);
	turn();
	cr_assert_eq(ended, SR_BODY_END);
	stop();
}

Test(body, after_too_much_the_rest_can_be_thrown_away, .timeout = 10)
{
	start(4, 5000);
	record(5, 1, "12345678", 8, 3);
	record(5, 1, "9", 1, 0);
	record(5, 1, "", 0, 0);
	turn();
	cr_assert_eq(ended, SR_BODY_LONG);
	ended = NONE;
	sr_body_discard(&body, 1000, 1000);
	until_ended();
	cr_assert_eq(ended, SR_BODY_END);
	cr_assert_eq(got.len, 0);
	stop();
}

Test(body, a_client_that_leaves_is_noticed, .timeout = 10)
{
	start(100, 5000);
	record(5, 1, "123", 3, 0);
	turn();
	cr_assert_eq(ended, NONE);
	close(peer);
	peer = -1;
	turn();
	cr_assert_eq(ended, SR_BODY_LEFT);
	stop();

	start(100, 5000);
	put("\1\5\0", 3);
	turn();
	close(peer);
	peer = -1;
	turn();
	cr_assert_eq(ended, SR_BODY_LEFT, "inside a header");
	stop();

	start(100, 5000);
	record(5, 1, "123", 3, 0);
	record(2, 1, "", 0, 0);
	turn();
	cr_assert_eq(ended, SR_BODY_LEFT, "an abort");
	stop();
}

Test(body, other_records_are_refused, .timeout = 10)
{
	static const struct { uint8_t type; uint16_t id; } bad[] = {{1, 1}, {4, 1}, {3, 1}, {6, 1}, {9, 1}, {99, 1}, {5, 2}, {2, 2}, {5, 0}, {5, 257}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		start(100, 5000);
		record(5, 1, "123", 3, 0);
		record(bad[i].type, bad[i].id, "x", 1, 0);
		turn();
		cr_assert_eq(ended, SR_BODY_BROKEN, "type %d id %d", bad[i].type, bad[i].id);
		cr_assert_str_eq(got.data, "123");
		stop();
	}
	start(100, 5000);
	put("\2\5\0\1\0\0\0\0", 8);
	turn();
	cr_assert_eq(ended, SR_BODY_BROKEN, "version 2");
	stop();
}

Test(body, a_pause_holds_it_and_nothing_is_lost, .timeout = 10)
{
	start(12, 100);
	pause_after = 4;
	record(5, 1, "1234", 4, 0);
	record(5, 1, "5678", 4, 0);
	record(5, 1, "9abc", 4, 0);
	record(5, 1, "", 0, 0);
	for (int i = 0; i < 3; i++)
		turn();
	cr_assert_str_eq(got.data, "1234");
	nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL); /* a pause has no deadline */
	turn();
	cr_assert_eq(ended, NONE);
	pause_after = 8;
	sr_body_resume(&body);
	turn();
	cr_assert_str_eq(got.data, "12345678");
	pause_after = 0;
	sr_body_resume(&body);
	until_ended();
	cr_assert_eq(ended, SR_BODY_END);
	cr_assert_str_eq(got.data, "123456789abc");
	stop();
}

static void drip(ev_timer *w)
{
	record(5, 1, "x", 1, 0);
	ev_timer_again(loop, w);
}

static void on_drip(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)revents;
	drip(w);
}

Test(body, is_late_when_nothing_comes_and_when_it_only_drips, .timeout = 10)
{
	ev_timer w;

	start(100, 60);
	until_ended();
	cr_assert_eq(ended, SR_BODY_LATE);
	stop();

	start(5000, 150);
	ev_init(&w, on_drip);
	w.repeat = 0.01;
	ev_timer_again(loop, &w);
	until_ended();
	ev_timer_stop(loop, &w);
	cr_assert_eq(ended, SR_BODY_LATE);
	cr_assert_lt(got.len, 100);
	stop();
}

Test(body, is_not_late_while_enough_comes, .timeout = 10)
{
	static char kib[SR_BODY_PACE];
	struct timespec step = {.tv_nsec = 60000000};

	memset(kib, 'k', sizeof kib);
	start(10 * sizeof kib, 400);
	for (int i = 0; i < 10; i++) { /* longer than the timeout in all */
		record(5, 1, kib, sizeof kib, 0);
		turn();
		cr_assert_eq(ended, NONE);
		nanosleep(&step, NULL);
	}
	record(5, 1, "", 0, 0);
	turn();
	cr_assert_eq(ended, SR_BODY_END);
	stop();
}

Test(body, discarding_is_bounded, .timeout = 10)
{
	static char much[900];

	start(10, 5000);
	discard_at_once = true;
	record(5, 1, "1", 1, 0);
	record(5, 1, much, sizeof much, 0); /* longer than expected, which no longer counts */
	turn();
	cr_assert_eq(ended, NONE);
	cr_assert_str_eq(got.data, "1");
	record(5, 1, much, sizeof much, 0);
	turn();
	cr_assert_eq(ended, SR_BODY_MUCH, "too many bytes");
	stop();

	start(10, 5000);
	discard_at_once = true;
	record(5, 1, "1", 1, 0);
	until_ended();
	cr_assert_eq(ended, SR_BODY_MUCH, "too long");
	stop();
}
