/* test_token.c - fcgi/token.c: files of tokens, and who is let in. */
#include "fcgi/token.h"
#include "tests/support/folder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[FOLDER_SIZE], path[128];
static struct sr_buf why;

static void make(void)
{
	int fd;

	cr_assert(folder_make(folder, "test_token"));
	snprintf(path, sizeof path, "%s/tokens", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
	sr_buf_init(&why, 512);
}

static void drop(void)
{
	unlink(path);
	rmdir(folder);
	sr_buf_release(&why);
}

TestSuite(token, .init = make, .fini = drop, .timeout = 10);

static void fill(const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

static struct sr_tokens *load(const char *text)
{
	struct sr_tokens *t = NULL;

	fill(text, strlen(text), 0600);
	cr_assert_eq(sr_tokens_load(&t, path, &why), SR_OK, "%s", sr_buf_text(&why));
	return t;
}

static void refuses(const char *text, size_t len, mode_t mode, const char *says)
{
	struct sr_tokens *t = NULL;

	fill(text, len, mode);
	cr_assert_neq(sr_tokens_load(&t, path, &why), SR_OK, "%s", says);
	cr_assert_null(t);
	cr_assert(strstr(sr_buf_text(&why), says), "'%s' says '%s'", sr_buf_text(&why), says);
	cr_assert(strstr(sr_buf_text(&why), path), "%s names the file", sr_buf_text(&why));
	cr_assert_null(strstr(sr_buf_text(&why), "hush"), "no part of a token: %s", sr_buf_text(&why));
}

Test(token, lets_in_who_has_one)
{
	struct sr_tokens *t = load("# a comment\n\n  \nhush-hush-hush-01\n\tsecond-secret-hush \r\nlast-one-without-a-newline");

	cr_assert(sr_tokens_allow(t, "Bearer hush-hush-hush-01"));
	cr_assert(sr_tokens_allow(t, "bearer hush-hush-hush-01"));
	cr_assert(sr_tokens_allow(t, "BEARER   hush-hush-hush-01"));
	cr_assert(sr_tokens_allow(t, "Bearer second-secret-hush"));
	cr_assert(sr_tokens_allow(t, "Bearer last-one-without-a-newline"));
	sr_tokens_free(t);
}

Test(token, lets_in_nobody_else)
{
	static const char *const bad[] = {"", "Bearer", "Bearer ", "hush-hush-hush-01", "Basic hush-hush-hush-01", "Bearer hush-hush-hush-0",
	                                  "Bearer hush-hush-hush-011", "Bearer hush-hush-hush-02", "Bearer Hush-hush-hush-01", "Bearer hush-hush-hush-01 ",
	                                  "Bearer # a comment that is long", "Bearer hush-hush-hush-01, hush-hush-hush-01", "Bearerhush-hush-hush-01",
	                                  "Bearer xush-hush-hush-01"};
	struct sr_tokens *t = load("# a comment that is long\nhush-hush-hush-01\n");
	char longest[600] = "Bearer ";

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_not(sr_tokens_allow(t, bad[i]), "'%s'", bad[i]);
	memset(longest + 7, 'a', sizeof longest - 8);
	cr_assert_not(sr_tokens_allow(t, longest));
	cr_assert_not(sr_tokens_allow(NULL, "Bearer hush-hush-hush-01"));
	sr_tokens_free(t);
	sr_tokens_free(NULL);
}

Test(token, the_shortest_and_the_longest)
{
	char text[SR_TOKEN_MAX + 2] = "", header[SR_TOKEN_MAX + 8] = "Bearer ";
	struct sr_tokens *t = load("0123456789abcdef\n");

	cr_assert(sr_tokens_allow(t, "Bearer 0123456789abcdef"));
	sr_tokens_free(t);
	memset(text, 'z', SR_TOKEN_MAX);
	t = load(text);
	memset(header + 7, 'z', SR_TOKEN_MAX);
	cr_assert(sr_tokens_allow(t, header));
	header[SR_TOKEN_MAX + 6] = 'y';
	cr_assert_not(sr_tokens_allow(t, header), "its last byte counts");
	header[SR_TOKEN_MAX + 6] = 0;
	cr_assert_not(sr_tokens_allow(t, header), "one byte less");
	sr_tokens_free(t);
	text[SR_TOKEN_MAX] = 'z';
	refuses(text, sizeof text - 1, 0600, ":1: a token is 16 to 512 bytes");
}

Test(token, a_bad_file_is_refused_with_its_line)
{
	struct sr_buf many;

	refuses("# x\nhush-hush-hush-01\nhush-short\n", 33, 0600, ":3: a token is 16 to 512 bytes");
	refuses("hush hush hush hush\n", 20, 0600, ":1: a token is visible ASCII");
	refuses("hush-hush-hush-\xc3\xa9\n", 18, 0600, ":1: a token is visible ASCII");
	refuses("\nhush-hush\0hush-01\n", 19, 0600, ":2: a token is visible ASCII");
	refuses("", 0, 0600, "no token");
	refuses("# only\n\n", 8, 0600, "no token");
	refuses("hush-hush-hush-01\n", 18, 0604, "lets others at the secret");
	refuses("hush-hush-hush-01\n", 18, 0620, "lets others at the secret");
	sr_buf_init(&many, 80000);
	for (int i = 0; i <= SR_TOKENS_MAX; i++)
		cr_assert_eq(sr_buf_printf(&many, "hush-hush-hush-%03d\n", i), SR_OK);
	refuses(many.data, many.len, 0600, ":65: more than 64");
	while (many.len <= 65536)
		cr_assert_eq(sr_buf_puts(&many, "# a line to make it large ......................................\n"), SR_OK);
	refuses(many.data, many.len, 0600, "larger than 64 KiB");
	sr_buf_release(&many);
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(sr_tokens_load(&(struct sr_tokens *){NULL}, path, &why), SR_EINVAL);
	rmdir(path);
	cr_assert_eq(sr_tokens_load(&(struct sr_tokens *){NULL}, path, &why), SR_EIO);
	cr_assert(strstr(why.data, "No such file"));
}

Test(token, the_group_may_read_it)
{
	struct sr_tokens *t = NULL;

	fill("hush-hush-hush-01\n", 18, 0640);
	cr_assert_eq(sr_tokens_load(&t, path, &why), SR_OK);
	sr_tokens_free(t);
}
