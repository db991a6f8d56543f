/* The command line in two walks. The first moves all flags before the operands, in their order, and looks at those that
 * are no options (--help, --config, a program's own). Then defaults, file and environment are read, and the second walk
 * lets the flags that are options go over them. A reload is the second half alone. */
#include "common/conf_parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_MAX = 1024 };

/* sr_common_flags, by index. */
enum common { CONFIG, CHECK, DUMP, HELP, VERSION };

const struct sr_flag sr_common_flags[] = {
	[CONFIG] = {"config", "FILE", "Read this file; else the one that SSE_CONFIG names, else " SR_CONF_PATH ", which may be absent.", NULL},
	[CHECK] = {"check-config", NULL, "Check file, environment and flags, say so, and exit.", NULL},
	[DUMP] = {"dump-config", NULL, "Print every option with its value and where it was set, and exit.", NULL},
	[HELP] = {"help", NULL, "Print this text and exit.", NULL},
	[VERSION] = {"version", NULL, "Print the version and exit.", NULL},
	{NULL, NULL, NULL, NULL},
};

/* One flag as it stands in argv. */
struct given {
	int option;               /* index in sr_options, or -1 */
	const struct sr_flag *own;/* a row of the program's or of sr_common_flags; NULL for an option */
	const char *value;        /* "" for a switch */
	int words;                /* of argv that it takes: 1 or 2 */
};

/* What the first walk found. */
struct command {
	const char *config; /* NULL: not given */
	bool check, dump;
	char **operands;
};

/* ---- one flag ---- */

static const struct sr_flag *find_flag(const struct sr_flag *flags, const char *name, size_t len)
{
	for (; flags && flags->name; flags++)
		if (strlen(flags->name) == len && memcmp(flags->name, name, len) == 0)
			return flags;
	return NULL;
}

static int find_option(const char *name, size_t len)
{
	char spelling[SR_SPELLING_SIZE];

	for (int i = 0; i < SR_CONF_COUNT; i++) {
		sr_option_flag(spelling, &sr_options[i]);
		if (strlen(spelling) == len + 2 && memcmp(spelling + 2, name, len) == 0)
			return i;
	}
	return -1;
}

static enum sr_err refuse_flag(const struct sr_usage *usage, const char *name, size_t len, struct sr_buf *why)
{
	struct sr_nearest near = {.wanted = name, .len = len};
	const struct sr_flag *lists[2] = {usage->flags, sr_common_flags};
	char spelling[SR_SPELLING_SIZE];
	int option;

	for (int i = 0; i < SR_CONF_COUNT; i++)
		sr_nearest_offer(&near, sr_options[i].name);
	for (int l = 0; l < 2; l++)
		for (const struct sr_flag *f = lists[l]; f && f->name; f++)
			sr_nearest_offer(&near, f->name);
	if (!near.name) {
		sr_buf_explain(why, "unknown flag --%.*s; --help lists them", len < 60 ? (int)len : 60, name);
		return SR_EINVAL;
	}
	option = sr_option_find(near.name, strlen(near.name));
	if (option >= 0)
		near.name = sr_option_flag(spelling, &sr_options[option]) + 2;
	sr_buf_explain(why, "unknown flag --%.*s; did you mean --%s?", (int)len, name, near.name);
	return SR_EINVAL;
}

static bool is_flag(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* Read the flag at argv[0]; argv ends with NULL. */
static enum sr_err read_flag(struct given *g, const struct sr_usage *usage, char **argv, struct sr_buf *why)
{
	const char *name = strcmp(argv[0], "-h") == 0 ? "help" : argv[0] + 2;
	size_t len = strcspn(name, "=");
	bool takes_value;

	if (argv[0][1] != '-' && name == argv[0] + 2) {
		sr_buf_explain(why, "unknown flag %.60s; flags begin with two dashes, --help lists them", argv[0]);
		return SR_EINVAL;
	}
	*g = (struct given){.option = -1, .value = "", .words = 1};
	g->own = find_flag(usage->flags, name, len);
	if (!g->own)
		g->own = find_flag(sr_common_flags, name, len);
	if (!g->own)
		g->option = find_option(name, len);
	if (!g->own && g->option < 0)
		return refuse_flag(usage, name, len, why);
	takes_value = !g->own || g->own->arg;
	if (takes_value && name[len] == '=') {
		g->value = name + len + 1;
	} else if (takes_value && argv[1]) {
		g->value = argv[1];
		g->words = 2;
	} else if (takes_value || name[len] == '=') {
		sr_buf_explain(why, "--%.*s %s", (int)len, name, takes_value ? "needs a value" : "takes no value");
		return SR_EINVAL;
	}
	return SR_OK;
}

/* ---- the first walk ---- */

static void move_words(char **argv, int from, int to, int count)
{
	char *words[2] = {argv[from], count > 1 ? argv[from + 1] : NULL};

	memmove(argv + to + count, argv + to, (size_t)(from - to) * sizeof *argv);
	memcpy(argv + to, words, (size_t)count * sizeof *argv);
}

static int answer(const struct sr_usage *usage, ptrdiff_t flag)
{
	if (flag == HELP)
		sr_conf_help(usage, stdout);
	else
		printf("%s %s\n", usage->program, SR_VERSION);
	return 1;
}

/* Remember or answer one flag that is no option; nonzero when it was answered. */
static int take(struct command *cmd, const struct sr_usage *usage, const struct given *g)
{
	ptrdiff_t common = -1;

	if (!g->own)
		return 0;
	for (int i = CONFIG; i <= VERSION; i++)
		if (g->own == &sr_common_flags[i])
			common = i;
	if (common < 0)
		*g->own->value = g->value;
	else if (common == CONFIG)
		cmd->config = g->value;
	else if (common == CHECK)
		cmd->check = true;
	else if (common == DUMP)
		cmd->dump = true;
	else
		return answer(usage, common);
	return 0;
}
