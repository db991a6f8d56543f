/* race.c - see race.h. */
#include "tests/support/race.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BROKEN 200

static struct sr_reply *last;

const struct sr_reply *race_call(struct sr_session *s, struct sr_call *call)
{
	enum sr_err err;

	sr_reply_free(last);
	err = sr_session_try(s, call, 0, &last);
	sr_call_release(call);
	return err == SR_OK ? last : NULL;
}

/* In the child: connect, say so, wait for the others. */
static void racer(int ready, int go, int i, int (*once)(struct sr_session *, int, void *), void *shared)
{
	struct sr_session *s = world_session("racer");
	struct sr_call call;
	char byte = 0;
	int result;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "PING");
	if (!race_call(s, &call) || write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
		_exit(BROKEN);
	result = once(s, i, shared);
	sr_reply_free(last);
	sr_session_free(s);
	_exit(result >= 0 && result < RACE_MAX ? result : BROKEN);
}

struct race race_run(int n, int (*once)(struct sr_session *, int, void *), void *shared)
{
	struct race out = {{0}, {0}};
	pid_t pids[RACE_MAX];
	int ready[2], go[2], status;
	char byte;

	cr_assert(n <= RACE_MAX && pipe(ready) == 0 && pipe(go) == 0);
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		cr_assert(pids[i] >= 0);
		if (pids[i] == 0) {
			close(go[1]);
			racer(ready[1], go[0], i, once, shared);
		}
	}
	close(ready[1]);
	for (int i = 0; i < n; i++)
		cr_assert_eq(read(ready[0], &byte, 1), 1, "a racer did not connect");
	close(go[1]); /* the end of the pipe wakes all of them */
	for (int i = 0; i < n; i++) {
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) < RACE_MAX, "racer %d: status %x", i, (unsigned)status);
		out.result[i] = WEXITSTATUS(status);
		out.count[out.result[i]]++;
	}
	close(go[0]);
	close(ready[0]);
	return out;
}
