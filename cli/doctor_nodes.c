/* doctor_nodes.c - ssectl doctor: which guardians and responders are alive, by what they say in Redis and by its clock alone. */
#include "cli/age.h"
#include "cli/doctor_parts.h"
#include "cli/process.h"
#include "common/monitor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NODES_MAX 1000
#define CANARY_QUIET_MS 15000   /* a canary comes each second */
#define CRON_QUIET_MS 120000    /* or, of a guardian that cron starts, in each minute */
#define SEEN_MS 30000           /* a responder reports each few seconds */
#define OWN_FILES 64            /* that sse-fcgi opens beside its streams */

struct nodes {
	struct sr_doctor *d;
	long long now_ms;               /* Redis's clock */
	char host[256];                 /* this one's name */
	unsigned responders, quiet;
	char versions[128];             /* of responders, other ones than ours */
};

/* NULL when it was not answered. */
static struct sr_reply *ask(struct sr_doctor *d, const char *verb, enum sr_key key, const char *id)
{
	struct sr_call call;
	struct sr_reply *reply;

	sr_ctl_plain(&call, d->ctl, verb, key, id);
	if (strcmp(verb, "ZRANGE") == 0) {
		sr_call_int(&call, 0);
		sr_call_int(&call, NODES_MAX - 1);
	}
	return sr_doctor_ask(d, &call, &reply) == SR_OK ? reply : NULL;
}

static bool ask_time(struct nodes *n)
{
	struct sr_call call;
	struct sr_reply *reply;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "TIME");
	if (sr_doctor_ask(n->d, &call, &reply) != SR_OK)
		return false;
	n->now_ms = sr_reply_int_at(reply, 0, 0) * 1000 + sr_reply_int_at(reply, 1, 0) / 1000;
	sr_reply_free(reply);
	return true;
}

/* Seconds since a date that a script or program wrote by Redis's clock; -1 when it is none. */
static long long age_s(const struct nodes *n, const char *iso)
{
	int64_t at;

	if (!sr_age_parse(iso, &at))
		return -1;
	return n->now_ms > at ? (n->now_ms - at) / 1000 : 0;
}

/* ---- the guardian ---- */

static void say_silent(struct nodes *n, const char *text)
{
	sr_doctor_say(n->d, SR_BAD, "guardian",
	              "systemd: systemctl enable --now sse-guardian\n"
	              "SysV init: service sse-guardian start\n"
	              "cron: * * * * * sse-resilience sse-guardian --once --log-target=syslog --log-level=warn",
	              "%s: streams that die are not found, and their pages wait for ever", text);
}

static void check_pass(struct nodes *n, const struct sr_reply *guardian)
{
	const char *at = sr_monitor_word(guardian, "lastPassAt");
	long long age = age_s(n, at), most = (2 * n->d->ctl->conf.check_interval + n->d->ctl->conf.proof_window + CRON_QUIET_MS) / 1000;

	if (age < 0)
		sr_doctor_say(n->d, SR_NOTE, "guardian-pass", NULL, "no pass yet: it watches Redis first, for proof_window");
	else if (age > most)
		sr_doctor_say(n->d, SR_BAD, "guardian-pass", "its log says what keeps it from judging: journalctl -u sse-guardian; restarts and stalls of Redis do",
		              "the guardian lives, but its last pass was %lld s ago", age);
	else
		sr_doctor_say(n->d, SR_GOOD, "guardian-pass", NULL, "the last one %lld s ago: %s active, %s marked, %s ms", age, sr_monitor_word(guardian, "lastPassActive"),
		              sr_monitor_word(guardian, "lastPassMarked"), sr_monitor_word(guardian, "lastPassMs"));
}

static void check_guardian(struct nodes *n)
{
	struct sr_reply *guardian = ask(n->d, "HGETALL", SR_KEY_GUARDIAN, NULL);
	long long last = sr_monitor_number(guardian, "last"), quiet_ms = n->now_ms - last;
	char text[80];

	if (!guardian) {
		sr_doctor_say(n->d, SR_NOTE, "guardian", NULL, "not to be seen: %s", sr_session_why(n->d->ctl->session));
		return;
	}
	if (last == 0) {
		say_silent(n, "no guardian has run");
	} else if (quiet_ms > CRON_QUIET_MS) {
		snprintf(text, sizeof text, "the guardian is not running, it has been silent for %lld s", quiet_ms / 1000);
		say_silent(n, text);
	} else if (quiet_ms > CANARY_QUIET_MS) {
		sr_doctor_say(n->d, SR_NOTE, "guardian", NULL, "silent for %lld s: as it should be between two passes from cron, else it is not running",
		              quiet_ms / 1000);
	} else {
		sr_doctor_say(n->d, SR_GOOD, "guardian", NULL, "it watches; Redis was writable for %lld s without a break",
		              (last - sr_monitor_number(guardian, "since")) / 1000);
	}
	if (last && quiet_ms <= CRON_QUIET_MS)
		check_pass(n, guardian);
	sr_reply_free(guardian);
}

/* ---- responders ---- */

/* A responder that may open fewer files than that lowers max_streams for itself, and says so only in its log. */
static void check_files(struct nodes *n, const struct sr_reply *node)
{
	const struct sr_conf *conf = &n->d->ctl->conf;
	long pid = (long)sr_monitor_number(node, "pid");
	long long needed = conf->max_streams + OWN_FILES + (conf->publish_token_file[0] ? conf->publish_requests : 0), limit = -1;
	struct sr_buf cure;

	if (strcmp(sr_monitor_word(node, "host"), n->host) == 0)
		limit = sr_process_open_files((pid_t)pid, "sse-fcgi");
	if (limit < 0)
		return;
	if (limit >= needed) {
		sr_doctor_say(n->d, SR_GOOD, "open-files", NULL, "sse-fcgi %ld may open %lld files, max_streams %lld needs %lld", pid, limit, (long long)conf->max_streams,
		              needed);
		return;
	}
	sr_buf_init(&cure, SR_CURE_MAX);
	sr_cure_line(&cure, "systemd: systemctl edit sse-fcgi@, [Service] LimitNOFILE=%lld", needed < 65536 ? 65536 : needed);
	sr_cure_line(&cure, "else: ulimit -n %lld before spawn-fcgi (in /etc/default/sse-fcgi), or a lower max_streams", needed);
	sr_doctor_say(n->d, SR_BAD, "open-files", sr_buf_text(&cure), "sse-fcgi %ld may open only %lld files: it takes fewer streams than max_streams %lld", pid,
	              limit, (long long)conf->max_streams);
	sr_buf_release(&cure);
}

static void note_version(struct nodes *n, const char *version)
{
	size_t len = strlen(n->versions);

	if (strcmp(version, SR_VERSION) != 0 && !strstr(n->versions, version))
		snprintf(n->versions + len, sizeof n->versions - len, "%s%s", len ? ", " : "", version);
}

static void check_node(struct nodes *n, const struct sr_reply *node)
{
	if (strcmp(sr_monitor_word(node, "kind"), "responder") != 0)
		return;
	if (age_s(n, sr_monitor_word(node, "seenAt")) > SEEN_MS / 1000) {
		n->quiet++;
		return;
	}
	n->responders++;
	note_version(n, sr_monitor_word(node, "version"));
	check_files(n, node);
}

static void say_responders(struct nodes *n)
{
	if (n->responders == 0)
		sr_doctor_say(n->d, SR_BAD, "responders",
		              "systemd: systemctl enable --now sse-fcgi.socket sse-fcgi\n"
		              "SysV init: service sse-fcgi start\n"
		              "by hand: spawn-fcgi -s /run/sse-resilience/fcgi.sock -M 0600 -U www-data -G www-data -u sse-resilience -g sse-resilience -- sse-fcgi\n"
		              "they run? then they have another redis_url or key_prefix: ssectl --dump-config",
		              "no responder is alive%s", n->quiet ? ": who was here has been silent for 30 s" : "");
	else
		sr_doctor_say(n->d, SR_GOOD, "responders", NULL, "%u alive", n->responders);
	if (n->versions[0])
		sr_doctor_say(n->d, SR_NOTE, "responder-version", NULL, "responders of version %s run, this is %s: restart them: systemctl restart sse-fcgi@1, then "
		              "sse-fcgi@2", n->versions, SR_VERSION);
}

static void check_responders(struct nodes *n)
{
	struct sr_reply *names = ask(n->d, "ZRANGE", SR_KEY_NODES, NULL), *node;

	if (!names) {
		sr_doctor_say(n->d, SR_NOTE, "responders", NULL, "not to be seen: %s", sr_session_why(n->d->ctl->session));
		return;
	}
	for (size_t i = 0; i < sr_reply_count(names) && !sr_doctor_interrupted(); i++) {
		node = ask(n->d, "HGETALL", SR_KEY_NODE, sr_reply_text_at(names, i, NULL));
		check_node(n, node);
		sr_reply_free(node);
	}
	say_responders(n);
	sr_reply_free(names);
}

void sr_doctor_nodes(struct sr_doctor *d)
{
	struct nodes n = {.d = d};

	if (gethostname(n.host, sizeof n.host - 1) != 0)
		n.host[0] = '\0';
	if (!ask_time(&n)) {
		sr_doctor_say(d, SR_NOTE, "guardian", NULL, "neither it nor the responders are to be seen: %s", sr_session_why(d->ctl->session));
		return;
	}
	check_guardian(&n);
	check_responders(&n);
}
