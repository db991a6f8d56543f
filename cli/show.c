/* show.c - all that is kept of one stream. Read with plain commands, one after the other: what changes in between shows. */
#include "cli/command.h"

#include "common/clock.h"
#include <stdlib.h>
#include <string.h>

enum { RECORD, COMPLETION, EVENTS, VIEWERS, KEYS };
static const struct { enum sr_key key; const char *name; } keys[KEYS] = {
	{SR_KEY_STREAM, "record"}, {SR_KEY_COMPLETION, "completion"}, {SR_KEY_EVENTS, "log"}, {SR_KEY_VIEWERS, "viewers"}};

struct view {
	struct sr_ctl *ctl;
	const char *id;
	struct sr_reply *hash[KEYS];   /* RECORD, COMPLETION, VIEWERS */
	struct sr_reply *first, *last; /* of the log */
	struct sr_reply *active, *orphaned; /* scores in the indexes, ms */
	long long length;              /* of the log */
	long long ttl_ms[KEYS];        /* -1 without end, -2 no such key */
};

/* ---- reading ---- */

static int ask_number(struct view *v, const char *verb, enum sr_key key, long long *out)
{
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	sr_ctl_plain(&call, v->ctl, verb, key, v->id);
	code = sr_ctl_call(v->ctl, v->id, &call, &reply);
	*out = sr_reply_int(reply, 0);
	sr_reply_free(reply);
	return code;
}

static int ask_hash(struct view *v, int i)
{
	struct sr_call call;

	sr_ctl_plain(&call, v->ctl, "HGETALL", keys[i].key, v->id);
	return sr_ctl_call(v->ctl, v->id, &call, &v->hash[i]);
}

static int ask_end_of_log(struct view *v, const char *verb, const char *from, const char *to, struct sr_reply **reply)
{
	struct sr_call call;

	sr_ctl_plain(&call, v->ctl, verb, SR_KEY_EVENTS, v->id);
	sr_call_text(&call, from);
	sr_call_text(&call, to);
	sr_call_text(&call, "COUNT");
	sr_call_int(&call, 1);
	return sr_ctl_call(v->ctl, v->id, &call, reply);
}

static int ask_score(struct view *v, enum sr_key index, struct sr_reply **reply)
{
	struct sr_call call;

	sr_ctl_plain(&call, v->ctl, "ZSCORE", index, NULL);
	sr_call_text(&call, v->id);
	return sr_ctl_call(v->ctl, v->id, &call, reply);
}

static int collect(struct view *v)
{
	int code = ask_hash(v, RECORD);

	if (!code)
		code = ask_hash(v, COMPLETION);
	if (!code && !sr_ctl_field(v->hash[RECORD], "streamId", NULL) && sr_reply_count(v->hash[COMPLETION]) == 0)
		return sr_ctl_fail(v->ctl, SR_EX_NOSTREAM, v->id, "no such stream");
	if (!code)
		code = ask_hash(v, VIEWERS);
	if (!code)
		code = ask_number(v, "XLEN", SR_KEY_EVENTS, &v->length);
	if (!code)
		code = ask_end_of_log(v, "XRANGE", "-", "+", &v->first);
	if (!code)
		code = ask_end_of_log(v, "XREVRANGE", "+", "-", &v->last);
	if (!code)
		code = ask_score(v, SR_KEY_ACTIVE, &v->active);
	if (!code)
		code = ask_score(v, SR_KEY_ORPHANED, &v->orphaned);
	for (int i = 0; !code && i < KEYS; i++)
		code = ask_number(v, "PTTL", keys[i].key, &v->ttl_ms[i]);
	return code;
}

/* ---- the parts, for both forms ---- */

static const char *entry_id(const struct sr_reply *entries)
{
	return sr_reply_count(entries) ? sr_reply_text_at(sr_reply_at(entries, 0), 0, NULL) : NULL;
}

static bool is_producer(const char *field)
{
	return strncmp(field, "p:", 2) == 0;
}

static bool is_json(const char *field)
{
	return strcmp(field, "metadata") == 0 || strcmp(field, "terminalEventData") == 0;
}

/* "viewers ms", as attach and beat write it. */
static long long viewers_of(const char *value, char seen[SR_ISO_SIZE])
{
	char *end;
	long long count = strtoll(value, &end, 10);

	sr_clock_iso(seen, strtoll(end, NULL, 10));
	return count;
}

/* ---- JSON ---- */

static void json_hash(struct sr_json *j, const char *name, const struct sr_reply *hash)
{
	size_t len;

	sr_json_open(j, name, '{');
	for (size_t i = 0; i + 1 < sr_reply_count(hash); i += 2) {
		const char *field = sr_reply_text_at(hash, i, NULL), *value = sr_reply_text_at(hash, i + 1, &len);

		if (is_json(field))
			sr_json_raw(j, field, value, len);
		else if (!is_producer(field))
			sr_json_text(j, field, value);
	}
	sr_json_close(j, '}');
}

static void json_viewers(struct sr_json *j, const struct sr_reply *viewers)
{
	char seen[SR_ISO_SIZE];

	sr_json_open(j, "viewers", '[');
	for (size_t i = 0; i + 1 < sr_reply_count(viewers); i += 2) {
		sr_json_open(j, NULL, '{');
		sr_json_text(j, "node", sr_reply_text_at(viewers, i, NULL));
		sr_json_int(j, "count", viewers_of(sr_reply_text_at(viewers, i + 1, NULL), seen));
		sr_json_text(j, "seenAt", seen);
		sr_json_close(j, '}');
	}
	sr_json_close(j, ']');
}

static void json_producers(struct sr_json *j, const struct sr_reply *record)
{
	sr_json_open(j, "producers", '{');
	for (size_t i = 0; i + 1 < sr_reply_count(record); i += 2)
		if (is_producer(sr_reply_text_at(record, i, NULL)))
			sr_json_int(j, sr_reply_text_at(record, i, NULL) + 2, strtoll(sr_reply_text_at(record, i + 1, NULL), NULL, 10));
	sr_json_close(j, '}');
}

static void json_score(struct sr_json *j, const char *name, const struct sr_reply *score)
{
	if (*sr_reply_text(score, NULL))
		sr_json_int(j, name, strtoll(sr_reply_text(score, NULL), NULL, 10));
	else
		sr_json_text(j, name, NULL);
}

static void json_ttls(struct sr_json *j, const struct view *v)
{
	sr_json_open(j, "ttlMs", '{');
	for (int i = 0; i < KEYS; i++) {
		if (v->ttl_ms[i] == -2)
			sr_json_text(j, keys[i].name, NULL);
		else
			sr_json_int(j, keys[i].name, v->ttl_ms[i]);
	}
	sr_json_close(j, '}');
}

static int print_json(const struct view *v)
{
	struct sr_json j;
	enum sr_err err;

	sr_json_begin(&j);
	sr_json_open(&j, NULL, '{');
	sr_json_text(&j, "streamId", v->id);
	if (sr_reply_count(v->hash[RECORD]))
		json_hash(&j, "record", v->hash[RECORD]);
	else
		sr_json_text(&j, "record", NULL);
	json_viewers(&j, v->hash[VIEWERS]);
	json_producers(&j, v->hash[RECORD]);
	sr_json_open(&j, "log", '{');
	sr_json_int(&j, "length", v->length);
	sr_json_text(&j, "firstEventId", entry_id(v->first));
	sr_json_text(&j, "lastEventId", entry_id(v->last));
	sr_json_close(&j, '}');
	if (sr_reply_count(v->hash[COMPLETION]))
		json_hash(&j, "completion", v->hash[COMPLETION]);
	else
		sr_json_text(&j, "completion", NULL);
	sr_json_open(&j, "index", '{');
	json_score(&j, "active", v->active);
	json_score(&j, "orphaned", v->orphaned);
	sr_json_close(&j, '}');
	json_ttls(&j, v);
	sr_json_close(&j, '}');
	err = sr_json_print(&j, &v->ctl->out);
	sr_json_release(&j);
	return err == SR_OK ? 0 : sr_ctl_fail(v->ctl, SR_EX_LATER, v->id, "%s", sr_strerror(err));
}

/* ---- text ---- */

#define LABEL "%-18s "

static void text_hash(struct sr_out *o, const struct sr_reply *hash)
{
	for (size_t i = 0; i + 1 < sr_reply_count(hash); i += 2) {
		const char *field = sr_reply_text_at(hash, i, NULL), *value = sr_reply_text_at(hash, i + 1, NULL);

		if (is_producer(field))
			continue;
		sr_out_field(o, field, 18);
		sr_out_text(o, " ");
		if (strcmp(field, "state") == 0)
			sr_out_state(o, value, 0);
		else
			sr_out_field(o, value, 0);
		sr_out_text(o, "\n");
	}
}

static void text_viewers(struct sr_out *o, const struct sr_reply *viewers)
{
	char seen[SR_ISO_SIZE];
	long long count;

	if (sr_reply_count(viewers) == 0)
		sr_out_printf(o, LABEL "none\n", "viewers");
	for (size_t i = 0; i + 1 < sr_reply_count(viewers); i += 2) {
		count = viewers_of(sr_reply_text_at(viewers, i + 1, NULL), seen);
		sr_out_printf(o, LABEL "%lld at ", "viewers", count);
		sr_out_field(o, sr_reply_text_at(viewers, i, NULL), 0);
		sr_out_printf(o, ", said %s\n", seen);
	}
}

static void text_producers(struct sr_out *o, const struct sr_reply *record)
{
	for (size_t i = 0; i + 1 < sr_reply_count(record); i += 2) {
		const char *field = sr_reply_text_at(record, i, NULL);

		if (!is_producer(field))
			continue;
		sr_out_printf(o, LABEL, "published by");
		sr_out_field(o, field + 2, 0);
		sr_out_printf(o, ", last number %lld\n", strtoll(sr_reply_text_at(record, i + 1, NULL), NULL, 10));
	}
}

static void text_index(struct sr_out *o, const char *what, const struct sr_reply *score)
{
	char at[SR_ISO_SIZE];

	if (!*sr_reply_text(score, NULL))
		return;
	sr_clock_iso(at, strtoll(sr_reply_text(score, NULL), NULL, 10));
	sr_out_printf(o, LABEL "%s %s\n", "index", what, at);
}

static void text_ttls(struct sr_out *o, const struct view *v)
{
	for (int i = 0; i < KEYS; i++) {
		if (v->ttl_ms[i] == -1)
			sr_out_printf(o, LABEL "%s for ever\n", "kept", keys[i].name);
		else if (v->ttl_ms[i] >= 0)
			sr_out_printf(o, LABEL "%s for %lld s\n", "kept", keys[i].name, v->ttl_ms[i] / 1000);
	}
}

static void print_text(const struct view *v)
{
	struct sr_out *o = &v->ctl->out;

	text_hash(o, v->hash[RECORD]);
	text_viewers(o, v->hash[VIEWERS]);
	text_producers(o, v->hash[RECORD]);
	if (v->length)
		sr_out_printf(o, LABEL "%lld events, %s to %s\n", "log", v->length, entry_id(v->first), entry_id(v->last));
	else
		sr_out_printf(o, LABEL "empty\n", "log");
	if (sr_reply_count(v->hash[COMPLETION]))
		sr_out_text(o, "completion\n");
	text_hash(o, v->hash[COMPLETION]);
	text_index(o, "active, last beat", v->active);
	text_index(o, "orphaned since", v->orphaned);
	text_ttls(o, v);
}

int sr_command_show(struct sr_ctl *ctl, char **operands)
{
	struct view v = {.ctl = ctl, .id = sr_ctl_stream_id(ctl, operands[0])};
	int code;

	if (!v.id)
		return SR_EX_USAGE;
	code = sr_ctl_connect(ctl);
	if (!code)
		code = collect(&v);
	if (!code && ctl->out.json)
		code = print_json(&v);
	else if (!code)
		print_text(&v);
	for (int i = 0; i < KEYS; i++)
		sr_reply_free(v.hash[i]);
	sr_reply_free(v.first);
	sr_reply_free(v.last);
	sr_reply_free(v.active);
	sr_reply_free(v.orphaned);
	return code;
}
