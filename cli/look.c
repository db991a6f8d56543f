/* look.c - see look.h. */
#include "cli/look.h"

#include "cli/age.h"
#include "common/mem.h"
#include <stdlib.h>
#include <string.h>

#define ORPHANED_MAX 1000   /* of both kinds; the rest is left to active ones */
#define NODES_MAX 1000
#define CONNECT_MS 200      /* for one that is not patient: there are keys to listen to */
#define ANSWER_MS 2000

enum { STREAM_ID, STATE, TYPE, USER, STARTED, HEARTBEAT, LAST_EVENT, PRODUCER };
static const char *const fields[] = {"streamId", "state", "streamType", "userId", "startedAt", "lastHeartbeat", "lastEventId", "producer", NULL};

/* One round: the ids, and where they come from. */
struct round {
	struct sr_look *l;
	struct sr_glance glance;
	struct sr_picture next;
	struct sr_reply *active, *orphaned; /* ids */
	const char **ids;                   /* into these, and into the picture before */
	size_t count, listed;               /* listed of them are of the indexes; the rest was there in the picture before */
};

bool sr_look_may_pass(enum sr_err err)
{
	return err == SR_EDOWN || err == SR_ETIMEOUT || err == SR_EREFUSED || err == SR_EBUSY;
}

/* Releases the call. */
static enum sr_err ask(const struct sr_look *l, struct sr_call *call, struct sr_reply **reply)
{
	struct sr_session *session = l->ctl->session;
	enum sr_err err;

	sr_session_deadline(session, l->patient ? l->ctl->deadline_ms : CONNECT_MS);
	err = l->patient ? sr_session_call(session, call, 0, reply) : sr_session_try(session, call, ANSWER_MS, reply);
	sr_call_release(call);
	return err;
}

/* ---- the head ---- */

static enum sr_err ask_time(struct round *r)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "TIME");
	err = ask(r->l, &call, &reply);
	r->glance.now_ms = sr_reply_int_at(reply, 0, 0) * 1000 + sr_reply_int_at(reply, 1, 0) / 1000;
	sr_reply_free(reply);
	return err;
}

static enum sr_err ask_size(struct round *r, enum sr_key key, long long *out)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_ctl_plain(&call, r->l->ctl, "ZCARD", key, NULL);
	err = ask(r->l, &call, &reply);
	*out = sr_reply_int(reply, 0);
	sr_reply_free(reply);
	return err;
}

static enum sr_err ask_nodes(struct round *r)
{
	static const char guardian[] = "guardian-"; /* and a responder's name begins with its host and a colon */
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_ctl_plain(&call, r->l->ctl, "ZRANGEBYSCORE", SR_KEY_NODES, NULL);
	sr_call_int(&call, r->glance.now_ms - SR_NODE_TTL_MS);
	sr_call_text(&call, "+inf");
	sr_call_text(&call, "LIMIT");
	sr_call_int(&call, 0);
	sr_call_int(&call, NODES_MAX);
	err = ask(r->l, &call, &reply);
	for (size_t i = 0; i < sr_reply_count(reply); i++) {
		const char *name = sr_reply_text_at(reply, i, NULL);

		if (strncmp(name, guardian, sizeof guardian - 1) == 0 && !strchr(name, ':'))
			r->glance.guardians++;
		else
			r->glance.responders++;
	}
	sr_reply_free(reply);
	return err;
}

static enum sr_err ask_guardian(struct round *r)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_ctl_plain(&call, r->l->ctl, "HMGET", SR_KEY_GUARDIAN, NULL);
	sr_call_text(&call, "lastPassAt");
	err = ask(r->l, &call, &reply);
	if (!sr_age_parse(sr_reply_text_at(reply, 0, NULL), &r->glance.pass_ms))
		r->glance.pass_ms = -1;
	sr_reply_free(reply);
	return err;
}

static long long info_number(const char *info, const char *name)
{
	const char *line = strstr(info, name);

	return line ? strtoll(line + strlen(name), NULL, 10) : 0;
}

/* Without the right to ask, or where INFO is another command, the picture has no memory. */
static enum sr_err ask_memory(struct round *r)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	if (r->l->no_info)
		return SR_OK;
	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "INFO");
	sr_call_text(&call, "memory");
	err = ask(r->l, &call, &reply);
	r->glance.memory = err == SR_OK;
	r->glance.used = info_number(sr_reply_text(reply, NULL), "\nused_memory:");
	r->glance.limit = info_number(sr_reply_text(reply, NULL), "\nmaxmemory:");
	sr_reply_free(reply);
	r->l->no_info = err == SR_EDENIED || err == SR_EREPLY;
	return r->l->no_info ? SR_OK : err;
}

static enum sr_err ask_head(struct round *r)
{
	enum sr_err err = ask_time(r);

	if (err == SR_OK)
		err = ask_size(r, SR_KEY_ACTIVE, &r->glance.active);
	if (err == SR_OK)
		err = ask_size(r, SR_KEY_ORPHANED, &r->glance.orphaned);
	if (err == SR_OK)
		err = ask_nodes(r);
	if (err == SR_OK)
		err = ask_guardian(r);
	if (err == SR_OK)
		err = ask_memory(r);
	return err;
}

/* ---- the ids ---- */

/* Of an index the last ones: those that were heard of last, since an event is a sign of life, too. In one call: while beats come,
 * pages of it would pass over some streams. */
static enum sr_err ask_ids(struct round *r, enum sr_key key, long long all, int most, struct sr_reply **reply)
{
	struct sr_call call;

	if (most == 0)
		return SR_OK;
	if (all > most)
		r->next.partial = true;
	sr_ctl_plain(&call, r->l->ctl, "ZREVRANGE", key, NULL);
	sr_call_int(&call, 0);
	sr_call_int(&call, most - 1);
	return ask(r->l, &call, reply);
}

static void take_ids(struct round *r, const struct sr_reply *reply)
{
	for (size_t i = 0; i < sr_reply_count(reply); i++) {
		size_t len;
		const char *id = sr_reply_text_at(reply, i, &len);

		if (sr_stream_id_valid(id, len))
			r->ids[r->count++] = id;
	}
}

static enum sr_err find_ids(struct round *r)
{
	const char *state = r->l->state;
	bool both = !state, active = both || strcmp(state, "active") == 0;
	enum sr_err err = ask_ids(r, SR_KEY_ACTIVE, r->glance.active, both ? SR_LOOK_MAX - ORPHANED_MAX : active ? SR_LOOK_MAX : 0, &r->active);

	if (err == SR_OK)
		err = ask_ids(r, SR_KEY_ORPHANED, r->glance.orphaned, both ? ORPHANED_MAX : active ? 0 : SR_LOOK_MAX, &r->orphaned);
	if (err != SR_OK)
		return err;
	r->ids = sr_malloc((sr_reply_count(r->active) + sr_reply_count(r->orphaned) + r->l->picture.count + 1) * sizeof *r->ids);
	if (!r->ids)
		return SR_ENOMEM;
	take_ids(r, r->active);
	take_ids(r, r->orphaned);
	r->listed = r->count;
	return SR_OK;
}

/* ---- the streams ---- */

static int64_t date_of(const struct sr_look_result *look, size_t k)
{
	int64_t ms;

	return sr_age_parse(sr_look_field(look, k), &ms) ? ms : -1;
}

static enum sr_err take_stream(struct round *r, const char *id, const struct sr_look_result *look, bool listed)
{
	struct sr_row row = {
		.id = id, .state = sr_look_field(look, STATE), .type = sr_look_field(look, TYPE), .user = sr_look_field(look, USER),
		.last_event = sr_look_field(look, LAST_EVENT), .leased = *sr_look_field(look, PRODUCER), .looked_ms = look->now_ms,
		.started_ms = date_of(look, STARTED), .beat_ms = date_of(look, HEARTBEAT), .viewers = look->viewers, .length = look->length,
		.added = look->added};

	if (!look->known)
		return SR_OK;
	row.ended = !listed || sr_event_type_terminal(row.state, strlen(row.state)) || (r->l->state && strcmp(row.state, r->l->state) != 0);
	return sr_picture_add(&r->next, &row);
}

static enum sr_err look_at(struct round *r, size_t from, size_t count)
{
	struct sr_look_result look;
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	sr_look_call(&call, &r->l->ctl->reg, r->ids + from, count, SR_LOOK_COUNT_BYTES, fields);
	err = ask(r->l, &call, &reply);
	for (size_t i = 0; err == SR_OK && i < count; i++) {
		err = sr_look_read(reply, i, &look);
		if (err == SR_OK)
			err = take_stream(r, r->ids[from + i], &look, from + i < r->listed);
	}
	sr_reply_free(reply);
	return err;
}

static enum sr_err look_at_all(struct round *r)
{
	enum sr_err err = SR_OK;

	for (size_t i = 0; err == SR_OK && i < r->count; i += SR_BATCH_MAX)
		err = look_at(r, i, r->count - i < SR_BATCH_MAX ? r->count - i : SR_BATCH_MAX);
	return err;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What was shown last time and is in no index now has ended since: its last events count, too. */
static void take_lost(struct round *r)
{
	const struct sr_picture *before = &r->l->picture;

	if (r->listed > 0)
		qsort(r->ids, r->listed, sizeof *r->ids, by_text);
	for (size_t i = 0; i < before->count; i++) {
		const char *id = before->rows[i].id;

		if (!before->rows[i].ended && (r->listed == 0 || !bsearch(&id, r->ids, r->listed, sizeof *r->ids, by_text)))
			r->ids[r->count++] = id;
	}
}

static enum sr_err look_round(struct round *r)
{
	enum sr_err err = ask_head(r);

	r->next.at_ms = r->glance.now_ms;
	if (err == SR_OK)
		err = find_ids(r);
	if (err != SR_OK)
		return err;
	take_lost(r);
	return look_at_all(r);
}

enum sr_err sr_look(struct sr_look *l)
{
	struct round r = {.l = l};
	enum sr_err err = look_round(&r);

	if (err == SR_OK) {
		sr_picture_compare(&r.next, l->glance.now_ms ? &l->picture : NULL);
		sr_picture_release(&l->picture);
		l->picture = r.next;
		l->glance = r.glance;
	} else {
		sr_picture_release(&r.next);
	}
	free(r.ids);
	sr_reply_free(r.active);
	sr_reply_free(r.orphaned);
	return err;
}

void sr_look_release(struct sr_look *l)
{
	sr_picture_release(&l->picture);
}
