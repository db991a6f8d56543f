/* form.c - see form.h. */
#include "fcgi/form.h"

#include <string.h>

void sr_form_init(struct sr_form *f, char *bytes, size_t len)
{
	*f = (struct sr_form){.start = bytes, .at = bytes, .end = bytes + len, .name = "", .value = ""};
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode a part in place, which only shortens it. */
static bool decode(struct sr_form *f, char *part, size_t len, size_t *out_len)
{
	char *out = part;

	for (size_t i = 0; i < len; i++) {
		if (part[i] != '%') {
			*out++ = part[i] == '+' ? ' ' : part[i];
			continue;
		}
		if (len - i < 3 || digit(part[i + 1]) < 0 || digit(part[i + 2]) < 0) {
			f->offset = (size_t)(part + i - f->start);
			return false;
		}
		*out++ = (char)(digit(part[i + 1]) << 4 | digit(part[i + 2]));
		i += 2;
	}
	*out_len = (size_t)(out - part);
	return true;
}

enum sr_form_what sr_form_next(struct sr_form *f)
{
	char *part, *end, *equals;
	size_t name_len;

	while (f->at < f->end && *f->at == '&')
		f->at++;
	if (f->at >= f->end)
		return SR_FORM_END;
	part = f->at;
	end = memchr(part, '&', (size_t)(f->end - part));
	end = end ? end : f->end;
	f->at = end;
	equals = memchr(part, '=', (size_t)(end - part));
	name_len = (size_t)((equals ? equals : end) - part);
	f->name = part;
	f->value = equals ? equals + 1 : end;
	f->value_len = 0;
	if (!decode(f, part, name_len, &f->name_len))
		return SR_FORM_BAD;
	if (equals && !decode(f, equals + 1, (size_t)(end - equals - 1), &f->value_len))
		return SR_FORM_BAD;
	return SR_FORM_FIELD;
}

bool sr_form_is(const struct sr_form *f, const char *name)
{
	return f->name_len == strlen(name) && memcmp(f->name, name, f->name_len) == 0;
}
