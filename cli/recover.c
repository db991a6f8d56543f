/* recover.c - what GET {mount}/ID/recover answers, asked as an operator: the script checks the owner, so it is given him. */
#include "cli/command.h"

#include <string.h>

static int read_owner(struct sr_ctl *ctl, enum sr_key key, const char *id, struct sr_reply **reply)
{
	struct sr_call call;

	sr_ctl_plain(&call, ctl, "HGET", key, id);
	sr_call_text(&call, "userId");
	return sr_ctl_call(ctl, id, &call, reply);
}

/* The record's owner; a completion that outlived its record has it, too. */
static int find_owner(struct sr_ctl *ctl, const char *id, struct sr_reply **reply)
{
	int code = read_owner(ctl, SR_KEY_STREAM, id, reply);

	if (!code && !*sr_reply_text(*reply, NULL)) {
		sr_reply_free(*reply);
		code = read_owner(ctl, SR_KEY_COMPLETION, id, reply);
	}
	return code;
}

static void describe_end(struct sr_json *j, const struct sr_recover_result *s)
{
	char id[SR_EVENT_ID_SIZE];

	sr_json_text(j, "terminalEventType", s->end_type);
	sr_json_raw(j, "terminalEventData", s->end_data, s->end_data_len);
	sr_json_text(j, "completedAt", s->completed_at);
	if (sr_event_id_compare(s->last, SR_EVENT_ID_START) > 0)
		sr_json_text(j, "lastEventId", sr_event_id_format(id, s->last));
}

static void describe_live(struct sr_json *j, const struct sr_recover_result *s)
{
	char id[SR_EVENT_ID_SIZE];

	sr_json_text(j, "streamType", s->type);
	sr_json_text(j, "startedAt", s->started_at);
	sr_json_text(j, "lastHeartbeat", s->last_heartbeat);
	sr_json_text(j, "lastEventId", sr_event_id_format(id, s->last));
}

static int print(struct sr_ctl *ctl, const char *id, const struct sr_recover_result *s)
{
	bool known = s->outcome == SR_SAME || s->outcome == SR_ENDED || s->outcome == SR_EXPIRED;
	struct sr_json j;
	enum sr_err err;

	sr_json_begin(&j);
	sr_json_open(&j, NULL, '{');
	sr_json_text(&j, "status", !known ? "not_found" : s->outcome == SR_EXPIRED ? "expired" : s->state);
	sr_json_text(&j, "streamId", id);
	if (s->outcome == SR_ENDED)
		describe_end(&j, s);
	else if (s->outcome == SR_SAME)
		describe_live(&j, s);
	sr_json_close(&j, '}');
	err = sr_json_print(&j, &ctl->out);
	sr_json_release(&j);
	if (err != SR_OK)
		return sr_ctl_fail(ctl, SR_EX_LATER, id, "%s", sr_strerror(err));
	return known ? 0 : sr_ctl_fail(ctl, SR_EX_NOSTREAM, id, "no such stream");
}

static int recover(struct sr_ctl *ctl, const char *id, const char *owner)
{
	struct sr_recover_result result;
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_recover_call(&call, &ctl->reg, id, owner, true);
	code = sr_ctl_call(ctl, id, &call, &reply);
	if (!code)
		code = sr_recover_read(reply, &result) == SR_OK ? print(ctl, id, &result) : sr_ctl_odd_reply(ctl, id);
	sr_reply_free(reply);
	return code;
}

int sr_command_recover(struct sr_ctl *ctl, char **operands)
{
	const char *id = sr_ctl_stream_id(ctl, operands[0]);
	struct sr_reply *owner = NULL;
	int code;

	if (!id)
		return SR_EX_USAGE;
	code = sr_ctl_connect(ctl);
	if (!code)
		code = find_owner(ctl, id, &owner);
	if (!code)
		code = recover(ctl, id, sr_reply_text(owner, NULL));
	sr_reply_free(owner);
	return code;
}
