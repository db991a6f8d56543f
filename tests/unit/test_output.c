/* cli/output: what a terminal is not to obey, and JSON under construction. */
#include "cli/output.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(output, .timeout = 20);

static void assert_visible(const char *bytes, size_t len, const char *expected)
{
	struct sr_buf out;

	sr_buf_init(&out, 1000);
	cr_assert_eq(sr_visible(&out, bytes, len), SR_OK);
	cr_assert_str_eq(sr_buf_text(&out), expected);
	sr_buf_release(&out);
}

#define VISIBLE(text, expected) assert_visible(text, sizeof text - 1, expected)

Test(output, shows_what_a_terminal_would_obey)
{
	VISIBLE("", "");
	VISIBLE("plain \"text\" \\u001b", "plain \"text\" \\u001b");
	VISIBLE("\x1b[31m\a\r\n\t", "\\u001b[31m\\u0007\\u000d\\u000a\\u0009");
	assert_visible("a\0b", 3, "a\\u0000b");
	VISIBLE("\x7f", "\\u007f");
	VISIBLE("\xc2\x9b" "31m", "\\u009b31m");
	VISIBLE("\xc2\xa0" "\xc3\xa9" "\xe2\x82\xac" "\xf0\x9f\x98\x80", "\xc2\xa0" "\xc3\xa9" "\xe2\x82\xac" "\xf0\x9f\x98\x80");
	VISIBLE("\xe2\x80\xae" "abc\xe2\x81\xa6" "\xe2\x80\xa8", "\\u202eabc\\u2066\\u2028");
	VISIBLE("\x9b" "31m\xff\xc3", "\\x9b31m\\xff\\xc3");
	VISIBLE("\xed\xa0\x80", "\\xed\\xa0\\x80");
}

Test(output, a_full_buffer_stays_as_it_was)
{
	struct sr_buf out;

	sr_buf_init(&out, 8);
	cr_assert_eq(sr_buf_puts(&out, "abc"), SR_OK);
	cr_assert_eq(sr_visible(&out, "def\x1b", 4), SR_ETOOBIG);
	cr_assert_str_eq(out.data, "abc");
	sr_buf_release(&out);
}

/* Print to a file that is no terminal; the caller frees. */
static char *printed(void (*print)(struct sr_out *o))
{
	FILE *file = tmpfile();
	char *text = calloc(1, 4096);
	struct sr_out o;

	cr_assert(file && text);
	sr_out_init(&o, file, true);
	cr_assert(!o.terminal && !o.colour);
	print(&o);
	cr_assert_eq(sr_out_flush(&o), SR_OK);
	rewind(file);
	cr_assert_lt(fread(text, 1, 4095, file), 4095);
	fclose(file);
	return text;
}

static void print_objects(struct sr_out *o)
{
	struct sr_json j;

	sr_json_begin(&j);
	sr_json_open(&j, NULL, '{');
	sr_json_text(&j, "text{", "a\"{");
	sr_json_text(&j, "none", NULL);
	sr_json_int(&j, "n", -5);
	sr_json_open(&j, "list", '[');
	sr_json_int(&j, NULL, 1);
	sr_json_bool(&j, NULL, true);
	sr_json_open(&j, NULL, '{');
	sr_json_close(&j, '}');
	sr_json_text(&j, NULL, "[");
	sr_json_open(&j, NULL, '[');
	sr_json_close(&j, ']');
	sr_json_close(&j, ']');
	sr_json_raw(&j, "raw", "{ \"x\": 1 }", 10);
	sr_json_raw(&j, "foreign", "not \xff json", 10);
	sr_json_close(&j, '}');
	cr_assert_eq(sr_json_print(&j, o), SR_OK);
	sr_json_text(&j, NULL, "second");
	cr_assert_eq(sr_json_print(&j, o), SR_OK);
	sr_json_release(&j);
}

Test(output, builds_json)
{
	char *text = printed(print_objects);

	cr_assert_str_eq(text, "{\"text{\":\"a\\\"{\",\"none\":null,\"n\":-5,\"list\":[1,true,{},\"[\",[]],"
	                       "\"raw\":{\"x\":1},\"foreign\":\"not \xef\xbf\xbd json\"}\n\"second\"\n");
	free(text);
}

static void print_text(struct sr_out *o)
{
	sr_out_printf(o, "%s %d\n", "a\x1b", 7);
	sr_out_state(o, "active", 9);
	sr_out_text(o, "|\n");
}

Test(output, leaves_bytes_and_colours_alone_where_no_terminal_is)
{
	char *text = printed(print_text);

	cr_assert_str_eq(text, "a\x1b 7\nactive   |\n");
	free(text);
}

Test(output, a_failed_write_shows_at_the_flush)
{
	FILE *full = fopen("/dev/full", "w");
	struct sr_out o;

	cr_assert(full);
	setvbuf(full, NULL, _IONBF, 0);
	sr_out_init(&o, full, false);
	sr_out_text(&o, "lost");
	cr_assert_eq(sr_out_flush(&o), SR_EIO);
	cr_assert_eq(o.error, 28 /* ENOSPC */);
	cr_assert_eq(sr_out_flush(&o), SR_EIO, "and stays");
	fclose(full);
}
