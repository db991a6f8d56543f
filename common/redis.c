/* redis.c - see redis.h.
 *
 *   DOWN ──start──> LOOKUP ──> CONNECTING ──> GREETING ──PING answered──> READY
 *     ^                │            │             │                         │
 *     └── backoff ─────┴────────────┴─────────────┴───── sr_redis_fail() ────────────┘
 */
#include "common/redis.h"

#include "common/conf.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/redis_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

bool sr_redis_ready(const struct sr_redis *r)
{
	return r->state == READY;
}

const char *sr_redis_why(const struct sr_redis *r)
{
	return r->state == READY ? "" : sr_buf_text(&r->why);
}

enum sr_err sr_redis_last_error(const struct sr_redis *r)
{
	return r->last_error;
}

void sr_redis_set_timer(struct sr_redis *r, int64_t ms)
{
	ev_timer_stop(r->loop, &r->timer);
	r->timer_at = sr_clock_mono() + ms;
	ev_timer_set(&r->timer, (double)ms / 1000.0, 0.);
	ev_now_update(r->loop);
	ev_timer_start(r->loop, &r->timer);
}

void sr_redis_watch(struct sr_redis *r, int events)
{
	if (r->io.events == events && ev_is_active(&r->io))
		return;
	ev_io_stop(r->loop, &r->io);
	ev_io_set(&r->io, r->fd, events);
	ev_io_start(r->loop, &r->io);
}

static void note_failure(struct sr_redis *r, enum sr_err err, const char *why)
{
	sr_mono_ms now = sr_clock_mono();

	r->last_error = err;
	sr_buf_reset(&r->why);
	if (sr_buf_puts(&r->why, why) != SR_OK)
		sr_buf_reset(&r->why);
	if (r->silent || (strcmp(sr_buf_text(&r->logged), sr_buf_text(&r->why)) == 0 && now - r->logged_at < 60000))
		return;
	sr_log(err == SR_EDENIED ? SR_LOG_ERROR : SR_LOG_WARN, r->state == READY ? "redis lost" : "redis unavailable", "connection",
	       r->pubsub ? "pubsub" : "commands", "reason", why, err == SR_EDENIED ? "change" : (char *)NULL,
	       "redis_url or redis_password_file", (char *)NULL);
	sr_buf_reset(&r->logged);
	if (sr_buf_puts(&r->logged, why) == SR_OK)
		r->logged_at = now;
}

static void drop_connection(struct sr_redis *r)
{
	sr_lookup_cancel(r->lookup);
	r->lookup = NULL;
	ev_io_stop(r->loop, &r->io);
	ev_timer_stop(r->loop, &r->timer);
	/* The descriptor stays ours: another thread's accept() cannot take it in between. */
	if (r->fd >= 0 && r->reserve < 0 && r->null >= 0 && dup2(r->null, r->fd) == r->fd)
		r->reserve = r->fd;
	else if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	if (r->reader)
		redisReaderFree(r->reader);
	r->reader = NULL;
	sr_buf_release(&r->out);
	r->generation++;
	r->state = DOWN;
}

static int64_t backoff_ms(struct sr_redis *r)
{
	int64_t most = r->failures > 6 ? SR_REDIS_BACKOFF_MAX_MS : (int64_t)100 << r->failures;

	if (r->last_error == SR_EDENIED)
		return SR_REDIS_BACKOFF_MAX_MS;
	if (most > SR_REDIS_BACKOFF_MAX_MS)
		most = SR_REDIS_BACKOFF_MAX_MS;
	return sr_random_between(50, most);
}

void sr_redis_fail(struct sr_redis *r, enum sr_err err, const char *why)
{
	/* drop_connection() frees the reader and may be called while a reply is read; the reply is freed by dispatch(). */
	char text[256];

	snprintf(text, sizeof text, "%s", why);
	note_failure(r, err, text);
	drop_connection(r);
	sr_redis_fail_pending(r, err == SR_ETIMEOUT ? SR_ETIMEOUT : SR_EDOWN);
	if (r->hooks.on_down)
		r->hooks.on_down(r->ctx, err, text);
	if (!r->once)
		sr_redis_set_timer(r, backoff_ms(r));
	r->failures++;
}

static void greeted(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_redis *r = ctx;
	const char *text = sr_reply_text(reply, NULL);

	if (r->state != GREETING || (err == SR_OK && reply && r->head))
		return; /* one of several answers, all well so far */
	if (sr_redis_is_misconf(reply))
		err = SR_OK;
	if (!reply)
		return;
	if (err != SR_OK) {
		sr_redis_fail(r, err, text);
		return;
	}
	r->state = READY;
	if (r->out.data && r->out.len == 0)
		explicit_bzero(r->out.data, r->out.cap); /* the password went through it */
	r->heard_at = sr_clock_mono();
	r->last_error = SR_OK;
	sr_redis_set_timer(r, r->pubsub ? SR_REDIS_PROBE_MS : SR_REDIS_COMMAND_MS);
	if (r->hooks.on_ready)
		r->hooks.on_ready(r->ctx);
}

static enum sr_err greet_with(struct sr_redis *r, const char *const *words)
{
	struct sr_call call;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	for (; *words; words++)
		sr_call_text(&call, *words);
	err = sr_call_check(&call);
	if (err == SR_OK)
		err = sr_redis_enqueue(r, &call, SR_REDIS_CONNECT_MS, greeted, r);
	if (call.tail.data)
		explicit_bzero(call.tail.data, call.tail.len);
	sr_call_release(&call);
	return err;
}

static enum sr_err greet_auth(struct sr_redis *r, struct sr_buf *why)
{
	struct sr_buf password;
	enum sr_err err;

	sr_buf_init(&password, 1024);
	err = sr_conf_secret(&password, r->password_file, why);
	if (err == SR_OK && r->address.user[0])
		err = greet_with(r, (const char *const[]){"AUTH", r->address.user, sr_buf_text(&password), NULL});
	else if (err == SR_OK)
		err = greet_with(r, (const char *const[]){"AUTH", sr_buf_text(&password), NULL});
	if (password.data)
		explicit_bzero(password.data, password.cap);
	sr_buf_release(&password);
	return err;
}

static void greet(struct sr_redis *r)
{
	char db[8];
	struct sr_buf why;
	enum sr_err err = SR_OK;

	sr_buf_init(&why, 1024);
	r->state = GREETING;
	sr_redis_watch(r, EV_READ);
	if (r->password_file[0])
		err = greet_auth(r, &why);
	snprintf(db, sizeof db, "%d", r->address.db);
	if (err == SR_OK && r->address.db)
		err = greet_with(r, (const char *const[]){"SELECT", db, NULL});
	if (err == SR_OK)
		err = greet_with(r, (const char *const[]){"CLIENT", "SETNAME", r->name, NULL});
	for (int i = 0; err == SR_OK && r->load_scripts && i < SR_SCRIPT_COUNT; i++)
		err = greet_with(r, (const char *const[]){"SCRIPT", "LOAD", sr_script_get((enum sr_script_name)i)->text, NULL});
	if (err == SR_OK)
		err = greet_with(r, (const char *const[]){"PING", NULL});
	if (err != SR_OK)
		sr_redis_fail(r, err == SR_EINVAL ? SR_EDENIED : err, why.len ? why.data : sr_strerror(err));
	sr_buf_release(&why);
}

static void on_connected(struct sr_redis *r)
{
	int error = 0;
	socklen_t size = sizeof error;

	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error)
		sr_redis_fail(r, SR_EDOWN, strerror(error));
	else
		greet(r);
}

static void set_tcp_options(int fd)
{
	int on = 1, idle = 15, interval = 5, count = 3, user_timeout = 10000;

	/* Best effort: each only shortens the time until a dead peer is noticed, and the command deadline stands behind them. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof user_timeout);
}

static void connect_to(struct sr_redis *r, const struct sockaddr *addr, socklen_t len)
{
	if (r->reserve >= 0)
		close(r->reserve);
	r->reserve = -1;
	r->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (r->fd < 0) {
		sr_redis_fail(r, SR_EDOWN, strerror(errno));
		return;
	}
	if (addr->sa_family != AF_UNIX)
		set_tcp_options(r->fd);
	r->reader = redisReaderCreate();
	if (!r->reader) {
		sr_redis_fail(r, SR_ENOMEM, sr_strerror(SR_ENOMEM));
		return;
	}
	r->state = CONNECTING;
	sr_redis_set_timer(r, SR_REDIS_CONNECT_MS);
	if (connect(r->fd, addr, len) == 0)
		greet(r);
	else if (errno == EINPROGRESS)
		sr_redis_watch(r, EV_WRITE);
	else
		sr_redis_fail(r, SR_EDOWN, strerror(errno));
}

static void on_looked_up(void *ctx, enum sr_err err, const struct sr_socket_address *found, const char *why)
{
	struct sr_redis *r = ctx;

	r->lookup = NULL;
	if (err != SR_OK)
		sr_redis_fail(r, SR_EDOWN, why);
	else
		connect_to(r, (const struct sockaddr *)&found->addr, found->len);
}

static void begin(struct sr_redis *r)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	if (r->address.path[0]) {
		memcpy(local.sun_path, r->address.path, sizeof r->address.path);
		connect_to(r, (struct sockaddr *)&local, sizeof local);
		return;
	}
	r->state = LOOKUP;
	sr_redis_set_timer(r, SR_REDIS_CONNECT_MS);
	r->lookup = sr_lookup_start(r->loop, &r->address, r->failures, on_looked_up, r);
	if (!r->lookup)
		sr_redis_fail(r, SR_ENOMEM, "cannot start the thread that looks up the host's name");
}

static void probe(struct sr_redis *r)
{
	sr_mono_ms quiet = sr_clock_mono() - r->heard_at;

	if (r->probing && quiet >= SR_REDIS_PROBE_MS + SR_REDIS_COMMAND_MS) {
		sr_redis_fail(r, SR_ETIMEOUT, "no answer to PING on the Pub/Sub connection");
		return;
	}
	if (!r->probing && quiet >= SR_REDIS_PROBE_MS - 100 && sr_buf_puts(&r->out, "*1\r\n$4\r\nPING\r\n") == SR_OK)
		r->probing = true;
	sr_redis_set_timer(r, r->probing ? SR_REDIS_COMMAND_MS : SR_REDIS_PROBE_MS);
}

static int64_t left_ms(const struct sr_redis *r)
{
	return r->head ? r->head->deadline - sr_clock_mono() : SR_REDIS_COMMAND_MS;
}

/* Read before judging: if this process itself was stopped, the answer lies in the socket. */
static void judge_deadline(struct sr_redis *r)
{
	unsigned generation = r->generation;

	if (left_ms(r) <= 0)
		sr_redis_read(r);
	if (generation != r->generation)
		return;
	if (left_ms(r) <= 0)
		sr_redis_fail(r, SR_ETIMEOUT, "no answer in time");
	else
		sr_redis_set_timer(r, left_ms(r));
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_redis *r = w->data;

	(void)loop;
	(void)revents;
	if (r->state == DOWN) {
		begin(r);
	} else if (r->state < READY) {
		sr_redis_fail(r, SR_ETIMEOUT, "no connection or no greeting in time");
	} else if (r->pubsub) {
		probe(r);
	} else {
		judge_deadline(r);
	}
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sr_redis *r = w->data;

	(void)loop;
	if (r->state == CONNECTING)
		on_connected(r);
	else if (revents & EV_READ)
		sr_redis_read(r);
	/* EV_WRITE needs nothing here: on_flush runs before the loop sleeps. */
}

struct sr_redis *sr_redis_new(struct ev_loop *loop, const struct sr_redis_options *options, const struct sr_redis_hooks *hooks, void *ctx,
                              struct sr_buf *why)
{
	struct sr_redis *r = sr_calloc(1, sizeof *r);

	if (!r || sr_address_parse(&r->address, options->url, why) != SR_OK)
		goto fail;
	r->password_file = sr_strdup(options->password_file);
	r->name = sr_strdup(options->name);
	if (!r->password_file || !r->name)
		goto fail;
	r->loop = loop;
	r->hooks = *hooks;
	r->ctx = ctx;
	r->pubsub = options->pubsub;
	r->load_scripts = options->load_scripts;
	r->once = options->once;
	r->silent = options->silent;
	r->fd = -1;
	r->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	r->reserve = r->null >= 0 ? fcntl(r->null, F_DUPFD_CLOEXEC, 3) : -1;
	r->tail = &r->head;
	r->last_error = SR_EDOWN;
	sr_buf_init(&r->out, SR_REDIS_OUT_MAX);
	sr_buf_init(&r->why, 256);
	sr_buf_init(&r->logged, 256);
	ev_init(&r->io, on_io);
	ev_init(&r->timer, on_timer);
	ev_prepare_init(&r->flush, sr_redis_on_flush);
	r->io.data = r->timer.data = r->flush.data = r;
	ev_prepare_start(loop, &r->flush);
	ev_unref(loop); /* the flush alone does not keep a loop running */
	return r;
fail:
	if (r) {
		free(r->password_file);
		free(r->name);
	}
	free(r);
	return NULL;
}

void sr_redis_start(struct sr_redis *r)
{
	if (r->state == DOWN)
		sr_redis_set_timer(r, 0);
}

void sr_redis_free(struct sr_redis *r)
{
	if (!r)
		return;
	drop_connection(r);
	if (r->reserve >= 0)
		close(r->reserve);
	if (r->null >= 0)
		close(r->null);
	sr_redis_fail_pending(r, SR_EDOWN);
	ev_ref(r->loop);
	ev_prepare_stop(r->loop, &r->flush);
	sr_buf_release(&r->why);
	sr_buf_release(&r->logged);
	free(r->password_file);
	free(r->name);
	free(r);
}
