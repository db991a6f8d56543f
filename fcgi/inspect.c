/* inspect.c - see inspect.h. */
#include "fcgi/inspect.h"

#include "fcgi/record.h"
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

enum stage { AT_BEGIN, IN_PARAMS, AT_STDIN };

struct request {
	enum stage stage;
	uint16_t id;
	struct pairs pairs;
};

static const char *check_header(const struct sr_record *record, const struct request *r)
{
	static const enum sr_record_kind expected[] = {[AT_BEGIN] = SR_RECORD_BEGIN, [IN_PARAMS] = SR_RECORD_PARAMS, [AT_STDIN] = SR_RECORD_STDIN};
	static const char *const wrong[] = {[AT_BEGIN] = "the first record is not BEGIN_REQUEST",
	                                    [IN_PARAMS] = "a record other than PARAMS before their end",
	                                    [AT_STDIN] = "a record other than STDIN behind PARAMS"};

	if (record->kind != expected[r->stage])
		return wrong[r->stage];
	if (record->request_id == 0 || (r->stage != AT_BEGIN && record->request_id != r->id))
		return "a record of another request";
	if (r->stage == AT_BEGIN && record->len != sizeof(FCGI_BeginRequestBody))
		return "BEGIN_REQUEST of a wrong length";
	return NULL;
}

/* One whole record. */
static const char *take(struct request *r, const uint8_t *content, const struct sr_record *record, bool *done)
{
	if (r->stage == AT_BEGIN) {
		r->id = record->request_id;
		r->stage = IN_PARAMS;
		return (content[0] << 8 | content[1]) == FCGI_RESPONDER ? NULL : "a role other than responder";
	}
	if (record->len > 0)
		return NULL;
	if (r->stage == IN_PARAMS && !between_pairs(&r->pairs))
		return "PARAMS end inside a pair";
	*done = r->stage == AT_STDIN;
	r->stage = AT_STDIN;
	return NULL;
}

enum sr_inspect sr_inspect(const uint8_t *bytes, size_t len, uint16_t *request_id, size_t *head, const char **why)
{
	struct request r = {.stage = AT_BEGIN};
	const uint8_t *start = bytes;
	struct sr_record record;
	bool done = false;

	*request_id = 0;
	if (len > 0 && bytes[0] != FCGI_VERSION_1)
		return bad(why, "not FastCGI 1.0");
	while (len >= SR_RECORD_HEADER && !done) {
		const uint8_t *content = bytes + SR_RECORD_HEADER;
		bool version = sr_record_read(&record, bytes);
		size_t whole = SR_RECORD_HEADER + (size_t)record.len + record.padding;
		size_t here = len - SR_RECORD_HEADER < record.len ? len - SR_RECORD_HEADER : record.len;
		const char *wrong = version ? check_header(&record, &r) : "not FastCGI 1.0";

		if (wrong)
			return bad(why, wrong);
		if (r.stage == AT_STDIN && record.len > 0) {
			*head = (size_t)(bytes - start);
			return SR_INSPECT_BODY;
		}
		/* Before the record is whole: a limit is passed as soon as it is. */
		if (r.stage == IN_PARAMS && !feed(&r.pairs, content, here)) {
			*why = "the request's parameters pass 64 KiB or 512 pairs";
			return SR_INSPECT_BIG;
		}
		if (len < whole)
			return SR_INSPECT_MORE;
		wrong = take(&r, content, &record, &done);
		*request_id = r.id;
		if (wrong)
			return bad(why, wrong);
		bytes += whole;
		len -= whole;
	}
	return done ? SR_INSPECT_WHOLE : SR_INSPECT_MORE;
}
