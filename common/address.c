/* address.c - see address.h. The lookup's thread and the loop share one job; a pipe carries "done" to the loop, and the
 * last of the two to let go frees it. */
#include "common/address.h"

#include "common/mem.h"
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum sr_err refuse(struct sr_buf *why, const char *url, const char *what)
{
	/* What stands before an '@' may hold a password, also where it was written wrongly. */
	sr_buf_explain(why, "redis_url '%s': %s", strchr(url, '@') ? "redis://...@..." : url, what);
	return SR_EINVAL;
}

/* Digits only, at most `most`; else -1. */
static int parse_number(const char *text, int most)
{
	int number = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (*text - '0');
		if (number > most)
			return -1;
	}
	return number;
}

#define DB_MAX 65535

static int copy(char *out, size_t size, const char *from, size_t len)
{
	if (len >= size)
		return -1;
	memcpy(out, from, len);
	out[len] = 0;
	return 0;
}

static enum sr_err parse_unix(struct sr_address *out, const char *url, const char *rest, struct sr_buf *why)
{
	const char *query = strchr(rest, '?');
	size_t len = query ? (size_t)(query - rest) : strlen(rest);

	if (rest[0] != '/')
		return refuse(why, url, "write unix:///absolute/path");
	if (copy(out->path, sizeof out->path, rest, len) != 0)
		return refuse(why, url, "a Unix socket's path has at most 107 bytes");
	if (query && (strncmp(query, "?db=", 4) != 0 || (out->db = parse_number(query + 4, DB_MAX)) < 0))
		return refuse(why, url, "after the path only ?db=NUMBER may stand");
	return SR_OK;
}

static enum sr_err parse_tcp(struct sr_address *out, const char *url, const char *rest, struct sr_buf *why)
{
	const char *slash = strchr(rest, '/');
	const char *end = slash ? slash : rest + strlen(rest);
	const char *at = memchr(rest, '@', (size_t)(end - rest));
	const char *host = at ? at + 1 : rest, *host_end, *colon;

	if (at && memchr(rest, ':', (size_t)(at - rest)))
		return refuse(why, url, "a password does not belong in the URL; use redis_password_file");
	if (at && copy(out->user, sizeof out->user, rest, (size_t)(at - rest)) != 0)
		return refuse(why, url, "the user has more than 127 bytes");
	if (slash && slash[1] && (out->db = parse_number(slash + 1, DB_MAX)) < 0)
		return refuse(why, url, "after the last '/' stands the number of a database");
	if (*host == '[' && (host_end = memchr(host, ']', (size_t)(end - host)))) {
		host++;
		colon = host_end + 1 < end ? host_end + 1 : NULL;
	} else {
		colon = memchr(host, ':', (size_t)(end - host));
		host_end = colon ? colon : end;
	}
	if (host_end == host)
		return refuse(why, url, "no host");
	if (copy(out->host, sizeof out->host, host, (size_t)(host_end - host)) != 0)
		return refuse(why, url, "the host has more than 255 bytes");
	if ((colon && *colon != ':') || copy(out->port, sizeof out->port, colon ? colon + 1 : "6379", colon ? (size_t)(end - colon - 1) : 4) != 0 ||
	    parse_number(out->port, 65535) < 1)
		return refuse(why, url, "the port is a number from 1 to 65535");
	return SR_OK;
}

enum sr_err sr_address_parse(struct sr_address *out, const char *url, struct sr_buf *why)
{
	*out = (struct sr_address){.db = 0};
	if (strncmp(url, "unix://", 7) == 0)
		return parse_unix(out, url, url + 7, why);
	if (strncmp(url, "redis://", 8) == 0)
		return parse_tcp(out, url, url + 8, why);
	return refuse(why, url, "write unix:///path or redis://[user@]host[:port][/db]");
}

struct sr_lookup {
	ev_io watcher;
	struct ev_loop *loop;
	sr_lookup_cb *cb;
	void *ctx;
	int pipe[2];
	atomic_int holders; /* the thread and the loop */
	char host[256], port[6];
	unsigned attempt;
	int gai_error;
	struct sr_socket_address found;
};

static void let_go(struct sr_lookup *job)
{
	if (atomic_fetch_sub(&job->holders, 1) != 1)
		return;
	close(job->pipe[0]);
	close(job->pipe[1]);
	free(job);
}

/* Of n addresses, the one whose turn it is. */
static const struct addrinfo *choose(const struct addrinfo *list, unsigned attempt)
{
	const struct addrinfo *it;
	unsigned n = 0;

	for (it = list; it; it = it->ai_next)
		n++;
	for (it = list, attempt %= n ? n : 1; attempt; attempt--)
		it = it->ai_next;
	return it;
}

static void *look_up(void *arg)
{
	struct sr_lookup *job = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
	const struct addrinfo *chosen;

	job->gai_error = getaddrinfo(job->host, job->port, &hints, &list);
	if (job->gai_error == 0) {
		chosen = choose(list, job->attempt);
		memcpy(&job->found.addr, chosen->ai_addr, chosen->ai_addrlen);
		job->found.len = chosen->ai_addrlen;
		freeaddrinfo(list);
	}
	if (write(job->pipe[1], "", 1) != 1)
		job->gai_error = EAI_SYSTEM; /* cannot be: the pipe is empty and this process holds both ends */
	let_go(job);
	return NULL;
}

static void on_done(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sr_lookup *job = (struct sr_lookup *)w->data;
	char why[384], byte;

	(void)revents;
	ev_io_stop(loop, w);
	/* Reading it orders what the thread wrote before what is read here. */
	if (read(job->pipe[0], &byte, 1) != 1)
		job->gai_error = EAI_SYSTEM; /* cannot be: it is readable, and nobody else reads */
	if (job->gai_error)
		snprintf(why, sizeof why, "cannot look up %s: %s", job->host, gai_strerror(job->gai_error));
	job->cb(job->ctx, job->gai_error ? SR_EIO : SR_OK, &job->found, job->gai_error ? why : "");
	let_go(job);
}

/* Signals are for the program's own threads: in a library this one must not take them. */
static bool start_thread(pthread_t *thread, struct sr_lookup *job)
{
	sigset_t all, old;
	bool started;

	sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0)
		return false;
	started = pthread_create(thread, NULL, look_up, job) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

struct sr_lookup *sr_lookup_start(struct ev_loop *loop, const struct sr_address *address, unsigned attempt, sr_lookup_cb *cb, void *ctx)
{
	struct sr_lookup *job = sr_calloc(1, sizeof *job);
	pthread_t thread;

	if (!job)
		return NULL;
	job->loop = loop;
	job->cb = cb;
	job->ctx = ctx;
	job->attempt = attempt;
	memcpy(job->host, address->host, sizeof job->host);
	memcpy(job->port, address->port, sizeof job->port);
	atomic_init(&job->holders, 2);
	if (pipe2(job->pipe, O_CLOEXEC) != 0) {
		free(job);
		return NULL;
	}
	if (!start_thread(&thread, job)) {
		atomic_store(&job->holders, 1);
		let_go(job);
		return NULL;
	}
	pthread_detach(thread);
	ev_io_init(&job->watcher, on_done, job->pipe[0], EV_READ);
	job->watcher.data = job;
	ev_io_start(loop, &job->watcher);
	return job;
}

void sr_lookup_cancel(struct sr_lookup *lookup)
{
	if (!lookup)
		return;
	ev_io_stop(lookup->loop, &lookup->watcher);
	let_go(lookup);
}
