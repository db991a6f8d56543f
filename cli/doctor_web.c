/* doctor_web.c - the checks through the web server, in an order in which one broken thing leads to one finding. See doctor_probe.h. */
#include "cli/doctor_probe.h"

#include "common/mem.h"
#include <stdlib.h>
#include <string.h>

static int check_url(const struct sr_doctor *d)
{
	const char *rest = strncmp(d->url, "https://", 8) == 0 ? d->url + 8 : strncmp(d->url, "http://", 7) == 0 ? d->url + 7 : NULL;
	size_t len = strlen(d->url);

	if (!rest || !*rest || *rest == '/' || len > 2000 || d->url[len - 1] == '/' || strpbrk(d->url, "?# \t\r\n@"))
		return sr_ctl_fail(d->ctl, SR_EX_USAGE, NULL, "'%.200s' is no URL of a mount point, like https://www.example.org%s", d->url, d->ctl->conf.mount);
	return 0;
}

static void run_checks(struct sr_probe *p)
{
	const char *id = sr_probe_stream(p, p->user);
	enum sr_reached reached = id ? sr_probe_reach(p, id) : SR_UNREACHED;

	if (reached == SR_UNREACHED) {
		sr_probe_note(p, "web-skipped", "the other checks through the web server need an answer of sse-fcgi's");
		return;
	}
	if (reached == SR_REACHED)
		sr_probe_live(p, id);
	sr_probe_finished(p, id);
	sr_probe_trust(p);
	sr_probe_away(p);
}

int sr_doctor_web(struct sr_doctor *d)
{
	struct sr_probe *p;
	int code;

	if (!d->url)
		return 0;
	code = check_url(d);
	if (code)
		return code;
	if (!d->redis) {
		sr_doctor_say(d, SR_NOTE, "web-skipped", NULL, "the checks through the web server make streams of their own, and need a Redis that can be written");
		return 0;
	}
	p = sr_malloc(sizeof *p);
	if (!p)
		return sr_ctl_fail(d->ctl, SR_EX_LATER, NULL, "%s", sr_strerror(SR_ENOMEM));
	code = sr_probe_init(p, d);
	if (!code) {
		run_checks(p);
		code = p->code;
	}
	sr_probe_release(p);
	free(p);
	return code;
}
