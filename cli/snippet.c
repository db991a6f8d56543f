/* snippet.c - the shipped configurations of other programs, with this configuration's mount point and the socket filled in. */
#include "cli/command.h"
#include "cli/fill.h"

#include <string.h>

#include "snippets.inc"

#ifndef SR_SHARE_DIR /* make pkgdatadir=... sbindir=... say otherwise */
#define SR_SHARE_DIR "/usr/local/share/sse-resilience"
#define SR_SBIN_DIR "/usr/local/sbin"
#endif

#define UNITS "/etc/systemd/system/"
#define LIGHTTPD "/etc/lighttpd/conf-available/50-sse-resilience.conf"

/* One row for each template, in the order of the list. Without a text it stands for all whose group it is. */
static const struct snippet { const char *name, *group, *file, *text, *what; } snippets[] = {
	{"lighttpd", NULL, LIGHTTPD, snippets_lighttpd_conf, "then lighty-enable-mod sse-resilience"},
	{"apache", NULL, "/etc/apache2/sse-resilience.conf", snippets_apache_conf, "Include sse-resilience.conf in the <VirtualHost>"},
	{"nginx", NULL, "/etc/nginx/snippets/sse-resilience.conf", snippets_nginx_conf, "include snippets/sse-resilience.conf; in the server { }"},
	{"lighttpd-cgi", NULL, LIGHTTPD, snippets_lighttpd_cgi_conf, "the same, with a process of sse-fcgi for each request"},
	{"apache-cgi", NULL, "/etc/apache2/sse-resilience.conf", snippets_apache_cgi_conf, "the same, with a process of sse-fcgi for each request"},
	{"htaccess", NULL, ".htaccess", snippets_htaccess, "Apache without root: where the mount point's folder is; with sse.cgi"},
	{"sse.cgi", NULL, "stream", cgi_sse_cgi, "beside that .htaccess, executable, named as the mount point's last part"},
	{"systemd", NULL, UNITS, NULL, "all of these, each under its path"},
	{"sse-fcgi.socket", "systemd", UNITS "sse-fcgi.socket", systemd_sse_fcgi_socket, "the responders' socket"},
	{"sse-fcgi.service", "systemd", UNITS "sse-fcgi.service", systemd_sse_fcgi_service, "all responders by one name"},
	{"sse-fcgi@.service", "systemd", UNITS "sse-fcgi@.service", systemd_sse_fcgi__service, "one responder"},
	{"sse-guardian.service", "systemd", UNITS "sse-guardian.service", systemd_sse_guardian_service, "the guardian"},
	{"sse-guardian-once.service", "systemd", UNITS "sse-guardian-once.service", systemd_sse_guardian_once_service, "one pass of it"},
	{"sse-guardian.timer", "systemd", UNITS "sse-guardian.timer", systemd_sse_guardian_timer, "instead of sse-guardian.service"},
	{"sysusers", "systemd", "/etc/sysusers.d/sse-resilience.conf", systemd_sse_resilience_sysusers, "then systemd-sysusers"},
	{"tmpfiles", "systemd", "/etc/tmpfiles.d/sse-resilience.conf", systemd_sse_resilience_tmpfiles, "then systemd-tmpfiles --create"},
	{"sysv", NULL, "/etc/init.d/sse-fcgi", init_d_sse_fcgi, "executable; spawn-fcgi and multiwatch"},
	{"sysv-guardian", NULL, "/etc/init.d/sse-guardian", init_d_sse_guardian, "executable"},
	{"spawn-fcgi", NULL, "/etc/rc.local", snippets_spawn_fcgi_sh, "the responders by one command, without an init system"},
	{"cron", NULL, "/etc/cron.d/sse-guardian", cron_d_sse_guardian, "the guardian without a daemon"},
	{"logrotate", NULL, "/etc/logrotate.d/sse-resilience", logrotate_d_sse_resilience, "for a log_target that is a file"},
};
#define COUNT (sizeof snippets / sizeof *snippets)

/* ---- list ---- */

static int failed(struct sr_ctl *ctl, const char *name, enum sr_err err)
{
	return sr_ctl_fail(ctl, SR_EX_LATER, name, "%s", sr_strerror(err));
}

static int print_json(struct sr_ctl *ctl, const struct snippet *s, const char *text)
{
	struct sr_json j;
	enum sr_err err;

	sr_json_begin(&j);
	sr_json_open(&j, NULL, '{');
	sr_json_text(&j, "name", s->name);
	sr_json_text(&j, "file", s->file);
	sr_json_text(&j, text ? "text" : "note", text ? text : s->what);
	sr_json_close(&j, '}');
	err = sr_json_print(&j, &ctl->out);
	sr_json_release(&j);
	return err ? failed(ctl, s->name, err) : 0;
}

static int list(struct sr_ctl *ctl)
{
	int code = 0;

	for (size_t i = 0; !code && i < COUNT; i++)
		if (ctl->out.json)
			code = print_json(ctl, &snippets[i], NULL);
		else
			sr_out_printf(&ctl->out, "%-26s %-52s %s\n", snippets[i].name, snippets[i].file, snippets[i].what);
	return code;
}

/* ---- one ---- */

static int print_text(struct sr_ctl *ctl, const struct snippet *s, const struct sr_fill *fill, bool headed)
{
	struct sr_buf text;
	enum sr_err err;
	int code = 0;

	sr_buf_init(&text, SR_FILL_MAX);
	err = sr_fill_template(&text, s->text, fill);
	if (err)
		code = failed(ctl, s->name, err);
	else if (ctl->out.json)
		code = print_json(ctl, s, text.data);
	else {
		if (headed)
			sr_out_printf(&ctl->out, "# ==== %s\n", s->file);
		sr_out_write(&ctl->out, text.data, text.len); /* to the byte: it is another program's */
	}
	sr_buf_release(&text);
	return code;
}

static int print(struct sr_ctl *ctl, const struct snippet *s, const struct sr_fill *fill)
{
	int code = 0;

	if (s->text)
		return print_text(ctl, s, fill, false);
	for (size_t i = 0; !code && i < COUNT; i++)
		if (snippets[i].group && strcmp(snippets[i].group, s->name) == 0)
			code = print_text(ctl, &snippets[i], fill, true);
	return code;
}

/* NULL, with the reason on stderr, when there is none of that name. */
static const struct snippet *find(const struct sr_ctl *ctl, const char *name)
{
	const char *near = NULL;

	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(snippets[i].name, name) == 0)
			return &snippets[i];
		if (!near && sr_command_is_near(name, snippets[i].name))
			near = snippets[i].name;
	}
	if (near)
		sr_ctl_note(ctl, NULL, "no snippet '%.60s'; did you mean %s?", name, near);
	else
		sr_ctl_note(ctl, NULL, "no snippet '%.60s'; ssectl snippet list names them", name);
	return NULL;
}

int sr_command_snippet(struct sr_ctl *ctl, char **operands)
{
	const char *socket = ctl->flag[SR_FLAG_SOCKET], *share = ctl->flag[SR_FLAG_SHARE], *program = ctl->flag[SR_FLAG_PROGRAM];
	const struct sr_fill fill = {.mount = ctl->conf.mount, .socket = socket ? socket : SR_FILL_SOCKET, .share = share ? share : SR_SHARE_DIR,
	                             .program = program ? program : SR_SBIN_DIR "/sse-fcgi"};
	const struct snippet *named;
	struct sr_buf why;
	int code;

	if (!operands[0] || strcmp(operands[0], "list") == 0)
		return list(ctl);
	named = find(ctl, operands[0]);
	if (!named)
		return SR_EX_USAGE;
	sr_buf_init(&why, 1024);
	if (sr_fill_check(&fill, &why) != SR_OK)
		code = sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "%s", why.len ? why.data : sr_strerror(SR_ENOMEM));
	else
		code = print(ctl, named, &fill);
	sr_buf_release(&why);
	return code;
}
