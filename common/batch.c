/* batch.c - see batch.h. */
#include "common/batch.h"

#include <string.h>

void sr_batch_init(struct sr_batch *b, size_t event_bytes)
{
	*b = (struct sr_batch){.count = 0};
	sr_buf_init(&b->bytes, SR_BATCH_BYTES + event_bytes + SR_BATCH_MAX * SR_EVENT_TYPE_MAX);
}

void sr_batch_release(struct sr_batch *b)
{
	sr_buf_release(&b->bytes);
	b->count = 0;
	b->ended = false;
}

void sr_batch_reset(struct sr_batch *b)
{
	sr_buf_reset(&b->bytes);
	b->count = 0;
	b->ended = false;
}

bool sr_batch_fits(const struct sr_batch *b, size_t data_len)
{
	return b->count == 0 || (!b->ended && b->count < SR_BATCH_MAX && b->bytes.len + data_len <= SR_BATCH_BYTES);
}

enum sr_err sr_batch_add(struct sr_batch *b, const char *type, size_t type_len, const char *data, size_t data_len)
{
	size_t before = b->bytes.len;
	enum sr_err err;

	if (!sr_batch_fits(b, data_len))
		return SR_EBUSY;
	err = sr_buf_append(&b->bytes, type, type_len);
	if (err == SR_OK)
		err = sr_buf_append(&b->bytes, data, data_len);
	if (err != SR_OK) {
		sr_buf_truncate(&b->bytes, before);
		return err;
	}
	b->type_len[b->count] = (uint8_t)type_len;
	b->data_len[b->count] = (uint32_t)data_len;
	b->count++;
	b->ended = sr_event_type_terminal(type, type_len);
	return SR_OK;
}

void sr_batch_call(const struct sr_batch *b, struct sr_call *call, const struct sr_registry *reg, const struct sr_publish *p)
{
	const char *at = sr_buf_text(&b->bytes);
	char type[SR_EVENT_TYPE_MAX + 1];

	sr_publish_call(call, reg, p);
	for (unsigned i = 0; i < b->count; at += b->type_len[i] + b->data_len[i], i++) {
		memcpy(type, at, b->type_len[i]);
		type[b->type_len[i]] = '\0';
		sr_publish_add(call, type, at + b->type_len[i], b->data_len[i]);
	}
}
