/* record.c - see record.h. */
#include "fcgi/record.h"

#include <fastcgi.h>
#include <string.h>

static void header(uint8_t *out, uint8_t type, uint16_t request_id, uint16_t len)
{
	memcpy(out, (uint8_t[SR_RECORD_HEADER]){FCGI_VERSION_1, type, (uint8_t)(request_id >> 8), (uint8_t)request_id, (uint8_t)(len >> 8),
	                                        (uint8_t)len, 0, 0}, SR_RECORD_HEADER);
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
