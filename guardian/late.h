/* late.h - was this process itself held up? Stopped (SIGSTOP), starved, or asleep with the whole machine. */
#ifndef SR_LATE_H
#define SR_LATE_H
#include <stdint.h>

struct sr_late { int64_t monotonic_ms, boot_ms; };

void sr_late_mark(struct sr_late *late);
/* Milliseconds since the mark, by the clock that says more: CLOCK_MONOTONIC stands still while the machine sleeps,
 * CLOCK_BOOTTIME goes on. */
int64_t sr_late_since(const struct sr_late *late);

#endif
