/* viewer_parts.h - what viewer.c, viewer_send.c and viewer_read.c know of each other. For nobody else. */
#ifndef SR_VIEWER_PARTS_H
#define SR_VIEWER_PARTS_H
#include "fcgi/viewer.h"
#include <stdbool.h>

/* --- viewer.c */

/* Put it into the list that its next heartbeat is due in. */
void sr_viewer_await_heartbeat(struct sr_viewer *v, sr_mono_ms now);

/* --- viewer_send.c */

/* A time for the client's retry:, drawn between retry_min and retry_max. */
int64_t sr_viewer_retry_ms(const struct sr_hub *hub);
/* End the response behind what is queued, or at once. The state is ENDING; on_gone follows. */
void sr_viewer_finish(struct sr_viewer *v);
void sr_viewer_give_up(struct sr_viewer *v);
/* Open the response if it is not, and say what the registry's answer calls for: connected (once), gap. false: given up. */
bool sr_viewer_greet(struct sr_viewer *v, const struct sr_attach_result *r, bool connected);
/* Answer 200 while nothing is known yet: headers, guard, and from now on comments. */
void sr_viewer_hold(struct sr_viewer *v);
/* The stream is not to be had. Once the response is open only a new request can be told so: then it ends with retry:. */
void sr_viewer_refuse(struct sr_viewer *v, int status, const char *text);
/* Send one event after the cursor. false: the viewer reads no further (slow, or at the end). */
bool sr_viewer_send_event(struct sr_viewer *v, struct sr_event_id id, struct sr_frame *frame, bool terminal);
/* The log has no more, and the stream had ended: what is left is its end. */
void sr_viewer_send_end(struct sr_viewer *v);

/* --- viewer_read.c */

/* The log has no more: live, if this is where the channel is. moved: the last page brought something. */
void sr_viewer_caught_up(struct sr_viewer *v, bool moved);

#endif
