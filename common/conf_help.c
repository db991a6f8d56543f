#include "common/conf_parts.h"
#include <string.h>

enum { WIDTH = 80, INDENT = 8 };

/* Words of `text`, filled up to WIDTH, each line indented. */
static void print_wrapped(FILE *out, const char *text)
{
	size_t column = 0;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%*s%.*s", column == 0 ? INDENT : 1, "", (int)len, text);
		column += len + (column == 0 ? INDENT : 1);
		text += len;
	}
	fputc('\n', out);
}

static void print_indented(FILE *out, const char *lines)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		fprintf(out, "  %.*s\n", (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static void print_flags(FILE *out, const struct sr_flag *flags)
{
	for (; flags && flags->name; flags++) {
		fprintf(out, "  --%s%s%s\n", flags->name, flags->arg ? "=" : "", flags->arg ? flags->arg : "");
		print_wrapped(out, flags->help);
	}
}

static const char *value_word(const struct sr_option *o)
{
	switch (o->kind) {
	case SR_KIND_TEXT:
		return "TEXT";
	case SR_KIND_NUMBER:
		return "NUMBER";
	case SR_KIND_DURATION:
		return "DURATION";
	case SR_KIND_SIZE:
		return "SIZE";
	case SR_KIND_WORD:
		break;
	}
	return o->words;
}

/* The default as --dump-config would print it: 3600s reads 1h everywhere. */
static const char *shown_default(char out[SR_VALUE_SIZE], const struct sr_option *o)
{
	char complaint[SR_COMPLAINT_SIZE];
	int64_t value;

	if (o->kind == SR_KIND_TEXT || sr_value_parse(o, o->initial, &value, complaint))
		return *o->initial ? o->initial : "empty";
	return sr_value_format(out, o, value);
}

static void print_option(FILE *out, const struct sr_option *o)
{
	char flag[SR_SPELLING_SIZE], initial[SR_VALUE_SIZE], low[SR_VALUE_SIZE], high[SR_VALUE_SIZE];

	fprintf(out, "  %s=%s\n", sr_option_flag(flag, o), value_word(o));
	print_wrapped(out, o->help);
	fprintf(out, "%*sDefault: %s", INDENT, "", shown_default(initial, o));
	if (o->kind == SR_KIND_TEXT || o->kind == SR_KIND_WORD)
		fputc('\n', out);
	else
		fprintf(out, "; from %s to %s\n", sr_value_format(low, o, o->low), sr_value_format(high, o, o->high));
}

void sr_conf_help(const struct sr_usage *usage, FILE *out)
{
	fprintf(out, "Usage: %s %s\n\n%s\n", usage->program, usage->synopsis, usage->summary);
	if (usage->examples) {
		fputs("\nExamples:\n", out);
		print_indented(out, usage->examples);
	}
	fputs("\nFlags:\n", out);
	print_flags(out, usage->flags);
	print_flags(out, sr_common_flags);
	fputs("\nOptions. Each is also a line of the file, as name = value (--redis-url is\n"
	      "redis_url there), and a variable of the environment (SSE_REDIS_URL). A flag\n"
	      "counts before the environment, the environment before the file. Durations are\n"
	      "numbers with ms, s, m or h; sizes are bytes, or numbers with k or m (1024).\n\n",
	      out);
	for (int i = 0; i < SR_CONF_COUNT; i++)
		print_option(out, &sr_options[i]);
}
