/* spawn.h - a new program in a process group of its own, its two outputs in our hands. No globals. */
#ifndef SR_SPAWN_H
#define SR_SPAWN_H
#include "common/err.h"
#include <sys/types.h>

struct sr_child {
	pid_t pid;     /* leads its group; to be waited for */
	int out, err;  /* where its standard output and error are read, non-blocking; close them */
};

/**
 * Start argv[0], looked up in PATH, with our standard input and environment. Signals that we catch are as at the start of a
 * program, ignored ones stay so; SIGPIPE is `sigpipe`, SIG_DFL or SIG_IGN. When this thread ends, the kernel sends it SIGTERM.
 * Waits until it is the program that was asked for. Returns 0, or errno of what failed, and then there is no child: ENOENT = no
 * such program.
 */
SR_MUST_CHECK int sr_spawn(struct sr_child *child, char **argv, void (*sigpipe)(int));

#endif
