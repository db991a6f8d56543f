/* age.h - the dates of the records as times, and times as people say them. Pure. */
#ifndef SR_AGE_H
#define SR_AGE_H
#include <stdbool.h>
#include <stdint.h>

/* "2026-11-23T20:27:00.123Z", as the scripts and other programs write it (the fraction may be missing), as ms since 1970. */
bool sr_age_parse(const char *date, int64_t *ms);

#define SR_AGE_SIZE 12
/* Two figures of it: 0.4s, 59s, 3m05s, 2h10m, 4d03h, 812d; below zero (clocks differ) 0.0s. */
void sr_age_say(char out[SR_AGE_SIZE], int64_t ms);

#endif
