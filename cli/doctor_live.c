/* doctor_live.c - the life of one stream through the web server, in the order of its events. See doctor_probe.h. */
#include "cli/doctor_probe.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS 5
#define EVENT_MS 1000      /* an event that takes longer is held back somewhere */
#define EVENTS_MS 5000     /* for all of them */
#define STEP_MS 5000       /* an answer, an event, an end */
#define HEARTBEAT_SLACK_MS 5000
#define LEFT_MS 2000       /* at once, as people would call it */

static double seconds(int64_t ms)
{
	return (double)ms / 1000;
}

/* ---- waiting for one thing of p->watch ---- */

struct awaited { const char *id; };

static bool has_event(struct sr_probe *p, void *ctx)
{
	const struct awaited *a = ctx;

	return sr_watch_find_id(&p->watch, a->id) || p->watch.exchange->ended;
}

static bool is_connected(struct sr_probe *p, void *ctx)
{
	const struct sr_watch *w = ctx;

	(void)p;
	return sr_watch_find(w, 0, "connected") || w->exchange->ended;
}

static bool is_ended(struct sr_probe *p, void *ctx)
{
	(void)ctx;
	return p->watch.exchange->ended;
}

static bool has_more(struct sr_probe *p, void *ctx)
{
	const size_t *before = ctx;

	return p->watch.count > *before || p->watch.exchange->ended;
}

/* ---- web-buffering ---- */

void sr_probe_say_buffered(struct sr_probe *p, const char *id, const char *what)
{
	size_t before = p->watch.count;

	if (!sr_probe_emit(p, id, "completed", p->end))
		return;
	sr_probe_wait(p, STEP_MS, has_more, &before);
	sr_probe_meet(p, p->watch.exchange); /* its header may have come only now */
	sr_probe_bad(p, "web-buffering", SR_TROUBLE_BUFFERING, "%s while the stream lived; %s", what,
	             p->watch.count > before ? "all of it came at once when the stream had ended" : "nor when it had ended");
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* One after the other, each when the former has come. Returns how many came, and how long each took. */
static int send_events(struct sr_probe *p, const char *id, int64_t took[EVENTS], char last[SR_EVENT_ID_SIZE])
{
	sr_mono_ms begin = sr_clock_mono();
	int n = 0;

	for (; n < EVENTS; n++) {
		sr_mono_ms sent = sr_clock_mono();
		const struct sr_watched *e;

		if (!sr_probe_emit(p, id, "progress", last) || !sr_probe_wait(p, begin + EVENTS_MS - sent, has_event, &(struct awaited){last}))
			break;
		e = sr_watch_find_id(&p->watch, last);
		if (!e)
			break;
		took[n] = e->at - sent;
		if (took[n] > EVENT_MS)
			return n + 1;
	}
	return n;
}

static bool check_buffering(struct sr_probe *p, const char *id, char last[SR_EVENT_ID_SIZE])
{
	int64_t took[EVENTS] = {0};
	int came;

	sr_doctor_wait(p->d, "sending events");
	came = send_events(p, id, took, last);
	if (sr_probe_over(p))
		return false;
	if (came == EVENTS && took[EVENTS - 1] <= EVENT_MS) {
		qsort(took, EVENTS, sizeof *took, by_size);
		sr_probe_good(p, "web-buffering", "%d events, each %lld ms after it was stored (median; worst %lld ms)", EVENTS, (long long)took[EVENTS / 2],
		              (long long)took[EVENTS - 1]);
		return true;
	}
	if (p->watch.exchange->ended)
		sr_probe_bad(p, "web-heartbeat", SR_TROUBLE_TIMEOUT, "the stream was cut within %.1f s (%.200s)",
		             seconds(sr_clock_mono() - p->watch.exchange->headed), *p->watch.exchange->why ? p->watch.exchange->why : "an orderly end");
	else if (came && took[came - 1] > EVENT_MS)
		sr_probe_bad(p, "web-buffering", SR_TROUBLE_BUFFERING, "an event came %.1f s after it was stored", seconds(took[came - 1]));
	else
		sr_probe_say_buffered(p, id, came ? "only some events came" : "no event came");
	return false;
}

/* ---- web-compression ---- */

static bool is_headed(struct sr_probe *p, void *ctx)
{
	(void)ctx;
	return p->second.exchange->status || p->second.exchange->ended;
}

static void check_compression(struct sr_probe *p, const char *id)
{
	const char *coding;

	if (!sr_probe_watch(p, &p->second, id, "Accept-Encoding: gzip, deflate, br"))
		return;
	sr_probe_wait(p, STEP_MS, is_headed, NULL);
	coding = sr_exchange_field(p->second.exchange, "Content-Encoding");
	if (coding && strcmp(coding, "identity") != 0)
		sr_probe_bad(p, "web-compression", SR_TROUBLE_COMPRESSION, "a stream is compressed (%.40s) for browsers, which all offer that: events wait for a full block",
		             coding);
	else if (p->second.exchange->status != 200)
		sr_probe_bad(p, "web-compression", SR_TROUBLE_COMPRESSION, "no stream with Accept-Encoding: gzip, deflate, br, as all browsers send it");
	else
		sr_probe_good(p, "web-compression", "off, though it was offered");
	sr_watch_close(&p->second);
}

/* ---- web-heartbeat and web-disconnect, at the same time: both take heartbeats ---- */

struct leaving {
	const char *id;    /* a stream that its one viewer left; NULL = not judged */
	sr_mono_ms at;
	int64_t took;      /* -1 = the registry still knows the viewer */
	int64_t prompt, longest;
	unsigned comments; /* of p->watch, before */
	sr_mono_ms quiet;  /* since when p->watch is */
};

static void look_for_viewer(struct sr_probe *p, struct leaving *l)
{
	if (l->id && l->took < 0 && sr_probe_viewers(p, l->id) == 0)
		l->took = sr_clock_mono() - l->at;
}

static bool has_beaten(struct sr_probe *p, void *ctx)
{
	struct leaving *l = ctx;

	look_for_viewer(p, l);
	return p->watch.comments > l->comments || p->watch.exchange->ended;
}

static bool has_left(struct sr_probe *p, void *ctx)
{
	struct leaving *l = ctx;

	look_for_viewer(p, l);
	return l->took >= 0 || !l->id;
}

static void leave(struct sr_probe *p, struct leaving *l)
{
	const char *id = sr_probe_stream(p, p->user);

	if (!id || !sr_probe_watch(p, &p->second, id, NULL))
		return;
	sr_probe_wait(p, STEP_MS, is_connected, &p->second);
	if (sr_watch_find(&p->second, 0, "connected"))
		l->id = id;
	sr_watch_close(&p->second);
	l->at = sr_clock_mono();
}

static bool check_heartbeat(struct sr_probe *p, struct leaving *l)
{
	int64_t interval = p->site.heartbeat_ms;
	const struct sr_exchange *x = p->watch.exchange;
	bool came;

	sr_doctor_wait(p->d, "waiting %.0f s for a heartbeat", seconds(interval));
	came = sr_probe_wait(p, interval + HEARTBEAT_SLACK_MS, has_beaten, l);
	if (!came) {
		sr_probe_bad(p, "web-heartbeat", SR_TROUBLE_BUFFERING, "no comment within %.1f s of silence, though heartbeat_interval is %.1f s: is it held back, or set"
		             " differently for sse-fcgi?", seconds(interval + HEARTBEAT_SLACK_MS), seconds(interval));
		return true;
	}
	if (p->watch.comments > l->comments) {
		sr_probe_good(p, "web-heartbeat", "the quiet stream stayed open, a comment came after %.1f s", seconds(x->arrived - l->quiet));
		return true;
	}
	sr_probe_bad(p, "web-heartbeat", SR_TROUBLE_TIMEOUT, "a quiet stream is cut after %.1f s, before the heartbeat (every %.1f s) could come",
	             seconds(sr_clock_mono() - l->quiet), seconds(interval));
	return false;
}

static void judge_leaving(struct sr_probe *p, const struct leaving *l)
{
	enum sr_front front = p->site.front;

	if (l->took >= 0 && l->took <= l->prompt)
		sr_probe_good(p, "web-disconnect", "a client that left was noticed after %.1f s", seconds(l->took));
	else if (l->took >= 0 && front == SR_FRONT_APACHE)
		sr_probe_good(p, "web-disconnect", "a client that left was noticed after %.1f s: at a heartbeat, as Apache does", seconds(l->took));
	else if (l->took >= 0 && front == SR_FRONT_UNKNOWN)
		sr_probe_note(p, "web-disconnect", "a client that left was noticed after %.1f s, at a heartbeat: Apache cannot do better; lighttpd"
		              " (tcp-fin-propagate) and nginx (fastcgi_ignore_client_abort off) can", seconds(l->took));
	else if (l->took >= 0)
		sr_probe_bad(p, "web-disconnect", SR_TROUBLE_LEAVING, "a client that left was noticed only after %.1f s", seconds(l->took));
	else
		sr_probe_bad(p, "web-disconnect", SR_TROUBLE_LEAVING, "a client that left was not noticed within %.1f s", seconds(sr_clock_mono() - l->at));
}

static void check_quiet(struct sr_probe *p)
{
	int64_t interval = p->site.heartbeat_ms, left;
	struct leaving l = {.took = -1, .prompt = interval / 2 < LEFT_MS ? interval / 2 : LEFT_MS, .comments = p->watch.comments,
	                    .quiet = p->watch.exchange->arrived};
	bool at_once = p->site.front == SR_FRONT_LIGHTTPD || p->site.front == SR_FRONT_NGINX;

	leave(p, &l);
	l.longest = at_once ? l.prompt : 2 * interval + LEFT_MS;
	if (!check_heartbeat(p, &l)) {
		sr_probe_note(p, "web-disconnect", "not judged: what cuts quiet streams does so with those that nobody reads");
		return;
	}
	left = l.at + l.longest - sr_clock_mono();
	if (l.id && l.took < 0 && left > 0) {
		sr_doctor_wait(p->d, "waiting %.0f s at most until a client that left is noticed", seconds(left));
		sr_probe_wait(p, left, has_left, &l);
	}
	if (l.id)
		judge_leaving(p, &l);
	else
		sr_probe_note(p, "web-disconnect", "not checked: a second stream could not be opened");
}

/* ---- web-resume ---- */

static void lost_position(struct sr_probe *p, const char *last)
{
	p->no_position = true;
	sr_probe_bad(p, "web-resume", SR_TROUBLE_LAST_EVENT_ID, "sse-fcgi did not get the header Last-Event-ID: the stream began after %s, not after %s",
	             p->watch.from, last);
}

static void judge_resume(struct sr_probe *p, const char *last, char (*sent)[SR_EVENT_ID_SIZE], size_t count)
{
	size_t events = 0;
	bool right = true;

	for (size_t i = 0; i < p->watch.count; i++) {
		if (strcmp(p->watch.events[i].type, "connected") == 0)
			continue;
		right = right && events < count && strcmp(p->watch.events[i].id, sent[events]) == 0;
		events++;
	}
	if (right && events == count)
		sr_probe_good(p, "web-resume", "after a cut, with Last-Event-ID, what was missed came, each event once");
	else if (p->watch.guarded && strcmp(p->watch.from, last) != 0)
		lost_position(p, last);
	else
		sr_probe_bad(p, "web-resume", SR_TROUBLE_BUFFERING, "after a cut %zu events came in place of %zu, or others than were missed", events, count);
}

static bool check_resume(struct sr_probe *p, const char *id, const char *last)
{
	char sent[3][SR_EVENT_ID_SIZE], field[SR_EVENT_ID_SIZE + 16];

	sr_watch_close(&p->watch);
	snprintf(field, sizeof field, "Last-Event-ID: %s", last);
	for (int i = 0; i < 2; i++)
		if (!sr_probe_emit(p, id, "progress", sent[i]))
			return false;
	if (!sr_probe_watch(p, &p->watch, id, field))
		return false;
	sr_probe_wait(p, STEP_MS, has_event, &(struct awaited){sent[1]});
	if (!sr_probe_emit(p, id, "progress", sent[2])) /* what came twice would come before it */
		return false;
	sr_probe_wait(p, STEP_MS, has_event, &(struct awaited){sent[2]});
	judge_resume(p, last, sent, 3);
	return !sr_probe_over(p) && !p->watch.exchange->ended;
}

/* ---- web-end, and what is finished ---- */

static void check_end(struct sr_probe *p, const char *id)
{
	if (!sr_probe_emit(p, id, "completed", p->end))
		return;
	sr_probe_wait(p, STEP_MS, has_event, &(struct awaited){p->end});
	sr_probe_wait(p, STEP_MS, is_ended, NULL);
	if (!sr_watch_find_id(&p->watch, p->end))
		sr_probe_bad(p, "web-end", SR_TROUBLE_BUFFERING, "the terminal event did not come");
	else if (!p->watch.exchange->ended)
		sr_probe_bad(p, "web-end", SR_TROUBLE_BUFFERING, "the terminal event came, but the response did not end");
	else
		sr_probe_good(p, "web-end", "the terminal event came, and the response ended");
}

static void check_204(struct sr_probe *p, const char *id)
{
	char field[SR_EVENT_ID_SIZE + 16];
	struct sr_exchange *x;

	if (p->no_position)
		return;
	snprintf(field, sizeof field, "Last-Event-ID: %s", p->end);
	x = sr_probe_get(p, sr_probe_url(p, id, ""), sr_probe_fields(p, NULL, field, NULL));
	if (!x)
		return;
	if (x->status == 204)
		sr_probe_good(p, "web-204", "a client that has the end is told to stop");
	else if (x->status)
		sr_probe_bad(p, "web-204", SR_TROUBLE_LAST_EVENT_ID, "%d in place of 204 for a client that has the end: it would reconnect for ever", x->status);
	else
		sr_probe_bad_else(p, "web-204", "look at the web server's log", "no answer: %.200s", x->why);
	sr_exchange_free(x);
}

static void check_recover(struct sr_probe *p, const char *id)
{
	struct sr_exchange *x = sr_probe_get(p, sr_probe_url(p, id, "/recover"), sr_probe_fields(p, NULL, NULL, NULL));
	const char *type = x ? sr_exchange_field(x, "Content-Type") : NULL;

	if (!x)
		return;
	if (x->status != 200 || !strstr(sr_buf_text(&x->body), "\"status\":\"completed\""))
		sr_probe_bad(p, "web-recover", SR_TROUBLE_ROUTE, "/recover of a completed stream answers %d, %.80s", x->status, type ? type : "no Content-Type");
	else if (!type || strncmp(type, "application/json", 16) != 0 || (!p->headers_changed && !sr_exchange_mentions(x, "Cache-Control", "no-store")))
		sr_probe_bad(p, "web-recover", SR_TROUBLE_HEADERS, "/recover arrives as %.80s, Cache-Control: %.80s in place of application/json, no-store", type ? type : "(none)",
		             sr_exchange_field(x, "Cache-Control") ? sr_exchange_field(x, "Cache-Control") : "(none)");
	else
		sr_probe_good(p, "web-recover", "JSON, and no-store");
	sr_exchange_free(x);
}

/* ---- all of it ---- */

void sr_probe_finished(struct sr_probe *p, const char *id)
{
	sr_watch_close(&p->watch);
	if (!p->end[0] && !sr_probe_emit(p, id, "completed", p->end))
		return;
	check_204(p, id);
	check_recover(p, id);
}

void sr_probe_live(struct sr_probe *p, const char *id)
{
	char last[SR_EVENT_ID_SIZE] = "";

	if (!check_buffering(p, id, last)) {
		sr_probe_note(p, "web-skipped", "compression, heartbeat, disconnect, resume and end: not checked while events do not come as they are stored");
		return;
	}
	check_compression(p, id);
	check_quiet(p);
	if (check_resume(p, id, last))
		check_end(p, id);
}
