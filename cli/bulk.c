/* bulk.c - `emit ID -`: events from standard input, over one connection.
 *
 *   stdin ──> ndjson ──> the producer's backlog ──> batches, one at a time ──> ids to stdout
 *
 * While Redis stores one batch, the next one is read. Each event has a number, from --n on: of a producer's name Redis keeps the
 * number that was stored last (common/lua/lib/producer.lua), so that the same input given again is stored once. */
#include "cli/produce.h"

#include "cli/interrupt.h"
#include "common/ndjson.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct bulk {
	struct sr_ctl *ctl;
	struct sr_producing p;
	struct sr_ndjson in;
	struct sr_json json;
	uint64_t stored;   /* by this run */
	uint64_t nameless; /* of them: the log no longer has their ids, and that is not yet said */
	unsigned taken;    /* events since the loop was turned last */
	bool resumed;      /* it was said that an earlier run has stored some */
	bool no_memory;    /* an id could not be printed */
};

/* "; 7 events stored" */
struct tally { char text[64]; };

static struct tally tally(const struct bulk *b)
{
	struct tally t;

	snprintf(t.text, sizeof t.text, "; %" PRIu64 " event%s stored", b->stored, b->stored == 1 ? "" : "s");
	return t;
}

static int out_of_memory(const struct bulk *b)
{
	return sr_ctl_fail(b->ctl, SR_EX_LATER, b->p.id, "%s%s", sr_strerror(SR_ENOMEM), tally(b).text);
}

/* ---- what is stored ---- */

static uint64_t known(const struct bulk *b)
{
	return b->p.handle->engine ? sr_producer_known(b->p.handle->engine) : 0;
}

static void on_stored(void *ctx, uint64_t n, const char *event_id, int repeat)
{
	struct bulk *b = ctx;

	if (repeat && n <= known(b))
		return; /* by an earlier run, which has printed it */
	b->stored++;
	if (!*event_id)
		b->nameless++;
	else if (sr_producing_print(b->ctl, &b->json, event_id, repeat) != SR_OK)
		b->no_memory = true;
}

/* What cannot be said from within the library's call. */
static int tell(struct bulk *b)
{
	if (!b->resumed && known(b) >= b->p.n) {
		sr_ctl_note(b->ctl, b->p.id, "producer %s has stored the first %" PRIu64 " events already", b->p.name, known(b) - b->p.n + 1);
		b->resumed = true;
	}
	if (b->nameless)
		sr_ctl_note(b->ctl, b->p.id, "%" PRIu64 " events are stored whose ids the log no longer has", b->nameless);
	b->nameless = 0;
	return b->no_memory ? out_of_memory(b) : 0;
}

/* How to go on after an end that left the outcome open. */
static void advise(const struct bulk *b)
{
	sr_ctl_note(b->ctl, b->p.id,
	            "%" PRIu64 " event%s stored for certain; to go on, give the same input again with --producer %s --n %" PRIu64, b->stored,
	            b->stored == 1 ? "" : "s", sr_producer_name(b->p.handle->engine), b->p.n);
}

static int judge(struct bulk *b, sse_result result)
{
	int told = tell(b), code = sr_producing_failed(&b->p, result, tally(b).text);

	if (sr_producing_doubtful(&b->p, result))
		advise(b);
	return code ? code : told;
}

/* Wait until at most `kept` events are on their way. Each batch that is stored gives it --deadline again. */
static int wait_for(struct bulk *b, size_t kept)
{
	sse_result result = SSE_OK;

	b->taken = 0;
	while (result == SSE_OK && sse_kept(b->p.handle) > kept + SR_BATCH_MAX)
		result = sr_handle_go(b->p.handle, SR_UNTIL_KEPT, sse_kept(b->p.handle) - SR_BATCH_MAX, b->ctl->deadline_ms);
	if (result == SSE_OK)
		result = sr_handle_go(b->p.handle, SR_UNTIL_KEPT, kept, b->ctl->deadline_ms);
	return judge(b, result);
}

/* Send what may be sent now, and do not wait for it. */
static int push(struct bulk *b)
{
	sse_result result = sr_handle_go(b->p.handle, SR_UNTIL_KEPT, 0, 0);

	b->taken = 0;
	return judge(b, result == SSE_AGAIN ? SSE_OK : result);
}

static int take_event(struct bulk *b)
{
	sse_result result = sr_handle_put(b->p.handle, b->in.type.data, b->in.type.len, b->in.data.data, b->in.data.len);
	int code = 0;

	while (result == SSE_FULL && !code) {
		code = wait_for(b, sse_kept(b->p.handle) / 2);
		if (!code)
			result = sr_handle_put(b->p.handle, b->in.type.data, b->in.type.len, b->in.data.data, b->in.data.len);
	}
	if (code || result != SSE_OK)
		return code ? code : judge(b, result);
	if (++b->taken < SR_BATCH_MAX)
		return 0;
	code = wait_for(b, SR_BATCH_MAX);
	return code ? code : push(b);
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
	int code = wait_for(b, 0);

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
		return out_of_memory(b);
	return 0;
}

static int refuse_line(struct bulk *b)
{
	int code = wait_for(b, 0);

	if (code)
		return code;
	return sr_ctl_fail(b->ctl, SR_EX_DATA, b->p.id, "line %" PRIu64 ": %s%s", b->in.number, sr_buf_text(&b->in.why), tally(b).text);
}

static int interrupted(struct bulk *b)
{
	int code = wait_for(b, 0); /* what was read is counted as stored, or not at all */

	return code ? code : sr_ctl_fail(b->ctl, 128 + sr_interrupt_noted(), b->p.id, "interrupted%s", tally(b).text);
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
			return wait_for(b, 0);
		case SR_NDJSON_BAD:
			return refuse_line(b);
		case SR_NDJSON_NOMEM:
			return out_of_memory(b);
		}
	}
	return code ? code : interrupted(b);
}

static int run(struct bulk *b)
{
	sse_result result = sr_handle_begin(b->p.handle, NULL);
	int code;

	if (result != SSE_OK)
		return judge(b, result);
	sr_interrupt_note();
	code = pump(b);
	return code ? code : flush_ids(b);
}

int sr_bulk(struct sr_ctl *ctl, const char *id)
{
	struct bulk b = {.ctl = ctl};
	int code;

	sr_ndjson_init(&b.in, (size_t)ctl->conf.event_bytes);
	sr_json_begin(&b.json);
	code = sr_producing_start(ctl, &b.p, id, (sse_options){.stored = on_stored, .ctx = &b});
	if (!code)
		code = run(&b);
	sr_producing_end(&b.p);
	sr_json_release(&b.json);
	sr_ndjson_release(&b.in);
	return code;
}
