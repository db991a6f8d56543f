/* resident.h - how much memory this process has. */
#ifndef SR_RESIDENT_H
#define SR_RESIDENT_H

/* Bytes that are in memory, from /proc/self/statm; 0 where that cannot be read. */
long long sr_resident_bytes(void);

#endif
