/* log.h - one line per event, logfmt: `time=... level=warn prog=sse-fcgi pid=123 msg="..." key=value`. Under syslog, which
 * says time, program and pid itself, the line begins with level=.
 * Levels: error = someone must act; warn = degraded; info = life cycle; debug. Never payloads, never secrets.
 * Values with a space, quote, backslash, '=', or a byte that is not printable ASCII are quoted; control characters and
 * what is not UTF-8 are escaped (\n, \", \\, \xHH), so that client text cannot forge a line. A value is cut at
 * SR_LOG_VALUE_MAX bytes, with "..." behind it; pairs that no longer fit into 8 KiB are left out and "cut=yes" says so.
 * Lines are written with one write(2), whole, and a line that a file refuses goes to stderr. Any thread may log at any
 * time; sr_log_open and sr_log_close are for one thread, and nothing logs after sr_log_close in another.
 * sr_log() keeps errno. */
#ifndef SR_LOG_H
#define SR_LOG_H
#include "common/err.h"

#define SR_LOG_VALUE_MAX 512

enum sr_log_level { SR_LOG_ERROR, SR_LOG_WARN, SR_LOG_INFO, SR_LOG_DEBUG };

/**
 * Where lines go, from now on.
 * program  kept by reference; put in each line as prog=
 * target   "stderr", "syslog", or the absolute path of a file (opened for append, mode 0640)
 * Returns  SR_OK; SR_EIO when the file cannot be opened (errno), and then the old target stays.
 * The same path again reopens it (after a rotation). Before the first call lines go to stderr, level info.
 */
SR_MUST_CHECK enum sr_err sr_log_open(const char *program, const char *target, enum sr_log_level level);
void sr_log_close(void);
int sr_log_enabled(enum sr_log_level level);

/**
 * Write one line. After `msg` come key, value pairs of strings, ended by a NULL key:
 *   sr_log(SR_LOG_WARN, "redis lost", "reason", text, (char *)NULL);
 * A NULL value is written as "-". Numbers: use sr_log_num() for a value.
 */
void sr_log(enum sr_log_level level, const char *msg, ...) __attribute__((sentinel));

/* A number as a string for one sr_log call: a ring of 16 buffers per thread. */
const char *sr_log_num(long long n);

/* A bug that no input can reach: logs file and line, then aborts. */
#define SR_BUG(what) sr_bug(__FILE__, __LINE__, what)
void sr_bug(const char *file, int line, const char *what) __attribute__((noreturn));

#endif
