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
	static const char *const names[] = {[SR_GET] = "GET", [SR_HEAD] = "HEAD", [SR_OPTIONS] = "OPTIONS",
	                                    [SR_POST] = "POST", [SR_PUT] = "PUT", [SR_DELETE] = "DELETE"};

	for (int i = 0; i < SR_OTHER_METHOD; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum sr_method)i;
	return SR_OTHER_METHOD;
}

/* Put `text` behind the others and say where it lies. */
static char *place(char **at, const char *text)
{
	char *start = *at;
	size_t len = strlen(text);

	memcpy(start, text, len + 1);
	*at = start + len + 1;
	return start;
}

/* The strings of a request in the order in which they lie behind it. */
enum { SCRIPT, INFO, QUERY, LAST, USER, ORIGIN, ADDR, TYPE, LENGTH, KEY, AUTHORIZATION, TEXTS };

struct sr_request *sr_request_new(const struct sr_request_values *v)
{
	enum sr_method method = method_of(or_empty(v->method));
	bool writes = method == SR_POST || method == SR_PUT || method == SR_DELETE;
	const char *text[TEXTS] = {[SCRIPT] = v->script_name, [INFO] = v->path_info, [QUERY] = v->query, [LAST] = v->last_event_id,
	                           [USER] = v->user, [ORIGIN] = v->origin, [ADDR] = v->remote_addr};
	char *placed[TEXTS], *at;
	struct sr_request *r;
	size_t bytes = 0;

	if (writes) {
		text[TYPE] = v->content_type;
		text[LENGTH] = v->content_length;
		text[KEY] = v->idempotency_key;
		text[AUTHORIZATION] = v->authorization;
	}
	for (int i = 0; i < TEXTS; i++) {
		text[i] = or_empty(text[i]);
		bytes += strlen(text[i]) + 1;
	}
	r = sr_malloc(sizeof *r + bytes);
	if (!r)
		return NULL;
	at = (char *)(r + 1);
	for (int i = 0; i < TEXTS; i++) {
		at -= i == INFO; /* PATH_INFO goes on where SCRIPT_NAME ends */
		placed[i] = place(&at, text[i]);
	}
	*r = (struct sr_request){.fd = -1, .method = method, .path = placed[SCRIPT], .query = placed[QUERY], .last_event_id = placed[LAST],
	                         .user = placed[USER], .origin = placed[ORIGIN], .remote_addr = placed[ADDR], .content_type = placed[TYPE],
	                         .behind_apache = strncmp(or_empty(v->server_software), "Apache", 6) == 0,
	                         .content_length = placed[LENGTH], .idempotency_key = placed[KEY], .authorization = placed[AUTHORIZATION]};
	return r;
}

void sr_request_forget(struct sr_request *r)
{
	explicit_bzero(r->authorization, strlen(r->authorization));
}

void sr_request_free(struct sr_request *r)
{
	if (!r)
		return;
	sr_request_forget(r);
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
