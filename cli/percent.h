/* percent.h - how far a line of output says that its program has come. Pure. */
#ifndef SR_PERCENT_H
#define SR_PERCENT_H
#include <stdbool.h>
#include <stddef.h>

/**
 * Find the progress in one line: "40%", "40.5 %" or "40,5%" anywhere; else "3/10" anywhere; else a line that is only a
 * number from 0 to 100. Of several the first one counts. Numbers inside words, versions, paths and dates of three parts do
 * not count, nor does what is above 100 %.
 * tenths  set when found: 0 to 1000, rounded down, so that only the end is 100 %
 */
bool sr_percent_find(const char *line, size_t len, int *tenths);

#endif
