/* One line is built on the stack and leaves with one write(2): nothing is allocated (lines about lack of memory must get
 * out) and no lock is held (a child of fork may log). A target file keeps one descriptor number for the process's life;
 * reopening swaps the file behind the number with dup3(2), so that a thread that is about to write never meets a closed
 * or foreign descriptor. */
#include "common/log.h"
#include "common/clock.h"
#include "common/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum sink { TO_STDERR, TO_SYSLOG, TO_FILE };
enum { LINE_SIZE = 8192, CUT_ROOM = 16 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const int syslog_levels[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

static _Atomic int current_sink = TO_STDERR;
static _Atomic int current_level = SR_LOG_INFO;
static const char *_Atomic current_program = "sse-resilience";
static _Atomic int file_fd = -1;

/* ---- one line ---- */

struct line {
	char text[LINE_SIZE];
	size_t len;
	bool full; /* something did not fit; what follows is dropped */
};

static void put(struct line *l, const char *bytes, size_t len)
{
	if (l->full || len > sizeof l->text - CUT_ROOM - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

static bool is_control(const char *c, size_t len)
{
	unsigned char first = (unsigned char)c[0];

	/* C1 controls (U+0080 to U+009F) too: 8-bit terminals obey them. */
	return first < 0x20 || first == 0x7f || (len == 2 && first == 0xc2 && (unsigned char)c[1] < 0xa0);
}

static void put_escaped(struct line *l, const char *c, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	if (len == 1 && (*c == '"' || *c == '\\')) {
		put(l, "\\", 1);
		put(l, c, 1);
	} else if (len == 1 && *c == '\n') {
		put(l, "\\n", 2);
	} else if (len == 0 || is_control(c, len)) {
		for (size_t i = 0; i < (len ? len : 1); i++) {
			unsigned char byte = (unsigned char)c[i];
			char code[4] = {'\\', 'x', hex[byte >> 4], hex[byte & 15]};

			put(l, code, sizeof code);
		}
	} else {
		put(l, c, len);
	}
}

static bool is_plain(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return len > 0;
}

static void put_value(struct line *l, const char *value, bool quote)
{
	size_t len = strnlen(value, SR_LOG_VALUE_MAX + 1);
	bool cut = len > SR_LOG_VALUE_MAX;

	if (cut)
		len = SR_LOG_VALUE_MAX;
	if (!quote && !cut && is_plain(value, len)) {
		put(l, value, len);
		return;
	}
	put(l, "\"", 1);
	for (size_t i = 0, step; i < len; i += step ? step : 1) {
		step = sr_utf8_length(value + i, len - i);
		put_escaped(l, value + i, step);
	}
	put_text(l, cut ? "...\"" : "\"");
}

/* A pair that does not fit goes as a whole, so that no quote stays open. */
static void put_pair(struct line *l, const char *key, const char *value, bool quote)
{
	size_t mark = l->len;

	if (mark > 0)
		put(l, " ", 1);
	put_text(l, key);
	put(l, "=", 1);
	put_value(l, value ? value : "-", quote);
	if (l->full)
		l->len = mark;
}

static void put_head(struct line *l, enum sr_log_level level)
{
	char time[SR_ISO_SIZE], pid[16];
	bool own = atomic_load(&current_sink) != TO_SYSLOG; /* syslog(3) adds time, program and pid itself */

	if (own) {
		sr_clock_iso(time, sr_clock_wall());
		put_pair(l, "time", time, false);
	}
	put_pair(l, "level", level_names[level], false);
	if (own) {
		snprintf(pid, sizeof pid, "%ld", (long)getpid());
		put_pair(l, "prog", atomic_load(&current_program), false);
		put_pair(l, "pid", pid, false);
	}
}

static void end_line(struct line *l)
{
	if (l->full) {
		memcpy(l->text + l->len, " cut=yes", 8);
		l->len += 8;
	}
	l->text[l->len++] = '\n';
	l->text[l->len] = '\0';
}

/* ---- where it goes ---- */

static bool write_line(int fd, const struct line *l)
{
	ssize_t n;

	do
		n = write(fd, l->text, l->len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)l->len;
}

static void emit(enum sr_log_level level, const struct line *l)
{
	int sink = atomic_load(&current_sink);

	if (sink == TO_SYSLOG) {
		syslog(syslog_levels[level], "%.*s", (int)(l->len - 1), l->text);
		return;
	}
	/* A full disk is no reason to be silent; beyond stderr there is nobody left to tell. */
	if (sink == TO_STDERR || !write_line(atomic_load(&file_fd), l))
		write_line(STDERR_FILENO, l);
}

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	int slot = atomic_load(&file_fd);
	int kept;

	if (fd < 0 || slot < 0) {
		if (fd >= 0)
			atomic_store(&file_fd, fd);
		return fd;
	}
	kept = dup3(fd, slot, O_CLOEXEC);
	close(fd);
	return kept;
}

/* The number stays taken (see the head), but the file behind it is let go. Should dup3 fail, it stays open: no harm. */
static void leave_file(void)
{
	int slot = atomic_load(&file_fd);

	if (slot >= 0)
		dup3(STDERR_FILENO, slot, O_CLOEXEC);
}

enum sr_err sr_log_open(const char *program, const char *target, enum sr_log_level level)
{
	int sink = strcmp(target, "stderr") == 0 ? TO_STDERR : strcmp(target, "syslog") == 0 ? TO_SYSLOG : TO_FILE;

	if (sink == TO_FILE && target[0] != '/') {
		errno = EINVAL;
		return SR_EIO;
	}
	if (sink == TO_FILE && open_file(target) < 0)
		return SR_EIO;
	if (sink == TO_SYSLOG)
		openlog(program, LOG_PID, LOG_DAEMON);
	atomic_store(&current_program, program);
	atomic_store(&current_level, (int)level);
	atomic_store(&current_sink, sink);
	if (sink != TO_FILE)
		leave_file();
	return SR_OK;
}

void sr_log_close(void)
{
	int fd = atomic_exchange(&file_fd, -1);

	atomic_store(&current_sink, TO_STDERR);
	if (fd >= 0)
		close(fd);
	closelog();
}

int sr_log_enabled(enum sr_log_level level)
{
	return (int)level <= atomic_load(&current_level);
}

void sr_log(enum sr_log_level level, const char *msg, ...)
{
	struct line l;
	int saved = errno; /* callers log first and look at errno afterwards */
	const char *key;
	va_list ap;

	if (!sr_log_enabled(level))
		return;
	l.len = 0;
	l.full = false;
	put_head(&l, level);
	put_pair(&l, "msg", msg, true);
	va_start(ap, msg);
	while ((key = va_arg(ap, const char *)))
		put_pair(&l, key, va_arg(ap, const char *), false);
	va_end(ap);
	end_line(&l);
	emit(level, &l);
	errno = saved;
}

const char *sr_log_num(long long n)
{
	static _Thread_local char ring[16][24];
	static _Thread_local unsigned next;
	char *text = ring[next++ % 16];

	snprintf(text, sizeof ring[0], "%lld", n);
	return text;
}

void sr_bug(const char *file, int line, const char *what)
{
	sr_log(SR_LOG_ERROR, "bug", "what", what, "file", file, "line", sr_log_num(line), (char *)NULL);
	abort();
}
