/* sse_resilience.h - feed a server-sent event stream of sse-resilience from C. Link with -lsse-resilience (pkg-config
 * sse-resilience).
 *
 *   sse_producer *p = sse_producer_new("job-42", NULL, why, sizeof why);
 *   sse_open(p, NULL, SSE_WAIT);
 *   sse_emit(p, "progress", "{\"percent\":40}", 14, SSE_WAIT);
 *   sse_end(p, "completed", "{\"rows\":1200}", 13, SSE_WAIT);
 *   sse_producer_free(p);
 *
 * Exactly once   An event that was taken is stored once and in order. SSE_AGAIN is no failure: the event is kept, and every later
 *                call goes on with it; do not emit it again. What is still kept when the producer is freed is lost.
 * Waiting        Each call does its work and returns when that is done, refused, or `wait_ms` have passed. 0 = do what can be
 *                done without waiting; SSE_WAIT = the default deadline, 10 seconds. What is kept moves only inside calls.
 * Beats          A leased stream whose producer is silent for stale_threshold (30 s) becomes an orphan. Each event is a sign of life;
 *                in a long silence call sse_beat(), or sse_work() now and then, which beats by itself for a lease of sse_open().
 * Settings       "name=value" texts of the options in sse-resilience.conf(5), over the environment (SSE_REDIS_URL ...), over the
 *                file named by SSE_CONFIG or /etc/sse-resilience/sse-resilience.conf.
 * Threads        No global state. A producer is used by one thread at a time; different producers by different threads at once. No
 *                thread works behind you, but for the look-up of a host's name while it connects.
 * Process        Prints and logs nothing, touches no signal (a lost connection raises no SIGPIPE), never exits. Descriptors are
 *                close-on-exec. After fork() a child must not use or free its parent's producers; exec and exit are fine.
 * Strings        are NUL-terminated UTF-8; what is passed in is copied, what comes out belongs to the producer until its next call.
 * The names of streams, types and users have the grammar of sse-resilience-redis(7).
 *
 * ABI: symbols are versioned; structs begin with their size, which the _INIT macros fill, and only ever grow. */
#ifndef SSE_RESILIENCE_H
#define SSE_RESILIENCE_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

#define SSE_RESILIENCE_VERSION "0.1.0"
#define SSE_WAIT (-1)

typedef struct sse_producer sse_producer;

typedef enum sse_result {
	SSE_OK = 0,
	SSE_AGAIN,      /* not done in time; it is kept and goes on with the next call. sse_why() says what is missing */
	SSE_FULL,       /* too much is kept already: nothing was taken. sse_flush() first */
	SSE_INVALID,    /* an argument breaks its grammar (sse_why() says how), comes too late, or there is no producer: nothing was taken */
	SSE_TOO_BIG,    /* the data passes event_bytes: nothing was taken */
	SSE_NO_MEMORY,  /* nothing was taken */
	SSE_CONFIG,     /* a setting, the environment or the configuration file is wrong: sse_producer_new() only */
	/* From here on the producer is closed: what it kept is lost (sse_kept() says how much), and every later call returns the same. */
	SSE_ENDED,      /* the stream has its terminal event: sse_end_type() */
	SSE_UNKNOWN,    /* no such stream: open it first */
	SSE_FOREIGN,    /* it belongs to another user */
	SSE_FENCED,     /* another producer took the lease */
	SSE_FORGOTTEN,  /* another program uses this producer's name and numbers */
	SSE_DENIED,     /* Redis refuses the user, the password, or a command */
	SSE_BROKEN      /* Redis answered what it never should; sse_why() */
} sse_result;

/* A short English text; never NULL, static. */
const char *sse_strerror(sse_result result);

typedef struct sse_options {
	size_t size;
	const char *const *settings;   /* "redis_url=unix:///run/redis.sock", also "config=/a/file"; NULL-ended; NULL = none */
	const char *user;              /* whose stream it is; NULL = not checked, and an ownerless stream when it is created */
	const char *producer;          /* name under which repeats are known, over restarts of the program: 1 to 32 of a-z 0-9; NULL = a random one */
	uint64_t first_n;              /* number of the first event of a named producer; 0 = 1. The same number is the same event: what an
	                                * earlier run has stored is not stored again, and told to `stored` as a repeat. */
	size_t backlog_bytes;          /* bound of what is kept; 0 = 8 MiB; at least one event of event_bytes fits */
	int drop_oldest;               /* a full backlog drops its oldest events, said in one event "skipped", instead of SSE_FULL */
	/* An event is stored. Called from inside any call below but never from sse_producer_new() or _free(); must not call back.
	 * event_id: "1763920000123-0", or "" for a repeat whose id the log no longer has. */
	void (*stored)(void *ctx, uint64_t n, const char *event_id, int repeat);
	void *ctx;
} sse_options;
#define SSE_OPTIONS_INIT {sizeof(sse_options), NULL, NULL, NULL, 0, 0, 0, NULL, NULL}

typedef struct sse_stream {
	size_t size;
	const char *type;      /* kind of work; NULL = "generation", or as it is */
	const char *metadata;  /* a JSON object of at most 8 KiB; NULL = {}, or as it is */
	int lease;             /* not 0: this producer beats, and the stream is failed for it when it dies */
} sse_stream;
#define SSE_STREAM_INIT {sizeof(sse_stream), NULL, NULL, 1}

/* A producer of one stream. options NULL = all defaults; all is copied. NULL with a sentence in `why` (always NUL-terminated; why_size
 * 0: not told) when an option or the configuration is wrong or memory is out. Reads the configuration; connects in the next call.
 * A NULL producer is harmless: every call answers SSE_INVALID, and sse_producer_free() takes it. */
sse_producer *sse_producer_new(const char *stream_id, const sse_options *options, char *why, size_t why_size);
/* NULL is fine. The stream lives on: whoever wants an end calls sse_end() before. */
void sse_producer_free(sse_producer *p);

/* Create the stream, or take it over. stream NULL = SSE_STREAM_INIT. Before the first event and beat (else SSE_INVALID); without it
 * they need a stream that exists. SSE_AGAIN: it goes on with every later call, and events can be emitted all the same. Once begun, a
 * further sse_open() only waits for it; its `stream` is not looked at. A stream that Redis lost is opened again by itself. */
sse_result sse_open(sse_producer *p, const sse_stream *stream, int wait_ms);
/* Store one event. data is JSON, len its bytes; NULL = {}. type: not completed, failed, cancelled (those are ends), connected, gap,
 * orphaned. SSE_OK: all that was kept is stored. When the backlog is full it waits for room first, and then says SSE_FULL. */
sse_result sse_emit(sse_producer *p, const char *type, const char *data, size_t len, int wait_ms);
/* Store the terminal event: type is completed, failed or cancelled. The first one of a stream wins: SSE_ENDED when it was another's.
 * It is taken even when the backlog is full. Afterwards sse_flush() and sse_work() are SSE_OK once it is stored, a further event is
 * SSE_INVALID, a beat SSE_ENDED. */
sse_result sse_end(sse_producer *p, const char *type, const char *data, size_t len, int wait_ms);
/* Say that the work goes on; and learn of its end by others (SSE_ENDED: somebody cancelled it). Waits for the answer, not for what is
 * kept. */
sse_result sse_beat(sse_producer *p, int wait_ms);
/* Until all that was taken is stored. */
sse_result sse_flush(sse_producer *p, int wait_ms);
/* Go on with what is kept and beat when it is time, for wait_ms (or until there is nothing to do but beat). SSE_OK also when some is
 * kept still: sse_kept(), sse_why(). */
sse_result sse_work(sse_producer *p, int wait_ms);

size_t sse_kept(const sse_producer *p);              /* events taken and not known to be stored */
size_t sse_unconfirmed(const sse_producer *p);       /* of these: sent, and perhaps stored */
uint64_t sse_skipped(const sse_producer *p);         /* dropped by drop_oldest */
const char *sse_last_id(const sse_producer *p);      /* of the event stored last; "" = none yet, or no longer known */
const char *sse_lease(const sse_producer *p);        /* the lease's epoch; "" = none */
const char *sse_end_type(const sse_producer *p);     /* SSE_ENDED, or after sse_end(): completed, failed, cancelled; else "" */
const char *sse_why(const sse_producer *p);          /* what the last call met; "" = nothing */

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
