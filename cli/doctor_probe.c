/* doctor_probe.c - see doctor_probe.h. */
#include "cli/doctor_probe.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRETS_MAX (64 * 1024 + 2) /* what sr_conf_secrets() may need, and a NUL */
#define TURN_MS 25    /* between two looks at Redis */
#define ANSWER_MS 10000
#define LEAVING_MS 1000
#define SAY_MAX 1024

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { SIGNALS = sizeof signals / sizeof *signals };

static bool is_held(void)
{
	sigset_t pending;
	bool held = false;

	sigpending(&pending);
	for (int i = 0; i < SIGNALS; i++)
		held |= sigismember(&pending, signals[i]) == 1;
	return held;
}

bool sr_probe_over(const struct sr_probe *p)
{
	return p->code || sr_doctor_interrupted() || is_held();
}

/* One that is ignored (nohup) stays so: held back, it would be pending. Ctrl-Z waits, too, but ends nothing. */
void sr_probe_hold_signals(sigset_t *before)
{
	struct sigaction now;
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGTSTP);
	for (int i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&held, signals[i]);
	sigprocmask(SIG_BLOCK, &held, before);
}

/* ---- streams ---- */

static bool call(struct sr_probe *p, const char *id, struct sr_call *c, struct sr_reply **reply)
{
	if (p->code) {
		sr_call_release(c);
		*reply = NULL;
		return false;
	}
	p->code = sr_ctl_call(p->d->ctl, id, c, reply);
	return p->code == 0;
}

const char *sr_probe_stream(struct sr_probe *p, const char *user)
{
	char *id = p->streams[p->stream_count], tail[17];
	struct sr_open_result opened;
	struct sr_reply *reply;
	struct sr_call c;

	if (sr_probe_over(p) || p->stream_count == SR_PROBE_STREAMS)
		return NULL;
	sr_random_name(tail, 16);
	snprintf(id, sizeof p->streams[0], "doctor-%s", tail);
	sr_open_call(&c, &p->d->ctl->reg, &(struct sr_open){.id = id, .user = user, .type = "doctor"});
	if (!call(p, id, &c, &reply))
		return NULL;
	if (sr_open_read(reply, &opened) != SR_OK || opened.outcome != SR_NEW)
		p->code = sr_ctl_odd_reply(p->d->ctl, id);
	sr_reply_free(reply);
	if (p->code)
		return NULL;
	p->stream_count++;
	return id;
}

bool sr_probe_emit(struct sr_probe *p, const char *id, const char *type, char event[SR_EVENT_ID_SIZE])
{
	struct sr_publish publish = {.id = id, .user = "", .producer = "doctor", .n = ++p->n};
	struct sr_publish_result stored;
	struct sr_reply *reply;
	struct sr_call c;

	if (sr_event_type_terminal(type, strlen(type))) {
		sr_end_call(&c, &p->d->ctl->reg, &publish, type, "{}", 2);
	} else {
		sr_publish_call(&c, &p->d->ctl->reg, &publish);
		sr_publish_add(&c, type, "{}", 2);
	}
	*event = '\0';
	if (!call(p, id, &c, &reply))
		return false;
	if (sr_publish_read(reply, &stored) != SR_OK)
		p->code = sr_ctl_odd_reply(p->d->ctl, id);
	else if (stored.count)
		snprintf(event, SR_EVENT_ID_SIZE, "%s", sr_publish_id(reply, 0));
	sr_reply_free(reply);
	return !p->code && *event;
}

long long sr_probe_viewers(struct sr_probe *p, const char *id)
{
	long long count = 0;
	struct sr_reply *reply;
	struct sr_call c;

	sr_ctl_plain(&c, p->d->ctl, "HGETALL", SR_KEY_VIEWERS, id);
	if (!call(p, id, &c, &reply))
		return -1;
	for (size_t i = 1; i < sr_reply_count(reply); i += 2)
		count += strtoll(sr_reply_text_at(reply, i, NULL), NULL, 10); /* "viewers ms" */
	sr_reply_free(reply);
	return count;
}

/* ---- requests ---- */

bool sr_probe_field_is(const char *field, const char *name)
{
	size_t len = strlen(name);

	return strncasecmp(field, name, len) == 0 && field[len] == ':';
}

const char *sr_probe_url(struct sr_probe *p, const char *id, const char *page)
{
	sr_buf_reset(&p->url);
	if (sr_buf_printf(&p->url, "%s/%s%s", p->d->url, id, page) != SR_OK)
		sr_buf_reset(&p->url);
	return sr_buf_text(&p->url);
}

const char *const *sr_probe_fields(struct sr_probe *p, const char *without, const char *one, const char *two)
{
	const char **at = p->sent;

	*at++ = "Accept: text/event-stream";
	*at++ = "Cache-Control: no-cache"; /* as browsers send them */
	for (const char **own = p->own; *own; own++)
		if (!without || !sr_probe_field_is(*own, without))
			*at++ = *own;
	if (one)
		*at++ = one;
	if (two)
		*at++ = two;
	*at = NULL;
	return p->sent;
}

bool sr_probe_watch(struct sr_probe *p, struct sr_watch *w, const char *id, const char *one)
{
	return !sr_probe_over(p) && sr_watch_open(w, p->web, sr_probe_url(p, id, ""), sr_probe_fields(p, NULL, one, NULL));
}

static bool has_ended(struct sr_probe *p, void *ctx)
{
	const struct sr_exchange *x = ctx;

	(void)p;
	return x->ended;
}

struct sr_exchange *sr_probe_get(struct sr_probe *p, const char *url, const char *const *fields)
{
	struct sr_exchange *x = sr_probe_over(p) ? NULL : sr_web_get(p->web, url, fields);

	if (!x)
		return NULL;
	if (!sr_probe_wait(p, ANSWER_MS, has_ended, x) && !sr_probe_over(p))
		snprintf(x->why, sizeof x->why, "no end of the answer within %d s", ANSWER_MS / 1000);
	if (!sr_probe_over(p)) {
		sr_probe_meet(p, x);
		return x;
	}
	sr_exchange_free(x);
	return NULL;
}

/* Into one line of plain text: it is somebody else's. */
static void copy_plain(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		out[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
	out[n] = '\0';
}

void sr_probe_meet(struct sr_probe *p, const struct sr_exchange *x)
{
	const char *server = sr_exchange_field(x, "Server");

	if (p->server[0] || !server)
		return;
	copy_plain(p->server, sizeof p->server, server);
	p->site.front = sr_front_of(server);
}

/* ---- waiting ---- */

bool sr_probe_wait(struct sr_probe *p, int64_t ms, sr_probe_done *done, void *ctx)
{
	sr_mono_ms until = sr_clock_mono() + ms;

	for (;;) {
		sr_mono_ms now;

		sr_watch_read(&p->watch);
		sr_watch_read(&p->second);
		if (sr_probe_over(p))
			return false;
		if (done(p, ctx))
			return true;
		now = sr_clock_mono();
		if (now >= until)
			return false;
		sr_web_work(p->web, until - now < TURN_MS ? until - now : TURN_MS);
	}
}

/* ---- saying ---- */

static void say(struct sr_probe *p, enum sr_finding finding, const char *check, const char *cure, const char *format, va_list ap)
{
	char text[SAY_MAX];

	if (sr_probe_over(p))
		return;
	vsnprintf(text, sizeof text, format, ap);
	copy_plain(text, sizeof text, text);
	sr_doctor_say(p->d, finding, check, cure, "%s", text);
}

void sr_probe_good(struct sr_probe *p, const char *check, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(p, SR_GOOD, check, NULL, format, ap);
	va_end(ap);
}

void sr_probe_note(struct sr_probe *p, const char *check, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(p, SR_NOTE, check, NULL, format, ap);
	va_end(ap);
}

void sr_probe_bad(struct sr_probe *p, const char *check, enum sr_trouble trouble, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(p, SR_BAD, check, sr_cure(&p->cure, &p->site, trouble), format, ap);
	va_end(ap);
}

void sr_probe_bad_else(struct sr_probe *p, const char *check, const char *cure, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(p, SR_BAD, check, cure, format, ap);
	va_end(ap);
}

/* ---- its own life ---- */

int sr_probe_init(struct sr_probe *p, struct sr_doctor *d)
{
	const char *user = sr_ctl_user(d->ctl), *socket = d->ctl->flag[SR_FLAG_SOCKET];
	const struct sr_conf *conf = &d->ctl->conf;
	struct sr_buf why;
	int code;

	*p = (struct sr_probe){.d = d, .site = {.front = SR_FRONT_UNKNOWN, .mount = conf->mount, .variable = conf->user_variable,
	                                        .socket = socket ? socket : "/run/sse-resilience/fcgi.sock", .heartbeat_ms = conf->heartbeat_interval}};
	sr_buf_init(&p->secrets, SECRETS_MAX);
	sr_buf_init(&p->url, 8192);
	sr_buf_init(&p->cure, 16384);
	if (!user)
		return SR_EX_USAGE;
	snprintf(p->user, sizeof p->user, "%s", user);
	code = sr_probe_identify(p);
	if (code)
		return code;
	sr_buf_init(&why, 1024);
	p->web = sr_web_new(d->ctl->flag[SR_FLAG_CACERT], &why);
	if (!p->web)
		code = sr_ctl_fail(d->ctl, SR_EX_CONFIG, NULL, "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	return code;
}

/* Their end sends home whoever still watches them: a viewer of a stream that is gone would register it anew. */
static bool are_left(struct sr_probe *p, void *ctx)
{
	long long viewers = 0;

	(void)ctx;
	for (size_t i = 0; i < p->stream_count && !p->code; i++)
		viewers += sr_probe_viewers(p, p->streams[i]);
	return viewers <= 0;
}

static void remove_stream(struct sr_probe *p, const char *id)
{
	static const enum sr_key others[] = {SR_KEY_COMPLETION, SR_KEY_EVENTS, SR_KEY_VIEWERS};
	struct sr_reply *reply;
	struct sr_call c;

	sr_ctl_plain(&c, p->d->ctl, "DEL", SR_KEY_STREAM, id);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		sr_call_name(&c, p->d->ctl->reg.prefix, others[i], id);
	call(p, id, &c, &reply);
	sr_reply_free(reply);
}

static void remove_streams(struct sr_probe *p)
{
	char event[SR_EVENT_ID_SIZE];

	for (size_t i = 0; i < p->stream_count; i++)
		sr_probe_emit(p, p->streams[i], "cancelled", event);
	if (p->stream_count)
		sr_probe_wait(p, LEAVING_MS, are_left, NULL);
	for (size_t i = 0; i < p->stream_count; i++)
		remove_stream(p, p->streams[i]);
}

void sr_probe_release(struct sr_probe *p)
{
	sr_watch_close(&p->watch);
	sr_watch_close(&p->second);
	remove_streams(p);
	sr_web_free(p->web);
	if (p->secrets.data)
		explicit_bzero(p->secrets.data, p->secrets.cap);
	sr_buf_release(&p->secrets);
	sr_buf_release(&p->url);
	sr_buf_release(&p->cure);
}
