/* script.c - the Redis scripts for those who call them without us: their names, interfaces, texts, and a way into Redis's cache. */
#include "cli/command.h"

#include <string.h>

static const char *interface_of(const struct sr_script *s)
{
	return s->contract ? "public" : "internal";
}

static void begin_json(struct sr_json *j, const struct sr_script *s)
{
	sr_json_begin(j);
	sr_json_open(j, NULL, '{');
	sr_json_text(j, "name", s->name);
	sr_json_text(j, "sha1", s->sha1);
}

static int end_json(struct sr_ctl *ctl, struct sr_json *j, const struct sr_script *s)
{
	enum sr_err err;

	sr_json_close(j, '}');
	err = sr_json_print(j, &ctl->out);
	sr_json_release(j);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, s->name, "%s", sr_strerror(err));
}

/* ---- list ---- */

static int list_json(struct sr_ctl *ctl, const struct sr_script *s)
{
	struct sr_json j;

	begin_json(&j, s);
	sr_json_int(&j, "keys", s->keys);
	sr_json_bool(&j, "moreKeys", s->more_keys);
	sr_json_int(&j, "args", s->args);
	sr_json_bool(&j, "moreArgs", s->more_args);
	sr_json_text(&j, "interface", interface_of(s));
	if (s->contract)
		sr_json_int(&j, "contract", s->contract);
	else
		sr_json_text(&j, "contract", NULL);
	return end_json(ctl, &j, s);
}

static int list(struct sr_ctl *ctl, const struct sr_script *named)
{
	int code = 0;

	(void)named;
	for (int i = 0; !code && i < SR_SCRIPT_COUNT; i++) {
		const struct sr_script *s = sr_script_get((enum sr_script_name)i);

		if (ctl->out.json)
			code = list_json(ctl, s);
		else if (s->contract)
			sr_out_printf(&ctl->out, "%-8s %s keys %d%-1s args %2d%-1s public contract %d\n", s->name, s->sha1, s->keys, s->more_keys ? "+" : "",
			              s->args, s->more_args ? "+" : "", s->contract);
		else
			sr_out_printf(&ctl->out, "%-8s %s keys %d%-1s args %2d%-1s internal\n", s->name, s->sha1, s->keys, s->more_keys ? "+" : "",
			              s->args, s->more_args ? "+" : "");
	}
	return code;
}

/* ---- show, sha ---- */

static int print_json(struct sr_ctl *ctl, const struct sr_script *s, bool with_text)
{
	struct sr_json j;

	begin_json(&j, s);
	if (with_text)
		sr_json_text(&j, "text", s->text);
	return end_json(ctl, &j, s);
}

static int show(struct sr_ctl *ctl, const struct sr_script *s)
{
	if (ctl->out.json)
		return print_json(ctl, s, true);
	sr_out_write(&ctl->out, s->text, strlen(s->text)); /* to the byte: its SHA-1 depends on it */
	return 0;
}

static int sha(struct sr_ctl *ctl, const struct sr_script *s)
{
	if (ctl->out.json)
		return print_json(ctl, s, false);
	sr_out_printf(&ctl->out, "%s\n", s->sha1);
	return 0;
}

/* ---- load ---- */

static int load_one(struct sr_ctl *ctl, const struct sr_script *s)
{
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "SCRIPT");
	sr_call_text(&call, "LOAD");
	sr_call_text(&call, s->text);
	code = sr_ctl_call(ctl, s->name, &call, &reply);
	if (!code && strcmp(sr_reply_text(reply, NULL), s->sha1) != 0)
		code = sr_ctl_odd_reply(ctl, s->name);
	sr_reply_free(reply);
	if (!code && ctl->out.json)
		return print_json(ctl, s, false);
	if (!code)
		sr_out_printf(&ctl->out, "%-8s %s\n", s->name, s->sha1);
	return code;
}

static int load(struct sr_ctl *ctl, const struct sr_script *named)
{
	int code = sr_ctl_connect(ctl);

	(void)named;
	for (int i = 0; !code && i < SR_SCRIPT_COUNT; i++)
		if (sr_script_get((enum sr_script_name)i)->contract)
			code = load_one(ctl, sr_script_get((enum sr_script_name)i));
	return code;
}

/* ---- words ---- */

static const struct { const char *name; bool takes_script; int (*run)(struct sr_ctl *ctl, const struct sr_script *named); } actions[] = {
	{"list", false, list}, {"show", true, show}, {"sha", true, sha}, {"load", false, load}};
#define ACTIONS (sizeof actions / sizeof *actions)

static int unknown_action(const struct sr_ctl *ctl, const char *word)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (sr_command_is_near(word, actions[i].name))
			return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "unknown word '%.60s'; did you mean %s?", word, actions[i].name);
	return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "unknown word '%.60s'; it is list, show, sha or load", word);
}

/* NULL, with the reason on stderr, when there is none of that name. */
static const struct sr_script *find_script(const struct sr_ctl *ctl, const char *name)
{
	const char *near = NULL;

	for (int i = 0; i < SR_SCRIPT_COUNT; i++) {
		const struct sr_script *s = sr_script_get((enum sr_script_name)i);

		if (strcmp(s->name, name) == 0)
			return s;
		if (!near && sr_command_is_near(name, s->name))
			near = s->name;
	}
	if (near)
		sr_ctl_note(ctl, NULL, "no script '%.60s'; did you mean %s?", name, near);
	else
		sr_ctl_note(ctl, NULL, "no script '%.60s'; ssectl script list names them", name);
	return NULL;
}

int sr_command_script(struct sr_ctl *ctl, char **operands)
{
	const struct sr_script *named = NULL;
	size_t i = 0;

	while (i < ACTIONS && strcmp(actions[i].name, operands[0]) != 0)
		i++;
	if (i == ACTIONS)
		return unknown_action(ctl, operands[0]);
	if (actions[i].takes_script != (operands[1] != NULL))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "usage: ssectl script %s%s", actions[i].name, actions[i].takes_script ? " NAME" : "");
	if (operands[1])
		named = find_script(ctl, operands[1]);
	if (operands[1] && !named)
		return SR_EX_USAGE;
	return actions[i].run(ctl, named);
}
