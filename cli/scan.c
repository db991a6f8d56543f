/* scan.c - see scan.h. SCAN may name a key twice. */
#include "cli/scan.h"

#include "common/mem.h"
#include <stdlib.h>
#include <string.h>

#define SCAN_COUNT 1000
#define NAMES_MAX ((size_t)1 << 30)

/* Everything that begins with {prefix}stream: ; the prefix may hold what SCAN takes for a pattern. */
static enum sr_err append_pattern(struct sr_buf *out, const char *stem)
{
	enum sr_err err = SR_OK;

	for (; err == SR_OK && *stem; stem++) {
		if (strchr("*?[]\\^-", *stem))
			err = sr_buf_puts(out, "\\");
		if (err == SR_OK)
			err = sr_buf_append(out, stem, 1);
	}
	return err == SR_OK ? sr_buf_puts(out, "*") : err;
}

static int out_of_memory(const struct sr_ctl *ctl)
{
	return sr_ctl_fail(ctl, SR_EX_LATER, NULL, "%s", sr_strerror(SR_ENOMEM));
}

static int take_keys(const struct sr_ctl *ctl, struct sr_ids *out, const struct sr_reply *keys, size_t stem_len)
{
	for (size_t i = 0; i < sr_reply_count(keys); i++) {
		size_t len;
		const char *key = sr_reply_text_at(keys, i, &len);

		if (len <= stem_len || !sr_stream_id_valid(key + stem_len, len - stem_len))
			continue;
		if (sr_buf_append(&out->names, key + stem_len, len - stem_len + 1) != SR_OK) /* a reply ends with NUL */
			return out_of_memory(ctl);
		out->count++;
	}
	return 0;
}

static int scan(struct sr_ctl *ctl, struct sr_ids *out, const char *pattern, size_t stem_len)
{
	char cursor[24] = "0";
	struct sr_call call;
	struct sr_reply *reply;
	int code;

	do {
		sr_call_init(&call, SR_SCRIPT_NONE);
		sr_call_text(&call, "SCAN");
		sr_call_text(&call, cursor);
		sr_call_text(&call, "MATCH");
		sr_call_text(&call, pattern);
		sr_call_text(&call, "COUNT");
		sr_call_int(&call, SCAN_COUNT);
		code = sr_ctl_call(ctl, NULL, &call, &reply);
		if (!code)
			code = take_keys(ctl, out, sr_reply_at(reply, 1), stem_len);
		snprintf(cursor, sizeof cursor, "%s", sr_reply_text_at(reply, 0, NULL));
		sr_reply_free(reply);
	} while (!code && strcmp(cursor, "0") != 0);
	return code;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_ids(const struct sr_ctl *ctl, struct sr_ids *out)
{
	size_t kept = 0;

	out->ids = sr_malloc((out->count + 1) * sizeof *out->ids);
	if (!out->ids)
		return out_of_memory(ctl);
	for (size_t i = 0, at = 0; i < out->count; i++, at += strlen(out->names.data + at) + 1)
		out->ids[i] = out->names.data + at;
	qsort(out->ids, out->count, sizeof *out->ids, by_text);
	for (size_t i = 0; i < out->count; i++)
		if (kept == 0 || strcmp(out->ids[kept - 1], out->ids[i]) != 0)
			out->ids[kept++] = out->ids[i];
	out->count = kept;
	return 0;
}

int sr_scan(struct sr_ctl *ctl, enum sr_key key, struct sr_ids *out)
{
	struct sr_buf stem, pattern;
	int code;

	*out = (struct sr_ids){0};
	sr_buf_init(&out->names, NAMES_MAX);
	sr_buf_init(&stem, 1024);
	sr_buf_init(&pattern, 2048);
	if (sr_key_append_stem(&stem, ctl->reg.prefix, key) != SR_OK || append_pattern(&pattern, sr_buf_text(&stem)) != SR_OK)
		code = out_of_memory(ctl);
	else
		code = scan(ctl, out, sr_buf_text(&pattern), stem.len);
	sr_buf_release(&stem);
	sr_buf_release(&pattern);
	return code ? code : sort_ids(ctl, out);
}

void sr_ids_release(struct sr_ids *ids)
{
	free(ids->ids);
	sr_buf_release(&ids->names);
	*ids = (struct sr_ids){0};
}
