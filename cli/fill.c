/* fill.c - see fill.h. */
#include "cli/fill.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define PORT_DIGITS 5

static bool is_tcp(const char *socket)
{
	return socket[0] != '/';
}

/* ---- what a configuration can hold ---- */

static enum sr_err refuse(struct sr_buf *why, const char *name, const char *value, const char *rule)
{
	sr_buf_explain(why, "%s: '%.140s' %s", name, value, rule);
	return SR_EINVAL;
}

static enum sr_err check_mount(const char *mount, struct sr_buf *why)
{
	size_t len = strlen(mount);

	if (mount[strspn(mount, ALNUM "._~/-")] != '\0')
		return refuse(why, "mount", mount, "has a character that web servers' configurations cannot hold: use A-Z a-z 0-9 . _ ~ - and /");
	if (mount[0] != '/' || mount[len - 1] == '/' || strstr(mount, "//"))
		return refuse(why, "mount", mount, "must begin with /, and not end with it or have it twice");
	return SR_OK;
}

static enum sr_err check_path(const char *name, const char *path, struct sr_buf *why)
{
	size_t len = strlen(path);

	if (path[0] != '/' || path[len - 1] == '/')
		return refuse(why, name, path, "must be an absolute path, without / at its end");
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)path[i] < ' ' || path[i] == 0x7f || strchr("\"'\\`|;&$%#{}", path[i]))
			return refuse(why, name, path, "has a character that the configurations cannot hold: no quotes, \\ ` | ; & $ % # { }, or control characters");
	if (path[len - 1] == ' ')
		return refuse(why, name, path, "ends with a space");
	return SR_OK;
}

/* A name or an IPv4 address, or an IPv6 one in brackets; then a colon and a port. */
static bool is_host_and_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t host = (size_t)(colon ? colon - text : 0), inside;

	if (host == 0 || strlen(colon + 1) > PORT_DIGITS || colon[1] == '\0' || colon[1 + strspn(colon + 1, "0123456789")] != '\0' ||
	    strtol(colon + 1, NULL, 10) < 1 || strtol(colon + 1, NULL, 10) > 65535)
		return false;
	if (text[0] != '[')
		return strspn(text, ALNUM ".-_") == host;
	inside = strspn(text + 1, "0123456789abcdefABCDEF:.");
	return inside > 0 && inside + 2 == host && text[1 + inside] == ']';
}

static enum sr_err check_socket(const char *socket, struct sr_buf *why)
{
	if (is_tcp(socket))
		return is_host_and_port(socket) ? SR_OK : refuse(why, "--socket", socket, "is neither a path that begins with / nor HOST:PORT, like 127.0.0.1:9000 or [::1]:9000");
	if (strlen(socket) >= sizeof ((struct sockaddr_un *)NULL)->sun_path)
		return refuse(why, "--socket", socket, "is too long for a socket's path, of which the system takes 107 bytes");
	return check_path("--socket", socket, why);
}

enum sr_err sr_fill_check(const struct sr_fill *fill, struct sr_buf *why)
{
	enum sr_err e = check_mount(fill->mount, why);

	if (!e)
		e = check_socket(fill->socket, why);
	if (!e)
		e = check_path("--share", fill->share, why);
	return e ? e : check_path("--program", fill->program, why);
}

/* ---- templates ---- */

struct value { const char *mark, *text; size_t len; };
enum { MOUNT, NAME, SHARE, PROGRAM, SOCKET, HOST, PORT, VALUES };

static void list_values(struct value values[VALUES], const struct sr_fill *fill)
{
	const char *colon = is_tcp(fill->socket) ? strrchr(fill->socket, ':') : NULL;
	bool bracket = fill->socket[0] == '[';

	values[MOUNT] = (struct value){"@MOUNT@", fill->mount, strlen(fill->mount)};
	values[NAME] = (struct value){"@NAME@", strrchr(fill->mount, '/') + 1, strlen(strrchr(fill->mount, '/') + 1)};
	values[SHARE] = (struct value){"@SHARE@", fill->share, strlen(fill->share)};
	values[PROGRAM] = (struct value){"@PROGRAM@", fill->program, strlen(fill->program)};
	values[SOCKET] = (struct value){"@SOCKET@", fill->socket, strlen(fill->socket)};
	values[HOST] = (struct value){"@HOST@", fill->socket + bracket, colon ? (size_t)(colon - fill->socket) - 2 * bracket : 0};
	values[PORT] = (struct value){"@PORT@", colon ? colon + 1 : "", colon ? strlen(colon + 1) : 0};
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static enum sr_err fill_line(struct sr_buf *out, const char *line, size_t len, const struct value values[VALUES])
{
	const char *end = line + len;

	while (line < end) {
		const char *at = memchr(line, '@', (size_t)(end - line));
		const struct value *v = values;
		enum sr_err e = sr_buf_append(out, line, (size_t)((at ? at : end) - line));

		if (e || !at)
			return e;
		while (v < values + VALUES && !begins(at, v->mark))
			v++;
		e = v < values + VALUES ? sr_buf_append(out, v->text, v->len) : sr_buf_append(out, "@", 1);
		if (e)
			return e;
		line = at + (v < values + VALUES ? strlen(v->mark) : 1);
	}
	return SR_OK;
}

enum sr_err sr_fill_template(struct sr_buf *out, const char *text, const struct sr_fill *fill)
{
	const char *mine = is_tcp(fill->socket) ? "@TCP@" : "@UNIX@", *other = is_tcp(fill->socket) ? "@UNIX@" : "@TCP@";
	struct value values[VALUES];
	enum sr_err e = SR_OK;

	list_values(values, fill);
	while (!e && *text) {
		size_t end = strcspn(text, "\n"), len = end + (text[end] == '\n');
		size_t skip = begins(text, mine) ? strlen(mine) : 0;

		if (!begins(text, other))
			e = fill_line(out, text + skip, len - skip, values);
		text += len;
	}
	return e;
}
