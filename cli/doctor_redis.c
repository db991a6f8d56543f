/* doctor_redis.c - ssectl doctor: reaching Redis, and what helps when it says no. */
#include "cli/doctor_parts.h"

#include "common/address.h"
#include "common/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PINGS 11
#define SLOW_US 20000
#define TOO_SLOW_US 250000
#define STEP_MS 1000

static bool read_address(const struct sr_doctor *d, struct sr_address *address)
{
	return sr_address_parse(address, d->ctl->conf.redis_url, NULL) == SR_OK; /* it is: the configuration was checked */
}

enum sr_err sr_doctor_ask(struct sr_doctor *d, struct sr_call *call, struct sr_reply **reply)
{
	int64_t most = d->ctl->deadline_ms < SR_REDIS_COMMAND_MS ? d->ctl->deadline_ms : SR_REDIS_COMMAND_MS;
	enum sr_err err;

	sr_session_deadline(d->ctl->session, most);
	err = sr_session_try(d->ctl->session, call, most, reply);
	sr_call_release(call);
	return err;
}

/* ---- cures ---- */

void sr_doctor_redis_cli(const struct sr_doctor *d, char *out, size_t size)
{
	struct sr_address a;

	snprintf(out, size, "redis-cli");
	if (!read_address(d, &a))
		return;
	if (a.path[0])
		snprintf(out, size, "redis-cli -s %s", a.path);
	else if (strcmp(a.host, "127.0.0.1") != 0 || strcmp(a.port, "6379") != 0)
		snprintf(out, size, "redis-cli -h %s -p %s", a.host, a.port);
}

const char *sr_doctor_redis_user(const struct sr_doctor *d, char out[128])
{
	struct sr_address a;

	snprintf(out, 128, "%s", read_address(d, &a) && a.user[0] ? a.user : "default");
	return out;
}

void sr_cure_rights(struct sr_buf *cure, const struct sr_doctor *d, const char *rules)
{
	char cli[512], user[128];

	sr_doctor_redis_cli(d, cli, sizeof cli);
	sr_cure_line(cure, "now, as an administrator: %s ACL SETUSER %s %s", cli, sr_doctor_redis_user(d, user), rules);
	sr_cure_line(cure, "for good: the same behind `user %s` in users.acl (or ACL SAVE), or in redis.conf", user);
	sr_cure_line(cure, "all rights that are needed: ssectl help doctor");
}

static void cure_denied(struct sr_buf *cure, const struct sr_doctor *d, const char *why)
{
	const char *quote = strchr(why, '\'');
	char rules[256], user[128];
	int len = quote ? (int)strcspn(quote + 1, "'") : 0;

	if (strncmp(why, "NOPERM", 6) == 0 && strstr(why, "channel")) {
		snprintf(rules, sizeof rules, "'&%s*'", d->ctl->conf.key_prefix);
		sr_cure_rights(cure, d, rules);
	} else if (strncmp(why, "NOPERM", 6) == 0 && len) {
		snprintf(rules, sizeof rules, "+%.*s", len, quote + 1);
		sr_cure_rights(cure, d, rules);
	} else if (strncmp(why, "NOPERM", 6) == 0) {
		snprintf(rules, sizeof rules, "'~%s*'", d->ctl->conf.key_prefix);
		sr_cure_rights(cure, d, rules);
	} else {
		sr_cure_line(cure, "%s: redis_password_file = a file with the password of the user %s of Redis, mode 640",
		             d->ctl->conf.file[0] ? d->ctl->conf.file : SR_CONF_PATH, sr_doctor_redis_user(d, user));
		sr_cure_line(cure, "redis_url = redis://USER@HOST names another user than default; the password is `requirepass` of redis.conf, or the user's own");
	}
}

void sr_cure_error(struct sr_buf *cure, const struct sr_doctor *d, const char *why)
{
	char cli[512];

	sr_doctor_redis_cli(d, cli, sizeof cli);
	if (strncmp(why, "NOPERM", 6) == 0 || strncmp(why, "NOAUTH", 6) == 0 || strncmp(why, "WRONGPASS", 9) == 0 || strncmp(why, "ERR AUTH", 8) == 0)
		cure_denied(cure, d, why);
	else if (strncmp(why, "READONLY", 8) == 0)
		sr_cure_line(cure, "redis_url: name the master; or make this one the master: %s REPLICAOF NO ONE", cli);
	else if (strncmp(why, "OOM", 3) == 0)
		sr_cure_line(cure, "redis.conf: a larger maxmemory (now: %s CONFIG SET maxmemory 1gb), or fewer log_events a stream", cli);
	else if (strncmp(why, "MISCONF", 7) == 0)
		sr_cure_line(cure, "Redis cannot save to its disk: make room there, look into its log, then: %s BGSAVE", cli);
	else if (strncmp(why, "BUSY", 4) == 0)
		sr_cure_line(cure, "somebody's script blocks Redis: %s SCRIPT KILL", cli);
	else if (strncmp(why, "LOADING", 7) == 0)
		sr_cure_line(cure, "Redis reads its data: wait, and try again");
	else if (strncmp(why, "MOVED", 5) == 0 || strncmp(why, "CLUSTERDOWN", 11) == 0 || strncmp(why, "CROSSSLOT", 9) == 0)
		sr_cure_line(cure, "redis_url: a Redis of its own, redis.conf: cluster-enabled no");
	else
		sr_cure_line(cure, "look into the log of Redis, and at: %s INFO", cli);
}

/* ---- the way there ---- */

static void cure_unreachable(struct sr_buf *cure, const struct sr_doctor *d, const char *why)
{
	const char *file = d->ctl->conf.file[0] ? d->ctl->conf.file : SR_CONF_PATH;
	struct sr_address a = {0};
	bool local = read_address(d, &a) && a.path[0];

	if (strcmp(why, strerror(EACCES)) == 0) {
		sr_cure_line(cure, "usermod -aG redis sse-resilience; with systemd: systemctl edit sse-fcgi@ sse-guardian, [Service] SupplementaryGroups=redis");
		sr_cure_line(cure, "redis.conf: unixsocketperm 770; and run this as root, or as a member of that group");
		return;
	}
	sr_cure_line(cure, "start it: systemctl enable --now redis-server");
	sr_cure_line(cure, "or say where it listens: %s: redis_url = unix:///run/redis/redis-server.sock, or redis://127.0.0.1:6379", file);
	if (local)
		sr_cure_line(cure, "redis.conf: unixsocket %s and unixsocketperm 770 make it listen there", a.path);
}

static void say_unreached(struct sr_doctor *d, enum sr_err err)
{
	const char *url = d->ctl->conf.redis_url, *said = sr_session_why(d->ctl->session), *why = *said ? said : sr_strerror(err);
	struct sr_buf cure;

	sr_buf_init(&cure, SR_CURE_MAX);
	if (err == SR_EDENIED || err == SR_EREFUSED || err == SR_EREPLY)
		sr_cure_error(&cure, d, why);
	else
		cure_unreachable(&cure, d, why);
	sr_doctor_say(d, SR_BAD, "redis-connection", sr_buf_text(&cure), "Redis at %s %s: %s; nothing of it was checked", url,
	              err == SR_EDENIED ? "denies access" : err == SR_EREFUSED ? "refuses" : err == SR_EREPLY ? "answers nonsense" : "is unavailable", why);
	sr_buf_release(&cure);
}

/* In short steps: a signal is looked at between them. */
static enum sr_err reach(struct sr_doctor *d)
{
	sr_mono_ms end = sr_clock_mono() + d->ctl->deadline_ms;
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "TIME"); /* not PING, which is refused while Redis cannot save to its disk */
	do {
		sr_session_deadline(d->ctl->session, STEP_MS);
		err = sr_session_call(d->ctl->session, &call, d->ctl->deadline_ms, &reply);
		sr_reply_free(reply);
	} while ((err == SR_EDOWN || err == SR_ETIMEOUT || err == SR_EREFUSED) && sr_clock_mono() < end && !sr_doctor_interrupted());
	sr_call_release(&call);
	return err;
}

static int connect_redis(struct sr_doctor *d)
{
	struct sr_buf why;
	enum sr_err err;

	sr_buf_init(&why, 1024);
	d->ctl->session = sr_session_new(&d->ctl->conf, "ssectl", &why);
	if (!d->ctl->session) {
		sr_ctl_note(d->ctl, NULL, "redis_url: %s", why.len ? why.data : sr_strerror(SR_ENOMEM));
		sr_buf_release(&why);
		return SR_EX_LATER;
	}
	sr_buf_release(&why);
	sr_doctor_wait(d, "connecting to Redis");
	err = reach(d);
	if (err == SR_OK || sr_doctor_interrupted())
		return 0;
	say_unreached(d, err);
	return err == SR_EDENIED ? SR_EX_DENIED : err == SR_EREPLY ? SR_EX_BUG : SR_EX_REDIS;
}

/* ---- how fast ---- */

static int compare(const void *a, const void *b)
{
	const long *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long)(t.tv_sec % 1000000) * 1000000 + t.tv_nsec / 1000;
}

/* Median of a few round trips; -1 when one of them fails. */
static long measure_us(struct sr_doctor *d)
{
	long took[PINGS], before;

	for (int i = 0; i < PINGS; i++) {
		struct sr_call call;
		struct sr_reply *reply;

		sr_call_init(&call, SR_SCRIPT_NONE);
		sr_call_text(&call, "TIME");
		before = now_us();
		if (sr_doctor_ask(d, &call, &reply) != SR_OK)
			return -1;
		took[i] = now_us() - before;
		sr_reply_free(reply);
	}
	qsort(took, PINGS, sizeof *took, compare);
	return took[PINGS / 2];
}

static void say_speed(struct sr_doctor *d)
{
	long us = measure_us(d);
	double ms = (double)us / 1000.;
	char cli[512];

	sr_doctor_redis_cli(d, cli, sizeof cli);
	if (us < 0)
		sr_doctor_say(d, SR_NOTE, "redis-latency", NULL, "not measured: %s", sr_session_why(d->ctl->session));
	else if (us > TOO_SLOW_US)
		sr_doctor_say(d, SR_BAD, "redis-latency", "a Redis near the responders; SLOWLOG GET and LATENCY DOCTOR say what keeps it busy",
		              "a round trip takes %.0f ms: every event waits for one", ms);
	else
		sr_doctor_say(d, us > SLOW_US ? SR_NOTE : SR_GOOD, "redis-latency", NULL, "a round trip takes %.2f ms", ms);
}

/* ---- all of it ---- */

/* The password's file is fit for use; sr_doctor_host() has said what is wrong with one that is not. */
static bool has_password(struct sr_doctor *d, int *code)
{
	const char *file = d->ctl->conf.redis_password_file;
	*code = 0;
	if (!*file)
		return true;
	if (access(file, R_OK) != 0 && errno == EACCES) {
		sr_doctor_say(d, SR_NOTE, "redis-connection", NULL, "not tried: this user cannot read %s; run it as root, or: sudo -u " SR_DOCTOR_USER
		              " ssectl doctor", file);
		*code = SR_EX_DENIED;
		return false;
	}
	if (sr_conf_try_password(&d->ctl->conf, NULL) == SR_OK)
		return true;
	sr_doctor_say(d, SR_NOTE, "redis-connection", NULL, "not tried: the programs refuse the password's file, see password-file");
	return false;
}

int sr_doctor_redis(struct sr_doctor *d)
{
	bool rights;
	int code;

	if (!has_password(d, &code))
		return code;
	code = connect_redis(d);
	if (code || sr_doctor_interrupted())
		return code;
	sr_doctor_say(d, SR_GOOD, "redis-connection", NULL, "%s answers", d->ctl->conf.redis_url);
	say_speed(d);
	sr_doctor_settings(d);
	rights = !sr_doctor_interrupted() && sr_doctor_rights(d);
	if (!sr_doctor_interrupted())
		sr_doctor_trial(d, rights);
	if (!sr_doctor_interrupted())
		sr_doctor_nodes(d);
	return 0;
}
