/* change_head.c - what the head of a request says that changes a stream: CONTENT_LENGTH, the query, Idempotency-Key. */
#include "fcgi/change_parts.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/mem.h"
#include "common/producer.h"
#include "fcgi/answer.h"
#include "fcgi/form.h"
#include "fcgi/hub.h"
#include <stdlib.h>
#include <string.h>

static const struct sr_problem fine = {.status = 0};

#define PROBLEM(code, what, ...) ((struct sr_problem){.status = (code), .field = (what), .text = __VA_ARGS__})

/* Digits only; at most 2^63. */
static bool number(const char *digits, size_t len, uint64_t *out)
{
	*out = 0;
	if (len == 0 || len > 18)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return false;
		*out = *out * 10 + (uint64_t)(digits[i] - '0');
	}
	return true;
}

bool sr_change_set_producer(struct sr_change *c, const char *name, size_t len)
{
	if (!sr_producer_name_valid(name, len))
		return false;
	memcpy(c->producer, name, len);
	c->producer[len] = 0;
	return true;
}

bool sr_change_set_n(struct sr_change *c, const char *digits, size_t len)
{
	return number(digits, len, &c->n) && c->n >= 1 && c->n <= SR_PRODUCER_N_MAX;
}

bool sr_change_set_key(struct sr_change *c, const char *key, size_t len)
{
	if (len < 1 || len > SR_KEY_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (key[i] <= ' ' || key[i] > '~')
			return false;
	/* No name of a producer has a colon, so keys and names are never mistaken for each other. */
	memcpy(c->producer, "k:", 2);
	memcpy(c->producer + 2, key, len);
	c->producer[2 + len] = 0;
	c->n = 1;
	return true;
}

void sr_change_set_one_shot(struct sr_change *c)
{
	memcpy(c->producer, "r:", 2);
	sr_random_name(c->producer + 2, 16);
}

static struct sr_problem read_length(struct sr_change *c, const struct sr_request *request)
{
	const char *text = request->content_length;

	if (text[0] == 0 && request->has_body)
		return PROBLEM(411, NULL, "a body without Content-Length: let the web server buffer it (lighttpd: server.stream-request-body = 0, "
		                          "nginx: fastcgi_request_buffering on)");
	if (text[0] && !number(text, strlen(text), &c->body_len))
		return PROBLEM(400, NULL, "Content-Length is no number");
	if (c->body_len > (uint64_t)c->hub->conf->body_bytes)
		return PROBLEM(413, NULL, "the body is larger than body_bytes allows");
	if (c->body_len && !request->has_body)
		return PROBLEM(400, NULL, "the body broke off: nothing of it came");
	return fine;
}

static struct sr_problem set_user(struct sr_change *c, const struct sr_form *f)
{
	if (!sr_user_valid(f->value, f->value_len))
		return PROBLEM(400, "user", "a user is 1 to 255 bytes without control characters");
	memcpy(c->user, f->value, f->value_len);
	c->user[f->value_len] = 0;
	return fine;
}

static struct sr_problem set_lease(struct sr_change *c, const struct sr_form *f)
{
	uint64_t epoch;

	if (!number(f->value, f->value_len, &epoch) || epoch == 0)
		return PROBLEM(400, "lease", "a lease is a number from 1 up");
	snprintf(c->lease, sizeof c->lease, "%llu", (unsigned long long)epoch); /* the script compares text: 07 is 7 */
	return fine;
}

static struct sr_problem set_parameter(struct sr_change *c, const struct sr_form *f)
{
	if (sr_form_is(f, "user"))
		return c->user[0] ? PROBLEM(400, "user", "given twice") : set_user(c, f);
	if (sr_form_is(f, "lease"))
		return c->lease[0] ? PROBLEM(400, "lease", "given twice") : set_lease(c, f);
	if (sr_form_is(f, "producer")) {
		if (c->producer[0])
			return PROBLEM(400, "producer", "given twice");
		return sr_change_set_producer(c, f->value, f->value_len) ? fine : PROBLEM(400, "producer", "a producer is 1 to 32 of a-z 0-9");
	}
	if (sr_form_is(f, "n")) {
		if (c->n)
			return PROBLEM(400, "n", "given twice");
		return sr_change_set_n(c, f->value, f->value_len) ? fine : PROBLEM(400, "n", "n is a number from 1 to 9007199254740991");
	}
	return PROBLEM(400, NULL, "an unknown query parameter; there are user, producer, n and lease");
}

static struct sr_problem read_query(struct sr_change *c, const char *query)
{
	size_t len = strlen(query);
	char *copy = sr_strndup(query, len);
	struct sr_problem problem = {.status = 0};
	enum sr_form_what what = SR_FORM_END;
	struct sr_form f;

	if (!copy)
		return PROBLEM(503, NULL, "out of memory");
	sr_form_init(&f, copy, len);
	while (problem.status == 0 && (what = sr_form_next(&f)) == SR_FORM_FIELD)
		problem = set_parameter(c, &f);
	free(copy);
	return what == SR_FORM_BAD ? PROBLEM(400, NULL, "a % in the query that two hexadecimal digits do not follow") : problem;
}

struct sr_problem sr_change_read_head(struct sr_change *c, const struct sr_request *request)
{
	const char *key = request->idempotency_key;
	struct sr_problem problem = read_length(c, request);

	if (problem.status == 0)
		problem = read_query(c, request->query);
	if (problem.status)
		return problem;
	if ((c->producer[0] != 0) != (c->n != 0))
		return PROBLEM(400, c->n ? "producer" : "n", "producer and n belong together");
	if (key[0] && c->producer[0])
		return PROBLEM(400, "Idempotency-Key", "give Idempotency-Key, or producer and n, but not both");
	if (key[0] && !sr_change_set_key(c, key, strlen(key)))
		return PROBLEM(400, "Idempotency-Key", "an Idempotency-Key is 1 to 128 bytes of visible ASCII");
	return fine;
}

void sr_problem_answer(struct sr_hub *hub, struct sr_request *request, const struct sr_problem *problem)
{
	struct sr_buf json, out;
	enum sr_err err = SR_OK;

	sr_buf_init(&json, 4096);
	sr_buf_init(&out, 8192);
	err = sr_buf_puts(&json, "{");
	if (err == SR_OK && problem->field)
		err = sr_buf_printf(&json, "\"field\":\"%s\",", problem->field);
	if (err == SR_OK)
		err = sr_buf_puts(&json, "\"error\":");
	if (err == SR_OK)
		err = sr_json_quote(&json, problem->text, strlen(problem->text));
	if (err == SR_OK)
		err = sr_buf_puts(&json, ",\"stored\":0}\n");
	if (err == SR_OK)
		err = sr_answer_json_with(&out, hub->conf, "", problem->status, problem->headers ? problem->headers : "", json.data, json.len);
	if (err != SR_OK)
		sr_buf_reset(&out);
	sr_answer_send(hub, request, &out);
	sr_buf_release(&json);
	sr_buf_release(&out);
}
