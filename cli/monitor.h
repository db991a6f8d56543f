/* monitor.h - ask Redis for what is known of all processes, for the commands that watch over them. */
#ifndef SR_CLI_MONITOR_H
#define SR_CLI_MONITOR_H
#include "cli/ctl.h"
#include "common/monitor.h"

/* What is known, and the reply that it points into, to free with sr_reply_free(). */
struct sr_watched {
	struct sr_monitor m;
	struct sr_reply *reply;
};
/* On the connection of sr_ctl_connect(). 0 or the exit code, after a message; then there is nothing to free. */
int sr_watched_ask(struct sr_ctl *ctl, struct sr_watched *w);

/* Append a process, or any other list of field, value, ... as an object: numbers as numbers. age_ms: since it was seen; -1 = not said. */
void sr_json_fields(struct sr_json *j, const char *name, const struct sr_reply *fields, long long age_ms);

#endif
