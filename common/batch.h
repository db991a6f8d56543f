/* batch.h - the events of one publish call, gathered until it is full. Pure but for memory.
 * Where a batch ends depends on its events only, never on time: the same input is cut the same way again, so that a repeat
 * under the same numbers is recognised. */
#ifndef SR_BATCH_H
#define SR_BATCH_H
#include "common/buf.h"
#include "common/id.h"
#include "common/registry.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_BATCH_BYTES (256u << 10) /* data of one batch; a single larger event is a batch of its own */

struct sr_batch {
	struct sr_buf bytes;  /* type, data, type, data ... */
	uint16_t count;       /* events, at most SR_BATCH_MAX */
	bool ended;           /* the last one is terminal */
	uint32_t data_len[SR_BATCH_MAX];
	uint8_t type_len[SR_BATCH_MAX];
};

void sr_batch_init(struct sr_batch *b, size_t event_bytes);
void sr_batch_release(struct sr_batch *b);
void sr_batch_reset(struct sr_batch *b);

/* May an event with so much data still be added? Never after a terminal one; always to an empty batch. */
bool sr_batch_fits(const struct sr_batch *b, size_t data_len);
/* Add one, checked by sr_event_check(). SR_EBUSY: it does not fit. SR_ETOOBIG, SR_ENOMEM. Else unchanged. */
SR_MUST_CHECK enum sr_err sr_batch_add(struct sr_batch *b, const char *type, size_t type_len, const char *data, size_t data_len);

/* Fill a publish call with all of them. The batch must not be empty. */
void sr_batch_call(const struct sr_batch *b, struct sr_call *call, const struct sr_registry *reg, const struct sr_publish *p);

#endif
