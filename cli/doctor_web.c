/* doctor_web.c - the checks through the web server, in an order in which one broken thing leads to one finding. See doctor_probe.h. */
#include "cli/doctor_probe.h"

#include "common/mem.h"
#include <stdlib.h>

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
