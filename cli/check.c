/* check.c - is all well? For people, and as a plugin of a monitoring system (monitoring-plugins.org, "Development Guidelines"). */
#include "cli/command.h"

#include "cli/monitor.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CANARY_WARNING_S 60 /* a guardian writes each second; one from cron once a minute */
#define CANARY_CRITICAL_S 180
#define ORPHANED_WARNING 5
#define ORPHANED_CRITICAL 20
#define LINE_MAX_BYTES 1000

enum state { STATE_OK, STATE_WARNING, STATE_CRITICAL, STATE_UNKNOWN };
static const char *const upper[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
static const char *const lower[] = {"ok", "warning", "critical", "unknown"};

/* A value and when it is too much: above `warning`, above `critical`. */
struct limits { long long warning, critical; };

struct check {
	struct sr_ctl *ctl;
	bool plugin;
	struct limits orphaned, pass_s;
	enum state worst;
	struct sr_buf problems; /* joined, for the plugin's line */
};

/* ---- findings ---- */

static void find(struct check *c, enum state state, const char *format, ...) SR_PRINTF(3, 4);
static void find(struct check *c, enum state state, const char *format, ...)
{
	struct sr_buf text;
	va_list ap;

	if (state > c->worst)
		c->worst = state;
	sr_buf_init(&text, LINE_MAX_BYTES);
	va_start(ap, format);
	if (sr_buf_vprintf(&text, format, ap) != SR_OK)
		sr_buf_explain(&text, "too much to say");
	va_end(ap);
	if (!c->plugin) {
		sr_out_printf(&c->ctl->out, "%-9s ", lower[state]);
		sr_out_field(&c->ctl->out, sr_buf_text(&text), 0);
		sr_out_text(&c->ctl->out, "\n");
	} else if (state != STATE_OK && sr_buf_printf(&c->problems, "%s%s", c->problems.len ? "; " : "", sr_buf_text(&text)) != SR_OK)
		sr_buf_explain(&c->problems, "too much to say");
	sr_buf_release(&text);
}

static enum state above(long long value, struct limits limits)
{
	return value > limits.critical ? STATE_CRITICAL : value > limits.warning ? STATE_WARNING : STATE_OK;
}

static const struct limits canary_s = {CANARY_WARNING_S, CANARY_CRITICAL_S};

static void judge_guardian(struct check *c, const struct sr_overview *o)
{
	long long silent_s = o->canary_age_ms / 1000, pass_s = (o->pass_age_ms < 0 ? o->writable_ms : o->pass_age_ms) / 1000;

	if (o->canary_age_ms < 0) {
		find(c, STATE_CRITICAL, "no guardian has run: streams that die are not found");
		return;
	}
	find(c, above(silent_s, canary_s), "the guardian wrote %lld s ago", silent_s);
	if (o->pass_age_ms < 0)
		find(c, above(pass_s, c->pass_s), "the guardian has not yet looked at the streams");
	else
		find(c, above(pass_s, c->pass_s), "the guardian looked at the streams %lld s ago", pass_s);
}

static void judge(struct check *c, const struct sr_monitor *m, const struct sr_overview *o)
{
	long long responders = o->kind[SR_NODE_RESPONDER].processes;

	if (responders == 0)
		find(c, STATE_CRITICAL, "no responder is alive");
	else
		find(c, STATE_OK, "%lld responder%s alive", responders, responders == 1 ? " is" : "s are");
	judge_guardian(c, o);
	if (m->active < 0 || m->orphaned < 0)
		find(c, STATE_CRITICAL, "an index of streams holds something else: somebody wrote to it");
	find(c, above(m->orphaned, c->orphaned), "%lld orphaned stream%s", m->orphaned, m->orphaned == 1 ? "" : "s");
}

/* ---- the plugin's line ---- */

/* What would end the text of the line is not for Redis to say. */
static void print_plain(struct sr_out *o, const char *text)
{
	char plain[LINE_MAX_BYTES + 1];
	size_t n = 0;

	for (; *text && n < LINE_MAX_BYTES; text++)
		plain[n++] = (char)(*text >= ' ' && *text <= '~' && *text != '|' ? *text : ' ');
	sr_out_write(o, plain, n);
}

static void print_age(struct sr_out *o, const char *label, long long ms, struct limits limits)
{
	if (ms < 0)
		sr_out_printf(o, " %s=U;%lld;%lld;0", label, limits.warning, limits.critical);
	else
		sr_out_printf(o, " %s=%lld.%03llds;%lld;%lld;0", label, ms / 1000, ms % 1000, limits.warning, limits.critical);
}

static void print_data(const struct check *c, const struct sr_monitor *m, const struct sr_overview *o)
{
	static const char *const totals[] = {"opened", "delivered", "gaps", "slow", "refused", "failed"};
	struct sr_out *out = &c->ctl->out;

	sr_out_printf(out, " | streams=%lld;;;0 viewers=%lld;;;0 responders=%lld;;1:;0 guardians=%lld;;;0 orphaned=%lld;%lld;%lld;0", m->active < 0 ? 0 : m->active,
	              o->viewers, o->kind[SR_NODE_RESPONDER].processes, o->kind[SR_NODE_GUARDIAN].processes, m->orphaned < 0 ? 0 : m->orphaned, c->orphaned.warning,
	              c->orphaned.critical);
	print_age(out, "canary_age", o->canary_age_ms, canary_s);
	print_age(out, "pass_age", o->pass_age_ms, c->pass_s);
	for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
		sr_out_printf(out, " %s=%lldc;;;0", totals[i], sr_monitor_number(m->totals, totals[i]));
}

/* m NULL: Redis told nothing. */
static void print_line(const struct check *c, const struct sr_monitor *m)
{
	struct sr_out *out = &c->ctl->out;
	struct sr_overview o;

	sr_out_printf(out, "SSE %s - ", upper[c->worst]);
	print_plain(out, sr_buf_text(&c->problems));
	if (m) {
		o = sr_monitor_overview(m);
		sr_out_printf(out, "%s%lld streams, %lld viewers, %lld responders, ", c->problems.len ? "; " : "", m->active, o.viewers,
		              o.kind[SR_NODE_RESPONDER].processes);
		if (o.canary_age_ms < 0)
			sr_out_text(out, "no guardian");
		else
			sr_out_printf(out, "guardian %lld s ago", o.canary_age_ms / 1000);
		print_data(c, m, &o);
	}
	sr_out_text(out, "\n");
}

int sr_check_exit(int code)
{
	if (code <= STATE_UNKNOWN)
		return code;
	puts("SSE UNKNOWN - the command line, the configuration or the password is wrong, or this output failed: see standard error");
	fflush(stdout);
	return STATE_UNKNOWN;
}

/* ---- asking ---- */

/* What becomes of a call: STATE_OK, or what was found; STATE_UNKNOWN with a message and the exit code in *code. */
static enum state failed(struct check *c, enum sr_err err, int *code)
{
	const char *why = sr_session_why(c->ctl->session), *url = c->ctl->conf.redis_url;

	why = *why ? why : sr_strerror(err);
	switch (err) {
	case SR_OK:
		return STATE_OK;
	case SR_EDOWN:
	case SR_ETIMEOUT:
	case SR_EBUSY:
		find(c, STATE_CRITICAL, "Redis at %s is unavailable: %s", url, why);
		return STATE_CRITICAL;
	case SR_EREFUSED:
		find(c, STATE_CRITICAL, "Redis at %s cannot be written: %s", url, why);
		return STATE_CRITICAL;
	default:
		*code = sr_ctl_redis_failed(c->ctl, NULL, err);
		return STATE_UNKNOWN;
	}
}

static enum state ask(struct check *c, struct sr_watched *w, int *code)
{
	struct sr_call call;
	enum state state;

	sr_monitor_call(&call, &c->ctl->reg);
	sr_session_deadline(c->ctl->session, c->ctl->deadline_ms);
	state = failed(c, sr_session_call(c->ctl->session, &call, 0, &w->reply), code);
	sr_call_release(&call);
	if (state != STATE_OK || sr_monitor_read(w->reply, &w->m) == SR_OK)
		return state;
	*code = sr_ctl_odd_reply(c->ctl, NULL);
	return STATE_UNKNOWN;
}

static enum state try_to_write(struct check *c, int *code)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum state state;

	sr_ctl_plain(&call, c->ctl, "SET", SR_KEY_CHECK, NULL);
	sr_call_text(&call, "1");
	sr_call_text(&call, "PX");
	sr_call_int(&call, SR_NODE_TTL_MS);
	sr_session_deadline(c->ctl->session, c->ctl->deadline_ms);
	state = failed(c, sr_session_try(c->ctl->session, &call, 0, &reply), code); /* a refusal is what is looked for */
	sr_call_release(&call);
	sr_reply_free(reply);
	if (state == STATE_OK)
		find(c, STATE_OK, "Redis answers and can be written");
	return state;
}

static int report(struct check *c)
{
	struct sr_watched w = {.reply = NULL};
	struct sr_overview o;
	int code = 0;
	enum state state = ask(c, &w, &code);

	if (state == STATE_OK && try_to_write(c, &code) != STATE_UNKNOWN) {
		o = sr_monitor_overview(&w.m);
		judge(c, &w.m, &o);
	}
	if (!code && c->plugin)
		print_line(c, state == STATE_OK ? &w.m : NULL);
	sr_reply_free(w.reply);
	if (code)
		return code;
	return c->plugin ? (int)c->worst : c->worst != STATE_OK;
}

/* ---- the command line ---- */

static bool read_limit(const struct sr_ctl *ctl, enum sr_ctl_flag flag, const char *name, long long *out)
{
	const char *word = ctl->flag[flag];
	size_t len = word ? strlen(word) : 0;

	if (!word)
		return true;
	if (len == 0 || len > 9 || strspn(word, "0123456789") != len) {
		sr_ctl_note(ctl, NULL, "%s: '%.60s' is not a whole number from 0 to 999999999", name, word);
		return false;
	}
	*out = strtoll(word, NULL, 10);
	return true;
}

int sr_command_check(struct sr_ctl *ctl, char **operands)
{
	long long interval_s = ctl->conf.check_interval / 1000;
	struct check c = {.ctl = ctl, .plugin = ctl->flag[SR_FLAG_NAGIOS] != NULL, .orphaned = {ORPHANED_WARNING, ORPHANED_CRITICAL},
	                  .pass_s = {4 * interval_s + CANARY_WARNING_S, 10 * interval_s + CANARY_CRITICAL_S}};
	int code;

	(void)operands;
	if (!read_limit(ctl, SR_FLAG_WARNING, "--warning", &c.orphaned.warning) || !read_limit(ctl, SR_FLAG_CRITICAL, "--critical", &c.orphaned.critical))
		return SR_EX_USAGE;
	if (ctl->flag[SR_FLAG_WARNING] && !ctl->flag[SR_FLAG_CRITICAL] && c.orphaned.critical < c.orphaned.warning)
		c.orphaned.critical = c.orphaned.warning;
	if (c.orphaned.warning > c.orphaned.critical)
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--warning %lld is more than --critical %lld", c.orphaned.warning, c.orphaned.critical);
	sr_buf_init(&c.problems, LINE_MAX_BYTES);
	code = sr_ctl_open(ctl);
	if (!code)
		code = report(&c);
	sr_buf_release(&c.problems);
	return code;
}
