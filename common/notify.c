#include "common/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STATUS_SECONDS 1.

static const char *manager(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	return len < 2 || len >= sizeof((struct sockaddr_un *)NULL)->sun_path || (path[0] != '/' && path[0] != '@') ? NULL : path;
}

/* Best effort: a manager that does not listen is no reason to fail. */
static void tell(const char *state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = manager();
	int fd;

	if (!path)
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	tell("WATCHDOG=1");
}

static void on_status(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct sr_notify *n = w->data;
	char now[SR_NOTIFY_SIZE] = "", state[SR_NOTIFY_SIZE + sizeof "STATUS="];

	(void)loop;
	(void)revents;
	n->describe(n->ctx, now, sizeof now);
	if (strcmp(now, n->said) == 0)
		return;
	memcpy(n->said, now, sizeof now);
	snprintf(state, sizeof state, "STATUS=%s", now);
	tell(state);
}

/* Half of the time after which systemd takes us for hung; 0 = it does not look. */
static double watchdog_seconds(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long value = usec ? strtoll(usec, NULL, 10) : 0;

	if (value <= 0 || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
		return 0.;
	return (double)value / 2e6;
}

void sr_notify_start(struct sr_notify *n, struct ev_loop *loop, sr_notify_describe *describe, void *ctx)
{
	double seconds = watchdog_seconds();

	*n = (struct sr_notify){.describe = describe, .ctx = ctx};
	if (!manager())
		return;
	tell("READY=1");
	ev_timer_init(&n->watchdog, on_watchdog, seconds, seconds);
	if (seconds > 0.)
		ev_timer_start(loop, &n->watchdog);
	ev_timer_init(&n->status, on_status, 0., STATUS_SECONDS);
	n->status.data = n;
	if (describe)
		ev_timer_start(loop, &n->status);
}

void sr_notify_reloading(void)
{
	struct timespec now = {0};
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now); /* systemd 253 compares it with the time of its own signal */
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(state);
}

void sr_notify_reloaded(void)
{
	tell("READY=1");
}

void sr_notify_stopping(void)
{
	tell("STOPPING=1");
}
