/* word.c - see word.h. */
#include "cli/word.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 9

struct unit { const char *name; int64_t factor; };

static bool read_value(const char *text, const struct unit *units, int64_t least, int64_t most, int64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	int64_t value;

	if (digits == 0 || digits > DIGITS_MAX)
		return false;
	value = strtol(text, NULL, 10);
	for (; units->name; units++)
		if (strcmp(text + digits, units->name) == 0) {
			value *= units->factor;
			if (value < least || value > most)
				return false;
			*out = value;
			return true;
		}
	return false;
}

bool sr_word_duration(const char *text, int64_t least, int64_t most, int64_t *out)
{
	static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};

	return read_value(text, units, least, most, out);
}

bool sr_word_size(const char *text, int64_t least, int64_t most, int64_t *out)
{
	static const struct unit units[] = {{"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {NULL, 0}};

	return read_value(text, units, least, most, out);
}

bool sr_word_number(const char *text, int64_t most, int64_t *out)
{
	static const struct unit units[] = {{"", 1}, {NULL, 0}};

	return read_value(text, units, 0, most, out);
}
