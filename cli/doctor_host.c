/* doctor_host.c - ssectl doctor: the files of the configuration, and the kernel's settings. */
#include "cli/doctor_parts.h"
#include "cli/process.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRETS_MAX (72 * 1024)
#define BACKLOG_LEAST 1024
#define TCP_RETRIES_MOST 8 /* some 100 s */

void sr_cure_line(struct sr_buf *cure, const char *format, ...)
{
	size_t before = cure->len;
	enum sr_err err = before ? sr_buf_puts(cure, "\n") : SR_OK;
	va_list ap;

	va_start(ap, format);
	if (err == SR_OK)
		err = sr_buf_vprintf(cure, format, ap);
	va_end(ap);
	if (err != SR_OK)
		sr_buf_truncate(cure, before);
}

/* ---- as whom the daemons run ---- */

struct search {
	const struct sr_conf *conf;
	struct sr_who *who;
	bool found;
};

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* A daemon without --config reads the file at its usual place. Of several, one that is not root is asked for: it may do less. */
static bool take_daemon(void *ctx, const struct sr_process *p)
{
	struct search *s = ctx;

	if (!is_same_file(p->config[0] ? p->config : SR_CONF_PATH, s->conf->file[0] ? s->conf->file : SR_CONF_PATH))
		return true;
	s->found = true;
	*s->who = p->who;
	return p->who.uid == 0;
}

bool sr_doctor_service(const struct sr_doctor *d, struct sr_who *who)
{
	static const char *const daemons[] = {"sse-fcgi", "sse-guardian", NULL};
	struct search s = {.conf = &d->ctl->conf, .who = who};

	sr_process_each(daemons, take_daemon, &s);
	if (s.found)
		return true;
	return (!s.conf->file[0] || strcmp(s.conf->file, SR_CONF_PATH) == 0) && sr_who_find(who, SR_DOCTOR_USER);
}

/* ---- the configuration ---- */

static int count_from(const struct sr_conf *conf, enum sr_origin from)
{
	int n = 0;

	for (int i = 0; i < SR_CONF_COUNT; i++)
		n += conf->origin[i].from == from;
	return n;
}

static void check_file(struct sr_doctor *d)
{
	const struct sr_conf *conf = &d->ctl->conf;
	struct sr_who who;
	struct sr_buf at, cure;

	sr_buf_init(&at, PATH_MAX);
	sr_buf_init(&cure, SR_CURE_MAX);
	if (!conf->file[0]) {
		sr_doctor_say(d, SR_NOTE, "conf-file", NULL, "no file %s: every option has its default, or comes from the environment or a flag", SR_CONF_PATH);
	} else if (sr_doctor_service(d, &who) && !sr_who_may(&who, conf->file, 4, &at)) {
		sr_cure_line(&cure, "chmod o+%c %s; it holds no secrets, they are in files of their own", sr_is_folder(sr_buf_text(&at)) ? 'x' : 'r',
		             sr_buf_text(&at));
		sr_doctor_say(d, SR_BAD, "conf-file", sr_buf_text(&cure), "%s: the daemons run as %s, who cannot read it", conf->file, who.name);
	} else {
		sr_doctor_say(d, SR_GOOD, "conf-file", NULL, "%s: %d options, else defaults", conf->file, count_from(conf, SR_FROM_FILE));
	}
	sr_buf_release(&at);
	sr_buf_release(&cure);
}

/* What the operator's shell or command line says the daemons do not hear. */
static void check_origins(struct sr_doctor *d)
{
	int environment = count_from(&d->ctl->conf, SR_FROM_ENVIRONMENT), flags = count_from(&d->ctl->conf, SR_FROM_FLAG);

	if (environment + flags)
		sr_doctor_say(d, SR_NOTE, "conf-origin", NULL, "%d options come from the environment, %d from flags: the daemons may have other ones; "
		              "ssectl --dump-config shows which", environment, flags);
}

/* ---- secrets ---- */

/* The programs' own judgement of the file; SR_OK also where whoever asks may not read it. */
static enum sr_err read_secret(const char *path, bool many, struct sr_buf *why)
{
	struct sr_buf secret;
	enum sr_err err;

	if (access(path, R_OK) != 0 && errno == EACCES)
		return SR_OK;
	sr_buf_init(&secret, SECRETS_MAX);
	err = many ? sr_conf_secrets(&secret, path, why) : sr_conf_secret(&secret, path, why);
	if (secret.data)
		explicit_bzero(secret.data, secret.cap);
	sr_buf_release(&secret);
	return err;
}

static void say_secret(struct sr_doctor *d, const char *check, const char *option, const char *path, const struct sr_who *who, const char *why)
{
	const char *group = who ? who->group_name : SR_DOCTOR_USER;
	struct sr_buf cure;

	sr_buf_init(&cure, SR_CURE_MAX);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		sr_cure_line(&cure, "%s: create %s, or change %s", d->ctl->conf.file[0] ? d->ctl->conf.file : SR_CONF_PATH, path, option);
	sr_cure_line(&cure, "chown root:%s %s && chmod 640 %s", group, path, path);
	sr_doctor_say(d, SR_BAD, check, sr_buf_text(&cure), "%s: %s", option, why);
	sr_buf_release(&cure);
}

static void check_secret(struct sr_doctor *d, const char *check, const char *option, const char *path, bool many)
{
	struct sr_buf why, at;
	struct sr_who who;
	bool known = sr_doctor_service(d, &who);

	if (!*path)
		return;
	sr_buf_init(&why, 1024);
	sr_buf_init(&at, PATH_MAX);
	if (read_secret(path, many, &why) != SR_OK) {
		say_secret(d, check, option, path, known ? &who : NULL, why.len ? why.data : sr_strerror(SR_ENOMEM));
	} else if (known && !sr_who_may(&who, path, 4, &at)) {
		sr_buf_explain(&why, "%s: the daemons run as %s, who cannot read it; %s does not let them", path, who.name, sr_buf_text(&at));
		say_secret(d, check, option, path, &who, sr_buf_text(&why));
	} else {
		sr_doctor_say(d, SR_GOOD, check, NULL, "%s: %s, closed to others%s%s", option, path, known ? ", readable for " : "", known ? who.name : "");
	}
	sr_buf_release(&why);
	sr_buf_release(&at);
}

/* ---- the kernel ---- */

/* -1: not to be read here. */
static long kernel_number(const char *path)
{
	FILE *file = fopen(path, "re");
	char text[32] = "", *end = text;
	long value = -1;

	if (file && fgets(text, sizeof text, file))
		value = strtol(text, &end, 10);
	if (file)
		fclose(file);
	return end == text ? -1 : value;
}

static void check_kernel(struct sr_doctor *d)
{
	long backlog = kernel_number("/proc/sys/net/core/somaxconn"), retries = kernel_number("/proc/sys/net/ipv4/tcp_retries2");

	if (backlog >= BACKLOG_LEAST)
		sr_doctor_say(d, SR_GOOD, "kernel-backlog", NULL, "net.core.somaxconn %ld", backlog);
	else if (backlog >= 0)
		sr_doctor_say(d, SR_NOTE, "kernel-backlog", NULL, "net.core.somaxconn %ld: a crowd that connects at once is answered 502 beyond it; "
		              "sysctl net.core.somaxconn=4096", backlog);
	if (retries > TCP_RETRIES_MOST)
		sr_doctor_say(d, SR_NOTE, "kernel-retries", NULL, "net.ipv4.tcp_retries2 %ld: a client that vanishes without a word is noticed after a quarter "
		              "of an hour; sysctl net.ipv4.tcp_retries2=8 makes that 100 s", retries);
	else if (retries >= 0)
		sr_doctor_say(d, SR_GOOD, "kernel-retries", NULL, "net.ipv4.tcp_retries2 %ld", retries);
}

int sr_doctor_host(struct sr_doctor *d)
{
	const struct sr_conf *conf = &d->ctl->conf;

	check_file(d);
	check_origins(d);
	check_secret(d, "password-file", "redis_password_file", conf->redis_password_file, false);
	check_secret(d, "token-file", "publish_token_file", conf->publish_token_file, true);
	sr_doctor_socket(d);
	check_kernel(d);
	return 0;
}
