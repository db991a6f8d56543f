/* test_relay.c - fcgi/relay.c on a loop, a socket pair and pipes: the test is the web server and the responder. */
#include "fcgi/relay.h"

#include "common/clock.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID 5
#define LIMIT_MS 5000

static struct ev_loop *loop;
static struct sr_relay relay;
static int responder;          /* its end of the pair */
static int in[2], out[2];      /* standard input and output; [0] reads */

static void start(uint64_t body)
{
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	responder = pair[0];
	loop = ev_loop_new(EVFLAG_AUTO);
	sr_relay_start(&relay, loop, pair[1], ID, in[0], out[1], body);
}

static void close_all(void)
{
	sr_relay_stop(&relay);
	sr_relay_stop(&relay);
	ev_loop_destroy(loop);
	close(responder);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}

static void turns(int count)
{
	while (count--)
		ev_run(loop, EVRUN_NOWAIT);
}

static void until_done(void)
{
	sr_mono_ms end = sr_clock_mono() + LIMIT_MS;

	while (!relay.done) {
		cr_assert(sr_clock_mono() < end, "the relay is not done");
		ev_run(loop, EVRUN_NOWAIT);
	}
}

static void say(const void *bytes, size_t len)
{
	cr_assert_eq(send(responder, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void say_stdout(const char *text)
{
	uint8_t header[SR_RECORD_HEADER];

	sr_record_stdout(header, ID, (uint16_t)strlen(text));
	say(header, sizeof header);
	say(text, strlen(text));
}

static void say_end(void)
{
	uint8_t end[SR_RECORD_END];

	sr_record_end(end, ID);
	say(end, sizeof end);
}

static bool connection_closed(void)
{
	char byte;

	return recv(responder, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* --- responses --- */

Test(relay, a_response, .timeout = 20)
{
	char got[64] = "";

	start(0);
	say_stdout("Status: 200 OK\r\n\r\n");
	turns(3);
	cr_assert_eq(read(out[0], got, sizeof got - 1), 18, "it does not wait for the end");
	cr_assert(!relay.done && !connection_closed());
	say_stdout("bye");
	say_end();
	until_done();
	cr_assert_eq(read(out[0], got, sizeof got - 1), 3);
	cr_assert(memcmp(got, "bye", 3) == 0);
	cr_assert(connection_closed());
	close_all();
}

Test(relay, a_responder_that_breaks_off, .timeout = 20)
{
	char got[64];

	start(0);
	say_stdout("half");
	close(responder);
	responder = -1;
	until_done();
	cr_assert_eq(read(out[0], got, sizeof got), 4);
	close_all();
}

Test(relay, a_slow_client_holds_up_the_responder, .timeout = 20)
{
	static char text[1001], bytes[65536];
	size_t said = 0, got = 0;
	uint8_t header[SR_RECORD_HEADER];
	sr_mono_ms end = sr_clock_mono() + LIMIT_MS;

	start(0);
	memset(text, 'x', 1000);
	sr_record_stdout(header, ID, 1000);
	for (int refused = 0; refused < 5;) {
		turns(2);
		if (send(responder, header, sizeof header, MSG_NOSIGNAL | MSG_MORE) == (ssize_t)sizeof header) {
			say(text, 1000);
			said += 1000;
		} else {
			refused++;
		}
		cr_assert_lt(said, 8u << 20, "it takes all there is");
	}
	cr_assert_leq(relay.out.out.len, SR_RELAY_PIECE);
	while (got < said) {
		ssize_t n = read(out[0], bytes, sizeof bytes);

		cr_assert_gt(n, 0);
		got += (size_t)n;
		turns(2);
		cr_assert(sr_clock_mono() < end);
	}
	say_end();
	until_done();
	cr_assert_eq(got, said, "nothing is lost, nothing is doubled");
	close_all();
}

Test(relay, the_rest_goes_out_after_the_end, .timeout = 20)
{
	static char bytes[65536];
	size_t got = 0;

	start(0);
	cr_assert_gt(fcntl(out[1], F_SETPIPE_SZ, 4096), 0);
	memset(bytes, 'y', 9000);
	bytes[9000] = 0;
	say_stdout(bytes);
	say_end();
	turns(10);
	cr_assert(relay.over && !relay.done, "the client has not read all");
	cr_assert(connection_closed());
	while (got < 9000) {
		ssize_t n = read(out[0], bytes, sizeof bytes);

		cr_assert_gt(n, 0);
		got += (size_t)n;
		turns(3);
	}
	until_done();
	cr_assert_eq(got, 9000);
	close_all();
}

/* --- clients that leave --- */

Test(relay, an_idle_client_leaves_a_pipe, .timeout = 20)
{
	start(0);
	say_stdout("x");
	turns(3);
	close(out[0]);
	out[0] = -1;
	until_done();
	cr_assert(connection_closed());
	close_all();
}

Test(relay, an_idle_client_leaves_a_socket, .timeout = 20)
{
	int pair[2];

	start(0);
	sr_relay_stop(&relay);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(responder);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in), 0);
	responder = in[0];
	sr_relay_start(&relay, loop, in[1], ID, pair[1], pair[1], 0);
	in[0] = in[1] = -1;
	/* A server that has nothing more to say on it, or too much, has not left. */
	cr_assert_eq(send(pair[0], "x", 1, 0), 1);
	cr_assert_eq(shutdown(pair[0], SHUT_WR), 0);
	turns(20);
	cr_assert(!relay.done);
	close(pair[0]);
	until_done();
	cr_assert(connection_closed());
	close(pair[1]);
	close_all();
}

Test(relay, a_closed_input_is_no_sign, .timeout = 20)
{
	start(0);
	close(in[1]);
	in[1] = -1;
	turns(20);
	cr_assert(!relay.done && !connection_closed());
	close_all();
}

Test(relay, no_output_at_all, .timeout = 20)
{
	start(0);
	sr_relay_stop(&relay);
	close(responder);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in), 0);
	responder = in[0];
	sr_relay_start(&relay, loop, in[1], ID, 999, 999, 0);
	in[0] = in[1] = -1;
	say_stdout("x");
	until_done();
	close_all();
}

/* --- bodies --- */

/* Read what the responder gets, up to the record that ends it; the content's bytes are counted and compared with 'b'. */
static size_t body(void)
{
	static char bytes[SR_RECORD_CONTENT_MAX];
	sr_mono_ms end = sr_clock_mono() + LIMIT_MS;
	struct sr_record record;
	uint8_t header[SR_RECORD_HEADER];
	size_t total = 0;

	for (;;) {
		cr_assert(sr_clock_mono() < end);
		turns(2);
		if (recv(responder, header, sizeof header, MSG_DONTWAIT | MSG_PEEK) < (ssize_t)sizeof header)
			continue;
		recv(responder, header, sizeof header, MSG_DONTWAIT);
		cr_assert(sr_record_read(&record, header) && record.kind == SR_RECORD_STDIN && record.request_id == ID && record.padding == 0);
		if (record.len == 0)
			return total;
		for (size_t have = 0; have < record.len;) {
			ssize_t n = recv(responder, bytes, record.len - have, MSG_DONTWAIT);

			for (ssize_t i = 0; i < n; i++)
				cr_assert_eq(bytes[i], 'b');
			have += n > 0 ? (size_t)n : 0;
			turns(1);
			cr_assert(sr_clock_mono() < end);
		}
		total += record.len;
	}
}

static int file_of(size_t len)
{
	static char bytes[300000];
	char name[] = "/tmp/sr-relay-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	cr_assert_geq(fd, 0);
	unlink(name);
	memset(bytes, 'b', sizeof bytes);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

Test(relay, a_body, .timeout = 20)
{
	start(3);
	cr_assert_eq(write(in[1], "bbb...", 6), 6);
	cr_assert_eq(body(), 3, "not what is behind it");
	cr_assert(!connection_closed());
	close_all();
}

Test(relay, a_body_that_breaks_off, .timeout = 20)
{
	start(10);
	cr_assert_eq(write(in[1], "bbb", 3), 3);
	close(in[1]);
	in[1] = -1;
	cr_assert_eq(body(), 3);
	close_all();
}

Test(relay, a_body_of_unknown_length, .timeout = 20)
{
	start(SR_RELAY_TO_END);
	cr_assert_eq(write(in[1], "bbbb", 4), 4);
	close(in[1]);
	in[1] = -1;
	cr_assert_eq(body(), 4);
	close_all();
}

Test(relay, a_body_from_a_file, .timeout = 20)
{
	start(0);
	sr_relay_stop(&relay);
	close(responder);
	close(in[0]);
	close(in[1]);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, in), 0);
	responder = in[0];
	in[0] = file_of(300000);
	sr_relay_start(&relay, loop, in[1], ID, in[0], out[1], 300000);
	in[1] = -1;
	turns(200);
	cr_assert_gt(relay.body, 0, "a responder that does not read holds up the producer");
	cr_assert_eq(body(), 300000);
	close_all();
}

Test(relay, an_answer_before_the_body_is_read, .timeout = 20)
{
	char got[64];

	start(1000);
	say_stdout("413");
	say_end();
	until_done();
	cr_assert_eq(read(out[0], got, sizeof got), 3);
	close_all();
}
