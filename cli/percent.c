/* percent.c - see percent.h. */
#include "cli/percent.h"

#define DIGITS_MAX 9 /* a longer number is no progress, and would not fit */

/* A number in the line, from `at` to `end`. */
struct number {
	size_t at, end;
	long whole;
	int tenth;     /* first digit behind the point */
	bool point, over; /* over: too many digits */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* May a number begin or end beside this character? Not inside of v1.2.3, a/b/c, 2026-11-23 or x86_64. UTF-8 is no letter here:
 * it is more likely to be the blocks of a bar. */
static bool parts(char c)
{
	return !is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '.' && c != ',' && c != '_' && c != '-' && c != '/';
}

static struct number read_number(const char *line, size_t len, size_t at)
{
	struct number n = {.at = at};
	size_t i = at;

	for (; i < len && is_digit(line[i]); i++) {
		n.over = i - at >= DIGITS_MAX;
		if (!n.over)
			n.whole = n.whole * 10 + (line[i] - '0');
	}
	if (i + 1 < len && (line[i] == '.' || line[i] == ',') && is_digit(line[i + 1])) {
		n.point = true;
		n.tenth = line[i + 1] - '0';
		for (i++; i < len && is_digit(line[i]); i++)
			;
	}
	n.end = i;
	return n;
}

static bool as_tenths(const struct number *n, int *tenths)
{
	if (n->over || n->whole > 100 || (n->whole == 100 && n->tenth > 0))
		return false;
	*tenths = (int)n->whole * 10 + n->tenth;
	return true;
}

/* Is there a '%' behind the number, perhaps after a space? */
static bool has_sign(const char *line, size_t len, const struct number *n)
{
	size_t i = n->end;

	if (i < len && line[i] == ' ')
		i++;
	return i < len && line[i] == '%';
}

static bool read_fraction(const char *line, size_t len, const struct number *n, int *tenths)
{
	struct number of;

	if (n->over || n->point || n->end + 1 >= len || line[n->end] != '/' || !is_digit(line[n->end + 1]))
		return false;
	of = read_number(line, len, n->end + 1);
	if (of.over || of.point || of.whole < 1 || n->whole > of.whole || (of.end < len && !parts(line[of.end])))
		return false;
	*tenths = (int)(n->whole * 1000 / of.whole);
	return true;
}

static bool is_blank(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != ' ' && bytes[i] != '\t')
			return false;
	return true;
}

bool sr_percent_find(const char *line, size_t len, int *tenths)
{
	bool fraction = false;

	for (size_t i = 0; i < len;) {
		struct number n;

		if (!is_digit(line[i])) {
			i++;
			continue;
		}
		n = read_number(line, len, i);
		i = n.end;
		if (n.at > 0 && !parts(line[n.at - 1]))
			continue;
		if (has_sign(line, len, &n) && as_tenths(&n, tenths))
			return true;
		if (!fraction)
			fraction = read_fraction(line, len, &n, tenths);
		if (!fraction && is_blank(line, n.at) && is_blank(line + n.end, len - n.end) && as_tenths(&n, tenths))
			return true;
	}
	return fraction;
}
