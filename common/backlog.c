/* backlog.c - see backlog.h. */
#include "common/backlog.h"

#include "common/id.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEEP 65536 /* bytes of memory that an empty backlog keeps */
#define LITTLE 4096 /* so many consumed bytes are not worth a move */

struct lengths { uint32_t type, data; };
_Static_assert(sizeof(struct lengths) == SR_BACKLOG_OVERHEAD, "the overhead is what stands before an event");

void sr_backlog_init(struct sr_backlog *b, size_t bound, uint64_t first_n, bool drop_oldest)
{
	if (bound > UINT32_MAX)
		bound = UINT32_MAX;
	*b = (struct sr_backlog){.bound = bound, .next_n = first_n, .drop_oldest = drop_oldest};
	/* Waiting events take the bound, and the terminal one as much again; what is consumed and not yet moved away, at most the same. */
	sr_buf_init(&b->bytes, 4 * bound + LITTLE);
}

void sr_backlog_release(struct sr_backlog *b)
{
	sr_buf_release(&b->bytes);
	b->at = b->count = 0;
	b->skipped = 0;
}

static struct lengths lengths_at_head(const struct sr_backlog *b)
{
	struct lengths l;

	memcpy(&l, b->bytes.data + b->at, sizeof l);
	return l;
}

static void pass_head(struct sr_backlog *b)
{
	struct lengths l = lengths_at_head(b);

	b->at += sizeof l + l.type + l.data;
	b->count--;
}

/* Give consumed bytes back. A move costs at most as much as was consumed since the last one. */
static void settle(struct sr_backlog *b)
{
	if (b->at == b->bytes.len) {
		sr_buf_reset(&b->bytes);
		if (b->bytes.cap > KEEP)
			sr_buf_release(&b->bytes);
		b->at = 0;
	} else if (b->at > LITTLE && b->at > b->bytes.len / 2) {
		sr_buf_consume(&b->bytes, b->at);
		b->at = 0;
	}
}

static bool fits(const struct sr_backlog *b, size_t need)
{
	return b->bytes.len - b->at + need <= b->bound;
}

static void drop_until_it_fits(struct sr_backlog *b, size_t need)
{
	for (; b->count > 0 && !fits(b, need); b->skipped++, b->skipped_ever++)
		pass_head(b);
}

static void append(struct sr_backlog *b, struct lengths l, const char *type, const char *data)
{
	/* Room was reserved: none of these can fail. */
	if (sr_buf_append(&b->bytes, &l, sizeof l) == SR_OK && sr_buf_append(&b->bytes, type, l.type) == SR_OK &&
	    sr_buf_append(&b->bytes, data, l.data) == SR_OK)
		b->count++;
}

enum sr_err sr_backlog_push(struct sr_backlog *b, const char *type, size_t type_len, const char *data, size_t data_len)
{
	bool terminal = sr_event_type_terminal(type, type_len);
	size_t need = SR_BACKLOG_OVERHEAD + type_len + data_len;
	enum sr_err err;

	if (b->ended || type_len == 0 || type_len > SR_EVENT_TYPE_MAX)
		return SR_EINVAL;
	if (data_len > b->bound || need > b->bound)
		return SR_ETOOBIG;
	if (!terminal && !b->drop_oldest && !fits(b, need))
		return SR_EBUSY;
	err = sr_buf_reserve(&b->bytes, need);
	if (err != SR_OK)
		return err;
	if (!terminal)
		drop_until_it_fits(b, need);
	append(b, (struct lengths){.type = (uint32_t)type_len, .data = (uint32_t)data_len}, type, data);
	settle(b);
	b->next_n++;
	b->ended = terminal;
	return SR_OK;
}

bool sr_backlog_head(struct sr_backlog *b, struct sr_backlog_event *out)
{
	struct lengths l;
	const char *at;

	if (b->skipped) {
		int len = snprintf(b->notice, sizeof b->notice, "{\"events\":%" PRIu64 "}", b->skipped);

		*out = (struct sr_backlog_event){.n = b->next_n - b->count - 1, .type = "skipped", .type_len = strlen("skipped"), .data = b->notice,
		                                 .data_len = (size_t)len, .notice = true};
		return true;
	}
	if (b->count == 0)
		return false;
	l = lengths_at_head(b);
	at = b->bytes.data + b->at + sizeof l;
	*out = (struct sr_backlog_event){.n = b->next_n - b->count, .type = at, .type_len = l.type, .data = at + l.type, .data_len = l.data};
	return true;
}

void sr_backlog_pop(struct sr_backlog *b)
{
	if (b->skipped) {
		b->skipped = 0;
	} else if (b->count > 0) {
		pass_head(b);
		settle(b);
	}
}

size_t sr_backlog_count(const struct sr_backlog *b)
{
	return b->count + (b->skipped > 0);
}
