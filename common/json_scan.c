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
	if (ahead >= s->len - s->at)
		return '\0';
	return s->text[s->at + ahead];
}

static bool starts_with(const struct scan *s, const char *word)
{
	size_t len = strlen(word);

	return len <= s->len - s->at && memcmp(s->text + s->at, word, len) == 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct scan *s)
{
	while (is_space(peek(s, 0)))
		s->at++;
}

/* Bytes that the escape at the reading position takes; 0 when it is none. */
static size_t escape_length(const struct scan *s)
{
	char c = peek(s, 1);

	if (c == 'u') {
		for (size_t i = 2; i < 6; i++)
			if (peek(s, i) == '\0' || !strchr("0123456789abcdefABCDEF", peek(s, i)))
				return 0;
		return 6;
	}
	return c != '\0' && strchr("\"\\/bfnrt", c) ? 2 : 0;
}

/* `nul` receives whether there is a \u0000 in it. */
static enum sr_err scan_string(struct scan *s, bool *nul)
{
	size_t open = s->at++, step;

	*nul = false;
	while (s->at < s->len && s->text[s->at] != '"') {
		if ((unsigned char)s->text[s->at] < 0x20)
			return refuse(s, s->at, "a raw control character in a string");
		if (s->text[s->at] == '\\') {
			step = escape_length(s);
			*nul = *nul || starts_with(s, "\\u0000");
			if (step == 0)
				return refuse(s, s->at, "not an escape of JSON");
		} else {
			step = sr_utf8_length(s->text + s->at, s->len - s->at);
			if (step == 0)
				return refuse(s, s->at, "not UTF-8");
		}
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

static enum sr_err scan_word(struct scan *s)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (starts_with(s, words[i])) {
			s->at += strlen(words[i]);
			return SR_OK;
		}
	return refuse(s, s->at, s->at == s->len ? "the end, where a value was expected" : "not JSON");
}

/* A member's name and its colon. json-c keeps names as C strings, so that \u0000 would make two of them one. */
static enum sr_err scan_name(struct scan *s)
{
	size_t from = s->at;
	bool nul;

	if (peek(s, 0) != '"')
		return refuse(s, from, "a member's name expected");
	if (scan_string(s, &nul))
		return SR_EINVAL;
	if (nul)
		return refuse(s, from, "a member's name with \\u0000 in it");
	skip_space(s);
	if (peek(s, 0) != ':')
		return refuse(s, s->at, "a colon expected");
	s->at++;
	return SR_OK;
}

static enum sr_err scan_value(struct scan *s);

/* An array or object from bracket to bracket; scan_value() calls back here, SR_JSON_DEPTH_MAX times at most. */
static enum sr_err scan_inside(struct scan *s)
{
	bool object = peek(s, 0) == '{';
	char close = object ? '}' : ']';

	if (s->depth == SR_JSON_DEPTH_MAX)
		return refuse(s, s->at, "nested too deeply");
	s->depth++;
	s->at++;
	skip_space(s);
	for (bool first = true; peek(s, 0) != close; first = false) {
		if (!first && peek(s, 0) != ',')
			return refuse(s, s->at, object ? "a comma or } expected" : "a comma or ] expected");
		if (!first)
			s->at++;
		skip_space(s);
		if (object && scan_name(s))
			return SR_EINVAL;
		if (scan_value(s))
			return SR_EINVAL;
	}
	s->at++;
	s->depth--;
	return SR_OK;
}

/* One value and the white space around it. */
static enum sr_err scan_value(struct scan *s)
{
	enum sr_err e;
	bool nul;
	char c;

	skip_space(s);
	c = peek(s, 0);
	if (c == '"')
		e = scan_string(s, &nul);
	else if (c == '{' || c == '[')
		e = scan_inside(s);
	else if (c == '-' || (c >= '0' && c <= '9'))
		e = scan_number(s);
	else
		e = scan_word(s);
	skip_space(s);
	return e;
}

enum sr_err sr_json_scan(const char *bytes, size_t len, size_t *start, size_t *end, struct sr_buf *why)
{
	struct scan s = {.text = bytes, .len = len, .why = why};
	size_t first, last;

	skip_space(&s);
	first = s.at;
	if (scan_value(&s))
		return SR_EINVAL;
	if (s.at < len)
		return refuse(&s, s.at, "something behind the value");
	for (last = len; is_space(bytes[last - 1]);)
		last--;
	*start = first;
	*end = last;
	return SR_OK;
}
