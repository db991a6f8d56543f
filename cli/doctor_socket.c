/* doctor_socket.c - ssectl doctor: the socket between the web server and the responders. Whoever can connect to it can claim to be
 * any user, so it is the web server's and nobody else's. */
#include "cli/doctor_parts.h"
#include "cli/fcgi_ask.h"
#include "cli/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SOCKET_PATH "/run/sse-resilience/fcgi.sock"
#define ANSWER_MS 5000

/* ---- the web server's user ---- */

/* Its workers run as somebody else than root. Debian's user is taken if one of them has it, or none is there. */
static bool take_worker(void *ctx, const struct sr_process *p)
{
	struct sr_who *who = ctx;

	if (p->who.uid != 0 && (who->uid == 0 || strcmp(p->who.name, "www-data") == 0))
		*who = p->who;
	return strcmp(who->name, "www-data") != 0;
}

static bool find_web_server(struct sr_who *who)
{
	static const char *const servers[] = {"lighttpd", "apache2", "httpd", "nginx", NULL};

	*who = (struct sr_who){0};
	sr_process_each(servers, take_worker, who);
	return who->uid != 0 || sr_who_find(who, "www-data");
}

/* ---- is anybody there ---- */

static void say_connected(struct sr_doctor *d, const char *socket_name, bool is_file, int error)
{
	struct sr_buf cure;

	sr_buf_init(&cure, SR_CURE_MAX);
	if (error == ECONNREFUSED) {
		sr_cure_line(&cure, "systemd: systemctl enable --now sse-fcgi.socket sse-fcgi");
		sr_cure_line(&cure, "SysV init: service sse-fcgi start; by hand: spawn-fcgi%s", is_file ? ", which replaces the file" : " -a 127.0.0.1");
	} else if (error == EAGAIN || error == ETIMEDOUT) {
		sr_cure_line(&cure, "see what the responders are busy with: ssectl status, and their log; start more of them: systemctl enable --now sse-fcgi@3");
	}
	if (error == 0)
		sr_doctor_say(d, SR_GOOD, "socket", NULL, "%s: somebody listens", socket_name);
	else if (error == ECONNREFUSED && is_file)
		sr_doctor_say(d, SR_BAD, "socket", sr_buf_text(&cure), "%s: a stale socket file, nobody listens", socket_name);
	else if (error == ECONNREFUSED)
		sr_doctor_say(d, SR_BAD, "socket", sr_buf_text(&cure), "%s: nobody listens", socket_name);
	else if (error == EAGAIN || error == ETIMEDOUT)
		sr_doctor_say(d, SR_BAD, "socket", sr_buf_text(&cure), "%s: connections are not taken, its backlog is full", socket_name);
	else
		sr_doctor_say(d, SR_NOTE, "socket", NULL, "%s: whether somebody listens cannot be tried as this user: %s", socket_name, strerror(error));
	sr_buf_release(&cure);
}

/* The reason that the page of readiness gives. */
static void find_reason(const char *body, char out[256])
{
	const char *reason = strstr(body, "\"reason\":\"");

	snprintf(out, 256, "%.*s", reason ? (int)strcspn(reason + 10, "\"") : 0, reason ? reason + 10 : "");
}

static void say_answer(struct sr_doctor *d, const char *socket_name, const struct sr_fcgi_answer *answer)
{
	char reason[256];

	find_reason(answer->body, reason);
	if (answer->status == 200)
		sr_doctor_say(d, SR_GOOD, "responder-ready", NULL, "the responder answers, and reaches Redis");
	else if (answer->status == 503)
		sr_doctor_say(d, SR_BAD, "responder-ready",
		              "is it right as the daemons' user? sudo -u " SR_DOCTOR_USER " ssectl status; in its group (usermod -aG redis " SR_DOCTOR_USER
		              ", SupplementaryGroups=redis)?\n"
		              "was the configuration changed since? systemctl reload sse-fcgi (a new redis_url needs a restart); its log says more",
		              "the responder does not serve: %s", *reason ? reason : "not ready");
	else if (answer->status)
		sr_doctor_say(d, SR_NOTE, "responder-ready", NULL, "a responder answers, but does not say whether it is ready: status %d (status_allow)", answer->status);
	else
		sr_doctor_say(d, SR_BAD, "responder-ready", "--socket, and the web server's configuration, must name where sse-fcgi listens; if it does, its log says more",
		              "%s: what listens there gives no FastCGI answer within %d s", socket_name, ANSWER_MS / 1000);
}

static void ask_responder(struct sr_doctor *d, const char *socket_name, bool is_file, const struct sockaddr *addr, socklen_t len)
{
	struct sr_fcgi_answer answer;

	sr_doctor_wait(d, "asking the responder");
	sr_fcgi_ask(&answer, addr, len, d->ctl->conf.mount, "/-/ready", ANSWER_MS);
	say_connected(d, socket_name, is_file, answer.error);
	if (!answer.error && !sr_doctor_interrupted())
		say_answer(d, socket_name, &answer);
}

/* ---- a Unix socket ---- */

static void say_mode(struct sr_doctor *d, const char *path, const struct stat *st, const char *user, const char *why)
{
	struct sr_buf cure;
	char owner[2 * SR_WHO_NAME];

	sr_buf_init(&cure, SR_CURE_MAX);
	sr_cure_line(&cure, "now: chown %s: %s && chmod 600 %s", user, path, path);
	sr_cure_line(&cure, "spawn-fcgi: -M 0600 -U %s -G %s", user, user);
	sr_cure_line(&cure, "systemd: in sse-fcgi.socket [Socket] SocketUser=%s SocketGroup=%s SocketMode=0600; systemctl restart sse-fcgi.socket", user, user);
	sr_owner_names(st->st_uid, st->st_gid, owner);
	sr_doctor_say(d, SR_BAD, "socket-mode", sr_buf_text(&cure), "%s: mode %04o, %s: %s", path, (unsigned)st->st_mode & 07777, owner, why);
	sr_buf_release(&cure);
}

static void say_folder(struct sr_doctor *d, const char *path, const char *user, const char *folder)
{
	struct sr_buf cure;

	sr_buf_init(&cure, SR_CURE_MAX);
	sr_cure_line(&cure, "now: chmod o+x %s", folder);
	sr_cure_line(&cure, "after each start of the machine: tmpfiles.d/sse-resilience.conf: d /run/sse-resilience 0755 root root");
	sr_doctor_say(d, SR_BAD, "socket-mode", sr_buf_text(&cure), "%s: the web server's user %s cannot enter the folder %s", path, user, folder);
	sr_buf_release(&cure);
}

static bool is_nobodys(const struct stat *st)
{
	char owner[2 * SR_WHO_NAME], *group;

	sr_owner_names(st->st_uid, st->st_gid, owner);
	group = strchr(owner, ':');
	*group++ = '\0';
	return ((st->st_mode & S_IWUSR) && strcmp(owner, "nobody") == 0) ||
	       ((st->st_mode & S_IWGRP) && (strcmp(group, "nogroup") == 0 || strcmp(group, "nobody") == 0));
}

static void check_mode(struct sr_doctor *d, const char *path, const struct stat *st)
{
	struct sr_who web;
	bool known = find_web_server(&web);
	const char *user = known ? web.name : "www-data";
	char owner[2 * SR_WHO_NAME], why[256];
	struct sr_buf at;

	sr_buf_init(&at, PATH_MAX);
	if (st->st_mode & S_IWOTH) {
		say_mode(d, path, st, user, "every program on this machine can connect, and claim to be any user");
	} else if (is_nobodys(st)) {
		say_mode(d, path, st, user, "whatever runs as nobody can connect, and claim to be any user");
	} else if (known && !sr_who_may(&web, path, 2, &at)) {
		snprintf(why, sizeof why, "the web server's user %s cannot connect", user);
		if (sr_is_folder(sr_buf_text(&at)))
			say_folder(d, path, user, sr_buf_text(&at));
		else
			say_mode(d, path, st, user, why);
	} else {
		sr_owner_names(st->st_uid, st->st_gid, owner);
		sr_doctor_say(d, SR_GOOD, "socket-mode", NULL, "%s: mode %04o, %s%s%s", path, (unsigned)st->st_mode & 07777, owner,
		              known ? ", for the web server's user " : "", known ? user : "");
	}
	sr_buf_release(&at);
}

static void check_unix(struct sr_doctor *d, const char *path)
{
	bool given = d->ctl->flag[SR_FLAG_SOCKET] != NULL;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;

	if (strlen(path) >= sizeof addr.sun_path)
		sr_doctor_say(d, SR_BAD, "socket", "a shorter path, like " SOCKET_PATH, "%s: a socket's path has at most %zu bytes", path,
		              sizeof addr.sun_path - 1);
	else if (stat(path, &st) != 0 && errno == ENOENT && !given)
		sr_doctor_say(d, SR_NOTE, "socket", NULL, "%s is not there: --socket names another, a path or HOST:PORT", path);
	else if (stat(path, &st) != 0)
		sr_doctor_say(d, errno == ENOENT ? SR_BAD : SR_NOTE, "socket",
		              errno == ENOENT ? "start the responders: systemctl enable --now sse-fcgi.socket sse-fcgi; or service sse-fcgi start" : NULL, "%s: %s",
		              path, strerror(errno));
	else if (!S_ISSOCK(st.st_mode))
		sr_doctor_say(d, SR_BAD, "socket", "remove it and start the responders: systemctl restart sse-fcgi.socket; or service sse-fcgi restart",
		              "%s: is no socket", path);
	else {
		memcpy(addr.sun_path, path, strlen(path) + 1);
		check_mode(d, path, &st);
		ask_responder(d, path, true, (struct sockaddr *)&addr, sizeof addr);
	}
}

/* ---- TCP ---- */

static bool is_loopback(const struct sockaddr *addr)
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;

	if (addr->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return addr->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* Does a socket listen on this port for other machines? The table's addresses are hexadecimal, 32 bits at a time in the
 * machine's order; 0A is LISTEN. `bound` receives one that does. */
static bool listens_outside(const char *table, unsigned port, char bound[INET6_ADDRSTRLEN])
{
	FILE *file = fopen(table, "re");
	char line[512], hex[33], state[3];
	unsigned found;
	bool outside = false;

	while (file && !outside && fgets(line, sizeof line, file)) {
		struct sockaddr_in v4 = {.sin_family = AF_INET};
		struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
		uint32_t word[4] = {0};

		if (sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %2s", hex, &found, state) != 3 || found != port || strcmp(state, "0A") != 0)
			continue;
		for (size_t i = 0; i < strlen(hex) / 8; i++)
			if (sscanf(hex + 8 * i, "%8x", &word[i]) != 1)
				break;
		memcpy(&v4.sin_addr, word, 4);
		memcpy(&v6.sin6_addr, word, 16);
		outside = strlen(hex) == 8 ? !is_loopback((struct sockaddr *)&v4) : !is_loopback((struct sockaddr *)&v6);
		if (outside)
			inet_ntop(strlen(hex) == 8 ? AF_INET : AF_INET6, word, bound, INET6_ADDRSTRLEN);
	}
	if (file)
		fclose(file);
	return outside;
}

static void say_exposed(struct sr_doctor *d, const char *address, const char *port, const char *where)
{
	struct sr_buf cure;

	sr_buf_init(&cure, SR_CURE_MAX);
	sr_cure_line(&cure, "spawn-fcgi: -a 127.0.0.1 -p %s; or better a Unix socket: -s " SOCKET_PATH " -M 0600 -U www-data -G www-data", port);
	sr_cure_line(&cure, "systemd: in sse-fcgi.socket [Socket] ListenStream=127.0.0.1:%s", port);
	sr_doctor_say(d, SR_BAD, "socket-exposed", sr_buf_text(&cure), "%s: %s, and whoever can connect can claim to be any user", address, where);
	sr_buf_release(&cure);
}

static void check_found(struct sr_doctor *d, const char *address, const char *port, const struct addrinfo *found)
{
	char bound[INET6_ADDRSTRLEN], where[128];
	unsigned number = (unsigned)strtoul(port, NULL, 10);

	snprintf(where, sizeof where, "other machines can reach it");
	if (!is_loopback(found->ai_addr)) {
		say_exposed(d, address, port, where);
	} else if (listens_outside("/proc/net/tcp", number, bound) || listens_outside("/proc/net/tcp6", number, bound)) {
		snprintf(where, sizeof where, "a program listens there on %s, so other machines can reach it", bound);
		say_exposed(d, address, port, where);
	} else {
		sr_doctor_say(d, SR_GOOD, "socket-exposed", NULL, "%s: only for this machine", address);
	}
	ask_responder(d, address, false, found->ai_addr, found->ai_addrlen);
}

/* host:port, or [v6]:port */
static void check_tcp(struct sr_doctor *d, const char *address)
{
	const char *colon = strrchr(address, ':');
	bool bracket = address[0] == '[' && colon > address && colon[-1] == ']';
	char host[256];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	int error;

	if (!colon) {
		sr_doctor_say(d, SR_BAD, "socket", "--socket " SOCKET_PATH ", or --socket 127.0.0.1:9000", "--socket: '%.200s' is neither a path nor HOST:PORT", address);
		return;
	}
	snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * bracket, address + bracket);
	error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error)
		sr_doctor_say(d, SR_BAD, "socket", "--socket HOST:PORT as the web server's configuration has it", "--socket: %s: %s", address, gai_strerror(error));
	else
		check_found(d, address, colon + 1, found);
	if (found)
		freeaddrinfo(found);
}

void sr_doctor_socket(struct sr_doctor *d)
{
	const char *address = d->ctl->flag[SR_FLAG_SOCKET];

	if (!address)
		address = SOCKET_PATH;
	if (strchr(address, '/'))
		check_unix(d, address);
	else
		check_tcp(d, address);
}
