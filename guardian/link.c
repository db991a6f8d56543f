#include "guardian/link.h"

#include "common/log.h"

enum sr_err sr_link_send(const struct sr_link *link, struct sr_call *call, sr_redis_cb *cb, void *ctx)
{
	enum sr_err err = sr_redis_send(link->redis, call, 0, cb, ctx);

	sr_call_release(call);
	return err;
}

void sr_link_complain(const char *what, enum sr_err err, const struct sr_reply *reply)
{
	if (err == SR_EDOWN || err == SR_ETIMEOUT)
		return;
	sr_log(err == SR_EDENIED ? SR_LOG_ERROR : SR_LOG_WARN, what, "reason",
	       sr_reply_is_error(reply) ? sr_reply_text(reply, NULL) : sr_strerror(err), (char *)NULL);
}
