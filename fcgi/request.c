/* request.c - see request.h. */
#include "fcgi/request.h"

#include "common/mem.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static enum sr_method method_of(const char *name)
{
	if (strcmp(name, "GET") == 0)
		return SR_GET;
	if (strcmp(name, "HEAD") == 0)
		return SR_HEAD;
	return strcmp(name, "OPTIONS") == 0 ? SR_OPTIONS : SR_OTHER_METHOD;
}

/* Put `text` behind the others and say where it lies. */
static const char *place(char **at, const char *text)
{
	char *start = *at;
	size_t len = strlen(text);

	memcpy(start, text, len + 1);
	*at = start + len + 1;
	return start;
}

struct sr_request *sr_request_new(const struct sr_request_values *v)
{
	const char *script = or_empty(v->script_name), *info = or_empty(v->path_info), *query = or_empty(v->query);
	const char *last = or_empty(v->last_event_id), *user = or_empty(v->user), *origin = or_empty(v->origin), *addr = or_empty(v->remote_addr);
	size_t bytes = strlen(script) + strlen(info) + strlen(query) + strlen(last) + strlen(user) + strlen(origin) + strlen(addr) + 6;
	struct sr_request *r = sr_malloc(sizeof *r + bytes);
	char *at;

	if (!r)
		return NULL;
	at = (char *)(r + 1);
	*r = (struct sr_request){.fd = -1, .method = method_of(or_empty(v->method))};
	r->path = place(&at, script);
	at--; /* PATH_INFO goes on where SCRIPT_NAME ends */
	place(&at, info);
	r->query = place(&at, query);
	r->last_event_id = place(&at, last);
	r->user = place(&at, user);
	r->origin = place(&at, origin);
	r->remote_addr = place(&at, addr);
	return r;
}

void sr_request_free(struct sr_request *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

const char *sr_request_param(const struct sr_request *r, const char *name, size_t *len)
{
	size_t name_len = strlen(name);
	const char *at = r->query;

	while (*at) {
		size_t part = strcspn(at, "&");

		if (part > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
			*len = part - name_len - 1;
			return at + name_len + 1;
		}
		at += part;
		at += *at == '&';
	}
	return NULL;
}
