/* inspect.c - see inspect.h. */
#include "fcgi/inspect.h"

#include <fastcgi.h>
#include <stdbool.h>

/* The pairs of PARAMS, byte by byte over all records: two lengths of 1 or 4 bytes, then name and value to skip. */
struct pairs {
	uint32_t lengths[2];
	unsigned which;    /* the length that is being read: 0 name, 1 value */
	unsigned missing;  /* bytes of a 4-byte length still to come */
	uint64_t skip;     /* bytes of name and value still to come */
	uint32_t count;
	uint64_t total;    /* bytes announced so far, lengths aside */
};

static void length_done(struct pairs *p)
{
	if (p->which++ == 0)
		return;
	p->which = 0;
	p->count++;
	p->skip = (uint64_t)p->lengths[0] + p->lengths[1];
	p->total += p->skip;
}

static void length_byte(struct pairs *p, uint8_t byte)
{
	uint32_t *length = &p->lengths[p->which];

	if (p->missing) {
		*length = *length << 8 | byte;
		if (--p->missing == 0)
			length_done(p);
	} else if (byte & 0x80) {
		*length = byte & 0x7f;
		p->missing = 3;
	} else {
		*length = byte;
		length_done(p);
	}
}

/* false: past a limit. */
static bool feed(struct pairs *p, const uint8_t *bytes, size_t len)
{
	while (len) {
		if (p->skip) {
			size_t n = p->skip < len ? (size_t)p->skip : len;

			p->skip -= n;
			bytes += n;
			len -= n;
			continue;
		}
		length_byte(p, *bytes++);
		len--;
		if (p->count > SR_PARAMS_MAX || p->total > SR_PARAMS_BYTES_MAX)
			return false;
	}
	return true;
}

static bool between_pairs(const struct pairs *p)
{
	return p->skip == 0 && p->which == 0 && p->missing == 0;
}

static enum sr_inspect bad(const char **why, const char *text)
{
	*why = text;
	return SR_INSPECT_BAD;
}

static const char *check_header(const uint8_t *h, uint16_t request_id, uint16_t id)
{
	if (h[0] != FCGI_VERSION_1)
		return "not FastCGI 1.0";
	if (request_id == 0 && h[1] != FCGI_BEGIN_REQUEST)
		return "the first record is not BEGIN_REQUEST";
	if (request_id != 0 && h[1] != FCGI_PARAMS)
		return "a record other than PARAMS before their end";
	if (id == 0 || (request_id != 0 && id != request_id))
		return "a record of another request";
	return NULL;
}

enum sr_inspect sr_inspect(const uint8_t *bytes, size_t len, uint16_t *request_id, const char **why)
{
	struct pairs pairs = {.which = 0};
	const char *wrong;

	*request_id = 0;
	if (len > 0 && bytes[0] != FCGI_VERSION_1)
		return bad(why, "not FastCGI 1.0");
	while (len >= FCGI_HEADER_LEN) {
		uint16_t id = (uint16_t)(bytes[2] << 8 | bytes[3]);
		size_t content = (size_t)(bytes[4] << 8 | bytes[5]), whole = FCGI_HEADER_LEN + content + bytes[6];
		bool begin = bytes[1] == FCGI_BEGIN_REQUEST;

		wrong = check_header(bytes, *request_id, id);
		if (wrong)
			return bad(why, wrong);
		if (begin && content != sizeof(FCGI_BeginRequestBody))
			return bad(why, "BEGIN_REQUEST of a wrong length");
		if (!begin) {
			size_t here = len - FCGI_HEADER_LEN < content ? len - FCGI_HEADER_LEN : content;

			if (!feed(&pairs, bytes + FCGI_HEADER_LEN, here)) {
				*why = "the request's parameters pass 64 KiB or 512 pairs";
				return SR_INSPECT_BIG;
			}
		}
		if (len < whole)
			return SR_INSPECT_MORE;
		if (begin && (bytes[FCGI_HEADER_LEN] << 8 | bytes[FCGI_HEADER_LEN + 1]) != FCGI_RESPONDER)
			return bad(why, "a role other than responder");
		if (!begin && content == 0)
			return between_pairs(&pairs) ? SR_INSPECT_WHOLE : bad(why, "PARAMS end inside a pair");
		*request_id = id;
		bytes += whole;
		len -= whole;
	}
	return SR_INSPECT_MORE;
}
