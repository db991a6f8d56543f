/* sse_resilience.c - the calls of sse_resilience.h: their arguments are checked here; what they do is producer_handle.c's. */
#include "common/lib/sse_resilience.h"

#include "common/id.h"
#include "common/json.h"
#include "common/lib/producer_handle.h"
#include "common/ndjson.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define METADATA_MAX 8192

const char *sse_strerror(sse_result result)
{
	static const char *const texts[] = {
		[SSE_OK] = "done",
		[SSE_AGAIN] = "not done in time; it is kept, and goes on with the next call",
		[SSE_FULL] = "too many events are kept already",
		[SSE_INVALID] = "an argument is wrong",
		[SSE_TOO_BIG] = "the data is larger than event_bytes",
		[SSE_NO_MEMORY] = "out of memory",
		[SSE_CONFIG] = "the configuration is wrong",
		[SSE_ENDED] = "the stream has ended",
		[SSE_UNKNOWN] = "no such stream; open it first",
		[SSE_FOREIGN] = "the stream belongs to another user",
		[SSE_FENCED] = "another producer took the lease",
		[SSE_FORGOTTEN] = "another program uses this producer's name and numbers",
		[SSE_DENIED] = "Redis refuses the user, the password, or a command",
		[SSE_BROKEN] = "Redis answered what it never should"};

	return (unsigned)result < sizeof texts / sizeof *texts ? texts[result] : "no such result";
}

/* ---- structs that grow ---- */

/* Copy the caller's struct, which begins with its size, over ours, which is filled with zeros. It may be of an older header, and
 * shorter, but not below 0.1's; what a newer one has more must be unset. A new member never goes where this has padding. */
static bool take_struct(void *ours, size_t size, size_t least, const void *theirs)
{
	size_t said;

	memcpy(&said, theirs, sizeof said);
	if (said < least || said > 4096)
		return false;
	for (size_t i = size; i < said; i++)
		if (((const char *)theirs)[i])
			return false;
	memcpy(ours, theirs, said < size ? said : size);
	return true;
}

/* ---- new ---- */

/* NULL when all is well, else what is wrong. */
static const char *check_options(const char *stream_id, const sse_options *o)
{
	if (!stream_id || !sr_stream_id_valid(stream_id, strlen(stream_id)))
		return "stream_id: 1 to 128 of A-Z a-z 0-9 . _ ~ : - and not - alone";
	if (o->user && !sr_user_valid(o->user, strlen(o->user)))
		return "user: 1 to 255 bytes without control characters, or NULL";
	if (o->producer && !sr_producer_name_valid(o->producer, strlen(o->producer)))
		return "producer: 1 to 32 of a-z 0-9, or NULL";
	if (o->first_n > SR_PRODUCER_N_MAX)
		return "first_n: at most 2^53 - 1";
	if (o->backlog_bytes > SIZE_MAX / 4)
		return "backlog_bytes: too large";
	return NULL;
}

static sse_producer *make(const char *stream_id, const sse_options *o, struct sr_buf *why)
{
	struct sr_handle_options more = {.connection = "libsse-resilience"};
	struct sr_conf conf;
	sse_producer *p;

	if (sr_conf_settings(&conf, o->settings, why) != SR_OK)
		return NULL;
	more.conf = &conf;
	p = sr_handle_new(stream_id, o, &more);
	if (!p) {
		sr_conf_release(&conf);
		return NULL;
	}
	p->own = conf;
	p->more.conf = &p->own;
	return p;
}

sse_producer *sse_producer_new(const char *stream_id, const sse_options *options, char *why, size_t why_size)
{
	sse_options o = SSE_OPTIONS_INIT;
	const char *complaint = NULL;
	sse_producer *p = NULL;
	struct sr_buf said;

	sr_buf_init(&said, 1024);
	if (options && !take_struct(&o, sizeof o, sizeof o, options))
		complaint = "options: begin with SSE_OPTIONS_INIT, of a header that is not newer than the library";
	else
		complaint = check_options(stream_id, &o);
	if (!complaint)
		p = make(stream_id, &o, &said);
	if (!p && !complaint)
		complaint = said.len ? said.data : sse_strerror(SSE_NO_MEMORY);
	if (why && why_size > 0)
		snprintf(why, why_size, "%s", p ? "" : complaint);
	sr_buf_release(&said);
	return p;
}

/* ---- open ---- */

static sse_result check_stream(sse_producer *p, sse_stream *s, struct sr_buf *metadata)
{
	struct sr_buf why;
	enum sr_err err = SR_OK;
	sse_result result = SSE_OK;

	if (s->type && !sr_event_type_valid(s->type, strlen(s->type)))
		return sr_handle_say(p, SSE_INVALID, "type: '%.80s' is not 1 to %d of A-Z a-z 0-9 . _ : -", s->type, SR_EVENT_TYPE_MAX);
	if (!s->metadata)
		return SSE_OK;
	sr_buf_init(&why, 512);
	err = sr_json_normalise_object(metadata, s->metadata, strlen(s->metadata), &why);
	if (err == SR_ETOOBIG)
		result = sr_handle_say(p, SSE_INVALID, "metadata: more than %d bytes", METADATA_MAX);
	else if (err == SR_EINVAL)
		result = sr_handle_say(p, SSE_INVALID, "metadata: %s", sr_buf_text(&why));
	else if (err != SR_OK)
		result = sr_handle_say(p, SSE_NO_MEMORY, "%s", sr_strerror(err));
	s->metadata = sr_buf_text(metadata);
	sr_buf_release(&why);
	return result;
}

/* The first opening: make the engine so that it opens. */
static sse_result begin_open(sse_producer *p, const sse_stream *stream)
{
	sse_stream s = SSE_STREAM_INIT;
	struct sr_buf metadata;
	sse_result result;

	if (stream && !take_struct(&s, sizeof s, sizeof s, stream))
		return sr_handle_say(p, SSE_INVALID, "stream: begin with SSE_STREAM_INIT, of a header that is not newer than the library");
	sr_buf_init(&metadata, METADATA_MAX);
	result = check_stream(p, &s, &metadata);
	if (result == SSE_OK)
		result = sr_handle_begin(p, &s);
	sr_buf_release(&metadata);
	return result;
}

sse_result sse_open(sse_producer *p, const sse_stream *stream, int wait_ms)
{
	sse_result result = SSE_OK;

	if (!p)
		return SSE_INVALID;
	sr_buf_reset(&p->why);
	if (p->engine && !p->opens)
		return sr_handle_say(p, SSE_INVALID, "open comes before the first event and the first beat");
	if (!p->engine)
		result = begin_open(p, stream);
	return result == SSE_OK ? sr_handle_go(p, SR_UNTIL_OPEN, 0, wait_ms) : result;
}

/* ---- events ---- */

/* Bring the data into stored form, in p->data, and check the event. */
static sse_result check_event(sse_producer *p, const char *type, const char *data, size_t len)
{
	size_t most = (size_t)p->more.conf->event_bytes;
	struct sr_buf why;
	enum sr_err err;
	sse_result result = SSE_OK;

	sr_buf_reset(&p->data);
	sr_buf_init(&why, 512);
	err = len > 4 * most ? SR_ETOOBIG : sr_json_normalise(&p->data, data, len, &why); /* white space is not stored */
	if (err == SR_EINVAL) {
		result = sr_handle_say(p, SSE_INVALID, "the data is no JSON: %s", sr_buf_text(&why));
	} else if (err == SR_OK) {
		err = sr_event_check(type, strlen(type), p->data.len, most, &why);
		if (err == SR_EINVAL)
			result = sr_handle_say(p, SSE_INVALID, "%s", sr_buf_text(&why));
	}
	if (err == SR_ETOOBIG)
		result = sr_handle_say(p, SSE_TOO_BIG, "the data is larger than event_bytes = %zu", most);
	else if (err == SR_ENOMEM)
		result = sr_handle_say(p, SSE_NO_MEMORY, "%s", sr_strerror(err));
	sr_buf_release(&why);
	return result;
}

/* Take the event, when there is room. What waits for room counts as waiting for the event. */
static sse_result take(sse_producer *p, const char *type, sr_mono_ms deadline)
{
	size_t len = strlen(type), kept;
	sse_result result = sr_handle_put(p, type, len, p->data.data, p->data.len), gone;

	while (result == SSE_FULL) {
		int64_t left = deadline - sr_clock_mono();

		kept = sse_kept(p);
		gone = sr_handle_go(p, SR_UNTIL_KEPT, kept ? kept - 1 : 0, left > 0 ? left : 0);
		if (gone != SSE_OK && gone != SSE_AGAIN)
			return gone;
		result = sr_handle_put(p, type, len, p->data.data, p->data.len);
		if (gone == SSE_AGAIN)
			break;
	}
	return result;
}

static sse_result store(sse_producer *p, const char *type, const char *data, size_t len, int wait_ms)
{
	sr_mono_ms deadline = sr_clock_mono() + (wait_ms < 0 ? SR_HANDLE_WAIT_MS : wait_ms);
	sse_result result = check_event(p, type, data ? data : "{}", data ? len : 2);
	int64_t left;

	if (result == SSE_OK)
		result = sr_handle_begin(p, NULL);
	if (result == SSE_OK)
		result = take(p, type, deadline);
	if (result != SSE_OK)
		return result;
	sr_buf_reset(&p->why);
	left = deadline - sr_clock_mono();
	return sr_handle_go(p, SR_UNTIL_KEPT, 0, left > 0 ? left : 0);
}

sse_result sse_emit(sse_producer *p, const char *type, const char *data, size_t len, int wait_ms)
{
	if (!p)
		return SSE_INVALID;
	sr_buf_reset(&p->why);
	if (!type)
		return sr_handle_say(p, SSE_INVALID, "type: NULL");
	if (sr_event_type_terminal(type, strlen(type)))
		return sr_handle_say(p, SSE_INVALID, "type: %s ends the stream: sse_end()", type);
	return store(p, type, data, len, wait_ms);
}

sse_result sse_end(sse_producer *p, const char *type, const char *data, size_t len, int wait_ms)
{
	if (!p)
		return SSE_INVALID;
	sr_buf_reset(&p->why);
	if (!type || !sr_event_type_terminal(type, strlen(type)))
		return sr_handle_say(p, SSE_INVALID, "type: completed, failed or cancelled end a stream");
	return store(p, type, data, len, wait_ms);
}

/* ---- without an event ---- */

sse_result sse_beat(sse_producer *p, int wait_ms)
{
	sse_result result;

	if (!p)
		return SSE_INVALID;
	sr_buf_reset(&p->why);
	result = sr_handle_begin(p, NULL);
	if (result != SSE_OK)
		return result;
	sr_producer_beat(p->engine);
	return sr_handle_go(p, SR_UNTIL_BEAT, p->beats, wait_ms);
}

sse_result sse_flush(sse_producer *p, int wait_ms)
{
	if (!p)
		return SSE_INVALID;
	sr_buf_reset(&p->why);
	return p->engine ? sr_handle_go(p, SR_UNTIL_KEPT, 0, wait_ms) : SSE_OK;
}

sse_result sse_work(sse_producer *p, int wait_ms)
{
	sse_result result;

	if (!p)
		return SSE_INVALID;
	sr_buf_reset(&p->why);
	result = p->engine ? sr_handle_go(p, SR_UNTIL_IDLE, 0, wait_ms) : SSE_OK;
	return result == SSE_AGAIN ? SSE_OK : result;
}

/* ---- what is known ---- */

size_t sse_kept(const sse_producer *p)
{
	return p && p->engine ? sr_producer_waiting(p->engine) : 0;
}

size_t sse_unconfirmed(const sse_producer *p)
{
	return p && p->engine ? sr_producer_unconfirmed(p->engine) : 0;
}

uint64_t sse_skipped(const sse_producer *p)
{
	return p && p->engine ? sr_producer_skipped(p->engine) : 0;
}

const char *sse_last_id(const sse_producer *p)
{
	return p ? p->last_id : "";
}

const char *sse_lease(const sse_producer *p)
{
	return p ? p->epoch : "";
}

const char *sse_end_type(const sse_producer *p)
{
	if (!p || !p->engine)
		return "";
	switch (sr_producer_end(p->engine)) {
	case SR_PRODUCER_DONE:
		return p->end_type;
	case SR_PRODUCER_ENDED:
		return sr_producer_end_type(p->engine);
	default:
		return "";
	}
}

const char *sse_why(const sse_producer *p)
{
	return p ? sr_buf_text(&p->why) : "no producer";
}
