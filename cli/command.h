/* command.h - the commands of ssectl: each takes its operands (argv behind the command's name, NULL-terminated, as many as
 * its row of the table in command.c allows) and returns the exit code. */
#ifndef SR_COMMAND_H
#define SR_COMMAND_H
#include "cli/ctl.h"

struct sr_command {
	const char *name;
	int (*run)(struct sr_ctl *ctl, char **operands);
	int least, most;       /* operands */
	uint64_t flags;        /* SR_BIT() of those of ssectl's own flags that mean something to it */
	bool writes;           /* has --deadline, and an outcome that can be unknown */
	const char *synopsis;  /* behind the name */
	const char *line;      /* of the list of commands */
	const char *help;      /* paragraphs, then examples; lines end with a newline */
};

/* NULL when there is none of that name. */
const struct sr_command *sr_command_find(const char *name);
/* The i-th, in the order of the help; NULL behind the last. */
const struct sr_command *sr_command_at(size_t i);
/* May one letter, two swapped ones, or an ending be all that is wrong with `wrong`? */
bool sr_command_is_near(const char *wrong, const char *name);
/* Whose name is one mistake away from `name`; NULL when none is. */
const struct sr_command *sr_command_nearest(const char *name);

/* produce.c */
int sr_command_open(struct sr_ctl *ctl, char **operands);
int sr_command_emit(struct sr_ctl *ctl, char **operands);
int sr_command_end(struct sr_ctl *ctl, char **operands); /* complete, fail, cancel: by ctl->command */
int sr_command_beat(struct sr_ctl *ctl, char **operands);
/* run.c */
int sr_command_run(struct sr_ctl *ctl, char **operands);
/* show.c, recover.c, list.c, watch.c, status.c */
int sr_command_show(struct sr_ctl *ctl, char **operands);
int sr_command_recover(struct sr_ctl *ctl, char **operands);
int sr_command_list(struct sr_ctl *ctl, char **operands);
int sr_command_watch(struct sr_ctl *ctl, char **operands);
int sr_command_status(struct sr_ctl *ctl, char **operands);
/* top.c, orphans.c */
int sr_command_top(struct sr_ctl *ctl, char **operands);
int sr_command_orphans(struct sr_ctl *ctl, char **operands);
/* doctor.c */
int sr_command_doctor(struct sr_ctl *ctl, char **operands);
/* nodes.c, metrics.c, check.c */
int sr_command_nodes(struct sr_ctl *ctl, char **operands);
int sr_command_metrics(struct sr_ctl *ctl, char **operands);
int sr_command_check(struct sr_ctl *ctl, char **operands);
/* What a monitoring plugin exits with instead of `code`: 3, with a line on standard output, for what is no state of the service. */
int sr_check_exit(int code);
/* script.c */
int sr_command_script(struct sr_ctl *ctl, char **operands);
/* snippet.c */
int sr_command_snippet(struct sr_ctl *ctl, char **operands);

#endif
