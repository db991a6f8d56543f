/* frame.c - see frame.h. */
#include "fcgi/frame.h"

#include "common/mem.h"
#include "fcgi/record.h"
#include <stdlib.h>
#include <string.h>

#define STRIDE (SR_RECORD_HEADER + (size_t)SR_RECORD_CONTENT_MAX)

struct sr_frame *sr_frame_new(const char *bytes, size_t len)
{
	struct sr_frame *f = sr_malloc(sizeof *f + len);

	if (!f)
		return NULL;
	f->refs = 1;
	f->len = (uint32_t)len;
	memcpy(f->bytes, bytes, len);
	return f;
}

struct sr_frame *sr_frame_ref(struct sr_frame *f)
{
	f->refs++;
	return f;
}

void sr_frame_unref(struct sr_frame *f)
{
	if (f && --f->refs == 0)
		free(f);
}

size_t sr_frame_wire(const struct sr_frame *f)
{
	return f->len + SR_RECORD_HEADER * ((f->len + (size_t)SR_RECORD_CONTENT_MAX - 1) / SR_RECORD_CONTENT_MAX);
}

int sr_frame_pieces(const struct sr_frame *f, uint16_t request_id, size_t offset, struct iovec pieces[SR_FRAME_PIECES], uint8_t headers[2][8])
{
	int count = 0;

	for (int i = 0; i < 2 && offset < sr_frame_wire(f); i++) {
		size_t record = offset / STRIDE, inside = offset % STRIDE, start = record * SR_RECORD_CONTENT_MAX;
		size_t content = f->len - start < SR_RECORD_CONTENT_MAX ? f->len - start : SR_RECORD_CONTENT_MAX;

		sr_record_stdout(headers[i], request_id, (uint16_t)content);
		if (inside < SR_RECORD_HEADER) {
			pieces[count++] = (struct iovec){headers[i] + inside, SR_RECORD_HEADER - inside};
			inside = SR_RECORD_HEADER;
		}
		inside -= SR_RECORD_HEADER;
		pieces[count++] = (struct iovec){(void *)(uintptr_t)(f->bytes + start + inside), content - inside};
		offset = record * STRIDE + SR_RECORD_HEADER + content;
	}
	return count;
}
