#include "guardian/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Best effort: a manager that does not listen is no reason to fail. */
static void tell(const char *state)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	tell("WATCHDOG=1");
}

/* Half of the time after which systemd takes us for hung; 0 = it does not look. */
static double watchdog_seconds(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
		return 0.;
	return (double)strtoll(usec, NULL, 10) / 2e6;
}

void sr_notify_start(struct sr_notify *n, struct ev_loop *loop)
{
	double seconds = watchdog_seconds();

	tell("READY=1");
	ev_timer_init(&n->watchdog, on_watchdog, seconds, seconds);
	if (seconds > 0.)
		ev_timer_start(loop, &n->watchdog);
}

void sr_notify_stopping(void)
{
	tell("STOPPING=1");
}
