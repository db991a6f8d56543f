/* lookout.h - hears at once when a stream is ended, by a subscription to its channel on a connection of its own. A hint only: a
 * push can be lost, and then the next beat says the same. */
#ifndef SR_LOOKOUT_H
#define SR_LOOKOUT_H
#include "common/conf.h"
#include <ev.h>

struct sr_lookout;

/* on_end: a terminal event was pushed. NULL: memory is out, or redis_url is bad. conf and id are borrowed. */
struct sr_lookout *sr_lookout_new(struct ev_loop *loop, const struct sr_conf *conf, const char *id, void (*on_end)(void *ctx), void *ctx);
/* Not from on_end. NULL is fine. */
void sr_lookout_free(struct sr_lookout *l);

#endif
