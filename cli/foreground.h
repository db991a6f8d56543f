/* foreground.h - the controlling terminal, between this program and the job in its own process group.
 *
 * The terminal stays with us: Ctrl-C and Ctrl-Z come to us and are passed on, and the rest of a pipeline (`| less`) keeps its
 * keys. Only a job that wants the terminal gets it: the kernel stops one that reads from it in the background (SIGTTIN), and
 * that stop is seen here. From then on the keys are the job's, until it stops or ends. */
#ifndef SR_FOREGROUND_H
#define SR_FOREGROUND_H
#include <stdbool.h>
#include <sys/types.h>

struct sr_foreground {
	int fd;       /* of the controlling terminal; -1 = there is none */
	pid_t job;    /* its group */
	bool given;   /* the terminal is the job's now */
	bool wanted;  /* the job has read from it */
};

void sr_foreground_init(struct sr_foreground *f);
void sr_foreground_release(struct sr_foreground *f);
/* Hand the terminal to the job. false: there is none, or it is not ours to give. */
bool sr_foreground_give(struct sr_foreground *f);
/* Take it back, if it was given. */
void sr_foreground_take(struct sr_foreground *f);
/* Stop this program as Ctrl-Z does; returns when it is continued, or at once where nobody could continue it. */
void sr_foreground_suspend(void);

#endif
