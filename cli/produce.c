/* produce.c - open, emit, complete, fail, cancel, beat. */
#include "cli/produce.h"

#include "cli/command.h"
#include "common/json.h"
#include "common/ndjson.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG_BYTES ((size_t)1 << 20) /* what bulk reads ahead of Redis */

/* ---- which stream ---- */

/* The stream that `ssectl run`, or whoever started this, has named; NULL when --id or nobody does. */
static const char *named_by_environment(const struct sr_ctl *ctl)
{
	const char *id = getenv("SSE_STREAM");

	return id && *id && !ctl->flag[SR_FLAG_ID] ? id : NULL;
}

/**
 * Whose ID is given by --id or SSE_STREAM does not give it as an operand. Returns the id, and moves *operands behind it; least and
 * most are how many must follow. NULL, with the reason on stderr, when they do not.
 */
static const char *take_id(const struct sr_ctl *ctl, char ***operands, int least, int most)
{
	const char *named = named_by_environment(ctl), *id = ctl->flag[SR_FLAG_ID] ? ctl->flag[SR_FLAG_ID] : named;
	int count = 0;

	if (!id && **operands)
		id = *(*operands)++;
	while ((*operands)[count])
		count++;
	if (id && count > most && named)
		sr_ctl_note(ctl, NULL, "too many words: SSE_STREAM is set, to %.140s, so the command takes no ID; for another stream give --id ID", named);
	else if (id && count > most && ctl->flag[SR_FLAG_ID])
		sr_ctl_note(ctl, NULL, "too many words: with --id the command takes no ID");
	else if (!id || count < least || count > most)
		sr_ctl_note(ctl, NULL, "usage: ssectl %s %s", ctl->command, sr_command_find(ctl->command)->synopsis);
	else
		return id;
	return NULL;
}

/* ---- what the command line says ---- */

/* The user, or "" without one. NULL, with the reason on stderr, when the name is none. */
static const char *user_of(const struct sr_ctl *ctl, const char *id)
{
	const char *named = getenv("SSE_STREAM"), *user = getenv("SSE_STREAM_USER");

	if (ctl->flag[SR_FLAG_USER] || !user || !*user || !named || strcmp(id, named) != 0)
		return sr_ctl_user(ctl);
	if (sr_user_valid(user, strlen(user))) /* of that stream, not of others */
		return user;
	sr_ctl_note(ctl, NULL, "SSE_STREAM_USER: a user is 1 to %d bytes without control characters", SR_USER_MAX);
	return NULL;
}

static int name_producer(const struct sr_ctl *ctl, struct sr_producing *p)
{
	const char *name = ctl->flag[SR_FLAG_PRODUCER];

	if (!sr_ctl_number(ctl, SR_FLAG_N, SR_PRODUCER_N_MAX, 1, &p->n))
		return SR_EX_USAGE;
	if (!name && ctl->flag[SR_FLAG_N])
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--n is the number of a producer's event: give --producer, too");
	if (name && !sr_producer_name_valid(name, strlen(name)))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--producer: '%.60s' is not 1 to 32 of a-z 0-9", name);
	p->name = name;
	return 0;
}

int sr_producing_start(struct sr_ctl *ctl, struct sr_producing *p, const char *id, sse_options options)
{
	struct sr_handle_options more = {.conf = &ctl->conf, .connection = "ssectl", .epoch = ctl->flag[SR_FLAG_EPOCH], .loud = true};
	int code;

	*p = (struct sr_producing){.ctl = ctl, .id = sr_ctl_stream_id(ctl, id), .user = user_of(ctl, id)};
	if (!p->id || !p->user)
		return SR_EX_USAGE;
	code = name_producer(ctl, p);
	if (!code)
		code = sr_ctl_deadline(ctl);
	if (code)
		return code;
	options.user = p->user;
	options.producer = p->name;
	options.first_n = p->n;
	options.backlog_bytes = BACKLOG_BYTES;
	/* There is nothing to cancel where nothing is: a mistyped id must not look like success. */
	more.create = sr_publish_may_create(&ctl->conf, p->user) && strcmp(ctl->command, "cancel") != 0;
	p->handle = sr_handle_new(id, &options, &more);
	return p->handle ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, id, "%s", sr_strerror(SR_ENOMEM));
}

void sr_producing_end(struct sr_producing *p)
{
	sse_producer_free(p->handle);
	p->handle = NULL;
}

/* ---- what the library says ---- */

static int unknown(const struct sr_ctl *ctl, const char *id, const char *detail)
{
	if (strcmp(ctl->command, "cancel") == 0)
		return sr_ctl_fail(ctl, SR_EX_NOSTREAM, id, "no such stream: there is nothing to cancel%s", detail);
	if (ctl->conf.on_unknown == SR_UNKNOWN_REGISTER && !ctl->reg.anonymous)
		return sr_ctl_fail(ctl, SR_EX_NOSTREAM, id, "no such stream%s; give --user, or open it first: ssectl open %s --user USER", detail, id);
	return sr_ctl_fail(ctl, SR_EX_NOSTREAM, id, "no such stream%s; open it first: ssectl open %s", detail, id);
}

bool sr_producing_doubtful(const struct sr_producing *p, sse_result result)
{
	return result == SSE_AGAIN && p->handle->engine && sr_producer_reached(p->handle->engine);
}

/* Nothing is known of what was sent, or nothing was sent at all. */
static int no_answer(const struct sr_producing *p, sse_result result)
{
	const char *why = sse_why(p->handle);

	if (!sr_producing_doubtful(p, result))
		return sr_ctl_unavailable(p->ctl, why);
	return sr_ctl_redis_said(p->ctl, p->id, p->handle->trouble == SR_EREFUSED ? SR_EREFUSED : SR_ETIMEOUT, why);
}

int sr_producing_failed(const struct sr_producing *p, sse_result result, const char *detail)
{
	const struct sr_ctl *ctl = p->ctl;
	const char *end_type = sse_end_type(p->handle);

	switch (result) {
	case SSE_OK:
		return 0;
	case SSE_AGAIN:
		return no_answer(p, result);
	case SSE_ENDED:
		return sr_ctl_fail(ctl, SR_EX_DATA, p->id, "already ended%s%s%s", *end_type ? ": " : "", end_type, detail);
	case SSE_UNKNOWN:
		return unknown(ctl, p->id, detail);
	case SSE_FOREIGN:
		return sr_ctl_fail(ctl, SR_EX_DENIED, p->id, "belongs to another user than %s%s", p->user, detail);
	case SSE_FENCED:
		return sr_ctl_fail(ctl, SR_EX_DENIED, p->id, "--epoch %s is over: another producer has taken the lease", ctl->flag[SR_FLAG_EPOCH]);
	case SSE_DENIED:
		return sr_ctl_redis_said(ctl, sr_producer_reached(p->handle->engine) ? p->id : NULL, SR_EDENIED, sse_why(p->handle));
	case SSE_FORGOTTEN:
		return sr_ctl_fail(ctl, SR_EX_LATER, p->id,
		                   "Redis no longer says what producer %s stored under this number: does another program use that name?%s",
		                   sr_producer_name(p->handle->engine), detail);
	case SSE_BROKEN:
		return sr_ctl_redis_said(ctl, p->id, SR_EREPLY, sse_why(p->handle));
	default:
		return sr_ctl_fail(ctl, SR_EX_LATER, p->id, "%s%s", *sse_why(p->handle) ? sse_why(p->handle) : sse_strerror(result), detail);
	}
}

enum sr_err sr_producing_print(struct sr_ctl *ctl, struct sr_json *json, const char *event_id, bool repeat)
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
		code = sr_ctl_fail(ctl, SR_EX_DATA, type, "the data is no JSON: %s%s", sr_buf_text(&why),
		                   named_by_environment(ctl) ? " (SSE_STREAM is set: the words are TYPE JSON, and another stream is --id ID)" : "");
	else if (err != SR_OK)
		code = sr_ctl_fail(ctl, err == SR_ETOOBIG ? SR_EX_DATA : SR_EX_LATER, type, "%s", sr_strerror(err));
	else if (!code && sr_event_check(type, strlen(type), data->len, most, &why) != SR_OK)
		code = sr_ctl_fail(ctl, data->len > most ? SR_EX_DATA : SR_EX_USAGE, NULL, "%s", sr_buf_text(&why));
	sr_buf_release(&raw);
	sr_buf_release(&why);
	return code;
}

/* What became of the one event. */
struct one { char id[SR_EVENT_ID_SIZE]; bool repeat; };

static void on_stored(void *ctx, uint64_t n, const char *event_id, int repeat)
{
	struct one *one = ctx;

	(void)n;
	snprintf(one->id, sizeof one->id, "%s", event_id);
	one->repeat = repeat;
}

static int print_one(const struct sr_producing *p, const struct one *one, sse_result result)
{
	struct sr_json json;
	enum sr_err err;

	if (result == SSE_FORGOTTEN || (result == SSE_OK && !*one->id))
		return sr_ctl_fail(p->ctl, SR_EX_DATA, p->id,
		                   "--n is not above the last number of producer %s: it stands for something else, or for what is no longer known",
		                   sr_producer_name(p->handle->engine));
	if (result != SSE_OK)
		return sr_producing_failed(p, result, "");
	sr_json_begin(&json);
	err = sr_producing_print(p->ctl, &json, one->id, one->repeat);
	sr_json_release(&json);
	return err == SR_OK ? 0 : sr_ctl_fail(p->ctl, SR_EX_LATER, p->id, "stored, but %s", sr_strerror(err));
}

static int store_one(struct sr_ctl *ctl, const char *id, const char *type, const struct sr_buf *data)
{
	struct one one = {.repeat = false};
	struct sr_producing p;
	sse_result result;
	int code = sr_producing_start(ctl, &p, id, (sse_options){.stored = on_stored, .ctx = &one});

	if (!code && p.name && !ctl->flag[SR_FLAG_N])
		code = sr_ctl_fail(ctl, SR_EX_USAGE, id, "--producer needs --n, the number of this event");
	if (!code) {
		result = sr_handle_begin(p.handle, NULL);
		if (result == SSE_OK)
			result = sr_handle_put(p.handle, type, strlen(type), data->data, data->len);
		if (result == SSE_OK)
			result = sr_handle_go(p.handle, SR_UNTIL_KEPT, 0, ctl->deadline_ms);
		code = print_one(&p, &one, result);
	}
	sr_producing_end(&p);
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
	const char *id = take_id(ctl, &operands, 1, 2);

	if (!id)
		return SR_EX_USAGE;
	if (strcmp(operands[0], "-") == 0 && operands[1])
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "emit ID - takes nothing more: types and data come from standard input");
	if (strcmp(operands[0], "-") == 0)
		return sr_bulk(ctl, id);
	return produce(ctl, id, operands[0], operands[1]);
}

int sr_command_end(struct sr_ctl *ctl, char **operands)
{
	const char *type = ctl->command[1] == 'o' ? "completed" : ctl->command[0] == 'f' ? "failed" : "cancelled";
	const char *id = take_id(ctl, &operands, 0, 1);

	return id ? produce(ctl, id, type, operands[0]) : SR_EX_USAGE;
}

/* ---- open ---- */

static int print_opened(const struct sr_producing *p)
{
	const char *how = p->handle->created ? "created" : "existing", *epoch = sse_lease(p->handle);
	struct sr_ctl *ctl = p->ctl;
	struct sr_json json;
	enum sr_err err;

	if (!ctl->out.json) {
		sr_out_printf(&ctl->out, "%s %s%s%s\n", p->handle->created ? "opened" : "open already", p->id, *epoch ? " lease " : "", epoch);
		return 0;
	}
	sr_json_begin(&json);
	sr_json_open(&json, NULL, '{');
	sr_json_text(&json, "streamId", p->id);
	sr_json_text(&json, "result", how);
	if (*epoch)
		sr_json_raw(&json, "lease", epoch, strlen(epoch));
	else
		sr_json_text(&json, "lease", NULL);
	sr_json_close(&json, '}');
	err = sr_json_print(&json, &ctl->out);
	sr_json_release(&json);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, p->id, "%s, but %s", how, sr_strerror(err));
}

static int open_it(struct sr_producing *p, const char *metadata)
{
	struct sr_ctl *ctl = p->ctl;
	sse_stream stream = {.type = ctl->flag[SR_FLAG_TYPE], .metadata = metadata, .lease = ctl->flag[SR_FLAG_LEASE] != NULL};
	sse_result result;

	if (!*p->user && !ctl->reg.anonymous)
		return sr_ctl_fail(ctl, SR_EX_USAGE, p->id, "without a user nobody could read it: give --user, or set anonymous = allow");
	if (stream.type && !sr_event_type_valid(stream.type, strlen(stream.type)))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--type: '%.80s' is not 1 to %d of A-Z a-z 0-9 . _ : -", stream.type, SR_EVENT_TYPE_MAX);
	result = sr_handle_begin(p->handle, &stream);
	if (result == SSE_OK)
		result = sr_handle_go(p->handle, SR_UNTIL_OPEN, 0, ctl->deadline_ms);
	return result == SSE_OK ? print_opened(p) : sr_producing_failed(p, result, "");
}

int sr_command_open(struct sr_ctl *ctl, char **operands)
{
	struct sr_producing p;
	struct sr_buf metadata;
	int code;

	sr_buf_init(&metadata, SR_METADATA_MAX);
	code = sr_producing_start(ctl, &p, operands[0], (sse_options){.stored = NULL});
	if (!code)
		code = sr_ctl_metadata(ctl, &metadata);
	if (!code)
		code = open_it(&p, metadata.len ? metadata.data : NULL);
	sr_producing_end(&p);
	sr_buf_release(&metadata);
	return code;
}

/* ---- beat ---- */

static int print_beat(const struct sr_producing *p)
{
	struct sr_ctl *ctl = p->ctl;
	char last[SR_EVENT_ID_SIZE];
	struct sr_json json;
	enum sr_err err;

	if (!ctl->out.json) {
		sr_out_text(&ctl->out, "active\n");
		return 0;
	}
	sr_json_begin(&json);
	sr_json_open(&json, NULL, '{');
	sr_json_text(&json, "streamId", p->id);
	sr_json_text(&json, "state", "active");
	sr_json_bool(&json, "revived", p->handle->beat == SR_REVIVED);
	sr_json_text(&json, "lastEventId", sr_event_id_format(last, sr_producer_beat_last(p->handle->engine)));
	sr_json_close(&json, '}');
	err = sr_json_print(&json, &ctl->out);
	sr_json_release(&json);
	return err == SR_OK ? 0 : sr_ctl_fail(ctl, SR_EX_LATER, p->id, "%s", sr_strerror(err));
}

int sr_command_beat(struct sr_ctl *ctl, char **operands)
{
	const char *id = take_id(ctl, &operands, 0, 0);
	struct sr_producing p;
	sse_result result;
	uint64_t epoch;
	char text[24];
	int code;

	if (!id || !sr_ctl_number(ctl, SR_FLAG_EPOCH, INT64_MAX, 0, &epoch))
		return SR_EX_USAGE;
	snprintf(text, sizeof text, "%" PRIu64, epoch); /* the script compares text: 07 is 7 */
	if (epoch)
		ctl->flag[SR_FLAG_EPOCH] = text;
	code = sr_producing_start(ctl, &p, id, (sse_options){.stored = NULL});
	if (!code) {
		result = sse_beat(p.handle, (int)ctl->deadline_ms);
		code = result == SSE_OK ? print_beat(&p) : sr_producing_failed(&p, result, "");
	}
	sr_producing_end(&p);
	return code;
}
