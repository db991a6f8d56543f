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

enum stage { AT_BEGIN, IN_PARAMS, IN_STDIN };

struct request {
	enum stage stage;
	uint16_t id;
	struct pairs pairs;
	size_t body;
};

static const char *check_header(const uint8_t *h, const struct request *r, uint16_t id)
{
	static const uint8_t expected[] = {[AT_BEGIN] = FCGI_BEGIN_REQUEST, [IN_PARAMS] = FCGI_PARAMS, [IN_STDIN] = FCGI_STDIN};
	static const char *const wrong[] = {[AT_BEGIN] = "the first record is not BEGIN_REQUEST",
	                                    [IN_PARAMS] = "a record other than PARAMS before their end",
	                                    [IN_STDIN] = "a record other than STDIN before its end"};

	if (h[0] != FCGI_VERSION_1)
		return "not FastCGI 1.0";
	if (h[1] != expected[r->stage])
		return wrong[r->stage];
	if (id == 0 || (r->stage != AT_BEGIN && id != r->id))
		return "a record of another request";
	if (r->stage == AT_BEGIN && (h[4] << 8 | h[5]) != sizeof(FCGI_BeginRequestBody))
		return "BEGIN_REQUEST of a wrong length";
	return NULL;
}

/* What is there of one record's content, before the record is whole: a limit is passed as soon as it is. */
static const char *check_limits(struct request *r, const uint8_t *content, size_t here, size_t announced)
{
	if (r->stage == IN_PARAMS && !feed(&r->pairs, content, here))
		return "the request's parameters pass 64 KiB or 512 pairs";
	if (r->stage == IN_STDIN && (r->body += announced) > SR_STDIN_BYTES_MAX)
		return "a body of more than 16 KiB on a request that takes none";
	return NULL;
}

/* One whole record. */
static const char *take(struct request *r, const uint8_t *content, size_t len, uint16_t id, bool *done)
{
	if (r->stage == AT_BEGIN) {
		r->id = id;
		r->stage = IN_PARAMS;
		return (content[0] << 8 | content[1]) == FCGI_RESPONDER ? NULL : "a role other than responder";
	}
	if (len > 0)
		return NULL;
	if (r->stage == IN_PARAMS && !between_pairs(&r->pairs))
		return "PARAMS end inside a pair";
	*done = r->stage == IN_STDIN;
	r->stage = IN_STDIN;
	return NULL;
}

enum sr_inspect sr_inspect(const uint8_t *bytes, size_t len, uint16_t *request_id, const char **why)
{
	struct request r = {.stage = AT_BEGIN};
	bool done = false;

	*request_id = 0;
	if (len > 0 && bytes[0] != FCGI_VERSION_1)
		return bad(why, "not FastCGI 1.0");
	while (len >= FCGI_HEADER_LEN && !done) {
		const uint8_t *content = bytes + FCGI_HEADER_LEN;
		size_t announced = (size_t)(bytes[4] << 8 | bytes[5]), whole = FCGI_HEADER_LEN + announced + bytes[6];
		size_t here = len - FCGI_HEADER_LEN < announced ? len - FCGI_HEADER_LEN : announced;
		uint16_t id = (uint16_t)(bytes[2] << 8 | bytes[3]);
		const char *wrong = check_header(bytes, &r, id);

		if (wrong)
			return bad(why, wrong);
		*why = check_limits(&r, content, here, announced);
		if (*why)
			return SR_INSPECT_BIG;
		if (len < whole)
			return SR_INSPECT_MORE;
		wrong = take(&r, content, announced, id, &done);
		*request_id = r.id;
		if (wrong)
			return bad(why, wrong);
		bytes += whole;
		len -= whole;
	}
	return done ? SR_INSPECT_WHOLE : SR_INSPECT_MORE;
}
