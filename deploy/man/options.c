/* options.c - a program of the build: print the table of options for the manual (mdoc), as the example of a configuration
 * file (conf), or as bare names (names). So neither can ever disagree with the table. */
#include "common/conf_parts.h"
#include <string.h>

enum { WIDTH = 100 };

/* The default as --help shows it: 3600s reads 1h everywhere. */
static const char *shown_default(char out[SR_VALUE_SIZE], const struct sr_option *o)
{
	char complaint[SR_COMPLAINT_SIZE];
	int64_t value;

	if (o->kind == SR_KIND_TEXT || sr_value_parse(o, o->initial, &value, complaint))
		return o->initial;
	return sr_value_format(out, o, value);
}

static bool has_bounds(const struct sr_option *o)
{
	return o->kind != SR_KIND_TEXT && o->kind != SR_KIND_WORD;
}

static const char *kind_name(const struct sr_option *o)
{
	static const char *const names[] = {[SR_KIND_TEXT] = "text", [SR_KIND_NUMBER] = "number", [SR_KIND_DURATION] = "duration",
	                                    [SR_KIND_SIZE] = "size"};

	return names[o->kind];
}

/* ---- mdoc ---- */

/* Text that roff leaves alone: no escape, no request at the start of a line. A sentence begins a line. */
static void roff(const char *text)
{
	char before = '\n';

	for (; *text; text++) {
		char c = *text == ' ' && before == '.' ? '\n' : *text;

		if (before == '\n' && (c == '.' || c == '\''))
			fputs("\\&", stdout);
		if (c == '\\')
			fputs("\\e", stdout);
		else if (c == '-')
			fputs("\\-", stdout);
		else
			putchar(c);
		before = c;
	}
	putchar('\n');
}

static void print_mdoc(const struct sr_option *o)
{
	char initial[SR_VALUE_SIZE], low[SR_VALUE_SIZE], high[SR_VALUE_SIZE];
	const char *value = shown_default(initial, o);

	if (o->kind == SR_KIND_WORD) {
		printf(".It Cm %s No =", o->name);
		for (const char *word = o->words; *word; word += strcspn(word, "|") + (word[strcspn(word, "|")] == '|'))
			printf("%s Cm %.*s", word == o->words ? "" : " |", (int)strcspn(word, "|"), word);
		putchar('\n');
	} else {
		printf(".It Cm %s No = Ar %s\n", o->name, kind_name(o));
	}
	roff(o->help);
	if (*value)
		printf("Default:\n.Ql %s\\&%s\n", value, has_bounds(o) ? " ;" : " .");
	else
		puts("Default: empty.");
	if (has_bounds(o))
		printf("from %s to %s.\n", sr_value_format(low, o, o->low), sr_value_format(high, o, o->high));
}

/* ---- conf ---- */

static void comment(const char *text)
{
	size_t column = 0;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%.*s", column == 0 ? "# " : " ", (int)len, text);
		text += len;
	}
	putchar('\n');
}

static void print_conf(const struct sr_option *o)
{
	char initial[SR_VALUE_SIZE], low[SR_VALUE_SIZE], high[SR_VALUE_SIZE];

	putchar('\n');
	comment(o->help);
	if (o->kind == SR_KIND_WORD)
		printf("# One of %s.\n", o->words);
	if (has_bounds(o))
		printf("# From %s to %s.\n", sr_value_format(low, o, o->low), sr_value_format(high, o, o->high));
	printf("#%s =%s%s\n", o->name, *shown_default(initial, o) ? " " : "", shown_default(initial, o));
}

static void print_name(const struct sr_option *o)
{
	puts(o->name);
}

static int usage(void)
{
	fputs("usage: options mdoc|conf|names\n", stderr);
	return SR_EX_USAGE;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(const struct sr_option *o);
	} forms[] = {{"mdoc", print_mdoc}, {"conf", print_conf}, {"names", print_name}};
	size_t form = 0;

	if (argc != 2)
		return usage();
	while (form < sizeof forms / sizeof *forms && strcmp(argv[1], forms[form].name) != 0)
		form++;
	if (form == sizeof forms / sizeof *forms)
		return usage();
	for (int i = 0; i < SR_CONF_COUNT; i++)
		forms[form].print(&sr_options[i]);
	return fflush(stdout) == 0 && !ferror(stdout) ? SR_EX_OK : SR_EX_IO;
}
