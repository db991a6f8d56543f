/* conf_parts.h - what the files of conf share. Nobody else includes it but deploy/man/options.c, which prints the table.
 *   conf_table    the options: name, kind, default, bounds, help
 *   conf_value    one value: text to number and back, the rules of the texts
 *   conf_address  status_allow
 *   conf          the struct: set, load, check against each other, dump
 *   conf_file     the file's lines; secrets
 *   conf_load     what lies under flags and settings, and the settings
 *   conf_args     the command line, and sr_conf_start
 *   conf_help     --help */
#ifndef SR_CONF_PARTS_H
#define SR_CONF_PARTS_H
#include "common/conf.h"
#include <stddef.h>

enum sr_kind { SR_KIND_TEXT, SR_KIND_WORD, SR_KIND_NUMBER, SR_KIND_DURATION, SR_KIND_SIZE };

struct sr_option {
	const char *name;
	enum sr_kind kind;
	bool quiet;          /* the value may hold a password by mistake: no message repeats it */
	size_t at;           /* where struct sr_conf has the value: a char * for a text, else an int64_t */
	const char *initial; /* the default, as one would write it */
	int64_t low, high;   /* numbers, durations (ms), sizes (bytes) */
	const char *words;   /* SR_KIND_WORD: "deny|allow", in the order of the enum */
	const char *(*check)(const char *text); /* SR_KIND_TEXT: NULL when the text is fine, else what it must be */
	const char *help;
};

/* conf_table */
extern const struct sr_option sr_options[SR_CONF_COUNT];

/* conf_value */
#define SR_COMPLAINT_SIZE 256
#define SR_VALUE_SIZE 32
/* Read a value that is no text. On SR_EINVAL `complaint` says "'x' is not a duration: write ...". */
SR_MUST_CHECK enum sr_err sr_value_parse(const struct sr_option *o, const char *text, int64_t *value,
                                         char complaint[SR_COMPLAINT_SIZE]);
SR_MUST_CHECK enum sr_err sr_value_check_text(const struct sr_option *o, const char *text, char complaint[SR_COMPLAINT_SIZE]);
/* Write a value that is no text as one would write it in the file; returns `out`. */
const char *sr_value_format(char out[SR_VALUE_SIZE], const struct sr_option *o, int64_t value);
const char *sr_check_redis_url(const char *text);
const char *sr_check_key_prefix(const char *text);
const char *sr_check_mount(const char *text);
const char *sr_check_variable(const char *text);
const char *sr_check_origins(const char *text);
const char *sr_check_log_target(const char *text);

/* conf_address */
const char *sr_check_addresses(const char *text);

/* conf */
#define SR_SPELLING_SIZE 64
/* An option's index by its name in the file, or -1. */
int sr_option_find(const char *name, size_t len);
/* The option's name as a variable, SSE_REDIS_URL, or as a flag, --redis-url; both return `out`. */
const char *sr_option_variable(char out[SR_SPELLING_SIZE], const struct sr_option *o);
const char *sr_option_flag(char out[SR_SPELLING_SIZE], const struct sr_option *o);
/* The known name that is nearest to a mistyped one: offer all, then look at `name` (NULL: none is near). '-' equals '_'. */
struct sr_nearest {
	const char *wanted;
	size_t len;       /* of wanted */
	const char *name;
	size_t distance;  /* of name; only read when name is set */
};
void sr_nearest_offer(struct sr_nearest *n, const char *known);
/* Set one option. SR_EINVAL or SR_ENOMEM leave it as it was; `why` names origin and option. */
SR_MUST_CHECK enum sr_err sr_conf_set(struct sr_conf *c, int option, const char *value, struct sr_conf_origin origin,
                                      struct sr_buf *why);
/* `c` must be all zero; release it whatever the outcome. */
SR_MUST_CHECK enum sr_err sr_conf_set_defaults(struct sr_conf *c, struct sr_buf *why);
SR_MUST_CHECK enum sr_err sr_conf_read_environment(struct sr_conf *c, struct sr_buf *why);
/* The rules between two options; `why` names both. */
SR_MUST_CHECK enum sr_err sr_conf_cross_check(const struct sr_conf *c, struct sr_buf *why);

/* conf_file */
/* SR_EIO when `path` cannot be read; with `optional`, one that does not exist is as good as empty. */
SR_MUST_CHECK enum sr_err sr_conf_read_file(struct sr_conf *c, const char *path, bool optional, struct sr_buf *why);

/* conf_load */
/* Defaults, file and environment into `conf`, which is all zero. path: of --config; NULL = what the environment says. */
SR_MUST_CHECK enum sr_err sr_conf_begin(struct sr_conf *conf, const char *path, struct sr_buf *why);
/* After flags or settings, which ended as `e`: the last checks. On any error `conf` is released. Returns the error. */
SR_MUST_CHECK enum sr_err sr_conf_finish(struct sr_conf *conf, enum sr_err e, bool secrets, struct sr_buf *why);

/* conf_args */
extern const struct sr_flag sr_common_flags[]; /* what every program has besides the options; ended by a NULL name */

/* conf_help */
void sr_conf_help(const struct sr_usage *usage, FILE *out);

#endif
