/* output.h - what goes to standard output: lines of text or of JSON.
 * Payloads are other people's: on a terminal, control characters, what is not UTF-8, and characters that turn the writing
 * direction around are shown as \u001b or \x9b instead of being obeyed. Colour is for terminals only, and never with
 * NO_COLOR (no-color.org) or TERM=dumb. */
#ifndef SR_OUTPUT_H
#define SR_OUTPUT_H
#include "common/buf.h"
#include <stdbool.h>
#include <stdio.h>

struct sr_out {
	FILE *file;    /* borrowed */
	bool terminal;
	bool colour;
	bool json;     /* --json was given */
	int error;     /* errno of the first write that failed */
};

void sr_out_init(struct sr_out *o, FILE *file, bool json);
/* Written through stdio: a failure shows at sr_out_flush(). */
void sr_out_write(struct sr_out *o, const char *bytes, size_t len);
void sr_out_text(struct sr_out *o, const char *text);
void sr_out_printf(struct sr_out *o, const char *format, ...) SR_PRINTF(2, 3);
/* A text that somebody else wrote, on any output as it would be shown on a terminal, so that it stays one field of one line;
 * filled up with spaces to `width` columns. An empty one is "-". */
void sr_out_field(struct sr_out *o, const char *text, int width);
/* What begins a state's colour, "" for none, and what ends it. */
const char *sr_state_colour(const struct sr_out *o, const char *state);
#define SR_COLOUR_END "\033[0m"
/* The same for a stream's state, or a finding's good, note or bad, in its colour. */
void sr_out_state(struct sr_out *o, const char *state, int width);
/* SR_OK, or SR_EIO with errno; also for what failed before. */
SR_MUST_CHECK enum sr_err sr_out_flush(struct sr_out *o);

/* Append `bytes` as they may go to a terminal; valid JSON stays valid JSON with the same meaning. */
SR_MUST_CHECK enum sr_err sr_visible(struct sr_buf *out, const char *bytes, size_t len);

/* One JSON text under construction. Commas come by themselves; the first failure is kept, and sr_json_print() answers it. */
struct sr_json {
	struct sr_buf text;
	enum sr_err err;
};
void sr_json_begin(struct sr_json *j);
/* '{' or '[', as a member `name` of an object, or as an element (name NULL). */
void sr_json_open(struct sr_json *j, const char *name, char bracket);
void sr_json_close(struct sr_json *j, char bracket);
/* Members; with name NULL, elements. text NULL is null. */
void sr_json_text(struct sr_json *j, const char *name, const char *text);
void sr_json_raw(struct sr_json *j, const char *name, const char *bytes, size_t len); /* JSON from Redis, by sr_json_value() */
void sr_json_int(struct sr_json *j, const char *name, long long value);
void sr_json_bool(struct sr_json *j, const char *name, bool value);
/* The text and a newline, and an empty text again. SR_ENOMEM: nothing was printed. Write errors show at sr_out_flush(). */
SR_MUST_CHECK enum sr_err sr_json_print(struct sr_json *j, struct sr_out *o);
void sr_json_release(struct sr_json *j);

#endif
