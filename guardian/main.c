/* main.c - sse-guardian: finds streams whose keeper died, and gives them their end.
 *
 *   main ──> guardian: one loop ──> canary   proof that Redis was writable
 *    │                          ├─> round ──> sweep ──> sample, pace
 *    │                          │         └─> heal
 *    │                          ├─> report
 *    │                          └─> late, common/notify
 *    └─────> dry: --dry-run */
#include "common/conf.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "guardian/dry.h"
#include "guardian/guardian.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

static const char examples[] =
	"sse-guardian                             guard until SIGTERM, in the foreground\n"
	"sse-guardian --once                      one whole pass, for cron or a systemd timer\n"
	"sse-guardian --dry-run                   say what a pass would look at\n"
	"sse-guardian --check-interval=10s --redis-url=redis://10.0.0.5:6379/2\n"
	"SSE_LOG_LEVEL=debug sse-guardian         every pass, also those that found nothing\n";

static int run(struct sr_conf *conf, const struct sr_command *command, bool once, bool dry)
{
	if (sr_log_open(command->usage->program, conf->log_target, (enum sr_log_level)conf->log_level) != SR_OK) {
		sr_log(SR_LOG_ERROR, "cannot open the log", "target", conf->log_target, "reason", strerror(errno), (char *)NULL);
		return SR_EX_CONFIG;
	}
	return dry ? sr_dry_run(conf) : sr_guardian_run(conf, command, once);
}

int main(int argc, char **argv)
{
	const char *once = NULL, *dry = NULL;
	const struct sr_flag flags[] = {
		{"once", NULL, "Wait until Redis is proven writable, do one whole pass, and exit.", &once},
		{"dry-run", NULL, "Print what a pass would look at, change nothing, and exit.", &dry},
		{NULL, NULL, NULL, NULL},
	};
	const struct sr_usage usage = {
		.program = "sse-guardian",
		.synopsis = "[--once] [--dry-run] [options]",
		.summary = "Marks streams whose responder or producer died as orphaned, ends those whose producer does not come back, and repairs "
		           "what was left behind in Redis.",
		.examples = examples,
		.flags = flags,
	};
	const struct sr_command command = {&usage, argc, argv};
	struct sr_conf conf;
	char **operands;
	int exit_code = SR_EX_OK;

	if (!sr_descriptors_fill())
		return SR_EX_LATER;
	signal(SIGPIPE, SIG_IGN);
	switch (sr_conf_start(&conf, &usage, argc, argv, &operands, &exit_code)) {
	case SR_CONF_STOP:
		return SR_EX_OK;
	case SR_CONF_REFUSE:
		return exit_code;
	case SR_CONF_RUN:
		break;
	}
	if (*operands) {
		fprintf(stderr, "sse-guardian: '%s' is one word too many; --help shows the flags\n", *operands);
		exit_code = SR_EX_USAGE;
	} else {
		exit_code = run(&conf, &command, once != NULL, dry != NULL);
	}
	sr_conf_release(&conf);
	sr_log_close();
	return exit_code;
}
