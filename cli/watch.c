/* watch.c - follow one stream's log.
 *
 *   look at the record ──> read the log to its end ──> wait (XREAD BLOCK) ──┐
 *         ^ at the start, after 5 s of silence or an outage <───────────────┤
 *                                 ^ an event came <─────────────────────────┘
 *
 * XREAD only wakes; the events are read by XRANGE from the last one on, that one included: when it is no longer there, the
 * log was trimmed meanwhile, and that is said. */
#include "cli/command.h"

#include "cli/interrupt.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define READ_COUNT 256
#define BLOCK_MS 5000
#define AGAIN_MS 200

struct watch {
	struct sr_ctl *ctl;
	const char *id;
	struct sr_event_id last; /* printed, or skipped by --after */
	struct sr_event_id first;/* the first event that there ever was, or 0-0 */
	struct sr_json json;
	bool away;               /* Redis is, and that was said */
	bool look;               /* at the record, before the next read */
	int outcome;             /* exit code once the end was printed; -1 before */
};

/* What the record and the completion say. */
struct state {
	bool known, ended;
	bool failed;             /* ended otherwise than completed */
	struct sr_event_id first, last;
	struct sr_reply *record, *completion;
};

/* ---- Redis ---- */

static int ends_it(struct watch *w, enum sr_err err)
{
	bool passes = err == SR_EDOWN || err == SR_ETIMEOUT || err == SR_EREFUSED || err == SR_EBUSY;
	struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};

	if (!passes)
		return sr_ctl_redis_failed(w->ctl, w->id, err);
	if (!w->away)
		sr_ctl_note(w->ctl, w->id, "Redis is away (%s), waiting", *sr_session_why(w->ctl->session) ? sr_session_why(w->ctl->session) : sr_strerror(err));
	w->away = true;
	nanosleep(&pause, NULL);
	return 0;
}

/* Send and wait, through any outage. Only here a signal may end the program. Releases the call. */
static int ask(struct watch *w, struct sr_call *call, int64_t timeout_ms, struct sr_reply **reply)
{
	enum sr_err err;
	int code = 0;

	sr_interrupt_allow();
	do {
		sr_session_deadline(w->ctl->session, BLOCK_MS);
		err = sr_session_try(w->ctl->session, call, timeout_ms, reply);
		if (err != SR_OK)
			code = ends_it(w, err);
	} while (err != SR_OK && !code);
	sr_interrupt_forbid();
	sr_call_release(call);
	if (w->away && !code)
		w->look = true;
	w->away = w->away && code;
	return code;
}

static struct sr_event_id event_id_of(const struct sr_reply *reply, size_t i)
{
	struct sr_event_id id;
	size_t len;
	const char *text = sr_reply_text_at(reply, i, &len);

	return sr_event_id_parse(&id, text, len) == SR_OK ? id : SR_EVENT_ID_START;
}

static int hmget(struct watch *w, enum sr_key key, const char *const *fields, struct sr_reply **reply)
{
	struct sr_call call;

	sr_ctl_plain(&call, w->ctl, "HMGET", key, w->id);
	for (; *fields; fields++)
		sr_call_text(&call, *fields);
	return ask(w, &call, 0, reply);
}

static int look(struct watch *w, struct state *s)
{
	static const char *const record[] = {"streamId", "state", "firstEventId", "lastEventId", NULL};
	static const char *const completion[] = {"terminalEventType", "terminalEventData", "eventId", NULL};
	const char *state, *type;
	size_t len;
	int code;

	*s = (struct state){0};
	code = hmget(w, SR_KEY_STREAM, record, &s->record);
	if (!code)
		code = hmget(w, SR_KEY_COMPLETION, completion, &s->completion);
	if (code)
		return code;
	state = sr_reply_text_at(s->record, 1, &len);
	type = sr_reply_text_at(s->completion, 0, NULL);
	s->known = *sr_reply_text_at(s->record, 0, NULL) || *type;
	s->ended = *type || sr_event_type_terminal(state, len);
	s->failed = strcmp(*type ? type : state, "failed") == 0 || strcmp(*type ? type : state, "cancelled") == 0;
	s->first = event_id_of(s->record, 2);
	s->last = event_id_of(s->record, 3);
	return 0;
}

static void state_release(struct state *s)
{
	sr_reply_free(s->record);
	sr_reply_free(s->completion);
}

/* ---- printing ---- */

static int print_event(struct watch *w, const char *id, const struct sr_log_entry *e)
{
	struct sr_json *j = &w->json;
	enum sr_err err;

	if (w->ctl->out.json) {
		sr_json_open(j, NULL, '{');
		sr_json_text(j, "id", id);
		sr_json_text(j, "type", e->type);
		sr_json_raw(j, "data", e->data, e->data_len);
		sr_json_close(j, '}');
	} else {
		sr_out_printf(&w->ctl->out, "%s ", id ? id : "-");
		sr_out_field(&w->ctl->out, e->type, 0);
		sr_out_text(&w->ctl->out, " ");
		sr_json_raw(j, NULL, e->data, e->data_len);
	}
	err = sr_json_print(j, &w->ctl->out);
	return err == SR_OK ? 0 : sr_ctl_fail(w->ctl, SR_EX_LATER, w->id, "event %s: %s", id ? id : "-", sr_strerror(err));
}

/* ---- one round ---- */

static int print_entry(struct watch *w, const struct sr_log_entry *e)
{
	char id[SR_EVENT_ID_SIZE];

	w->last = e->id;
	if (sr_event_type_terminal(e->type, e->type_len))
		w->outcome = strcmp(e->type, "completed") == 0 ? 0 : 1;
	return print_event(w, sr_event_id_format(id, e->id), e);
}

/* The first entry behind `last`: does it follow on what was printed, or on the beginning? */
static void judge_first(struct watch *w, struct sr_event_id first)
{
	char id[SR_EVENT_ID_SIZE];

	if (sr_event_id_compare(w->last, SR_EVENT_ID_START) != 0)
		sr_ctl_note(w->ctl, w->id, "event %s is no longer in the log: some after it may be missing", sr_event_id_format(id, w->last));
	else if (sr_event_id_compare(w->first, SR_EVENT_ID_START) != 0 && sr_event_id_compare(w->first, first) != 0)
		sr_ctl_note(w->ctl, w->id, "the events before %s are no longer in the log", sr_event_id_format(id, first));
}

static int print_entries(struct watch *w, const struct sr_reply *entries)
{
	struct sr_log_entry e;
	int code = 0;

	for (size_t i = 0; !code && w->outcome < 0 && i < sr_reply_count(entries); i++) {
		if (sr_log_read(entries, i, &e) != SR_OK)
			return sr_ctl_odd_reply(w->ctl, w->id);
		if (i == 0 && sr_event_id_compare(e.id, w->last) == 0)
			continue;
		if (i == 0)
			judge_first(w, e.id);
		code = print_entry(w, &e);
	}
	return code;
}

/* Print what is in the log behind `last`; *more: there may be more of it. */
static int read_log(struct watch *w, bool *more)
{
	struct sr_call call;
	struct sr_reply *reply;
	char from[SR_EVENT_ID_SIZE];
	int code;

	sr_ctl_plain(&call, w->ctl, "XRANGE", SR_KEY_EVENTS, w->id);
	sr_call_text(&call, sr_event_id_format(from, w->last));
	sr_call_text(&call, "+");
	sr_call_text(&call, "COUNT");
	sr_call_int(&call, READ_COUNT);
	code = ask(w, &call, 0, &reply);
	*more = sr_reply_count(reply) == READ_COUNT;
	if (!code)
		code = print_entries(w, reply);
	sr_reply_free(reply);
	return code;
}

/* The stream has ended, and the log has nothing more: the completion has the end, or nobody. */
static int print_completion(struct watch *w, const struct state *s)
{
	struct sr_log_entry e = {.id = event_id_of(s->completion, 2)};
	bool foreign = sr_event_id_compare(e.id, SR_EVENT_ID_START) == 0;
	char id[SR_EVENT_ID_SIZE];

	w->outcome = s->failed;
	e.type = sr_reply_text_at(s->completion, 0, &e.type_len);
	e.data = sr_reply_text_at(s->completion, 1, &e.data_len);
	if (!e.type_len) {
		sr_ctl_note(w->ctl, w->id, "ended: %s; its events are no longer kept", sr_reply_text_at(s->record, 1, NULL));
		return 0;
	}
	if (!foreign && sr_event_id_compare(e.id, w->last) <= 0)
		return 0;
	return print_event(w, foreign ? NULL : sr_event_id_format(id, e.id), &e);
}

/* Before the log is read: is the place where reading goes on still one of this log? */
static void judge_place(struct watch *w, const struct state *s, bool begun)
{
	char id[SR_EVENT_ID_SIZE], end[SR_EVENT_ID_SIZE];

	if (!s->known || s->ended || sr_event_id_compare(w->last, s->last) <= 0)
		return;
	sr_event_id_format(id, w->last);
	sr_event_id_format(end, s->last);
	if (begun)
		sr_ctl_note(w->ctl, w->id, "Redis has lost events: the log ended with %s and now ends with %s", id, end);
	else
		sr_ctl_note(w->ctl, w->id, "there is no event %s: the log ends with %s, beginning after that", id, end);
	w->last = s->last;
}

/* After it was read to its end. */
static int judge_rest(struct watch *w, const struct state *s, bool begun)
{
	char last[SR_EVENT_ID_SIZE];

	if (!s->known)
		return sr_ctl_fail(w->ctl, SR_EX_NOSTREAM, w->id, begun ? "the stream is gone: unregistered, or expired" : "no such stream");
	if (s->ended)
		return print_completion(w, s);
	if (sr_event_id_compare(s->last, w->last) > 0) {
		sr_ctl_note(w->ctl, w->id, "the log has lost its events up to %s", sr_event_id_format(last, s->last));
		w->last = s->last;
	}
	return 0;
}

static int read_to_end(struct watch *w)
{
	bool more;
	int code;

	do {
		code = read_log(w, &more);
		if (!code)
			code = sr_ctl_flush(w->ctl);
	} while (!code && more && w->outcome < 0);
	return code;
}

static int look_and_read(struct watch *w, bool begun)
{
	struct state s;
	int code = look(w, &s);

	w->look = false;
	w->first = s.first;
	if (!code)
		judge_place(w, &s, begun);
	if (!code)
		code = read_to_end(w);
	if (!code && w->outcome < 0)
		code = judge_rest(w, &s, begun);
	state_release(&s);
	return code;
}

/* Who reads our output may have left while there was nothing to write. */
static bool reader_left(const struct watch *w)
{
	struct pollfd p = {.fd = fileno(w->ctl->out.file)};

	return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

static int wait_for_event(struct watch *w)
{
	struct sr_call call;
	struct sr_reply *reply;
	char last[SR_EVENT_ID_SIZE];
	int code;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "XREAD");
	sr_call_text(&call, "COUNT");
	sr_call_int(&call, 1);
	sr_call_text(&call, "BLOCK");
	sr_call_int(&call, BLOCK_MS);
	sr_call_text(&call, "STREAMS");
	sr_call_name(&call, w->ctl->reg.prefix, SR_KEY_EVENTS, w->id);
	sr_call_text(&call, sr_event_id_format(last, w->last));
	code = ask(w, &call, BLOCK_MS + SR_REDIS_COMMAND_MS, &reply);
	if (!code && sr_reply_count(reply) == 0)
		w->look = true;
	if (!code && w->look && reader_left(w))
		code = sr_ctl_fail(w->ctl, SR_EX_IO, "standard output", "%s", strerror(EPIPE));
	sr_reply_free(reply);
	return code;
}

static int follow(struct watch *w)
{
	int code = look_and_read(w, false);

	while (!code && w->outcome < 0) {
		code = wait_for_event(w);
		if (!code)
			code = w->look ? look_and_read(w, true) : read_to_end(w);
	}
	return code ? code : w->outcome;
}

int sr_command_watch(struct sr_ctl *ctl, char **operands)
{
	const char *after = ctl->flag[SR_FLAG_AFTER];
	struct watch w = {.ctl = ctl, .id = sr_ctl_stream_id(ctl, operands[0]), .outcome = -1};
	int code;

	if (!w.id)
		return SR_EX_USAGE;
	if (after && sr_event_id_parse(&w.last, after, strlen(after)) != SR_OK)
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--after: '%.60s' is no event id: two numbers, as in 1763920000123-0", after);
	code = sr_ctl_connect(ctl);
	if (code)
		return code;
	sr_interrupt_exit();
	sr_json_begin(&w.json);
	code = follow(&w);
	sr_json_release(&w.json);
	return code;
}
