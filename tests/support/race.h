/* race.h - several processes that do one thing to the world's Redis at the same moment. */
#ifndef SR_TEST_RACE_H
#define SR_TEST_RACE_H
#include "tests/support/world.h"

#define RACE_MAX 16

struct race { int result[RACE_MAX]; int count[RACE_MAX]; /* how many had each result */ };

/* Fork `n` processes, each with a connected session; let all go at once; collect what `once` returned: 0 to RACE_MAX - 1, else
 * the test fails. */
struct race race_run(int n, int (*once)(struct sr_session *s, int i, void *shared), void *shared);

/* In `once`: send the call, once, and release it. NULL on a failure. The reply lives until the next one. */
const struct sr_reply *race_call(struct sr_session *s, struct sr_call *call);

#endif
