/* frame.h - bytes for one or many clients, shared by reference: an event is framed once, whatever the number of its viewers.
 * Each client sees them as STDOUT records with its own request id; the records' headers are made while sending.
 * Single-threaded reference count. */
#ifndef SR_FRAME_H
#define SR_FRAME_H
#include "common/buf.h"
#include <stdint.h>
#include <sys/uio.h>

struct sr_frame {
	uint32_t refs;
	uint32_t len;
	char bytes[];
};

/* A copy with one reference; NULL when memory is out. len: 1 to 4 MiB. */
struct sr_frame *sr_frame_new(const char *bytes, size_t len);
struct sr_frame *sr_frame_ref(struct sr_frame *f);
void sr_frame_unref(struct sr_frame *f); /* NULL is fine */

/* Bytes on the wire: content and a header for each record of at most SR_RECORD_CONTENT_MAX bytes. */
size_t sr_frame_wire(const struct sr_frame *f);

#define SR_FRAME_PIECES 4 /* room that sr_frame_pieces() may need: two records */
/**
 * The wire bytes from `offset` on, as pieces for writev: at most two records' worth.
 * headers  room for two record headers, which the pieces point into
 * Returns  how many pieces were filled; their bytes follow each other on the wire. 0: offset is the end.
 */
int sr_frame_pieces(const struct sr_frame *f, uint16_t request_id, size_t offset, struct iovec pieces[SR_FRAME_PIECES], uint8_t headers[2][8]);

#endif
