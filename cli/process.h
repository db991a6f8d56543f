/* process.h - the processes of this machine, as /proc shows them to whoever asks. */
#ifndef SR_PROCESS_H
#define SR_PROCESS_H
#include "cli/rights.h"
#include <stdbool.h>
#include <sys/types.h>

struct sr_process {
	pid_t pid;
	char name[32];      /* of the program, at most 15 bytes of it */
	char config[256];   /* the value of its flag --config; "" = none */
	struct sr_who who;  /* as whom it runs */
};

typedef bool sr_process_fn(void *ctx, const struct sr_process *p);
/* Call `fn` for each process with one of these names (NULL-ended), until it returns false. */
void sr_process_each(const char *const *names, sr_process_fn *fn, void *ctx);

/* How many files a process may have open at a time; -1 when that is not to be seen, or `pid` is no process of this name. */
long long sr_process_open_files(pid_t pid, const char *name);

#endif
