/* redisd.h - a private redis-server for one test: its own folder and Unix socket, gone at the end. If the test crashes or
 * is killed by its timeout the kernel kills the server (PR_SET_PDEATHSIG); only the folder stays then.
 * What cannot be started is said on stderr. Not tied to a test framework. */
#ifndef SR_TEST_REDISD_H
#define SR_TEST_REDISD_H
#include <stdbool.h>

struct redisd;

struct redisd_options {
	const char *password;    /* requirepass; NULL = none */
	const char *acl;         /* one ACL user: "bob on >secret ~* &* +@all"; NULL = none */
	bool tcp;                /* listen on a free port of 127.0.0.1 too */
	bool appendonly;         /* AOF: kill -9 and start again loses nothing */
	const char *const *more; /* more of redis-server's arguments, NULL-ended; NULL = none. Borrowed until redisd_stop() */
};

/* Start a server and wait until it answers. options may be NULL. NULL when it does not. */
struct redisd *redisd_start(const struct redisd_options *options);
/* kill -9, and remove the folder. NULL is fine. */
void redisd_stop(struct redisd *d);

/* kill -9: what was stored is lost, unless appendonly. */
void redisd_kill(struct redisd *d);
/* Start it again in its folder, with the same options and, if not NULL, with `more` in place of the old ones. */
bool redisd_again(struct redisd *d, const char *const *more);
/* SIGSTOP and SIGCONT: connections stay open, nothing is answered. */
void redisd_freeze(struct redisd *d);
void redisd_thaw(struct redisd *d);

const char *redisd_url(const struct redisd *d);    /* unix:///... */
const char *redisd_folder(const struct redisd *d);
int redisd_port(const struct redisd *d);           /* 0 without tcp */

#endif
