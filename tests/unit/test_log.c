#include "common/log.h"
#include "common/buf.h"
#include "tests/support/folder.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(log, .timeout = 20);

static char folder[FOLDER_SIZE];
static char path[128], moved[128];

static void set_up(void)
{
	cr_assert(folder_make(folder, "test_log"));
	snprintf(path, sizeof path, "%s/log", folder);
	snprintf(moved, sizeof moved, "%s/log.1", folder);
}

static void tear_down(void)
{
	sr_log_close();
	unlink(path);
	unlink(moved);
	rmdir(folder);
}

/* The text of a file; the buffer is the caller's. */
static struct sr_buf slurp(const char *name)
{
	struct sr_buf text;
	char part[4096];
	ssize_t n;
	int fd = open(name, O_RDONLY);

	cr_assert_geq(fd, 0, "%s", name);
	sr_buf_init(&text, 10000000);
	while ((n = read(fd, part, sizeof part)) > 0)
		cr_assert_eq(sr_buf_append(&text, part, (size_t)n), SR_OK);
	close(fd);
	return text;
}

static void match(const char *text, const char *pattern)
{
	regex_t re;

	cr_assert_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	cr_assert_eq(regexec(&re, text, 0, NULL, 0), 0, "%s does not match %s", text, pattern);
	regfree(&re);
}

/* Log one value to a file and compare what stands behind "v=", up to the newline. */
static void check_value(const char *value, const char *expect)
{
	struct sr_buf text;
	char *found;

	unlink(path);
	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, "m", "v", value, (char *)NULL);
	text = slurp(path);
	found = strstr(text.data, " v=");
	cr_assert_not_null(found, "%s", text.data);
	cr_assert_eq(strchr(found, '\n'), text.data + text.len - 1, "one line: %s", text.data);
	text.data[text.len - 1] = '\0';
	cr_assert_str_eq(found + 3, expect);
	sr_buf_release(&text);
}

Test(log, writes_a_line, .init = set_up, .fini = tear_down)
{
	struct sr_buf text;
	struct stat st;

	cr_assert_eq(sr_log_open("sse-fcgi", path, SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, "redis up", "key", "value", "n", sr_log_num(-7), "none", (char *)NULL, "never", "seen", (char *)NULL);
	sr_log(SR_LOG_WARN, "no pairs", (char *)NULL);
	text = slurp(path);
	match(text.data, "^time=20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z level=info prog=sse-fcgi pid=[0-9]+ "
	                 "msg=\"redis up\" key=value n=-7 none=- never=seen\n"
	                 "time=[^ ]+ level=warn prog=sse-fcgi pid=[0-9]+ msg=\"no pairs\"\n$");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0137, 0, "mode %o", st.st_mode & 0777);
	sr_buf_release(&text);
}

Test(log, escapes_values, .init = set_up, .fini = tear_down)
{
	check_value("plain-1.2/3:[x]", "plain-1.2/3:[x]");
	check_value("", "\"\"");
	check_value("a b", "\"a b\"");
	check_value("a=b", "\"a=b\"");
	check_value("a\"b", "\"a\\\"b\"");
	check_value("a\\b", "\"a\\\\b\"");
	check_value("a\nlevel=error", "\"a\\nlevel=error\"");
	check_value("\r\t\x1b[2J\x7f", "\"\\x0d\\x09\\x1b[2J\\x7f\"");
	check_value("J\xc3\xb6rg", "\"J\xc3\xb6rg\"");
	check_value("\xff\xc3(", "\"\\xff\\xc3(\"");
	check_value("\xc2\x9b", "\"\\xc2\\x9b\"");
	check_value("\xc2\xa0", "\"\xc2\xa0\"");
}

Test(log, cuts_long_values, .init = set_up, .fini = tear_down)
{
	char value[2000], expect[SR_LOG_VALUE_MAX + 6];

	memset(value, 'x', sizeof value);
	value[SR_LOG_VALUE_MAX] = '\0';
	check_value(value, value);
	value[SR_LOG_VALUE_MAX] = 'x';
	value[SR_LOG_VALUE_MAX + 1] = '\0';
	snprintf(expect, sizeof expect, "\"%.*s...\"", SR_LOG_VALUE_MAX, value);
	check_value(value, expect);
}

Test(log, leaves_out_what_does_not_fit, .init = set_up, .fini = tear_down)
{
	struct sr_buf text;
	char bad[SR_LOG_VALUE_MAX + 1];
	size_t quotes = 0;

	memset(bad, '\x01', sizeof bad - 1);
	bad[sizeof bad - 1] = '\0';
	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, bad, "a", bad, "b", bad, "c", bad, "d", bad, "e", "short", (char *)NULL);
	text = slurp(path);
	cr_assert_leq(text.len, 8192);
	match(text.data, " a=\"[^\"]*\" b=\"[^\"]*\" cut=yes\n$");
	for (size_t i = 0; i < text.len; i++)
		quotes += text.data[i] == '"';
	cr_assert_eq(quotes, 6, "no quote stays open");
	sr_buf_release(&text);
}

Test(log, keeps_the_level, .init = set_up, .fini = tear_down)
{
	struct sr_buf text;

	cr_assert_eq(sr_log_open("t", path, SR_LOG_WARN), SR_OK);
	cr_assert(sr_log_enabled(SR_LOG_ERROR) && sr_log_enabled(SR_LOG_WARN));
	cr_assert_not(sr_log_enabled(SR_LOG_INFO) || sr_log_enabled(SR_LOG_DEBUG));
	sr_log(SR_LOG_INFO, "hidden", (char *)NULL);
	sr_log(SR_LOG_ERROR, "one", (char *)NULL);
	cr_assert_eq(sr_log_open("t", path, SR_LOG_DEBUG), SR_OK);
	sr_log(SR_LOG_DEBUG, "two", (char *)NULL);
	text = slurp(path);
	match(text.data, "level=error .*msg=\"one\"\n.*level=debug .*msg=\"two\"\n$");
	cr_assert_null(strstr(text.data, "hidden"));
	sr_buf_release(&text);
}

Test(log, reopens_after_a_rotation, .init = set_up, .fini = tear_down)
{
	struct sr_buf old, new;

	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, "before", (char *)NULL);
	cr_assert_eq(rename(path, moved), 0);
	sr_log(SR_LOG_INFO, "between", (char *)NULL);
	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, "after", (char *)NULL);
	old = slurp(moved);
	new = slurp(path);
	match(old.data, "msg=\"before\"\n.*msg=\"between\"\n$");
	match(new.data, "^[^\n]*msg=\"after\"\n$");
	sr_buf_release(&old);
	sr_buf_release(&new);
}

Test(log, keeps_its_target_when_the_new_one_fails, .init = set_up, .fini = tear_down)
{
	struct sr_buf text;

	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	cr_assert_eq(sr_log_open("other", "/nonexistent/log", SR_LOG_ERROR), SR_EIO);
	cr_assert_eq(errno, ENOENT);
	cr_assert_eq(sr_log_open("other", "relative", SR_LOG_ERROR), SR_EIO);
	cr_assert_eq(errno, EINVAL);
	sr_log(SR_LOG_INFO, "still here", (char *)NULL);
	text = slurp(path);
	match(text.data, "prog=t .*msg=\"still here\"\n$");
	sr_buf_release(&text);
}

/* Let fd 2 be a pipe; returns its reading end. */
static int catch_stderr(void)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	return ends[0];
}

static void expect_pipe(int fd, const char *pattern)
{
	char text[10000];
	ssize_t n = read(fd, text, sizeof text - 1);

	cr_assert_gt(n, 0);
	text[n] = '\0';
	match(text, pattern);
}

Test(log, goes_to_stderr, .init = set_up, .fini = tear_down)
{
	int fd = catch_stderr();

	sr_log(SR_LOG_INFO, "unopened", (char *)NULL);
	expect_pipe(fd, "^time=.* level=info prog=sse-resilience pid=[0-9]+ msg=\"unopened\"\n$");
	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	cr_assert_eq(sr_log_open("t", "stderr", SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, "back", (char *)NULL);
	expect_pipe(fd, "^time=.* prog=t .*msg=\"back\"\n$");
	cr_assert_eq(sr_log_open("t", "/dev/full", SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, "disk full", (char *)NULL);
	expect_pipe(fd, "^time=.* msg=\"disk full\"\n$");
	close(fd);
}

Test(log, keeps_errno, .init = set_up, .fini = tear_down)
{
	int fd = catch_stderr();

	cr_assert_eq(sr_log_open("t", "/dev/full", SR_LOG_INFO), SR_OK);
	errno = EXDEV;
	sr_log(SR_LOG_INFO, "x", (char *)NULL);
	cr_assert_eq(errno, EXDEV);
	close(fd);
}

Test(log, writes_sixteen_numbers_in_one_line, .init = set_up, .fini = tear_down)
{
	struct sr_buf text;

	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	sr_log(SR_LOG_INFO, "m", "a", sr_log_num(1), "b", sr_log_num(2), "c", sr_log_num(3), "d", sr_log_num(4), "e", sr_log_num(5), "f",
	       sr_log_num(6), "g", sr_log_num(7), "h", sr_log_num(8), "i", sr_log_num(9), "j", sr_log_num(10), "k", sr_log_num(11), "l",
	       sr_log_num(12), "m", sr_log_num(13), "n", sr_log_num(14), "o", sr_log_num(15), "p", sr_log_num(-9223372036854775807 - 1),
	       (char *)NULL);
	text = slurp(path);
	match(text.data, " a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8 i=9 j=10 k=11 l=12 m=13 n=14 o=15 p=-9223372036854775808\n$");
	sr_buf_release(&text);
}

static void *write_many(void *name)
{
	for (int i = 0; i < 500; i++)
		sr_log(SR_LOG_INFO, "thread", "name", (const char *)name, "again", (const char *)name, (char *)NULL);
	return NULL;
}

Test(log, keeps_lines_of_threads_whole, .init = set_up, .fini = tear_down)
{
	static char names[8][200];
	pthread_t threads[8];
	size_t lines = 0;
	struct sr_buf text;

	cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	for (int i = 0; i < 8; i++) {
		memset(names[i], 'a' + i, sizeof names[i] - 1);
		cr_assert_eq(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
	}
	for (int i = 0; i < 20; i++)
		cr_assert_eq(sr_log_open("t", path, SR_LOG_INFO), SR_OK);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	text = slurp(path);
	for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
		char *name = strstr(line, " name="), *again = strstr(line, " again=");

		cr_assert(strncmp(line, "time=", 5) == 0 && name && again && again < end);
		cr_assert_eq(strncmp(name + 6, again + 7, 199), 0);
		cr_assert_eq(again + 7 + 199, end);
	}
	cr_assert_eq(lines, 4000);
	sr_buf_release(&text);
}

Test(log, tells_where_a_bug_is_and_aborts, .init = set_up, .fini = tear_down)
{
	struct sr_buf text;
	int status = 0;
	pid_t child;

	cr_assert_eq(sr_log_open("t", path, SR_LOG_ERROR), SR_OK);
	child = fork();
	if (child == 0)
		sr_bug("x.c", 12, "cannot happen");
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	text = slurp(path);
	match(text.data, "level=error .*msg=\"bug\" what=\"cannot happen\" file=x.c line=12\n$");
	sr_buf_release(&text);
}

/* ---- syslog: the C library's calls are replaced for this program ---- */

static char said[9000];
static int said_priority;
static const char *said_ident;

void openlog(const char *ident, int option, int facility);
void syslog(int priority, const char *format, ...);
void __syslog_chk(int priority, int flag, const char *format, ...);

void openlog(const char *ident, int option, int facility)
{
	(void)option;
	(void)facility;
	said_ident = ident;
}

void syslog(int priority, const char *format, ...)
{
	va_list ap;

	said_priority = priority;
	va_start(ap, format);
	vsnprintf(said, sizeof said, format, ap);
	va_end(ap);
}

/* What syslog() is when the compiler fortifies. */
void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list ap;

	(void)flag;
	said_priority = priority;
	va_start(ap, format);
	vsnprintf(said, sizeof said, format, ap);
	va_end(ap);
}

Test(log, speaks_to_syslog, .init = set_up, .fini = tear_down)
{
	cr_assert_eq(sr_log_open("sse-fcgi", "syslog", SR_LOG_DEBUG), SR_OK);
	cr_assert_str_eq(said_ident, "sse-fcgi");
	sr_log(SR_LOG_WARN, "100%s", "key", "a b", (char *)NULL);
	cr_assert_str_eq(said, "level=warn msg=\"100%s\" key=\"a b\"");
	cr_assert_eq(said_priority, 4);
	sr_log(SR_LOG_DEBUG, "x", (char *)NULL);
	cr_assert_eq(said_priority, 7);
}
