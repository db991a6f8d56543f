#include "common/address.h"
#include "common/clock.h"
#include "common/mem.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(address, .timeout = 30);

/* --- the URL ------------------------------------------------------------------------------------------------- */

Test(address, urls_that_are_understood)
{
	static const struct { const char *url, *path, *host, *port, *user; int db; } cases[] = {
		{"unix:///run/redis/redis-server.sock", "/run/redis/redis-server.sock", "", "", "", 0},
		{"unix:///r?db=3", "/r", "", "", "", 3},
		{"unix:///r?db=0", "/r", "", "", "", 0},
		{"redis://localhost", "", "localhost", "6379", "", 0},
		{"redis://localhost/", "", "localhost", "6379", "", 0},
		{"redis://localhost:6380", "", "localhost", "6380", "", 0},
		{"redis://localhost/15", "", "localhost", "6379", "", 15},
		{"redis://10.0.0.1:1/65535", "", "10.0.0.1", "1", "", 65535},
		{"redis://bob@redis.example.com:65535/2", "", "redis.example.com", "65535", "bob", 2},
		{"redis://@h", "", "h", "6379", "", 0},
		{"redis://[::1]", "", "::1", "6379", "", 0},
		{"redis://bob@[fe80::1]:7000/1", "", "fe80::1", "7000", "bob", 1},
	};
	struct sr_address a;
	struct sr_buf why;

	sr_buf_init(&why, 512);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_assert_eq(sr_address_parse(&a, cases[i].url, &why), SR_OK, "%s: %s", cases[i].url, sr_buf_text(&why));
		cr_assert_str_eq(a.path, cases[i].path, "%s", cases[i].url);
		cr_assert_str_eq(a.host, cases[i].host, "%s", cases[i].url);
		cr_assert_str_eq(a.port, cases[i].port, "%s", cases[i].url);
		cr_assert_str_eq(a.user, cases[i].user, "%s", cases[i].url);
		cr_assert_eq(a.db, cases[i].db, "%s", cases[i].url);
	}
	sr_buf_release(&why);
}

Test(address, urls_that_are_refused_with_a_reason)
{
	static const struct { const char *url, *reason; } cases[] = {
		{"", "write unix:///path or redis://"}, {"localhost", "write unix:///path or redis://"},
		{"http://localhost", "write unix:///path or redis://"}, {"REDIS://localhost", "write unix:///path or redis://"},
		{"unix:/path", "write unix:///path or redis://"}, {"unix://", "write unix:///absolute/path"},
		{"unix://relative/path", "write unix:///absolute/path"}, {"unix:///r?x=1", "only ?db=NUMBER"}, {"unix:///r?db=", "only ?db=NUMBER"},
		{"unix:///r?db=-1", "only ?db=NUMBER"}, {"unix:///r?db=65536", "only ?db=NUMBER"}, {"unix:///r?db=1x", "only ?db=NUMBER"},
		{"unix:///r?db= 1", "only ?db=NUMBER"}, {"unix:///r?db=+1", "only ?db=NUMBER"},
		{"redis://", "no host"}, {"redis:///1", "no host"}, {"redis://:6379", "no host"}, {"redis://bob@", "no host"}, {"redis://[]", "no host"},
		{"redis://h/x", "the number of a database"}, {"redis://h/1/2", "the number of a database"}, {"redis://h/-1", "the number of a database"},
		{"redis://h/ 1", "the number of a database"}, {"redis://h/99999999999999999999", "the number of a database"},
		{"redis://h:", "the port"}, {"redis://h:x", "the port"}, {"redis://h:1x", "the port"}, {"redis://h:-1", "the port"},
		{"redis://h:0", "the port"}, {"redis://h:65536", "the port"}, {"redis://h:99999", "the port"}, {"redis://h:123456", "the port"},
		{"redis://[::1", "the port"}, {"redis://[::1]x", "the port"}, {"redis://[::1]6379", "the port"}, {"redis://[::1]:", "the port"},
		{"redis://::1", "no host"},
	};
	struct sr_address a;
	struct sr_buf why;

	sr_buf_init(&why, 512);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_assert_eq(sr_address_parse(&a, cases[i].url, &why), SR_EINVAL, "%s", cases[i].url);
		cr_assert(strstr(sr_buf_text(&why), cases[i].reason), "%s: %s", cases[i].url, sr_buf_text(&why));
		cr_assert(strstr(sr_buf_text(&why), "redis_url"), "%s: %s", cases[i].url, sr_buf_text(&why));
	}
	sr_buf_release(&why);
}

Test(address, a_password_in_the_url_is_refused_and_not_told)
{
	static const char *const urls[] = {"redis://bob:s3cret@h", "redis://:s3cret@h:1/1", "redis://bob:s3cret@", "redis://bob:s3c/s3cret@h",
	                                   "redis://bob:s3c@s3cret@h", "redis://bob:s3cret@h:x", "redis://bob:s3cret@h/x"};
	struct sr_address a;
	struct sr_buf why;

	sr_buf_init(&why, 512);
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		cr_assert_eq(sr_address_parse(&a, urls[i], &why), SR_EINVAL);
		cr_assert(why.len && !strstr(sr_buf_text(&why), "s3c"), "%s", sr_buf_text(&why));
	}
	sr_buf_release(&why);
}

static void long_part(const char *format, int fits, const char *reason)
{
	char part[400], url[500];
	struct sr_address a;
	struct sr_buf why;

	sr_buf_init(&why, 1024);
	memset(part, 'x', sizeof part);
	snprintf(url, sizeof url, format, fits, part);
	cr_assert_eq(sr_address_parse(&a, url, &why), SR_OK, "%s", sr_buf_text(&why));
	snprintf(url, sizeof url, format, fits + 1, part);
	cr_assert_eq(sr_address_parse(&a, url, &why), SR_EINVAL);
	cr_assert(strstr(sr_buf_text(&why), reason), "%s", sr_buf_text(&why));
	sr_buf_release(&why);
}

Test(address, parts_are_bounded)
{
	long_part("unix:///%.*s", 106, "107 bytes");
	long_part("redis://%.*s@h", 127, "127 bytes");
	long_part("redis://%.*s:1", 255, "255 bytes");
}

Test(address, without_room_for_a_reason)
{
	struct sr_address a;
	struct sr_buf why;

	sr_buf_init(&why, 512);
	sr_mem_fail_after(1);
	cr_assert_eq(sr_address_parse(&a, "redis://h:x", &why), SR_EINVAL, "the URL is wrong all the same");
	sr_mem_fail_after(0);
	sr_buf_release(&why);
	cr_assert_eq(sr_address_parse(&a, "redis://h:x", NULL), SR_EINVAL);
}

/* --- looking up ---------------------------------------------------------------------------------------------- */

struct looked_up { int calls; enum sr_err err; struct sr_socket_address found; char why[400]; };

static void on_looked_up(void *ctx, enum sr_err err, const struct sr_socket_address *found, const char *why)
{
	struct looked_up *l = ctx;

	l->calls++;
	l->err = err;
	l->found = *found;
	snprintf(l->why, sizeof l->why, "%s", why);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void run(struct ev_loop *loop, double seconds)
{
	ev_timer tick;

	ev_timer_init(&tick, on_tick, seconds, 0.);
	ev_timer_start(loop, &tick);
	ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &tick);
}

static struct looked_up look_up(const char *host, const char *port, unsigned attempt)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct sr_address a = {.db = 0};
	struct looked_up l = {0};
	sr_mono_ms since = sr_clock_mono();

	snprintf(a.host, sizeof a.host, "%s", host);
	snprintf(a.port, sizeof a.port, "%s", port);
	cr_assert(sr_lookup_start(loop, &a, attempt, on_looked_up, &l));
	cr_assert_eq(l.calls, 0, "never before it has returned");
	while (!l.calls) {
		cr_assert_lt(sr_clock_mono() - since, 20000);
		run(loop, 0.1);
	}
	cr_assert_eq(l.calls, 1);
	ev_loop_destroy(loop);
	return l;
}

Test(address, finds_numbers_and_names)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "::1"};

	for (size_t i = 0; i < 3; i++) {
		for (unsigned attempt = 0; attempt < 3; attempt++) {
			struct looked_up l = look_up(hosts[i], "6380", attempt);
			struct sockaddr_in v4;
			struct sockaddr_in6 v6;

			cr_assert_eq(l.err, SR_OK, "%s: %s", hosts[i], l.why);
			cr_assert_str_eq(l.why, "");
			if (l.found.addr.ss_family == AF_INET) {
				memcpy(&v4, &l.found.addr, sizeof v4);
				cr_assert(l.found.len == sizeof v4 && v4.sin_port == htons(6380) && v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
			} else {
				memcpy(&v6, &l.found.addr, sizeof v6);
				cr_assert(l.found.addr.ss_family == AF_INET6 && v6.sin6_port == htons(6380));
				cr_assert_arr_eq(&v6.sin6_addr, &in6addr_loopback, sizeof v6.sin6_addr);
			}
		}
	}
}

Test(address, says_which_name_it_did_not_find)
{
	struct looked_up l;
	char label[80];

	memset(label, 'x', 79); /* more than the 63 bytes of RFC 1035: no server has to be asked */
	label[79] = 0;
	l = look_up(label, "6379", 0);
	cr_assert_eq(l.err, SR_EIO);
	cr_assert(strstr(l.why, label) && strncmp(l.why, "cannot look up ", 15) == 0, "%s", l.why);
}

Test(address, a_cancelled_lookup_calls_nobody)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct sr_address a = {.host = "localhost", .port = "6379"};
	struct looked_up l = {0};

	for (int i = 0; i < 50; i++) {
		struct sr_lookup *lookup = sr_lookup_start(loop, &a, 0, on_looked_up, &l);

		cr_assert(lookup);
		if (i % 2)
			run(loop, 0.0001); /* it may have called by now, and then it is gone */
		if (l.calls == 0)
			sr_lookup_cancel(lookup);
		l.calls = 0;
		run(loop, 0.001);
		cr_assert_eq(l.calls, 0);
	}
	sr_lookup_cancel(NULL);
	ev_loop_destroy(loop);
}

Test(address, without_memory_there_is_no_lookup)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct sr_address a = {.host = "localhost", .port = "6379"};

	sr_mem_fail_after(1);
	cr_assert_null(sr_lookup_start(loop, &a, 0, on_looked_up, NULL));
	ev_loop_destroy(loop);
}
