/* two_threads.c - two producers in two threads at once, by the public header alone; a program of its own, because ThreadSanitizer
 * and Criterion do not go together. Each thread makes its producer, opens a stream, stores EVENTS events, and ends it. */
#include <pthread.h>
#include <sse_resilience.h>
#include <stdio.h>
#include <string.h>

#define EVENTS 300

struct worker {
	pthread_t thread;
	const char *id;
	unsigned stored;
	sse_result result;
	char why[256];
};

static void on_stored(void *ctx, uint64_t n, const char *event_id, int repeat)
{
	struct worker *w = ctx;

	(void)n;
	(void)event_id;
	(void)repeat;
	w->stored++;
}

static sse_result feed(sse_producer *p)
{
	static const char data[] = "{\"a\":[1,2.5,\"x\"]}";
	sse_result result = sse_open(p, NULL, SSE_WAIT);

	for (int i = 0; i < EVENTS && result == SSE_OK; i++) {
		result = sse_emit(p, "token", data, strlen(data), i % 10 ? 0 : SSE_WAIT);
		if (result == SSE_AGAIN)
			result = SSE_OK;
	}
	return result == SSE_OK ? sse_end(p, "completed", NULL, 0, SSE_WAIT) : result;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	sse_options options = SSE_OPTIONS_INIT;
	sse_producer *p;

	options.user = "ann";
	options.stored = on_stored;
	options.ctx = w;
	p = sse_producer_new(w->id, &options, w->why, sizeof w->why);
	w->result = feed(p);
	if (p)
		snprintf(w->why, sizeof w->why, "%s", sse_why(p));
	sse_producer_free(p);
	return NULL;
}

int main(void)
{
	struct worker workers[2] = {{.id = "thread-0"}, {.id = "thread-1"}};
	int failed = 0;

	for (int i = 0; i < 2; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			return 2;
	for (int i = 0; i < 2; i++) {
		pthread_join(workers[i].thread, NULL);
		printf("%s %s %u\n", workers[i].id, sse_strerror(workers[i].result), workers[i].stored);
		if (workers[i].result != SSE_OK) {
			fprintf(stderr, "%s: %s\n", workers[i].id, workers[i].why);
			failed = 1;
		}
	}
	return failed;
}
