#include "common/clock.h"
#include <sys/random.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define YEAR_9999_END INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static int64_t read_clock(clockid_t clock)
{
	struct timespec t = {0};

	clock_gettime(clock, &t); /* cannot fail: both clocks exist on every Linux, and `t` is ours */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

sr_mono_ms sr_clock_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

sr_wall_ms sr_clock_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

void sr_clock_iso(char out[SR_ISO_SIZE], sr_wall_ms ms)
{
	struct tm tm = {0};
	time_t seconds;
	int millis;

	ms = ms < 0 ? 0 : ms > YEAR_9999_END ? YEAR_9999_END : ms;
	seconds = (time_t)(ms / 1000);
	millis = (int)(ms % 1000);
	gmtime_r(&seconds, &tm);
	strftime(out, SR_ISO_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	out[19] = '.';
	out[20] = (char)('0' + millis / 100);
	out[21] = (char)('0' + millis / 10 % 10);
	out[22] = (char)('0' + millis % 10);
	out[23] = 'Z';
	out[24] = '\0';
}

static int digits(const char *text, int from, int count)
{
	int n = 0;

	for (int i = from; i < from + count; i++)
		n = n * 10 + (text[i] - '0');
	return n;
}

sr_wall_ms sr_clock_from_iso(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	char again[SR_ISO_SIZE];
	struct tm tm = {0};
	sr_wall_ms ms;

	for (size_t i = 0; i < sizeof form; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return -1;
	tm.tm_year = digits(text, 0, 4) - 1900;
	tm.tm_mon = digits(text, 5, 2) - 1;
	tm.tm_mday = digits(text, 8, 2);
	tm.tm_hour = digits(text, 11, 2);
	tm.tm_min = digits(text, 14, 2);
	tm.tm_sec = digits(text, 17, 2);
	ms = (sr_wall_ms)timegm(&tm) * 1000 + digits(text, 20, 3);
	sr_clock_iso(again, ms);
	return strcmp(text, again) == 0 ? ms : -1; /* else no such day, or before 1970 */
}

/* xorshift64* (Vigna 2016), one state per thread: no lock, no system call. The state is never 0. */
static uint64_t next_random(void)
{
	static _Thread_local uint64_t state;
	uint64_t x = state;

	if (x == 0 && (getrandom(&x, sizeof x, 0) != (ssize_t)sizeof x || x == 0)) {
		/* getrandom(2) is missing or filtered. Jitter only has to differ between processes and threads. */
		x = (uint64_t)read_clock(CLOCK_REALTIME) << 24 ^ (uint64_t)getpid() << 48 ^ (uint64_t)(uintptr_t)&state;
		x |= 1;
	}
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	state = x;
	return x * UINT64_C(0x2545F4914F6CDD1D);
}

int64_t sr_random_between(int64_t low, int64_t high)
{
	uint64_t span, limit, r;

	if (high <= low)
		return low;
	span = (uint64_t)high - (uint64_t)low + 1;
	if (span == 0) /* all of int64_t */
		return (int64_t)next_random();
	limit = UINT64_MAX - UINT64_MAX % span; /* above it, the remainder would favour small numbers */
	do
		r = next_random();
	while (r >= limit);
	return (int64_t)((uint64_t)low + r % span);
}

void sr_random_name(char *out, int len)
{
	static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char noise[32];
	size_t have = 0;

	for (int i = 0; i < len; i++) {
		if (have == 0) {
			have = sizeof noise;
			/* Without getrandom(2) the name is still unlike others; it identifies, it does not protect. */
			if (getrandom(noise, sizeof noise, 0) != (ssize_t)sizeof noise)
				for (size_t n = 0; n < sizeof noise; n++)
					noise[n] = (unsigned char)(next_random() >> 56);
		}
		out[i] = base32[noise[--have] & 31];
	}
	out[len] = '\0';
}
