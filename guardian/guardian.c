#include "guardian/guardian.h"

#include "common/log.h"
#include "common/notify.h"
#include "guardian/canary.h"
#include "guardian/late.h"
#include "guardian/round.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TICK_MS 1000
#define LATE_MS 2000             /* held up for longer than this: skip the round */
#define ONCE_CONNECT_MS 10000
#define ONCE_PROOF_MS 30000      /* beyond proof_window */
#define PROOF_MARGIN_MS 50       /* look again so long after the proof should be whole */
#define LEAVE_MS 500             /* for the last report */
#define PAUSE_MAX_MS 1000        /* between two passes, at least this or a tenth of check_interval */
#define HEAL_SHARE 10            /* healing takes at most a tenth of the time, so that Redis is there for others */

struct guardian {
	struct sr_link link;
	struct sr_conf *conf;
	const struct sr_command *command;
	bool once;
	struct sr_canary canary;
	struct sr_round round;
	struct sr_report report;
	struct sr_notify notify;
	struct sr_late ticked;   /* when the tick came last */
	sr_mono_ms usual_at;     /* when the next usual pass is to begin */
	enum sr_extent extent;   /* of the next pass */
	bool due;                /* the pass timer ran out while Redis was away: the next canary begins it */
	bool unproven;           /* that was logged */
	bool reached;            /* Redis was, once */
	bool stopping, finished; /* a signal came; the one pass is over and its report is on its way */
	bool leaving;            /* the last report is on its way */
	int exit_code;
	ev_timer tick, pass, node;
	ev_timer reach, proof;   /* --once: by when Redis is reached, and by when the pass has begun */
	ev_timer farewell;
	ev_signal terminate, interrupt, hangup;
};

static void set_timer(struct guardian *g, ev_timer *timer, int64_t ms)
{
	ev_timer_stop(g->link.loop, timer);
	ev_timer_set(timer, ms > 0 ? (double)ms / 1000. : 0., 0.);
	ev_now_update(g->link.loop);
	ev_timer_start(g->link.loop, timer);
}

/* --- the end ------------------------------------------------------------------------------------------------- */

static void on_left(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct guardian *g = ctx;

	(void)err;
	(void)reply;
	ev_break(g->link.loop, EVBREAK_ALL);
}

static void on_farewell(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

/* Leave the loop, once Redis has all that was counted, or after LEAVE_MS. */
static void end(struct guardian *g, int exit_code)
{
	ev_timer *const timers[] = {&g->tick, &g->pass, &g->node, &g->reach, &g->proof};

	if (g->leaving)
		return;
	g->leaving = true;
	g->exit_code = exit_code;
	for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
		ev_timer_stop(g->link.loop, timers[i]);
	sr_canary_stop(&g->canary);
	if (sr_redis_ready(g->link.redis) && sr_report_leave(&g->report, &g->link, on_left, g) == SR_OK)
		set_timer(g, &g->farewell, LEAVE_MS);
	else
		ev_break(g->link.loop, EVBREAK_ALL);
}

/* --- passes -------------------------------------------------------------------------------------------------- */

/* The interval, shortened at random so that several guardians do not keep in step. */
static int64_t jittered_interval(const struct guardian *g)
{
	return sr_random_between(g->conf->check_interval * 4 / 5, g->conf->check_interval);
}

static int64_t least_pause(const struct guardian *g)
{
	int64_t tenth = g->conf->check_interval / 10;

	return tenth < PAUSE_MAX_MS ? tenth : PAUSE_MAX_MS;
}

static void start_pass(struct guardian *g)
{
	g->due = false;
	if (g->extent != SR_EXTENT_SWEEP)
		g->usual_at = sr_clock_mono() + jittered_interval(g);
	sr_round_start(&g->round, g->extent, g->conf->check_interval / HEAL_SHARE);
}

/* Arm the timer for the usual pass, or for a sweep alone when an orphan's grace ends before that. */
static void plan(struct guardian *g)
{
	int64_t wait_ms = g->usual_at - sr_clock_mono(), next_due_ms = g->round.sweep.next_due_ms;

	g->extent = SR_EXTENT_USUAL;
	if (wait_ms < least_pause(g))
		wait_ms = least_pause(g);
	if (next_due_ms >= 0 && next_due_ms + PROOF_MARGIN_MS < wait_ms) {
		wait_ms = next_due_ms + PROOF_MARGIN_MS;
		if (wait_ms < least_pause(g))
			wait_ms = least_pause(g);
		g->extent = SR_EXTENT_SWEEP;
	}
	set_timer(g, &g->pass, wait_ms);
}

static void skip_round(struct guardian *g, int64_t late_ms)
{
	sr_log(SR_LOG_WARN, "this process was held up, the round is skipped", "late_ms", sr_log_num(late_ms), (char *)NULL);
	sr_late_mark(&g->ticked);
	g->due = false;
	g->usual_at = sr_clock_mono() + jittered_interval(g);
	if (g->round.running)
		sr_round_stop(&g->round);
	else if (!g->once)
		plan(g);
}

/* Streams may have missed nothing but our attention: whoever stopped us may have stopped their keepers, too. */
static bool held_up(struct guardian *g)
{
	int64_t late_ms = sr_late_since(&g->ticked) - TICK_MS;

	if (late_ms > LATE_MS)
		skip_round(g, late_ms);
	return late_ms > LATE_MS;
}

static void on_pass(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guardian *g = w->data;

	(void)loop;
	(void)revents;
	if (held_up(g))
		return;
	g->due = true;
	if (sr_redis_ready(g->link.redis))
		start_pass(g);
}

static void wait_for_proof(struct guardian *g)
{
	int64_t proven_ms = g->round.sweep.proven_ms, needed_ms = g->conf->proof_window;

	if (!g->unproven)
		sr_log(SR_LOG_INFO, "waiting for proof", "proven_ms", sr_log_num(proven_ms), "needed_ms", sr_log_num(needed_ms), (char *)NULL);
	g->unproven = true;
	g->extent = SR_EXTENT_USUAL;
	set_timer(g, &g->pass, needed_ms - proven_ms + PROOF_MARGIN_MS);
}

static void finish_once(struct guardian *g)
{
	g->finished = true;
	if (g->report.fresh && sr_redis_ready(g->link.redis))
		sr_canary_now(&g->canary);
	else
		end(g, SR_EX_OK);
}

static void on_round(void *ctx, enum sr_end how)
{
	struct guardian *g = ctx;

	if (g->stopping) {
		end(g, g->once ? SR_EX_LATER : SR_EX_OK);
		return;
	}
	if (g->once) {
		if (how == SR_END_DONE)
			finish_once(g);
		return; /* else the next canary begins anew, until the deadline */
	}
	if (how == SR_END_UNPROVEN) {
		wait_for_proof(g);
		return;
	}
	if (how == SR_END_DONE)
		g->unproven = false;
	plan(g);
}

/* --- the connection ------------------------------------------------------------------------------------------ */

static void on_canary(void *ctx, enum sr_err err, int64_t proven_ms)
{
	struct guardian *g = ctx;

	if (g->leaving)
		return;
	if (g->finished) {
		if (g->report.fresh && err == SR_OK)
			sr_canary_now(&g->canary); /* this one was on its way before the pass ended */
		else
			end(g, SR_EX_OK);
	} else if (g->once && err == SR_EDENIED) {
		end(g, SR_EX_DENIED);
	} else if (g->once && err == SR_OK && !g->round.running && proven_ms >= g->conf->proof_window) {
		g->extent = SR_EXTENT_WHOLE;
		start_pass(g);
	} else if (g->due && !g->round.running) {
		start_pass(g);
	}
}

static void on_ready(void *ctx)
{
	struct guardian *g = ctx;

	if (!g->reached)
		sr_log(SR_LOG_INFO, "redis reached", "url", g->conf->redis_url, (char *)NULL);
	g->reached = true;
	sr_heal_rewind(&g->round.heal);
	sr_canary_start(&g->canary);
	if (!g->once)
		ev_feed_event(g->link.loop, &g->node, EV_TIMER);
}

static void on_down(void *ctx, enum sr_err err, const char *why)
{
	struct guardian *g = ctx;

	(void)why;
	sr_canary_stop(&g->canary);
	if (g->leaving)
		ev_break(g->link.loop, EVBREAK_ALL);
	else if (g->finished)
		end(g, SR_EX_OK);
	else if (g->once && err == SR_EDENIED)
		end(g, SR_EX_DENIED);
}

static struct sr_redis *connection(struct guardian *g, const struct sr_conf *conf, struct sr_buf *why)
{
	const struct sr_redis_options options = {.url = conf->redis_url, .password_file = conf->redis_password_file,
	                                         .name = g->report.name, .load_scripts = true};
	const struct sr_redis_hooks hooks = {.on_ready = on_ready, .on_down = on_down};

	return sr_redis_new(g->link.loop, &options, &hooks, g, why);
}

/* --- the other timers ---------------------------------------------------------------------------------------- */

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guardian *g = w->data;

	(void)loop;
	(void)revents;
	if (!held_up(g))
		sr_late_mark(&g->ticked);
}

static void on_node(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guardian *g = w->data;

	(void)revents;
	w->repeat = (double)sr_node_period(&g->link.reg) / 1000.; /* SIGHUP may have changed it */
	ev_timer_again(loop, w);
	if (sr_redis_ready(g->link.redis))
		sr_report_node(&g->report, &g->link);
}

/* --once: Redis is not there. */
static void on_reach(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guardian *g = w->data;

	(void)loop;
	(void)revents;
	if (g->reached)
		return;
	sr_log(SR_LOG_ERROR, "Redis was not reached", "url", g->conf->redis_url, "reason", sr_redis_why(g->link.redis), (char *)NULL);
	end(g, SR_EX_REDIS);
}

/* --once: the proof does not come. A pass that is running may end. */
static void on_proof(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guardian *g = w->data;

	(void)loop;
	(void)revents;
	if (g->round.running || g->finished) {
		set_timer(g, w, TICK_MS);
		return;
	}
	sr_log(SR_LOG_ERROR, "no proof that Redis was writable for long enough, nothing was judged", "needed_ms",
	       sr_log_num(g->conf->proof_window), (char *)NULL);
	end(g, sr_redis_ready(g->link.redis) ? SR_EX_LATER : SR_EX_REDIS);
}

/* --- signals ------------------------------------------------------------------------------------------------- */

static void on_terminate(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct guardian *g = w->data;

	(void)revents;
	if (g->stopping || g->leaving)
		return;
	g->stopping = true;
	sr_log(SR_LOG_INFO, "stopping", "signal", sr_log_num(w->signum), (char *)NULL);
	sr_notify_stopping();
	ev_timer_stop(loop, &g->pass);
	ev_timer_stop(loop, &g->node);
	if (g->round.running)
		sr_round_stop(&g->round);
	else
		end(g, g->once && !g->finished ? SR_EX_LATER : SR_EX_OK);
}

static bool same_connection(const struct sr_conf *a, const struct sr_conf *b)
{
	return strcmp(a->redis_url, b->redis_url) == 0 && strcmp(a->redis_password_file, b->redis_password_file) == 0 &&
	       strcmp(a->key_prefix, b->key_prefix) == 0;
}

/* Work with `fresh` from now on. Another connection or prefix begins everything anew. */
static enum sr_err take_over(struct guardian *g, struct sr_conf *fresh, struct sr_buf *why)
{
	struct sr_conf old = *g->conf;
	struct sr_redis *redis = NULL;

	if (!same_connection(&old, fresh)) {
		redis = connection(g, fresh, why);
		if (!redis)
			return SR_ENOMEM;
		sr_round_stop(&g->round);
		sr_canary_stop(&g->canary);
		sr_redis_free(g->link.redis);
		g->link.redis = redis;
		g->report.node.kept_at = 0; /* another Redis has totals of its own, which are none the worse for being older */
	}
	*g->conf = *fresh;
	g->link.reg = sr_registry_of(g->conf);
	sr_conf_release(&old);
	if (redis)
		sr_redis_start(redis);
	else if (sr_redis_ready(g->link.redis))
		sr_canary_start(&g->canary); /* its pace may have changed */
	return SR_OK;
}

/* After a rotation. Whatever becomes of the configuration: it is also what logrotate sends. */
static void reopen_log(const struct guardian *g)
{
	if (sr_log_open(g->command->usage->program, g->conf->log_target, (enum sr_log_level)g->conf->log_level) != SR_OK)
		sr_log(SR_LOG_ERROR, "the log stays where it is", "target", g->conf->log_target, "reason", strerror(errno), (char *)NULL);
}

static void on_hangup(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct guardian *g = w->data;
	struct sr_conf fresh = {0};
	struct sr_buf why;
	enum sr_err err;
	sr_mono_ms soon;

	(void)loop;
	(void)revents;
	sr_notify_reloading();
	reopen_log(g);
	sr_buf_init(&why, 1024);
	err = sr_conf_reload(&fresh, g->command->usage, g->command->argc, g->command->argv, &why);
	if (err == SR_OK)
		err = take_over(g, &fresh, &why);
	if (err != SR_OK) {
		sr_log(SR_LOG_ERROR, "the new configuration is refused, the old one stays", "reason",
		       why.len ? why.data : sr_strerror(err), (char *)NULL);
		sr_conf_release(&fresh);
	} else {
		reopen_log(g);
		sr_log(SR_LOG_INFO, "configuration read again", (char *)NULL);
	}
	sr_buf_release(&why);
	sr_notify_reloaded();
	if (err == SR_OK && ev_is_active(&g->pass)) {
		soon = sr_clock_mono() + jittered_interval(g);
		g->usual_at = soon < g->usual_at ? soon : g->usual_at;
		plan(g);
	}
}

/* What systemctl status shows. */
static void describe(void *ctx, char *out, size_t size)
{
	const struct guardian *g = ctx;
	const struct sr_report *r = &g->report;

	snprintf(out, size, "%s; %lld passes, %lld marked, %lld failed, %lld healed%s%s", sr_redis_ready(g->link.redis) ? "Redis ready" : "Redis is away",
	         sr_report_count(r, SR_PASSES), sr_report_count(r, SR_STREAMS_MARKED), sr_report_count(r, SR_STREAMS_FAILED),
	         sr_report_count(r, SR_KEYS_HEALED), *r->last_at ? "; last " : "", r->last_at);
}

/* --- start and end ------------------------------------------------------------------------------------------- */

static void init_timer(struct guardian *g, ev_timer *timer, void (*cb)(struct ev_loop *, ev_timer *, int), double repeat)
{
	ev_timer_init(timer, cb, repeat, repeat);
	timer->data = g;
}

static void start_signal(struct guardian *g, ev_signal *watcher, int signum, void (*cb)(struct ev_loop *, ev_signal *, int))
{
	ev_signal_init(watcher, cb, signum);
	watcher->data = g;
	ev_signal_start(g->link.loop, watcher);
}

static void init_watchers(struct guardian *g)
{
	init_timer(g, &g->tick, on_tick, TICK_MS / 1000.);
	init_timer(g, &g->node, on_node, (double)sr_node_period(&g->link.reg) / 1000.);
	init_timer(g, &g->pass, on_pass, 0.);
	init_timer(g, &g->reach, on_reach, 0.);
	init_timer(g, &g->proof, on_proof, 0.);
	init_timer(g, &g->farewell, on_farewell, 0.);
	start_signal(g, &g->terminate, SIGTERM, on_terminate);
	start_signal(g, &g->interrupt, SIGINT, on_terminate);
	start_signal(g, &g->hangup, SIGHUP, on_hangup);
}

static void start(struct guardian *g)
{
	sr_late_mark(&g->ticked);
	ev_timer_start(g->link.loop, &g->tick);
	sr_redis_start(g->link.redis);
	if (g->once) {
		set_timer(g, &g->reach, ONCE_CONNECT_MS);
		set_timer(g, &g->proof, g->conf->proof_window + ONCE_PROOF_MS);
		return;
	}
	ev_timer_start(g->link.loop, &g->node);
	g->due = true;
	sr_notify_start(&g->notify, g->link.loop, describe, g);
}

/* The proof has to outlast the slowest way back: a beat that was just missed, and the longest pause before a reconnect. */
static void warn_of_short_proof(const struct sr_conf *conf)
{
	if (conf->proof_window < conf->beat_interval + SR_REDIS_BACKOFF_MAX_MS)
		sr_log(SR_LOG_WARN, "proof_window is short: live streams may be orphaned after an outage", "proof_window_ms",
		       sr_log_num(conf->proof_window), "beat_and_reconnect_ms", sr_log_num(conf->beat_interval + SR_REDIS_BACKOFF_MAX_MS),
		       (char *)NULL);
}

int sr_guardian_run(struct sr_conf *conf, const struct sr_command *command, bool once)
{
	struct guardian g = {.conf = conf, .command = command, .once = once, .extent = SR_EXTENT_USUAL};
	struct sr_buf why;

	sr_buf_init(&why, 1024);
	sr_report_init(&g.report);
	g.link.reg = sr_registry_of(conf);
	g.link.loop = ev_loop_new(EVFLAG_AUTO);
	if (g.link.loop)
		g.link.redis = connection(&g, conf, &why);
	if (!g.link.redis) {
		sr_log(SR_LOG_ERROR, "cannot start", "reason", why.len ? why.data : sr_strerror(SR_ENOMEM), (char *)NULL);
		g.exit_code = why.len ? SR_EX_CONFIG : SR_EX_BUG; /* the URL is bad; memory is out */
		goto out;
	}
	sr_canary_init(&g.canary, &g.link, &g.report, on_canary, &g);
	sr_round_init(&g.round, &g.link, &g.report, once, on_round, &g);
	init_watchers(&g);
	warn_of_short_proof(conf);
	start(&g);
	ev_run(g.link.loop, 0);
out:
	sr_redis_free(g.link.redis);
	if (g.link.loop)
		ev_loop_destroy(g.link.loop);
	sr_buf_release(&why);
	return g.exit_code;
}
