/* token.c - see token.h. */
#include "fcgi/token.h"

#include "common/conf.h"
#include "common/mem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_BYTES ((64u << 10) + 2) /* what sr_conf_secrets() may need */

struct token {
	uint32_t len;
	char bytes[SR_TOKEN_MAX]; /* zeros behind it */
};

struct sr_tokens {
	size_t count;
	struct token token[SR_TOKENS_MAX];
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static enum sr_err refuse(struct sr_buf *why, const char *path, int line, const char *what)
{
	sr_buf_explain(why, "%s:%d: %s", path, line, what);
	return SR_EINVAL;
}

/* One line without its newline. */
static enum sr_err add(struct sr_tokens *t, const char *line, size_t len, const char *path, int number, struct sr_buf *why)
{
	while (len && is_space(*line)) {
		line++;
		len--;
	}
	while (len && is_space(line[len - 1]))
		len--;
	if (len == 0 || *line == '#')
		return SR_OK;
	if (len < SR_TOKEN_MIN || len > SR_TOKEN_MAX)
		return refuse(why, path, number, "a token is 16 to 512 bytes long");
	for (size_t i = 0; i < len; i++)
		if (line[i] <= ' ' || line[i] > '~')
			return refuse(why, path, number, "a token is visible ASCII without spaces");
	if (t->count == SR_TOKENS_MAX)
		return refuse(why, path, number, "more than 64 tokens");
	memcpy(t->token[t->count].bytes, line, len);
	t->token[t->count++].len = (uint32_t)len;
	return SR_OK;
}

static enum sr_err read_lines(struct sr_tokens *t, const struct sr_buf *text, const char *path, struct sr_buf *why)
{
	const char *line = sr_buf_text(text), *end = line + text->len;
	enum sr_err err = SR_OK;
	int number = 0;

	while (err == SR_OK && line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t len = newline ? (size_t)(newline - line) : (size_t)(end - line);

		err = add(t, line, len, path, ++number, why);
		line += len + 1;
	}
	if (err == SR_OK && t->count == 0)
		return refuse(why, path, number ? number : 1, "no token in the whole file; an empty publish_token_file switches publishing off");
	return err;
}

enum sr_err sr_tokens_load(struct sr_tokens **out, const char *path, struct sr_buf *why)
{
	struct sr_tokens *t = sr_calloc(1, sizeof *t);
	struct sr_buf text;
	enum sr_err err;

	if (!t)
		return SR_ENOMEM;
	sr_buf_init(&text, FILE_BYTES);
	err = sr_conf_secrets(&text, path, why);
	if (err == SR_OK)
		err = read_lines(t, &text, path, why);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	sr_buf_release(&text);
	if (err == SR_OK)
		*out = t;
	else
		sr_tokens_free(t);
	return err;
}

void sr_tokens_free(struct sr_tokens *t)
{
	if (!t)
		return;
	explicit_bzero(t, sizeof *t);
	free(t);
}

/* 0 when equal: every byte of the room is looked at, whatever the lengths. */
static uint32_t difference(const struct token *a, const struct token *b)
{
	uint32_t diff = a->len ^ b->len;

	for (size_t i = 0; i < SR_TOKEN_MAX; i++)
		diff |= (uint32_t)(uint8_t)(a->bytes[i] ^ b->bytes[i]);
	return diff;
}

bool sr_tokens_allow(const struct sr_tokens *t, const char *authorization)
{
	struct token given = {.len = 0};
	size_t len;
	volatile uint32_t found = 0; /* a compiler that sees through it could leave the loop early */

	if (!t || strncasecmp(authorization, "Bearer ", 7) != 0)
		return false;
	authorization += 7 + strspn(authorization + 7, " ");
	len = strlen(authorization);
	if (len > SR_TOKEN_MAX)
		return false;
	memcpy(given.bytes, authorization, len);
	given.len = (uint32_t)len;
	for (size_t i = 0; i < t->count; i++)
		found |= difference(&t->token[i], &given) == 0;
	explicit_bzero(&given, sizeof given);
	return found;
}
