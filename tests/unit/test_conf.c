#include "common/conf.h"
#include "common/conf_parts.h"
#include "common/mem.h"
#include "tests/support/folder.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a folder, a file, an environment of our own ---- */

static char folder[FOLDER_SIZE];
static char path[128], config_flag[160], output[128], errors[128];

static void set_up(void)
{
	char name[SR_SPELLING_SIZE];

	for (int i = 0; i < SR_CONF_COUNT; i++)
		unsetenv(sr_option_variable(name, &sr_options[i]));
	unsetenv("SSE_CONFIG");
	cr_assert(folder_make(folder, "test_conf"));
	snprintf(path, sizeof path, "%s/sse.conf", folder);
	snprintf(output, sizeof output, "%s/out", folder);
	snprintf(errors, sizeof errors, "%s/err", folder);
	snprintf(config_flag, sizeof config_flag, "--config=%s", path);
}

static void tear_down(void)
{
	unlink(path);
	unlink(output);
	unlink(errors);
	rmdir(folder);
}

TestSuite(conf, .timeout = 20, .init = set_up, .fini = tear_down);

static void write_bytes(const char *bytes, size_t len, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void write_config(const char *text)
{
	write_bytes(text, strlen(text), 0600);
}

/* ---- one run of sr_conf_start ---- */

static const char *own_once, *own_rate;
static const struct sr_flag own_flags[] = {
	{"once", NULL, "Do one round and exit.", &own_once},
	{"rate", "N", "Rounds.", &own_rate},
	{NULL, NULL, NULL, NULL},
};
static const struct sr_usage usage = {"test-program", "[options]", "Tests options.", "test-program --once\ntest-program x\n", own_flags, false};

struct run {
	enum sr_conf_action action;
	struct sr_conf conf;
	int code;
	char *argv[40];
	int argc;
	char **operands;
	char out[20000], err[2000]; /* what it printed */
};

static int divert(int fd, const char *file)
{
	int saved = dup(fd);
	int to = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);

	cr_assert(saved >= 0 && to >= 0);
	dup2(to, fd);
	close(to);
	return saved;
}

static void restore(int fd, int saved, const char *file, char *text, size_t size)
{
	ssize_t n;
	int from;

	dup2(saved, fd);
	close(saved);
	from = open(file, O_RDONLY);
	n = read(from, text, size - 1);
	cr_assert(n >= 0 && n < (ssize_t)size - 1, "%s", file);
	text[n] = '\0';
	close(from);
}

/* `words` are separated by spaces; "%" stands for --config=PATH. */
static void run_words(struct run *r, const char *words)
{
	static char copies[20][1000];
	static int next;
	char *copy = copies[next++ % 20];
	int out, err;

	memset(r, 0, sizeof *r);
	r->argv[r->argc++] = copy;
	snprintf(copy, 1000, "test-program %s", words);
	for (char *space; (space = strchr(copy, ' ')); copy = space + 1) {
		*space = '\0';
		r->argv[r->argc++] = strcmp(space + 1, "%") == 0 || strncmp(space + 1, "% ", 2) == 0 ? config_flag : space + 1;
	}
	r->code = -1;
	own_once = own_rate = NULL;
	fflush(stdout);
	out = divert(STDOUT_FILENO, output);
	err = divert(STDERR_FILENO, errors);
	r->action = sr_conf_start(&r->conf, &usage, r->argc, r->argv, &r->operands, &r->code);
	restore(STDOUT_FILENO, out, output, r->out, sizeof r->out);
	restore(STDERR_FILENO, err, errors, r->err, sizeof r->err);
}

static void expect_run(struct run *r, const char *words)
{
	run_words(r, words);
	cr_assert_eq(r->action, SR_CONF_RUN, "%s: %s", words, r->err);
	cr_assert_str_eq(r->err, "");
	cr_assert_str_eq(r->out, "");
}

static void expect_stop(struct run *r, const char *words)
{
	run_words(r, words);
	cr_assert_eq(r->action, SR_CONF_STOP, "%s: %s", words, r->err);
	cr_assert_str_eq(r->err, "");
	cr_assert_null(r->conf.redis_url);
}

/* `because` must be in the message, which is one line that begins with the program's name. */
static void expect_refusal(const char *words, int code, const char *because)
{
	struct run r;

	run_words(&r, words);
	cr_assert_eq(r.action, SR_CONF_REFUSE, "%s", words);
	cr_assert_eq(r.code, code, "%s: %d %s", words, r.code, r.err);
	cr_assert_eq(strncmp(r.err, "test-program: ", 14), 0, "%s", r.err);
	cr_assert_not_null(strstr(r.err, because), "%s: \"%s\" lacks \"%s\"", words, r.err, because);
	cr_assert_eq(strchr(r.err, '\n'), r.err + strlen(r.err) - 1, "%s", r.err);
	cr_assert_str_eq(r.out, "");
	cr_assert_null(r.conf.redis_url);
}

static void expect_bad_file(const char *text, const char *because)
{
	write_config(text);
	expect_refusal("%", 78, because);
}

/* ---- the table ---- */

Test(conf, has_a_complete_table)
{
	struct sr_conf c = {0};
	struct sr_buf why;

	sr_buf_init(&why, 1000);
	for (int i = 0; i < SR_CONF_COUNT; i++) {
		cr_assert(sr_options[i].name && sr_options[i].help && sr_options[i].initial, "row %d", i);
		cr_assert(i == 0 || sr_options[i].at > sr_options[i - 1].at, "%s: in the struct's order", sr_options[i].name);
		cr_assert_eq(sr_option_find(sr_options[i].name, strlen(sr_options[i].name)), i);
		cr_assert_lt(strlen(sr_options[i].name), SR_SPELLING_SIZE - 5);
	}
	cr_assert_eq(sr_options[SR_CONF_COUNT - 1].at + sizeof(char *), offsetof(struct sr_conf, origin));
	cr_assert_eq(sr_conf_set_defaults(&c, &why), SR_OK, "%s", sr_buf_text(&why));
	cr_assert_eq(sr_conf_cross_check(&c, &why), SR_OK, "%s", sr_buf_text(&why));
	sr_conf_release(&c);
	sr_conf_release(&c);
	sr_buf_release(&why);
}

Test(conf, has_the_defaults_of_the_manual)
{
	struct run r;
	const struct sr_conf *c = &r.conf;

	write_config("");
	expect_run(&r, "%");
	cr_assert_str_eq(c->redis_url, "unix:///run/redis/redis-server.sock");
	cr_assert(!*c->redis_password_file && !*c->publish_token_file && !*c->cors_origins);
	cr_assert(strcmp(c->key_prefix, "sse:") == 0 && strcmp(c->mount, "/api/stream") == 0);
	cr_assert(strcmp(c->user_variable, "REMOTE_USER") == 0 && strcmp(c->status_allow, "127.0.0.0/8 ::1 unix") == 0);
	cr_assert(c->anonymous == SR_ANONYMOUS_DENY && c->on_unknown == SR_UNKNOWN_REGISTER);
	cr_assert(c->heartbeat_interval == 15000 && c->beat_interval == 10000 && c->stale_threshold == 30000);
	cr_assert(c->check_interval == 30000 && c->proof_window == 20000 && c->stream_ttl == 3600000);
	cr_assert(c->completion_ttl == 300000 && c->orphan_grace == 60000 && c->pending_wait == 30000);
	cr_assert(c->log_events == 1000 && c->event_bytes == 65536 && c->client_buffer == 65536);
	cr_assert(c->max_connection_age == 3600000 && c->max_streams == 10000 && c->drain_window == 5000);
	cr_assert(c->retry_min == 2000 && c->retry_max == 4000 && c->intake_threads == 2 && c->receive_timeout == 5000);
	cr_assert(c->body_bytes == 1048576 && c->publish_requests == 64);
	cr_assert(c->log_level == SR_LOG_INFO && strcmp(c->log_target, "stderr") == 0);
	sr_conf_release(&r.conf);
}

/* ---- the file ---- */

Test(conf, reads_a_file)
{
	struct run r;

	write_config("# a comment\n\n"
	             "  heartbeat_interval=5s  \n"
	             "\tmount\t=\t/x/y\t# behind it\r\n"
	             "   # indented\n"
	             "cors_origins = https://a.example   http://b.example:8080\n"
	             "log_level = error\nlog_level = debug\n"
	             "publish_token_file = /etc/a#b\n"
	             "key_prefix = a=b:\n"
	             "status_allow =\n"
	             "max_streams = 7");
	expect_run(&r, "%");
	cr_assert_eq(r.conf.heartbeat_interval, 5000);
	cr_assert_str_eq(r.conf.mount, "/x/y");
	cr_assert_str_eq(r.conf.cors_origins, "https://a.example   http://b.example:8080");
	cr_assert_eq(r.conf.log_level, SR_LOG_DEBUG);
	cr_assert_str_eq(r.conf.publish_token_file, "/etc/a#b");
	cr_assert_str_eq(r.conf.key_prefix, "a=b:");
	cr_assert_str_eq(r.conf.status_allow, "");
	cr_assert_eq(r.conf.max_streams, 7);
	cr_assert_str_eq(r.conf.file, path);
	sr_conf_release(&r.conf);
}

Test(conf, refuses_a_wrong_file_with_its_line)
{
	char expect[200], said[200];

	expect_bad_file("\n\nheartbeat_interval = 5\n", "sse.conf:3: heartbeat_interval: '5' is not a duration: write a number with "
	                                                "ms, s, m or h, from 100ms to 5m\n");
	expect_bad_file("heartbeat_intervall = 5s\n", "sse.conf:1: unknown option 'heartbeat_intervall'; did you mean heartbeat_interval?\n");
	expect_bad_file("redis-url = x\n", "did you mean redis_url?");
	expect_bad_file("redis_password = secret\n", "unknown option 'redis_password'");
	expect_bad_file("zzzzzzzz = 1\n", "unknown option 'zzzzzzzz'; --help lists them");
	expect_bad_file("= 1\n", "unknown option ''");
	expect_bad_file("max_streams = 1\nmax_streams\n", "sse.conf:2: not of the form name = value");
	expect_bad_file("max_streams =\n", "sse.conf:1: max_streams: '' is not a number");
	expect_bad_file("max_streams = 1 2\n", "'1 2' is not a number");
	expect_bad_file("mount = /a\tb\n", "has a control character");
	expect_bad_file("[section]\n", "sse.conf:1: not of the form");
	write_bytes("max_streams = 1\0\n", 17, 0600);
	expect_refusal("%", 78, "sse.conf:1: a NUL byte");
	snprintf(expect, sizeof expect, "--config=%s", folder);
	snprintf(said, sizeof said, "cannot read %s", folder);
	expect_refusal(expect, 78, said);
}

Test(conf, never_shows_a_secret)
{
	static const char *const files[] = {"redis_password = hunter2\n", "redis_url = redis://u:hunter2@h\n", "redis_url = rediss://:hunter2@h\n",
	                                    "redis_url = hunter2\n", "hunter_ttl 2 hunter2\n", NULL};
	struct run r;

	for (const char *const *f = files; *f; f++) {
		write_config(*f);
		run_words(&r, "%");
		cr_assert_eq(r.action, SR_CONF_REFUSE);
		cr_assert_null(strstr(r.err, "hunter2"), "%s", r.err);
	}
}

Test(conf, refuses_an_unreadable_file)
{
	char *big = malloc(1100000);

	expect_refusal("--config=/nonexistent/x.conf", 78, "cannot open /nonexistent/x.conf: No such file or directory");
	setenv("SSE_CONFIG", "/nonexistent/y.conf", 1);
	expect_refusal("", 78, "cannot open /nonexistent/y.conf");
	setenv("SSE_CONFIG", "", 1);
	expect_refusal("", 78, "cannot open : No such file");
	memset(big, '#', 1100000);
	write_bytes(big, 1100000, 0600);
	expect_refusal("%", 78, "is larger than 1 MiB");
	free(big);
}

Test(conf, finds_the_file_by_flag_before_environment)
{
	struct run r;

	write_config("max_streams = 3\n");
	setenv("SSE_CONFIG", path, 1);
	expect_run(&r, "");
	cr_assert_eq(r.conf.max_streams, 3);
	sr_conf_release(&r.conf);
	setenv("SSE_CONFIG", "/nonexistent/y.conf", 1);
	expect_run(&r, "%");
	cr_assert_eq(r.conf.max_streams, 3);
	sr_conf_release(&r.conf);
	expect_run(&r, "--config /nonexistent/x.conf x %");
	cr_assert_eq(r.conf.max_streams, 3, "the last one counts");
	sr_conf_release(&r.conf);
}

/* ---- environment, flags, precedence ---- */

Test(conf, prefers_flag_to_environment_to_file)
{
	struct run r;

	write_config("log_events = 11\nmax_streams = 11\nintake_threads = 11\n");
	setenv("SSE_MAX_STREAMS", "12", 1);
	setenv("SSE_INTAKE_THREADS", "12", 1);
	setenv("SSE_UNKNOWN_THING", "x", 1);
	expect_run(&r, "% --intake-threads=13");
	cr_assert(r.conf.log_events == 11 && r.conf.max_streams == 12 && r.conf.intake_threads == 13);
	sr_conf_release(&r.conf);
}

Test(conf, names_the_origin_of_a_bad_value)
{
	write_config("");
	setenv("SSE_MAX_STREAMS", "many", 1);
	expect_refusal("%", 78, "test-program: SSE_MAX_STREAMS: 'many' is not a number: write digits, from 1 to 1000000");
	expect_refusal("% --max-streams=5", 78, "SSE_MAX_STREAMS");
	unsetenv("SSE_MAX_STREAMS");
	expect_refusal("% --max-streams=0", 78, "test-program: --max-streams: '0' is out of range");
	expect_refusal("% --mount=x", 78, "test-program: --mount: 'x' must begin with /");
}

Test(conf, reads_flags_in_both_forms)
{
	struct run r;

	write_config("");
	expect_run(&r, "% --max-streams 5 --max-streams=6 --mount /m --cors-origins=");
	cr_assert_eq(r.conf.max_streams, 6, "the last one counts");
	cr_assert_str_eq(r.conf.mount, "/m");
	cr_assert_str_eq(r.conf.cors_origins, "");
	cr_assert_null(*r.operands);
	cr_assert(!own_once && !own_rate);
	sr_conf_release(&r.conf);
}

Test(conf, separates_operands_from_flags)
{
	static const char *const expect[] = {"one", "-", "three", "--mount=/no", "--", "-x", NULL};
	struct run r;

	write_config("");
	expect_run(&r, "one --once % - --mount /m three --rate=9 -- --mount=/no -- -x");
	for (int i = 0; expect[i]; i++)
		cr_assert_str_eq(r.operands[i], expect[i]);
	cr_assert_null(r.operands[6]);
	cr_assert_str_eq(r.conf.mount, "/m");
	cr_assert_str_eq(own_once, "");
	cr_assert_str_eq(own_rate, "9");
	sr_conf_release(&r.conf);
}

Test(conf, refuses_wrong_usage)
{
	write_config("");
	expect_refusal("--mont=/x", 64, "unknown flag --mont; did you mean --mount?");
	expect_refusal("--redis_url=x", 64, "did you mean --redis-url?");
	expect_refusal("--hepl", 64, "did you mean --help?");
	expect_refusal("--onec", 64, "did you mean --once?");
	expect_refusal("--check-conf", 64, "did you mean --check-config?");
	expect_refusal("--qqqqqqqq", 64, "unknown flag --qqqqqqqq; --help lists them");
	expect_refusal("--=x", 64, "unknown flag --;");
	expect_refusal("-v", 64, "unknown flag -v");
	expect_refusal("--mount", 64, "--mount needs a value");
	expect_refusal("x --rate", 64, "--rate needs a value");
	expect_refusal("--config", 64, "--config needs a value");
	expect_refusal("--once=1", 64, "--once takes no value");
	expect_refusal("--help=1", 64, "--help takes no value");
	expect_refusal("--qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", 64, "unknown");
}

/* ---- values ---- */

static void check_value(const char *option, const char *text, int64_t expect)
{
	const struct sr_option *o = &sr_options[sr_option_find(option, strlen(option))];
	char complaint[SR_COMPLAINT_SIZE] = "";
	int64_t value = -77;
	enum sr_err e = sr_value_parse(o, text, &value, complaint);

	cr_assert_eq(e, expect == -1 ? SR_EINVAL : SR_OK, "%s '%s': %s", option, text, complaint);
	cr_assert_eq(value, expect == -1 ? -77 : expect, "%s '%s'", option, text);
}

Test(conf, reads_durations)
{
	static const char *const bad[] = {"", "5", "0", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1d", "1sec", "1ms2", "0x5s", " 1s", "1s ",
	                                  "99999999999999999999s", "9223372036854775807h", "9223372036854775807ms", NULL};

	check_value("pending_wait", "0s", 0);
	check_value("pending_wait", "0ms", 0);
	check_value("pending_wait", "1500ms", 1500);
	check_value("pending_wait", "30s", 30000);
	check_value("pending_wait", "005s", 5000);
	check_value("pending_wait", "5m", 300000);
	check_value("pending_wait", "300001ms", -1);
	check_value("orphan_grace", "24h", 86400000);
	check_value("heartbeat_interval", "99ms", -1);
	check_value("heartbeat_interval", "100ms", 100);
	for (const char *const *b = bad; *b; b++)
		check_value("pending_wait", *b, -1);
}

Test(conf, reads_sizes_numbers_and_words)
{
	check_value("event_bytes", "256", 256);
	check_value("event_bytes", "255", -1);
	check_value("event_bytes", "1m", 1048576);
	check_value("event_bytes", "1024k", 1048576);
	check_value("event_bytes", "1048577", -1);
	check_value("event_bytes", "1K", -1);
	check_value("event_bytes", "1kb", -1);
	check_value("event_bytes", "99999999999999999999", -1);
	check_value("max_streams", "1000000", 1000000);
	check_value("max_streams", "1k", -1);
	check_value("max_streams", "1e3", -1);
	check_value("max_streams", "-1", -1);
	check_value("anonymous", "deny", SR_ANONYMOUS_DENY);
	check_value("anonymous", "allow", SR_ANONYMOUS_ALLOW);
	check_value("on_unknown", "wait", SR_UNKNOWN_WAIT);
	check_value("log_level", "debug", SR_LOG_DEBUG);
	check_value("log_level", "error|warn", -1);
	check_value("log_level", "warning", -1);
	check_value("log_level", "war", -1);
	check_value("log_level", "", -1);
	check_value("anonymous", "Deny", -1);
}

Test(conf, shows_odd_values_harmlessly)
{
	write_config("");
	expect_refusal("% --max-streams=\x1b[2J\x7f", 78, "'?[2J?' is not");
	expect_refusal("% --max-streams=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 78,
	               "aaaa...' is not");
}

static void check_text(const char *option, const char *text, const char *fault)
{
	const struct sr_option *o = &sr_options[sr_option_find(option, strlen(option))];
	char complaint[SR_COMPLAINT_SIZE] = "";
	enum sr_err e = sr_value_check_text(o, text, complaint);

	cr_assert_eq(e, fault ? SR_EINVAL : SR_OK, "%s '%s': %s", option, text, complaint);
	cr_assert_not_null(strstr(complaint, fault ? fault : ""), "%s '%s': %s", option, text, complaint);
}

Test(conf, checks_redis_urls)
{
	check_text("redis_url", "unix:///run/redis.sock", NULL);
	check_text("redis_url", "redis://localhost", NULL);
	check_text("redis_url", "redis://user@[::1]:6379/2", NULL);
	check_text("redis_url", "redis://user:@h", "put it in redis_password_file");
	check_text("redis_url", "redis://:x@h:6379", "put it in redis_password_file");
	check_text("redis_url", "redis://user:p@ss@h", "put it in redis_password_file");
	check_text("redis_url", "redis://us@er:p@h", "put it in redis_password_file");
	check_text("redis_url", "rediss://h", "rediss://, which is not built in yet");
	check_text("redis_url", "redis+sentinel://h/m", "redis+sentinel://, which is not built in yet");
	check_text("redis_url", "unix://run/x", "unix:///path");
	check_text("redis_url", "/run/redis.sock", "must begin with unix:// or redis://");
	check_text("redis_url", "", "must begin with");
	check_text("redis_url", "redis://h\n", "has a control character");
}

Test(conf, checks_the_other_texts)
{
	char longest[SR_CONF_TEXT_MAX + 2];

	check_text("key_prefix", "a", NULL);
	check_text("key_prefix", "", "must be 1 to 64");
	check_text("key_prefix", "a b", "must be 1 to 64");
	check_text("key_prefix", "{a}", "must be 1 to 64");
	check_text("key_prefix", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL);
	check_text("key_prefix", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "must be 1 to 64");
	check_text("mount", "/a", NULL);
	check_text("mount", "/", "must begin with / and not end with it");
	check_text("mount", "", "must begin with /");
	check_text("mount", "a", "must begin with /");
	check_text("mount", "/a/", "not end with it");
	check_text("mount", "/a?b", "plain path");
	check_text("mount", "/a//b", "plain path");
	check_text("user_variable", "HTTP_X_USER_ID", NULL);
	check_text("user_variable", "", "A-Z");
	check_text("user_variable", "http_x", "A-Z");
	check_text("user_variable", "A=B", "A-Z");
	check_text("log_target", "syslog", NULL);
	check_text("log_target", "/var/log/x", NULL);
	check_text("log_target", "log", "must be stderr, syslog or an absolute path");
	check_text("cors_origins", "", NULL);
	check_text("cors_origins", " https://a.example  http://[::1]:8080 app://localhost ", NULL);
	check_text("cors_origins", "*", "must list origins");
	check_text("cors_origins", "https://a.example/", "must list origins");
	check_text("cors_origins", "https://A.example", "must list origins");
	check_text("cors_origins", "https://a.example,https://b.example", "must list origins");
	check_text("cors_origins", "https://", "must list origins");
	check_text("cors_origins", "https:// a", "must list origins");
	memset(longest, 'a', sizeof longest);
	longest[SR_CONF_TEXT_MAX + 1] = '\0';
	check_text("publish_token_file", longest, "longer than 4096 bytes");
	check_text("publish_token_file", longest + 1, NULL);
}

Test(conf, checks_options_against_each_other)
{
	char expect[200];

	snprintf(expect, sizeof expect, "beat_interval (16s, %s", folder);
	expect_bad_file("beat_interval = 16s\n", expect);
	expect_bad_file("beat_interval = 16s\n", "sse.conf:1) must be at most half of stale_threshold (30s, default)");
	expect_bad_file("stream_ttl = 30s\ncompletion_ttl = 5s\n", "sse.conf:1) must be above stale_threshold (30s, default)");
	expect_bad_file("completion_ttl = 2h\n", "completion_ttl (2h, ");
	expect_bad_file("completion_ttl = 2h\n", "must be at most stream_ttl (1h, default)");
	expect_bad_file("retry_max = 1999ms\n", "retry_max (1999ms, ");
	expect_bad_file("retry_max = 1999ms\n", "must be at least retry_min (2s, default)");
	write_config("");
	setenv("SSE_STALE_THRESHOLD", "5s", 1);
	expect_refusal("% --beat-interval=3s", 78, "beat_interval (3s, flag) must be at most half of stale_threshold (5s, environment)");
}

Test(conf, takes_the_edges_of_the_cross_checks)
{
	struct run r;

	write_config("beat_interval = 15s\nstream_ttl = 30001ms\ncompletion_ttl = 30001ms\nretry_min = 4s\n");
	expect_run(&r, "%");
	sr_conf_release(&r.conf);
}

/* ---- answers ---- */

Test(conf, prints_help)
{
	struct run r;
	char flag[SR_SPELLING_SIZE], line[SR_SPELLING_SIZE + 4];

	expect_stop(&r, "--help");
	cr_assert_eq(strncmp(r.out, "Usage: test-program [options]\n\nTests options.\n\nExamples:\n  test-program --once\n", 78), 0);
	cr_assert_not_null(strstr(r.out, "  --rate=N\n        Rounds.\n"));
	cr_assert_not_null(strstr(r.out, "  --beat-interval=DURATION\n"));
	cr_assert_not_null(strstr(r.out, "        Default: 1h; from 1s to 168h\n"));
	for (int i = 0; i < SR_CONF_COUNT; i++) {
		snprintf(line, sizeof line, "\n  %s=", sr_option_flag(flag, &sr_options[i]));
		cr_assert_not_null(strstr(r.out, line), "%s", line);
	}
	for (const char *l = r.out, *end; (end = strchr(l, '\n')); l = end + 1)
		cr_assert(end - l <= 80 && (end == l || end[-1] != ' '), "%.*s", (int)(end - l), l);
	expect_stop(&r, "-h --nonsense");
	cr_assert_eq(strncmp(r.out, "Usage: ", 7), 0);
}

Test(conf, prints_the_version)
{
	struct run r;

	expect_stop(&r, "--version");
	cr_assert_str_eq(r.out, "test-program " SR_VERSION "\n");
}

Test(conf, checks_and_says_so)
{
	struct run r;
	char expect[200];

	write_config("max_streams = 5\n");
	expect_stop(&r, "% --check-config");
	snprintf(expect, sizeof expect, "test-program: the configuration is good (%s", folder);
	cr_assert_eq(strncmp(r.out, expect, strlen(expect)), 0, "%s", r.out);
	write_config("max_streams = x\n");
	expect_refusal("--check-config %", 78, "sse.conf:1: max_streams");
	expect_refusal("--dump-config %", 78, "sse.conf:1: max_streams");
}

Test(conf, dumps_what_can_be_read_back)
{
	struct run r, again;
	char expect[200];

	write_config("\nmax_streams = 5\nredis_url = redis://u@h\nstatus_allow =\norphan_grace = 0s\npending_wait = 1500ms\n");
	setenv("SSE_EVENT_BYTES", "2048", 1);
	expect_stop(&r, "% --log-level=debug --dump-config");
	snprintf(expect, sizeof expect, "\nmax_streams = 5  # %s:2\n", path);
	cr_assert_not_null(strstr(r.out, expect), "%s", r.out);
	cr_assert_not_null(strstr(r.out, "\nevent_bytes = 2k  # environment\n"));
	cr_assert_not_null(strstr(r.out, "\nlog_level = debug  # flag\n"));
	cr_assert_not_null(strstr(r.out, "\npending_wait = 1500ms  # "));
	cr_assert_not_null(strstr(r.out, "\norphan_grace = 0s  # "));
	snprintf(expect, sizeof expect, "\nstatus_allow =  # %s", folder);
	cr_assert_not_null(strstr(r.out, expect));
	cr_assert_not_null(strstr(r.out, "\nkey_prefix = sse:  # default\n"));
	write_config(r.out);
	unsetenv("SSE_EVENT_BYTES");
	expect_run(&again, "%");
	cr_assert(again.conf.max_streams == 5 && again.conf.event_bytes == 2048 && again.conf.log_level == SR_LOG_DEBUG);
	cr_assert(again.conf.pending_wait == 1500 && again.conf.orphan_grace == 0 && !*again.conf.status_allow);
	cr_assert_str_eq(again.conf.redis_url, "redis://u@h");
	sr_conf_release(&again.conf);
}

Test(conf, notices_a_full_stdout)
{
	char *argv[] = {(char *)"test-program", (char *)"--version", NULL};
	struct sr_conf c;
	char **operands, err[1000];
	int code = 0, saved;

	fflush(stdout);
	cr_assert_not_null(freopen("/dev/full", "w", stdout));
	saved = divert(STDERR_FILENO, errors);
	cr_assert_eq(sr_conf_start(&c, &usage, 2, argv, &operands, &code), SR_CONF_REFUSE);
	restore(STDERR_FILENO, saved, errors, err, sizeof err);
	cr_assert_eq(code, 74);
	cr_assert_not_null(strstr(err, "standard output"));
}

/* ---- reload ---- */

static int lowest_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

Test(conf, reloads)
{
	struct sr_buf why;
	struct run r;
	int free_before;

	sr_buf_init(&why, 1000);
	write_config("max_streams = 5\n");
	expect_run(&r, "op % --mount /m -- --max-streams=9");
	write_config("max_streams = 6\nkey_prefix = new:\nmount = /file\n");
	free_before = lowest_free_descriptor();
	cr_assert_eq(sr_conf_reload(&r.conf, &usage, r.argc, r.argv, &why), SR_OK);
	cr_assert_eq(lowest_free_descriptor(), free_before, "the file is closed");
	cr_assert_eq(r.conf.max_streams, 6, "what stands behind -- is an operand still");
	cr_assert_str_eq(r.conf.key_prefix, "new:");
	cr_assert_str_eq(r.conf.mount, "/m");
	sr_conf_release(&r.conf);
	sr_buf_release(&why);
}

Test(conf, keeps_the_old_when_a_reload_fails)
{
	struct sr_buf why;
	struct run r;
	struct sr_conf before;

	sr_buf_init(&why, 1000);
	write_config("max_streams = 5\n");
	expect_run(&r, "%");
	memcpy(&before, &r.conf, sizeof before);
	write_config("key_prefix = new:\nmax_streams = 0\n");
	cr_assert_eq(sr_conf_reload(&r.conf, &usage, r.argc, r.argv, &why), SR_EINVAL);
	cr_assert_not_null(strstr(sr_buf_text(&why), "sse.conf:2: max_streams"), "%s", sr_buf_text(&why));
	write_config("beat_interval = 20s\n");
	cr_assert_eq(sr_conf_reload(&r.conf, &usage, r.argc, r.argv, &why), SR_EINVAL);
	unlink(path);
	cr_assert_eq(sr_conf_reload(&r.conf, &usage, r.argc, r.argv, &why), SR_EIO);
	cr_assert_not_null(strstr(sr_buf_text(&why), "cannot open"), "%s", sr_buf_text(&why));
	cr_assert_eq(memcmp(&before, &r.conf, sizeof before), 0);
	cr_assert_str_eq(r.conf.key_prefix, "sse:");
	sr_conf_release(&r.conf);
	sr_buf_release(&why);
}

Test(conf, survives_lack_of_memory_at_each_step)
{
	struct sr_buf why;
	struct run r;
	struct sr_conf before;
	enum sr_err e = SR_ENOMEM;
	unsigned n;

	sr_buf_init(&why, 1000);
	write_config("mount = /a\nmax_streams = 5\nmount = /b\n");
	expect_run(&r, "% --key-prefix=x:");
	memcpy(&before, &r.conf, sizeof before);
	for (n = 1; e; n++) {
		sr_mem_fail_after(n);
		e = sr_conf_reload(&r.conf, &usage, r.argc, r.argv, &why);
		sr_mem_fail_after(0);
		cr_assert(e == SR_OK || e == SR_ENOMEM);
		cr_assert(e == SR_OK || memcmp(&before, &r.conf, sizeof before) == 0);
		cr_assert(e == SR_OK || strcmp(sr_buf_text(&why), "out of memory") == 0, "%s", sr_buf_text(&why));
	}
	cr_assert_gt(n, 15);
	cr_assert_str_eq(r.conf.mount, "/b");
	sr_conf_release(&r.conf);
	sr_buf_release(&why);
}

Test(conf, refuses_a_password_file_that_cannot_be_used)
{
	char words[200];
	struct run r;

	write_bytes("hunter2\n", 8, 0644);
	snprintf(words, sizeof words, "--redis-password-file=%s", path);
	setenv("SSE_CONFIG", "/dev/null", 1);
	expect_refusal(words, 78, "lets others at the secret");
	expect_refusal("--redis-password-file=/nonexistent/x --check-config", 78, "cannot open /nonexistent/x");
	write_bytes("hunter2\n", 8, 0600);
	expect_run(&r, words);
	cr_assert_str_eq(r.conf.redis_password_file, path);
	sr_conf_release(&r.conf);
}

Test(conf, refuses_to_start_without_memory)
{
	struct run r;

	write_config("");
	sr_mem_fail_after(1);
	run_words(&r, "%");
	cr_assert_eq(r.action, SR_CONF_REFUSE);
	cr_assert_eq(r.code, 75);
	cr_assert_str_eq(r.err, "test-program: out of memory\n");
	cr_assert_null(r.conf.redis_url);
}

/* ---- secrets ---- */

static void check_secret(const char *bytes, size_t len, mode_t mode, enum sr_err code, const char *expect)
{
	struct sr_buf secret, why;
	int free_before;

	sr_buf_init(&secret, 600);
	sr_buf_init(&why, 500);
	cr_assert_eq(sr_buf_puts(&secret, "old"), SR_OK);
	write_bytes(bytes, len, mode);
	free_before = lowest_free_descriptor();
	cr_assert_eq(sr_conf_secret(&secret, path, &why), code, "%o %s: %s", (unsigned)mode, bytes, sr_buf_text(&why));
	cr_assert_eq(lowest_free_descriptor(), free_before, "the file is closed");
	cr_assert_str_eq(sr_buf_text(&secret), code ? "" : expect);
	cr_assert(!code || strstr(sr_buf_text(&why), expect), "\"%s\" lacks \"%s\"", sr_buf_text(&why), expect);
	cr_assert(!code || strstr(sr_buf_text(&why), path));
	cr_assert_null(strstr(sr_buf_text(&why), "hunter"));
	sr_buf_release(&secret);
	sr_buf_release(&why);
}

Test(conf, reads_secrets)
{
	char long_line[515];
	struct sr_buf secret;

	check_secret("hunter2\n", 8, 0600, SR_OK, "hunter2");
	check_secret("hunter2", 7, 0400, SR_OK, "hunter2");
	check_secret("hunter2\r\nmore\n", 14, 0640, SR_OK, "hunter2");
	check_secret(" a b \n", 6, 0440, SR_OK, " a b ");
	memset(long_line, 'x', sizeof long_line);
	long_line[512] = '\n';
	write_bytes(long_line, 513, 0600);
	sr_buf_init(&secret, 512);
	cr_assert_eq(sr_conf_secret(&secret, path, NULL), SR_OK);
	cr_assert_eq(secret.len, 512);
	sr_buf_release(&secret);
}

Test(conf, refuses_unsafe_secrets)
{
	static const mode_t modes[] = {0604, 0620, 0602, 0644, 0660, 0666, 0777};
	char long_line[600];

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		check_secret("hunter2\n", 8, modes[i], SR_EINVAL, "chmod 600");
	check_secret("", 0, 0600, SR_EIO, "the first line is empty");
	check_secret("\nhunter2\n", 9, 0600, SR_EIO, "the first line is empty");
	check_secret("\r\n", 2, 0600, SR_EIO, "the first line is empty");
	check_secret("hun\0ter\n", 8, 0600, SR_EINVAL, "has a NUL");
	memset(long_line, 'x', sizeof long_line);
	check_secret(long_line, 513, 0600, SR_EINVAL, "longer than 512 bytes");
	check_secret(long_line, 600, 0600, SR_EINVAL, "longer than 512 bytes");
}

Test(conf, refuses_secrets_that_are_no_files)
{
	struct sr_buf secret, why;

	sr_buf_init(&secret, 600);
	sr_buf_init(&why, 500);
	cr_assert_eq(sr_conf_secret(&secret, "/nonexistent/x", &why), SR_EIO);
	cr_assert_str_eq(sr_buf_text(&why), "cannot open /nonexistent/x: No such file or directory");
	cr_assert_eq(sr_conf_secret(&secret, folder, &why), SR_EINVAL);
	cr_assert_not_null(strstr(sr_buf_text(&why), "is not a regular file"));
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_eq(sr_conf_secret(&secret, path, &why), SR_EINVAL, "and it does not wait for a writer");
	write_config("hunter2\n");
	sr_mem_fail_after(1);
	cr_assert_eq(sr_conf_secret(&secret, path, &why), SR_ENOMEM);
	cr_assert_eq(secret.len, 0);
	sr_buf_release(&secret);
	sr_buf_release(&why);
}

/* ---- status_allow ---- */

Test(conf, allows_addresses)
{
	static const struct {
		const char *list, *address;
		bool allowed;
	} rows[] = {
		{"127.0.0.0/8 ::1 unix", "127.0.0.1", true},
		{"127.0.0.0/8 ::1 unix", "127.255.0.9", true},
		{"127.0.0.0/8 ::1 unix", "126.0.0.1", false},
		{"127.0.0.0/8 ::1 unix", "::1", true},
		{"127.0.0.0/8 ::1 unix", "::2", false},
		{"127.0.0.0/8 ::1 unix", "", true},
		{"127.0.0.0/8 ::1 unix", NULL, true},
		{"127.0.0.0/8 ::1 unix", "unix:", true},
		{"127.0.0.0/8 ::1 unix", "unix:/run/x", true},
		{"127.0.0.0/8 ::1 unix", "unix", false},
		{"127.0.0.0/8 ::1 unix", "localhost", false},
		{"127.0.0.0/8 ::1 unix", "127.0.0.1 ", false},
		{"127.0.0.0/8 ::1 unix", "127.0.0.1:80", false},
		{"127.0.0.0/8 ::1 unix", "::ffff:127.0.0.1", true},
		{"127.0.0.0/8 ::1", "", false},
		{"127.0.0.0/8 ::1", NULL, false},
		{"unix", "127.0.0.1", false},
		{"", "127.0.0.1", false},
		{"", "", false},
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "10.1.2.4", false},
		{"10.1.2.3/0", "9.9.9.9", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "fe80::1", true},
		{"::/0", "10.0.0.1", false},
		{"::/0", "::ffff:10.0.0.1", false},
		{"::ffff:10.0.0.0/104", "10.9.9.9", true},
		{"::ffff:10.0.0.0/104", "11.0.0.0", false},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
		{"::ffff:0.0.0.0/90", "::ffc0:0:1", true},
		{"10.0.0.128/25", "10.0.0.127", false},
		{"10.0.0.128/25", "10.0.0.200", true},
		{"10.0.0.2/31", "10.0.0.3", true},
		{"10.0.0.2/31", "10.0.0.4", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"2001:db8::1/128", "2001:db8::1", true},
		{"  10.0.0.1   10.0.0.2 ", "10.0.0.2", true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check_text("status_allow", rows[i].list, NULL);
		cr_assert_eq(sr_conf_address_allowed(rows[i].list, rows[i].address), rows[i].allowed, "%s in '%s'",
		             rows[i].address ? rows[i].address : "NULL", rows[i].list);
	}
}

Test(conf, refuses_wrong_addresses)
{
	static const char *const bad[] = {"localhost", "10.0.0", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/8x", "::1/129", "10.0.0.1,::1",
	                                  "unix:", "Unix", "10.0.0.1/08888", "/8", "*", "::1%lo", "10.0.0.1/8/8",
	                                  "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd", NULL};

	for (const char *const *b = bad; *b; b++)
		check_text("status_allow", *b, "must list IPv4 or IPv6 addresses");
}

/* ---- settings ---- */

static const char *refused_setting(const char *const *settings)
{
	static char said[512];
	struct sr_conf conf;
	struct sr_buf why;

	sr_buf_init(&why, 500);
	cr_assert_neq(sr_conf_settings(&conf, settings, &why), SR_OK);
	cr_assert_null(conf.redis_url, "nothing is left behind");
	snprintf(said, sizeof said, "%s", sr_buf_text(&why));
	sr_buf_release(&why);
	return said;
}
#define refuse_settings(...) refused_setting((const char *const[]){__VA_ARGS__, NULL})

Test(conf, settings_go_over_environment_and_file)
{
	struct sr_conf conf;

	write_config("max_streams = 5\nlog_events = 50\nmount = /file\n");
	setenv("SSE_LOG_EVENTS", "60", 1);
	setenv("SSE_MOUNT", "/env", 1);
	setenv("SSE_CONFIG", "/nowhere", 1);
	cr_assert_eq(sr_conf_settings(&conf, (const char *const[]){"mount=/m", config_flag + 2, "key_prefix=a=b:", "mount=/n", NULL}, NULL), SR_OK);
	cr_assert_eq(conf.max_streams, 5);
	cr_assert_eq(conf.log_events, 60);
	cr_assert_str_eq(conf.mount, "/n", "the last counts");
	cr_assert_str_eq(conf.key_prefix, "a=b:");
	sr_conf_release(&conf);
	unsetenv("SSE_CONFIG");
	cr_assert_eq(sr_conf_settings(&conf, NULL, NULL), SR_OK);
	cr_assert_str_eq(conf.mount, "/env");
	sr_conf_release(&conf);
}

Test(conf, settings_that_are_none)
{
	cr_assert_str_eq(refuse_settings("max_streams"), "setting 'max_streams': write name=value");
	cr_assert_str_eq(refuse_settings("max_stream=5"), "unknown setting 'max_stream'; did you mean max_streams?");
	cr_assert_str_eq(refuse_settings("max_streams=5", "help="), "unknown setting 'help'");
	cr_assert_str_eq(refuse_settings("--mount=/m"), "unknown setting '--mount'; did you mean mount?");
	cr_assert_str_eq(refuse_settings("max_streams=0"), "max_streams: '0' is out of range: write digits, from 1 to 1000000");
	cr_assert_not_null(strstr(refuse_settings("beat_interval=20s"), "beat_interval (20s, setting) must be at most half"));
	cr_assert_not_null(strstr(refuse_settings("config=/nowhere"), "cannot open /nowhere"));
	cr_assert_not_null(strstr(refuse_settings("redis_password_file=/nowhere"), "cannot open /nowhere"));
}

Test(conf, settings_and_no_memory)
{
	struct sr_conf conf;
	enum sr_err e;
	unsigned n = 0;

	do {
		sr_mem_fail_after(++n);
		e = sr_conf_settings(&conf, (const char *const[]){"mount=/m", NULL}, NULL);
		cr_assert(e == SR_OK || e == SR_ENOMEM);
	} while (e != SR_OK);
	sr_mem_fail_after(0);
	cr_assert_gt(n, 10);
	sr_conf_release(&conf);
}
