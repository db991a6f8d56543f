#include "common/id.h"
#include <criterion/criterion.h>
#include <string.h>

TestSuite(id, .timeout = 10);

/* A row: text, its length (0 = strlen), is it valid? */
struct row {
	const char *text;
	size_t len;
	bool valid;
};

static void check(bool (*valid)(const char *, size_t), const struct row *rows)
{
	for (; rows->text; rows++) {
		size_t len = rows->len ? rows->len : strlen(rows->text);

		cr_assert_eq(valid(rows->text, len), rows->valid, "\"%s\"", rows->text);
	}
}

static const char a256[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

Test(id, knows_stream_ids)
{
	static const struct row rows[] = {
		{"a", 0, true},       {"AZaz09._~:-", 0, true}, {"--", 0, true},     {".", 0, true},
		{a256, 128, true},    {a256, 129, false},       {"-", 0, false},     {"", 0, false},
		{"a b", 0, false},    {"a/b", 0, false},        {"a\0b", 3, false},  {"a\n", 0, false},
		{"{a}", 0, false},    {"\xc3\xa4", 0, false},   {"a%41", 0, false},  {"*", 0, false},
		{"@", 0, false},      {"[", 0, false},          {"`", 0, false},     {NULL, 0, false},
	};

	check(sr_stream_id_valid, rows);
}

Test(id, knows_event_types)
{
	static const struct row rows[] = {
		{"token", 0, true},  {"A.z_0:-", 0, true}, {"-", 0, true},     {a256, 64, true},    {a256, 65, false}, {"", 0, false},
		{"a~b", 0, false},   {"a b", 0, false},    {"a\"b", 0, false}, {"a\0b", 3, false},  {"a\r", 0, false}, {NULL, 0, false},
	};

	check(sr_event_type_valid, rows);
}

Test(id, knows_reserved_and_terminal_types)
{
	static const struct row reserved[] = {
		{"connected", 0, true}, {"gap", 0, true},    {"orphaned", 0, true}, {"gaps", 0, false},
		{"gap!", 3, true},      {"ga", 0, false},    {"Gap", 0, false},     {"completed", 0, false},
		{NULL, 0, false},
	};
	static const struct row terminal[] = {
		{"completed", 0, true}, {"failed", 0, true}, {"cancelled", 0, true}, {"canceled", 0, false},
		{"complete", 0, false}, {"fail", 0, false},  {"gap", 0, false},      {NULL, 0, false},
	};

	check(sr_event_type_reserved, reserved);
	check(sr_event_type_terminal, terminal);
	cr_assert_not(sr_event_type_terminal(NULL, 0));
}

Test(id, knows_users)
{
	static const struct row rows[] = {
		{"alice", 0, true},  {"J\xc3\xb6rg @ home", 0, true}, {"\xff", 0, true},    {a256, 255, true}, {a256, 256, false}, {"", 0, false},
		{"a\nb", 0, false},  {"a\0b", 3, false},              {"a\x7f", 0, false},  {"a\tb", 0, false}, {NULL, 0, false},
	};

	check(sr_user_valid, rows);
}

static enum sr_err parse(struct sr_event_id *id, const char *text)
{
	return sr_event_id_parse(id, text, strlen(text));
}

Test(id, reads_and_writes_event_ids)
{
	static const char *const good[] = {"0-0", "1-0", "0-1", "1763920000123-42", "18446744073709551615-18446744073709551615", NULL};
	char text[SR_EVENT_ID_SIZE];
	struct sr_event_id id;

	for (const char *const *g = good; *g; g++) {
		cr_assert_eq(parse(&id, *g), SR_OK, "%s", *g);
		cr_assert_str_eq(sr_event_id_format(text, id), *g);
	}
	cr_assert_eq(sr_event_id_parse(&id, "12-345", 4), SR_OK, "the length counts");
	cr_assert(id.ms == 12 && id.seq == 3);
}

Test(id, refuses_other_event_ids_and_keeps_the_old)
{
	static const char *const bad[] = {
		"",      "-",     "1",      "1-",    "-1",   "1-2-3", "+1-2", "1-+2", " 1-2", "1-2 ",  "01-2", "1-02", "00-0", "1-0x1",
		"1--2",  "a-b",   "1.0-2",  "$",     "+",    "0-*",   "18446744073709551616-0", "0-18446744073709551616",
		"0-99999999999999999999",   "99999999999999999999999999999999999999999-0",      "1-2\n", NULL,
	};
	struct sr_event_id id = {7, 8};

	for (const char *const *b = bad; *b; b++)
		cr_assert_eq(parse(&id, *b), SR_EINVAL, "%s", *b);
	cr_assert_eq(sr_event_id_parse(&id, NULL, 0), SR_EINVAL);
	cr_assert_eq(sr_event_id_parse(&id, "1-2\0003", 5), SR_EINVAL);
	cr_assert(id.ms == 7 && id.seq == 8);
}

Test(id, orders_event_ids)
{
	static const struct sr_event_id sorted[] = {{0, 0}, {0, 1}, {0, UINT64_MAX}, {1, 0}, {9, 0}, {10, 0}, {UINT64_MAX, 0}, {UINT64_MAX, 1}};
	int n = sizeof sorted / sizeof *sorted;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++) {
			int c = sr_event_id_compare(sorted[i], sorted[j]);

			cr_assert(i < j ? c < 0 : i > j ? c > 0 : c == 0, "%d against %d", i, j);
		}
}

Test(id, producer_names)
{
	cr_assert(sr_producer_name_valid("a", 1) && sr_producer_name_valid("worker7", 7) && sr_producer_name_valid("0123456789abcdefghijklmnopqrstuv", 32));
	cr_assert_not(sr_producer_name_valid("", 0));
	cr_assert_not(sr_producer_name_valid("0123456789abcdefghijklmnopqrstuvw", 33));
	for (const char *const *bad = (const char *const[]){"A", "a b", "a-b", "k:1", "a\n", "\xc3\xa4", NULL}; *bad; bad++)
		cr_assert_not(sr_producer_name_valid(*bad, strlen(*bad)), "%s", *bad);
	cr_assert_not(sr_producer_name_valid("a\0b", 3));
}
