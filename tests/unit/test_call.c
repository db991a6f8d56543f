#include "common/call.h"
#include "common/mem.h"
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(call, .timeout = 10);

/* What a call sends, as text. The caller releases. */
static struct sr_buf encoded(const struct sr_call *call, bool whole)
{
	struct sr_buf out;

	sr_buf_init(&out, 2 * SR_CALL_BYTES_MAX);
	cr_assert_eq(sr_call_check(call), SR_OK);
	cr_assert_eq(sr_call_encode(call, whole, &out), SR_OK);
	return out;
}

static void script_of_recover(struct sr_call *call)
{
	sr_call_init(call, SR_SCRIPT_RECOVER);
	sr_call_key(call, "sse:", SR_KEY_STREAM, "a");
	sr_call_key(call, "sse:", SR_KEY_COMPLETION, "a");
	sr_call_text(call, "ann");
	sr_call_int(call, 1);
}

/* --- encoding ------------------------------------------------------------------------------------------------ */

Test(call, a_plain_command_is_its_words)
{
	static const char wanted[] = "*5\r\n$4\r\nPING\r\n$0\r\n\r\n$5\r\n\0\r\n\"*\r\n$20\r\n-9223372036854775808\r\n$13\r\nsse:channel:a\r\n";
	struct sr_call call;
	struct sr_buf out;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "PING");
	sr_call_text(&call, "");
	sr_call_arg(&call, "\0\r\n\"*", 5);
	sr_call_int(&call, LLONG_MIN);
	sr_call_name(&call, "sse:", SR_KEY_CHANNEL, "a");
	for (int whole = 0; whole < 2; whole++) {
		out = encoded(&call, whole);
		cr_assert_eq(out.len, sizeof wanted - 1);
		cr_assert_arr_eq(out.data, wanted, sizeof wanted - 1);
		sr_buf_release(&out);
	}
	sr_call_release(&call);
}

Test(call, a_script_is_its_hash_or_its_text)
{
	const struct sr_script *s = sr_script_get(SR_SCRIPT_RECOVER);
	char *wanted = malloc(strlen(s->text) + 512);
	static const char tail[] = "$1\r\n2\r\n$12\r\nsse:stream:a\r\n$16\r\nsse:completion:a\r\n$3\r\nann\r\n$1\r\n1\r\n";
	struct sr_call call;
	struct sr_buf out;

	script_of_recover(&call);
	out = encoded(&call, false);
	sprintf(wanted, "*7\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n%s", s->sha1, tail);
	cr_assert_str_eq(sr_buf_text(&out), wanted);
	sr_buf_reset(&out);
	cr_assert_eq(sr_call_encode(&call, true, &out), SR_OK);
	sprintf(wanted, "*7\r\n$4\r\nEVAL\r\n$%zu\r\n%s\r\n%s", strlen(s->text), s->text, tail);
	cr_assert_str_eq(sr_buf_text(&out), wanted);
	sr_buf_release(&out);
	sr_call_release(&call);
	free(wanted);
}

Test(call, is_appended_to_what_is_there)
{
	struct sr_call call;
	struct sr_buf out;

	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "PING");
	sr_buf_init(&out, 100);
	cr_assert_eq(sr_call_encode(&call, false, &out), SR_OK);
	cr_assert_eq(sr_call_encode(&call, false, &out), SR_OK);
	cr_assert_str_eq(sr_buf_text(&out), "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
	sr_buf_release(&out);
	sr_call_release(&call);
}

Test(call, what_does_not_fit_leaves_the_buffer_as_it_was)
{
	struct sr_call call;
	struct sr_buf out;

	script_of_recover(&call);
	for (int whole = 0; whole < 2; whole++) {
		struct sr_buf all = encoded(&call, whole);

		for (size_t max = 4; max < 4 + all.len; max += max < 200 ? 1 : 37) {
			sr_buf_init(&out, max);
			cr_assert_eq(sr_buf_puts(&out, "here"), SR_OK);
			cr_assert_eq(sr_call_encode(&call, whole, &out), SR_ETOOBIG);
			cr_assert_str_eq(sr_buf_text(&out), "here");
			sr_buf_release(&out);
		}
		sr_buf_release(&all);
	}
	sr_call_release(&call);
}

/* --- counts and order ---------------------------------------------------------------------------------------- */

Test(call, counts_are_the_scripts)
{
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_NONE);
	cr_assert_eq(sr_call_check(&call), SR_EINVAL, "a command without a word");
	sr_call_release(&call);

	for (int keys = 0; keys < 4; keys++) {
		for (int args = 0; args < 4; args++) {
			sr_call_init(&call, SR_SCRIPT_RECOVER);
			for (int i = 0; i < keys; i++)
				sr_call_key(&call, "sse:", SR_KEY_ACTIVE, NULL);
			for (int i = 0; i < args; i++)
				sr_call_text(&call, "x");
			cr_assert_eq(sr_call_check(&call), keys == 2 && args == 2 ? SR_OK : SR_EINVAL, "%d keys, %d args", keys, args);
			sr_call_release(&call);
		}
	}
}

Test(call, open_ended_counts_are_the_least)
{
	const struct sr_script *s = sr_script_get(SR_SCRIPT_BEAT);
	struct sr_call call;

	cr_assert(s->more_keys && s->more_args);
	for (int keys = s->keys - 1; keys < s->keys + 3; keys++) {
		for (int args = s->args - 1; args < s->args + 3; args++) {
			sr_call_init(&call, SR_SCRIPT_BEAT);
			for (int i = 0; i < keys; i++)
				sr_call_foreign_key(&call, "k");
			for (int i = 0; i < args; i++)
				sr_call_int(&call, i);
			cr_assert_eq(sr_call_check(&call), keys >= s->keys && args >= s->args ? SR_OK : SR_EINVAL, "%d keys, %d args", keys, args);
			sr_call_release(&call);
		}
	}
}

Test(call, keys_come_first)
{
	struct sr_call call;

	sr_call_init(&call, SR_SCRIPT_RECOVER);
	sr_call_text(&call, "x");
	sr_call_key(&call, "sse:", SR_KEY_ACTIVE, NULL);
	sr_call_key(&call, "sse:", SR_KEY_ACTIVE, NULL);
	sr_call_text(&call, "x");
	cr_assert_eq(sr_call_check(&call), SR_EINVAL);
	sr_call_release(&call);
	sr_call_init(&call, SR_SCRIPT_RECOVER);
	sr_call_text(&call, "x");
	sr_call_foreign_key(&call, "k");
	sr_call_foreign_key(&call, "k");
	sr_call_text(&call, "x");
	cr_assert_eq(sr_call_check(&call), SR_EINVAL);
	sr_call_release(&call);
}

/* --- failures ------------------------------------------------------------------------------------------------ */

Test(call, the_first_failure_is_kept)
{
	char *big = malloc(SR_CALL_BYTES_MAX);
	struct sr_call call;
	size_t len;

	memset(big, 'x', SR_CALL_BYTES_MAX);
	script_of_recover(&call);
	len = call.tail.len;
	sr_call_arg(&call, big, SR_CALL_BYTES_MAX);
	cr_assert_eq(sr_call_check(&call), SR_ETOOBIG);
	cr_assert_eq(call.tail.len, len, "half an argument would shift all that follow");
	sr_call_text(&call, "small");
	sr_call_key(&call, "sse:", SR_KEY_ACTIVE, NULL);
	sr_call_name(&call, "sse:", SR_KEY_ACTIVE, NULL);
	cr_assert_eq(sr_call_check(&call), SR_ETOOBIG);
	cr_assert_eq(call.tail.len, len);
	sr_call_release(&call);
	free(big);
}

Test(call, a_key_that_does_not_fit)
{
	char *big = malloc(2000);
	struct sr_call call;

	memset(big, 'x', 1999);
	big[1999] = 0;
	sr_call_init(&call, SR_SCRIPT_RECOVER);
	sr_call_key(&call, big, SR_KEY_STREAM, "a");
	cr_assert_eq(call.err, SR_ETOOBIG);
	sr_call_release(&call);
	free(big);
}

Test(call, memory_runs_out_anywhere)
{
	struct sr_call call;
	struct sr_buf out;
	enum sr_err err;
	unsigned n = 0;

	sr_buf_init(&out, 1 << 20);
	do { /* the n-th allocation fails, until none is left to fail */
		sr_mem_fail_after(++n);
		script_of_recover(&call);
		err = sr_call_check(&call);
		if (err == SR_OK)
			err = sr_call_encode(&call, true, &out);
		cr_assert(err == SR_OK || err == SR_ENOMEM);
		cr_assert_eq(out.len != 0, err == SR_OK);
		sr_call_release(&call);
	} while (err != SR_OK);
	sr_mem_fail_after(0);
	cr_assert_gt(n, 3);
	sr_buf_release(&out);
}
