/* doctor_watch.c - see doctor_watch.h. Reads the form that sse-fcgi writes: lines end with LF, one data line an event. */
#include "cli/doctor_watch.h"

#include <stdio.h>
#include <string.h>

bool sr_watch_open(struct sr_watch *w, struct sr_web *web, const char *url, const char *const *fields)
{
	sr_watch_close(w);
	*w = (struct sr_watch){.exchange = sr_web_get(web, url, fields)};
	return w->exchange != NULL;
}

void sr_watch_close(struct sr_watch *w)
{
	sr_exchange_free(w->exchange);
	w->exchange = NULL;
}

/* Copy a field's value, its line given without the newline; what is too long for it is cut. */
static bool take_field(char *out, size_t size, const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (len < name_len || memcmp(line, name, name_len) != 0)
		return false;
	snprintf(out, size, "%.*s", (int)(len - name_len), line + name_len);
	return true;
}

static void take_type(char *out, size_t size, const char *data)
{
	static const char start[] = "{\"type\":\"";

	if (strncmp(data, start, sizeof start - 1) == 0)
		snprintf(out, size, "%.*s", (int)strcspn(data + sizeof start - 1, "\""), data + sizeof start - 1);
}

static void take_block(struct sr_watch *w, const char *block, size_t len)
{
	struct sr_watched e = {.at = w->exchange->arrived};
	char data[128] = "", name[32] = "", retry[16];
	bool has_data = false, comment = false;

	for (size_t line; len; block += line, len -= line) {
		const char *end = memchr(block, '\n', len);

		line = end ? (size_t)(end - block) : len;
		has_data |= take_field(data, sizeof data, block, line, "data: ");
		take_field(e.id, sizeof e.id, block, line, "id: ");
		take_field(name, sizeof name, block, line, "event: ");
		w->retry |= take_field(retry, sizeof retry, block, line, "retry: ");
		comment |= line > 0 && *block == ':';
		line += line < len;
	}
	if (w->blocks++ == 0 && strcmp(name, "sse-reset") == 0 && !has_data) {
		w->guarded = true;
		memcpy(w->from, e.id, sizeof w->from);
	} else if (!has_data) {
		w->comments += comment;
	} else if (w->count < SR_WATCH_EVENTS) {
		take_type(e.type, sizeof e.type, data);
		w->events[w->count++] = e;
	}
}

void sr_watch_read(struct sr_watch *w)
{
	struct sr_buf *body = w->exchange ? &w->exchange->body : NULL;
	char *end;

	while (body && body->len && (end = memmem(body->data, body->len, "\n\n", 2)) != NULL) {
		size_t len = (size_t)(end - body->data) + 2;

		take_block(w, body->data, len - 1);
		sr_buf_consume(body, len);
	}
	if (body && body->len && memmem(body->data, body->len, "\nretry: ", 8))
		w->retry = true;
}

const struct sr_watched *sr_watch_find(const struct sr_watch *w, size_t first, const char *type)
{
	for (size_t i = first; i < w->count; i++)
		if (strcmp(w->events[i].type, type) == 0)
			return &w->events[i];
	return NULL;
}

const struct sr_watched *sr_watch_find_id(const struct sr_watch *w, const char *id)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->events[i].id, id) == 0 && strcmp(w->events[i].type, "connected") != 0)
			return &w->events[i];
	return NULL;
}
