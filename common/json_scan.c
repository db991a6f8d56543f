#include "common/json_scan.h"
#include "common/json.h"
#include "common/utf8.h"
#include <stdbool.h>
#include <string.h>

struct scan {
	const char *text;
	size_t len;
	size_t at;
	int depth;
	bool nul_inside; /* the string just read has a \u0000: fine in a value, not in a member's name */
	struct sr_buf *why;
};

static enum sr_err refuse(const struct scan *s, size_t at, const char *what)
{
	sr_buf_explain(s->why, "offset %zu: %s", at, what);
	return SR_EINVAL;
}

/* The byte `ahead` of the reading position; 0 behind the end (a real NUL fits nowhere either). */
static char peek(const struct scan *s, size_t ahead)
{
	return ahead < s->len - s->at ? s->text[s->at + ahead] : '\0';
}

static bool starts_with(const struct scan *s, const char *word)
{
	size_t len = strlen(word);

	return len <= s->len - s->at && memcmp(s->text + s->at, word, len) == 0;
}

static void skip_space(struct scan *s)
{
	while (s->at < s->len && memchr(" \t\r\n", s->text[s->at], 4))
		s->at++;
}

/* Which letters may follow a backslash is left to json-c. */
static enum sr_err scan_string(struct scan *s)
{
	size_t open = s->at++, step;

	s->nul_inside = false;
	while (s->at < s->len && s->text[s->at] != '"') {
		if ((unsigned char)s->text[s->at] < 0x20)
			return refuse(s, s->at, "a raw control character in a string");
		step = sr_utf8_length(s->text + s->at, s->len - s->at);
		if (step == 0)
			return refuse(s, s->at, "not UTF-8");
		if (starts_with(s, "\\\\") || starts_with(s, "\\\""))
			step = 2;
		else if (starts_with(s, "\\u0000"))
			s->nul_inside = true;
		s->at += step;
	}
	if (s->at == s->len)
		return refuse(s, open, "a string without end");
	s->at++;
	return SR_OK;
}

/* Skip digits; how many were there? */
static size_t scan_digits(struct scan *s)
{
	size_t from = s->at;

	while (peek(s, 0) >= '0' && peek(s, 0) <= '9')
		s->at++;
	return s->at - from;
}

/* json-c keeps integers as int64 or uint64, and turns larger ones into the largest without a word. */
static bool fits_64_bits(const char *digits, size_t len, bool negative)
{
	const char *limit = negative ? "9223372036854775808" : "18446744073709551615";
	size_t most = strlen(limit);

	return len < most || (len == most && memcmp(digits, limit, most) <= 0);
}

static enum sr_err scan_number(struct scan *s)
{
	size_t from = s->at, digits;
	bool negative = peek(s, 0) == '-', integer = true;

	if (negative)
		s->at++;
	digits = scan_digits(s);
	if (digits == 0 || (digits > 1 && s->text[s->at - digits] == '0'))
		return refuse(s, from, "not a number of JSON");
	if (peek(s, 0) == '.') {
		integer = false;
		s->at++;
		if (scan_digits(s) == 0)
			return refuse(s, from, "not a number of JSON");
	}
	if (peek(s, 0) == 'e' || peek(s, 0) == 'E') {
		integer = false;
		s->at++;
		if (peek(s, 0) == '+' || peek(s, 0) == '-')
			s->at++;
		if (scan_digits(s) == 0)
			return refuse(s, from, "not a number of JSON");
	}
	if (integer && !fits_64_bits(s->text + s->at - digits, digits, negative))
		return refuse(s, from, "an integer of more than 64 bits");
	return SR_OK;
}

static enum sr_err scan_name(struct scan *s)
{
	static const char *const names[] = {"true", "false", "null"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (starts_with(s, names[i])) {
			s->at += strlen(names[i]);
			return SR_OK;
		}
	return refuse(s, s->at, "not JSON");
}

static enum sr_err scan_mark(struct scan *s)
{
	char c = s->text[s->at];

	if (c == '[' || c == '{') {
		if (++s->depth > SR_JSON_DEPTH_MAX)
			return refuse(s, s->at, "nested too deeply");
	} else if (c == ']' || c == '}') {
		if (--s->depth < 0)
			return refuse(s, s->at, "a bracket that closes nothing");
	} else if (c == ':' && s->nul_inside) {
		return refuse(s, s->at, "a member's name with \\u0000 in it");
	}
	s->nul_inside = false;
	s->at++;
	return SR_OK;
}

static enum sr_err scan_word(struct scan *s)
{
	char c = s->text[s->at];

	if (c == '"')
		return scan_string(s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s);
	if (c != '\0' && strchr("[]{}:,", c))
		return scan_mark(s);
	return scan_name(s);
}

enum sr_err sr_json_scan(const char *bytes, size_t len, size_t *start, size_t *end, struct sr_buf *why)
{
	struct scan s = {.text = bytes, .len = len, .why = why};
	size_t first, last;
	enum sr_err e;

	skip_space(&s);
	first = last = s.at;
	while (s.at < s.len) {
		e = scan_word(&s);
		if (e)
			return e;
		last = s.at;
		skip_space(&s);
	}
	if (first == last)
		return refuse(&s, first, "nothing there");
	*start = first;
	*end = last;
	return SR_OK;
}
