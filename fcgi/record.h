/* record.h - FastCGI records: the headers of those that come, and what each side sends. Pure. Rules: FastCGI 1.0, sections 3.3, 5.3, 5.5. */
#ifndef SR_RECORD_H
#define SR_RECORD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_RECORD_HEADER 8
#define SR_RECORD_CONTENT_MAX 65535
#define SR_RECORD_END 24 /* an empty STDOUT and END_REQUEST */

enum sr_record_kind { SR_RECORD_OTHER, SR_RECORD_BEGIN, SR_RECORD_ABORT, SR_RECORD_PARAMS, SR_RECORD_STDIN, SR_RECORD_STDOUT, SR_RECORD_ENDED };
struct sr_record {
	enum sr_record_kind kind;
	uint16_t request_id;
	uint16_t len;    /* content bytes behind the header */
	uint8_t padding; /* bytes to skip behind the content */
};
/* Read a header. false: not FastCGI 1.0, and *out is unspecified. */
bool sr_record_read(struct sr_record *out, const uint8_t header[SR_RECORD_HEADER]);

/* The header of one STDIN record, as a web server sends it; len 0 ends a request's input. */
void sr_record_stdin(uint8_t out[SR_RECORD_HEADER], uint16_t request_id, uint16_t len);
/* The header of one STDOUT record with `len` bytes of content and no padding. */
void sr_record_stdout(uint8_t out[SR_RECORD_HEADER], uint16_t request_id, uint16_t len);
/* What ends a request: STDOUT of length 0, then END_REQUEST with status 0, REQUEST_COMPLETE. */
void sr_record_end(uint8_t out[SR_RECORD_END], uint16_t request_id);

#endif
