/* response.h - what a responder sends for one request, record by record: bytes in, the content of STDOUT out. Pure.
 * Rules: FastCGI 1.0, sections 3.3 (records), 5.3 (STDOUT), 5.5 (END_REQUEST). */
#ifndef SR_RESPONSE_H
#define SR_RESPONSE_H
#include "fcgi/record.h"
#include <stdbool.h>
#include <stddef.h>

/* All zero but for request_id at the start. */
struct sr_response {
	uint16_t request_id;
	struct sr_record record;          /* the current one; len and padding are what is still to come */
	uint8_t header[SR_RECORD_HEADER];
	uint8_t header_len;               /* bytes of the next header that are in */
	bool ended;                       /* END_REQUEST came, whole */
	bool broken;                      /* not FastCGI 1.0, or another request's */
};

/**
 * Take bytes up to the next piece of content.
 * at       where to go on in `bytes`, 0 at first; moved behind what was taken
 * piece    set to the content, which is a part of `bytes`
 * Returns  its length; 0: there is no more in `bytes`, or `ended` or `broken` is set, and the rest is not looked at.
 */
size_t sr_response_next(struct sr_response *r, const char *bytes, size_t len, size_t *at, const char **piece);

#endif
