/* foreground.c - see foreground.h. */
#include "cli/foreground.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

void sr_foreground_init(struct sr_foreground *f)
{
	*f = (struct sr_foreground){.fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)};
}

void sr_foreground_release(struct sr_foreground *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void set_group(int fd, pid_t group)
{
	sigset_t ttou, old;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU); /* which who is in the background gets for this */
	sigprocmask(SIG_BLOCK, &ttou, &old);
	(void)tcsetpgrp(fd, group); /* fails when the terminal or the group has gone: then nobody misses it */
	sigprocmask(SIG_SETMASK, &old, NULL);
}

bool sr_foreground_give(struct sr_foreground *f)
{
	if (f->fd < 0 || f->job <= 0 || (tcgetpgrp(f->fd) != getpgrp() && !f->given))
		return false;
	set_group(f->fd, f->job);
	f->given = true;
	return true;
}

void sr_foreground_take(struct sr_foreground *f)
{
	if (f->given && tcgetpgrp(f->fd) == f->job)
		set_group(f->fd, getpgrp());
	f->given = false;
}

void sr_foreground_suspend(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL}, old;
	sigset_t tstp, mask;

	sigemptyset(&plain.sa_mask);
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	sigaction(SIGTSTP, &plain, &old);
	sigprocmask(SIG_UNBLOCK, &tstp, &mask);
	(void)raise(SIGTSTP); /* not SIGSTOP: the kernel drops this one where no shell would continue us */
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGTSTP, &old, NULL);
}
