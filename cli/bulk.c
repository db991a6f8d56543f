/* bulk.c - `emit ID -`: events from standard input, in batches over one connection.
 *
 *   stdin ──> ndjson ──> batch ──full, or no more input at once──> one script call ──> ids to stdout
 *
 * Each event has a number, and a batch is sent under the number of its last one: the n that Redis keeps of a producer, "n
 * first-id last-id" in the stream's record (common/lua/lib/producer.lua), then says how much of the input is stored, when the
 * same is given again. */
#include "cli/produce.h"

#include "cli/interrupt.h"
#include "common/ndjson.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_BYTES ((size_t)256 << 10)

struct bulk {
	struct sr_ctl *ctl;
	struct sr_producer p;
	struct sr_ndjson in;
	struct sr_json json;
	uint64_t first;    /* number of the first event of the input */
	uint64_t next;     /* number of the next event to be read */
	uint64_t known;    /* events up to this number are stored already */
	uint64_t stored;   /* by this run */
	struct sr_buf batch;             /* type, data, type, data ... of the events read and not yet sent */
	struct { size_t type, data; } len[SR_BATCH_MAX];
	size_t count;                    /* of them */
};

/* "; 7 events stored" */
struct tally { char text[64]; };

static struct tally tally(const struct bulk *b)
{
	struct tally t;

	snprintf(t.text, sizeof t.text, "; %" PRIu64 " event%s stored", b->stored, b->stored == 1 ? "" : "s");
	return t;
}

/* ---- the batch ---- */

static int print_ids(struct bulk *b, const struct sr_reply *reply, const struct sr_publish_result *result, size_t count)
{
	const char *id = b->p.publish.id;

	for (size_t i = 0; i < result->count && i < count; i++)
		if (sr_producer_print(b->ctl, &b->json, sr_publish_id(reply, i), result->outcome == SR_SAME) != SR_OK)
			return sr_ctl_fail(b->ctl, SR_EX_LATER, id, "%s%s", sr_strerror(SR_ENOMEM), tally(b).text);
	if (result->count < count)
		sr_ctl_note(b->ctl, id, "%zu events are stored whose ids the log no longer has", count - result->count);
	return 0;
}

static int read_answer(struct bulk *b, const struct sr_reply *reply, size_t count)
{
	struct sr_publish_result result;
	int code;

	if (sr_publish_read(reply, &result) != SR_OK)
		return sr_ctl_odd_reply(b->ctl, b->p.publish.id);
	code = sr_producer_refused(b->ctl, &b->p, &result, tally(b).text);
	if (code)
		return code;
	if (result.count == 0)
		return sr_ctl_fail(b->ctl, SR_EX_LATER, b->p.publish.id,
		                   "Redis no longer says what producer %s stored as number %" PRIu64 ": does another program use that name?%s", b->p.name,
		                   b->p.publish.n, tally(b).text);
	b->stored += count;
	return print_ids(b, reply, &result, count);
}

/* How to go on after an end that left the outcome open. */
static void advise(const struct bulk *b)
{
	sr_ctl_note(b->ctl, b->p.publish.id,
	            "%" PRIu64 " event%s stored for certain; to go on, give the same input again with --producer %s --n %" PRIu64, b->stored,
	            b->stored == 1 ? "" : "s", b->p.name, b->first);
}

static int send_call(struct bulk *b, struct sr_call *call, size_t count)
{
	struct sr_reply *reply;
	int code = sr_ctl_call(b->ctl, b->p.publish.id, call, &reply);

	if (code)
		advise(b);
	else
		code = read_answer(b, reply, count);
	sr_reply_free(reply);
	return code;
}

/* Send what was read. */
static int send_batch(struct bulk *b)
{
	const char *at = sr_buf_text(&b->batch);
	char type[SR_EVENT_TYPE_MAX + 1];
	struct sr_call call;
	int code;

	if (b->count == 0)
		return 0;
	sr_publish_call(&call, &b->ctl->reg, &b->p.publish);
	for (size_t i = 0; i < b->count; at += b->len[i].type + b->len[i].data, i++) {
		memcpy(type, at, b->len[i].type);
		type[b->len[i].type] = '\0';
		sr_publish_add(&call, type, at + b->len[i].type, b->len[i].data);
	}
	code = send_call(b, &call, b->count);
	sr_buf_reset(&b->batch);
	b->count = 0;
	return code;
}

static int send_end(struct bulk *b)
{
	struct sr_call call;

	sr_end_call(&call, &b->ctl->reg, &b->p.publish, b->in.type.data, b->in.data.data, b->in.data.len);
	return send_call(b, &call, 1);
}

static int add_to_batch(struct bulk *b)
{
	if (sr_buf_append(&b->batch, b->in.type.data, b->in.type.len) != SR_OK || sr_buf_append(&b->batch, b->in.data.data, b->in.data.len) != SR_OK)
		return sr_ctl_fail(b->ctl, SR_EX_LATER, b->p.publish.id, "%s%s", sr_strerror(SR_ENOMEM), tally(b).text);
	b->len[b->count].type = b->in.type.len;
	b->len[b->count].data = b->in.data.len;
	b->count++;
	return 0;
}

static int take_event(struct bulk *b)
{
	uint64_t number = b->next++;
	int code = 0;

	if (number <= b->known)
		return 0;
	if (b->in.terminal || b->batch.len + b->in.data.len > BATCH_BYTES)
		code = send_batch(b);
	if (code)
		return code;
	b->p.publish.n = number;
	if (b->in.terminal)
		return send_end(b);
	code = add_to_batch(b);
	return !code && b->count == SR_BATCH_MAX ? send_batch(b) : code;
}

/* ---- input ---- */

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* What was stored is stored, whether its ids can be written or not. */
static int flush_ids(struct bulk *b)
{
	if (sr_out_flush(&b->ctl->out) == SR_OK)
		return 0;
	return sr_ctl_fail(b->ctl, SR_EX_IO, "standard output", "%s%s", strerror(errno), tally(b).text);
}

/* Before it waits, all that was read is stored and its ids are out. */
static int await_input(struct bulk *b)
{
	int code = send_batch(b);

	if (!code)
		code = flush_ids(b);
	if (!code)
		sr_interrupt_wait(STDIN_FILENO);
	return code;
}

static int read_input(struct bulk *b)
{
	char bytes[SR_NDJSON_FEED_MAX];
	ssize_t n;
	int code;

	if (!is_readable(STDIN_FILENO)) {
		code = await_input(b);
		if (code || sr_interrupt_noted())
			return code;
	}
	n = read(STDIN_FILENO, bytes, sizeof bytes);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return sr_ctl_fail(b->ctl, SR_EX_IO, "standard input", "%s%s", strerror(errno), tally(b).text);
	if (n == 0)
		sr_ndjson_close(&b->in);
	if (n > 0 && sr_ndjson_feed(&b->in, bytes, (size_t)n) != SR_OK)
		return sr_ctl_fail(b->ctl, SR_EX_LATER, b->p.publish.id, "%s%s", sr_strerror(SR_ENOMEM), tally(b).text);
	return 0;
}

static int refuse_line(struct bulk *b)
{
	int code = send_batch(b);

	if (code)
		return code;
	return sr_ctl_fail(b->ctl, SR_EX_DATA, b->p.publish.id, "line %" PRIu64 ": %s%s", b->in.number, sr_buf_text(&b->in.why), tally(b).text);
}

static int pump(struct bulk *b)
{
	int code = 0;

	while (!code && !sr_interrupt_noted()) {
		switch (sr_ndjson_next(&b->in)) {
		case SR_NDJSON_EVENT:
			code = take_event(b);
			break;
		case SR_NDJSON_MORE:
			code = read_input(b);
			break;
		case SR_NDJSON_END:
			return send_batch(b);
		case SR_NDJSON_BAD:
			return refuse_line(b);
		case SR_NDJSON_NOMEM:
			return sr_ctl_fail(b->ctl, SR_EX_LATER, b->p.publish.id, "%s%s", sr_strerror(SR_ENOMEM), tally(b).text);
		}
	}
	return code ? code : sr_ctl_fail(b->ctl, 128 + sr_interrupt_noted(), b->p.publish.id, "interrupted%s", tally(b).text);
}

/* ---- where to begin ---- */

/* A named producer may have stored a part of this input in an earlier run. */
static int find_known(struct bulk *b)
{
	struct sr_call call;
	struct sr_reply *reply;
	char field[2 + SR_PRODUCER_SIZE];
	int code;

	if (!b->p.named)
		return 0;
	snprintf(field, sizeof field, "p:%s", b->p.name);
	sr_ctl_plain(&call, b->ctl, "HGET", SR_KEY_STREAM, b->p.publish.id);
	sr_call_text(&call, field);
	code = sr_ctl_call(b->ctl, b->p.publish.id, &call, &reply);
	if (!code)
		b->known = strtoull(sr_reply_text(reply, NULL), NULL, 10);
	if (b->known >= b->first)
		sr_ctl_note(b->ctl, b->p.publish.id, "producer %s has stored the first %" PRIu64 " events already", b->p.name, b->known - b->first + 1);
	sr_reply_free(reply);
	return code;
}

int sr_bulk(struct sr_ctl *ctl, const char *id)
{
	struct bulk b = {.ctl = ctl};
	int code = sr_producer_start(ctl, &b.p, id);

	if (code)
		return code;
	b.first = b.next = b.p.publish.n;
	sr_ndjson_init(&b.in, (size_t)ctl->conf.event_bytes);
	sr_buf_init(&b.batch, BATCH_BYTES + (size_t)ctl->conf.event_bytes + SR_BATCH_MAX * SR_EVENT_TYPE_MAX);
	sr_json_begin(&b.json);
	sr_interrupt_note();
	code = find_known(&b);
	if (!code)
		code = pump(&b);
	if (!code)
		code = flush_ids(&b);
	sr_buf_release(&b.batch);
	sr_json_release(&b.json);
	sr_ndjson_release(&b.in);
	return code;
}
