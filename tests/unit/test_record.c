/* test_record.c - headers of FastCGI records, both ways. */
#include "fcgi/record.h"

#include <criterion/criterion.h>
#include <string.h>

Test(record, reads_a_header, .timeout = 10)
{
	static const enum sr_record_kind kinds[] = {SR_RECORD_OTHER, SR_RECORD_BEGIN, SR_RECORD_ABORT, SR_RECORD_ENDED, SR_RECORD_PARAMS, SR_RECORD_STDIN,
	                                            SR_RECORD_STDOUT, SR_RECORD_OTHER, SR_RECORD_OTHER, SR_RECORD_OTHER, SR_RECORD_OTHER, SR_RECORD_OTHER};
	struct sr_record r;

	for (unsigned type = 0; type < 256; type++) {
		uint8_t h[8] = {1, (uint8_t)type, 0x12, 0x34, 0xfe, 0xdc, 255, 9};

		cr_assert(sr_record_read(&r, h));
		cr_assert_eq(r.kind, type < 12 ? kinds[type] : SR_RECORD_OTHER, "type %u", type);
		cr_assert_eq(r.request_id, 0x1234);
		cr_assert_eq(r.len, 0xfedc);
		cr_assert_eq(r.padding, 255);
	}
}

Test(record, only_version_1, .timeout = 10)
{
	struct sr_record r;

	for (unsigned version = 0; version < 256; version++) {
		uint8_t h[8] = {(uint8_t)version, 5, 0, 1, 0, 0, 0, 0};

		cr_assert_eq(sr_record_read(&r, h), version == 1);
	}
}

Test(record, what_is_written_can_be_read, .timeout = 10)
{
	uint8_t end[SR_RECORD_HEADER], out[SR_RECORD_HEADER], whole[SR_RECORD_END];
	struct sr_record r;

	sr_record_stdin(end, 0xabcd, 0);
	cr_assert(sr_record_read(&r, end));
	cr_assert(r.kind == SR_RECORD_STDIN && r.request_id == 0xabcd && r.len == 0 && r.padding == 0);
	sr_record_stdin(end, 1, 8192);
	cr_assert(sr_record_read(&r, end) && r.kind == SR_RECORD_STDIN && r.request_id == 1 && r.len == 8192);
	sr_record_stdout(out, 7, 0xffff);
	cr_assert(sr_record_read(&r, out));
	cr_assert(r.kind == SR_RECORD_STDOUT && r.request_id == 7 && r.len == 0xffff);
	cr_assert_eq(out[1], 6);
	sr_record_end(whole, 9);
	cr_assert(memcmp(whole, "\1\6\0\11\0\0\0\0\1\3\0\11\0\10\0\0\0\0\0\0\0\0\0\0", sizeof whole) == 0);
}
