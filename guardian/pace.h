/* pace.h - how fast a pass may mark. Pure.
 * When most streams of several responders are stale at once, it is more likely that those responders cannot reach Redis than
 * that all their streams died. The guardian then marks slowly, so that whoever comes back finds most of its streams alive.
 * One responder alone may well have been killed: its streams are marked at full speed. */
#ifndef SR_PACE_H
#define SR_PACE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_PACE_SHARE 55   /* percent of the active streams; more than this is a large share */
#define SR_PACE_LEAST 20   /* fewer stale streams are never a large share */
#define SR_PACE_SAMPLE 50  /* stale streams that are asked for their responder */

/* Is the share so large that the owners have to be looked at? */
bool sr_pace_large(long long active, long long stale);

struct sr_pace {
	bool slow;
	int64_t rate;     /* slow: streams judged a second */
	int batch;        /* streams judged together */
	int64_t pause_ms; /* slow: between two batches */
};

/* owners: different responders in a sample of the stale streams. batch_max: the most that one call may judge, at least 1. */
struct sr_pace sr_pace_of(long long active, long long stale, int owners, int batch_max);

/* The responders of a sample: names are kept as hashes, so that a set has a fixed size. */
struct sr_owners { uint64_t seen[SR_PACE_SAMPLE]; int count; };
/* Adds a name unless it is there or the set is full. */
void sr_owners_add(struct sr_owners *owners, const char *name, size_t len);

/**
 * Read one value of a stream's viewers hash, "viewers ms".
 * Returns  true with the time in *said_ms when that responder said it had viewers; false for none, or for something else.
 */
bool sr_pace_viewers(const char *value, int64_t *said_ms);

#endif
