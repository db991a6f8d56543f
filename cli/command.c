/* command.c - the table of commands. See command.h. */
#include "cli/command.h"

#include <string.h>

#define READ (SR_BIT(SR_FLAG_JSON) | SR_BIT(SR_FLAG_VERBOSE) | SR_BIT(SR_FLAG_DEADLINE))
#define WRITE (READ | SR_BIT(SR_FLAG_ID) | SR_BIT(SR_FLAG_USER) | SR_BIT(SR_FLAG_PRODUCER) | SR_BIT(SR_FLAG_N))

/* Of each command that a child of `ssectl run` may use without an id. */
#define NAMED_HELP                                                                                                       \
	"Where SSE_STREAM names the stream, as ssectl run does for its child, ID is left out, and\n"                     \
	"SSE_STREAM_USER is the user, unless --user is given. --id ID names a stream everywhere, and\n"                  \
	"takes the operand's place, too.\n\n"

#define END_HELP                                                                                                         \
	"JSON is the terminal event's data; without it {}; - reads it from standard input. The\n"                        \
	"first terminal event counts and is never changed: a stream that has ended is refused (65).\n"                   \
	"Prints the event's id once Redis has confirmed it.\n\n"                                                         \
	NAMED_HELP

static const struct sr_command commands[] = {
	{"open", sr_command_open, 1, 1,
	 READ | SR_BIT(SR_FLAG_TYPE) | SR_BIT(SR_FLAG_USER) | SR_BIT(SR_FLAG_METADATA) | SR_BIT(SR_FLAG_LEASE), true,
	 "ID [--type T] [--user U] [--metadata JSON] [--lease]", "open a stream, or take its lease",
	 "Opens the stream for the user who may read it. One that is open already stays so, and\n"
	 "takes the type and metadata that are given. With --lease the stream lives by its producer:\n"
	 "beat, or emit, more often than stale_threshold, else it is orphaned and fails. Who takes\n"
	 "the lease again gets a higher number, and beats with a lower one are refused.\n\n"
	 "Examples:\n"
	 "  ssectl open job-42 --user ada\n"
	 "  ssectl open job-42 --user ada --type export --metadata '{\"rows\":1200}' --lease\n"},
	{"emit", sr_command_emit, 1, 3, WRITE, true, "ID TYPE [JSON|-]  |  emit ID -", "store an event, or one a line from standard input",
	 "JSON is the event's data; without it {}; - reads it from standard input. The types completed,\n"
	 "failed and cancelled end the stream. Prints the event's id once Redis has confirmed it.\n\n"
	 "emit ID - reads one {\"type\":...,\"data\":...} a line from standard input and stores them over\n"
	 "one connection, as they come. It prints one id a line. A line that is no event ends it (65);\n"
	 "what stood before is stored. A terminal event must be the last line.\n\n"
	 "It retries until --deadline, under a producer's name and rising numbers, so that nothing is\n"
	 "stored twice. To go on retrying yourself, give --producer and --n, and repeat both: the n-th\n"
	 "event of a producer is stored once. emit ID - numbers its events from --n on (1); run it\n"
	 "again with the same name and the same input, and it goes on behind what is stored.\n\n"
	 "An unknown stream is opened (option on_unknown) for --user, or for everybody where\n"
	 "anonymous = allow. With --user, another user's stream is refused (77).\n\n"
	 NAMED_HELP
	 "Examples:\n"
	 "  ssectl emit job-42 progress '{\"percent\":40}'\n"
	 "  ssectl emit job-42 log - <entry.json\n"
	 "  ssectl emit job-42 token '\"Hel\"' --producer worker7 --n 12\n"
	 "  printf '%s\\n' '{\"type\":\"token\",\"data\":\"a\"}' '{\"type\":\"completed\"}' | ssectl emit job-42 -\n"},
	{"complete", sr_command_end, 0, 2, WRITE, true, "ID [JSON|-]", "end a stream: completed",
	 END_HELP "Examples:\n  ssectl complete job-42\n  ssectl complete job-42 '{\"rows\":1200}'\n"},
	{"fail", sr_command_end, 0, 2, WRITE, true, "ID [JSON|-]", "end a stream: failed",
	 END_HELP "Examples:\n  ssectl fail job-42 '{\"reason\":\"disk full\"}'\n"},
	{"cancel", sr_command_end, 0, 2, WRITE, true, "ID [JSON|-]", "end a stream: cancelled",
	 END_HELP "Examples:\n  ssectl cancel job-42 '{\"by\":\"ada\"}'\n"},
	{"beat", sr_command_beat, 0, 1, READ | SR_BIT(SR_FLAG_ID) | SR_BIT(SR_FLAG_EPOCH), true, "ID [--epoch N]", "say that a stream's producer is alive",
	 "Keeps the stream active, and makes an orphaned one active again. With --epoch, the number\n"
	 "that open --lease printed, it is refused (77) once another producer has taken the lease.\n\n"
	 "Where SSE_STREAM names the stream, as ssectl run does for its child, ID is left out. --id ID\n"
	 "names a stream everywhere, and takes the operand's place, too.\n\n"
	 "Examples:\n"
	 "  ssectl beat job-42\n"
	 "  while ssectl beat job-42 --epoch 1; do sleep 10; done\n"},
	{"watch", sr_command_watch, 1, 1, READ | SR_BIT(SR_FLAG_AFTER), false, "ID [--after EVENTID]", "print a stream's events as they come",
	 "Prints the events from the start, or after the one given, as lines of id, type and data, and\n"
	 "goes on until the stream ends: exit 0 when it completed, 1 when it failed or was cancelled.\n"
	 "While Redis is away it waits, and goes on where it was. Reads as an operator: any user's.\n\n"
	 "Examples:\n"
	 "  ssectl watch job-42\n"
	 "  ssectl watch job-42 --json | jq -r 'select(.type==\"token\").data'\n"},
	{"list", sr_command_list, 0, 0, READ | SR_BIT(SR_FLAG_STATE), false, "[--state STATE]", "list the streams that Redis knows",
	 "Prints id, state, type, user, start and last heartbeat of each stream, sorted by id: active,\n"
	 "orphaned, and those that completed, failed or were cancelled within stream_ttl. With --json,\n"
	 "one object a line.\n\n"
	 "Examples:\n"
	 "  ssectl list --state orphaned\n"
	 "  ssectl list --json | jq -r 'select(.userId==\"ada\").streamId'\n"},
	{"show", sr_command_show, 1, 1, READ, false, "ID", "print all that is known of a stream",
	 "Prints the record, its viewers, its log, how it ended, and how long each is kept.\n\n"
	 "Examples:\n"
	 "  ssectl show job-42\n"
	 "  ssectl show job-42 --json | jq .log.length\n"},
	{"recover", sr_command_recover, 1, 1, READ, false, "ID", "print what a client is told that lost the end",
	 "Prints the JSON of GET {mount}/ID/recover, for any user's stream: status is active, orphaned,\n"
	 "completed, failed, cancelled, expired, or not_found (66).\n\n"
	 "Examples:\n"
	 "  ssectl recover job-42 | jq .terminalEventData\n"},
	{"status", sr_command_status, 0, 0, READ, false, "", "print the state of Redis, the responders and the guardian",
	 "Prints whether Redis answers and is fit for this, how many streams are active, which processes\n"
	 "are alive, and when the guardian last looked. Exit 69 when Redis is away.\n\n"
	 "Examples:\n"
	 "  ssectl status\n"
	 "  ssectl status --json | jq .guardian.lastPassAt\n"},
};

#define COUNT (sizeof commands / sizeof *commands)

const struct sr_command *sr_command_at(size_t i)
{
	return i < COUNT ? &commands[i] : NULL;
}

const struct sr_command *sr_command_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* May one letter, two swapped ones, or an ending be all that is wrong? */
static bool is_near(const char *wrong, const char *name)
{
	size_t same = 0, a = strlen(wrong), b = strlen(name);

	while (wrong[same] && wrong[same] == name[same])
		same++;
	if (same >= 3 || (same > 0 && (same == a || same == b)))
		return true;
	wrong += same;
	name += same;
	a -= same;
	b -= same;
	return (a > 0 && b > 0 && strcmp(wrong + 1, name + 1) == 0) || (a == b + 1 && strcmp(wrong + 1, name) == 0) ||
	       (b == a + 1 && strcmp(wrong, name + 1) == 0) ||
	       (a >= 2 && a == b && wrong[0] == name[1] && wrong[1] == name[0] && strcmp(wrong + 2, name + 2) == 0);
}

const struct sr_command *sr_command_nearest(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (is_near(name, commands[i].name))
			return &commands[i];
	return NULL;
}
