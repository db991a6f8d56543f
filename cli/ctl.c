/* ctl.c - see ctl.h. */
#include "cli/ctl.h"

#include "cli/word.h"
#include "common/json.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- messages ---- */

#define PATIENCE_MS 200 /* a standard error that nobody reads takes no word, and must not hold up what is at work */

static bool is_heard(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, PATIENCE_MS) != 0;
}

static void say(const struct sr_ctl *ctl, const char *what, const char *format, va_list ap)
{
	struct sr_buf line, shown;

	if (!is_heard())
		return;
	sr_buf_init(&line, 4096);
	sr_buf_init(&shown, 32768);
	if (sr_buf_printf(&line, "ssectl: %s%s%s%s", ctl->command ? ctl->command : "", ctl->command ? ": " : "", what ? what : "", what ? ": " : "") ||
	    sr_buf_vprintf(&line, format, ap) || sr_visible(&shown, line.data, line.len))
		fputs("ssectl: out of memory\n", stderr);
	else
		fprintf(stderr, "%s\n", shown.data);
	sr_buf_release(&line);
	sr_buf_release(&shown);
}

int sr_ctl_fail(const struct sr_ctl *ctl, int code, const char *what, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(ctl, what, format, ap);
	va_end(ap);
	return code;
}

void sr_ctl_note(const struct sr_ctl *ctl, const char *what, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(ctl, what, format, ap);
	va_end(ap);
}

/* ---- words of the command line ---- */

const char *sr_ctl_stream_id(const struct sr_ctl *ctl, const char *word)
{
	if (sr_stream_id_valid(word, strlen(word)))
		return word;
	sr_ctl_note(ctl, NULL, "'%.140s' is no stream id: 1 to %d of A-Z a-z 0-9 . _ ~ : - and not - alone", word, SR_STREAM_ID_MAX);
	return NULL;
}

static bool read_number(const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && !errno && *out >= 1 && *out <= most;
}

bool sr_ctl_number(const struct sr_ctl *ctl, enum sr_ctl_flag flag, uint64_t most, uint64_t other, uint64_t *out)
{
	*out = other;
	if (!ctl->flag[flag] || read_number(ctl->flag[flag], most, out))
		return true;
	sr_ctl_note(ctl, NULL, "%s: '%.60s' is not a whole number from 1 to %" PRIu64, flag == SR_FLAG_N ? "--n" : "--epoch", ctl->flag[flag], most);
	return false;
}

const char *sr_ctl_user(const struct sr_ctl *ctl)
{
	const char *user = ctl->flag[SR_FLAG_USER];

	if (!user)
		return "";
	if (sr_user_valid(user, strlen(user)))
		return user;
	sr_ctl_note(ctl, NULL, "--user: a user is 1 to %d bytes without control characters", SR_USER_MAX);
	return NULL;
}

int sr_ctl_metadata(const struct sr_ctl *ctl, struct sr_buf *metadata)
{
	const char *word = ctl->flag[SR_FLAG_METADATA];
	struct sr_buf why;
	enum sr_err err;
	int code = 0;

	if (!word)
		return 0;
	sr_buf_init(&why, 512);
	err = sr_json_normalise_object(metadata, word, strlen(word), &why);
	if (err == SR_ETOOBIG)
		code = sr_ctl_fail(ctl, SR_EX_DATA, NULL, "--metadata: more than %d bytes", SR_METADATA_MAX);
	else if (err != SR_OK)
		code = sr_ctl_fail(ctl, err == SR_EINVAL ? SR_EX_DATA : SR_EX_LATER, NULL, "--metadata: %s", why.len ? why.data : sr_strerror(err));
	sr_buf_release(&why);
	return code;
}

/* ---- Redis ---- */

int sr_ctl_unavailable(const struct sr_ctl *ctl, const char *why)
{
	return sr_ctl_fail(ctl, SR_EX_REDIS, NULL, "Redis at %s is unavailable: %s", ctl->conf.redis_url, why);
}

int sr_ctl_redis_said(const struct sr_ctl *ctl, const char *what, enum sr_err err, const char *why)
{
	const char *reason = *why ? why : sr_strerror(err), *url = ctl->conf.redis_url;

	switch (err) {
	case SR_EDENIED:
		return sr_ctl_fail(ctl, SR_EX_DENIED, what, "Redis at %s denies access: %s", url, reason);
	case SR_EREFUSED:
		return sr_ctl_fail(ctl, SR_EX_LATER, what, "Redis at %s refuses this for now: %s", url, reason);
	case SR_EREPLY:
		return sr_ctl_fail(ctl, SR_EX_BUG, what, "Redis at %s answered: %s", url, reason);
	case SR_EDOWN:
	case SR_ETIMEOUT:
	case SR_EBUSY:
		if (!ctl->writes)
			return sr_ctl_fail(ctl, SR_EX_REDIS, what, "Redis at %s is unavailable: %s", url, reason);
		return sr_ctl_fail(ctl, SR_EX_LATER, what, "no answer from Redis at %s within the deadline, it is not known whether this was stored: %s",
		                   url, reason);
	default:
		return sr_ctl_fail(ctl, SR_EX_LATER, what, "%s", sr_strerror(err));
	}
}

int sr_ctl_redis_failed(const struct sr_ctl *ctl, const char *what, enum sr_err err)
{
	return sr_ctl_redis_said(ctl, what, err, ctl->session ? sr_session_why(ctl->session) : "");
}

int sr_ctl_odd_reply(const struct sr_ctl *ctl, const char *what)
{
	return sr_ctl_fail(ctl, SR_EX_BUG, what, "Redis at %s answered in a form that its command does not have", ctl->conf.redis_url);
}

/* Nothing was sent before this: whatever fails here has stored nothing. */
static int reach(struct sr_ctl *ctl)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "TIME"); /* not PING, which is refused while Redis cannot save to its disk */
	sr_session_deadline(ctl->session, ctl->deadline_ms);
	err = sr_session_call(ctl->session, &call, 0, &reply);
	sr_call_release(&call);
	sr_reply_free(reply);
	if (err == SR_EDOWN || err == SR_ETIMEOUT || err == SR_EBUSY)
		return sr_ctl_unavailable(ctl, *sr_session_why(ctl->session) ? sr_session_why(ctl->session) : sr_strerror(err));
	return err == SR_OK ? 0 : sr_ctl_redis_failed(ctl, NULL, err);
}

int sr_ctl_deadline(struct sr_ctl *ctl)
{
	const char *deadline = ctl->flag[SR_FLAG_DEADLINE];

	ctl->deadline_ms = ctl->writes ? SR_WRITE_DEADLINE_MS : SR_READ_DEADLINE_MS;
	if (deadline && !sr_word_duration(deadline, 100, 24 * 3600000, &ctl->deadline_ms))
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--deadline: '%.60s' is not a duration from 100ms to 24h, like 500ms, 10s or 2m", deadline);
	return 0;
}

int sr_ctl_open(struct sr_ctl *ctl)
{
	struct sr_buf why;
	int code = sr_ctl_deadline(ctl);

	if (code)
		return code;
	sr_buf_init(&why, 1024);
	ctl->session = sr_session_new(&ctl->conf, "ssectl", &why);
	if (!ctl->session)
		code = sr_ctl_fail(ctl, why.len ? SR_EX_CONFIG : SR_EX_LATER, NULL, "redis_url: %s", why.len ? why.data : sr_strerror(SR_ENOMEM));
	sr_buf_release(&why);
	return code;
}

int sr_ctl_connect(struct sr_ctl *ctl)
{
	int code = sr_ctl_open(ctl);

	return code ? code : reach(ctl);
}

int sr_ctl_call(struct sr_ctl *ctl, const char *what, struct sr_call *call, struct sr_reply **reply)
{
	enum sr_err err;

	sr_session_deadline(ctl->session, ctl->deadline_ms);
	err = sr_session_call(ctl->session, call, 0, reply);
	sr_call_release(call);
	return err == SR_OK ? 0 : sr_ctl_redis_failed(ctl, what, err);
}

void sr_ctl_plain(struct sr_call *call, const struct sr_ctl *ctl, const char *verb, enum sr_key key, const char *id)
{
	sr_call_init(call, SR_SCRIPT_NONE);
	sr_call_text(call, verb);
	sr_call_name(call, ctl->reg.prefix, key, id);
}

const char *sr_ctl_field(const struct sr_reply *hash, const char *name, size_t *len)
{
	for (size_t i = 0; i + 1 < sr_reply_count(hash); i += 2)
		if (strcmp(sr_reply_text_at(hash, i, NULL), name) == 0)
			return sr_reply_text_at(hash, i + 1, len);
	return NULL;
}

/* ---- standard output ---- */

int sr_ctl_flush(struct sr_ctl *ctl)
{
	if (sr_out_flush(&ctl->out) == SR_OK)
		return 0;
	return sr_ctl_fail(ctl, SR_EX_IO, "standard output", "%s%s", strerror(errno), ctl->writes ? "; what was asked for is done" : "");
}
