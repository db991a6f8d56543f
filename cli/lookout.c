/* lookout.c - see lookout.h. */
#include "cli/lookout.h"

#include "common/mem.h"
#include "common/redis.h"
#include "common/registry.h"
#include <stdlib.h>

struct sr_lookout {
	struct sr_redis *redis;
	const char *prefix, *id;
	void (*on_end)(void *ctx);
	void *ctx;
};

static void on_ready(void *ctx)
{
	struct sr_lookout *l = ctx;

	/* Refused only when memory is out: then the beats have to do. */
	if (sr_redis_subscribe(l->redis, l->prefix, &l->id, 1) != SR_OK)
		return;
}

static void on_message(void *ctx, const char *channel, size_t channel_len, const char *payload, size_t len)
{
	struct sr_lookout *l = ctx;
	struct sr_push push;

	(void)channel;
	(void)channel_len;
	if (sr_push_read(payload, len, &push) == SR_OK && sr_event_type_terminal(push.event.type, push.event.type_len))
		l->on_end(l->ctx);
}

struct sr_lookout *sr_lookout_new(struct ev_loop *loop, const struct sr_conf *conf, const char *id, void (*on_end)(void *ctx), void *ctx)
{
	struct sr_redis_options options = {.url = conf->redis_url, .password_file = conf->redis_password_file, .name = "ssectl-run-lookout",
	                                   .pubsub = true, .silent = true};
	struct sr_redis_hooks hooks = {.on_ready = on_ready, .on_message = on_message};
	struct sr_lookout *l = sr_calloc(1, sizeof *l);

	if (!l)
		return NULL;
	*l = (struct sr_lookout){.prefix = conf->key_prefix, .id = id, .on_end = on_end, .ctx = ctx};
	l->redis = sr_redis_new(loop, &options, &hooks, l, NULL);
	if (!l->redis) {
		sr_lookout_free(l);
		return NULL;
	}
	sr_redis_start(l->redis);
	return l;
}

void sr_lookout_free(struct sr_lookout *l)
{
	if (!l)
		return;
	sr_redis_free(l->redis);
	free(l);
}
