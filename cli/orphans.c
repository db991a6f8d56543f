/* orphans.c - leased streams whose producer fell silent: those that are waited for, by the index; and those that the guardian has given
 * up, by their completions, as long as these are kept. */
#include "cli/command.h"

#include "cli/age.h"
#include "cli/scan.h"
#include "common/clock.h"
#include "common/mem.h"
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 10000
#define ID_WIDTH_MAX 40

enum { STREAM_ID, STATE, TYPE, USER, PRODUCER, LAST_EVENT };
static const char *const fields[] = {"streamId", "state", "streamType", "userId", "producer", "lastEventId", NULL};
static const char *const end_fields[] = {"completedAt", "userId", "eventId", NULL};

struct orphan {
	const char *id;
	const char *state, *type, *user, *last_event; /* into a reply */
	bool leased;
	int64_t since_ms, due_ms;   /* orphaned, and to be failed; of a failed one, failed, and -1. -1 = not known */
	long long viewers;
};

struct orphans {
	struct sr_ctl *ctl;
	struct sr_json json;
	int width;
	int64_t now_ms;
	bool headed;                /* the columns have their names */
	size_t printed;
};

/* ---- printing ---- */

static void json_time(struct sr_json *j, const char *name, int64_t ms)
{
	char at[SR_ISO_SIZE];

	sr_clock_iso(at, ms);
	sr_json_text(j, name, ms >= 0 ? at : NULL);
}

static enum sr_err print_json(struct orphans *s, const struct orphan *o)
{
	bool failed = strcmp(o->state, "failed") == 0;
	struct sr_json *j = &s->json;

	sr_json_open(j, NULL, '{');
	sr_json_text(j, "streamId", o->id);
	sr_json_text(j, "state", o->state);
	sr_json_text(j, "streamType", o->type);
	sr_json_text(j, "userId", o->user);
	sr_json_bool(j, "leased", o->leased);
	json_time(j, failed ? "failedAt" : "orphanedAt", o->since_ms);
	if (!failed)
		json_time(j, "failsAt", o->due_ms);
	sr_json_int(j, "viewers", o->viewers);
	sr_json_text(j, "lastEventId", *o->last_event ? o->last_event : NULL);
	sr_json_close(j, '}');
	return sr_json_print(j, &s->ctl->out);
}

static void print_head(struct orphans *s)
{
	sr_out_printf(&s->ctl->out, "%-*s %-9s %-12s %-16s %-5s %8s %8s %7s %s\n", s->width, "ID", "STATE", "TYPE", "USER", "LEASE", "SINCE", "FAILS IN",
	              "VIEWERS", "LAST EVENT");
	s->headed = true;
}

static void print_text(struct orphans *s, const struct orphan *o)
{
	char since[SR_AGE_SIZE] = "-", due[SR_AGE_SIZE] = "-";
	struct sr_out *out = &s->ctl->out;

	if (!s->headed)
		print_head(s);
	if (o->since_ms >= 0)
		sr_age_say(since, s->now_ms - o->since_ms);
	if (o->due_ms >= 0)
		sr_age_say(due, o->due_ms - s->now_ms);
	sr_out_field(out, o->id, s->width);
	sr_out_text(out, " ");
	sr_out_state(out, o->state, 9);
	sr_out_text(out, " ");
	sr_out_field(out, o->type, 12);
	sr_out_text(out, " ");
	sr_out_field(out, o->user, 16);
	sr_out_printf(out, " %-5s %8s %8s %7lld ", o->leased ? "yes" : "no", since, due, o->viewers);
	sr_out_field(out, o->last_event, 0);
	sr_out_text(out, "\n");
}

static int print(struct orphans *s, const struct orphan *o)
{
	s->printed++;
	if (!s->ctl->out.json)
		print_text(s, o);
	else if (print_json(s, o) != SR_OK)
		return sr_ctl_fail(s->ctl, SR_EX_LATER, o->id, "%s", sr_strerror(SR_ENOMEM));
	return 0;
}

static void widen(struct orphans *s, const char *id)
{
	int len = (int)strlen(id);

	if (len > s->width)
		s->width = len < ID_WIDTH_MAX ? len : ID_WIDTH_MAX;
}

/* ---- those that are waited for ---- */

static int print_waiting(struct orphans *s, const struct sr_reply *index, const char *const *ids, const size_t *places, size_t count)
{
	struct sr_look_result look;
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_look_call(&call, &s->ctl->reg, ids, count, 0, fields);
	code = sr_ctl_call(s->ctl, NULL, &call, &reply);
	for (size_t i = 0; !code && i < count; i++) {
		int64_t since = strtoll(sr_reply_text_at(index, places[i] + 1, NULL), NULL, 10);

		if (sr_look_read(reply, i, &look) != SR_OK)
			code = sr_ctl_odd_reply(s->ctl, NULL);
		else if (look.known && strcmp(sr_look_field(&look, STATE), "orphaned") == 0) {
			s->now_ms = look.now_ms;
			code = print(s, &(struct orphan){
				.id = ids[i], .state = sr_look_field(&look, STATE), .type = sr_look_field(&look, TYPE), .user = sr_look_field(&look, USER),
				.last_event = sr_look_field(&look, LAST_EVENT), .leased = *sr_look_field(&look, PRODUCER), .since_ms = since,
				.due_ms = since + s->ctl->reg.orphan_grace, .viewers = look.viewers});
		}
	}
	sr_reply_free(reply);
	return code;
}

static int print_pages(struct orphans *s, const struct sr_reply *index)
{
	const char *ids[SR_BATCH_MAX];
	size_t places[SR_BATCH_MAX], count = 0;
	int code = 0;

	for (size_t i = 0; !code && i + 1 < sr_reply_count(index); i += 2) {
		size_t len;
		const char *id = sr_reply_text_at(index, i, &len);

		if (sr_stream_id_valid(id, len)) {
			ids[count] = id;
			places[count++] = i;
		}
		if (count == SR_BATCH_MAX || (count > 0 && i + 3 >= sr_reply_count(index))) {
			code = print_waiting(s, index, ids, places, count);
			count = 0;
		}
	}
	return code;
}

/* The first to be failed first. */
static int list_waiting(struct orphans *s)
{
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_ctl_plain(&call, s->ctl, "ZRANGE", SR_KEY_ORPHANED, NULL);
	sr_call_int(&call, 0);
	sr_call_int(&call, WAITING_MAX - 1);
	sr_call_text(&call, "WITHSCORES");
	code = sr_ctl_call(s->ctl, NULL, &call, &reply);
	for (size_t i = 0; i < sr_reply_count(reply); i += 2)
		widen(s, sr_reply_text_at(reply, i, NULL));
	if (!code)
		code = print_pages(s, reply);
	if (!code && sr_reply_count(reply) == 2 * (size_t)WAITING_MAX)
		sr_ctl_note(s->ctl, NULL, "only the first %d that are waited for were looked at", WAITING_MAX);
	sr_reply_free(reply);
	return code;
}

/* ---- those that were given up ---- */

static int print_lost(struct orphans *s, const struct sr_reply *ends, const char *const *ids, const size_t *places, size_t count)
{
	struct sr_look_result look;
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	if (count == 0)
		return 0;
	sr_look_call(&call, &s->ctl->reg, ids, count, 0, fields);
	code = sr_ctl_call(s->ctl, NULL, &call, &reply);
	for (size_t i = 0; !code && i < count; i++) {
		const struct sr_reply *end = sr_reply_at(ends, places[i]);
		int64_t at;

		if (sr_look_read(reply, i, &look) != SR_OK) {
			code = sr_ctl_odd_reply(s->ctl, NULL);
			break;
		}
		s->now_ms = look.now_ms;
		code = print(s, &(struct orphan){
			.id = ids[i], .state = "failed", .type = look.known ? sr_look_field(&look, TYPE) : "", .user = sr_reply_text_at(end, 1, NULL),
			.last_event = sr_reply_text_at(end, 2, NULL), .leased = true,
			.since_ms = sr_age_parse(sr_reply_text_at(end, 0, NULL), &at) ? at : -1, .due_ms = -1});
	}
	sr_reply_free(reply);
	return code;
}

static int list_lost_batch(struct orphans *s, const char *const *ids, size_t count)
{
	const char *lost[SR_BATCH_MAX];
	size_t places[SR_BATCH_MAX], n = 0;
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_lost_call(&call, &s->ctl->reg, ids, count, end_fields);
	code = sr_ctl_call(s->ctl, NULL, &call, &reply);
	for (size_t i = 0; !code && i < count; i++)
		if (sr_reply_count(sr_reply_at(reply, i)) > 0) {
			widen(s, ids[i]);
			places[n] = i;
			lost[n++] = ids[i];
		}
	if (!code)
		code = print_lost(s, reply, lost, places, n);
	sr_reply_free(reply);
	return code;
}

static int list_lost(struct orphans *s, const struct sr_ids *ended)
{
	int code = 0;

	for (size_t i = 0; !code && i < ended->count; i += SR_BATCH_MAX)
		code = list_lost_batch(s, ended->ids + i, ended->count - i < SR_BATCH_MAX ? ended->count - i : SR_BATCH_MAX);
	return code;
}

int sr_command_orphans(struct sr_ctl *ctl, char **operands)
{
	struct orphans s = {.ctl = ctl, .width = 8};
	struct sr_ids ended = {0};
	int code = sr_ctl_connect(ctl);

	(void)operands;
	if (code)
		return code;
	sr_json_begin(&s.json);
	code = list_waiting(&s);
	if (!code)
		code = sr_scan(ctl, SR_KEY_COMPLETION, &ended); /* after them: one that fails meanwhile is there twice, not left out */
	if (!code)
		code = list_lost(&s, &ended);
	if (!code && s.printed == 0 && !ctl->out.json)
		sr_out_text(&ctl->out, "no orphans\n");
	sr_ids_release(&ended);
	sr_json_release(&s.json);
	return code;
}
