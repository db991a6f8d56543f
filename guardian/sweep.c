#include "guardian/sweep.h"

#include "common/log.h"
#include <string.h>

#define BATCH_MAX 50 /* streams judged together: about 2 ms of Redis when all are marked */
#define IDLE_MAX 3 /* pages; all their streams had just been beaten, or something is stuck: the next pass looks again */
#define FOREIGN_ID_MAX 512 /* other programs may use longer ids than this one's, but key names are bounded */

enum { STALE, DUE };

static void judge(struct sr_sweep *s);
static void finish_page(struct sr_sweep *s);

static void drop_page(struct sr_sweep *s)
{
	sr_reply_free(s->page);
	s->page = NULL;
}

static void finish(struct sr_sweep *s, enum sr_end end)
{
	drop_page(s);
	ev_timer_stop(s->link->loop, &s->pause);
	s->done(s->ctx, end);
}

static void fail(struct sr_sweep *s, enum sr_err err, const struct sr_reply *reply)
{
	sr_link_complain("sweep failed", err, reply);
	finish(s, SR_END_FAILED);
}

/* Is this reply the end of the sweep? */
static bool ends(struct sr_sweep *s, enum sr_err err, const struct sr_reply *reply)
{
	if (err != SR_OK)
		fail(s, err, reply);
	else if (s->stopping)
		finish(s, SR_END_STOPPED);
	else
		return false;
	return true;
}

/* --- verdicts ------------------------------------------------------------------------------------------------ */

static void count_verdict(struct sr_sweep *s, const char *id, enum sr_verdict verdict)
{
	struct sr_tally *t = s->tally;

	switch (verdict) {
	case SR_MARKED:
		t->marked++;
		sr_log(SR_LOG_INFO, "orphaned", "stream", id, (char *)NULL);
		break;
	case SR_FAILED:
		t->failed++;
		sr_log(SR_LOG_INFO, "orphan ended as failed", "stream", id, (char *)NULL);
		break;
	case SR_ADOPTED:
		t->adopted++;
		break;
	case SR_WAS_ENDED:
		t->ended++;
		break;
	case SR_NO_RECORD:
		t->gone++;
		break;
	case SR_ALIVE:
		return;
	}
	s->moved = true;
}

static void on_verdicts(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_sweep *s = ctx;
	enum sr_err read = err == SR_OK ? sr_sweep_read(reply, (size_t)s->count, &s->proven_ms) : SR_OK;

	if (err == SR_OK && read == SR_EREFUSED) {
		finish(s, SR_END_UNPROVEN);
		return;
	}
	for (int i = 0; err == SR_OK && read == SR_OK && i < s->count; i++)
		count_verdict(s, s->ids[i], sr_sweep_verdict(reply, (size_t)i));
	if (ends(s, err == SR_OK ? read : err, reply))
		return;
	s->judged += s->count;
	if (s->list++ == DUE)
		finish_page(s);
	else
		judge(s);
}

/* --- one page ------------------------------------------------------------------------------------------------ */

static void on_removed(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	(void)ctx;
	(void)err; /* a failure is found again by the next pass */
	(void)reply;
}

/* A member that cannot be a stream of anybody's must not stand in front of the queue for ever. */
static void remove_member(struct sr_sweep *s, const char *bytes, size_t len)
{
	struct sr_call call;

	sr_log(SR_LOG_WARN, "no stream id, taken out of the index", "member", bytes, (char *)NULL);
	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "ZREM");
	sr_call_name(&call, s->link->reg.prefix, s->list == STALE ? SR_KEY_ACTIVE : SR_KEY_ORPHANED, NULL);
	sr_call_arg(&call, bytes, len);
	if (sr_link_send(s->link, &call, on_removed, NULL) == SR_OK)
		s->moved = true;
}

/* Take ids of the present list, as many as the pace allows. */
static void gather(struct sr_sweep *s)
{
	const struct sr_reply *list = s->lists[s->list];
	int room = s->pace.slow ? s->pace.batch - s->judged : BATCH_MAX;
	size_t len;

	s->count = 0;
	for (size_t i = 0; i < sr_reply_count(list) && s->count < room && s->count < BATCH_MAX; i++) {
		const char *id = sr_reply_text_at(list, i, &len);

		if (len == 0 || len > FOREIGN_ID_MAX || strlen(id) != len)
			remove_member(s, id, len);
		else
			s->ids[s->count++] = id;
	}
}

static void judge(struct sr_sweep *s)
{
	struct sr_call call;
	enum sr_err err;

	gather(s);
	while (s->count == 0 && s->list < DUE) {
		s->list++;
		gather(s);
	}
	if (s->count == 0) {
		finish_page(s);
		return;
	}
	sr_sweep_call(&call, &s->link->reg, s->ids, (size_t)s->count);
	err = sr_link_send(s->link, &call, on_verdicts, s);
	if (err != SR_OK)
		fail(s, err, NULL);
}

/* --- the pace ------------------------------------------------------------------------------------------------ */

static void begin_judging(struct sr_sweep *s)
{
	s->list = STALE;
	s->judged = 0;
	s->moved = false;
	judge(s);
}

static void on_sampled(void *ctx, enum sr_err err, const struct sr_owners *owners)
{
	struct sr_sweep *s = ctx;
	struct sr_tally *t = s->tally;

	if (ends(s, err, NULL))
		return;
	s->pace = sr_pace_of(t->active, t->stale, owners->count, BATCH_MAX);
	t->slow = s->pace.slow;
	if (s->pace.slow && !s->was_slow)
		sr_log(SR_LOG_WARN, "most streams of several responders are stale: can they reach Redis? marking slowly", "stale",
		       sr_log_num(t->stale), "active", sr_log_num(t->active), "responders", sr_log_num(owners->count), "a_second",
		       sr_log_num(s->pace.rate), (char *)NULL);
	begin_judging(s);
}

/* The first page: is it usual, or a large share? */
static void choose_pace(struct sr_sweep *s)
{
	enum sr_err err;

	s->paced = true;
	if (!sr_pace_large(s->tally->active, s->tally->stale)) {
		begin_judging(s);
		return;
	}
	err = sr_sample_start(&s->sample, s->tally->stale, s->tally->at_ms - s->link->reg.stale_threshold);
	if (err != SR_OK)
		fail(s, err, NULL);
}

/* --- page after page ----------------------------------------------------------------------------------------- */

static void on_page(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_sweep *s = ctx;
	struct sr_stale_result page;

	if (err == SR_OK)
		err = sr_stale_read(reply, &page);
	if (ends(s, err, reply))
		return;
	s->page = sr_redis_take_reply(s->link->redis);
	s->lists[STALE] = page.ids;
	s->lists[DUE] = page.due;
	s->next_due_ms = page.next_due_ms;
	if (s->paced) {
		begin_judging(s);
		return;
	}
	s->tally->at_ms = page.now_ms;
	s->tally->active = page.active;
	s->tally->stale = page.stale;
	choose_pace(s);
}

static void ask(struct sr_sweep *s)
{
	struct sr_call call;
	enum sr_err err;

	sr_stale_call(&call, &s->link->reg, s->pace.batch);
	err = sr_link_send(s->link, &call, on_page, s);
	if (err != SR_OK)
		fail(s, err, NULL);
}

static void on_pause(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	ask(w->data);
}

/* Marks that this pass made fall due after the whole grace. */
static void note_own_marks(struct sr_sweep *s)
{
	int64_t grace = s->link->reg.orphan_grace;

	if (s->tally->marked > 0 && (s->next_due_ms < 0 || s->next_due_ms > grace))
		s->next_due_ms = grace;
}

static void finish_page(struct sr_sweep *s)
{
	size_t full = (size_t)s->pace.batch;
	bool more = sr_reply_count(s->lists[STALE]) >= full || sr_reply_count(s->lists[DUE]) >= full ||
	            (s->pace.slow && s->judged >= s->pace.batch);

	s->idle = s->moved ? 0 : s->idle + 1;
	if (!more || s->idle >= IDLE_MAX) {
		note_own_marks(s);
		s->was_slow = s->pace.slow;
		finish(s, SR_END_DONE);
		return;
	}
	drop_page(s);
	if (!s->pace.slow) {
		ask(s);
		return;
	}
	ev_timer_set(&s->pause, (double)s->pace.pause_ms / 1000., 0.);
	ev_now_update(s->link->loop);
	ev_timer_start(s->link->loop, &s->pause);
}

void sr_sweep_init(struct sr_sweep *s, const struct sr_link *link, struct sr_tally *tally, sr_sweep_cb *done, void *ctx)
{
	*s = (struct sr_sweep){.link = link, .tally = tally, .done = done, .ctx = ctx};
	s->sample = (struct sr_sample){.link = link, .done = on_sampled, .ctx = s};
	ev_init(&s->pause, on_pause);
	s->pause.data = s;
}

void sr_sweep_start(struct sr_sweep *s)
{
	s->stopping = s->paced = false;
	s->idle = 0;
	s->next_due_ms = -1;
	s->pace = (struct sr_pace){.batch = BATCH_MAX};
	ask(s);
}

void sr_sweep_stop(struct sr_sweep *s)
{
	s->stopping = true;
	if (ev_is_active(&s->pause))
		finish(s, SR_END_STOPPED);
}
