/* nodes.c - which processes are alive, and what has each of them done. */
#include "cli/command.h"

#include "cli/monitor.h"
#include <string.h>

#define WORD 24

/* 95000 as "1m35s": two units are enough. */
static void duration(char out[WORD], long long ms)
{
	long long s = ms / 1000;

	if (s < 60)
		snprintf(out, WORD, "%llds", s);
	else if (s < 3600)
		snprintf(out, WORD, "%lldm%llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, WORD, "%lldh%lldm", s / 3600, s / 60 % 60);
	else
		snprintf(out, WORD, "%lldd%lldh", s / 86400, s / 3600 % 24);
}

static const struct { const char *field, *title; int width; } columns[] = {
	{"kind", "KIND", 9}, {"host", "HOST", 16}, {"pid", "PID", 8}, {"version", "VERSION", 8},
};
static const struct { const char *field, *title; } counts[SR_NODE_KINDS][4] = {
	[SR_NODE_RESPONDER] = {{"streams", "streams"}, {"viewers", "viewers"}, {"delivered", "delivered"}, {"published", "published"}},
	[SR_NODE_GUARDIAN] = {{"passes", "passes"}, {"marked", "marked"}, {"failed", "failed"}, {"healed", "healed"}},
};

static void print_head(struct sr_out *o)
{
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		sr_out_printf(o, "%-*s ", columns[i].width, columns[i].title);
	sr_out_text(o, "UP      SEEN  COUNTS, NODE\n");
}

static void print_line(struct sr_out *o, const struct sr_reply *fields, long long age_ms)
{
	enum sr_node_kind kind = sr_monitor_kind(fields);
	char up[WORD], seen[WORD];

	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		sr_out_field(o, sr_monitor_word(fields, columns[i].field), columns[i].width);
		sr_out_text(o, " ");
	}
	duration(up, sr_monitor_number(fields, "uptime") * 1000 + age_ms);
	duration(seen, age_ms);
	sr_out_printf(o, "%-7s %-5s", up, seen);
	for (int i = 0; kind != SR_NODE_KINDS && i < 4; i++)
		sr_out_printf(o, " %s %lld,", counts[kind][i].title, sr_monitor_number(fields, counts[kind][i].field));
	sr_out_text(o, " ");
	sr_out_field(o, sr_monitor_word(fields, "node"), 0);
	sr_out_text(o, "\n");
}

static int print_object(struct sr_ctl *ctl, const struct sr_reply *fields, long long age_ms)
{
	struct sr_json j;
	enum sr_err err;

	sr_json_begin(&j);
	sr_json_fields(&j, NULL, fields, age_ms);
	err = sr_json_print(&j, &ctl->out);
	sr_json_release(&j);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, NULL, "%s", sr_strerror(err));
}

int sr_command_nodes(struct sr_ctl *ctl, char **operands)
{
	struct sr_watched w = {.reply = NULL};
	int code = sr_ctl_connect(ctl);

	(void)operands;
	if (!code)
		code = sr_watched_ask(ctl, &w);
	if (!code && !ctl->out.json && sr_reply_count(w.m.nodes) > 0)
		print_head(&ctl->out);
	for (size_t i = 0; !code && i < sr_reply_count(w.m.nodes); i++) {
		long long age_ms;
		const struct sr_reply *fields = sr_monitor_node(&w.m, i, &age_ms);

		if (ctl->out.json)
			code = print_object(ctl, fields, age_ms);
		else
			print_line(&ctl->out, fields, age_ms);
	}
	if (!code && !ctl->out.json && sr_reply_count(w.m.nodes) == 0)
		sr_ctl_note(ctl, NULL, "no process is alive");
	sr_reply_free(w.reply);
	return code;
}
