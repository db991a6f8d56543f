#include "guardian/sample.h"


static void count_reply(struct sr_sample *s, enum sr_err err)
{
	if (s->err == SR_OK)
		s->err = err;
	if (--s->waiting == 0)
		s->done(s->ctx, s->err, &s->owners);
}

static void on_viewers(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_sample *s = ctx;
	int64_t said_ms, latest_ms = -1;
	size_t owner = 0, len;
	const char *name;

	for (size_t i = 0; err == SR_OK && i + 1 < sr_reply_count(reply); i += 2)
		if (sr_pace_viewers(sr_reply_text_at(reply, i + 1, NULL), &said_ms) && said_ms > latest_ms) {
			latest_ms = said_ms;
			owner = i;
		}
	if (latest_ms >= 0 && latest_ms <= s->silent_since_ms) {
		name = sr_reply_text_at(reply, owner, &len);
		sr_owners_add(&s->owners, name, len);
	}
	count_reply(s, err);
}

static void on_id(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_sample *s = ctx;
	struct sr_call call;
	size_t len;
	const char *id = sr_reply_text_at(reply, 0, &len);

	if (err == SR_OK && sr_stream_id_valid(id, len)) {
		sr_call_init(&call, SR_SCRIPT_NONE);
		sr_call_text(&call, "HGETALL");
		sr_call_name(&call, s->link->reg.prefix, SR_KEY_VIEWERS, id);
		err = sr_link_send(s->link, &call, on_viewers, s);
		s->waiting += err == SR_OK;
	}
	count_reply(s, err);
}

static enum sr_err ask_for_id(struct sr_sample *s, long long rank)
{
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "ZRANGE");
	sr_call_name(&call, s->link->reg.prefix, SR_KEY_ACTIVE, NULL);
	sr_call_int(&call, rank);
	sr_call_int(&call, rank);
	return sr_link_send(s->link, &call, on_id, s);
}

enum sr_err sr_sample_start(struct sr_sample *s, long long stale, int64_t silent_since_ms)
{
	int count = stale < SR_PACE_SAMPLE ? (int)stale : SR_PACE_SAMPLE;
	enum sr_err err = SR_OK;

	s->silent_since_ms = silent_since_ms;
	s->owners.count = 0;
	s->waiting = 0;
	s->err = SR_OK;
	for (int i = 0; err == SR_OK && i < count; i++) {
		err = ask_for_id(s, stale / count * i);
		s->waiting += err == SR_OK;
	}
	return s->waiting > 0 ? SR_OK : err == SR_OK ? SR_EINVAL : err;
}
