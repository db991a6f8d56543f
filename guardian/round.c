#include "guardian/round.h"

static void finish(struct sr_round *r, enum sr_end end)
{
	r->tally.took_ms = sr_clock_mono() - r->started;
	if (end == SR_END_DONE || sr_tally_did(&r->tally))
		sr_report_pass(r->report, &r->tally, r->loud);
	r->running = false;
	r->done(r->ctx, end);
}

static void on_healed(void *ctx, enum sr_end end)
{
	finish(ctx, end);
}

static void on_swept(void *ctx, enum sr_end end)
{
	struct sr_round *r = ctx;

	if (end != SR_END_DONE || r->extent == SR_EXTENT_SWEEP) {
		finish(r, end);
		return;
	}
	r->step = SR_ROUND_HEALING;
	sr_heal_start(&r->heal, r->extent == SR_EXTENT_WHOLE, r->heal_ms);
}

void sr_round_init(struct sr_round *r, const struct sr_link *link, struct sr_report *report, bool loud, sr_round_cb *done, void *ctx)
{
	*r = (struct sr_round){.report = report, .loud = loud, .done = done, .ctx = ctx};
	sr_sweep_init(&r->sweep, link, &r->tally, on_swept, r);
	sr_heal_init(&r->heal, link, &r->tally, on_healed, r);
}

void sr_round_start(struct sr_round *r, enum sr_extent extent, int64_t heal_ms)
{
	r->running = true;
	r->step = SR_ROUND_SWEEPING;
	r->extent = extent;
	r->heal_ms = heal_ms;
	r->started = sr_clock_mono();
	r->tally = (struct sr_tally){0};
	sr_sweep_start(&r->sweep);
}

void sr_round_stop(struct sr_round *r)
{
	if (!r->running)
		return;
	if (r->step == SR_ROUND_SWEEPING)
		sr_sweep_stop(&r->sweep);
	else
		sr_heal_stop(&r->heal);
}
