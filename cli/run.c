/* run.c - `ssectl run`: what the command line says. The work is wrap.h's. */
#include "cli/command.h"

#include "cli/tail.h"
#include "cli/word.h"
#include "cli/wrap.h"
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000
#define MIB (1024 * 1024)

static bool read_duration(const struct sr_ctl *ctl, enum sr_ctl_flag flag, const char *name, int64_t least, int64_t most, int64_t *ms)
{
	if (!ctl->flag[flag] || sr_word_duration(ctl->flag[flag], least, most, ms))
		return true;
	sr_ctl_note(ctl, NULL, "--%s: '%.60s' is not a duration from %lldms to %lldh, like 500ms, 10s or 2m", name, ctl->flag[flag], (long long)least,
	            (long long)(most / HOUR_MS));
	return false;
}

static bool read_durations(const struct sr_ctl *ctl, struct sr_wrap_options *o)
{
	return read_duration(ctl, SR_FLAG_COALESCE, "coalesce", 1, HOUR_MS, &o->join_ms) &&
	       read_duration(ctl, SR_FLAG_TIMEOUT, "timeout", 100, 8760LL * HOUR_MS, &o->timeout_ms) &&
	       read_duration(ctl, SR_FLAG_IDLE_TIMEOUT, "idle-timeout", 100, 8760LL * HOUR_MS, &o->idle_ms) &&
	       read_duration(ctl, SR_FLAG_GRACE, "grace", 0, 24LL * HOUR_MS, &o->grace_ms) &&
	       read_duration(ctl, SR_FLAG_DEADLINE, "deadline", 100, 24LL * HOUR_MS, &o->deadline_ms);
}

static bool read_amounts(const struct sr_ctl *ctl, struct sr_wrap_options *o)
{
	const char *tail = ctl->flag[SR_FLAG_TAIL], *spool = ctl->flag[SR_FLAG_SPOOL];

	if (tail && !sr_word_number(tail, SR_TAIL_LINES_MAX, &o->tail)) {
		sr_ctl_note(ctl, NULL, "--tail: '%.60s' is not a number of lines from 0 to %d", tail, SR_TAIL_LINES_MAX);
		return false;
	}
	if (spool && !sr_word_size(spool, 65536, 512LL * MIB, &o->spool)) {
		sr_ctl_note(ctl, NULL, "--spool: '%.60s' is not a size from 64k to 512m, like 500k or 16m", spool);
		return false;
	}
	return true;
}

static bool read_map(const struct sr_ctl *ctl, enum sr_map *map)
{
	static const char *const names[] = {[SR_MAP_LINES] = "lines", [SR_MAP_JSON] = "json", [SR_MAP_PROGRESS] = "progress", [SR_MAP_RAW] = "raw"};
	const char *word = ctl->flag[SR_FLAG_MAP];

	for (size_t i = 0; word && i < sizeof names / sizeof *names; i++)
		if (strcmp(word, names[i]) == 0) {
			*map = (enum sr_map)i;
			return true;
		}
	if (word)
		sr_ctl_note(ctl, NULL, "--map: '%.60s' is not lines, json, progress or raw", word);
	return !word;
}

static bool is_type(const struct sr_ctl *ctl, const char *flag, const char *type)
{
	if (sr_event_type_valid(type, strlen(type)))
		return true;
	sr_ctl_note(ctl, NULL, "--%s: '%.80s' is not 1 to %d of A-Z a-z 0-9 . _ : -", flag, type, SR_EVENT_TYPE_MAX);
	return false;
}

static bool check_types(const struct sr_ctl *ctl, const struct sr_wrap_options *o)
{
	size_t len = strlen(o->event);

	if (!is_type(ctl, "type", o->type) || !is_type(ctl, "event", o->event))
		return false;
	if (!sr_event_type_reserved(o->event, len) && !sr_event_type_terminal(o->event, len))
		return true;
	sr_ctl_note(ctl, NULL, "--event: %s is a type that only the servers make, or that ends a stream", o->event);
	return false;
}

static int read_words(const struct sr_ctl *ctl, struct sr_wrap_options *o, char **operands)
{
	o->id = sr_ctl_stream_id(ctl, operands[0]);
	o->user = sr_ctl_user(ctl);
	if (!o->id || !o->user)
		return SR_EX_USAGE;
	if (!*o->user && !ctl->reg.anonymous)
		return sr_ctl_fail(ctl, SR_EX_USAGE, o->id, "without a user nobody could read it: give --user, or set anonymous = allow");
	o->argv = operands + 1;
	if (ctl->flag[SR_FLAG_TYPE])
		o->type = ctl->flag[SR_FLAG_TYPE];
	if (ctl->flag[SR_FLAG_EVENT])
		o->event = ctl->flag[SR_FLAG_EVENT];
	o->tee = ctl->flag[SR_FLAG_TEE] != NULL;
	o->require = ctl->flag[SR_FLAG_REQUIRE] != NULL;
	return read_map(ctl, &o->map) && check_types(ctl, o) && read_durations(ctl, o) && read_amounts(ctl, o) ? 0 : SR_EX_USAGE;
}

/* So that `ssectl emit progress ...` inside the job means this stream. */
static int set_environment(const struct sr_ctl *ctl, const struct sr_wrap_options *o)
{
	bool failed = setenv("SSE_STREAM", o->id, 1) != 0;

	if (*o->user)
		failed = setenv("SSE_STREAM_USER", o->user, 1) != 0 || failed;
	else
		failed = unsetenv("SSE_STREAM_USER") != 0 || failed;
	if (failed || sr_conf_export(&ctl->conf) != SR_OK)
		return sr_ctl_fail(ctl, SR_EX_LATER, o->id, "%s; the job was not started", sr_strerror(SR_ENOMEM));
	return 0;
}

int sr_command_run(struct sr_ctl *ctl, char **operands)
{
	struct sr_wrap_options o = {.type = "job", .event = "output", .grace_ms = 10000, .deadline_ms = SR_WRITE_DEADLINE_MS, .tail = 10, .spool = 8 * MIB};
	struct sr_buf metadata;
	int code = read_words(ctl, &o, operands);

	if (code)
		return code;
	sr_buf_init(&metadata, SR_METADATA_MAX);
	code = sr_ctl_metadata(ctl, &metadata);
	if (metadata.len)
		o.metadata = metadata.data;
	if (!code)
		code = set_environment(ctl, &o);
	if (!code)
		code = sr_wrap(ctl, &o);
	sr_buf_release(&metadata);
	return code;
}
