/* json_scan.h - the grammar of JSON (RFC 8259), and the bounds that json.h promises. Pure.
 * It stands before json-c, which must not judge: 0.16 to 0.19 with JSON_TOKENER_STRICT accept NaN, "1." and raw control
 * characters, saturate integers, and cut a member's name at \u0000; VALIDATE_UTF8 lets surrogates pass; and in 0.18 STRICT
 * refuses every string beyond ASCII (json-c issue 875). So json-c only builds values, from text that was checked here. */
#ifndef SR_JSON_SCAN_H
#define SR_JSON_SCAN_H
#include "common/buf.h"
#include "common/err.h"
#include <stddef.h>

/**
 * Is `bytes` one JSON value, with nothing but white space around it, no deeper than SR_JSON_DEPTH_MAX?
 * start, end  set on success: the value without the white space
 * why         NULL, or receives a sentence with the offset
 * Returns     SR_OK or SR_EINVAL
 */
SR_MUST_CHECK enum sr_err sr_json_scan(const char *bytes, size_t len, size_t *start, size_t *end, struct sr_buf *why);

#endif
