/* producer.c - the life of a producer: when something is sent, and what ends it. See producer.h.
 *
 * Everything goes through the pump: it sends what may be sent now, in this order: open, a look at the record, and then a batch
 * and a beat beside each other. It runs when the connection is ready, at each answer, and by the timer (something was taken, a
 * pause is over, a beat is due). */
#include "common/producer.h"

#include "common/address.h"
#include "common/mem.h"
#include "common/producer_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 1000

/* --- the pump ------------------------------------------------------------------------------------------------ */

static void set_timer(struct sr_producer *p, int64_t ms)
{
	ev_timer_stop(p->loop, &p->timer);
	ev_now_update(p->loop); /* the loop may not have run for long */
	ev_timer_set(&p->timer, ms > 0 ? (double)ms / 1000.0 : 0., 0.);
	ev_timer_start(p->loop, &p->timer);
}

/* Run the pump from the loop, once for all that comes in this turn. */
static void kick(struct sr_producer *p)
{
	if (p->kicked || p->end != SR_PRODUCER_LIVES)
		return;
	p->kicked = true;
	set_timer(p, 0);
}

/* The timer for what is due by time alone. Without a connection nothing is: on_ready() pumps. */
static void arm(struct sr_producer *p)
{
	sr_mono_ms now = sr_clock_mono();

	if (p->kicked)
		return;
	ev_timer_stop(p->loop, &p->timer);
	if (p->end != SR_PRODUCER_LIVES || !sr_redis_ready(p->redis))
		return;
	if (p->resume_at > now)
		set_timer(p, p->resume_at - now);
	else if (p->beats && p->opened && !p->look && !p->batch_sent && !p->beat_sent)
		set_timer(p, p->beat_at - now);
}

/* A batch is a sign of life, too. */
static bool beat_is_due(const struct sr_producer *p, sr_mono_ms now)
{
	return p->beat_wanted || (p->beats && !p->batch_sent && now >= p->beat_at);
}

void sr_producer_pump(struct sr_producer *p)
{
	sr_mono_ms now = sr_clock_mono();

	if (p->end == SR_PRODUCER_LIVES && sr_redis_ready(p->redis) && p->resume_at <= now) {
		if (!p->opened) {
			sr_producer_send_open(p);
		} else if (p->look) {
			sr_producer_send_look(p);
		} else {
			sr_producer_send_batch(p);
			if (p->end == SR_PRODUCER_LIVES && p->resume_at <= now && beat_is_due(p, now))
				sr_producer_send_beat(p);
		}
	}
	arm(p);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_producer *p = w->data;

	(void)loop;
	(void)revents;
	p->kicked = false;
	sr_producer_pump(p);
}

/* --- good and bad news --------------------------------------------------------------------------------------- */

static void note_why(struct sr_producer *p, const char *why)
{
	sr_buf_reset(&p->why);
	sr_buf_explain(&p->why, "%s", why);
}

void sr_producer_well(struct sr_producer *p)
{
	sr_buf_reset(&p->why);
	p->pause = PAUSE_MIN_MS;
	p->resume_at = 0;
}

void sr_producer_close(struct sr_producer *p, enum sr_producer_end end, const char *end_type)
{
	p->lost = sr_producer_waiting(p);
	p->lost_unconfirmed = sr_producer_unconfirmed(p);
	p->end = end;
	snprintf(p->end_type, sizeof p->end_type, "%s", end_type);
	sr_backlog_release(&p->backlog);
	sr_batch_release(&p->batch);
	p->kicked = false;
	ev_timer_stop(p->loop, &p->timer);
	if (p->hooks.on_closed)
		p->hooks.on_closed(p->ctx, end);
}

void sr_producer_trouble(struct sr_producer *p, enum sr_err err, const char *why)
{
	note_why(p, why);
	switch (err) {
	case SR_EDOWN:
	case SR_ETIMEOUT:
		return; /* the connection failed: on_down() comes next, and on_ready() resumes */
	case SR_EDENIED:
		sr_producer_close(p, SR_PRODUCER_DENIED, "");
		return;
	case SR_EREPLY:
	case SR_EINVAL:
	case SR_ETOOBIG:
		sr_producer_close(p, SR_PRODUCER_BROKEN, "");
		return;
	default: /* SR_EREFUSED, SR_EBUSY, SR_ENOMEM pass */
		p->resume_at = sr_clock_mono() + p->pause;
		p->pause = p->pause * 2 < PAUSE_MAX_MS ? p->pause * 2 : PAUSE_MAX_MS;
		if (p->hooks.on_down)
			p->hooks.on_down(p->ctx, err, why);
		arm(p);
	}
}

static void on_ready(void *ctx)
{
	struct sr_producer *p = ctx;

	p->reached = true;
	if (p->end != SR_PRODUCER_LIVES)
		return;
	sr_producer_well(p);
	/* Redis may have lost its data, and a viewer may have registered the stream anew, without the lease. */
	if (p->open && p->lease && p->opened)
		p->beat_wanted = true;
	sr_producer_pump(p);
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct sr_producer *p = ctx;

	if (p->end != SR_PRODUCER_LIVES)
		return;
	note_why(p, why);
	if (p->hooks.on_down)
		p->hooks.on_down(p->ctx, err, why);
	arm(p);
}

/* --- what its owner calls ------------------------------------------------------------------------------------ */

static enum sr_err check(const struct sr_producer_options *o, struct sr_buf *why)
{
	if (!sr_stream_id_valid(o->id, strlen(o->id)))
		sr_buf_explain(why, "'%.140s' is no stream id: 1 to %d of A-Z a-z 0-9 . _ ~ : -", o->id, SR_STREAM_ID_MAX);
	else if (*o->user && !sr_user_valid(o->user, strlen(o->user)))
		sr_buf_explain(why, "a user is 1 to %d bytes without control characters", SR_USER_MAX);
	else if (o->name && !sr_producer_name_valid(o->name, strlen(o->name)))
		sr_buf_explain(why, "producer '%.60s' is not 1 to %d of a-z 0-9", o->name, SR_PRODUCER_NAME_MAX);
	else if (o->first_n > SR_PRODUCER_N_MAX)
		sr_buf_explain(why, "an event's number is at most 2^53 - 1");
	else if (o->type && !sr_event_type_valid(o->type, strlen(o->type)))
		sr_buf_explain(why, "type '%.80s' is not 1 to %d of A-Z a-z 0-9 . _ : -", o->type, SR_EVENT_TYPE_MAX);
	else if (o->epoch && strlen(o->epoch) >= sizeof((struct sr_producer *)NULL)->epoch)
		sr_buf_explain(why, "'%.60s' is no lease epoch", o->epoch);
	else
		return SR_OK;
	return SR_EINVAL;
}

static size_t backlog_bound(const struct sr_producer *p, const struct sr_producer_options *o)
{
	size_t one = p->event_bytes + SR_EVENT_TYPE_MAX + SR_BACKLOG_OVERHEAD;
	size_t bound = o->backlog_bytes ? o->backlog_bytes : SR_BACKLOG_BYTES;

	return bound > one ? bound : one;
}

static void take_options(struct sr_producer *p, const struct sr_producer_options *o)
{
	snprintf(p->id, sizeof p->id, "%s", o->id);
	snprintf(p->user, sizeof p->user, "%s", o->user);
	snprintf(p->epoch, sizeof p->epoch, "%s", o->epoch ? o->epoch : "");
	if (o->name)
		snprintf(p->name, sizeof p->name, "%s", o->name);
	else
		sr_random_name(p->name, 16);
	p->named = o->name != NULL;
	p->create = o->create;
	p->open = o->open;
	p->opened = !o->open;
	p->lease = o->lease;
	p->beats = o->lease || o->epoch;
	p->look = p->named ? SR_LOOK_KNOWN : SR_LOOK_NOT;
	p->beat_at = sr_clock_mono() + p->reg.beat_interval;
	p->pause = PAUSE_MIN_MS;
	sr_buf_init(&p->why, 512);
	sr_backlog_init(&p->backlog, backlog_bound(p, o), o->first_n ? o->first_n : 1, o->drop_oldest);
	sr_batch_init(&p->batch, p->event_bytes);
}

/* What can fail. */
static bool acquire(struct sr_producer *p, const struct sr_conf *conf, const struct sr_producer_options *o, struct sr_buf *why)
{
	struct sr_redis_options redis = {.url = conf->redis_url, .password_file = conf->redis_password_file,
	                                 .name = o->connection ? o->connection : "sse-producer", .silent = o->silent};
	struct sr_redis_hooks hooks = {.on_ready = on_ready, .on_down = on_down};

	p->type = o->type ? sr_strdup(o->type) : NULL;
	p->metadata = o->metadata ? sr_strdup(o->metadata) : NULL;
	if ((o->type && !p->type) || (o->metadata && !p->metadata))
		return false;
	p->redis = sr_redis_new(p->loop, &redis, &hooks, p, why);
	return p->redis;
}

struct sr_producer *sr_producer_new(struct ev_loop *loop, const struct sr_conf *conf, const struct sr_producer_options *options,
                                    const struct sr_producer_hooks *hooks, void *ctx, enum sr_err *err, struct sr_buf *why)
{
	struct sr_producer *p = NULL;
	struct sr_address address;

	*err = check(options, why);
	if (*err == SR_OK)
		*err = sr_address_parse(&address, conf->redis_url, why);
	if (*err != SR_OK)
		return NULL;
	p = sr_calloc(1, sizeof *p);
	if (p) {
		p->loop = loop;
		p->reg = sr_registry_of(conf);
		p->hooks = *hooks;
		p->ctx = ctx;
		p->event_bytes = (size_t)conf->event_bytes;
		ev_init(&p->timer, on_timer);
		p->timer.data = p;
		take_options(p, options);
	}
	if (!p || !acquire(p, conf, options, why)) {
		*err = SR_ENOMEM;
		sr_buf_explain(why, "%s", sr_strerror(SR_ENOMEM));
		sr_producer_free(p);
		return NULL;
	}
	sr_redis_start(p->redis);
	return p;
}

void sr_producer_free(struct sr_producer *p)
{
	if (!p)
		return;
	p->hooks = (struct sr_producer_hooks){0};
	if (p->end == SR_PRODUCER_LIVES)
		sr_producer_close(p, SR_PRODUCER_DONE, ""); /* so that what sr_redis_free() calls back is passed over */
	sr_redis_free(p->redis);
	sr_buf_release(&p->why);
	free(p->type);
	free(p->metadata);
	free(p);
}

enum sr_err sr_producer_emit(struct sr_producer *p, const char *type, size_t type_len, const char *data, size_t data_len)
{
	enum sr_err err;

	if (p->end != SR_PRODUCER_LIVES || p->backlog.next_n > SR_PRODUCER_N_MAX)
		return SR_EINVAL;
	if (data_len > p->event_bytes)
		return SR_ETOOBIG;
	err = sr_backlog_push(&p->backlog, type, type_len, data, data_len);
	if (err == SR_OK && p->batch.count == 0 && sr_redis_ready(p->redis))
		kick(p);
	return err;
}

void sr_producer_beat(struct sr_producer *p)
{
	p->beat_wanted = true;
	kick(p);
}

void sr_producer_hurry(struct sr_producer *p)
{
	if (p->end != SR_PRODUCER_LIVES)
		return;
	p->resume_at = 0;
	sr_redis_start(p->redis);
	kick(p);
}

enum sr_producer_end sr_producer_end(const struct sr_producer *p)
{
	return p->end;
}

const char *sr_producer_end_type(const struct sr_producer *p)
{
	return p->end_type;
}

bool sr_producer_is_open(const struct sr_producer *p)
{
	return p->end == SR_PRODUCER_LIVES && p->opened && sr_redis_ready(p->redis);
}

size_t sr_producer_waiting(const struct sr_producer *p)
{
	return p->end == SR_PRODUCER_LIVES ? sr_backlog_count(&p->backlog) + p->batch.count : p->lost;
}

size_t sr_producer_unconfirmed(const struct sr_producer *p)
{
	if (p->end != SR_PRODUCER_LIVES)
		return p->lost_unconfirmed;
	return p->batch_sent || p->doubtful ? p->batch.count : 0;
}

size_t sr_producer_bytes(const struct sr_producer *p)
{
	return p->backlog.bytes.len - p->backlog.at;
}

uint64_t sr_producer_skipped(const struct sr_producer *p)
{
	return p->backlog.skipped_ever;
}

uint64_t sr_producer_next_n(const struct sr_producer *p)
{
	return p->backlog.next_n;
}

const char *sr_producer_name(const struct sr_producer *p)
{
	return p->name;
}

bool sr_producer_reached(const struct sr_producer *p)
{
	return p->reached;
}

uint64_t sr_producer_known(const struct sr_producer *p)
{
	return p->known;
}

struct sr_event_id sr_producer_beat_last(const struct sr_producer *p)
{
	return p->beat_last;
}

const char *sr_producer_why(const struct sr_producer *p)
{
	return sr_buf_text(&p->why);
}
