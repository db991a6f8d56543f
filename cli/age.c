/* age.c - see age.h. */
#include "cli/age.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400

/* Digits only, where `form` has a 0, else its own character. */
static bool has_form(const char *date, const char *form)
{
	for (; *form; form++, date++)
		if (*form == '0' ? *date < '0' || *date > '9' : *date != *form)
			return false;
	return true;
}

static int number(const char *digits, int count)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		n = n * 10 + (digits[i] - '0');
	return n;
}

bool sr_age_parse(const char *date, int64_t *ms)
{
	struct tm tm = {0};
	bool whole = has_form(date, "0000-00-00T00:00:00Z"), fraction = !whole && has_form(date, "0000-00-00T00:00:00.000Z");

	if (date[0] == '\0' || !(whole || fraction) || date[whole ? 20 : 24])
		return false;
	tm.tm_year = number(date, 4) - 1900;
	tm.tm_mon = number(date + 5, 2) - 1;
	tm.tm_mday = number(date + 8, 2);
	tm.tm_hour = number(date + 11, 2);
	tm.tm_min = number(date + 14, 2);
	tm.tm_sec = number(date + 17, 2);
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	*ms = (int64_t)timegm(&tm) * 1000 + (fraction ? number(date + 20, 3) : 0);
	return true;
}

void sr_age_say(char out[SR_AGE_SIZE], int64_t ms)
{
	long long s = ms < 0 ? 0 : (long long)(ms / 1000);

	if (s < 10)
		snprintf(out, SR_AGE_SIZE, "%lld.%llds", s, ms < 0 ? 0LL : (long long)(ms / 100 % 10));
	else if (s < 60)
		snprintf(out, SR_AGE_SIZE, "%llds", s);
	else if (s < 3600)
		snprintf(out, SR_AGE_SIZE, "%lldm%02llds", s / 60, s % 60);
	else if (s < DAY_S)
		snprintf(out, SR_AGE_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else if (s < 100LL * DAY_S)
		snprintf(out, SR_AGE_SIZE, "%lldd%02lldh", s / DAY_S, s / 3600 % 24);
	else
		snprintf(out, SR_AGE_SIZE, "%lldd", s / DAY_S < 99999999 ? s / DAY_S : 99999999);
}
