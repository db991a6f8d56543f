/* doctor.c - a stand-in for the command, to try the web half with. */
#include "cli/doctor.h"

#include "cli/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t came;

static void note(int signo)
{
	came = signo;
}

bool sr_doctor_interrupted(void)
{
	return came != 0;
}

void sr_doctor_wait(struct sr_doctor *d, const char *format, ...)
{
	(void)d;
	(void)format;
}

void sr_doctor_say(struct sr_doctor *d, enum sr_finding finding, const char *check, const char *cure, const char *format, ...)
{
	static const char *const names[] = {"good", "note", "bad"};
	struct sr_out *o = &d->ctl->out;
	char text[2048];
	struct sr_json j;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	d->bad += finding == SR_BAD;
	if (!o->json) {
		sr_out_printf(o, "%-5s %s: %s\n", names[finding], check, text);
		if (cure)
			sr_out_printf(o, "      %s\n", cure);
	} else {
		sr_json_begin(&j);
		sr_json_open(&j, NULL, '{');
		sr_json_text(&j, "check", check);
		sr_json_text(&j, "verdict", names[finding]);
		sr_json_text(&j, "text", text);
		sr_json_text(&j, "cure", cure);
		sr_json_close(&j, '}');
		if (sr_json_print(&j, o) != SR_OK)
			d->bad++;
		sr_json_release(&j);
	}
	fflush(stdout);
}

#define URL_MAX 2000

/* As people paste it: with slashes at its end. */
static bool take_url(struct sr_doctor *d, char *word)
{
	size_t len = strlen(word), scheme = strncmp(word, "http://", 7) == 0 ? 7 : strncmp(word, "https://", 8) == 0 ? 8 : 0;

	while (len > scheme && word[len - 1] == '/')
		word[--len] = '\0';
	d->url = word;
	return scheme > 0 && len > scheme && len <= URL_MAX && word[scheme] != '/' && !strpbrk(word, "?#@ \t\r\n");
}

int sr_command_doctor(struct sr_ctl *ctl, char **operands)
{
	struct sr_doctor d = {.ctl = ctl, .url = operands[0], .redis = true};
	struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
	int code;

	if (!operands[0] || !take_url(&d, operands[0]))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "'%.200s' is no URL of a mount point", operands[0] ? operands[0] : "");
	code = sr_ctl_connect(ctl);

	for (int i = 0; i < 3; i++)
		sigaction((int[]){SIGINT, SIGTERM, SIGHUP}[i], &action, NULL);
	if (!code)
		code = sr_doctor_web(&d);
	return code ? code : came ? 128 + came : d.bad > 0;
}
