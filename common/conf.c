/* conf.c - the values of one configuration: defaults, setting, cross-checks, dump. The other parts of conf.h are in conf_*.c. */
#include "common/conf.h"

#include "common/conf_parts.h"
#include "common/mem.h"
#include <stdlib.h>
#include <string.h>

enum { ORIGIN_SIZE = 512 };

static char **text_of(struct sr_conf *c, const struct sr_option *o)
{
	return (char **)((char *)c + o->at);
}

static int64_t *number_of(struct sr_conf *c, const struct sr_option *o)
{
	return (int64_t *)((char *)c + o->at);
}

/* ---- names ---- */

int sr_option_find(const char *name, size_t len)
{
	for (int i = 0; i < SR_CONF_COUNT; i++)
		if (strlen(sr_options[i].name) == len && memcmp(sr_options[i].name, name, len) == 0)
			return i;
	return -1;
}

const char *sr_option_variable(char out[SR_SPELLING_SIZE], const struct sr_option *o)
{
	snprintf(out, SR_SPELLING_SIZE, "SSE_%s", o->name);
	for (char *c = out; *c; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return out;
}

const char *sr_option_flag(char out[SR_SPELLING_SIZE], const struct sr_option *o)
{
	snprintf(out, SR_SPELLING_SIZE, "--%s", o->name);
	for (char *c = out; *c; c++)
		if (*c == '_')
			*c = '-';
	return out;
}

static bool same_letter(char a, char b)
{
	return a == b || ((a == '-' || a == '_') && (b == '-' || b == '_'));
}

/* Levenshtein's distance, row by row; both texts are shorter than SR_SPELLING_SIZE. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[SR_SPELLING_SIZE];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; i < a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_len; j++) {
			size_t replace = diagonal + !same_letter(a[i], b[j]);
			size_t skip = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

			diagonal = row[j + 1];
			row[j + 1] = replace < skip ? replace : skip;
		}
	}
	return row[b_len];
}

void sr_nearest_offer(struct sr_nearest *n, const char *known)
{
	size_t len = strlen(known), d;

	if (n->len >= SR_SPELLING_SIZE || len >= SR_SPELLING_SIZE)
		return;
	d = distance(n->wanted, n->len, known, len);
	if (d > 1 + n->len / 4 || (n->name && d >= n->distance))
		return;
	n->name = known;
	n->distance = d;
}

/* ---- one value ---- */

/* "FILE:3: beat_interval", "SSE_BEAT_INTERVAL" or "--beat-interval": where to mend it. */
static const char *place(char out[ORIGIN_SIZE], const struct sr_conf *c, const struct sr_option *o,
                         struct sr_conf_origin origin)
{
	char spelling[SR_SPELLING_SIZE];

	if (origin.from == SR_FROM_FILE)
		snprintf(out, ORIGIN_SIZE, "%s:%d: %s", c->file, origin.line, o->name);
	else if (origin.from == SR_FROM_ENVIRONMENT)
		snprintf(out, ORIGIN_SIZE, "%s", sr_option_variable(spelling, o));
	else if (origin.from == SR_FROM_SETTING)
		snprintf(out, ORIGIN_SIZE, "%s", o->name);
	else
		snprintf(out, ORIGIN_SIZE, "%s", sr_option_flag(spelling, o));
	return out;
}

enum sr_err sr_conf_set(struct sr_conf *c, int option, const char *value, struct sr_conf_origin origin, struct sr_buf *why)
{
	const struct sr_option *o = &sr_options[option];
	char complaint[SR_COMPLAINT_SIZE], at[ORIGIN_SIZE];
	enum sr_err e;
	char *copy;

	if (o->kind == SR_KIND_TEXT)
		e = sr_value_check_text(o, value, complaint);
	else
		e = sr_value_parse(o, value, number_of(c, o), complaint);
	if (e) {
		sr_buf_explain(why, "%s: %s", place(at, c, o, origin), complaint);
		return e;
	}
	if (o->kind == SR_KIND_TEXT) {
		copy = sr_strdup(value);
		if (!copy)
			return SR_ENOMEM;
		free(*text_of(c, o));
		*text_of(c, o) = copy;
	}
	c->origin[option] = origin;
	return SR_OK;
}

enum sr_err sr_conf_set_defaults(struct sr_conf *c, struct sr_buf *why)
{
	c->file = sr_strdup("");
	if (!c->file)
		return SR_ENOMEM;
	for (int i = 0; i < SR_CONF_COUNT; i++) {
		enum sr_err e = sr_conf_set(c, i, sr_options[i].initial, (struct sr_conf_origin){SR_FROM_DEFAULT, 0}, why);

		if (e)
			return e;
	}
	return SR_OK;
}

enum sr_err sr_conf_read_environment(struct sr_conf *c, struct sr_buf *why)
{
	char name[SR_SPELLING_SIZE];

	for (int i = 0; i < SR_CONF_COUNT; i++) {
		const char *value = getenv(sr_option_variable(name, &sr_options[i]));
		enum sr_err e = SR_OK;

		if (value)
			e = sr_conf_set(c, i, value, (struct sr_conf_origin){SR_FROM_ENVIRONMENT, 0}, why);
		if (e)
			return e;
	}
	return SR_OK;
}

void sr_conf_release(struct sr_conf *conf)
{
	for (int i = 0; i < SR_CONF_COUNT; i++)
		if (sr_options[i].kind == SR_KIND_TEXT)
			free(*text_of(conf, &sr_options[i]));
	free(conf->file);
	*conf = (struct sr_conf){0};
}

/* ---- all values ---- */

static void describe_origin(char out[ORIGIN_SIZE], const struct sr_conf *c, int option)
{
	static const char *const names[] = {
		[SR_FROM_DEFAULT] = "default", [SR_FROM_ENVIRONMENT] = "environment", [SR_FROM_FLAG] = "flag",
		[SR_FROM_SETTING] = "setting"};
	struct sr_conf_origin origin = c->origin[option];

	if (origin.from == SR_FROM_FILE)
		snprintf(out, ORIGIN_SIZE, "%s:%d", c->file, origin.line);
	else
		snprintf(out, ORIGIN_SIZE, "%s", names[origin.from]);
}

static int64_t read_number(const struct sr_conf *c, const struct sr_option *o)
{
	return *(const int64_t *)((const char *)c + o->at);
}

void sr_conf_dump(const struct sr_conf *conf, FILE *out)
{
	for (int i = 0; i < SR_CONF_COUNT; i++) {
		const struct sr_option *o = &sr_options[i];
		char number[SR_VALUE_SIZE], origin[ORIGIN_SIZE];
		const char *value;

		if (o->kind == SR_KIND_TEXT)
			value = *(char *const *)((const char *)conf + o->at);
		else
			value = sr_value_format(number, o, read_number(conf, o));
		describe_origin(origin, conf, i);
		fprintf(out, "%s =%s%s  # %s\n", o->name, *value ? " " : "", value, origin);
	}
}

/* ---- for programs that are started ---- */

static enum sr_err export_path(const char *variable, const char *path)
{
	char *absolute = realpath(path, NULL);
	int failed = setenv(variable, absolute ? absolute : path, 1);

	free(absolute);
	return failed ? SR_ENOMEM : SR_OK;
}

static enum sr_err export_option(const struct sr_conf *conf, const struct sr_option *o)
{
	char name[SR_SPELLING_SIZE], number[SR_VALUE_SIZE];
	const char *text;

	sr_option_variable(name, o);
	if (o->kind != SR_KIND_TEXT)
		return setenv(name, sr_value_format(number, o, read_number(conf, o)), 1) ? SR_ENOMEM : SR_OK;
	text = *(char *const *)((const char *)conf + o->at);
	if (o->at == offsetof(struct sr_conf, redis_password_file) && *text)
		return export_path(name, text);
	return setenv(name, text, 1) ? SR_ENOMEM : SR_OK;
}

enum sr_err sr_conf_export(const struct sr_conf *conf)
{
	enum sr_err err = *conf->file ? export_path("SSE_CONFIG", conf->file) : SR_OK;

	for (int i = 0; !err && i < SR_CONF_COUNT; i++)
		if (conf->origin[i].from == SR_FROM_FLAG)
			err = export_option(conf, &sr_options[i]);
	return err;
}

/* ---- rules between two options ---- */

/* "beat_interval (20s, /etc/x.conf:3) must be RULE stale_threshold (30s, default)" */
static enum sr_err clash(const struct sr_conf *c, const char *name, const char *rule, const char *other, struct sr_buf *why)
{
	const char *names[2] = {name, other};
	char value[2][SR_VALUE_SIZE], origin[2][ORIGIN_SIZE];

	for (int i = 0; i < 2; i++) {
		int option = sr_option_find(names[i], strlen(names[i]));

		sr_value_format(value[i], &sr_options[option], read_number(c, &sr_options[option]));
		describe_origin(origin[i], c, option);
	}
	sr_buf_explain(why, "%s (%s, %s) must be %s %s (%s, %s)", name, value[0], origin[0], rule, other, value[1], origin[1]);
	return SR_EINVAL;
}

enum sr_err sr_conf_cross_check(const struct sr_conf *c, struct sr_buf *why)
{
	if (2 * c->beat_interval > c->stale_threshold)
		return clash(c, "beat_interval", "at most half of", "stale_threshold", why);
	if (c->stream_ttl <= c->stale_threshold)
		return clash(c, "stream_ttl", "above", "stale_threshold", why);
	if (c->completion_ttl > c->stream_ttl)
		return clash(c, "completion_ttl", "at most", "stream_ttl", why);
	if (c->retry_max < c->retry_min)
		return clash(c, "retry_max", "at least", "retry_min", why);
	return SR_OK;
}
