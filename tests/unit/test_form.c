/* test_form.c - fcgi/form.c: fields of a form, decoded in place. */
#include "fcgi/form.h"

#include <criterion/criterion.h>
#include <string.h>

static char bytes[512];
static struct sr_form f;

static void form(const char *text)
{
	memcpy(bytes, text, strlen(text) + 1);
	sr_form_init(&f, bytes, strlen(text));
}

static void expect(const char *name, const char *value)
{
	cr_assert_eq(sr_form_next(&f), SR_FORM_FIELD);
	cr_assert(sr_form_is(&f, name), "%.*s is %s", (int)f.name_len, f.name, name);
	cr_assert(f.value_len == strlen(value) && memcmp(f.value, value, f.value_len) == 0, "%s: '%.*s' is '%s'", name, (int)f.value_len, f.value, value);
}

Test(form, reads_fields_in_their_order, .timeout = 10)
{
	form("type=token&data=%7B%22a%22%3A1%7D&type=x&empty=&none&a=b=c");
	expect("type", "token");
	expect("data", "{\"a\":1}");
	expect("type", "x");
	expect("empty", "");
	expect("none", "");
	expect("a", "b=c");
	cr_assert_eq(sr_form_next(&f), SR_FORM_END);
	cr_assert_eq(sr_form_next(&f), SR_FORM_END);
}

Test(form, decodes_names_and_values, .timeout = 10)
{
	form("a+b=c+d&%C3%A9=%c3%A9&p=%2B%26%3D%25&half=%0a%0D");
	expect("a b", "c d");
	expect("\xc3\xa9", "\xc3\xa9");
	expect("p", "+&=%");
	expect("half", "\n\r");
	cr_assert_eq(sr_form_next(&f), SR_FORM_END);
}

Test(form, a_nul_is_a_byte_like_others, .timeout = 10)
{
	form("a=x%00y&a%00b=1");
	cr_assert_eq(sr_form_next(&f), SR_FORM_FIELD);
	cr_assert(f.value_len == 3 && memcmp(f.value, "x\0y", 3) == 0);
	cr_assert_eq(sr_form_next(&f), SR_FORM_FIELD);
	cr_assert_not(sr_form_is(&f, "a"));
	cr_assert_eq(f.name_len, 3);
}

Test(form, skips_what_is_empty, .timeout = 10)
{
	form("&&a=1&&&b=2&");
	expect("a", "1");
	expect("b", "2");
	cr_assert_eq(sr_form_next(&f), SR_FORM_END);
	form("");
	cr_assert_eq(sr_form_next(&f), SR_FORM_END);
	form("&&&");
	cr_assert_eq(sr_form_next(&f), SR_FORM_END);
	form("=x");
	expect("", "x");
}

Test(form, a_percent_sign_without_digits_is_refused_where_it_stands, .timeout = 10)
{
	static const struct { const char *text; size_t offset; } bad[] = {{"a=%", 2}, {"a=%4", 2}, {"a=%4g", 2}, {"a=%g4", 2}, {"a=ok%", 4}, {"%=1", 0},
	                                                                  {"a=%%41", 2}, {"a=%4&b=1", 2}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		form(bad[i].text);
		cr_assert_eq(sr_form_next(&f), SR_FORM_BAD, "%s", bad[i].text);
		cr_assert_eq(f.offset, bad[i].offset, "%s: %zu", bad[i].text, f.offset);
	}
	form("x=%41%41&y=%zz");
	expect("x", "AA");
	cr_assert_eq(sr_form_next(&f), SR_FORM_BAD);
	cr_assert_eq(f.offset, 11);
}

Test(form, does_not_look_beyond_its_length, .timeout = 10)
{
	memcpy(bytes, "a=%41", 5);
	sr_form_init(&f, bytes, 4);
	cr_assert_eq(sr_form_next(&f), SR_FORM_BAD);
	memcpy(bytes, "a=bc&d", 6);
	sr_form_init(&f, bytes, 3);
	expect("a", "b");
	cr_assert_eq(sr_form_next(&f), SR_FORM_END);
}
