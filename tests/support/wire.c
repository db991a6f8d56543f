/* wire.c - see wire.h. */
#include "tests/support/wire.h"

#include "common/clock.h"
#include "common/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int ends; /* of all callbacks so far */

long long wire_ms(void)
{
	return sr_clock_mono();
}

static void on_ready(void *ctx)
{
	((struct wire *)ctx)->ready++;
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct wire *w = ctx;

	w->down++;
	w->down_err = err;
	w->ends_at_down = ends;
	snprintf(w->down_why, sizeof w->down_why, "%s", why);
}

static void on_message(void *ctx, const char *channel, size_t channel_len, const char *payload, size_t len)
{
	struct wire *w = ctx;

	w->messages++;
	snprintf(w->channel, sizeof w->channel, "%.*s", (int)channel_len, channel);
	w->payload_len = len;
	memcpy(w->payload, payload, len < sizeof w->payload ? len : sizeof w->payload);
}

static void on_subscribed(void *ctx, const char *channel, size_t len)
{
	struct wire *w = ctx;

	w->acks++;
	snprintf(w->channel, sizeof w->channel, "%.*s", (int)len, channel);
}

struct wire *wire_open(const struct sr_redis_options *options, struct wire *beside, bool idle)
{
	struct sr_redis_hooks hooks = {.on_ready = on_ready, .on_down = on_down, .on_message = on_message, .on_subscribed = on_subscribed};
	struct sr_redis_options o = *options;
	struct wire *w = calloc(1, sizeof *w);
	struct sr_buf why;

	cr_assert(w && sr_log_open("test", "/dev/null", SR_LOG_DEBUG) == SR_OK);
	sr_buf_init(&why, 512);
	o.name = o.name ? o.name : "wire";
	o.password_file = o.password_file ? o.password_file : "";
	w->loop = beside ? beside->loop : ev_loop_new(EVFLAG_AUTO);
	w->redis = sr_redis_new(w->loop, &o, &hooks, w, &why);
	cr_assert(w->redis, "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	ev_set_userdata(w->loop, (char *)ev_userdata(w->loop) + 1); /* how many share it */
	if (!idle)
		sr_redis_start(w->redis);
	return w;
}

void wire_close(struct wire *w)
{
	sr_redis_free(w->redis);
	ev_set_userdata(w->loop, (char *)ev_userdata(w->loop) - 1);
	if (!ev_userdata(w->loop))
		ev_loop_destroy(w->loop);
	free(w);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)timer;
	(void)revents;
}

void wire_turn(struct wire *w)
{
	ev_timer tick;

	ev_now_update(w->loop);
	ev_timer_init(&tick, on_tick, 0.02, 0.);
	ev_timer_start(w->loop, &tick);
	ev_run(w->loop, EVRUN_ONCE);
	ev_timer_stop(w->loop, &tick);
}

void wire_answer(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct answer *a = ctx;

	ends++;
	a->ends++;
	a->err = err;
	a->number = sr_reply_int(reply, -1000);
	snprintf(a->text, sizeof a->text, "%s", sr_reply_text(reply, NULL));
	cr_assert_eq(err == SR_OK && sr_reply_is_error(reply), 0);
	cr_assert_eq(reply == NULL, err == SR_EDOWN || err == SR_ETIMEOUT, "%s", sr_strerror(err));
}

enum sr_err wire_words(struct wire *w, struct answer *a, int64_t timeout_ms, const char *const *words)
{
	struct sr_call call;
	enum sr_err err;

	*a = (struct answer){.number = -1000};
	sr_call_init(&call, SR_SCRIPT_NONE);
	for (; *words; words++)
		sr_call_text(&call, *words);
	err = sr_redis_send(w->redis, &call, timeout_ms, wire_answer, a);
	sr_call_release(&call);
	cr_assert_eq(a->ends, 0, "from the loop, never from inside the call");
	return err;
}

struct answer wire_ask_words(struct wire *w, const char *const *words)
{
	static struct answer a; /* outlives this call, should the test end in it */

	cr_assert_eq(wire_words(w, &a, 0, words), SR_OK, "not queued: %s", sr_redis_why(w->redis));
	wire_until(w, a.ends == 1, 10000);
	return a;
}

/* --- a server that is not Redis ------------------------------------------------------------------------------ */

struct fake fake_open(int backlog)
{
	struct fake f = {.peer = -1};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	cr_assert(folder_make(f.folder, "sse-fake"));
	snprintf(f.path, sizeof f.path, "%s/sock", f.folder);
	snprintf(f.url, sizeof f.url, "unix://%s", f.path);
	memcpy(addr.sun_path, f.path, strlen(f.path));
	f.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert(f.listener >= 0 && bind(f.listener, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(f.listener, backlog) == 0);
	return f;
}

void fake_close(struct fake *f)
{
	fake_hang_up(f);
	close(f->listener);
	unlink(f->path);
	rmdir(f->folder);
}

void fake_accept(struct fake *f, struct wire *w)
{
	wire_until(w, (f->peer = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0, 10000);
}

void fake_hang_up(struct fake *f)
{
	if (f->peer >= 0)
		close(f->peer);
	f->peer = -1;
}

void fake_say(struct fake *f, const char *bytes, size_t len)
{
	cr_assert_eq(send(f->peer, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void fake_hear(struct fake *f, struct wire *w, int count)
{
	char bytes[65536];
	ssize_t n;

	for (int heard = 0; heard < count;) {
		wire_until(w, (n = recv(f->peer, bytes, sizeof bytes, 0)) > 0, 10000);
		for (ssize_t i = 0; i < n; i++)
			heard += bytes[i] == '*'; /* the test's own words have none */
	}
}
