/* answer.h - the text of CGI responses (RFC 3875, 6), and short ones sent whole. */
#ifndef SR_ANSWER_H
#define SR_ANSWER_H
#include "common/buf.h"
#include "common/conf.h"
#include "fcgi/request.h"
#include <stdbool.h>

struct sr_hub;

/* Status line texts for the codes this program sends: "404 Not Found". */
const char *sr_status_text(int status);

/* Append the headers that every response has: CORS for a configured origin (exact match), and nosniff. */
SR_MUST_CHECK enum sr_err sr_answer_common_headers(struct sr_buf *out, const struct sr_conf *conf, const char *origin);

/* Append a whole JSON response: status, headers, body. retry_after: seconds, 0 = no such header. */
SR_MUST_CHECK enum sr_err sr_answer_json(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status, int retry_after,
                                         const char *body, size_t len);

/* The same with header lines of your own, each ended by CRLF. */
SR_MUST_CHECK enum sr_err sr_answer_json_with(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status, const char *headers,
                                              const char *body, size_t len);

/* Append a whole 200 of another type. */
SR_MUST_CHECK enum sr_err sr_answer_text(struct sr_buf *out, const struct sr_conf *conf, const char *origin, const char *type, const char *body,
                                         size_t len);

/* Append {"error": TEXT} with a status. `allow`: value of an Allow header, or NULL. */
SR_MUST_CHECK enum sr_err sr_answer_error(struct sr_buf *out, const struct sr_conf *conf, const char *origin, int status, const char *text,
                                          const char *allow);

/* Append the headers of an event stream. */
SR_MUST_CHECK enum sr_err sr_answer_stream_headers(struct sr_buf *out, const struct sr_conf *conf, const char *origin, const char *stream_id);

/**
 * Send a whole response and end the request. Takes the request's connection over and frees the request.
 * For HEAD the body is dropped. A request whose own body is unread is answered when that was read, within the bounds of discard.h: a web
 * server that is still sending would see a broken connection instead of the answer.
 * A response that cannot be built or queued ends the connection without one; the web server then answers 500 or 502.
 */
void sr_answer_send(struct sr_hub *hub, struct sr_request *request, const struct sr_buf *response);

/* The two in one, for errors. */
void sr_answer_refuse(struct sr_hub *hub, struct sr_request *request, int status, const char *text, const char *allow);

#endif
