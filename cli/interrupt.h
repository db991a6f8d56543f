/* interrupt.h - SIGINT and SIGTERM for the commands that run for long. Only one of the two ways in a process. A signal that
 * was ignored when the program started (nohup, a shell's background job) stays ignored. */
#ifndef SR_INTERRUPT_H
#define SR_INTERRUPT_H

/* Way 1: note the first one and go on; a second one kills. */
void sr_interrupt_note(void);
/* The signal that came, or 0. */
int sr_interrupt_noted(void);
/* Wait until there is input, or its end, or a signal has been noted. */
void sr_interrupt_wait(int fd);

/* Way 2: end the process with 128 + signal, but only between allow and forbid: not in the midst of a line. */
void sr_interrupt_exit(void);
void sr_interrupt_allow(void);
void sr_interrupt_forbid(void);

#endif
