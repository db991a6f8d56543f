#include "cli/monitor.h"

#include <stdlib.h>
#include <string.h>

int sr_watched_ask(struct sr_ctl *ctl, struct sr_watched *w)
{
	struct sr_call call;
	int code;

	sr_monitor_call(&call, &ctl->reg);
	code = sr_ctl_call(ctl, NULL, &call, &w->reply);
	if (code || sr_monitor_read(w->reply, &w->m) == SR_OK)
		return code;
	sr_reply_free(w->reply);
	w->reply = NULL;
	return sr_ctl_odd_reply(ctl, NULL);
}

static bool is_number(const char *name, const char *value)
{
	size_t len = strlen(value);

	return len > 0 && len < 16 && strspn(value, "0123456789") == len && (len == 1 || value[0] != '0') && strcmp(name, "node") != 0 &&
	       strcmp(name, "host") != 0 && strcmp(name, "version") != 0 && strcmp(name, "guardian") != 0;
}

void sr_json_fields(struct sr_json *j, const char *name, const struct sr_reply *fields, long long age_ms)
{
	sr_json_open(j, name, '{');
	for (size_t i = 0; i + 1 < sr_reply_count(fields); i += 2) {
		const char *key = sr_reply_text_at(fields, i, NULL), *value = sr_reply_text_at(fields, i + 1, NULL);

		if (is_number(key, value))
			sr_json_int(j, key, strtoll(value, NULL, 10));
		else
			sr_json_text(j, key, value);
	}
	if (age_ms >= 0)
		sr_json_int(j, "seenAgeMs", age_ms);
	sr_json_close(j, '}');
}
