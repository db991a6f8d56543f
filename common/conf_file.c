#include "common/conf_parts.h"
#include "common/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024, SECRET_MAX = 512, SECRETS_MAX = 64 * 1024 };

/* ---- the configuration file ---- */

static enum sr_err read_all(struct sr_buf *out, int fd)
{
	char part[4096];
	enum sr_err e;
	ssize_t n;

	for (;;) {
		n = read(fd, part, sizeof part);
		if (n == 0)
			return SR_OK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return SR_EIO;
		e = sr_buf_append(out, part, (size_t)n);
		if (e)
			return e;
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(char **text, size_t *len)
{
	while (*len > 0 && is_space((*text)[0])) {
		++*text;
		--*len;
	}
	while (*len > 0 && is_space((*text)[*len - 1]))
		--*len;
}

/* Length without a comment: from a '#' that begins the line or follows white space. */
static size_t without_comment(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] == '#' && (i == 0 || is_space(line[i - 1])))
			return i;
	return len;
}

static enum sr_err refuse_name(const char *path, int number, const char *name, size_t len, struct sr_buf *why)
{
	struct sr_nearest near = {.wanted = name, .len = len};
	int shown = len < 60 ? (int)len : 60;

	for (int i = 0; i < SR_CONF_COUNT; i++)
		sr_nearest_offer(&near, sr_options[i].name);
	if (near.name)
		sr_buf_explain(why, "%s:%d: unknown option '%.*s'; did you mean %s?", path, number, shown, name, near.name);
	else
		sr_buf_explain(why, "%s:%d: unknown option '%.*s'; --help lists them", path, number, shown, name);
	return SR_EINVAL;
}

static enum sr_err read_line(struct sr_conf *c, char *line, size_t len, int number, struct sr_buf *why)
{
	char *name = line, *value;
	size_t name_len, value_len;
	int option;

	len = without_comment(line, len);
	trim(&name, &len);
	if (len == 0)
		return SR_OK;
	value = memchr(name, '=', len);
	if (!value) {
		sr_buf_explain(why, "%s:%d: not of the form name = value", c->file, number);
		return SR_EINVAL;
	}
	name_len = (size_t)(value - name);
	value_len = len - name_len - 1;
	value++;
	trim(&name, &name_len);
	trim(&value, &value_len);
	option = sr_option_find(name, name_len);
	if (option < 0)
		return refuse_name(c->file, number, name, name_len, why);
	value[value_len] = '\0'; /* the line is followed by a newline or by the buffer's own NUL */
	return sr_conf_set(c, option, value, (struct sr_conf_origin){SR_FROM_FILE, number}, why);
}

static enum sr_err read_lines(struct sr_conf *c, struct sr_buf *text, struct sr_buf *why)
{
	char *line = text->data;
	size_t left = text->len;
	enum sr_err e;

	for (int number = 1; left > 0; number++) {
		char *newline = memchr(line, '\n', left);
		size_t len = newline ? (size_t)(newline - line) : left;

		if (memchr(line, '\0', len)) {
			sr_buf_explain(why, "%s:%d: a NUL byte", c->file, number);
			return SR_EINVAL;
		}
		e = read_line(c, line, len, number, why);
		if (e)
			return e;
		left -= newline ? len + 1 : len;
		line += newline ? len + 1 : len;
	}
	return SR_OK;
}

enum sr_err sr_conf_read_file(struct sr_conf *c, const char *path, bool optional, struct sr_buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct sr_buf text;
	enum sr_err e;
	char *copy;

	if (fd < 0 && optional && errno == ENOENT)
		return SR_OK;
	if (fd < 0) {
		sr_buf_explain(why, "cannot open %s: %s", path, strerror(errno));
		return SR_EIO;
	}
	sr_buf_init(&text, FILE_MAX);
	copy = sr_strdup(path);
	e = copy ? read_all(&text, fd) : SR_ENOMEM;
	if (e == SR_EIO) {
		sr_buf_explain(why, "cannot read %s: %s", path, strerror(errno));
	} else if (e == SR_ETOOBIG) {
		sr_buf_explain(why, "%s: is larger than 1 MiB", path);
		e = SR_EINVAL;
	}
	if (!e) {
		free(c->file);
		c->file = copy;
		copy = NULL;
		e = read_lines(c, &text, why);
	}
	free(copy);
	sr_buf_release(&text);
	close(fd);
	return e;
}

/* ---- secrets ---- */

static enum sr_err check_secret_file(int fd, const char *path, struct sr_buf *why)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		sr_buf_explain(why, "cannot look at %s: %s", path, strerror(errno));
		return SR_EIO;
	}
	if (!S_ISREG(st.st_mode)) {
		sr_buf_explain(why, "%s: is not a regular file", path);
		return SR_EINVAL;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH | S_IROTH)) {
		sr_buf_explain(why, "%s: mode %03o lets others at the secret: chmod 600 (or 640)", path, (unsigned)st.st_mode & 0777);
		return SR_EINVAL;
	}
	return SR_OK;
}

/* The first line, ended by \n, \r\n or the file's end. A line that fills the space without an end is too long. */
static enum sr_err read_secret(struct sr_buf *out, int fd, const char *path, struct sr_buf *why)
{
	char line[SECRET_MAX + 2];
	size_t len = 0, end = 0;
	ssize_t n = 0;
	enum sr_err e;

	while (len < sizeof line && (n = read(fd, line + len, sizeof line - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	while (end < len && line[end] != '\n')
		end++;
	if (end > 0 && end < len && line[end - 1] == '\r')
		end--;
	if (n < 0) {
		sr_buf_explain(why, "cannot read %s: %s", path, strerror(errno));
		e = SR_EIO;
	} else if (end == 0) {
		sr_buf_explain(why, "%s: the first line is empty", path);
		e = SR_EIO;
	} else if (end > SECRET_MAX || memchr(line, '\0', end)) {
		sr_buf_explain(why, "%s: the first line is longer than 512 bytes, or has a NUL", path);
		e = SR_EINVAL;
	} else {
		e = sr_buf_append(out, line, end);
	}
	explicit_bzero(line, sizeof line);
	return e;
}

/* Open a file that passes the rules; -1 with the error in *e. */
static int open_secret(const char *path, enum sr_err *e, struct sr_buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not hold up the start */

	if (fd < 0) {
		sr_buf_explain(why, "cannot open %s: %s", path, strerror(errno));
		*e = SR_EIO;
		return -1;
	}
	*e = check_secret_file(fd, path, why);
	if (!*e)
		return fd;
	close(fd);
	return -1;
}

/* All at once, so that growing leaves no copies behind. */
static enum sr_err read_secrets(struct sr_buf *out, int fd, const char *path, struct sr_buf *why)
{
	enum sr_err e = sr_buf_reserve(out, SECRETS_MAX + 1);
	ssize_t n = 1;

	while (!e && n != 0 && out->len <= SECRETS_MAX) {
		n = read(fd, out->data + out->len, SECRETS_MAX + 1 - out->len);
		if (n < 0 && errno != EINTR) {
			sr_buf_explain(why, "cannot read %s: %s", path, strerror(errno));
			return SR_EIO;
		}
		out->len += n > 0 ? (size_t)n : 0;
	}
	if (!e && out->len > SECRETS_MAX) {
		sr_buf_explain(why, "%s: is larger than 64 KiB", path);
		return SR_EINVAL;
	}
	return e;
}

typedef enum sr_err read_fn(struct sr_buf *out, int fd, const char *path, struct sr_buf *why);

static enum sr_err read_checked(struct sr_buf *out, const char *path, read_fn *read_it, struct sr_buf *why)
{
	enum sr_err e;
	int fd;

	sr_buf_reset(out);
	fd = open_secret(path, &e, why);
	if (fd < 0)
		return e;
	e = read_it(out, fd, path, why);
	close(fd);
	return e;
}

enum sr_err sr_conf_secret(struct sr_buf *out, const char *path, struct sr_buf *why)
{
	return read_checked(out, path, read_secret, why);
}

enum sr_err sr_conf_secrets(struct sr_buf *out, const char *path, struct sr_buf *why)
{
	return read_checked(out, path, read_secrets, why);
}
