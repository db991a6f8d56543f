/* screen.h - a terminal taken over for a picture that changes: its alternate screen, keys without echo, its size, and signals.
 * One in a process. However the process leaves it, by a signal, too, the terminal is as it was before; SIGKILL excepted.
 *   SIGINT SIGTERM SIGHUP SIGQUIT  give the terminal back at once and end the process with 128 + signal; one that was ignored stays so
 *   SIGTSTP                        gives it back and stops; SIGCONT takes it again
 *   SIGWINCH, SIGCONT              end the wait for a key: draw again */
#ifndef SR_SCREEN_H
#define SR_SCREEN_H
#include "common/err.h"
#include <stddef.h>
#include <stdint.h>

/* Take it over. keys: where they come from, a terminal or not; out: where it is. SR_EIO with errno. */
SR_MUST_CHECK enum sr_err sr_screen_open(int keys, int out);
/* Give it back. More than once is fine. */
void sr_screen_close(void);

struct sr_screen_size { int lines, columns; };
/* As the terminal says; else LINES and COLUMNS of the environment; else 24 and 80. */
struct sr_screen_size sr_screen_size(int out);

/* Wait for a key, for `timeout_ms` at most: its byte, or 0 for none, also when the picture is to be drawn again. Keys that send more
 * than a byte (arrows) are none. */
int sr_screen_key(int64_t timeout_ms);
/* Draw: lines that each end with LF, the last one, too, as many and as wide as the terminal at most. SR_EIO with errno, or SR_ENOMEM. */
SR_MUST_CHECK enum sr_err sr_screen_draw(const char *lines, size_t len);

#endif
