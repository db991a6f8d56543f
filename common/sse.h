/* sse.h - encode server-sent events. Pure: no I/O, no globals.
 * Rules: HTML Living Standard, "Server-sent events", interpreting an event stream.
 * Terms: a block is what an empty line ends; a comment is a line that starts with ':'.
 * Every call appends whole blocks. On SR_ETOOBIG, SR_ENOMEM or SR_EINVAL `out` is unchanged. A negative retry_ms is
 * SR_EINVAL. */
#ifndef SR_SSE_H
#define SR_SSE_H
#include "common/buf.h"
#include "common/err.h"
#include "common/id.h"

/**
 * The guard: first block of every response. WebKit keeps a half-received event over a reconnect of the same
 * EventSource and joins it to the new response; ":" spoils the torn line, "event:" renames it, "retry:" and "id:"
 * overwrite half-read values, the empty line flushes it. It has no data, so a clean parser dispatches nothing.
 */
SR_MUST_CHECK enum sr_err sr_sse_guard(struct sr_buf *out, int64_t retry_ms, struct sr_event_id position);

/* The first event: {"type":"connected","streamId":ID} with `position` as its id. stream_id must be valid (id.h). */
SR_MUST_CHECK enum sr_err sr_sse_connected(struct sr_buf *out, struct sr_event_id position, const char *stream_id);

/**
 * One event of the log: `id:` and data {"type":TYPE,"data":DATA}.
 * id       NULL for an event that moves nobody's position (gap)
 * type     valid by id.h, else SR_EINVAL
 * data     JSON from the log; what is not JSON is sent as a JSON string (sr_json_value)
 */
SR_MUST_CHECK enum sr_err sr_sse_event(struct sr_buf *out, const struct sr_event_id *id, const char *type, size_t type_len, const char *data, size_t data_len);

/* {"type":"gap","data":{"after":ID,"reason":REASON}} without an id: the client keeps its position. reason: a word of ours, of the form of a type. */
SR_MUST_CHECK enum sr_err sr_sse_gap(struct sr_buf *out, struct sr_event_id after, const char *reason);

SR_MUST_CHECK enum sr_err sr_sse_retry(struct sr_buf *out, int64_t retry_ms);
/* text: no CR or LF, else SR_EINVAL. */
SR_MUST_CHECK enum sr_err sr_sse_comment(struct sr_buf *out, const char *text);

#endif
