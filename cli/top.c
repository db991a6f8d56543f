/* top.c - a live picture of the streams. On a terminal it takes the screen, and keys; elsewhere, and with --json, one picture comes after
 * the other. */
#include "cli/top.h"

#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/screen.h"
#include "cli/word.h"
#include "common/clock.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_MS 2000
#define INTERVAL_LEAST_MS 100
#define INTERVAL_MOST_MS 3600000
#define ROUNDS_MAX 999999999
#define AGAIN_MS 300           /* on a terminal, while Redis is away */
#define PLAIN_WIDTH 100000     /* of a picture that goes to no terminal: nothing is cut but the columns' own texts */
#define LINES_MAX_BYTES ((size_t)64 << 20)

struct run {
	struct sr_top top;
	int64_t rounds, done;      /* rounds 0 = without end */
	bool screen;
	bool quit;                 /* a key said so */
	sr_mono_ms away_since;
	struct sr_buf why;         /* Redis is away */
	struct sr_buf lines;
};

/* ---- looking ---- */

/* 0, also when Redis is away, which the picture says; or the exit code. */
static int look(struct run *r)
{
	struct sr_top *t = &r->top;
	const char *why;
	enum sr_err err = sr_look(&t->look);

	if (err == SR_OK) {
		if (t->away && !r->screen)
			sr_ctl_note(t->ctl, NULL, "Redis answers again");
		t->away = NULL;
		return 0;
	}
	if (!sr_look_may_pass(err)) {
		sr_screen_close();
		return sr_ctl_redis_failed(t->ctl, NULL, err);
	}
	why = *sr_session_why(t->ctl->session) ? sr_session_why(t->ctl->session) : sr_strerror(err);
	if (!t->away)
		r->away_since = sr_clock_mono();
	if (!t->away && !r->screen)
		sr_ctl_note(t->ctl, NULL, "Redis is away (%s), waiting", why);
	sr_buf_explain(&r->why, "%s", why);
	t->away = sr_buf_text(&r->why);
	return 0;
}

/* ---- showing ---- */

static int no_memory(const struct run *r)
{
	sr_screen_close();
	return sr_ctl_fail(r->top.ctl, SR_EX_LATER, NULL, "%s", sr_strerror(SR_ENOMEM));
}

static enum sr_err write_lines(struct run *r, int lines, int columns)
{
	r->top.away_ms = sr_clock_mono() - r->away_since;
	sr_buf_reset(&r->lines);
	return sr_top_lines(&r->top, lines, columns, &r->lines);
}

static int draw(struct run *r)
{
	struct sr_screen_size size = sr_screen_size(STDOUT_FILENO);
	enum sr_err err = write_lines(r, size.lines, size.columns);

	if (err == SR_OK)
		err = sr_screen_draw(sr_buf_text(&r->lines), r->lines.len);
	if (err == SR_EIO) {
		int why = errno;

		sr_screen_close();
		return sr_ctl_fail(r->top.ctl, SR_EX_IO, "standard output", "%s", strerror(why));
	}
	return err == SR_OK ? 0 : no_memory(r);
}

/* How many lines a picture has where no screen bounds it. */
static int plain_lines(void)
{
	const char *word = getenv("LINES");
	int64_t lines = 0;

	return word && sr_word_number(word, ROUNDS_MAX, &lines) ? (int)lines : 0;
}

static int plain_columns(void)
{
	const char *word = getenv("COLUMNS");
	int64_t columns = 0;

	if (isatty(STDOUT_FILENO))
		return sr_screen_size(STDOUT_FILENO).columns;
	return word && sr_word_number(word, PLAIN_WIDTH, &columns) && columns > 0 ? (int)columns : PLAIN_WIDTH;
}

/* The text is visible already, and its colours are our own: it goes out as it is. */
static int print(struct run *r)
{
	struct sr_ctl *ctl = r->top.ctl;

	if (ctl->out.json)
		return sr_top_json(&r->top) == SR_OK ? sr_ctl_flush(ctl) : no_memory(r);
	if (write_lines(r, plain_lines(), plain_columns()) != SR_OK)
		return no_memory(r);
	if (r->done > 0)
		sr_out_text(&ctl->out, "\n");
	fwrite(sr_buf_text(&r->lines), 1, r->lines.len, ctl->out.file);
	return sr_ctl_flush(ctl);
}

/* ---- waiting ---- */

static void press(struct run *r, int key)
{
	struct sr_top *t = &r->top;

	if (key == 'q')
		r->quit = true;
	else if (key == 's')
		t->order = (enum sr_order)((t->order + 1) % SR_ORDERS);
	else if (key == 'p')
		t->paused = !t->paused;
	t->help = key == '?' && !t->help;
}

/* Until it is time for the next look; for ever while paused. Draws whenever something changes. */
static int wait_on_screen(struct run *r)
{
	sr_mono_ms until = sr_clock_mono() + (r->top.away ? AGAIN_MS : r->top.interval_ms);
	int code = draw(r);

	while (!code && !r->quit && (r->top.paused || sr_clock_mono() < until)) {
		int key = sr_screen_key(r->top.paused ? INTERVAL_MOST_MS : until - sr_clock_mono());

		if (key)
			press(r, key);
		if (key || r->top.paused || sr_clock_mono() < until)
			code = draw(r);
	}
	return code;
}

/* Who reads our output may leave meanwhile. */
static int wait_plainly(const struct run *r)
{
	struct pollfd p = {.fd = STDOUT_FILENO};
	int ready;

	sr_interrupt_allow();
	ready = poll(&p, 1, (int)r->top.interval_ms);
	sr_interrupt_forbid();
	if (ready > 0 && p.revents & (POLLERR | POLLHUP))
		return sr_ctl_fail(r->top.ctl, SR_EX_IO, "standard output", "%s", strerror(EPIPE));
	return 0;
}

/* ---- the command ---- */

static int follow(struct run *r)
{
	int code = 0;

	for (;;) {
		if (!r->screen)
			sr_interrupt_allow();
		code = look(r);
		if (!r->screen)
			sr_interrupt_forbid();
		if (!code && !r->screen)
			code = print(r);
		r->done++;
		if (code || r->quit || (r->rounds && r->done >= r->rounds))
			return code;
		code = r->screen ? wait_on_screen(r) : wait_plainly(r);
		if (code || r->quit)
			return code;
	}
}

/* What stood on the screen last stays: the rounds were counted for somebody to look at them. */
static int follow_on_screen(struct run *r)
{
	int code;

	if (sr_screen_open(STDIN_FILENO, STDOUT_FILENO) != SR_OK)
		return sr_ctl_fail(r->top.ctl, SR_EX_IO, "standard output", "the terminal cannot be set: %s", strerror(errno));
	code = follow(r);
	sr_screen_close();
	r->screen = false;
	r->done = 0;
	return !code && !r->quit ? print(r) : code;
}

static int start(struct run *r)
{
	const char *interval = r->top.ctl->flag[SR_FLAG_INTERVAL], *rounds = r->top.ctl->flag[SR_FLAG_ROUNDS], *state = r->top.look.state;

	if (state && strcmp(state, "active") != 0 && strcmp(state, "orphaned") != 0)
		return sr_ctl_fail(r->top.ctl, SR_EX_USAGE, NULL, "--state: '%.60s' is not active or orphaned; ssectl list shows the streams that ended", state);
	if (interval && !sr_word_duration(interval, INTERVAL_LEAST_MS, INTERVAL_MOST_MS, &r->top.interval_ms))
		return sr_ctl_fail(r->top.ctl, SR_EX_USAGE, NULL, "--interval: '%.60s' is not a duration from 100ms to 1h, like 500ms, 2s or 1m", interval);
	if (rounds && (!sr_word_number(rounds, ROUNDS_MAX, &r->rounds) || r->rounds == 0))
		return sr_ctl_fail(r->top.ctl, SR_EX_USAGE, NULL, "--rounds: '%.60s' is not a whole number from 1 to %d", rounds, ROUNDS_MAX);
	return sr_ctl_connect(r->top.ctl);
}

static bool is_screen(const struct sr_ctl *ctl)
{
	const char *term = getenv("TERM");

	return ctl->out.terminal && !ctl->out.json && term && *term && strcmp(term, "dumb") != 0;
}

int sr_command_top(struct sr_ctl *ctl, char **operands)
{
	struct run r = {.top = {.ctl = ctl, .interval_ms = INTERVAL_MS, .look = {.ctl = ctl, .state = ctl->flag[SR_FLAG_STATE]}}};
	int code;

	(void)operands;
	sr_buf_init(&r.why, 512);
	sr_buf_init(&r.lines, LINES_MAX_BYTES);
	code = start(&r);
	r.screen = is_screen(ctl) && r.rounds != 1;
	r.top.look.patient = !r.screen;
	if (!code && !r.screen)
		sr_interrupt_exit();
	if (!code)
		code = r.screen ? follow_on_screen(&r) : follow(&r);
	if (!code && r.top.away && !r.quit)
		code = SR_EX_REDIS;
	sr_look_release(&r.top.look);
	sr_buf_release(&r.why);
	sr_buf_release(&r.lines);
	return code;
}
