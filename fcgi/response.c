/* response.c - see response.h. */
#include "fcgi/response.h"

#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void take_header(struct sr_response *r, const char *bytes, size_t len)
{
	memcpy(r->header + r->header_len, bytes, len);
	r->header_len = (uint8_t)(r->header_len + len);
	if (r->header_len < SR_RECORD_HEADER)
		return;
	r->header_len = 0;
	r->broken = !sr_record_read(&r->record, r->header) || r->record.request_id != r->request_id;
}

size_t sr_response_next(struct sr_response *r, const char *bytes, size_t len, size_t *at, const char **piece)
{
	while (*at < len && !r->ended && !r->broken) {
		size_t left = len - *at, n;

		if (r->record.len) {
			n = least(r->record.len, left);
			*piece = bytes + *at;
			*at += n;
			r->record.len = (uint16_t)(r->record.len - n);
			if (r->record.kind == SR_RECORD_STDOUT)
				return n;
		} else if (r->record.padding) {
			n = least(r->record.padding, left);
			*at += n;
			r->record.padding = (uint8_t)(r->record.padding - n);
		} else {
			n = least(SR_RECORD_HEADER - r->header_len, left);
			take_header(r, bytes + *at, n);
			*at += n;
			if (r->header_len)
				continue;
		}
		r->ended = !r->broken && r->record.kind == SR_RECORD_ENDED && r->record.len == 0 && r->record.padding == 0;
	}
	return 0;
}
