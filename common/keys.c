/* keys.c - see keys.h. */
#include "common/keys.h"

#include <string.h>

static const struct { const char *stem; int takes_id; } table[] = {
	[SR_KEY_STREAM] = {"stream:", 1},       [SR_KEY_COMPLETION] = {"completion:", 1},
	[SR_KEY_EVENTS] = {"events:", 1},       [SR_KEY_VIEWERS] = {"viewers:", 1},
	[SR_KEY_CHANNEL] = {"channel:", 1},     [SR_KEY_NODE] = {"node:", 1},
	[SR_KEY_ACTIVE] = {"active", 0},        [SR_KEY_ORPHANED] = {"orphaned", 0},
	[SR_KEY_GUARDIAN] = {"guardian", 0},    [SR_KEY_NODES] = {"nodes", 0},
	[SR_KEY_TOTALS] = {"totals", 0},        [SR_KEY_CHECK] = {"check", 0},
};

enum sr_err sr_key_append_stem(struct sr_buf *out, const char *prefix, enum sr_key key)
{
	size_t before = out->len;
	enum sr_err err = sr_buf_puts(out, prefix);

	if (err == SR_OK)
		err = sr_buf_puts(out, table[key].stem);
	if (err != SR_OK)
		sr_buf_truncate(out, before);
	return err;
}

enum sr_err sr_key_append(struct sr_buf *out, const char *prefix, enum sr_key key, const char *id)
{
	size_t before = out->len;
	enum sr_err err = sr_key_append_stem(out, prefix, key);

	if (err == SR_OK && table[key].takes_id)
		err = sr_buf_puts(out, id);
	if (err != SR_OK)
		sr_buf_truncate(out, before);
	return err;
}
