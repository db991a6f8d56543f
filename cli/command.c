/* command.c - the table of commands. See command.h. */
#include "cli/command.h"

#include <limits.h>
#include <string.h>

#define READ (SR_BIT(SR_FLAG_JSON) | SR_BIT(SR_FLAG_VERBOSE) | SR_BIT(SR_FLAG_DEADLINE))
#define WRITE (READ | SR_BIT(SR_FLAG_ID) | SR_BIT(SR_FLAG_USER) | SR_BIT(SR_FLAG_PRODUCER) | SR_BIT(SR_FLAG_N))

/* Of each command that a child of `ssectl run` may use without an id. */
#define NAMED_HELP                                                                                                       \
	"Where SSE_STREAM names the stream, as ssectl run does for its child, ID is left out, and\n"                     \
	"SSE_STREAM_USER is the user, unless --user is given. --id ID names a stream in the operand's\n"                 \
	"place, for emit, beat, complete, fail and cancel.\n\n"

#define END_HELP                                                                                                         \
	"JSON is the terminal event's data; without it {}; - reads it from standard input. The\n"                        \
	"first terminal event counts and is never changed: a stream that has ended is refused (65).\n"                   \
	"Prints the event's id once Redis has confirmed it.\n\n"                                                         \
	NAMED_HELP

#define RUN                                                                                                              \
	(SR_BIT(SR_FLAG_VERBOSE) | SR_BIT(SR_FLAG_DEADLINE) | SR_BIT(SR_FLAG_TYPE) | SR_BIT(SR_FLAG_USER) |              \
	 SR_BIT(SR_FLAG_METADATA) | SR_BIT(SR_FLAG_MAP) | SR_BIT(SR_FLAG_EVENT) | SR_BIT(SR_FLAG_COALESCE) |             \
	 SR_BIT(SR_FLAG_TEE) | SR_BIT(SR_FLAG_TAIL) | SR_BIT(SR_FLAG_TIMEOUT) | SR_BIT(SR_FLAG_IDLE_TIMEOUT) |           \
	 SR_BIT(SR_FLAG_GRACE) | SR_BIT(SR_FLAG_SPOOL) | SR_BIT(SR_FLAG_REQUIRE))

static const char run_help[] =
	"Opens the stream with a lease, runs PROGRAM, stores what it prints as events as it comes, and\n"
	"beats for it. However the program ends, the stream gets one terminal event:\n"
	"  exit 0            completed {\"exit\":0}\n"
	"  exit 3            failed {\"exit\":3,\"tail\":[last lines]}\n"
	"  killed            failed {\"signal\":\"SIGKILL\",\"tail\":[...]}\n"
	"  --timeout         failed {\"reason\":\"timeout\",...}; --idle-timeout: \"idle\"\n"
	"  cannot be started failed {\"exit\":127,\"error\":\"...\"}; 126: it is there, but cannot run\n"
	"The exit status is the program's, 128 + signal when one killed it, 124 after a timeout.\n\n"
	"--map says what standard output becomes:\n"
	"  lines     output {\"line\":\"...\"} a line (--event changes the type)\n"
	"  json      a line {\"type\":...,\"data\":...} is that event, any other as in lines. A terminal event\n"
	"            is kept until the program has ended: exit 0 stores it as the end; else its data\n"
	"            is the \"result\" of failed. The last one counts.\n"
	"  progress  a line with 40%, 40.5 % or 3/10, or that is only a number to 100, is progress\n"
	"            {\"percent\":40,\"line\":\"...\"}, on standard error, too; a repeat of the same percentage is\n"
	"            left out. CR ends a line as well, so that progress bars work\n"
	"  raw       output {\"text\":\"...\"} as it comes, for the tokens of a language model\n"
	"Lines of standard error are log {\"line\":\"...\",\"stream\":\"stderr\"}. A line that is too long for one\n"
	"event (option event_bytes) comes in several, each but the last with \"cut\":true. What is not\n"
	"UTF-8 becomes U+FFFD. --coalesce 50ms joins what comes within that time, up to 16 KiB: lines\n"
	"with \\n between them. A stream keeps its last log_events events (option, 1000): raise that, or\n"
	"coalesce, for a program that prints more.\n\n"
	"Without --tee nothing is printed but ssectl's own messages; --tee passes both outputs on as they\n"
	"are. Keep it in a crontab if you want the mail.\n\n"
	"The program never suffers from its stream. Redis away: it starts at once, and --spool bytes of\n"
	"events wait; when they do not suffice the oldest are dropped, and one event skipped {\"events\":N}\n"
	"stands in their place. While Redis answers nothing is dropped: a program that prints faster\n"
	"than Redis stores is slowed down, as by any pipe. At the end ssectl stores the rest, and gives\n"
	"up when Redis stores nothing for --deadline; it says how many events are missing then. A stream\n"
	"that is refused (it has ended, it is another user's) is said once, and the program runs on;\n"
	"with --require it is not even started: exit 65, 77, or 69 when Redis is away for --deadline.\n\n"
	"Background processes that outlive the program and keep its output open are read until they are\n"
	"silent for 1 s, and for --grace at most; SIGPIPE ends them when they write later.\n\n"
	"Whoever cancels the stream (ssectl cancel) stops the program: SIGTERM to its process group,\n"
	"SIGKILL after --grace; so do the timeouts. If the stream is completed or failed by somebody else,\n"
	"the program runs on. Signals to ssectl are passed on to the group; a second SIGINT or SIGTERM\n"
	"kills it after --grace. What the program leaves running is not waited for, once it has been\n"
	"silent for a second. Should ssectl itself be killed, the program gets SIGTERM, and the guardian\n"
	"fails the stream.\n\n"
	"The program has SSE_STREAM and SSE_STREAM_USER in its environment, and what else ssectl was told.\n\n"
	"Examples:\n"
	"  ssectl run backup-7 --user ada -- rsync -a --info=progress2 /srv /mnt\n"
	"  ssectl run --map progress export-9 --user ada -- php export.php 9\n"
	"  ssectl run --map raw --coalesce 50ms --event token chat-3 --user ada -- ./answer.py\n"
	"  ssectl run --timeout 1h --tee job-42 --user ada --metadata '{\"host\":\"web1\"}' -- make\n"
	"  17 3 * * *  ssectl run --user ops --tee nightly-$(date +\\%F) -- /usr/local/bin/nightly\n";

#define DOCTOR                                                                                                           \
	(READ | SR_BIT(SR_FLAG_SOCKET) | SR_BIT(SR_FLAG_HEADER_FILE) | SR_BIT(SR_FLAG_CACERT) | SR_BIT(SR_FLAG_DISRUPTIVE) | \
	 SR_BIT(SR_FLAG_USER))

static const char doctor_help[] =
	"Checks the configuration's files and their rights, the responders' socket, Redis (its settings, the\n"
	"rights of the programs' user there, a stream of the doctor's own from open to its end), the\n"
	"guardian and the responders; with URL, the public address of the mount point, also the way through\n"
	"the web server. One line a finding: good; note, worth knowing or not checked; bad, with its cure.\n"
	"Run it as root, which may look at everything. It changes nothing, and leaves nothing behind.\n\n"
	"With URL: --header-file names a file of header fields to send, as a password (Authorization: ...);\n"
	"--user is whom the web server takes that for; --cacert trusts a certificate of your own.\n"
	"--disruptive also tries what clients get while the responders are away: for a moment they are.\n\n"
	"--socket is where the responders listen: a path (/run/sse-resilience/fcgi.sock) or HOST:PORT.\n"
	"--json prints one object {\"check\",\"verdict\",\"text\",\"cure\"} a line. Exit 0: nothing is bad; 1:\n"
	"something is; 69: Redis is away (all else was checked); 77: it denies access.\n\n"
	"A user of Redis for the programs, with the rights that they need and no others (where key_prefix is\n"
	"sse:), is this line of users.acl, without the breaks:\n"
	"  user sse on >PASSWORD ~sse:* resetchannels &sse:* -@all +time +ping +client|setname +info +evalsha\n"
	"  +eval +script|load +scan +set +del +exists +pexpire +pttl +type +hget +hmget +hgetall +hlen +hstrlen\n"
	"  +hset +hdel +hincrby +zadd +zrem +zscore +zcard +zcount +zrange +zrevrange +zrangebyscore +zremrangebyscore +xadd\n"
	"  +xrange +xrevrange +xlen +xread +xinfo|stream +publish +subscribe +unsubscribe\n\n"
	"Examples:\n"
	"  ssectl doctor\n"
	"  ssectl doctor https://www.example.org/api/stream\n"
	"  ssectl doctor --socket 127.0.0.1:9000 --json | jq -r 'select(.verdict==\"bad\").cure'\n";

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
	 END_HELP "An unknown stream is refused (66): there is nothing to cancel.\n\nExamples:\n  ssectl cancel job-42 '{\"by\":\"ada\"}'\n"},
	{"beat", sr_command_beat, 0, 1, READ | SR_BIT(SR_FLAG_ID) | SR_BIT(SR_FLAG_EPOCH), true, "ID [--epoch N]", "say that a stream's producer is alive",
	 "Keeps the stream active, and makes an orphaned one active again. With --epoch, the number\n"
	 "that open --lease printed, it is refused (77) once another producer has taken the lease.\n\n"
	 "Where SSE_STREAM names the stream, as ssectl run does for its child, ID is left out. --id ID\n"
	 "names a stream in the operand's place, for emit, beat, complete, fail and cancel.\n\n"
	 "Examples:\n"
	 "  ssectl beat job-42\n"
	 "  while ssectl beat job-42 --epoch 1; do sleep 10; done\n"},
	{"run", sr_command_run, 2, INT_MAX, RUN, true, "[options] ID -- PROGRAM [ARGUMENT ...]",
	 "run a program; its output becomes a stream with a certain end", run_help},
	{"watch", sr_command_watch, 1, 1, READ | SR_BIT(SR_FLAG_AFTER), false, "ID [--after EVENTID]", "print a stream's events as they come",
	 "Prints the events from the start, or after the one given, as lines of id, type and data, and\n"
	 "goes on until the stream ends: exit 0 when it completed, 1 when it failed or was cancelled.\n"
	 "While Redis is away it waits, and goes on where it was. Reads as an operator: any user's.\n\n"
	 "Examples:\n"
	 "  ssectl watch job-42\n"
	 "  ssectl watch job-42 --json | jq -r 'select(.type==\"token\").data'\n"},
	{"list", sr_command_list, 0, 0, READ | SR_BIT(SR_FLAG_STATE), false, "[--state STATE]", "list the streams that Redis knows",
	 "Prints id, state, viewers, type, user, start and last heartbeat of each stream, sorted by id:\n"
	 "active, orphaned, and those that completed, failed or were cancelled within stream_ttl. With\n"
	 "--json, one object a line.\n\n"
	 "Examples:\n"
	 "  ssectl list --state orphaned\n"
	 "  ssectl list --json | jq -r 'select(.userId==\"ada\").streamId'\n"},
	{"top", sr_command_top, 0, 0, READ | SR_BIT(SR_FLAG_INTERVAL) | SR_BIT(SR_FLAG_ROUNDS) | SR_BIT(SR_FLAG_STATE), false,
	 "[--interval 2s] [--rounds N] [--state STATE]", "show the busiest streams, live",
	 "Draws the live streams again and again, the busiest first, below what matters of Redis, the\n"
	 "processes and the guardian: id, state, user, type, age, time since the last sign of life,\n"
	 "viewers, events ever stored, and events a second since the picture before. Keys: q quits, s\n"
	 "sorts by rate, viewers, events, age, silence or id, p pauses, ? helps. While Redis is away the\n"
	 "last picture stays, and it goes on trying. --state is active or orphaned.\n\n"
	 "In a pipe, or with --json, one picture comes after the other, --rounds of them; the first has no\n"
	 "rates. LINES and COLUMNS bound a picture. When Redis is away in the last one the exit is 69.\n\n"
	 "A round asks for 10000 streams at most, those that were heard of last, and says so when there\n"
	 "are more. Unleased orphans, which nobody waits for, are not shown; ssectl list has them.\n\n"
	 "Examples:\n"
	 "  ssectl top\n"
	 "  LINES=15 ssectl top --rounds 2 --interval 10s   # a mail from cron, with rates\n"
	 "  ssectl top --json | jq '{at, active, eventsPerSecond}'\n"},
	{"orphans", sr_command_orphans, 0, 0, READ, false, "", "list the streams that lost their producer",
	 "Prints the leased streams whose producer fell silent: since when, when the guardian will fail\n"
	 "them (option orphan_grace), how many viewers wait, and the last event. Then those that it has\n"
	 "failed as orphaned, as long as their ends are kept (option completion_ttl). With --json, one\n"
	 "object a line. Exit 0, also when there are none. Unleased orphans are nobody's loss: ssectl\n"
	 "list --state orphaned has them, too.\n\n"
	 "Examples:\n"
	 "  ssectl orphans\n"
	 "  ssectl orphans --json | jq -r 'select(.state==\"failed\").userId'\n"},
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
	{"doctor", sr_command_doctor, 0, 1, DOCTOR, false, "[URL] [--socket ADDRESS] [--json]", "find what is set up wrong, and say what to change", doctor_help},
	{"nodes", sr_command_nodes, 0, 0, READ, false, "", "list the processes that are alive",
	 "Prints a line for each responder and guardian: kind, host, pid, version, how long it has run,\n"
	 "when Redis last heard of it, and what it has counted. One that stopped in order is gone at\n"
	 "once, one that was killed after a minute. With --json, one object a line.\n\n"
	 "Examples:\n"
	 "  ssectl nodes\n"
	 "  ssectl nodes --json | jq -s 'map(.viewers // 0) | add'\n"},
	{"metrics", sr_command_metrics, 0, 0, SR_BIT(SR_FLAG_VERBOSE) | SR_BIT(SR_FLAG_DEADLINE) | SR_BIT(SR_FLAG_OUTPUT), false, "[--output FILE]",
	 "print the numbers of all processes for Prometheus",
	 "Prints what GET {mount}/-/metrics answers, in Prometheus's text format. --output replaces FILE\n"
	 "in one step, readable for everybody: for the textfile collector of node_exporter, where nothing\n"
	 "may ask the web server. Exit 69 when Redis is away; the page then says sse_redis_up 0, in FILE,\n"
	 "too, so that an alert sees it.\n\n"
	 "Examples:\n"
	 "  ssectl metrics | promtool check metrics\n"
	 "  * * * * *  ssectl metrics --output /var/lib/prometheus/node-exporter/sse.prom\n"},
	{"check", sr_command_check, 0, 0,
	 SR_BIT(SR_FLAG_VERBOSE) | SR_BIT(SR_FLAG_DEADLINE) | SR_BIT(SR_FLAG_NAGIOS) | SR_BIT(SR_FLAG_WARNING) | SR_BIT(SR_FLAG_CRITICAL), false,
	 "[--nagios] [--warning N] [--critical N]", "say whether all is well, also to a monitoring system",
	 "Looks whether Redis answers and can be written, whether a responder is alive, when a guardian\n"
	 "last wrote (more than 60 s ago is a warning, 180 s critical) and when it last looked at the\n"
	 "streams (the same and 4 times check_interval, or 10 times), and how many streams are orphaned:\n"
	 "a warning above --warning (5), critical above --critical (20). Exit 0, or 1 if anything is wrong.\n\n"
	 "With --nagios it is a monitoring plugin: one line with performance data; exit 0 OK, 1 WARNING,\n"
	 "2 CRITICAL, 3 UNKNOWN: the command line, the configuration or the password is wrong.\n\n"
	 "Examples:\n"
	 "  ssectl check\n"
	 "  ssectl check --nagios --warning 10 --critical 100\n"},
	{"script", sr_command_script, 1, 2, READ, false, "list | show NAME | sha NAME | load", "print the Redis scripts, for programs that call them directly",
	 "list prints name, SHA-1, counts of keys and arguments, and the contract's version of each; those\n"
	 "without a version are internal and change without notice. show prints the text as it is sent\n"
	 "to Redis, sha its SHA-1. load puts the public ones into Redis's cache and prints their SHA-1s:\n"
	 "a restart or SCRIPT FLUSH empties that cache, so be ready for NOSCRIPT and send the text then.\n"
	 "sse-resilience-redis(7) is their manual. Only load needs Redis.\n\n"
	 "Examples:\n"
	 "  ssectl script list\n"
	 "  ssectl script show publish >publish.lua\n"
	 "  ssectl script show publish | redis-cli -x script load\n"},
	{"snippet", sr_command_snippet, 0, 1, SR_BIT(SR_FLAG_JSON) | SR_BIT(SR_FLAG_SOCKET) | SR_BIT(SR_FLAG_SHARE) | SR_BIT(SR_FLAG_PROGRAM), false,
	 "[list | NAME] [--socket ADDRESS] [--mount PATH]", "print a configuration for a web server, systemd, SysV init, cron or logrotate",
	 "Prints one of the shipped configurations, complete, with the mount point (option mount), the\n"
	 "responders' socket (--socket: a path, or HOST:PORT; /run/sse-resilience/fcgi.sock) and the\n"
	 "folders of this installation; --share (away.cgi and its like) and --program (sse-fcgi) name\n"
	 "others. list, or no name, says what there is, where it goes on Debian, and what else to do.\n"
	 "systemd prints all units, each below its path; a unit's own name prints it alone.\n\n"
	 "Where the mount point is not the default write it into the configuration (mount = /app/events):\n"
	 "sse-fcgi reads it there, and so does this command.\n\n"
	 "A line that begins with #word| is an alternative, or belongs into another file, as the comment\n"
	 "above it says: remove the mark from all lines with that word. Needs no Redis.\n\n"
	 "Examples:\n"
	 "  ssectl snippet lighttpd >/etc/lighttpd/conf-available/50-sse-resilience.conf\n"
	 "  ssectl snippet apache --mount /app/events --socket 127.0.0.1:9000\n"
	 "  ssectl snippet nginx | sed 's/^#limits|//'\n"
	 "  ssectl snippet sse-fcgi.socket --socket /run/my/fcgi.sock >/etc/systemd/system/sse-fcgi.socket\n"},
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

bool sr_command_is_near(const char *wrong, const char *name)
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
		if (sr_command_is_near(name, commands[i].name))
			return &commands[i];
	return NULL;
}
