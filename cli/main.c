/* main.c - ssectl's command line: help, options, and the way to the command.
 * Reading order: this file, command.c (the table), ctl.h, then a command. */
#include "cli/command.h"
#include "common/descriptors.h"
#include "common/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order of enum sr_ctl_flag. */
static const struct { const char *name, *arg, *help; } flag_rows[SR_FLAG_COUNT] = {
	{"json", NULL, "Print JSON; of lists and events one object a line."},
	{"verbose", NULL, "Say on stderr what happens to the connection to Redis."},
	{"id", "ID", "emit, beat, complete, fail, cancel: the stream, in the operand's place."},
	{"type", "TYPE", "open, run: what kind of work it is."},
	{"user", "USER", "The user that the stream belongs to."},
	{"metadata", "JSON", "open, run: an object of at most 8 KiB to keep with the stream."},
	{"lease", NULL, "open: the stream lives by its producer's beats."},
	{"producer", "NAME", "Name under which repeated events are recognised: 1 to 32 of a-z 0-9."},
	{"n", "NUMBER", "Number of the producer's event, rising."},
	{"deadline", "DURATION", "Go on trying for so long; 10s for what changes a stream, else 3s."},
	{"epoch", "NUMBER", "beat: the lease's number, as open printed it."},
	{"state", "STATE", "list: only active, orphaned, completed, failed or cancelled streams; top: the first two."},
	{"after", "EVENTID", "watch: begin after this event."},
	{"map", "MAP", "run: what output becomes: lines, json, progress or raw."},
	{"event", "TYPE", "run: type of the events that carry standard output; output."},
	{"coalesce", "DURATION", "run: join fast output within this time into one event."},
	{"tee", NULL, "run: pass the job's output on to standard output and standard error."},
	{"tail", "LINES", "run: last lines that a failure tells, 0 to 100; 10."},
	{"timeout", "DURATION", "run: stop the job after this time."},
	{"idle-timeout", "DURATION", "run: stop the job when it prints nothing for so long."},
	{"grace", "DURATION", "run: time from SIGTERM to SIGKILL; 10s."},
	{"spool", "SIZE", "run: bytes of events that wait while Redis is away; 8m."},
	{"require", NULL, "run: start the job only when its stream is open."},
	{"interval", "DURATION", "top: time between two pictures; 2s."},
	{"rounds", "NUMBER", "top: leave after so many pictures."},
	{"output", "FILE", "metrics: replace this file in one step."},
	{"nagios", NULL, "check: one line with performance data, and the exit codes of the monitoring plugins."},
	{"warning", "NUMBER", "check: warn of more orphaned streams than that; 5."},
	{"critical", "NUMBER", "check: more orphaned streams than that are critical; 20."},
	{"socket", "ADDRESS", "snippet, doctor: the responder's socket: a path, or HOST:PORT."},
	{"header-file", "FILE", "doctor: send these header fields, one a line, as a password."},
	{"cacert", "FILE", "doctor: trust the certificate authorities in this file."},
	{"disruptive", NULL, "doctor: also try what happens while the responder is away."},
	{"share", "FOLDER", "snippet: where away.cgi and its like are, if not where they are installed."},
	{"program", "FILE", "snippet: sse-fcgi, if not where it is installed."},
};

static void print_general_help(void)
{
	fputs("Usage: ssectl [options] COMMAND ...\n\n"
	      "Stores the events of server-sent event streams, and shows what Redis knows of them.\n\n"
	      "Examples:\n"
	      "  ssectl open job-42 --user ada\n"
	      "  ssectl emit job-42 progress '{\"percent\":40}'\n"
	      "  make-events | ssectl emit job-42 -\n"
	      "  ssectl complete job-42 '{\"rows\":1200}'\n"
	      "  ssectl watch job-42\n\n"
	      "Commands:\n",
	      stdout);
	for (size_t i = 0; sr_command_at(i); i++)
		printf("  %-10s %s\n", sr_command_at(i)->name, sr_command_at(i)->line);
	fputs("  help       print the help of a command: ssectl help emit\n\n"
	      "Flags:\n",
	      stdout);
	for (int i = 0; i < SR_FLAG_COUNT; i++)
		printf("  --%s%s%-*s %s\n", flag_rows[i].name, flag_rows[i].arg ? "=" : "",
		       (int)(22 - strlen(flag_rows[i].name) - (flag_rows[i].arg != NULL)), flag_rows[i].arg ? flag_rows[i].arg : "", flag_rows[i].help);
	fputs("  --config=FILE            Read this configuration.\n"
	      "  --help, --version        Print this text, or the version.\n"
	      "  ssectl help options      lists all options of the configuration, which are flags too.\n\n"
	      "Exit codes: 0 done; 1 the watched stream failed, or doctor or check found something bad; 64 usage;\n"
	      "65 data, or the stream has ended; 66 no such stream; 69 Redis unavailable; 70 Redis answered nonsense;\n"
	      "74 input or output failed; 75 try later: outcome unknown, or Redis refuses; 77 denied;\n"
	      "78 configuration; 130 interrupted.\n"
	      "run: the job's own, 128 + its signal, 124 after a timeout, 126 or 127 when it cannot be started.\n"
	      "check --nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.\n",
	      stdout);
}

static void print_command_help(const struct sr_command *c)
{
	printf("Usage: ssectl %s%s%s\n\n%s", c->name, *c->synopsis ? " " : "", c->synopsis, c->help);
	fputs("\nFlags:", stdout);
	for (int i = 0; i < SR_FLAG_COUNT; i++)
		if (c->flags & SR_BIT(i))
			printf(" --%s", flag_rows[i].name);
	fputs("; ssectl --help explains them.\n", stdout);
}

static int finish_help(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return SR_EX_OK;
	perror("ssectl: help: standard output");
	return SR_EX_IO;
}

static struct sr_usage usage_of(const struct sr_flag *flags)
{
	return (struct sr_usage){.program = "ssectl", .synopsis = "[options] COMMAND ...", .flags = flags,
	                         .secrets_later = true, .summary = "The options that every command takes; ssectl --help lists the commands."};
}

/* The table of options is the configuration's own to print. */
static int print_options(const struct sr_flag *flags)
{
	struct sr_usage usage = usage_of(flags);
	struct sr_conf conf;
	char program[] = "ssectl", help[] = "--help", *argv[] = {program, help, NULL}, **operands;
	int code = SR_EX_OK;

	if (sr_conf_start(&conf, &usage, 2, argv, &operands, &code) == SR_CONF_RUN)
		sr_conf_release(&conf);
	return code;
}

static int unknown_command(const char *name)
{
	const struct sr_command *near = sr_command_nearest(name);
	struct sr_ctl nobody = {0};

	if (near)
		return sr_ctl_fail(&nobody, SR_EX_USAGE, NULL, "unknown command '%.60s'; did you mean %s?", name, near->name);
	return sr_ctl_fail(&nobody, SR_EX_USAGE, NULL, "unknown command '%.60s'; ssectl --help lists them", name);
}

static int help(const char *topic, const struct sr_flag *flags)
{
	const struct sr_command *c = topic ? sr_command_find(topic) : NULL;

	if (topic && strcmp(topic, "options") == 0)
		return print_options(flags);
	if (topic && !c && strcmp(topic, "help") != 0)
		return unknown_command(topic);
	if (c)
		print_command_help(c);
	else
		print_general_help();
	return finish_help();
}

/* Does this flag take the next word as its value? Each but the switches does. */
static bool takes_next(const char *word)
{
	static const char *const switches[] = {"--check-config", "--dump-config", "--version"};

	for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
		if (strcmp(word, switches[i]) == 0)
			return false;
	for (int i = 0; i < SR_FLAG_COUNT; i++)
		if (!flag_rows[i].arg && strcmp(word + 2, flag_rows[i].name) == 0)
			return false;
	return !strchr(word, '=');
}

/* Is help asked for, and of which command? --help may stand anywhere, before the command's own words are looked at. */
static bool wants_help(char **argv, const char **topic)
{
	bool asked = false;

	*topic = NULL;
	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
		bool is_flag = strncmp(*argv, "--", 2) == 0;

		if (strcmp(*argv, "--help") == 0 || strcmp(*argv, "-h") == 0 || (!*topic && strcmp(*argv, "help") == 0))
			asked = true;
		else if (is_flag && takes_next(*argv) && argv[1])
			argv++;
		else if (!is_flag && !*topic)
			*topic = *argv;
	}
	return asked;
}

/* Is this a monitoring plugin, whatever else is wrong with the command line? */
static bool is_plugin(char **argv)
{
	bool nagios = false, check = false;

	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
		nagios |= strcmp(*argv, "--nagios") == 0;
		check |= strcmp(*argv, "check") == 0;
	}
	return nagios && check;
}

static int check_words(const struct sr_ctl *ctl, const struct sr_command *c, char **operands)
{
	int count = 0;

	while (operands[count])
		count++;
	if (count < c->least || count > c->most)
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "usage: ssectl %s %s", c->name, c->synopsis);
	for (int i = 0; i < SR_FLAG_COUNT; i++)
		if (ctl->flag[i] && !(c->flags & SR_BIT(i)))
			return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "--%s means nothing to %s", flag_rows[i].name, c->name);
	return 0;
}

/* The connection's log lines are for --verbose: what matters to the command is in its own message. */
static void open_log(const struct sr_ctl *ctl)
{
	const char *target = ctl->flag[SR_FLAG_VERBOSE] ? "stderr" : "/dev/null";

	if (sr_log_open("ssectl", target, (enum sr_log_level)ctl->conf.log_level) != SR_OK)
		sr_ctl_note(ctl, NULL, "cannot open %s for log lines", target);
}

/* What the doctor is there to find must not keep it from starting, and a snippet needs no Redis. */
static int try_password(const struct sr_ctl *ctl)
{
	struct sr_ctl nobody = {0};
	struct sr_buf why;
	int code = 0;

	sr_buf_init(&why, 1024);
	if (strcmp(ctl->command, "doctor") != 0 && strcmp(ctl->command, "snippet") != 0 && sr_conf_try_password(&ctl->conf, &why) != SR_OK)
		code = sr_ctl_fail(&nobody, SR_EX_CONFIG, NULL, "%s", why.len ? why.data : sr_strerror(SR_ENOMEM));
	sr_buf_release(&why);
	return code;
}

static int run(struct sr_ctl *ctl, char **operands)
{
	const struct sr_command *c;
	int code, flushed;

	if (!operands[0])
		return sr_ctl_fail(ctl, SR_EX_USAGE, NULL, "no command; ssectl --help lists them");
	c = sr_command_find(operands[0]);
	if (!c)
		return unknown_command(operands[0]);
	ctl->command = c->name;
	ctl->writes = c->writes;
	ctl->reg = sr_registry_of(&ctl->conf);
	sr_out_init(&ctl->out, stdout, ctl->flag[SR_FLAG_JSON] != NULL);
	open_log(ctl);
	code = check_words(ctl, c, operands + 1);
	if (!code)
		code = try_password(ctl);
	if (!code)
		code = c->run(ctl, operands + 1);
	flushed = code == SR_EX_IO ? 0 : sr_ctl_flush(ctl);
	sr_session_free(ctl->session);
	sr_log_close();
	return code ? code : flushed;
}

int main(int argc, char **argv)
{
	struct sr_ctl ctl = {0};
	struct sr_flag flags[SR_FLAG_COUNT + 1] = {{0}};
	struct sr_usage usage = usage_of(flags);
	const char *topic;
	char **operands;
	int code = SR_EX_BUG;

	if (!sr_descriptors_fill())
		return SR_EX_IO;
	ctl.sigpipe = signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, which is said */
	for (int i = 0; i < SR_FLAG_COUNT; i++)
		flags[i] = (struct sr_flag){flag_rows[i].name, flag_rows[i].arg, flag_rows[i].help, &ctl.flag[i]};
	if (wants_help(argv, &topic))
		return help(topic, flags);
	switch (sr_conf_start(&ctl.conf, &usage, argc, argv, &operands, &code)) {
	case SR_CONF_STOP:
		return SR_EX_OK;
	case SR_CONF_REFUSE:
		break;
	case SR_CONF_RUN:
		code = run(&ctl, operands);
		sr_conf_release(&ctl.conf);
		break;
	}
	return is_plugin(argv) ? sr_check_exit(code) : code;
}
