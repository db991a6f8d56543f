/* record.h - FastCGI records that a responder sends. Pure. Rules: FastCGI 1.0, sections 3.3, 5.3, 5.5. */
#ifndef SR_RECORD_H
#define SR_RECORD_H
#include <stddef.h>
#include <stdint.h>

#define SR_RECORD_HEADER 8
#define SR_RECORD_CONTENT_MAX 65535
#define SR_RECORD_END 24 /* an empty STDOUT and END_REQUEST */

/* The header of one STDOUT record with `len` bytes of content and no padding. */
void sr_record_stdout(uint8_t out[SR_RECORD_HEADER], uint16_t request_id, uint16_t len);
/* What ends a request: STDOUT of length 0, then END_REQUEST with status 0, REQUEST_COMPLETE. */
void sr_record_end(uint8_t out[SR_RECORD_END], uint16_t request_id);

#endif
