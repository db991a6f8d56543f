/* The command line in two walks. The first moves all flags before the operands, in their order, and looks at those that
 * are no options (--help, --config, a program's own). Then defaults, file and environment are read, and the second walk
 * lets the flags that are options go over them. A reload is the second half alone. */
#include "common/conf_parts.h"
#include <errno.h>
#include <string.h>

enum { WHY_MAX = 1024 };

/* sr_common_flags, by index. */
enum common { CONFIG, CHECK, DUMP, HELP, VERSION };

const struct sr_flag sr_common_flags[] = {
	[CONFIG] = {"config", "FILE",
	            "Read this file; else the one that SSE_CONFIG names, else " SR_CONF_PATH ", which may be absent.", NULL},
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

static enum sr_conf_action answer(const struct sr_usage *usage, int flag)
{
	if (flag == HELP)
		sr_conf_help(usage, stdout);
	else
		printf("%s %s\n", usage->program, SR_VERSION);
	return SR_CONF_STOP;
}

/* Remember, or answer, one flag that is no option. */
static enum sr_conf_action take(struct command *cmd, const struct sr_usage *usage, const struct given *g)
{
	int common = CONFIG;

	while (common <= VERSION && g->own != &sr_common_flags[common])
		common++;
	if (common == HELP || common == VERSION)
		return answer(usage, common);
	if (common == CHECK)
		cmd->check = true;
	else if (common == DUMP)
		cmd->dump = true;
	else if (g->own && common != CONFIG)
		*g->own->value = g->value;
	return SR_CONF_RUN;
}

/* Stops at the first --help or --version, even when nonsense follows; refuses the first flag that is wrong. */
static enum sr_conf_action first_walk(struct command *cmd, const struct sr_usage *usage, int argc, char **argv,
                                      struct sr_buf *why)
{
	int front = 1; /* argv[1] to argv[front - 1] are flags */

	for (int i = 1; i < argc;) {
		struct given g = {.words = 1};
		bool last = strcmp(argv[i], "--") == 0;

		if (!is_flag(argv[i])) {
			i++;
			continue;
		}
		if (!last) {
			if (read_flag(&g, usage, argv + i, why))
				return SR_CONF_REFUSE;
			if (take(cmd, usage, &g) == SR_CONF_STOP)
				return SR_CONF_STOP;
		}
		move_words(argv, i, front, g.words);
		front += g.words;
		i += g.words;
		if (last)
			break;
	}
	cmd->operands = argv + front;
	return SR_CONF_RUN;
}

/* ---- the second walk ---- */

/* Set the options among the flags (`conf` NULL: none), and find --config. `argv` is as the first walk left it. */
static enum sr_err second_walk(struct sr_conf *conf, const char **config, const struct sr_usage *usage, char **argv,
                               struct sr_buf *why)
{
	const struct sr_conf_origin origin = {SR_FROM_FLAG, 0};
	struct given g;
	enum sr_err e;

	for (argv++; *argv && is_flag(*argv) && strcmp(*argv, "--") != 0; argv += g.words) {
		e = read_flag(&g, usage, argv, why);
		if (e)
			return e;
		if (g.own == &sr_common_flags[CONFIG])
			*config = g.value;
		if (conf && g.option >= 0)
			e = sr_conf_set(conf, g.option, g.value, origin, why);
		if (e)
			return e;
	}
	return SR_OK;
}

/* Fill `conf`, which is all zero; it is empty again after an error, and `why` has the sentence. */
static enum sr_err load(struct sr_conf *conf, const struct sr_usage *usage, char **argv, bool secrets, struct sr_buf *why)
{
	const char *path = NULL;
	enum sr_err e = second_walk(NULL, &path, usage, argv, why);

	if (!e)
		e = sr_conf_begin(conf, path, why);
	if (!e)
		e = second_walk(conf, &path, usage, argv, why);
	return sr_conf_finish(conf, e, secrets, why);
}

enum sr_err sr_conf_reload(struct sr_conf *conf, const struct sr_usage *usage, int argc, char **argv, struct sr_buf *why)
{
	struct sr_conf fresh = {0};
	enum sr_err e = load(&fresh, usage, argv, true, why);

	(void)argc; /* argv ends with NULL; the pair is what main() has at hand */
	if (e)
		return e;
	sr_conf_release(conf);
	*conf = fresh;
	return SR_OK;
}

/* ---- both ---- */

static enum sr_conf_action report(const struct command *cmd, const struct sr_usage *usage, const struct sr_conf *conf)
{
	if (cmd->dump)
		sr_conf_dump(conf, stdout);
	else if (cmd->check)
		printf("%s: the configuration is good (%s)\n", usage->program, *conf->file ? conf->file : "no file");
	return cmd->dump || cmd->check ? SR_CONF_STOP : SR_CONF_RUN;
}

enum sr_conf_action sr_conf_start(struct sr_conf *conf, const struct sr_usage *usage, int argc, char **argv, char ***operands,
                                  int *exit_code)
{
	struct command cmd = {0};
	enum sr_conf_action action;
	enum sr_err e = SR_OK;
	int code = SR_EX_USAGE;
	struct sr_buf why;

	*conf = (struct sr_conf){0};
	sr_buf_init(&why, WHY_MAX);
	action = first_walk(&cmd, usage, argc, argv, &why);
	if (action == SR_CONF_RUN) {
		e = load(conf, usage, argv, !usage->secrets_later || cmd.check || cmd.dump, &why);
		action = e ? SR_CONF_REFUSE : report(&cmd, usage, conf);
		code = e == SR_ENOMEM ? SR_EX_LATER : SR_EX_CONFIG;
	}
	if (action == SR_CONF_STOP && (fflush(stdout) != 0 || ferror(stdout))) {
		sr_buf_explain(&why, "cannot write to standard output: %s", strerror(errno));
		action = SR_CONF_REFUSE;
		code = SR_EX_IO;
	}
	if (action == SR_CONF_REFUSE) {
		fprintf(stderr, "%s: %s\n", usage->program, why.len > 0 ? why.data : sr_strerror(SR_ENOMEM));
		*exit_code = code;
	}
	if (action == SR_CONF_RUN)
		*operands = cmd.operands;
	else
		sr_conf_release(conf);
	sr_buf_release(&why);
	return action;
}
