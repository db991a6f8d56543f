/* reply.c - see reply.h. */
#include "common/reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

static const redisReply *inside(const struct sr_reply *r)
{
	return (const redisReply *)(const void *)r;
}

bool sr_reply_is_error(const struct sr_reply *r)
{
	return r && inside(r)->type == REDIS_REPLY_ERROR;
}

bool sr_reply_is_array(const struct sr_reply *r)
{
	return r && inside(r)->type == REDIS_REPLY_ARRAY;
}

long long sr_reply_int(const struct sr_reply *r, long long other)
{
	char *end;
	long long value;

	if (!r)
		return other;
	if (inside(r)->type == REDIS_REPLY_INTEGER)
		return inside(r)->integer;
	if (inside(r)->type != REDIS_REPLY_STRING || inside(r)->len == 0)
		return other;
	value = strtoll(inside(r)->str, &end, 10);
	return *end ? other : value;
}

const char *sr_reply_text(const struct sr_reply *r, size_t *len)
{
	bool text = r && (inside(r)->type == REDIS_REPLY_STRING || inside(r)->type == REDIS_REPLY_STATUS ||
	                  inside(r)->type == REDIS_REPLY_ERROR);

	if (len)
		*len = text ? (size_t)inside(r)->len : 0;
	return text ? inside(r)->str : "";
}

size_t sr_reply_count(const struct sr_reply *r)
{
	return sr_reply_is_array(r) ? inside(r)->elements : 0;
}

const struct sr_reply *sr_reply_at(const struct sr_reply *r, size_t i)
{
	if (i >= sr_reply_count(r))
		return NULL;
	return (const struct sr_reply *)(const void *)inside(r)->element[i];
}

long long sr_reply_int_at(const struct sr_reply *r, size_t i, long long other)
{
	return sr_reply_int(sr_reply_at(r, i), other);
}

const char *sr_reply_text_at(const struct sr_reply *r, size_t i, size_t *len)
{
	return sr_reply_text(sr_reply_at(r, i), len);
}

static bool begins(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

enum sr_err sr_reply_error(const struct sr_reply *r)
{
	static const char *const denied[] = {"NOAUTH", "WRONGPASS", "NOPERM", "ERR invalid password", "ERR AUTH", NULL};
	/* A script passes the error of a command it called on; Redis 7 keeps the code in front. */
	static const char *const refused[] = {"OOM", "MISCONF", "READONLY", "LOADING", "BUSY", "NOREPLICAS", "MASTERDOWN",
	                                      "CLUSTERDOWN", "TRYAGAIN", NULL};
	const char *text;

	if (!sr_reply_is_error(r))
		return SR_OK;
	text = sr_reply_text(r, NULL);
	for (int i = 0; denied[i]; i++)
		if (begins(text, denied[i]))
			return SR_EDENIED;
	for (int i = 0; refused[i]; i++)
		if (begins(text, refused[i]))
			return SR_EREFUSED;
	return SR_EREPLY;
}

bool sr_reply_is_noscript(const struct sr_reply *r)
{
	return sr_reply_is_error(r) && begins(sr_reply_text(r, NULL), "NOSCRIPT");
}

void sr_reply_free(struct sr_reply *r)
{
	freeReplyObject(r);
}
