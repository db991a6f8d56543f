/* json_scan.h - the word level of strict JSON: what json-c lets pass and json.h promises to refuse. Pure.
 * json-c 0.16 with JSON_TOKENER_STRICT and VALIDATE_UTF8 still accepts NaN, "1.", raw control characters in strings,
 * surrogates and overlong forms in UTF-8, saturates integers, and cuts a member's name at \u0000. The grammar above the
 * words (commas, brackets) is json-c's own work. */
#ifndef SR_JSON_SCAN_H
#define SR_JSON_SCAN_H
#include "common/buf.h"
#include "common/err.h"
#include <stddef.h>

/**
 * Check every string, number and name of `bytes`, and the nesting (SR_JSON_DEPTH_MAX).
 * start, end  set on success: the text without white space around it
 * why         NULL, or receives a sentence with the offset
 * Returns     SR_OK or SR_EINVAL
 */
SR_MUST_CHECK enum sr_err sr_json_scan(const char *bytes, size_t len, size_t *start, size_t *end, struct sr_buf *why);

#endif
