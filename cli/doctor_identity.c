/* doctor_identity.c - who asks: the fields of --header-file, which are read and kept like a password, and the user among them. See
 * doctor_probe.h. */
#include "cli/doctor_probe.h"

#include <string.h>
#include <strings.h>

static int sextet(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The user of "Basic dXNlcjpwYXNz": base64 (RFC 4648, 4) up to the colon. */
static void take_basic_user(struct sr_probe *p, const char *credentials)
{
	unsigned bits = 0, have = 0;
	size_t len = 0;

	for (; sextet(*credentials) >= 0; credentials++) {
		bits = bits << 6 | (unsigned)sextet(*credentials);
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		p->user[len] = (char)(bits >> have & 0xff);
		if (p->user[len] == ':' && sr_user_valid(p->user, len)) {
			p->user[len] = '\0';
			return;
		}
		if (++len == SR_USER_MAX)
			break;
	}
	p->user[0] = '\0';
}

static int take_line(struct sr_probe *p, char *line, size_t count, int number)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *path = p->d->ctl->flag[SR_FLAG_HEADER_FILE];
	size_t name = strspn(line, token), len = strlen(line);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return sr_ctl_fail(p->d->ctl, SR_EX_CONFIG, NULL, "--header-file: %s:%d: a control character", path, number);
	if (name == 0 || line[name] != ':')
		return sr_ctl_fail(p->d->ctl, SR_EX_CONFIG, NULL, "--header-file: %s:%d: not of the form Name: value", path, number);
	if (count == SR_PROBE_FIELDS)
		return sr_ctl_fail(p->d->ctl, SR_EX_CONFIG, NULL, "--header-file: %s: more than %d fields", path, SR_PROBE_FIELDS);
	p->own[count] = line;
	if (!p->user[0] && sr_probe_field_is(line, "Authorization") && strncasecmp(line + name + 1 + strspn(line + name + 1, " "), "Basic ", 6) == 0)
		take_basic_user(p, line + name + 1 + strspn(line + name + 1, " ") + 6);
	return 0;
}

/* Empty lines, and those that begin with '#', are no fields. */
static int take_lines(struct sr_probe *p)
{
	size_t count = 0;
	int number = 1, code = 0;

	if (memchr(p->secrets.data, '\0', p->secrets.len))
		return sr_ctl_fail(p->d->ctl, SR_EX_CONFIG, NULL, "--header-file: %s: a NUL byte", p->d->ctl->flag[SR_FLAG_HEADER_FILE]);
	for (char *line = p->secrets.data, *next; !code && line && *line; line = next, number++) {
		size_t len = strcspn(line, "\n");

		next = line[len] ? line + len + 1 : NULL;
		line[len] = '\0';
		if (len && line[len - 1] == '\r')
			line[len - 1] = '\0';
		if (!*line || *line == '#')
			continue;
		code = take_line(p, line, count, number);
		count++;
	}
	return code;
}

int sr_probe_identify(struct sr_probe *p)
{
	const char *path = p->d->ctl->flag[SR_FLAG_HEADER_FILE];
	struct sr_buf why;
	int code = 0;

	if (!path)
		return 0;
	sr_buf_init(&why, 1024);
	if (sr_conf_secrets(&p->secrets, path, &why) != SR_OK || sr_buf_append(&p->secrets, "", 1) != SR_OK)
		code = sr_ctl_fail(p->d->ctl, SR_EX_CONFIG, NULL, "--header-file: %s", why.len ? why.data : sr_strerror(SR_ENOMEM));
	sr_buf_release(&why);
	if (code)
		return code;
	p->secrets.len--;
	return take_lines(p);
}
