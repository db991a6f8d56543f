/* list.c - all streams that Redis knows. First all ids, since SCAN may name one twice; then, in their order, the records. */
#include "cli/command.h"

#include "cli/scan.h"
#include <string.h>
#include <unistd.h>

#define ID_WIDTH_MAX 40

enum { STREAM_ID, STATE, TYPE, USER, STARTED, HEARTBEAT, LAST_EVENT, FIELDS };
static const char *const fields[FIELDS + 1] = {"streamId", "state", "streamType", "userId", "startedAt", "lastHeartbeat", "lastEventId"};

struct list {
	struct sr_ctl *ctl;
	struct sr_ids found;
	int width;               /* of the id's column */
	struct sr_json json;
};

static int out_of_memory(const struct list *l)
{
	return sr_ctl_fail(l->ctl, SR_EX_LATER, NULL, "%s", sr_strerror(SR_ENOMEM));
}

static enum sr_err print_json(struct list *l, const char *const f[FIELDS], long long viewers)
{
	sr_json_open(&l->json, NULL, '{');
	for (int i = 0; i < FIELDS; i++)
		sr_json_text(&l->json, fields[i], i == LAST_EVENT && !*f[i] ? NULL : f[i]);
	sr_json_int(&l->json, "viewers", viewers);
	sr_json_close(&l->json, '}');
	return sr_json_print(&l->json, &l->ctl->out);
}

static enum sr_err print_record(struct list *l, const struct sr_look_result *look)
{
	static const int widths[] = {[TYPE] = 12, [USER] = 16, [STARTED] = 24, [HEARTBEAT] = 0};
	struct sr_out *o = &l->ctl->out;
	const char *f[FIELDS];

	for (int i = 0; i < FIELDS; i++)
		f[i] = sr_look_field(look, (size_t)i);
	if (o->json)
		return print_json(l, f, look->viewers);
	sr_out_field(o, f[STREAM_ID], l->width);
	sr_out_text(o, " ");
	sr_out_state(o, f[STATE], 9);
	sr_out_printf(o, " %7lld", look->viewers);
	for (int i = TYPE; i <= HEARTBEAT; i++) {
		sr_out_text(o, " ");
		sr_out_field(o, f[i], widths[i]);
	}
	sr_out_text(o, "\n");
	return SR_OK;
}

/* It may have expired since it was found, or be what a late write left of an expired one. */
static bool is_wanted(const struct list *l, const struct sr_look_result *look)
{
	const char *state = l->ctl->flag[SR_FLAG_STATE];

	return look->known && *sr_look_field(look, STREAM_ID) && (!state || strcmp(state, sr_look_field(look, STATE)) == 0);
}

static int print_batch(struct list *l, size_t from, size_t count)
{
	struct sr_look_result look;
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_look_call(&call, &l->ctl->reg, l->found.ids + from, count, 0, fields);
	code = sr_ctl_call(l->ctl, NULL, &call, &reply);
	for (size_t i = 0; !code && i < count; i++) {
		if (sr_look_read(reply, i, &look) != SR_OK)
			code = sr_ctl_odd_reply(l->ctl, NULL);
		else if (is_wanted(l, &look) && print_record(l, &look) != SR_OK)
			code = out_of_memory(l);
	}
	sr_reply_free(reply);
	return code;
}

/* For people who wait, when the list itself goes elsewhere. */
static void show_progress(const struct list *l, size_t done)
{
	if (l->ctl->out.terminal || !isatty(STDERR_FILENO))
		return;
	if (done < l->found.count)
		fprintf(stderr, "\r%zu of %zu streams", done, l->found.count);
	else
		fputs("\r\033[K", stderr);
}

static int print_ids(struct list *l)
{
	int code = 0;

	for (size_t i = 0; !code && i < l->found.count; i += SR_BATCH_MAX) {
		code = print_batch(l, i, l->found.count - i < SR_BATCH_MAX ? l->found.count - i : SR_BATCH_MAX);
		show_progress(l, code ? l->found.count : i + SR_BATCH_MAX);
	}
	return code;
}

int sr_command_list(struct sr_ctl *ctl, char **operands)
{
	static const char *const states[] = {"active", "orphaned", "completed", "failed", "cancelled"};
	const char *wanted = ctl->flag[SR_FLAG_STATE];
	struct list l = {.ctl = ctl, .width = 8};
	size_t s = 0;
	int code;

	(void)operands;
	while (wanted && s < 5 && strcmp(wanted, states[s]) != 0)
		s++;
	if (s == 5)
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--state: '%.60s' is not active, orphaned, completed, failed or cancelled", wanted);
	code = sr_ctl_connect(ctl);
	if (code)
		return code;
	sr_json_begin(&l.json);
	code = sr_scan(ctl, SR_KEY_STREAM, &l.found);
	for (size_t i = 0; i < l.found.count && l.found.ids; i++)
		if ((int)strlen(l.found.ids[i]) > l.width)
			l.width = (int)strlen(l.found.ids[i]);
	if (l.width > ID_WIDTH_MAX)
		l.width = ID_WIDTH_MAX;
	if (!code && !ctl->out.json)
		sr_out_printf(&ctl->out, "%-*s %-9s %7s %-12s %-16s %-24s %s\n", l.width, "ID", "STATE", "VIEWERS", "TYPE", "USER", "STARTED", "LAST HEARTBEAT");
	if (!code)
		code = print_ids(&l);
	sr_ids_release(&l.found);
	sr_json_release(&l.json);
	return code;
}
