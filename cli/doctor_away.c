/* doctor_away.c - web-fallback: what do clients get while sse-fcgi is away? The socket is renamed for that moment, and comes back however
 * this process ends, but for SIGKILL. See doctor_probe.h. */
#include "cli/doctor_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BACK_MS 8000 /* lighttpd asks a responder that was away again after a second */

/* ---- the socket ---- */

static char here[PATH_MAX], aside[PATH_MAX + 32]; /* `aside` is "" while the socket is where it belongs */

/* Never over another socket, which a responder that was started meanwhile may have put there. */
static int put_back(void)
{
	int failed = *aside && renameat2(AT_FDCWD, aside, AT_FDCWD, here, RENAME_NOREPLACE) < 0 ? errno : 0;

	if (!failed)
		*aside = '\0';
	return failed;
}

static void put_back_at_exit(void)
{
	put_back();
}

static int put_aside(const char *path)
{
	static bool registered;
	char name[9];

	if (!registered && atexit(put_back_at_exit) != 0)
		return ENOMEM;
	registered = true;
	sr_random_name(name, 8);
	snprintf(here, sizeof here, "%s", path);
	snprintf(aside, sizeof aside, "%s.%s", path, name);
	if (renameat2(AT_FDCWD, here, AT_FDCWD, aside, RENAME_NOREPLACE) == 0)
		return 0;
	*aside = '\0';
	return errno;
}

/* ---- what clients get ---- */

static bool check_stream(struct sr_probe *p, const char *id)
{
	struct sr_exchange *x = sr_probe_get(p, sr_probe_url(p, id, ""), sr_probe_fields(p, NULL, NULL, NULL));
	const char *type = x ? sr_exchange_field(x, "Content-Type") : NULL;
	bool served = x && sr_exchange_field(x, "X-Stream-Id");
	bool good = x && !served && x->status == 200 && type && strncmp(type, "text/event-stream", 17) == 0 && strstr(sr_buf_text(&x->body), "retry: ");

	if (served)
		sr_probe_bad_else(p, "web-fallback", "give the --socket that the web server's configuration names", "the stream was still served by sse-fcgi: %s is not its socket", here);
	else if (x && !good)
		sr_probe_bad(p, "web-fallback", SR_TROUBLE_FALLBACK, "while sse-fcgi is away a stream is answered %d, %.80s: an EventSource stops for good at any status but 200",
		             x->status, type ? type : "no Content-Type");
	sr_exchange_free(x);
	return good;
}

static bool check_recover(struct sr_probe *p, const char *id)
{
	struct sr_exchange *x = sr_probe_get(p, sr_probe_url(p, id, "/recover"), sr_probe_fields(p, NULL, NULL, NULL));
	const char *type = x ? sr_exchange_field(x, "Content-Type") : NULL;
	bool good = x && x->status == 503 && type && strncmp(type, "application/json", 16) == 0 && sr_exchange_field(x, "Retry-After");

	if (x && !good)
		sr_probe_bad(p, "web-fallback", SR_TROUBLE_FALLBACK, "while sse-fcgi is away /recover is answered %d, %.80s%s, in place of 503 in JSON with Retry-After", x->status,
		             type ? type : "no Content-Type", sr_exchange_field(x, "Retry-After") ? "" : ", without Retry-After");
	sr_exchange_free(x);
	return good;
}

/* ---- and back again ---- */

static bool serves_again(struct sr_probe *p, const char *id)
{
	struct sr_exchange *x = sr_probe_get(p, sr_probe_url(p, id, "/recover"), sr_probe_fields(p, NULL, NULL, NULL));
	bool serves = x && x->status == 200;

	sr_exchange_free(x);
	return serves;
}

static bool is_late(struct sr_probe *p, void *ctx)
{
	(void)p;
	return sr_clock_mono() >= *(const sr_mono_ms *)ctx;
}

static bool wait_for_service(struct sr_probe *p, const char *id)
{
	sr_mono_ms end = sr_clock_mono() + BACK_MS;

	while (!serves_again(p, id)) {
		sr_mono_ms next = sr_clock_mono() + 200;

		if (next > end || !sr_probe_wait(p, 1000, is_late, &next))
			return false;
	}
	return true;
}

static void try_it(struct sr_probe *p, const char *id, const char *path)
{
	const char *user = p->user[0] ? p->user : "nobody";
	bool good = false;
	sigset_t before;
	int failed;

	sr_doctor_wait(p->d, "sse-fcgi is away for a moment");
	sr_probe_hold_signals(&before);
	failed = put_aside(path);
	if (failed) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		sr_probe_note(p, "web-fallback", "not tried: %s cannot be renamed: %s", path, strerror(failed));
		return;
	}
	good = check_stream(p, id) && check_recover(p, id);
	failed = put_back();
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		sr_ctl_note(p->d->ctl, NULL, "cannot rename %s to %s: %s: do it by hand, if no new socket is there", aside, here, strerror(failed));
		return;
	}
	if (!wait_for_service(p, id))
		sr_probe_bad(p, "web-fallback", SR_TROUBLE_RESPONDER, "the socket is back, but after %d s streams of %s are not served yet", BACK_MS / 1000, user);
	else if (good)
		sr_probe_good(p, "web-fallback", "while sse-fcgi is away streams get 200 with retry:, /recover 503 in JSON; and the service is back");
}

void sr_probe_away(struct sr_probe *p)
{
	const char *path = p->d->ctl->flag[SR_FLAG_SOCKET];
	struct stat st;
	char end[SR_EVENT_ID_SIZE];
	const char *id;

	if (!p->d->ctl->flag[SR_FLAG_DISRUPTIVE] || !path || *path != '/') {
		sr_probe_note(p, "web-fallback", "what clients get while sse-fcgi is away was not tried: --disruptive --socket PATH does, for about a second");
		return;
	}
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || strlen(path) >= sizeof here) {
		sr_probe_note(p, "web-fallback", "not tried: %s is no socket", path);
		return;
	}
	id = sr_probe_stream(p, p->user);
	if (id && sr_probe_emit(p, id, "completed", end)) /* an answer that ends, and that stays */
		try_it(p, id, path);
}
