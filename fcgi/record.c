/* record.c - see record.h. */
#include "fcgi/record.h"

#include <fastcgi.h>
#include <string.h>

static void header(uint8_t *out, uint8_t type, uint16_t request_id, uint16_t len)
{
	memcpy(out, (uint8_t[SR_RECORD_HEADER]){FCGI_VERSION_1, type, (uint8_t)(request_id >> 8), (uint8_t)request_id, (uint8_t)(len >> 8),
	                                        (uint8_t)len, 0, 0}, SR_RECORD_HEADER);
}

bool sr_record_read(struct sr_record *out, const uint8_t h[SR_RECORD_HEADER])
{
	static const enum sr_record_kind kinds[] = {[FCGI_BEGIN_REQUEST] = SR_RECORD_BEGIN, [FCGI_ABORT_REQUEST] = SR_RECORD_ABORT,
	                                            [FCGI_PARAMS] = SR_RECORD_PARAMS, [FCGI_STDIN] = SR_RECORD_STDIN,
	                                            [FCGI_STDOUT] = SR_RECORD_STDOUT, [FCGI_END_REQUEST] = SR_RECORD_ENDED};

	*out = (struct sr_record){.kind = h[1] < sizeof kinds / sizeof *kinds ? kinds[h[1]] : SR_RECORD_OTHER,
	                          .request_id = (uint16_t)(h[2] << 8 | h[3]), .len = (uint16_t)(h[4] << 8 | h[5]), .padding = h[6]};
	return h[0] == FCGI_VERSION_1;
}

void sr_record_stdin(uint8_t out[SR_RECORD_HEADER], uint16_t request_id, uint16_t len)
{
	header(out, FCGI_STDIN, request_id, len);
}

void sr_record_stdout(uint8_t out[SR_RECORD_HEADER], uint16_t request_id, uint16_t len)
{
	header(out, FCGI_STDOUT, request_id, len);
}

void sr_record_end(uint8_t out[SR_RECORD_END], uint16_t request_id)
{
	header(out, FCGI_STDOUT, request_id, 0);
	header(out + SR_RECORD_HEADER, FCGI_END_REQUEST, request_id, sizeof(FCGI_EndRequestBody));
	memset(out + 2 * SR_RECORD_HEADER, 0, sizeof(FCGI_EndRequestBody));
}
