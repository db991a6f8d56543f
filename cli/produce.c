/* produce.c - open, emit, complete, fail, cancel, beat. */
#include "cli/produce.h"

#include "cli/command.h"
#include "common/ndjson.h"
#include "common/clock.h"
#include "common/json.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* ---- what the command line says ---- */

static bool is_producer_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");

	return len >= 1 && len < SR_PRODUCER_SIZE && name[len] == '\0';
}

static int name_producer(const struct sr_ctl *ctl, struct sr_producer *p)
{
	const char *name = ctl->flag[SR_FLAG_PRODUCER];

	if (!sr_ctl_number(ctl, SR_FLAG_N, SR_N_MAX, 1, &p->publish.n))
		return SR_EX_USAGE;
	if (!name && ctl->flag[SR_FLAG_N])
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--n is the number of a producer's event: give --producer, too");
	if (name && !is_producer_name(name))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--producer: '%.60s' is not 1 to 32 of a-z 0-9", name);
	p->named = name != NULL;
	if (name)
		memcpy(p->name, name, strlen(name) + 1);
	else
		sr_random_name(p->name, 16);
	return 0;
}

int sr_producer_start(struct sr_ctl *ctl, struct sr_producer *p, const char *id)
{
	int code;

	*p = (struct sr_producer){0};
	p->publish.id = sr_ctl_stream_id(ctl, id);
	p->publish.user = sr_ctl_user(ctl);
	if (!p->publish.id || !p->publish.user)
		return SR_EX_USAGE;
	code = name_producer(ctl, p);
	if (code)
		return code;
	p->publish.producer = p->name;
	p->publish.create = ctl->conf.on_unknown == SR_UNKNOWN_REGISTER && (*p->publish.user || ctl->reg.anonymous);
	return sr_ctl_connect(ctl);
}

/* ---- what the registry says ---- */

static int unknown(const struct sr_ctl *ctl, const char *id, const char *detail)
{
	if (ctl->conf.on_unknown == SR_UNKNOWN_REGISTER && !ctl->reg.anonymous)
		return sr_ctl_fail(ctl, SR_EX_NOSTREAM, id, "no such stream%s; give --user, or open it first: ssectl open %s --user USER", detail, id);
	return sr_ctl_fail(ctl, SR_EX_NOSTREAM, id, "no such stream%s; open it first: ssectl open %s", detail, id);
}

int sr_producer_refused(const struct sr_ctl *ctl, const struct sr_producer *p, const struct sr_publish_result *result, const char *detail)
{
	switch (result->outcome) {
	case SR_NEW:
	case SR_SAME:
		return 0;
	case SR_ENDED:
		return sr_ctl_fail(ctl, SR_EX_DATA, p->publish.id, "already ended: %s%s", result->end_type, detail);
	case SR_UNKNOWN:
		return unknown(ctl, p->publish.id, detail);
	case SR_FOREIGN:
		return sr_ctl_fail(ctl, SR_EX_DENIED, p->publish.id, "belongs to another user than %s%s", p->publish.user, detail);
	default:
		return sr_ctl_odd_reply(ctl, p->publish.id);
	}
}

enum sr_err sr_producer_print(struct sr_ctl *ctl, struct sr_json *json, const char *event_id, bool repeat)
{
	if (!ctl->out.json) {
		sr_out_printf(&ctl->out, "%s\n", event_id);
		return SR_OK;
	}
	sr_json_open(json, NULL, '{');
	sr_json_text(json, "id", event_id);
	sr_json_bool(json, "repeat", repeat);
	sr_json_close(json, '}');
	return sr_json_print(json, &ctl->out);
}

/* ---- one event ---- */

/* Read standard input to its end. */
static int read_all(const struct sr_ctl *ctl, struct sr_buf *raw)
{
	char bytes[16384];
	ssize_t n;

	while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sr_ctl_fail(ctl, SR_EX_IO, "standard input", "%s", strerror(errno));
		switch (sr_buf_append(raw, bytes, (size_t)n)) {
		case SR_OK:
			break;
		case SR_ETOOBIG:
			return sr_ctl_fail(ctl, SR_EX_DATA, "standard input", "more data than event_bytes = %lld", (long long)ctl->conf.event_bytes);
		default:
			return sr_ctl_fail(ctl, SR_EX_LATER, "standard input", "%s", sr_strerror(SR_ENOMEM));
		}
	}
	return 0;
}

/* Check the event and bring its data, from the word or from standard input, into stored form. */
static int read_data(const struct sr_ctl *ctl, const char *type, const char *word, struct sr_buf *data)
{
	size_t most = (size_t)ctl->conf.event_bytes;
	struct sr_buf raw, why;
	enum sr_err err;
	int code = 0;

	sr_buf_init(&raw, 4 * most); /* white space is not stored */
	sr_buf_init(&why, 512);
	if (word && strcmp(word, "-") == 0)
		code = read_all(ctl, &raw);
	else if (sr_buf_puts(&raw, word ? word : "{}") != SR_OK)
		code = sr_ctl_fail(ctl, SR_EX_DATA, type, "more data than event_bytes = %zu", most);
	err = code ? SR_OK : sr_json_normalise(data, sr_buf_text(&raw), raw.len, &why);
	if (err == SR_EINVAL)
		code = sr_ctl_fail(ctl, SR_EX_DATA, type, "the data is no JSON: %s", sr_buf_text(&why));
	else if (err != SR_OK)
		code = sr_ctl_fail(ctl, err == SR_ETOOBIG ? SR_EX_DATA : SR_EX_LATER, type, "%s", sr_strerror(err));
	else if (!code && sr_event_check(type, strlen(type), data->len, most, &why) != SR_OK)
		code = sr_ctl_fail(ctl, data->len > most ? SR_EX_DATA : SR_EX_USAGE, NULL, "%s", sr_buf_text(&why));
	sr_buf_release(&raw);
	sr_buf_release(&why);
	return code;
}

static int print_one(struct sr_ctl *ctl, const struct sr_producer *p, const struct sr_reply *reply)
{
	struct sr_publish_result result;
	struct sr_json json;
	enum sr_err err;
	int code;

	if (sr_publish_read(reply, &result) != SR_OK)
		return sr_ctl_odd_reply(ctl, p->publish.id);
	code = sr_producer_refused(ctl, p, &result, "");
	if (code)
		return code;
	if (result.count == 0 || !*sr_publish_id(reply, 0))
		return sr_ctl_fail(ctl, SR_EX_DATA, p->publish.id, "--n is below the last number of producer %s: what it stored then is no longer known", p->name);
	sr_json_begin(&json);
	err = sr_producer_print(ctl, &json, sr_publish_id(reply, 0), result.outcome == SR_SAME);
	sr_json_release(&json);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, p->publish.id, "stored, but %s", sr_strerror(err));
}

static int store_one(struct sr_ctl *ctl, const char *id, const char *type, const struct sr_buf *data)
{
	struct sr_producer p;
	struct sr_call call;
	struct sr_reply *reply;
	int code = sr_producer_start(ctl, &p, id);

	if (code)
		return code;
	if (p.named && !ctl->flag[SR_FLAG_N])
		return sr_ctl_fail(ctl, SR_EX_USAGE, id, "--producer needs --n, the number of this event");
	if (sr_event_type_terminal(type, strlen(type))) {
		sr_end_call(&call, &ctl->reg, &p.publish, type, data->data, data->len);
	} else {
		sr_publish_call(&call, &ctl->reg, &p.publish);
		sr_publish_add(&call, type, data->data, data->len);
	}
	code = sr_ctl_call(ctl, id, &call, &reply);
	if (!code)
		code = print_one(ctl, &p, reply);
	sr_reply_free(reply);
	return code;
}

static int produce(struct sr_ctl *ctl, const char *id, const char *type, const char *word)
{
	struct sr_buf data;
	int code;

	sr_buf_init(&data, 6 * 4 * (size_t)ctl->conf.event_bytes); /* a byte that is escaped becomes six */
	code = read_data(ctl, type, word, &data);
	if (!code)
		code = store_one(ctl, id, type, &data);
	sr_buf_release(&data);
	return code;
}

int sr_command_emit(struct sr_ctl *ctl, char **operands)
{
	if (strcmp(operands[1], "-") == 0 && operands[2])
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "emit ID - takes nothing more: types and data come from standard input");
	if (strcmp(operands[1], "-") == 0)
		return sr_bulk(ctl, operands[0]);
	return produce(ctl, operands[0], operands[1], operands[2]);
}

int sr_command_end(struct sr_ctl *ctl, char **operands)
{
	const char *type = ctl->command[1] == 'o' ? "completed" : ctl->command[0] == 'f' ? "failed" : "cancelled";

	return produce(ctl, operands[0], type, operands[1]);
}

/* ---- open ---- */

static int print_opened(struct sr_ctl *ctl, const char *id, const struct sr_open_result *result)
{
	const char *how = result->outcome == SR_NEW ? "created" : "existing";
	struct sr_json json;
	enum sr_err err;

	if (!ctl->out.json) {
		sr_out_printf(&ctl->out, "%s %s%s%s\n", result->outcome == SR_NEW ? "opened" : "open already", id, *result->epoch ? " lease " : "",
		              result->epoch);
		return 0;
	}
	sr_json_begin(&json);
	sr_json_open(&json, NULL, '{');
	sr_json_text(&json, "streamId", id);
	sr_json_text(&json, "result", how);
	if (*result->epoch)
		sr_json_raw(&json, "lease", result->epoch, strlen(result->epoch));
	else
		sr_json_text(&json, "lease", NULL);
	sr_json_close(&json, '}');
	err = sr_json_print(&json, &ctl->out);
	sr_json_release(&json);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, id, "%s, but %s", how, sr_strerror(err));
}

static int open_answer(struct sr_ctl *ctl, const struct sr_open *o, const struct sr_reply *reply)
{
	struct sr_open_result result;

	if (sr_open_read(reply, &result) != SR_OK)
		return sr_ctl_odd_reply(ctl, o->id);
	switch (result.outcome) {
	case SR_ENDED:
		return sr_ctl_fail(ctl, SR_EX_DATA, o->id, "already ended: %s", result.state);
	case SR_FOREIGN:
		return sr_ctl_fail(ctl, SR_EX_DENIED, o->id, "belongs to another user than %s", o->user);
	default:
		return print_opened(ctl, o->id, &result);
	}
}

static int send_open(struct sr_ctl *ctl, const struct sr_open *o)
{
	struct sr_call call;
	struct sr_reply *reply;
	int code = sr_ctl_connect(ctl);

	if (code)
		return code;
	sr_open_call(&call, &ctl->reg, o);
	code = sr_ctl_call(ctl, o->id, &call, &reply);
	if (!code)
		code = open_answer(ctl, o, reply);
	sr_reply_free(reply);
	return code;
}

int sr_command_open(struct sr_ctl *ctl, char **operands)
{
	const char *type = ctl->flag[SR_FLAG_TYPE];
	struct sr_open o = {.id = sr_ctl_stream_id(ctl, operands[0]), .user = sr_ctl_user(ctl), .type = type, .lease = ctl->flag[SR_FLAG_LEASE] != NULL};
	struct sr_buf metadata;
	int code;

	if (!o.id || !o.user)
		return SR_EX_USAGE;
	if (!*o.user && !ctl->reg.anonymous)
		return sr_ctl_fail(ctl, SR_EX_USAGE, o.id, "without a user nobody could read it: give --user, or set anonymous = allow");
	if (type && !sr_event_type_valid(type, strlen(type)))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--type: '%.80s' is not 1 to %d of A-Z a-z 0-9 . _ : -", type, SR_EVENT_TYPE_MAX);
	sr_buf_init(&metadata, SR_METADATA_MAX);
	code = sr_ctl_metadata(ctl, &metadata);
	if (metadata.len)
		o.metadata = metadata.data;
	if (!code)
		code = send_open(ctl, &o);
	sr_buf_release(&metadata);
	return code;
}

/* ---- beat ---- */

static int print_beat(struct sr_ctl *ctl, const char *id, const struct sr_beat_result *result)
{
	char last[SR_EVENT_ID_SIZE];
	struct sr_json json;
	enum sr_err err;

	if (!ctl->out.json) {
		sr_out_text(&ctl->out, "active\n");
		return 0;
	}
	sr_json_begin(&json);
	sr_json_open(&json, NULL, '{');
	sr_json_text(&json, "streamId", id);
	sr_json_text(&json, "state", "active");
	sr_json_bool(&json, "revived", result->outcome == SR_REVIVED);
	sr_json_text(&json, "lastEventId", sr_event_id_format(last, result->last));
	sr_json_close(&json, '}');
	err = sr_json_print(&json, &ctl->out);
	sr_json_release(&json);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, id, "%s", sr_strerror(err));
}

static int beat_answer(struct sr_ctl *ctl, const char *id, const struct sr_reply *reply)
{
	struct sr_beat_result result;

	if (sr_beat_read(reply, 0, &result) != SR_OK)
		return sr_ctl_odd_reply(ctl, id);
	switch (result.outcome) {
	case SR_ENDED:
		return sr_ctl_fail(ctl, SR_EX_DATA, id, "already ended");
	case SR_UNKNOWN:
		return sr_ctl_fail(ctl, SR_EX_NOSTREAM, id, "no such stream; open it first: ssectl open %s", id);
	case SR_FENCED:
		return sr_ctl_fail(ctl, SR_EX_DENIED, id, "--epoch %s is over: another producer has taken the lease", ctl->flag[SR_FLAG_EPOCH]);
	default:
		return print_beat(ctl, id, &result);
	}
}

int sr_command_beat(struct sr_ctl *ctl, char **operands)
{
	struct sr_beat beat = {.id = sr_ctl_stream_id(ctl, operands[0])};
	struct sr_call call;
	struct sr_reply *reply;
	uint64_t epoch;
	char text[24];
	int code;

	if (!beat.id || !sr_ctl_number(ctl, SR_FLAG_EPOCH, INT64_MAX, 0, &epoch))
		return SR_EX_USAGE;
	snprintf(text, sizeof text, "%" PRIu64, epoch); /* the script compares text: 07 is 7 */
	beat.epoch = epoch ? text : NULL;
	code = sr_ctl_connect(ctl);
	if (code)
		return code;
	sr_beat_call(&call, &ctl->reg, "", &beat, 1);
	code = sr_ctl_call(ctl, beat.id, &call, &reply);
	if (!code)
		code = beat_answer(ctl, beat.id, reply);
	sr_reply_free(reply);
	return code;
}
