#include "guardian/heal.h"

#include <string.h>

#define SCAN_COUNT 1000 /* slots of the key space that one SCAN looks at: well below a millisecond */

/* The kinds of keys; what has no id is a whole name. */
static const struct { enum sr_key key; bool has_id; } kinds[SR_HEAL_KINDS] = {
	{SR_KEY_STREAM, true}, {SR_KEY_COMPLETION, true}, {SR_KEY_EVENTS, true}, {SR_KEY_VIEWERS, true}, {SR_KEY_NODE, true},
	{SR_KEY_ACTIVE, false}, {SR_KEY_ORPHANED, false}, {SR_KEY_GUARDIAN, false}, {SR_KEY_NODES, false},
	{SR_KEY_TOTALS, false},
};

static void scan(struct sr_heal *h);

static void drop_page(struct sr_heal *h)
{
	sr_reply_free(h->page);
	h->page = NULL;
}

static void finish(struct sr_heal *h, enum sr_end end)
{
	drop_page(h);
	h->done(h->ctx, end);
}

static void fail(struct sr_heal *h, enum sr_err err, const struct sr_reply *reply)
{
	sr_link_complain("healing failed", err, reply);
	finish(h, SR_END_FAILED);
}

static bool ends(struct sr_heal *h, enum sr_err err, const struct sr_reply *reply)
{
	if (err != SR_OK)
		fail(h, err, reply);
	else if (h->stopping)
		finish(h, SR_END_STOPPED);
	else
		return false;
	return true;
}

/* --- which keys ---------------------------------------------------------------------------------------------- */

/* The key's kind, or -1: not ours. A NUL byte is in no key of ours. */
static int kind_of(const struct sr_heal *h, const char *name, size_t len)
{
	for (int i = 0; i < SR_HEAL_KINDS; i++) {
		bool begins = len >= h->stems[i].len && memcmp(name, h->stems[i].text, h->stems[i].len) == 0;

		if (begins && (kinds[i].has_id || len == h->stems[i].len))
			return memchr(name, '\0', len) ? -1 : i;
	}
	return -1;
}

/* The id to put back into an index, or "" if this key is no record of ours. */
static const char *record_id(const struct sr_heal *h, int kind, const char *name, size_t len)
{
	size_t stem = h->stems[kind].len;
	bool record = kinds[kind].key == SR_KEY_STREAM && sr_stream_id_valid(name + stem, len - stem);

	return record ? name + stem : "";
}

static enum sr_err write_stems(struct sr_heal *h)
{
	struct sr_buf stem;
	enum sr_err err = SR_OK;

	sr_buf_init(&stem, sizeof h->stems[0].text - 1);
	for (int i = 0; err == SR_OK && i < SR_HEAL_KINDS; i++) {
		sr_buf_reset(&stem);
		err = sr_key_append_stem(&stem, h->link->reg.prefix, kinds[i].key);
		h->stems[i].len = stem.len;
		memcpy(h->stems[i].text, sr_buf_text(&stem), stem.len);
	}
	sr_buf_release(&stem);
	return err;
}

/* --- a page of keys, in batches ------------------------------------------------------------------------------ */

static void heal_batch(struct sr_heal *h);

static void on_healed(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_heal *h = ctx;

	if (err == SR_OK) {
		h->tally->timed += sr_reply_int_at(reply, 0, 0);
		h->tally->indexed += sr_reply_int_at(reply, 1, 0);
	}
	if (!ends(h, err, reply))
		heal_batch(h);
}

static void finish_page(struct sr_heal *h)
{
	bool enough = !h->whole && (h->scans_left <= 0 || sr_clock_mono() >= h->until);

	drop_page(h);
	if (enough || strcmp(h->cursor, "0") == 0)
		finish(h, SR_END_DONE);
	else
		scan(h);
}

static void heal_batch(struct sr_heal *h)
{
	const struct sr_reply *found = sr_reply_at(h->page, 1);
	const char *names[SR_BATCH_MAX], *ids[SR_BATCH_MAX];
	struct sr_call call;
	enum sr_err err;
	size_t count = 0, len;

	for (; h->at < sr_reply_count(found) && count < SR_BATCH_MAX; h->at++) {
		const char *name = sr_reply_text_at(found, h->at, &len);
		int kind = kind_of(h, name, len);

		if (kind < 0)
			continue;
		names[count] = name;
		ids[count++] = record_id(h, kind, name, len);
	}
	if (count == 0) {
		finish_page(h);
		return;
	}
	sr_heal_call(&call, &h->link->reg, names, ids, count);
	err = sr_link_send(h->link, &call, on_healed, h);
	if (err != SR_OK)
		fail(h, err, NULL);
}

/* --- the walk ------------------------------------------------------------------------------------------------ */

static void on_page(void *ctx, enum sr_err err, const struct sr_reply *reply)
{
	struct sr_heal *h = ctx;
	size_t len;
	const char *cursor = sr_reply_text_at(reply, 0, &len);

	if (err == SR_OK && (len == 0 || len >= sizeof h->cursor))
		err = SR_EREPLY;
	if (ends(h, err, reply))
		return;
	memcpy(h->cursor, cursor, len + 1);
	h->page = sr_redis_take_reply(h->link->redis);
	h->at = 0;
	heal_batch(h);
}

/* "prefix*", what is special in a pattern of SCAN's escaped. */
static void pattern_arg(struct sr_call *call, const char *prefix)
{
	struct sr_buf pattern;
	enum sr_err err = SR_OK;

	sr_buf_init(&pattern, 256);
	for (; err == SR_OK && *prefix; prefix++) {
		if (strchr("*?[]\\^-", *prefix))
			err = sr_buf_append(&pattern, "\\", 1);
		if (err == SR_OK)
			err = sr_buf_append(&pattern, prefix, 1);
	}
	if (err == SR_OK)
		err = sr_buf_puts(&pattern, "*");
	if (err != SR_OK)
		call->err = err;
	sr_call_text(call, sr_buf_text(&pattern));
	sr_buf_release(&pattern);
}

static void scan(struct sr_heal *h)
{
	struct sr_call call;
	enum sr_err err;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "SCAN");
	sr_call_text(&call, h->cursor);
	sr_call_text(&call, "MATCH");
	pattern_arg(&call, h->link->reg.prefix);
	sr_call_text(&call, "COUNT");
	sr_call_int(&call, SCAN_COUNT);
	h->scans_left--;
	err = sr_link_send(h->link, &call, on_page, h);
	if (err != SR_OK)
		fail(h, err, NULL);
}

void sr_heal_init(struct sr_heal *h, const struct sr_link *link, struct sr_tally *tally, sr_heal_cb *done, void *ctx)
{
	*h = (struct sr_heal){.link = link, .tally = tally, .done = done, .ctx = ctx};
	sr_heal_rewind(h);
}

void sr_heal_start(struct sr_heal *h, bool whole, int64_t ms)
{
	enum sr_err err = write_stems(h);

	h->whole = whole;
	h->stopping = false;
	h->scans_left = SR_HEAL_SCANS;
	h->until = sr_clock_mono() + ms;
	if (whole)
		sr_heal_rewind(h);
	if (err == SR_OK)
		scan(h);
	else
		fail(h, err, NULL);
}

void sr_heal_stop(struct sr_heal *h)
{
	h->stopping = true;
}

void sr_heal_rewind(struct sr_heal *h)
{
	memcpy(h->cursor, "0", 2);
}
