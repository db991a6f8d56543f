/* id.h - the grammars of stream ids, event ids, event types, producers and user names. Pure.
 * Stream id   1 to 128 of A-Z a-z 0-9 . _ ~ : -, and not "-" alone (that names the server's own pages).
 * Event id    a Redis stream entry id "ms-seq" (redis.io, XADD): two unsigned decimal 64-bit numbers, no sign, no space,
 *             no leading zeros but "0" itself. "0-0" is the position before the first event.
 * Event type  1 to 64 of A-Z a-z 0-9 . _ : -. "connected", "gap" and "orphaned" are made by the servers only.
 * Producer    1 to 32 of a-z 0-9: the name under which a producer's numbers are known.
 * User        1 to 255 bytes, no control character (RFC 3875 4.1.11 leaves the form to the server). */
#ifndef SR_ID_H
#define SR_ID_H
#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SR_STREAM_ID_MAX 128
#define SR_EVENT_ID_SIZE 42 /* 20 + '-' + 20 digits and NUL */
#define SR_EVENT_TYPE_MAX 64
#define SR_PRODUCER_NAME_MAX 32
#define SR_USER_MAX 255

struct sr_event_id { uint64_t ms, seq; };
#define SR_EVENT_ID_START ((struct sr_event_id){0, 0})

bool sr_stream_id_valid(const char *bytes, size_t len);
bool sr_event_type_valid(const char *bytes, size_t len);
/* true for connected, gap, orphaned: a producer may not emit them. */
bool sr_event_type_reserved(const char *bytes, size_t len);
/* true for completed, failed, cancelled: the types that end a stream. */
bool sr_event_type_terminal(const char *bytes, size_t len);
bool sr_producer_name_valid(const char *bytes, size_t len);
bool sr_user_valid(const char *bytes, size_t len);

/* SR_EINVAL leaves *out unchanged. */
SR_MUST_CHECK enum sr_err sr_event_id_parse(struct sr_event_id *out, const char *bytes, size_t len);
/* Returns `out`. */
char *sr_event_id_format(char out[SR_EVENT_ID_SIZE], struct sr_event_id id);
/* <0, 0, >0 as a is before, equal to or after b. */
int sr_event_id_compare(struct sr_event_id a, struct sr_event_id b);

#endif
