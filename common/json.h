/* json.h - bounded, strict JSON (RFC 8259) on json-c. Pure but for memory. The only file that knows json-c.
 * Strict means: UTF-8 checked; no NaN or Infinity; no raw control characters in strings; no bytes after the value;
 * an integer that neither int64 nor uint64 holds is refused (json-c would saturate it silently), and so is a member's
 * name with \u0000 (json-c would cut it there); depth bounded. Of members with the same name the last one counts. A
 * \u escape that is half of a surrogate pair becomes U+FFFD. Fractions and exponents keep the sender's digits. */
#ifndef SR_JSON_H
#define SR_JSON_H
#include "common/buf.h"
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>

#define SR_JSON_DEPTH_MAX 32 /* arrays and objects inside each other */

/**
 * Check one JSON text and append it re-serialised on one line (no byte below 0x20 can be in it).
 * why      NULL, or receives a sentence with the offset, for the sender
 * Returns  SR_OK; SR_EINVAL (not JSON by the rules above); SR_ETOOBIG (`out` is full); SR_ENOMEM. Else `out` is unchanged.
 */
SR_MUST_CHECK enum sr_err sr_json_normalise(struct sr_buf *out, const char *bytes, size_t len, struct sr_buf *why);

/* As sr_json_normalise, and the value must be an object. For a stream's metadata. */
SR_MUST_CHECK enum sr_err sr_json_normalise_object(struct sr_buf *out, const char *bytes, size_t len, struct sr_buf *why);

/**
 * Read one event `{"type": "token", "data": any}`. Other members are refused by name; a missing data is {}.
 * type     reset, then receives the type, checked by sr_event_type_valid()
 * data     reset, then receives the data re-serialised
 * Returns  as sr_json_normalise; on an error both outputs are empty.
 */
SR_MUST_CHECK enum sr_err sr_json_event(struct sr_buf *type, struct sr_buf *data, const char *bytes, size_t len, struct sr_buf *why);

enum sr_json_kind { SR_JSON_STRING, SR_JSON_OBJECT, SR_JSON_BOOL };
struct sr_json_member {
	const char *name;
	struct sr_buf *out; /* STRING: receives its characters, any may be among them. OBJECT: the object re-serialised. BOOL: unused */
	enum sr_json_kind kind;
	bool value;         /* BOOL */
	bool given;         /* set when the member is there */
};
/**
 * Read an object that has no members but these, none of which must be there.
 * Returns  as sr_json_normalise (SR_ETOOBIG: an `out` is full); `why` names the member. The outputs are unspecified on an error.
 */
SR_MUST_CHECK enum sr_err sr_json_members(struct sr_json_member *wanted, size_t count, const char *bytes, size_t len, struct sr_buf *why);

/* Append `bytes` as a JSON string with its quotes. Control characters are escaped, each byte that is not UTF-8
 * becomes U+FFFD. Never fails on content: SR_ETOOBIG or SR_ENOMEM only, and then `out` is unchanged. */
SR_MUST_CHECK enum sr_err sr_json_quote(struct sr_buf *out, const char *bytes, size_t len);

/* Append a value that came from Redis: re-serialised if it is JSON, as a string if somebody stored something else. */
SR_MUST_CHECK enum sr_err sr_json_value(struct sr_buf *out, const char *bytes, size_t len);

#endif
