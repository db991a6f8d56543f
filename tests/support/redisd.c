/* redisd.c - see redisd.h. */
#include "tests/support/redisd.h"
#include "tests/support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 10000

struct redisd {
	struct redisd_options options;
	char *password, *acl;
	pid_t pid; /* 0 = not running */
	int port;
	char folder[FOLDER_SIZE], socket[FOLDER_SIZE + 16], url[128];
};

static long long mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A port that was free a moment ago. */
static int free_port(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, len) == 0 && getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
		port = ntohs(addr.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static void add(const char **argv, int *argc, const char *name, const char *value)
{
	argv[(*argc)++] = name;
	if (value)
		argv[(*argc)++] = value;
}

/* In the child: never returns. */
static void become_server(struct redisd *d, pid_t parent)
{
	const char *argv[64];
	char port[12], log[FOLDER_SIZE + 16], *rest = NULL;
	int argc = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(1);
	dup2(null, 0);
	dup2(null, 1);
	close_range(3, ~0U, 0); /* the test's own, and the framework's */
	snprintf(port, sizeof port, "%d", d->port);
	snprintf(log, sizeof log, "%s/redis.log", d->folder);
	add(argv, &argc, "redis-server", NULL);
	add(argv, &argc, "--port", port);
	add(argv, &argc, "--bind", "127.0.0.1");
	add(argv, &argc, "--unixsocket", d->socket);
	add(argv, &argc, "--dir", d->folder);
	add(argv, &argc, "--logfile", log);
	add(argv, &argc, "--save", "");
	add(argv, &argc, "--appendonly", d->options.appendonly ? "yes" : "no");
	add(argv, &argc, "--appendfsync", "no"); /* everysec puts writes off while an fsync runs, and kill -9 then loses what was answered */
	add(argv, &argc, "--enable-debug-command", "local");
	if (d->password)
		add(argv, &argc, "--requirepass", d->password);
	if (d->acl)
		add(argv, &argc, "--user", NULL);
	for (char *word = d->acl ? strtok_r(d->acl, " ", &rest) : NULL; word && argc < 50; word = strtok_r(NULL, " ", &rest))
		add(argv, &argc, word, NULL);
	for (const char *const *word = d->options.more; word && *word && argc < 60; word++)
		add(argv, &argc, *word, NULL);
	argv[argc] = NULL;
	execvp(argv[0], (char *const *)argv);
	fprintf(stderr, "redisd: cannot run redis-server: %s\n", strerror(errno));
	_exit(1);
}

/* Any answer will do: -NOAUTH and -LOADING come from a server that runs. */
static bool answers(const struct redisd *d)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct pollfd wait = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .events = POLLIN};
	char byte;
	bool yes;

	if (wait.fd < 0)
		return false;
	memcpy(addr.sun_path, d->socket, strlen(d->socket));
	yes = connect(wait.fd, (struct sockaddr *)&addr, sizeof addr) == 0 && send(wait.fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
	      poll(&wait, 1, 1000) == 1 && recv(wait.fd, &byte, 1, 0) == 1;
	close(wait.fd);
	return yes;
}

static void say_log(const struct redisd *d)
{
	char path[FOLDER_SIZE + 16], line[512];
	FILE *log;

	snprintf(path, sizeof path, "%s/redis.log", d->folder);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof line, log))
		fprintf(stderr, "redisd: %s", line);
	if (log)
		fclose(log);
}

static bool run(struct redisd *d)
{
	pid_t parent = getpid();
	long long until = mono_ms() + START_MS;

	unlink(d->socket); /* of a killed server: it must not be taken for the new one's */
	d->pid = fork();
	if (d->pid == 0)
		become_server(d, parent);
	while (d->pid > 0 && mono_ms() < until) {
		if (waitpid(d->pid, NULL, WNOHANG) == d->pid) {
			d->pid = 0;
			break;
		}
		if (answers(d))
			return true;
		poll(NULL, 0, 2);
	}
	redisd_kill(d);
	return false;
}

struct redisd *redisd_start(const struct redisd_options *options)
{
	struct redisd *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	if (options) {
		d->options = *options;
		d->password = options->password ? strdup(options->password) : NULL;
		d->acl = options->acl ? strdup(options->acl) : NULL;
	}
	if (!folder_make(d->folder, "sse-redisd")) {
		d->folder[0] = 0;
		redisd_stop(d);
		return NULL;
	}
	snprintf(d->socket, sizeof d->socket, "%s/redis.sock", d->folder);
	snprintf(d->url, sizeof d->url, "unix://%s", d->socket);
	for (int attempt = 0; attempt < 5; attempt++) { /* another process may have taken the port in between */
		d->port = d->options.tcp ? free_port() : 0;
		if (run(d))
			return d;
		if (!d->options.tcp)
			break;
	}
	say_log(d);
	redisd_stop(d);
	return NULL;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void redisd_stop(struct redisd *d)
{
	if (!d)
		return;
	redisd_kill(d);
	if (d->folder[0])
		nftw(d->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(d->password);
	free(d->acl);
	free(d);
}

void redisd_kill(struct redisd *d)
{
	if (d->pid <= 0)
		return;
	kill(d->pid, SIGKILL);
	waitpid(d->pid, NULL, 0);
	d->pid = 0;
}

bool redisd_again(struct redisd *d, const char *const *more)
{
	if (more)
		d->options.more = more;
	if (run(d))
		return true;
	say_log(d);
	return false;
}

void redisd_freeze(struct redisd *d)
{
	int status;

	kill(d->pid, SIGSTOP);
	waitpid(d->pid, &status, WUNTRACED); /* else it might still answer once */
}

void redisd_thaw(struct redisd *d)
{
	kill(d->pid, SIGCONT);
}

const char *redisd_url(const struct redisd *d)
{
	return d->url;
}

const char *redisd_folder(const struct redisd *d)
{
	return d->folder;
}

int redisd_port(const struct redisd *d)
{
	return d->port;
}
