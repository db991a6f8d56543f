/* screen.c - see screen.h. The handlers give the terminal back themselves, with nothing but write(2) and tcsetattr(3), so that a call to
 * Redis which waits keeps nobody from leaving. */
#include "cli/screen.h"

#include "common/buf.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Alternate screen, hidden cursor; and back, with plain letters. */
static const char enter[] = "\033[?1049h\033[?25l\033[2J", leave[] = "\033[0m\033[?25h\033[?1049l";

#define FRAME_MAX ((size_t)4 << 20)
#define SIZE_MAX_LINES 1000
#define SIZE_MAX_COLUMNS 1000

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define ENDINGS (sizeof endings / sizeof *endings)

static struct {
	int keys, out;       /* keys -1: none come, or no more */
	char typed[32];      /* and not yet taken: from next to count */
	size_t next, count;
	bool has_modes;
	struct termios before, during;
	struct sigaction old[ENDINGS], old_stop, old_resume, old_resize;
} screen;
static volatile sig_atomic_t is_open;

/* Some other program may have made the terminal non-blocking. */
static bool put(const char *bytes, size_t len)
{
	struct pollfd p = {.fd = screen.out, .events = POLLOUT};

	while (len > 0) {
		ssize_t n = write(screen.out, bytes, len);

		if (n < 0 && errno == EAGAIN)
			poll(&p, 1, 100);
		else if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* Whoever changes the terminal from the background is stopped. That holds for us, too, and here, where nothing is changed: else
 * a shell's `bg` would lose its own modes and screen to us, as our handlers block that signal. */
static void await_foreground(void)
{
	struct termios now;
	sigset_t open_to, before;

	sigemptyset(&open_to);
	sigaddset(&open_to, SIGTTOU);
	for (size_t i = 0; i < ENDINGS; i++)
		sigaddset(&open_to, endings[i]);
	sigprocmask(SIG_UNBLOCK, &open_to, &before);
	while (tcgetattr(screen.out, &now) == 0 && tcsetattr(screen.out, TCSANOW, &now) != 0 && errno == EINTR)
		continue;
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* A signal in the midst of either must find that there is something to give back. */
static void take(void)
{
	await_foreground();
	is_open = 1;
	if (screen.has_modes)
		tcsetattr(screen.out, TCSANOW, &screen.during);
	put(enter, sizeof enter - 1);
}

static void give_back(void)
{
	if (!is_open)
		return;
	put(leave, sizeof leave - 1);
	if (screen.has_modes)
		tcsetattr(screen.out, TCSANOW, &screen.before);
	is_open = 0;
}

/* ---- signals ---- */

static void on_end(int signo)
{
	give_back();
	_exit(128 + signo);
}

/* Stop as if there were no handler, and go on behind that. */
static void on_stop(int signo)
{
	struct sigaction ours, none = {.sa_handler = SIG_DFL};
	sigset_t set;
	int saved = errno;

	give_back();
	sigemptyset(&none.sa_mask);
	sigaction(signo, &none, &ours);
	raise(signo);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* here it stops */
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(signo, &ours, NULL);
	take();
	raise(SIGWINCH);
	errno = saved;
}

/* After SIGSTOP, which nobody can answer, the shell has changed the terminal. */
static void on_resume(int signo)
{
	int saved = errno;

	(void)signo;
	take();
	errno = saved;
}

/* It only ends the wait for a key. */
static void on_resize(int signo)
{
	(void)signo;
}

/* Signals that draw again come only while a key is waited for: none is missed between a look and the wait. */
static void hold_redraws(sigset_t *without)
{
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGWINCH);
	sigaddset(&both, SIGCONT);
	sigprocmask(SIG_BLOCK, &both, without);
	sigdelset(without, SIGWINCH);
	sigdelset(without, SIGCONT);
}

static void listen_to(int signo, void (*handler)(int), struct sigaction *old)
{
	struct sigaction action = {.sa_handler = handler};

	sigfillset(&action.sa_mask);
	sigaction(signo, NULL, old);
	if (old->sa_handler != SIG_IGN)
		sigaction(signo, &action, NULL);
}

static void install(void)
{
	sigset_t without;

	hold_redraws(&without);
	for (size_t i = 0; i < ENDINGS; i++)
		listen_to(endings[i], on_end, &screen.old[i]);
	listen_to(SIGTSTP, on_stop, &screen.old_stop);
	listen_to(SIGCONT, on_resume, &screen.old_resume);
	listen_to(SIGWINCH, on_resize, &screen.old_resize);
}

static void uninstall(void)
{
	for (size_t i = 0; i < ENDINGS; i++)
		sigaction(endings[i], &screen.old[i], NULL);
	sigaction(SIGTSTP, &screen.old_stop, NULL);
	sigaction(SIGCONT, &screen.old_resume, NULL);
	sigaction(SIGWINCH, &screen.old_resize, NULL);
}

/* ---- life ---- */

enum sr_err sr_screen_open(int keys, int out)
{
	screen.out = out;
	screen.keys = isatty(keys) ? keys : -1;
	if (tcgetattr(out, &screen.before) != 0)
		return SR_EIO;
	screen.has_modes = true;
	screen.during = screen.before;
	screen.during.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	screen.during.c_iflag &= ~(tcflag_t)IXON; /* Ctrl-S would hold up the end, too */
	screen.during.c_cc[VMIN] = 1;
	screen.during.c_cc[VTIME] = 0;
	install();
	take();
	return SR_OK;
}

void sr_screen_close(void)
{
	if (!is_open)
		return;
	give_back();
	uninstall();
}

/* ---- its size ---- */

static int from_environment(const char *name, int other)
{
	const char *word = getenv(name);
	long n = word ? strtol(word, NULL, 10) : 0;

	return n > 0 && n <= SIZE_MAX_LINES ? (int)n : other;
}

static int bounded(int n, int most)
{
	return n < most ? n : most;
}

struct sr_screen_size sr_screen_size(int out)
{
	struct winsize w = {0};

	if (ioctl(out, TIOCGWINSZ, &w) != 0)
		w = (struct winsize){0};
	return (struct sr_screen_size){.lines = w.ws_row ? bounded(w.ws_row, SIZE_MAX_LINES) : from_environment("LINES", 24),
	                               .columns = w.ws_col ? bounded(w.ws_col, SIZE_MAX_COLUMNS) : from_environment("COLUMNS", 80)};
}

/* ---- keys and pictures ---- */

static void read_keys(void)
{
	ssize_t n = read(screen.keys, screen.typed, sizeof screen.typed);

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		screen.keys = -1;
	screen.next = 0;
	screen.count = n > 0 ? (size_t)n : 0;
}

static char take_byte(void)
{
	return screen.next < screen.count ? screen.typed[screen.next++] : '\0';
}

/* Behind ESC: "[", parameters, and a letter; or "O" and a letter. */
static void skip_sequence(void)
{
	char c = take_byte();

	if (c == '[')
		do
			c = take_byte();
		while (c && (c < '@' || c > '~'));
	else if (c == 'O')
		take_byte();
}

static int next_key(void)
{
	while (screen.next < screen.count) {
		char c = take_byte();

		if (c == '\033')
			skip_sequence();
		else if (c > ' ' && c < 0x7f)
			return c;
	}
	return 0;
}

int sr_screen_key(int64_t timeout_ms)
{
	struct pollfd p = {.fd = screen.keys, .events = POLLIN};
	struct timespec most = {.tv_sec = (time_t)(timeout_ms / 1000), .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
	sigset_t without;
	int key = next_key();

	if (key)
		return key;
	hold_redraws(&without);
	if (ppoll(&p, 1, timeout_ms > 0 ? &most : &(struct timespec){0}, &without) <= 0)
		return 0;
	read_keys();
	return next_key();
}

/* Each line is wiped before it is written, not behind its end: at the last column that would take the last character, too. */
static enum sr_err add_lines(struct sr_buf *frame, const char *lines, size_t len)
{
	int count = 0;
	enum sr_err err = sr_buf_puts(frame, "\033[H");

	for (const char *end; err == SR_OK && (end = memchr(lines, '\n', len)) != NULL; lines = end + 1, count++) {
		err = sr_buf_puts(frame, count ? "\r\n\033[K" : "\033[K");
		if (err == SR_OK)
			err = sr_buf_append(frame, lines, (size_t)(end - lines));
		len -= (size_t)(end + 1 - lines);
	}
	if (err == SR_OK && count < sr_screen_size(screen.out).lines)
		err = sr_buf_puts(frame, "\r\n\033[J");
	return err;
}

enum sr_err sr_screen_draw(const char *lines, size_t len)
{
	struct sr_buf frame;
	enum sr_err err;

	sr_buf_init(&frame, FRAME_MAX);
	err = add_lines(&frame, lines, len);
	if (err == SR_OK && !put(sr_buf_text(&frame), frame.len))
		err = SR_EIO;
	sr_buf_release(&frame);
	return err;
}
