/* test_frame.c - frames and records: whatever the write boundaries, the peer sees the content, in valid records. */
#include "fcgi/frame.h"
#include "fcgi/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The peer's side: take STDOUT records apart. Returns the content's length. */
static size_t unwrap(const uint8_t *wire, size_t len, uint16_t id, char *out)
{
	size_t total = 0;

	while (len) {
		size_t content = (size_t)(wire[4] << 8 | wire[5]);

		cr_assert_geq(len, SR_RECORD_HEADER + content, "a cut record");
		cr_assert_eq(wire[6], 0, "no padding");
		cr_assert_eq(wire[0], 1);
		cr_assert_eq(wire[1], 6);
		cr_assert_eq(wire[2] << 8 | wire[3], id);
		cr_assert_gt(content, 0, "an empty STDOUT ends the stream");
		memcpy(out + total, wire + SR_RECORD_HEADER, content);
		total += content;
		wire += SR_RECORD_HEADER + content;
		len -= SR_RECORD_HEADER + content;
	}
	return total;
}

/* Write the frame as a socket would that takes at most `step` bytes a time. */
static size_t transmit(const struct sr_frame *f, uint16_t id, size_t step, uint8_t *wire)
{
	struct iovec pieces[SR_FRAME_PIECES];
	uint8_t headers[2][8];
	size_t done = 0;
	int count;

	while ((count = sr_frame_pieces(f, id, done, pieces, headers)) > 0) {
		size_t room = step;

		cr_assert_leq(count, SR_FRAME_PIECES);
		for (int i = 0; i < count && room; i++) {
			size_t n = pieces[i].iov_len < room ? pieces[i].iov_len : room;

			memcpy(wire + done, pieces[i].iov_base, n);
			done += n;
			room -= n;
		}
	}
	cr_assert_eq(done, sr_frame_wire(f));
	return done;
}

static void round_trip(size_t len, size_t step)
{
	char *content = malloc(len), *back = malloc(len + 1);
	uint8_t *wire = malloc(len + 1024);
	struct sr_frame *f;
	size_t wire_len;

	for (size_t i = 0; i < len; i++)
		content[i] = (char)(i * 31 + i / 251);
	f = sr_frame_new(content, len);
	cr_assert_not_null(f);
	wire_len = transmit(f, 513, step, wire);
	cr_assert_eq(unwrap(wire, wire_len, 513, back), len);
	cr_assert_eq(memcmp(content, back, len), 0);
	sr_frame_unref(f);
	free(content);
	free(back);
	free(wire);
}

Test(frame, survives_every_write_boundary, .timeout = 30)
{
	const size_t steps[] = {1, 7, 8, 9, 4096, 65543, 1u << 20};
	const size_t lens[] = {1, 2, 100, SR_RECORD_CONTENT_MAX - 1, SR_RECORD_CONTENT_MAX, SR_RECORD_CONTENT_MAX + 1, 3 * SR_RECORD_CONTENT_MAX + 5};

	for (size_t l = 0; l < sizeof lens / sizeof *lens; l++)
		for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
			round_trip(lens[l], steps[s]);
}

Test(frame, is_freed_with_its_last_reference, .timeout = 30)
{
	struct sr_frame *f = sr_frame_new("x", 1);

	cr_assert_eq(sr_frame_ref(f), f);
	sr_frame_unref(f);
	cr_assert_eq(f->bytes[0], 'x', "still there");
	sr_frame_unref(f); /* LeakSanitizer and Valgrind see whether it is gone */
	sr_frame_unref(NULL);
}

Test(record, the_end_is_an_empty_stdout_and_end_request, .timeout = 30)
{
	const uint8_t expected[SR_RECORD_END] = {1, 6, 1, 2, 0, 0, 0, 0, 1, 3, 1, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
	uint8_t end[SR_RECORD_END];

	sr_record_end(end, 0x102);
	cr_assert_eq(memcmp(end, expected, sizeof end), 0);
}
