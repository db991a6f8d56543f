/* wire.h - a Redis connection of ours (common/redis.h) under test: its hooks count, and the loop runs until something has
 * happened or a deadline has passed. And a server that is not Redis. Everything here asserts. */
#ifndef SR_TEST_WIRE_H
#define SR_TEST_WIRE_H
#include "common/redis.h"
#include "tests/support/folder.h"
#include <criterion/criterion.h>

/* One connection, its hooks' counts, and what they were told last. */
struct wire {
	struct ev_loop *loop;
	struct sr_redis *redis;
	int ready, down, messages, acks;
	enum sr_err down_err;
	char down_why[320], channel[256], payload[256];
	size_t payload_len;
	int ends_at_down; /* how many callbacks had been called when on_down was */
};

/* The end of one command. */
struct answer { int ends; enum sr_err err; long long number; char text[256]; };

/* On a loop of its own, or on that of `beside`. Starts it unless `idle`. A NULL name is "wire", a NULL password_file "". */
struct wire *wire_open(const struct sr_redis_options *options, struct wire *beside, bool idle);
#define wire_to(...) wire_open(&(struct sr_redis_options){__VA_ARGS__}, NULL, false)
/* Frees it; a shared loop goes with the last. */
void wire_close(struct wire *w);

/* Run the loop once, for at most 20 ms. */
void wire_turn(struct wire *w);
/* Run it until the condition holds; the test fails after `ms`. */
#define wire_until(w, condition, ms) \
	do { \
		for (long long until_ = wire_ms() + (ms); !(condition); wire_turn(w)) \
			cr_assert(wire_ms() < until_, "waited in vain for: %s (down %d: %s)", #condition, (w)->down, (w)->down_why); \
	} while (0)
long long wire_ms(void);

/* Send a plain command, with a deadline (0 = the default). */
enum sr_err wire_words(struct wire *w, struct answer *a, int64_t timeout_ms, const char *const *words);
#define wire_send(w, a, timeout_ms, ...) \
	cr_assert_eq(wire_words((w), (a), (timeout_ms), (const char *const[]){__VA_ARGS__, NULL}), SR_OK, "not queued: %s", sr_redis_why((w)->redis))
/* Send it and wait for the answer. */
struct answer wire_ask_words(struct wire *w, const char *const *words);
#define wire_ask(w, ...) wire_ask_words((w), (const char *const[]){__VA_ARGS__, NULL})
/* The callback behind the above, for calls of the test's own. ctx is a struct answer. */
void wire_answer(void *ctx, enum sr_err err, const struct sr_reply *reply);

/* --- a server that is not Redis ------------------------------------------------------------------------------ */

/* Listens on a Unix socket in a folder of its own; the test plays its part by hand. */
struct fake { int listener, peer; char folder[FOLDER_SIZE], path[FOLDER_SIZE + 16], url[128]; };
struct fake fake_open(int backlog);
void fake_close(struct fake *f);
/* Accept the connection under test, running its loop until it is there. */
void fake_accept(struct fake *f, struct wire *w);
void fake_hang_up(struct fake *f);
void fake_say(struct fake *f, const char *bytes, size_t len);
/* Read until `count` whole commands of any form have come. */
void fake_hear(struct fake *f, struct wire *w, int count);

#endif
