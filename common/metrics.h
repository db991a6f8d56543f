/* metrics.h - the numbers of all processes as Prometheus reads them (text format 0.0.4). Pure.
 * One table of names, kinds and help is all there is; no label says which process it was: names of processes come and go. */
#ifndef SR_METRICS_H
#define SR_METRICS_H
#include "common/monitor.h"

#define SR_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define SR_METRICS_BYTES_MAX 65536

/* What a responder says of itself, whether Redis is there or not. */
struct sr_metrics_self { size_t streams, viewers; long long uptime_ms, rss; };

/* Append the page to `out`, which may grow to SR_METRICS_BYTES_MAX. m NULL: Redis is away, and nothing is known but that
 * (sse_redis_up 0). self NULL: whoever asks is no responder. An error leaves `out` as it was. */
SR_MUST_CHECK enum sr_err sr_metrics_render(struct sr_buf *out, const struct sr_monitor *m, const struct sr_metrics_self *self);

#endif
