#include "guardian/dry.h"

#include "common/log.h"
#include "common/registry.h"
#include "common/session.h"
#include <stdio.h>

#define PAGE 1000 /* ids a call */

static int exit_code(enum sr_err err)
{
	switch (err) {
	case SR_OK: return SR_EX_OK;
	case SR_EDOWN: case SR_ETIMEOUT: return SR_EX_REDIS;
	case SR_EREFUSED: case SR_EBUSY: return SR_EX_LATER;
	case SR_EDENIED: return SR_EX_DENIED;
	case SR_EIO: return SR_EX_IO;
	default: return SR_EX_BUG;
	}
}

/* Foreign ids may hold anything; a terminal gets printable ASCII. */
static void print_id(const char *verb, const char *id, size_t len)
{
	printf("would %s ", verb);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)id[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			putchar(c);
		else
			printf("\\x%02x", c);
	}
	putchar('\n');
}

/* Ask with `call`, which is released. */
static enum sr_err ask(struct sr_session *s, struct sr_call *call, struct sr_reply **reply)
{
	enum sr_err err = sr_session_call(s, call, 0, reply);

	sr_call_release(call);
	return err;
}

/* Print the members of an index up to a score; *count receives how many. */
static enum sr_err list(struct sr_session *s, const struct sr_registry *reg, enum sr_key index, int64_t score, const char *verb,
                        long long *count)
{
	struct sr_reply *reply = NULL;
	struct sr_call call;
	enum sr_err err;
	size_t got, len;

	*count = 0;
	do {
		sr_call_init(&call, SR_SCRIPT_NONE);
		sr_call_text(&call, "ZRANGEBYSCORE");
		sr_call_name(&call, reg->prefix, index, NULL);
		sr_call_text(&call, "-inf");
		sr_call_int(&call, score);
		sr_call_text(&call, "LIMIT");
		sr_call_int(&call, *count);
		sr_call_int(&call, PAGE);
		err = ask(s, &call, &reply);
		got = err == SR_OK ? sr_reply_count(reply) : 0;
		for (size_t i = 0; i < got; i++) {
			const char *id = sr_reply_text_at(reply, i, &len);

			print_id(verb, id, len);
		}
		*count += (long long)got;
		sr_reply_free(reply);
	} while (got == PAGE);
	return err;
}

static enum sr_err look(struct sr_session *s, const struct sr_registry *reg)
{
	struct sr_stale_result stale = {0};
	struct sr_reply *reply = NULL;
	struct sr_call call;
	enum sr_err err;
	long long orphans, failures;

	sr_stale_call(&call, reg, 0);
	err = ask(s, &call, &reply);
	if (err == SR_OK)
		err = sr_stale_read(reply, &stale);
	sr_reply_free(reply);
	if (err == SR_OK)
		err = list(s, reg, SR_KEY_ACTIVE, stale.now_ms - reg->stale_threshold, "orphan", &orphans);
	if (err == SR_OK)
		err = list(s, reg, SR_KEY_ORPHANED, stale.now_ms - reg->orphan_grace, "fail", &failures);
	if (err != SR_OK)
		return err;
	printf("%lld active, %lld to orphan, %lld to fail; nothing was changed\n", stale.active, orphans, failures);
	return fflush(stdout) == 0 && !ferror(stdout) ? SR_OK : SR_EIO;
}

int sr_dry_run(const struct sr_conf *conf)
{
	struct sr_registry reg = sr_registry_of(conf);
	struct sr_session *s;
	struct sr_buf why;
	enum sr_err err = SR_ENOMEM;

	sr_buf_init(&why, 1024);
	s = sr_session_new(conf, "guardian-dry-run", &why);
	if (s)
		err = look(s, &reg);
	if (err != SR_OK)
		sr_log(SR_LOG_ERROR, "the dry run failed", "reason",
		       s && *sr_session_why(s) ? sr_session_why(s) : why.len ? why.data : sr_strerror(err), (char *)NULL);
	sr_session_free(s);
	sr_buf_release(&why);
	return exit_code(err);
}
