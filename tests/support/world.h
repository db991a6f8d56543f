/* world.h - what a test of the registry stands on: a private Redis, a session on it, the seed's policy, and the verbs as one
 * call each. Everything here asserts: what returns has worked. Replies and texts live until world_close(). */
#ifndef SR_TEST_WORLD_H
#define SR_TEST_WORLD_H
#include "common/registry.h"
#include "common/session.h"
#include "tests/support/redisd.h"
#include <criterion/criterion.h>

#define STREAM_TTL 3600000
#define COMPLETION_TTL 300000
#define BEAT 10000
#define STALE 30000
#define GRACE 60000
#define PROOF 20000

struct world {
	struct redisd *redis;
	struct sr_conf conf;
	struct sr_registry reg; /* a test may change it before a call */
	struct sr_session *session;
	bool odd;               /* the test leaves what another program wrote wrongly: only TTLs are checked at the end */
};
extern struct world w;

void world_open(void);
void world_close(void);
/* What must hold after every test: no key without a TTL, and no index, record, log and completion that contradict each other. */
void world_check(void);

/* Seconds. Every test of a program has the same: with different ones Criterion 2.4.1 itself leaks, and LeakSanitizer says so. */
#define WORLD_TIMEOUT 30

/* A test in such a world. The check is part of its body, since Criterion passes a test whose .fini fails. */
#define world_test(suite, name) \
	static void suite##_##name##_body(void); \
	Test(suite, name, .init = world_open, .fini = world_close, .timeout = WORLD_TIMEOUT) \
	{ \
		suite##_##name##_body(); \
		world_check(); \
	} \
	static void suite##_##name##_body(void)

/* Another session on the same Redis, for another process of the test. */
struct sr_session *world_session(const char *name);

/* --- any call ------------------------------------------------------------------------------------------------ */

/* Send a call, once, and release it. */
const struct sr_reply *world_call(struct sr_call *call);
/* A plain command of words. */
const struct sr_reply *world_raw(const char *const *words);
#define raw(...) world_raw((const char *const[]){__VA_ARGS__, NULL})
#define raw_int(...) sr_reply_int(raw(__VA_ARGS__), -1000)
#define raw_text(...) sr_reply_text(raw(__VA_ARGS__), NULL)

/* A number as a word; a ring of 16. */
const char *num(long long n);
/* A text by format; a ring of 64. */
const char *text(const char *format, ...) SR_PRINTF(1, 2);
/* `count` times the byte; the caller frees it. */
char *repeat(char byte, size_t count);

/* --- looking ------------------------------------------------------------------------------------------------- */

long long redis_ms(void); /* Redis's own TIME */
bool there(const char *key);
long long pttl(const char *key);
/* The TTL was set to `ms` within the last ten seconds. */
#define assert_ttl(key, ms) \
	cr_assert(pttl(key) > (ms) - 10000 && pttl(key) <= (ms), "PTTL of %s is %lld, not %lld", (key), pttl(key), (long long)(ms))
const char *field(const char *key, const char *name); /* "" = none */
/* Of all that Redis holds: equal before and after a call that must write nothing. */
const char *digest(void);
long long score(const char *zset, const char *id);    /* -1000 = no member */
/* 2026-11-23T20:27:00.123Z, and not further from Redis's clock than ten seconds. */
bool iso_now(const char *date);
bool same_id(struct sr_event_id id, const char *text);
/* The i-th entry of a log, from the front: its id, type and data in one text "id type data"; "" = none. */
const char *entry(const char *key, int i);

/* --- hearing ------------------------------------------------------------------------------------------------- */

struct heard { struct sr_event_id id, prev; char type[80], data[256], owner[256]; bool inlined, quiet; };
/* Subscribe to the channel of a stream, and wait for the acknowledgement. */
void listen_to(const char *id);
/* The next push; quiet: none had come when a mark, sent now, came. */
struct heard hear(void);

/* --- the verbs: attach(.id = "a", .user = "bob") ------------------------------------------------------------- */

/* A NULL user is "ann" and a NULL node "n1"; viewers 0 is 1. */
struct sr_attach_result world_attach(struct sr_attach a);
#define attach(...) world_attach((struct sr_attach){__VA_ARGS__})
bool detach(const char *id, const char *node, int remaining, bool draining);
struct sr_beat_result world_beat(const char *node, struct sr_beat b);
#define node_beat(node, ...) world_beat((node), (struct sr_beat){__VA_ARGS__})
#define producer_beat(...) world_beat("", (struct sr_beat){__VA_ARGS__})
struct sr_recover_result recover_as(const char *id, const char *user, bool anonymous);
struct sr_open_result world_open_stream(struct sr_open o);
#define open_stream(...) world_open_stream((struct sr_open){__VA_ARGS__})

struct stored {
	enum sr_outcome outcome;
	size_t count;
	const char *end_type;
	const struct sr_reply *reply;
};
const char *stored_id(struct stored s, size_t i);
/* A NULL user is "" (not checked), a NULL producer "" (none). */
struct stored world_publish(const char *type, const char *data, struct sr_publish p);
#define publish(type, data, ...) world_publish((type), (data), (struct sr_publish){__VA_ARGS__})
/* `count` events of the type "token", whose data is their number from `first` on. */
struct stored world_publish_many(int first, int count, struct sr_publish p);
#define publish_many(first, count, ...) world_publish_many((first), (count), (struct sr_publish){__VA_ARGS__})
struct stored world_end(const char *type, const char *data, struct sr_publish p);
#define end_stream(type, data, ...) world_end((type), (data), (struct sr_publish){__VA_ARGS__})

/* The proof that sweep asks for: as if the canary had sung for `ms` until now. */
void prove(long long ms);
enum sr_verdict sweep_one(const char *id);
/* Put the last heartbeat of a stream `ms` into the past. */
void age(const char *id, long long ms);
/* A record as the seed's classes write it, with its TTL. */
void seed_record(const char *id, const char *user, const char *state);
/* A completion as the seed's classes write it; without a TTL if `timeless`. */
void seed_completion(const char *id, const char *type, const char *data, bool timeless);

#endif
