/* conf.h - the option table of all three programs: file, environment, flags.
 * Precedence: flag over environment over file over default. The table in conf.c is the one place that holds an option's
 * name, type, bounds, default and help.
 * File    `name = value` lines, blank lines; '#' at the start of a line or after white space starts a comment (so a dump
 *         can be read back); values are trimmed, never quoted. Of a repeated name, as of a repeated flag, the last counts.
 *         The path is --config, else SSE_CONFIG, else SR_CONF_PATH (which may be absent; the other two may not).
 * Env     SSE_ + the name in capitals: SSE_REDIS_URL. An SSE_ variable that names no option is ignored (it may be the
 *         application's own).
 * Flag    --redis-url=VALUE or --redis-url VALUE.
 * Values  durations: digits with ms, s, m or h (a bare number is an error that says so); sizes: digits, optional k or m
 *         (1024); numbers; one word of a list; text. */
#ifndef SR_CONF_H
#define SR_CONF_H
#include "common/buf.h"
#include "common/err.h"
#include "common/log.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#ifndef SR_CONF_PATH /* make sysconfdir=... says otherwise */
#define SR_CONF_PATH "/etc/sse-resilience/sse-resilience.conf"
#endif

#define SR_CONF_COUNT 33 /* options */
#define SR_CONF_TEXT_MAX 4096 /* bytes of a text */

enum sr_anonymous { SR_ANONYMOUS_DENY, SR_ANONYMOUS_ALLOW };
enum sr_on_unknown { SR_UNKNOWN_REGISTER, SR_UNKNOWN_WAIT };

/* Where a value was said last. */
enum sr_origin { SR_FROM_DEFAULT, SR_FROM_FILE, SR_FROM_ENVIRONMENT, SR_FROM_FLAG, SR_FROM_SETTING };
struct sr_conf_origin {
	enum sr_origin from;
	int line; /* SR_FROM_FILE: the line, from 1 */
};

/* One value per option, under the option's own name. Durations are milliseconds, sizes bytes. Strings are owned by the
 * struct and never NULL; an unset one is "". */
struct sr_conf {
	char *redis_url;             /* unix:///run/redis/redis-server.sock */
	char *redis_password_file;   /* "" = no AUTH */
	char *key_prefix;            /* sse:  ; 1 to 64 bytes, no space, '{', '}' or control character */
	char *mount;                 /* /api/stream ; begins with '/', no '/' at its end */
	char *user_variable;         /* REMOTE_USER ; A-Z 0-9 _ */
	int64_t anonymous;           /* enum sr_anonymous, deny */
	int64_t heartbeat_interval;  /* 15 s    [100 ms, 5 m] */
	int64_t beat_interval;       /* 10 s    [100 ms, 5 m] ; at most half of stale_threshold */
	int64_t stale_threshold;     /* 30 s    [300 ms, 1 h] */
	int64_t check_interval;      /* 30 s    [100 ms, 1 h] */
	int64_t proof_window;        /* 20 s    [200 ms, 1 h] */
	int64_t stream_ttl;          /* 3600 s  [1 s, 168 h] ; above stale_threshold */
	int64_t completion_ttl;      /* 300 s   [1 s, 168 h] ; at most stream_ttl */
	int64_t orphan_grace;        /* 60 s    [0, 24 h] */
	int64_t pending_wait;        /* 30 s    [0, 5 m] */
	int64_t log_events;          /* 1000    [10, 1000000] */
	int64_t event_bytes;         /* 64k     [256, 1m] ; one event's data */
	int64_t client_buffer;       /* 64k     [4k, 16m] */
	int64_t max_connection_age;  /* 1 h     [1 s, 24 h] */
	int64_t max_streams;         /* 10000   [1, 1000000] */
	int64_t drain_window;        /* 5 s     [0, 5 m] */
	int64_t retry_min;           /* 2000 ms [500 ms, 1 m] */
	int64_t retry_max;           /* 4000 ms [500 ms, 1 m] ; at least retry_min */
	int64_t on_unknown;          /* enum sr_on_unknown, register */
	int64_t intake_threads;      /* 2       [1, 64] */
	int64_t receive_timeout;     /* 5 s     [100 ms, 1 m] ; a FastCGI request's head must be in by then */
	char *publish_token_file;    /* "" = publishing over HTTP is off */
	int64_t body_bytes;          /* 1m      [1k, 64m] ; of one publishing request */
	int64_t publish_requests;    /* 64      [1, 10000] ; at a time in one process */
	char *cors_origins;          /* "" ; space-separated origins, exact */
	char *status_allow;          /* "127.0.0.0/8 ::1 unix" ; who may read the pages under /-/ ; see conf.c's help */
	int64_t log_level;           /* enum sr_log_level, info */
	char *log_target;            /* stderr | syslog | absolute path */

	struct sr_conf_origin origin[SR_CONF_COUNT]; /* in the table's order, which is the order above */
	char *file;                  /* the file that was read; "" = none */
};

enum sr_conf_action {
	SR_CONF_RUN,    /* go on */
	SR_CONF_STOP,   /* --help, --version, --check-config or --dump-config was answered: exit 0 */
	SR_CONF_REFUSE  /* the message is on stderr: exit with `exit_code` (64 usage, 78 configuration, 75 no memory, 74 stdout) */
};

/* One flag of a program's own. */
struct sr_flag {
	const char *name;  /* long name without dashes */
	const char *arg;   /* NULL: a switch; else what --help calls its value */
	const char *help;
	const char **value;/* receives the value (by reference into argv), or "" for a switch that is given; else left alone */
};

/* What one command line can be. All texts are static. */
struct sr_usage {
	const char *program;         /* sse-guardian */
	const char *synopsis;        /* "[options]" */
	const char *summary;         /* one sentence */
	const char *examples;        /* lines, each ended by a newline; --help indents them; may be NULL */
	const struct sr_flag *flags; /* ended by a NULL name; may be NULL */
	bool secrets_later;          /* do not try the password's file at the start: sr_conf_try_password() */
};

/**
 * Read a whole command line and, with it, file and environment.
 * conf       filled on SR_CONF_RUN (release it); empty otherwise
 * operands   receives argv's operands in order, NULL-terminated (argv is permuted in place, "--" ends flags)
 * exit_code  set on SR_CONF_REFUSE
 * Answers --help, --version, --check-config and --dump-config itself on stdout. An unknown flag names the nearest known one.
 */
SR_MUST_CHECK enum sr_conf_action sr_conf_start(struct sr_conf *conf, const struct sr_usage *usage, int argc, char **argv,
                                                char ***operands, int *exit_code);

/**
 * Read the same command line again (argv as sr_conf_start left it) for SIGHUP.
 * conf     a filled or an all-zero struct; what it held is released on SR_OK
 * Returns  SR_OK and *conf new; SR_EINVAL, SR_EIO or SR_ENOMEM with the sentence in `why`, and *conf untouched.
 */
SR_MUST_CHECK enum sr_err sr_conf_reload(struct sr_conf *conf, const struct sr_usage *usage, int argc, char **argv, struct sr_buf *why);

/**
 * Read file and environment as a program does, and settings in place of flags: for a library.
 * conf      filled on SR_OK (release it), else empty
 * settings  "name=value" of options, or "config=FILE"; NULL-ended, or NULL. Of a repeated name the last counts.
 * Returns   SR_OK; SR_EINVAL, SR_EIO or SR_ENOMEM with the sentence in `why`. Prints nothing.
 */
SR_MUST_CHECK enum sr_err sr_conf_settings(struct sr_conf *conf, const char *const *settings, struct sr_buf *why);

/* Can the password be read? SR_OK also when there is none; else as sr_conf_secret(). */
SR_MUST_CHECK enum sr_err sr_conf_try_password(const struct sr_conf *conf, struct sr_buf *why);

void sr_conf_release(struct sr_conf *conf);

/* Print every option as `name = value  # origin`, secrets' files by name only, in the table's order. */
void sr_conf_dump(const struct sr_conf *conf, FILE *out);

/* Set in this process's environment, for programs that it starts, what they need to read the same configuration: SSE_CONFIG if
 * a file was read, and a variable for each option that a flag set. Paths become absolute. SR_ENOMEM. */
SR_MUST_CHECK enum sr_err sr_conf_export(const struct sr_conf *conf);

/**
 * Read a secret from a file: its first line without the newline, at most 512 bytes.
 * Refuses a file that group or others can write, or that others can read, that is no regular file, or whose line is longer
 * or has a NUL (SR_EINVAL); an empty or unreadable one (SR_EIO). `why` says which; `out` is empty then.
 */
SR_MUST_CHECK enum sr_err sr_conf_secret(struct sr_buf *out, const char *path, struct sr_buf *why);

/**
 * Read a whole file of secrets, at most 64 KiB, under the same rules; an empty one is fine. `out` must be able to hold it, and is the
 * only copy: wipe it.
 */
SR_MUST_CHECK enum sr_err sr_conf_secrets(struct sr_buf *out, const char *path, struct sr_buf *why);

/**
 * May this peer read the pages under /-/ ? Pure.
 * allow_list   a valid status_allow: addresses, address/bits, and `unix`
 * remote_addr  REMOTE_ADDR as the web server gave it; NULL, "" and "unix:..." are `unix`, an address that is none is never
 *              allowed; an IPv4 address in IPv6 clothes (::ffff:a.b.c.d) is the IPv4 address
 */
bool sr_conf_address_allowed(const char *allow_list, const char *remote_addr);

#define SR_VERSION "0.1.0"

/* sysexits(3) */
enum { SR_EX_OK = 0, SR_EX_USAGE = 64, SR_EX_DATA = 65, SR_EX_NOSTREAM = 66, SR_EX_REDIS = 69, SR_EX_BUG = 70, SR_EX_IO = 74, SR_EX_LATER = 75,
       SR_EX_DENIED = 77, SR_EX_CONFIG = 78 };

#endif
