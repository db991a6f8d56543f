/* list.c - all streams that Redis knows. First all ids, since SCAN may name one twice; then, in their order, the records. */
#include "cli/command.h"

#include "common/mem.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCAN_COUNT 1000
#define NAMES_MAX ((size_t)1 << 30)
#define ID_WIDTH_MAX 40

enum { STREAM_ID, STATE, TYPE, USER, STARTED, HEARTBEAT, LAST_EVENT, FIELDS };
static const char *const fields[FIELDS + 1] = {"streamId", "state", "streamType", "userId", "startedAt", "lastHeartbeat", "lastEventId"};

struct list {
	struct sr_ctl *ctl;
	struct sr_buf names;     /* ids, each ended by NUL */
	const char **ids;        /* into names; sorted, each once */
	size_t count;
	int width;               /* of the id's column */
	struct sr_json json;
};

/* ---- the ids ---- */

/* Everything that begins with {prefix}stream: ; the prefix may hold what SCAN takes for a pattern. */
static enum sr_err append_pattern(struct sr_buf *out, const char *stem)
{
	enum sr_err err = SR_OK;

	for (; err == SR_OK && *stem; stem++) {
		if (strchr("*?[]\\^-", *stem))
			err = sr_buf_puts(out, "\\");
		if (err == SR_OK)
			err = sr_buf_append(out, stem, 1);
	}
	return err == SR_OK ? sr_buf_puts(out, "*") : err;
}

static int out_of_memory(const struct list *l)
{
	return sr_ctl_fail(l->ctl, SR_EX_LATER, NULL, "%s", sr_strerror(SR_ENOMEM));
}

static int take_keys(struct list *l, const struct sr_reply *keys, size_t stem_len)
{
	for (size_t i = 0; i < sr_reply_count(keys); i++) {
		size_t len;
		const char *key = sr_reply_text_at(keys, i, &len);

		if (len <= stem_len || !sr_stream_id_valid(key + stem_len, len - stem_len))
			continue;
		if (sr_buf_append(&l->names, key + stem_len, len - stem_len + 1) != SR_OK) /* a reply ends with NUL */
			return out_of_memory(l);
		l->count++;
		if ((int)(len - stem_len) > l->width)
			l->width = (int)(len - stem_len);
	}
	return 0;
}

static int scan(struct list *l, const char *pattern, size_t stem_len)
{
	char cursor[24] = "0";
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	do {
		sr_call_init(&call, SR_SCRIPT_NONE);
		sr_call_text(&call, "SCAN");
		sr_call_text(&call, cursor);
		sr_call_text(&call, "MATCH");
		sr_call_text(&call, pattern);
		sr_call_text(&call, "COUNT");
		sr_call_int(&call, SCAN_COUNT);
		code = sr_ctl_call(l->ctl, NULL, &call, &reply);
		if (!code)
			code = take_keys(l, sr_reply_at(reply, 1), stem_len);
		snprintf(cursor, sizeof cursor, "%s", sr_reply_text_at(reply, 0, NULL));
		sr_reply_free(reply);
	} while (!code && strcmp(cursor, "0") != 0);
	return code;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_ids(struct list *l)
{
	size_t kept = 0;

	l->ids = sr_malloc((l->count + 1) * sizeof *l->ids);
	if (!l->ids)
		return out_of_memory(l);
	for (size_t i = 0, at = 0; i < l->count; i++, at += strlen(l->names.data + at) + 1)
		l->ids[i] = l->names.data + at;
	qsort(l->ids, l->count, sizeof *l->ids, by_text);
	for (size_t i = 0; i < l->count; i++)
		if (kept == 0 || strcmp(l->ids[kept - 1], l->ids[i]) != 0)
			l->ids[kept++] = l->ids[i];
	l->count = kept;
	return 0;
}

static int find_ids(struct list *l)
{
	struct sr_buf stem, pattern;
	int code;

	sr_buf_init(&stem, 1024);
	sr_buf_init(&pattern, 2048);
	if (sr_key_append_stem(&stem, l->ctl->reg.prefix, SR_KEY_STREAM) != SR_OK || append_pattern(&pattern, sr_buf_text(&stem)) != SR_OK)
		code = out_of_memory(l);
	else
		code = scan(l, sr_buf_text(&pattern), stem.len);
	sr_buf_release(&stem);
	sr_buf_release(&pattern);
	return code ? code : sort_ids(l);
}

/* ---- the records ---- */

static enum sr_err print_json(struct list *l, const char *const f[FIELDS])
{
	sr_json_open(&l->json, NULL, '{');
	for (int i = 0; i < FIELDS; i++)
		sr_json_text(&l->json, fields[i], i == LAST_EVENT && !*f[i] ? NULL : f[i]);
	sr_json_close(&l->json, '}');
	return sr_json_print(&l->json, &l->ctl->out);
}

static enum sr_err print_record(struct list *l, const struct sr_reply *record)
{
	static const int widths[] = {[TYPE] = 12, [USER] = 16, [STARTED] = 24, [HEARTBEAT] = 0};
	struct sr_out *o = &l->ctl->out;
	const char *f[FIELDS];

	for (int i = 0; i < FIELDS; i++)
		f[i] = sr_reply_text_at(record, (size_t)i, NULL);
	if (o->json)
		return print_json(l, f);
	sr_out_field(o, f[STREAM_ID], l->width);
	sr_out_text(o, " ");
	sr_out_state(o, f[STATE], 9);
	for (int i = TYPE; i <= HEARTBEAT; i++) {
		sr_out_text(o, " ");
		sr_out_field(o, f[i], widths[i]);
	}
	sr_out_text(o, "\n");
	return SR_OK;
}

/* It may have expired since it was found, or be what a late write left of an expired one. */
static bool is_wanted(const struct list *l, const struct sr_reply *record)
{
	const char *state = l->ctl->flag[SR_FLAG_STATE];

	return *sr_reply_text_at(record, STREAM_ID, NULL) && (!state || strcmp(state, sr_reply_text_at(record, STATE, NULL)) == 0);
}

static int print_batch(struct list *l, size_t from, size_t count)
{
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_records_call(&call, &l->ctl->reg, l->ids + from, count, fields);
	code = sr_ctl_call(l->ctl, NULL, &call, &reply);
	for (size_t i = 0; !code && i < sr_reply_count(reply); i++)
		if (is_wanted(l, sr_reply_at(reply, i)) && print_record(l, sr_reply_at(reply, i)) != SR_OK)
			code = out_of_memory(l);
	sr_reply_free(reply);
	return code;
}

/* For people who wait, when the list itself goes elsewhere. */
static void show_progress(const struct list *l, size_t done)
{
	if (l->ctl->out.terminal || !isatty(STDERR_FILENO))
		return;
	if (done < l->count)
		fprintf(stderr, "\r%zu of %zu streams", done, l->count);
	else
		fputs("\r\033[K", stderr);
}

static int print_ids(struct list *l)
{
	int code = 0;

	for (size_t i = 0; !code && i < l->count; i += SR_BATCH_MAX) {
		code = print_batch(l, i, l->count - i < SR_BATCH_MAX ? l->count - i : SR_BATCH_MAX);
		show_progress(l, code ? l->count : i + SR_BATCH_MAX);
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
	sr_buf_init(&l.names, NAMES_MAX);
	sr_json_begin(&l.json);
	code = find_ids(&l);
	if (l.width > ID_WIDTH_MAX)
		l.width = ID_WIDTH_MAX;
	if (!code && !ctl->out.json)
		sr_out_printf(&ctl->out, "%-*s %-9s %-12s %-16s %-24s %s\n", l.width, "ID", "STATE", "TYPE", "USER", "STARTED", "LAST HEARTBEAT");
	if (!code)
		code = print_ids(&l);
	free(l.ids);
	sr_buf_release(&l.names);
	sr_json_release(&l.json);
	return code;
}
