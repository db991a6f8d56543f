/* status.c - is Redis fit for this, which processes are alive, what did the guardian do last. */
#include "cli/command.h"
#include "cli/redis_info.h"

#include "cli/monitor.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define GUARDIAN_QUIET_MS 15000 /* a canary comes each second */

struct status {
	struct sr_ctl *ctl;
	struct sr_redis_info redis;
	struct sr_watched watched;
	struct sr_json warnings;       /* an array under construction; for text, lines */
};

/* ---- reading ---- */

/* A user of Redis that may not ask for INFO can still run streams. */
static int ask_info(struct status *s)
{
	enum sr_err err = sr_redis_info_ask(&s->redis, s->ctl);

	return err == SR_OK ? 0 : sr_ctl_redis_failed(s->ctl, NULL, err);
}

static int collect(struct status *s)
{
	int code = ask_info(s);

	return code ? code : sr_watched_ask(s->ctl, &s->watched);
}

/* ---- what is wrong ---- */

static void warn(struct status *s, const char *format, ...) SR_PRINTF(2, 3);
static void warn(struct status *s, const char *format, ...)
{
	struct sr_buf text;
	va_list ap;

	sr_buf_init(&text, 1024);
	va_start(ap, format);
	if (sr_buf_vprintf(&text, format, ap) != SR_OK)
		sr_buf_explain(&text, "%s", sr_strerror(SR_ENOMEM));
	va_end(ap);
	if (s->ctl->out.json)
		sr_json_text(&s->warnings, NULL, sr_buf_text(&text));
	else
		sr_out_printf(&s->ctl->out, "warning     %s\n", sr_buf_text(&text));
	sr_buf_release(&text);
}

static void warn_of_redis(struct status *s)
{
	char fault[256];

	if (!s->redis.known)
		warn(s, "this user of Redis may not ask for INFO: whether it is fit for this was not checked");
	for (int i = 0; s->redis.known && i < SR_FAULT_COUNT; i++)
		if (sr_redis_info_fault(&s->redis, (enum sr_redis_fault)i, fault, sizeof fault))
			warn(s, "%s", fault);
}

static void warn_of_all(struct status *s)
{
	struct sr_overview o = sr_monitor_overview(&s->watched.m);

	warn_of_redis(s);
	if (o.canary_age_ms < 0)
		warn(s, "no guardian has run: streams that die are not found; start sse-guardian");
	else if (o.canary_age_ms > GUARDIAN_QUIET_MS)
		warn(s, "the guardian has been silent for %lld s", o.canary_age_ms / 1000);
	if (o.kind[SR_NODE_RESPONDER].processes == 0)
		warn(s, "no responder is alive; sse-fcgi as a CGI program is none");
}

/* ---- JSON ---- */

static void json_redis(struct sr_json *j, const struct status *s)
{
	sr_json_open(j, "redis", '{');
	sr_json_bool(j, "available", true);
	sr_json_text(j, "url", s->ctl->conf.redis_url);
	if (s->redis.known) {
		sr_json_text(j, "version", s->redis.version);
		sr_json_text(j, "role", s->redis.role);
		sr_json_bool(j, "appendonly", strcmp(s->redis.aof, "1") == 0);
		sr_json_text(j, "maxmemoryPolicy", s->redis.policy);
		sr_json_int(j, "maxmemory", s->redis.limit);
		sr_json_int(j, "usedMemory", s->redis.used);
		sr_json_int(j, "uptimeSeconds", s->redis.uptime_s);
	}
	sr_json_close(j, '}');
}

static int print_object(struct sr_ctl *ctl, struct sr_json *j)
{
	enum sr_err err;

	sr_json_close(j, '}');
	err = sr_json_print(j, &ctl->out);
	sr_json_release(j);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, NULL, "%s", sr_strerror(err));
}

static int print_json(struct status *s)
{
	struct sr_json *j = &s->warnings; /* its array comes last */
	const struct sr_monitor *m = &s->watched.m;

	sr_json_begin(j);
	sr_json_open(j, NULL, '{');
	json_redis(j, s);
	sr_json_open(j, "streams", '{');
	sr_json_int(j, "active", m->active);
	sr_json_int(j, "orphaned", m->orphaned);
	sr_json_close(j, '}');
	sr_json_open(j, "nodes", '[');
	for (size_t i = 0; i < sr_reply_count(m->nodes); i++)
		sr_json_fields(j, NULL, sr_monitor_node(m, i, NULL), -1);
	sr_json_close(j, ']');
	if (sr_reply_count(m->guardian))
		sr_json_fields(j, "guardian", m->guardian, -1);
	else
		sr_json_text(j, "guardian", NULL);
	sr_json_open(j, "warnings", '[');
	warn_of_all(s);
	sr_json_close(j, ']');
	return print_object(s->ctl, j);
}

static int print_away(struct sr_ctl *ctl)
{
	struct sr_json j;

	sr_json_begin(&j);
	sr_json_open(&j, NULL, '{');
	sr_json_open(&j, "redis", '{');
	sr_json_bool(&j, "available", false);
	sr_json_text(&j, "url", ctl->conf.redis_url);
	sr_json_text(&j, "reason", ctl->session ? sr_session_why(ctl->session) : "");
	sr_json_close(&j, '}');
	return print_object(ctl, &j);
}

/* ---- text ---- */

/* All fields of a node but those that stand at the line's beginning. */
static void text_counters(struct sr_out *o, const struct sr_reply *node)
{
	static const char *const said[] = {"node", "kind", "host", "pid", "seenAt"};

	for (size_t i = 0; i + 1 < sr_reply_count(node); i += 2) {
		const char *name = sr_reply_text_at(node, i, NULL);
		size_t k = 0;

		while (k < 5 && strcmp(name, said[k]) != 0)
			k++;
		if (k < 5)
			continue;
		sr_out_text(o, " ");
		sr_out_field(o, name, 0);
		sr_out_text(o, "=");
		sr_out_field(o, sr_reply_text_at(node, i + 1, NULL), 0);
	}
	sr_out_text(o, "\n");
}

/* Words and fields in turn: "word", "field", "word", ... , NULL. */
static void text_line(struct sr_out *o, const struct sr_reply *hash, const char *const *parts)
{
	for (; *parts; parts += 2) {
		sr_out_text(o, parts[0]);
		if (!parts[1])
			return;
		sr_out_field(o, sr_monitor_word(hash, parts[1]), 0);
	}
}

static void text_nodes(const struct status *s)
{
	static const char *const parts[] = {" ", "node", " on ", "host", " pid ", "pid", ", seen ", "seenAt", ":", NULL};
	struct sr_out *o = &s->ctl->out;

	for (size_t i = 0; i < sr_reply_count(s->watched.m.nodes); i++) {
		const struct sr_reply *node = sr_monitor_node(&s->watched.m, i, NULL);

		sr_out_field(o, sr_monitor_word(node, "kind"), 11);
		text_line(o, node, parts);
		text_counters(o, node);
	}
}

static void text_guardian(const struct status *s)
{
	static const char *const parts[] = {"last pass   ", "lastPassAt", ", ", "lastPassMs", " ms: ", "lastPassActive", " active, ", "lastPassMarked",
	                                    " marked, ", "lastPassFailed", " failed, ", "lastPassHealed", " healed\n", NULL};
	struct sr_out *o = &s->ctl->out;
	struct sr_overview overview = sr_monitor_overview(&s->watched.m);

	if (*sr_monitor_word(s->watched.m.guardian, "lastPassAt"))
		text_line(o, s->watched.m.guardian, parts);
	else
		sr_out_text(o, "last pass   never\n");
	if (overview.canary_age_ms >= 0)
		sr_out_printf(o, "canary      %lld s ago; Redis was writable for %lld s until then\n", overview.canary_age_ms / 1000,
		              overview.writable_ms / 1000);
	else
		sr_out_text(o, "canary      never\n");
}

static void print_text(struct status *s)
{
	struct sr_out *o = &s->ctl->out;

	if (s->redis.known)
		sr_out_printf(o, "redis       %s at %s, %s, up %lld s, appendonly %s\n", s->redis.version, s->ctl->conf.redis_url, s->redis.role, s->redis.uptime_s,
		              strcmp(s->redis.aof, "1") == 0 ? "on" : "off");
	else
		sr_out_printf(o, "redis       reachable at %s\n", s->ctl->conf.redis_url);
	if (s->redis.known && s->redis.limit)
		sr_out_printf(o, "memory      %lld KiB of %lld KiB, %s\n", s->redis.used / 1024, s->redis.limit / 1024, s->redis.policy);
	else if (s->redis.known)
		sr_out_printf(o, "memory      %lld KiB without a limit, %s\n", s->redis.used / 1024, s->redis.policy);
	sr_out_printf(o, "streams     %lld active, %lld orphaned and waited for\n", s->watched.m.active, s->watched.m.orphaned);
	text_nodes(s);
	text_guardian(s);
	warn_of_all(s);
}

int sr_command_status(struct sr_ctl *ctl, char **operands)
{
	struct status s = {.ctl = ctl};
	int code = sr_ctl_connect(ctl);

	(void)operands;
	if (!code)
		code = collect(&s);
	if (code == SR_EX_REDIS && ctl->out.json && print_away(ctl) != 0)
		code = SR_EX_LATER;
	else if (!code && ctl->out.json)
		code = print_json(&s);
	else if (!code)
		print_text(&s);
	sr_reply_free(s.watched.reply);
	return code;
}
