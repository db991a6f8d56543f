/* Templates of configurations, and what may be put into them. */
#include "cli/fill.h"
#include <criterion/criterion.h>
#include <string.h>

static const struct sr_fill unix_fill = {.mount = "/a/b", .socket = "/run/x.sock", .share = "/usr/share/x", .program = "/bin/p"};
static const struct sr_fill tcp_fill = {.mount = "/a/b", .socket = "[::1]:9000", .share = "/usr/share/x", .program = "/bin/p"};

static void becomes(const struct sr_fill *fill, const char *text, const char *wanted)
{
	struct sr_buf out;

	sr_buf_init(&out, SR_FILL_MAX);
	cr_assert_eq(sr_fill_template(&out, text, fill), SR_OK);
	cr_assert_str_eq(sr_buf_text(&out), wanted);
	sr_buf_release(&out);
}

Test(fill, marks_become_values_and_all_else_stays)
{
	becomes(&unix_fill, "@MOUNT@/ \"@SOCKET@\" @SHARE@/@NAME@@NAME@\n", "/a/b/ \"/run/x.sock\" /usr/share/x/bb\n");
	becomes(&unix_fill, "location @sse-retry@MOUNT@ @ @@ a@b @MOUN@\n", "location @sse-retry/a/b @ @@ a@b @MOUN@\n");
	becomes(&tcp_fill, "@HOST@ @PORT@ @SOCKET@\n@", "::1 9000 [::1]:9000\n@");
	becomes(&unix_fill, "\"@PROGRAM@\"\n", "\"/bin/p\"\n");
	becomes(&unix_fill, "", "");
}

Test(fill, lines_of_the_other_kind_of_socket_go)
{
	const char *text = "one\n@UNIX@two @SOCKET@\n@TCP@three @PORT@\nfour @TCP@\n";

	becomes(&unix_fill, text, "one\ntwo /run/x.sock\nfour @TCP@\n");
	becomes(&tcp_fill, text, "one\nthree 9000\nfour @TCP@\n");
}

Test(fill, a_value_is_not_filled_again)
{
	const struct sr_fill fill = {.mount = "/m", .socket = "/run/@MOUNT@", .share = "/@UNIX@", .program = "/bin/p"};

	becomes(&fill, "@SOCKET@ @SHARE@\n", "/run/@MOUNT@ /@UNIX@\n");
}

Test(fill, the_bound_holds)
{
	struct sr_buf out;

	sr_buf_init(&out, 8);
	cr_assert_eq(sr_fill_template(&out, "1234567890\n", &unix_fill), SR_ETOOBIG);
	sr_buf_release(&out);
}

static bool is_refused(const char *mount, const char *socket, const char *share)
{
	const struct sr_fill fill = {.mount = mount, .socket = socket, .share = share, .program = share};
	struct sr_buf why;
	enum sr_err e;

	sr_buf_init(&why, 1024);
	e = sr_fill_check(&fill, &why);
	cr_assert(e == SR_OK ? why.len == 0 : e == SR_EINVAL && why.len > 0, "%s %s %s: %s", mount, socket, share, sr_buf_text(&why));
	sr_buf_release(&why);
	return e != SR_OK;
}

Test(fill, values_that_a_configuration_cannot_hold_are_refused)
{
	static const char *const mounts[] = {"", "/", "x", "/x/", "/x//y", "/a b", "/a\"b", "/a(b", "/a\nb", "/\xc3\xa9"};
	static const char *const sockets[] = {"", ":", "h", "h:", ":1", "h:p", "h:0", "h:65536", "h:999999", "h:1 ", "::1:9", "[::1]9", "[]:9", "[g]:9", "h/:1",
	                                      "/", "/a/", "/a ", "/a'b", "/a;b", "/a\x7f"};

	cr_assert_not(is_refused("/a/b.c/~d-e_9", "/run/a b/\xc3\xa9[1]@x.sock", "/usr/share/x"));
	cr_assert_not(is_refused("/a", "localhost:1", "/x"));
	cr_assert_not(is_refused("/a", "[::ffff:1.2.3.4]:65535", "/x"));
	for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
		cr_assert(is_refused(mounts[i], "/run/x", "/x"), "%s", mounts[i]);
	for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
		cr_assert(is_refused("/a", sockets[i], "/x"), "%s", sockets[i]);
	cr_assert(is_refused("/a", "/run/x", "x"));
	cr_assert(is_refused("/a", "/run/x", ""));
	cr_assert(is_refused("/a", "/run/x", "/a#b"));
}

Test(fill, a_socket_has_its_systems_length)
{
	char path[110] = "/";

	memset(path + 1, 'x', 106);
	cr_assert_not(is_refused("/a", path, "/x"));
	path[107] = 'x';
	cr_assert(is_refused("/a", path, "/x"));
}
