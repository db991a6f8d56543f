/* doctor_settings.c - ssectl doctor: is Redis set up for streams? From INFO and CONFIG GET, each of which its user may not be allowed. */
#include "cli/doctor_parts.h"

#include "common/address.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAJOR_LEAST 7 /* a script's flags, "#!lua flags=no-writes" */
#define VALUE_MAX 512
#define MIB (1024LL * 1024)

struct settings {
	struct sr_doctor *d;
	struct sr_redis_info info;
	char refused[128];      /* why CONFIG GET is not to be had */
};

/* A finding whose cure is a directive of redis.conf. */
static void say_directive(struct settings *s, const char *check, const char *directive, const char *value, const char *format, ...) SR_PRINTF(5, 6);
static void say_directive(struct settings *s, const char *check, const char *directive, const char *value, const char *format, ...)
{
	bool quoted = strchr(value, ' ') || !*value;
	char cli[512], text[512];
	struct sr_buf cure;
	va_list ap;

	sr_buf_init(&cure, SR_CURE_MAX);
	sr_doctor_redis_cli(s->d, cli, sizeof cli);
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	sr_cure_line(&cure, "%s: %s %s", s->info.file[0] ? s->info.file : "redis.conf", directive, value);
	sr_cure_line(&cure, "now: %s CONFIG SET %s %s%s%s", cli, directive, quoted ? "'" : "", value, quoted ? "'" : "");
	sr_doctor_say(s->d, SR_BAD, check, sr_buf_text(&cure), "%s", text);
	sr_buf_release(&cure);
}

/* ---- INFO ---- */

static void check_version(struct settings *s)
{
	if (strtol(s->info.version, NULL, 10) < MAJOR_LEAST)
		sr_doctor_say(s->d, SR_BAD, "redis-version", "Redis 7 or newer (Debian 12 and later have it), or Valkey", "Redis %s: the scripts need 7.0",
		              s->info.version);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-version", NULL, "%s, up %lld s", s->info.version, s->info.uptime_s);
	if (strcmp(s->info.mode, "cluster") == 0)
		sr_doctor_say(s->d, SR_BAD, "redis-cluster", "redis_url: a Redis of its own, redis.conf: cluster-enabled no",
		              "this is a node of a cluster: a stream's keys would lie on several of them");
}

static void check_memory(struct settings *s)
{
	long long used = s->info.used / MIB, limit = s->info.limit / MIB;

	if (s->info.limit == 0)
		sr_doctor_say(s->d, SR_GOOD, "redis-memory", NULL, "%lld MiB used, no maxmemory", used);
	else if (s->info.used > s->info.limit / 10 * 9)
		say_directive(s, "redis-memory", "maxmemory", "1gb", "%lld of %lld MiB used: when it is full no event is stored (raise it, or lower log_events)", used,
		              limit);
	else
		sr_doctor_say(s->d, s->info.used > s->info.limit / 4 * 3 ? SR_NOTE : SR_GOOD, "redis-memory", NULL, "%lld of %lld MiB used", used, limit);
}

static void check_disk(struct settings *s)
{
	char fault[256];

	if (sr_redis_info_fault(&s->info, SR_FAULT_DISK, fault, sizeof fault))
		sr_doctor_say(s->d, SR_BAD, "redis-disk", "make room on its disk and see that the folder `dir` is Redis's own; then: redis-cli BGSAVE, BGREWRITEAOF",
		              "%s; with stop-writes-on-bgsave-error it refuses all writes", fault);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-disk", NULL, "the last writes to its disk succeeded");
}

/* Each process has a connection for commands, and a responder one for Pub/Sub. */
static void check_clients(struct settings *s)
{
	if (s->info.clients_most <= 0)
		return;
	if (s->info.clients > s->info.clients_most / 10 * 9)
		say_directive(s, "redis-clients", "maxclients", "10000", "%lld of %lld connections are taken; each responder needs 2, all else 1", s->info.clients,
		              s->info.clients_most);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-clients", NULL, "%lld of %lld connections are taken; each responder needs 2", s->info.clients,
		              s->info.clients_most);
}

static void check_info(struct settings *s)
{
	char fault[256];

	check_version(s);
	if (sr_redis_info_fault(&s->info, SR_FAULT_ROLE, fault, sizeof fault))
		sr_doctor_say(s->d, SR_BAD, "redis-role", "redis_url: name the master; or make this one the master: redis-cli REPLICAOF NO ONE", "%s", fault);
	if (sr_redis_info_fault(&s->info, SR_FAULT_EVICTION, fault, sizeof fault))
		say_directive(s, "redis-eviction", "maxmemory-policy", "noeviction", "%s", fault);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-eviction", NULL, "maxmemory-policy noeviction");
	if (sr_redis_info_fault(&s->info, SR_FAULT_APPENDONLY, fault, sizeof fault))
		say_directive(s, "redis-appendonly", "appendonly", "yes", "%s", fault);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-appendonly", NULL, "appendonly yes");
	check_disk(s);
	check_memory(s);
	check_clients(s);
}

/* ---- CONFIG GET ---- */

/* false: not to be had, s->refused says why. */
static bool ask_value(struct settings *s, const char *directive, char out[VALUE_MAX])
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	out[0] = '\0';
	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "CONFIG");
	sr_call_text(&call, "GET");
	sr_call_text(&call, directive);
	err = sr_doctor_ask(s->d, &call, &reply);
	if (err != SR_OK)
		snprintf(s->refused, sizeof s->refused, "%s", *sr_session_why(s->d->ctl->session) ? sr_session_why(s->d->ctl->session) : sr_strerror(err));
	snprintf(out, VALUE_MAX, "%s", sr_reply_text_at(reply, 1, NULL));
	sr_reply_free(reply);
	return err == SR_OK;
}

static void judge_fsync(struct settings *s, const char *value)
{
	if (strcmp(s->info.aof, "1") != 0)
		return;
	if (strcmp(value, "no") == 0)
		sr_doctor_say(s->d, SR_NOTE, "redis-fsync", NULL, "appendfsync no: a crash of the machine loses up to half a minute; everysec loses a second");
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-fsync", NULL, "appendfsync %s", value);
}

/* "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60": hard limit, soft limit, seconds; 0 = none. */
static void judge_buffer(struct settings *s, const char *value)
{
	const char *pubsub = strstr(value, "pubsub ");
	long long hard = 0, soft = 0;
	char *end = NULL;

	if (!pubsub)
		return;
	hard = strtoll(pubsub + 7, &end, 10);
	soft = strtoll(end, &end, 10);
	if ((hard > 0 && hard < 4 * MIB) || (soft > 0 && soft < MIB))
		say_directive(s, "redis-pubsub-buffer", "client-output-buffer-limit", "pubsub 64mb 16mb 60",
		              "client-output-buffer-limit pubsub is %lld bytes, %lld for a while: Redis hangs up on a responder at the first burst of events", hard, soft);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-pubsub-buffer", NULL, "client-output-buffer-limit pubsub %lld %lld", hard, soft);
}

static void judge_timeout(struct settings *s, const char *value)
{
	long long seconds = strtoll(value, NULL, 10);

	if (seconds == 0)
		sr_doctor_say(s->d, SR_GOOD, "redis-timeout", NULL, "idle connections stay open");
	else if (seconds * 1000 < 3 * s->d->ctl->conf.beat_interval)
		say_directive(s, "redis-timeout", "timeout", "0", "timeout %lld: Redis hangs up on programs between two beats, again and again", seconds);
	else
		sr_doctor_say(s->d, SR_NOTE, "redis-timeout", NULL, "timeout %lld: Redis hangs up on programs that were idle for so long; they connect again", seconds);
}

static void judge_keepalive(struct settings *s, const char *value)
{
	struct sr_address a;

	if (sr_address_parse(&a, s->d->ctl->conf.redis_url, NULL) != SR_OK || a.path[0])
		return;
	if (strcmp(value, "0") == 0)
		sr_doctor_say(s->d, SR_NOTE, "redis-keepalive", NULL, "tcp-keepalive 0: Redis keeps connections of machines that are gone; 300 is its default");
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-keepalive", NULL, "tcp-keepalive %s", value);
}

/* A script takes milliseconds. */
static void judge_script_time(struct settings *s, const char *value)
{
	long long ms = strtoll(value, NULL, 10);

	if (ms > 0 && ms < 1000)
		sr_doctor_say(s->d, SR_NOTE, "redis-script-time", NULL, "lua-time-limit %lld: on a busy machine others are answered BUSY; 5000 is its default", ms);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-script-time", NULL, "lua-time-limit %lld", ms);
}

/* With it, Redis lets nobody in from other machines while it has no password. We know that it has none if we gave none. */
static void judge_protected(struct settings *s, const char *value)
{
	char port[VALUE_MAX], bind[VALUE_MAX];

	if (*s->d->ctl->conf.redis_password_file || !ask_value(s, "port", port) || !ask_value(s, "bind", bind))
		return;
	if (strcmp(value, "no") == 0 && strcmp(port, "0") != 0 && strcmp(bind, "127.0.0.1") != 0 && strcmp(bind, "127.0.0.1 -::1") != 0 &&
	    strcmp(bind, "127.0.0.1 ::1") != 0)
		say_directive(s, "redis-exposed", "protected-mode", "yes", "no password, protected-mode no, bind %s: every machine that reaches port %s may write all streams",
		              *bind ? bind : "*", port);
	else
		sr_doctor_say(s->d, SR_GOOD, "redis-exposed", NULL, "without a password only for this machine");
}

static const struct { const char *directive; void (*judge)(struct settings *s, const char *value); } directives[] = {
	{"appendfsync", judge_fsync},         {"client-output-buffer-limit", judge_buffer}, {"timeout", judge_timeout},
	{"tcp-keepalive", judge_keepalive},   {"lua-time-limit", judge_script_time},        {"protected-mode", judge_protected}};

static void check_config(struct settings *s)
{
	char value[VALUE_MAX], cli[512];

	for (size_t i = 0; i < sizeof directives / sizeof *directives && !s->refused[0]; i++)
		if (ask_value(s, directives[i].directive, value) && *value)
			directives[i].judge(s, value);
	if (!s->refused[0])
		return;
	sr_doctor_redis_cli(s->d, cli, sizeof cli);
	sr_doctor_say(s->d, SR_NOTE, "redis-config", NULL,
	              "CONFIG GET is refused (%s): appendfsync, client-output-buffer-limit, timeout, tcp-keepalive, lua-time-limit and protected-mode were not "
	              "checked; as an administrator: %s CONFIG GET NAME", s->refused, cli);
}

void sr_doctor_settings(struct sr_doctor *d)
{
	struct settings s = {.d = d};

	if (sr_redis_info_ask(&s.info, d->ctl) != SR_OK)
		sr_doctor_say(d, SR_NOTE, "redis-info", NULL, "INFO was not answered: %s", sr_session_why(d->ctl->session));
	else if (!s.info.known)
		sr_doctor_say(d, SR_NOTE, "redis-info", NULL, "this user of Redis may not ask for INFO: version, role, eviction, persistence and memory were not checked");
	else
		check_info(&s);
	check_config(&s);
}
