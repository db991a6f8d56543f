/* publish_form.c - content types, and the fields of a form: type, data or text, and id or producer and n. */
#include "common/json.h"
#include "common/utf8.h"
#include "fcgi/form.h"
#include "fcgi/publish_parts.h"
#include <string.h>
#include <strings.h>

/* --- content types (RFC 9110, 8.3.1) -------------------------------------------------------------------------- */

static bool same(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(word, name, len) == 0;
}

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t");
}

/* Of the parameters only charset matters. */
static bool is_utf8(const char *parameters)
{
	const char *at = parameters;

	while (*at == ';') {
		size_t len;

		at = skip_space(at + 1);
		if (strncasecmp(at, "charset=", 8) == 0) {
			at += 8;
			at += *at == '"';
			len = strcspn(at, "\"; \t");
			if (!same(at, len, "utf-8") && !same(at, len, "utf8"))
				return false;
		}
		at += strcspn(at, ";");
	}
	return true;
}

enum sr_format sr_publish_format(const char *content_type)
{
	static const struct { const char *name; enum sr_format format; } types[] = {
	    {"application/json", SR_FORMAT_OBJECT}, {"application/x-ndjson", SR_FORMAT_LINES}, {"application/ndjson", SR_FORMAT_LINES},
	    {"application/jsonl", SR_FORMAT_LINES}, {"application/x-www-form-urlencoded", SR_FORMAT_FORM}};
	const char *start = skip_space(content_type);
	size_t len = strcspn(start, "; \t");

	if (*start == 0)
		return SR_FORMAT_OBJECT;
	if (!is_utf8(skip_space(start + len)))
		return SR_FORMAT_NONE;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (same(start, len, types[i].name))
			return types[i].format;
	return SR_FORMAT_NONE;
}

/* --- fields --------------------------------------------------------------------------------------------------- */

enum field { TYPE, DATA, TEXT, ID, PRODUCER, N, FIELDS };
static const char *const names[FIELDS] = {"type", "data", "text", "id", "producer", "n"};

static bool refuse(struct sr_publishing *p, int status, enum field field, const char *what)
{
	char members[40];

	snprintf(members, sizeof members, "\"field\":\"%s\",", names[field]);
	sr_change_refuse(&p->change, status, members, "%s", what);
	return false;
}

static bool too_much(struct sr_publishing *p, enum field field, enum sr_err err)
{
	if (err == SR_ETOOBIG)
		return refuse(p, 413, field, "more data than event_bytes allows");
	sr_change_fail(&p->change, err);
	return false;
}

static bool set_type(struct sr_publishing *p, const struct sr_form *f)
{
	enum sr_err err = SR_EINVAL;

	if (sr_event_type_valid(f->value, f->value_len))
		err = sr_buf_append(&p->in.type, f->value, f->value_len);
	if (err == SR_EINVAL)
		return refuse(p, 422, TYPE, "a type is 1 to 64 of A-Z a-z 0-9 . _ : -");
	return err == SR_OK || too_much(p, TYPE, err);
}

static bool set_data(struct sr_publishing *p, const struct sr_form *f)
{
	char text[600];
	enum sr_err err = sr_json_normalise(&p->in.data, f->value, f->value_len, &p->in.why);

	if (err == SR_EINVAL) {
		snprintf(text, sizeof text, "data is no JSON (for plain text use the field text): %s", sr_buf_text(&p->in.why));
		return refuse(p, 422, DATA, text);
	}
	return err == SR_OK || too_much(p, DATA, err);
}

static bool all_utf8(const char *bytes, size_t len)
{
	for (size_t i = 0, step; i < len; i += step) {
		step = sr_utf8_length(bytes + i, len - i);
		if (step == 0)
			return false;
	}
	return true;
}

static bool set_text(struct sr_publishing *p, const struct sr_form *f)
{
	enum sr_err err;

	if (!all_utf8(f->value, f->value_len))
		return refuse(p, 422, TEXT, "text is not UTF-8");
	err = sr_buf_puts(&p->in.data, "{\"text\":");
	if (err == SR_OK)
		err = sr_json_quote(&p->in.data, f->value, f->value_len);
	if (err == SR_OK)
		err = sr_buf_puts(&p->in.data, "}");
	return err == SR_OK || too_much(p, TEXT, err);
}

static bool set(struct sr_publishing *p, enum field field, const struct sr_form *f)
{
	struct sr_change *c = &p->change;

	switch (field) {
	case TYPE: return set_type(p, f);
	case DATA: return set_data(p, f);
	case TEXT: return set_text(p, f);
	case ID: return sr_change_set_key(c, f->value, f->value_len) || refuse(p, 422, ID, "an id is 1 to 128 bytes of visible ASCII");
	case PRODUCER: return sr_change_set_producer(c, f->value, f->value_len) || refuse(p, 422, PRODUCER, "a producer is 1 to 32 of a-z 0-9");
	default: return sr_change_set_n(c, f->value, f->value_len) || refuse(p, 422, N, "n is a number from 1 to 9007199254740991");
	}
}

/* One field; `seen` is a bit for each that was there. The head may have named the request, too (`named`). */
static bool take(struct sr_publishing *p, const struct sr_form *f, bool named, unsigned *seen)
{
	unsigned field = 0;

	while (field < FIELDS && !sr_form_is(f, names[field]))
		field++;
	if (field == FIELDS) {
		sr_change_refuse(&p->change, 422, "", "an unknown field; there are type, data, text, id, producer and n (a JSON body needs "
		                                      "Content-Type: application/json)");
		return false;
	}
	if (*seen & 1u << field)
		return refuse(p, 422, (enum field)field, "given twice");
	*seen |= 1u << field;
	if (field >= ID && named)
		return refuse(p, 422, (enum field)field, "the request's header or query names it already");
	if ((field == DATA || field == TEXT) && (*seen & 1u << DATA) && (*seen & 1u << TEXT))
		return refuse(p, 422, (enum field)field, "give data or text, but not both");
	if (field >= ID && (*seen & 1u << ID) && (*seen & (1u << PRODUCER | 1u << N)))
		return refuse(p, 422, (enum field)field, "give id, or producer and n, but not both");
	return set(p, (enum field)field, f);
}

bool sr_publish_form(struct sr_publishing *p)
{
	bool named = p->change.n != 0;
	enum sr_form_what what;
	unsigned seen = 0;
	struct sr_form f;
	char members[40];

	sr_form_init(&f, p->text.data, p->text.len);
	while ((what = sr_form_next(&f)) == SR_FORM_FIELD)
		if (!take(p, &f, named, &seen))
			return false;
	if (what == SR_FORM_BAD) {
		snprintf(members, sizeof members, "\"offset\":%zu,", f.offset);
		sr_change_refuse(&p->change, 422, members, "a %% at offset %zu that two hexadecimal digits do not follow", f.offset);
		return false;
	}
	if (!(seen & 1u << TYPE))
		return refuse(p, 422, TYPE, "no type");
	if (!(seen & 1u << PRODUCER) != !(seen & 1u << N))
		return refuse(p, 422, seen & 1u << N ? PRODUCER : N, "producer and n belong together");
	if (p->change.n)
		p->number = p->change.n - 1;
	if (!(seen & (1u << DATA | 1u << TEXT)) && sr_buf_puts(&p->in.data, "{}") != SR_OK)
		return too_much(p, DATA, SR_ENOMEM);
	return true;
}
