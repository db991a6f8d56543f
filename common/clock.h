/* clock.h - time, in milliseconds. A host's clock paces timers and stamps log lines; it decides nothing about a
 * stream (Redis TIME does). */
#ifndef SR_CLOCK_H
#define SR_CLOCK_H
#include <stdint.h>

typedef int64_t sr_mono_ms; /* CLOCK_MONOTONIC: differences only */
typedef int64_t sr_wall_ms; /* since 1970, UTC: for people */

sr_mono_ms sr_clock_mono(void);
sr_wall_ms sr_clock_wall(void);

#define SR_ISO_SIZE 25 /* "2026-11-23T20:27:00.123Z" and NUL */
/* Write `ms` as ISO 8601 UTC with milliseconds and Z. Years 1970 to 9999; what is outside becomes the nearest end. */
void sr_clock_iso(char out[SR_ISO_SIZE], sr_wall_ms ms);
/* Read what sr_clock_iso() writes; -1 for anything else. */
sr_wall_ms sr_clock_from_iso(const char *text);

/* Uniform random number in [low, high] (low when high < low); for jitter, never for secrets. */
int64_t sr_random_between(int64_t low, int64_t high);
/* `len` lower-case base32 characters (5 bits each) from getrandom(2), and NUL: names of nodes and producers. */
void sr_random_name(char *out, int len);

#endif
