#include "common/conf_parts.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Smallest first; the last that divides a value is the one it is written with. */
static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {NULL, 0}};
static const struct unit numbers[] = {{"", 1}, {NULL, 0}};

/* How a kind is called and written, for messages. */
static const struct {
	const struct unit *units;
	const char *what, *form;
} kinds[] = {
	[SR_KIND_NUMBER] = {numbers, "a number", "digits"},
	[SR_KIND_DURATION] = {durations, "a duration", "a number with ms, s, m or h"},
	[SR_KIND_SIZE] = {sizes, "a size", "a number, or one with k or m"},
};

/* ---- numbers ---- */

/* Digits, no sign; false when there are none or int64_t does not hold them. */
static bool read_digits(const char **text, int64_t *value)
{
	const char *t = *text;
	int64_t n = 0;

	for (; *t >= '0' && *t <= '9'; t++) {
		int digit = *t - '0';

		if (n > (INT64_MAX - digit) / 10)
			return false;
		n = 10 * n + digit;
	}
	if (t == *text)
		return false;
	*text = t;
	*value = n;
	return true;
}

static bool read_quantity(const struct unit *units, const char *text, int64_t *value)
{
	int64_t n;

	if (!read_digits(&text, &n))
		return false;
	for (const struct unit *u = units; u->name; u++) {
		if (strcmp(text, u->name) != 0)
			continue;
		if (n > INT64_MAX / u->factor)
			return false;
		*value = n * u->factor;
		return true;
	}
	return false;
}

/* A value as a message may show it: short, and without anything that moves a terminal's cursor. */
static const char *show(char out[64], const char *text)
{
	size_t len = strnlen(text, 64);

	for (size_t i = 0; i < len && i < 60; i++)
		out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	memcpy(out + (len < 60 ? len : 60), len <= 60 ? "" : "...", len <= 60 ? 1 : 4);
	return out;
}

/* Which word of "a|b|c" is it, from 0? -1 when none. */
static int find_word(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (int i = 0;; i++) {
		size_t word = strcspn(words, "|");

		if (word == len && memcmp(words, text, len) == 0)
			return i;
		if (words[word] == '\0')
			return -1;
		words += word + 1;
	}
}

enum sr_err sr_value_parse(const struct sr_option *o, const char *text, int64_t *value, char complaint[SR_COMPLAINT_SIZE])
{
	char shown[64], low[SR_VALUE_SIZE], high[SR_VALUE_SIZE];
	int64_t n = 0;
	bool good;

	if (o->kind == SR_KIND_WORD) {
		int word = find_word(o->words, text);

		if (word >= 0) {
			*value = word;
			return SR_OK;
		}
		snprintf(complaint, SR_COMPLAINT_SIZE, "'%s' is not one of %s", show(shown, text), o->words);
		return SR_EINVAL;
	}
	good = read_quantity(kinds[o->kind].units, text, &n);
	if (good && n >= o->low && n <= o->high) {
		*value = n;
		return SR_OK;
	}
	snprintf(complaint, SR_COMPLAINT_SIZE, "'%s' is %s%s: write %s, from %s to %s", show(shown, text),
	         good ? "out of range" : "not ", good ? "" : kinds[o->kind].what, kinds[o->kind].form,
	         sr_value_format(low, o, o->low), sr_value_format(high, o, o->high));
	return SR_EINVAL;
}

const char *sr_value_format(char out[SR_VALUE_SIZE], const struct sr_option *o, int64_t value)
{
	const struct unit *units, *best;

	if (o->kind == SR_KIND_WORD) {
		const char *word = o->words;

		while (value-- > 0)
			word += strcspn(word, "|") + 1;
		snprintf(out, SR_VALUE_SIZE, "%.*s", (int)strcspn(word, "|"), word);
		return out;
	}
	units = best = kinds[o->kind].units;
	if (value == 0 && o->kind == SR_KIND_DURATION)
		best++; /* "0s" */
	for (const struct unit *u = units; value != 0 && u->name; u++)
		if (value % u->factor == 0)
			best = u;
	snprintf(out, SR_VALUE_SIZE, "%" PRId64 "%s", value / best->factor, best->name);
	return out;
}

/* ---- texts ---- */

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

enum sr_err sr_value_check_text(const struct sr_option *o, const char *text, char complaint[SR_COMPLAINT_SIZE])
{
	const char *fault = NULL;
	char shown[64];

	if (strlen(text) > SR_CONF_TEXT_MAX)
		fault = "is longer than 4096 bytes";
	else if (has_control(text))
		fault = "has a control character";
	else if (o->check)
		fault = o->check(text);
	if (!fault)
		return SR_OK;
	if (o->quiet)
		snprintf(complaint, SR_COMPLAINT_SIZE, "the value %s", fault);
	else
		snprintf(complaint, SR_COMPLAINT_SIZE, "'%s' %s", show(shown, text), fault);
	return SR_EINVAL;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Only what a typing error breaks; the whole grammar is redis.c's, which connects. */
const char *sr_check_redis_url(const char *text)
{
	const char *host, *at;

	if (begins(text, "rediss://"))
		return "begins with rediss://, which is not built in yet";
	if (begins(text, "redis+sentinel://"))
		return "begins with redis+sentinel://, which is not built in yet";
	if (begins(text, "unix://"))
		return text[strlen("unix://")] == '/' ? NULL : "must name an absolute path: unix:///path";
	if (!begins(text, "redis://"))
		return "must begin with unix:// or redis://";
	host = text + strlen("redis://");
	at = strrchr(host, '@');
	if (at && memchr(host, ':', (size_t)(at - host)))
		return "holds a password: put it in redis_password_file";
	return NULL;
}

const char *sr_check_key_prefix(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 64 && !strpbrk(text, " {}") ? NULL : "must be 1 to 64 bytes without space, { and }";
}

const char *sr_check_mount(const char *text)
{
	size_t len = strlen(text);

	if (text[0] != '/' || text[len - 1] == '/')
		return "must begin with / and not end with it";
	return strpbrk(text, " ?#%") || strstr(text, "//") ? "must be a plain path, without space, ?, #, % and //" : NULL;
}

const char *sr_check_variable(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	return len >= 1 && text[len] == '\0' ? NULL : "must be made of A-Z, 0-9 and _";
}

/* RFC 6454 6.2: scheme://host[:port], as browsers send it: small letters, nothing behind. */
static bool is_origin(const char *text, size_t len)
{
	size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	size_t host;

	if (scheme == 0 || scheme + 3 >= len || strncmp(text + scheme, "://", 3) != 0)
		return false;
	host = strspn(text + scheme + 3, "abcdefghijklmnopqrstuvwxyz0123456789-._:[]");
	return scheme + 3 + host == len;
}

const char *sr_check_origins(const char *text)
{
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");

		if (!is_origin(text, len))
			return "must list origins as browsers send them: https://app.example.org, small letters, no path, no *";
		text += len;
	}
	return NULL;
}

const char *sr_check_log_target(const char *text)
{
	bool good = strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0 || text[0] == '/';

	return good ? NULL : "must be stderr, syslog or an absolute path";
}
