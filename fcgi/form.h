/* form.h - application/x-www-form-urlencoded, a body's or a query's. Pure; decodes in place, and allocates nothing.
 * Rules: WHATWG URL, 5.1, but strict: a '%' that two hexadecimal digits do not follow is an error instead of itself. */
#ifndef SR_FORM_H
#define SR_FORM_H
#include <stdbool.h>
#include <stddef.h>

struct sr_form {
	char *start, *at, *end;
	/* The field read last, decoded; not NUL-terminated, any byte may be in it. */
	const char *name, *value;
	size_t name_len, value_len;
	size_t offset; /* SR_FORM_BAD: of the '%', in the form as it was given */
};

enum sr_form_what { SR_FORM_FIELD, SR_FORM_END, SR_FORM_BAD };

/* bytes: kept, and changed by the calls below. */
void sr_form_init(struct sr_form *f, char *bytes, size_t len);
/* The next field. Empty ones ("&&") are skipped; one without '=' has an empty value. After SR_FORM_BAD no further call. */
enum sr_form_what sr_form_next(struct sr_form *f);
/* Is the field's name this one? */
bool sr_form_is(const struct sr_form *f, const char *name);

#endif
