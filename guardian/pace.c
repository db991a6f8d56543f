#include "guardian/pace.h"

#include <stdlib.h>

#define RATE_LEAST 10 /* a second */

bool sr_pace_large(long long active, long long stale)
{
	return stale >= SR_PACE_LEAST && (double)stale * 100. > (double)active * SR_PACE_SHARE;
}

struct sr_pace sr_pace_of(long long active, long long stale, int owners, int batch_max)
{
	struct sr_pace pace = {.batch = batch_max};

	if (owners < 2 || !sr_pace_large(active, stale))
		return pace;
	pace.slow = true;
	pace.rate = active / 100 > RATE_LEAST ? active / 100 : RATE_LEAST;
	if (pace.rate < batch_max)
		pace.batch = (int)pace.rate;
	pace.pause_ms = ((int64_t)pace.batch * 1000 + pace.rate - 1) / pace.rate;
	return pace;
}

void sr_owners_add(struct sr_owners *owners, const char *name, size_t len)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
	for (int i = 0; i < owners->count; i++)
		if (owners->seen[i] == hash)
			return;
	if (owners->count < SR_PACE_SAMPLE)
		owners->seen[owners->count++] = hash;
}

bool sr_pace_viewers(const char *value, int64_t *said_ms)
{
	char *space, *end;
	long long viewers = strtoll(value, &space, 10), ms;

	if (space == value || *space != ' ' || viewers <= 0)
		return false;
	ms = strtoll(space + 1, &end, 10);
	if (end == space + 1 || *end || ms < 0)
		return false;
	*said_ms = ms;
	return true;
}
