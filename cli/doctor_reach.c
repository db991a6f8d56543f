/* doctor_reach.c - is it sse-fcgi that answers, with the doctor's own stream? Everything else builds on that, so whatever is wrong
 * here is told apart by what the answer shows, and is the only finding. See doctor_probe.h. */
#include "cli/doctor_probe.h"

#include <string.h>

#define HEAD_MS 12000      /* connecting, and an answer that is slow */
#define HELD_MS 2000       /* the registry knows the viewer, and still nothing comes */
#define CONNECTED_MS 3000  /* from the header to `connected` */
#define FIRST_BYTE_MS 1000

/* ---- an answer that is none of ours ---- */

static const char *media_type(const struct sr_exchange *x)
{
	const char *type = sr_exchange_field(x, "Content-Type");

	return type ? type : "no Content-Type";
}

static bool is_stream(const struct sr_exchange *x)
{
	return strncmp(media_type(x), "text/event-stream", 17) == 0;
}

/* What sse-fcgi itself says in JSON; it begins {"error":" */
static bool says(const struct sr_exchange *x, const char *words)
{
	return strncmp(media_type(x), "application/json", 16) == 0 && strstr(sr_buf_text(&x->body), words);
}

static void judge_401(struct sr_probe *p, const struct sr_exchange *x)
{
	static const char cure[] = "give --header-file FILE with the line \"Authorization: Basic …\" (or the site's Cookie: …) of a user who may read,\n"
	                           "and --user NAME where no Basic in it names the user";
	bool given = p->own[0] != NULL;

	if (says(x, "user_variable"))
		sr_probe_bad(p, "web-reach", SR_TROUBLE_USER, "401 from sse-fcgi: %s named no user in %s%s", sr_front_name(p->site.front),
		             p->site.variable, given ? "" : "; or no --header-file was given that makes it name one (and --user)");
	else
		sr_probe_bad_else(p, "web-reach", cure, "401 from %s: it %s", sr_front_name(p->site.front),
		                  given ? "does not accept what --header-file says" : "wants to know who asks");
}

static void judge_404(struct sr_probe *p, const struct sr_exchange *x)
{
	static const char cure[] = "--user must be the very name that the web server gives to sse-fcgi, or be in the Authorization: Basic of --header-file;\n"
	                           "and both programs must read the same redis_url and key_prefix (compare --dump-config)";

	if (says(x, "below the option mount"))
		sr_probe_bad_else(p, "web-reach", "one of the two is wrong: the option mount, or the mount point in the web server's configuration and in this URL",
		                  "sse-fcgi answers 404: the path it gets is not below its option mount (here it is %s)", p->site.mount);
	else if (says(x, "no such stream"))
		sr_probe_bad_else(p, "web-reach", cure, "sse-fcgi answers 404: it does not find a stream that was opened for %s%s%s in Redis",
		                  p->user[0] ? "the user '" : "nobody", p->user, p->user[0] ? "'" : "");
	else
		sr_probe_bad(p, "web-reach", SR_TROUBLE_ROUTE, "404, and not from sse-fcgi: the URL is wrong, or %s does not pass it on", sr_front_name(p->site.front));
}

static void judge_status(struct sr_probe *p, const struct sr_exchange *x)
{
	const char *to = sr_exchange_field(x, "Location");

	if (x->status == 401)
		judge_401(p, x);
	else if (x->status == 404)
		judge_404(p, x);
	else if (x->status >= 300 && x->status < 400)
		sr_probe_bad_else(p, "web-reach", "give the URL that it leads to; pages must use that, too: a stream must not be redirected at each reconnect",
		                  "%d to %.200s", x->status, to ? to : "nowhere");
	else if (x->status == 403)
		sr_probe_bad_else(p, "web-reach", "allow this user (--header-file) and this address to read below the mount point",
		                  "403: %s forbids it", sr_front_name(p->site.front));
	else if (x->status == 400 && says(x, "a stream id is"))
		sr_probe_bad(p, "web-reach", SR_TROUBLE_PATH_INFO, "sse-fcgi gets no stream id: PATH_INFO is missing");
	else if (x->status >= 500)
		sr_probe_bad(p, "web-reach", SR_TROUBLE_RESPONDER, "%d from %s: it does not reach sse-fcgi, or that fails", x->status, sr_front_name(p->site.front));
	else
		sr_probe_bad(p, "web-reach", SR_TROUBLE_ROUTE, "%d, %.80s: this is not sse-fcgi's answer to a stream", x->status, media_type(x));
}

static void judge_failure(struct sr_probe *p, const struct sr_exchange *x)
{
	const char *cure = "is the web server running, the name right, the port open?";

	if (strstr(x->why, "certificate") || strstr(x->why, "SSL"))
		cure = "a certificate that browsers trust, with its whole chain; --cacert FILE for an authority of your own";
	sr_probe_bad_else(p, "web-reach", cure, "no answer: %.200s", *x->why ? x->why : "the connection was closed");
}

/* 200, `text/event-stream` and `retry:`, but nothing of sse-fcgi's: what the shipped configurations say in its place. */
static bool is_fallback(const struct sr_probe *p)
{
	return p->watch.retry && !p->watch.guarded && !sr_exchange_field(p->watch.exchange, "X-Stream-Id");
}

/* ---- waiting for it ---- */

struct arrival { const char *id; sr_mono_ms attached; };

static bool is_held(struct sr_probe *p, struct arrival *a)
{
	if (!a->attached && sr_probe_viewers(p, a->id) > 0)
		a->attached = sr_clock_mono();
	return a->attached && sr_clock_mono() - a->attached > HELD_MS;
}

static bool has_head(struct sr_probe *p, void *ctx)
{
	const struct sr_exchange *x = p->watch.exchange;

	return x->status || x->ended || is_held(p, ctx);
}

static bool has_whole_answer(struct sr_probe *p, void *ctx)
{
	(void)ctx;
	return p->watch.exchange->ended;
}

static bool is_connected(struct sr_probe *p, void *ctx)
{
	(void)ctx;
	return sr_watch_find(&p->watch, 0, "connected") || p->watch.exchange->ended || is_fallback(p);
}

static enum sr_reached judge_silence(struct sr_probe *p, const char *id)
{
	static const char cure[] = "sse-fcgi must read the same redis_url and key_prefix, and reach that Redis (its log says so);\n"
	                           "and --user must be the very name that the web server gives to it";

	if (is_fallback(p)) {
		sr_probe_bad(p, "web-reach", SR_TROUBLE_RESPONDER, "%s does not reach sse-fcgi: it answers in its place, with retry:", sr_front_name(p->site.front));
	} else if (sr_probe_viewers(p, id) > 0 && !p->watch.exchange->ended) {
		sr_probe_say_buffered(p, id, p->watch.blocks ? "only the beginning of the stream came" : "nothing of the stream came");
		return SR_REACHED_BUFFERED;
	} else if (p->watch.guarded) {
		sr_probe_bad_else(p, "web-reach", cure, "sse-fcgi answers, and waits for a stream that is open in Redis here");
	} else {
		sr_probe_bad(p, "web-reach", SR_TROUBLE_ROUTE, "200 text/event-stream, but it is not sse-fcgi's: no guard block, no connected event");
	}
	return SR_UNREACHED;
}

/* ---- what the header shows ---- */

static const char *version_name(int version)
{
	switch (version) {
	case 10: return "HTTP/1.0";
	case 20: return "HTTP/2";
	case 30: return "HTTP/3";
	default: return "HTTP/1.1";
	}
}

static void check_http_version(struct sr_probe *p, const struct sr_exchange *x)
{
	if (x->version >= 20)
		sr_probe_good(p, "web-http-version", "%s: one connection for all streams of a browser", version_name(x->version));
	else if (strncmp(p->d->url, "https:", 6) == 0)
		sr_probe_bad(p, "web-http-version", SR_TROUBLE_HTTP2, "%s over TLS: a browser holds six connections to a host, so the seventh tab hangs",
		             version_name(x->version));
	else
		sr_probe_note(p, "web-http-version", "%s without TLS: a browser holds six streams to a host, more hang; with https and HTTP/2 there is no such limit",
		              version_name(x->version));
}

static void check_first_byte(struct sr_probe *p, const struct sr_exchange *x)
{
	long long ms = (long long)(x->headed - x->started);

	if (ms < FIRST_BYTE_MS)
		sr_probe_good(p, "web-first-byte", "after %lld ms, with the connection", ms);
	else
		sr_probe_note(p, "web-first-byte", "after %lld ms, with the connection: look at the name's lookup, TLS, the password's hash, the load", ms);
}

static void check_headers(struct sr_probe *p, const struct sr_exchange *x)
{
	p->headers_changed = !sr_exchange_mentions(x, "Cache-Control", "no-cache") || !sr_exchange_mentions(x, "Cache-Control", "no-transform") ||
	                     sr_exchange_mentions(x, "Cache-Control", "max-age");
	if (sr_exchange_field(x, "Content-Length"))
		sr_probe_bad(p, "web-headers", SR_TROUBLE_HEADERS, "Content-Length: %.20s on a stream that has no end yet", sr_exchange_field(x, "Content-Length"));
	else if (p->headers_changed)
		sr_probe_bad(p, "web-headers", SR_TROUBLE_HEADERS, "Cache-Control: %.80s arrives in place of sse-fcgi's no-cache, no-transform",
		             sr_exchange_field(x, "Cache-Control") ? sr_exchange_field(x, "Cache-Control") : "(none)");
	else if (!sr_exchange_field(x, "X-Stream-Id"))
		sr_probe_bad(p, "web-headers", SR_TROUBLE_HEADERS, "X-Stream-Id does not arrive");
	else
		sr_probe_good(p, "web-headers", "Cache-Control and X-Stream-Id arrive as they were sent");
}

static void report(struct sr_probe *p)
{
	const struct sr_exchange *x = p->watch.exchange;

	sr_probe_good(p, "web-reach", "200 text/event-stream from %s, with sse-fcgi's guard and connected event", p->server[0] ? p->server : "a server that hides its name");
	check_first_byte(p, x);
	check_http_version(p, x);
	check_headers(p, x);
}

enum sr_reached sr_probe_reach(struct sr_probe *p, const char *id)
{
	static const char other_redis[] = "sse-fcgi must read the same redis_url and key_prefix as this program (compare --dump-config)";
	struct arrival arrival = {.id = id};
	const struct sr_exchange *x;
	bool answered;

	sr_doctor_wait(p->d, "asking %s for a stream", p->d->url);
	if (!sr_probe_watch(p, &p->watch, id, NULL))
		return SR_UNREACHED;
	x = p->watch.exchange;
	answered = sr_probe_wait(p, HEAD_MS, has_head, &arrival);
	sr_probe_meet(p, x);
	if (arrival.attached && !x->status && !x->ended) {
		sr_probe_say_buffered(p, id, "nothing came, not even the header,");
		return SR_REACHED_BUFFERED;
	}
	if (!answered || !x->status) {
		if (!answered)
			sr_probe_bad_else(p, "web-reach", "is the web server at its limit of connections? does sse-fcgi run, and take connections?",
			                  "no answer within %d s", HEAD_MS / 1000);
		else
			judge_failure(p, x);
		return SR_UNREACHED;
	}
	if (x->status != 200 || !is_stream(x)) {
		sr_probe_wait(p, CONNECTED_MS, has_whole_answer, NULL);
		judge_status(p, x);
		return SR_UNREACHED;
	}
	sr_probe_wait(p, CONNECTED_MS, is_connected, NULL);
	if (!sr_watch_find(&p->watch, 0, "connected") || !p->watch.guarded)
		return judge_silence(p, id);
	if (sr_probe_viewers(p, id) == 0) {
		sr_probe_bad_else(p, "web-reach", other_redis, "sse-fcgi serves a stream of this id from another Redis, or under another key_prefix");
		return SR_UNREACHED;
	}
	report(p);
	return SR_REACHED;
}
