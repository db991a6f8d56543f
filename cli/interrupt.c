/* interrupt.c - see interrupt.h. */
#include "cli/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t noted; /* all that a signal handler may touch */

static void note(int signo)
{
	noted = signo;
}

static void leave(int signo)
{
	_exit(128 + signo);
}

static void install(void (*handler)(int), int flags)
{
	static const int signals[] = {SIGINT, SIGTERM};
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags}, old;

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

static void mask(int how, sigset_t *old)
{
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGINT);
	sigaddset(&both, SIGTERM);
	sigprocmask(how, &both, old);
}

void sr_interrupt_note(void)
{
	install(note, SA_RESETHAND);
}

int sr_interrupt_noted(void)
{
	return noted;
}

void sr_interrupt_wait(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	sigset_t old;

	mask(SIG_BLOCK, &old); /* so that none comes between the look and the sleep */
	if (!noted)
		ppoll(&p, 1, NULL, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void sr_interrupt_exit(void)
{
	mask(SIG_BLOCK, NULL);
	install(leave, 0);
}

void sr_interrupt_allow(void)
{
	mask(SIG_UNBLOCK, NULL);
}

void sr_interrupt_forbid(void)
{
	mask(SIG_BLOCK, NULL);
}
