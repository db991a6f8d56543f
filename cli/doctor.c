/* doctor.c - the command, the order of its parts, and its report. See doctor.h. */
#include "cli/doctor.h"
#include "cli/command.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 16384
#define CHECK_WIDTH 21
#define EX_BAD 1
#define URL_MAX 2000

static const char *const verdicts[] = {[SR_GOOD] = "good", [SR_NOTE] = "note", [SR_BAD] = "bad"};

/* ---- signals ---- */

static volatile sig_atomic_t noted; /* all that the handler may touch */

static void note(int signo)
{
	noted = signo;
}

bool sr_doctor_interrupted(void)
{
	return noted != 0;
}

/* Each only noted, a second one too: what a check set up is put back, and nothing here waits without a deadline. */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = note}, old;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

/* ---- the report ---- */

static bool shows_progress(const struct sr_out *o)
{
	const char *term = getenv("TERM");

	return o->terminal && !o->json && !(term && strcmp(term, "dumb") == 0);
}

static void wipe_progress(struct sr_out *o)
{
	if (shows_progress(o))
		fputs("\r\033[K", o->file);
}

void sr_doctor_wait(struct sr_doctor *d, const char *format, ...)
{
	struct sr_out *o = &d->ctl->out;
	char text[128];
	va_list ap;

	if (!shows_progress(o))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	wipe_progress(o);
	sr_out_field(o, "...", 6);
	sr_out_field(o, text, 0);
	fflush(o->file);
}

static void print_cure(struct sr_out *o, const char *cure)
{
	const char *label = "cure: ";

	for (size_t len; *cure; cure += len + (cure[len] == '\n')) {
		len = strcspn(cure, "\n");
		sr_out_printf(o, "%*s%s%.*s\n", 6, "", label, (int)len, cure);
		label = "      ";
	}
}

static void print_text(struct sr_out *o, const char *verdict, const char *check, const char *cure, const char *text)
{
	wipe_progress(o);
	sr_out_state(o, verdict, 6);
	sr_out_field(o, check, CHECK_WIDTH);
	sr_out_text(o, " ");
	sr_out_field(o, text, 0);
	sr_out_text(o, "\n");
	if (cure)
		print_cure(o, cure);
}

static void print_json(struct sr_ctl *ctl, const char *verdict, const char *check, const char *cure, const char *text)
{
	struct sr_json j;

	sr_json_begin(&j);
	sr_json_open(&j, NULL, '{');
	sr_json_text(&j, "check", check);
	sr_json_text(&j, "verdict", verdict);
	sr_json_text(&j, "text", text);
	sr_json_text(&j, "cure", cure);
	sr_json_close(&j, '}');
	if (sr_json_print(&j, &ctl->out) != SR_OK)
		sr_ctl_note(ctl, check, "no memory to say it");
	sr_json_release(&j);
}

void sr_doctor_say(struct sr_doctor *d, enum sr_finding finding, const char *check, const char *cure, const char *format, ...)
{
	struct sr_out *o = &d->ctl->out;
	struct sr_buf text;
	va_list ap;

	sr_buf_init(&text, TEXT_MAX);
	va_start(ap, format);
	if (sr_buf_vprintf(&text, format, ap) != SR_OK)
		sr_buf_explain(&text, "(no memory to say it)");
	va_end(ap);
	d->good += finding == SR_GOOD;
	d->notes += finding == SR_NOTE;
	d->bad += finding == SR_BAD;
	if (o->json)
		print_json(d->ctl, verdicts[finding], check, cure, sr_buf_text(&text));
	else
		print_text(o, verdicts[finding], check, cure, sr_buf_text(&text));
	if (fflush(o->file) != 0 && !o->error)
		o->error = errno;
	sr_buf_release(&text);
}

static void print_summary(struct sr_doctor *d)
{
	struct sr_out *o = &d->ctl->out;

	if (o->json)
		return;
	wipe_progress(o);
	sr_out_printf(o, "%s%u good, %u note%s, %u bad\n", noted ? "interrupted: " : "", d->good, d->notes, d->notes == 1 ? "" : "s", d->bad);
}

/* ---- the command ---- */

/* As people paste it: with slashes at its end. */
static bool take_url(struct sr_doctor *d, char *word)
{
	size_t len = strlen(word), scheme = strncmp(word, "http://", 7) == 0 ? 7 : strncmp(word, "https://", 8) == 0 ? 8 : 0;

	while (len > scheme && word[len - 1] == '/')
		word[--len] = '\0';
	d->url = word;
	return scheme > 0 && len > scheme && len <= URL_MAX && word[scheme] != '/' && !strpbrk(word, "?#@ \t\r\n");
}

/* Where they differ, the web server must rewrite one into the other. */
static void compare_mount(struct sr_doctor *d)
{
	const char *path = strchr(strstr(d->url, "://") + 3, '/');

	if (strcmp(path ? path : "", d->ctl->conf.mount) != 0)
		sr_doctor_say(d, SR_NOTE, "web-mount", NULL, "the URL's path is '%.200s', option mount says '%s': if no stream is found there, one of them is wrong",
		              path ? path : "/", d->ctl->conf.mount);
}

static int web(struct sr_doctor *d)
{
	if (d->url) {
		compare_mount(d);
		return sr_doctor_web(d);
	}
	sr_doctor_say(d, SR_NOTE, "web", NULL, "the way through the web server was not checked: ssectl doctor https://www.example.org%s",
	              d->ctl->conf.mount);
	return 0;
}

/* The first part that could not do its work says how the command ends. */
static int examine(struct sr_doctor *d)
{
	static int (*const parts[])(struct sr_doctor *d) = {sr_doctor_host, sr_doctor_redis, web};
	int code = 0, part_code;

	for (size_t i = 0; i < sizeof parts / sizeof *parts && !noted && !d->ctl->out.error; i++) {
		part_code = parts[i](d);
		if (!code)
			code = part_code;
	}
	return code;
}

int sr_command_doctor(struct sr_ctl *ctl, char **operands)
{
	struct sr_doctor d = {.ctl = ctl};
	int code;

	if (operands[0] && !take_url(&d, operands[0]))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "'%.200s' is no URL of a mount point, like https://www.example.org%s", operands[0], ctl->conf.mount);
	code = sr_ctl_deadline(ctl);
	if (code)
		return code;
	catch_signals();
	code = examine(&d);
	print_summary(&d);
	if (noted)
		return 128 + noted;
	if (code)
		return code;
	return d.bad ? EX_BAD : SR_EX_OK;
}
