/* metrics.c - the page of GET {mount}/-/metrics, on standard output or in a file that node_exporter reads. */
#include "cli/command.h"

#include "cli/monitor.h"
#include "common/metrics.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* The new name is on the disk, too. What is there is right in any case. */
static void sync_folder(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *folder = slash ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0 && fsync(fd) != 0)
		errno = 0;
	if (fd >= 0)
		close(fd);
	free(folder);
}

/* Whoever reads `file` finds the old page or the new one. The other name begins with a dot and does not end in .prom. */
static bool replace(const char *file, const char *other, int fd, const struct sr_buf *page)
{
	bool written = fchmod(fd, 0644) == 0 && write_all(fd, sr_buf_text(page), page->len) && fsync(fd) == 0;
	int saved = errno;

	if (close(fd) != 0 && written) {
		saved = errno;
		written = false;
	}
	if (written && rename(other, file) == 0)
		return true;
	errno = written ? errno : saved;
	return false;
}

static int write_file(const struct sr_ctl *ctl, const char *file, const struct sr_buf *page)
{
	const char *slash = strrchr(file, '/');
	int folder = slash ? (int)(slash - file) + 1 : 0, fd, code = 0;
	struct sr_buf other;

	sr_buf_init(&other, 4096);
	if (sr_buf_printf(&other, "%.*s.%s.XXXXXX", folder, file, file + folder) != SR_OK) {
		sr_buf_release(&other);
		return sr_ctl_fail(ctl, SR_EX_IO, NULL, "--output: this name is too long");
	}
	fd = mkostemp(other.data, O_CLOEXEC);
	if (fd < 0) {
		code = sr_ctl_fail(ctl, SR_EX_IO, file, "cannot create a file beside it: %s", strerror(errno));
	} else if (!replace(file, other.data, fd, page)) {
		code = sr_ctl_fail(ctl, SR_EX_IO, file, "cannot replace it: %s", strerror(errno));
		unlink(other.data);
	} else {
		sync_folder(file);
	}
	sr_buf_release(&other);
	return code;
}

/* Redis away is a page, too: an alert needs something to look at. */
static int print(struct sr_ctl *ctl, const struct sr_monitor *m)
{
	const char *file = ctl->flag[SR_FLAG_OUTPUT];
	struct sr_buf page;
	enum sr_err err;
	int code = 0;

	sr_buf_init(&page, SR_METRICS_BYTES_MAX);
	err = sr_metrics_render(&page, m, NULL);
	if (err != SR_OK)
		code = sr_ctl_fail(ctl, SR_EX_LATER, NULL, "%s", sr_strerror(err));
	else if (file)
		code = write_file(ctl, file, &page);
	else
		sr_out_write(&ctl->out, page.data, page.len);
	sr_buf_release(&page);
	return code;
}

int sr_command_metrics(struct sr_ctl *ctl, char **operands)
{
	struct sr_watched w = {.reply = NULL};
	int code, printed;

	(void)operands;
	if (ctl->flag[SR_FLAG_OUTPUT] && !*ctl->flag[SR_FLAG_OUTPUT])
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--output needs the name of a file");
	code = sr_ctl_connect(ctl);
	if (!code)
		code = sr_watched_ask(ctl, &w);
	if (code == SR_EX_USAGE)
		return code;
	printed = print(ctl, code ? NULL : &w.m);
	sr_reply_free(w.reply);
	return printed ? printed : code;
}
