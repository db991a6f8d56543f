/* doctor_rights.c - ssectl doctor: may the programs' user of Redis run every command that they use, on their keys? Each is tried in
 * a form that changes nothing, on keys of the doctor's own that do not exist. Redis asks for the right before it looks at that. */
#include "cli/doctor_parts.h"

#include "common/clock.h"
#include <stdio.h>
#include <string.h>

#define WORDS 8
#define KEY "$key"         /* a stream's record */
#define CHANNEL "$channel"
#define NO_SCRIPT "0000000000000000000000000000000000000000"

/* `rule` as in an ACL. ssectl help doctor lists all of them, and +info, of which doctor_settings.c notes that it is missing. */
static const struct command { const char *rule, *words[WORDS]; } commands[] = {
	{"time", {"TIME"}}, {"ping", {"PING"}},
	{"client|setname", {"CLIENT", "SETNAME", "ssectl"}},
	{"evalsha", {"EVALSHA", NO_SCRIPT, "0"}},
	{"eval", {"EVAL", "(", "0"}}, /* it does not compile, and so is not kept */
	{"script|load", {"SCRIPT", "LOAD", "("}},
	{"scan", {"SCAN", "0", "COUNT", "1"}},
	{"set", {"SET", KEY, "v", "XX"}}, {"del", {"DEL", KEY}}, {"exists", {"EXISTS", KEY}}, {"pexpire", {"PEXPIRE", KEY, "1"}}, {"pttl", {"PTTL", KEY}}, {"type", {"TYPE", KEY}},
	{"hget", {"HGET", KEY, "f"}}, {"hmget", {"HMGET", KEY, "f"}}, {"hgetall", {"HGETALL", KEY}}, {"hlen", {"HLEN", KEY}}, {"hstrlen", {"HSTRLEN", KEY, "f"}},
	{"hset", {"HSET", KEY, "f", "v", "g"}}, {"hdel", {"HDEL", KEY, "f"}}, {"hincrby", {"HINCRBY", KEY, "f", "x"}},
	{"zadd", {"ZADD", KEY, "x", "m"}}, {"zrem", {"ZREM", KEY, "m"}}, {"zscore", {"ZSCORE", KEY, "m"}}, {"zcard", {"ZCARD", KEY}},
	{"zcount", {"ZCOUNT", KEY, "0", "1"}}, {"zrange", {"ZRANGE", KEY, "0", "0"}}, {"zrangebyscore", {"ZRANGEBYSCORE", KEY, "0", "1"}},
	{"zremrangebyscore", {"ZREMRANGEBYSCORE", KEY, "0", "1"}}, {"zrevrange", {"ZREVRANGE", KEY, "0", "0"}},
	{"xadd", {"XADD", KEY, "*", "f", "v", "g"}}, {"xrange", {"XRANGE", KEY, "-", "+"}}, {"xrevrange", {"XREVRANGE", KEY, "+", "-"}},
	{"xlen", {"XLEN", KEY}}, {"xread", {"XREAD", "STREAMS", KEY, "0"}}, {"xinfo|stream", {"XINFO", "STREAM", KEY}},
	{"publish", {"PUBLISH", CHANNEL, ""}}, {"unsubscribe", {"UNSUBSCRIBE", CHANNEL}},
};
#define COMMANDS (sizeof commands / sizeof *commands)

struct rights {
	struct sr_doctor *d;
	char id[24];
	struct sr_buf denied, unknown;  /* "hset, zadd" */
	struct sr_buf rules;            /* "+hset +zadd" */
	bool keys, channel;             /* these are permitted */
};

static void add_word(struct sr_call *call, struct rights *r, const char *word)
{
	const char *prefix = r->d->ctl->reg.prefix;

	if (strcmp(word, KEY) == 0)
		sr_call_name(call, prefix, SR_KEY_STREAM, r->id);
	else if (strcmp(word, CHANNEL) == 0)
		sr_call_name(call, prefix, SR_KEY_CHANNEL, r->id);
	else
		sr_call_text(call, word);
}

static void add_name(struct sr_buf *list, const char *between, const char *name)
{
	if ((list->len && sr_buf_puts(list, between) != SR_OK) || sr_buf_puts(list, name) != SR_OK)
		sr_buf_reset(list);
}

/* NOPERM of a command names it in quotes; of keys and channels it has no quotes. */
static void judge(struct rights *r, const char *rule, const char *why)
{
	char added[64];

	if (strncmp(why, "NOPERM", 6) == 0 && strstr(why, "channel") && !strchr(why, '\'')) {
		r->channel = false;
	} else if (strncmp(why, "NOPERM", 6) == 0 && !strchr(why, '\'')) {
		r->keys = false;
	} else if (strncmp(why, "NOPERM", 6) == 0) {
		snprintf(added, sizeof added, "+%s", rule);
		add_name(&r->denied, ", ", rule);
		add_name(&r->rules, " ", added);
	} else if (strncmp(why, "ERR unknown command", 19) == 0) {
		add_name(&r->unknown, ", ", rule);
	}
}

static bool try_command(struct rights *r, const struct command *c)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	for (int i = 0; i < WORDS && c->words[i]; i++)
		add_word(&call, r, c->words[i]);
	err = sr_doctor_ask(r->d, &call, &reply);
	sr_reply_free(reply);
	if (err == SR_EDENIED || err == SR_EREPLY)
		judge(r, c->rule, sr_session_why(r->d->ctl->session));
	return err != SR_EDOWN && err != SR_ETIMEOUT;
}

/* Rights to keys may be given name by name, so that one of the others says nothing of these. */
static bool try_keys(struct rights *r)
{
	static const enum sr_key keys[] = {SR_KEY_STREAM, SR_KEY_COMPLETION, SR_KEY_EVENTS,   SR_KEY_VIEWERS, SR_KEY_NODE,
	                                   SR_KEY_ACTIVE, SR_KEY_ORPHANED,   SR_KEY_GUARDIAN, SR_KEY_NODES,  SR_KEY_TOTALS, SR_KEY_CHECK};
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "EXISTS");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		sr_call_name(&call, r->d->ctl->reg.prefix, keys[i], r->id);
	err = sr_doctor_ask(r->d, &call, &reply);
	sr_reply_free(reply);
	if (err == SR_EDENIED && !strchr(sr_session_why(r->d->ctl->session), '\''))
		r->keys = false;
	return err != SR_EDOWN && err != SR_ETIMEOUT;
}

static void say_commands(struct rights *r)
{
	struct sr_buf cure;
	char user[128];

	sr_buf_init(&cure, SR_CURE_MAX);
	if (r->denied.len) {
		sr_cure_rights(&cure, r->d, sr_buf_text(&r->rules));
		sr_doctor_say(r->d, SR_BAD, "redis-commands", sr_buf_text(&cure), "the user %s of Redis may not run: %s", sr_doctor_redis_user(r->d, user),
		              sr_buf_text(&r->denied));
	}
	if (r->unknown.len)
		sr_doctor_say(r->d, SR_BAD, "redis-commands", "redis.conf: remove the rename-command lines of these", "Redis does not know: %s",
		              sr_buf_text(&r->unknown));
	if (!r->denied.len && !r->unknown.len)
		sr_doctor_say(r->d, SR_GOOD, "redis-commands", NULL, "the user %s may run all %zu commands that are used", sr_doctor_redis_user(r->d, user),
		              COMMANDS + 1); /* and SUBSCRIBE, which is tried in earnest */
	sr_buf_release(&cure);
}

static void say_names(struct rights *r, const char *check, bool permitted, char kind, const char *what)
{
	const char *prefix = r->d->ctl->conf.key_prefix;
	char rules[128], user[128];
	struct sr_buf cure;

	sr_buf_init(&cure, SR_CURE_MAX);
	snprintf(rules, sizeof rules, "'%c%s*'", kind, prefix);
	sr_cure_rights(&cure, r->d, rules);
	if (permitted)
		sr_doctor_say(r->d, SR_GOOD, check, NULL, "%s below %s are permitted", what, prefix);
	else
		sr_doctor_say(r->d, SR_BAD, check, sr_buf_text(&cure), "the user %s of Redis may not use %s below %s", sr_doctor_redis_user(r->d, user), what, prefix);
	sr_buf_release(&cure);
}

bool sr_doctor_rights(struct sr_doctor *d)
{
	struct rights r = {.d = d, .id = "doctor-", .keys = true, .channel = true};
	bool answered = true, well;

	sr_random_name(r.id + strlen(r.id), 12);
	sr_buf_init(&r.denied, 1024);
	sr_buf_init(&r.unknown, 1024);
	sr_buf_init(&r.rules, 1024);
	sr_doctor_wait(d, "trying every command");
	for (size_t i = 0; answered && i < COMMANDS && !sr_doctor_interrupted(); i++)
		answered = try_command(&r, &commands[i]);
	answered = answered && try_keys(&r);
	if (sr_doctor_interrupted()) {
		answered = false;
	} else if (answered) {
		say_commands(&r);
		say_names(&r, "redis-keys", r.keys, '~', "keys");
		say_names(&r, "redis-channels", r.channel, '&', "channels");
	} else {
		sr_doctor_say(d, SR_NOTE, "redis-commands", NULL, "not all were tried: %s", sr_session_why(d->ctl->session));
	}
	well = answered && !r.denied.len && !r.unknown.len && r.keys && r.channel;
	sr_buf_release(&r.denied);
	sr_buf_release(&r.unknown);
	sr_buf_release(&r.rules);
	return well;
}
