/* test_request.c - the values of a request, and its query. */
#include "fcgi/request.h"

#include <criterion/criterion.h>
#include <string.h>

Test(request, joins_what_servers_split_differently, .timeout = 10)
{
	struct sr_request *lighttpd = sr_request_new(&(struct sr_request_values){.method = "GET", .script_name = "/api/stream", .path_info = "/a/recover"});
	struct sr_request *apache = sr_request_new(&(struct sr_request_values){.method = "HEAD", .script_name = "/api/stream/a/recover"});

	cr_assert_str_eq(lighttpd->path, "/api/stream/a/recover");
	cr_assert_str_eq(apache->path, "/api/stream/a/recover");
	cr_assert_eq(lighttpd->method, SR_GET);
	cr_assert_eq(apache->method, SR_HEAD);
	cr_assert_str_eq(apache->query, "");
	cr_assert_str_eq(apache->user, "");
	sr_request_free(lighttpd);
	sr_request_free(apache);
	sr_request_free(NULL);
}

Test(request, keeps_every_value, .timeout = 10)
{
	struct sr_request *r = sr_request_new(&(struct sr_request_values){.method = "PATCH", .script_name = "/s", .path_info = "/p", .query = "q=1",
	                                      .last_event_id = "5-0", .user = "u1", .origin = "https://a.example", .remote_addr = "::1"});

	cr_assert_eq(r->method, SR_OTHER_METHOD);
	cr_assert_str_eq(r->path, "/s/p");
	cr_assert_str_eq(r->query, "q=1");
	cr_assert_str_eq(r->last_event_id, "5-0");
	cr_assert_str_eq(r->user, "u1");
	cr_assert_str_eq(r->origin, "https://a.example");
	cr_assert_str_eq(r->remote_addr, "::1");
	cr_assert_eq(r->fd, -1);
	cr_assert_not(r->has_body);
	sr_request_free(r);
}

Test(request, a_secret_is_kept_for_requests_that_need_it_and_wiped, .timeout = 10)
{
	static const char *const writes[] = {"POST", "PUT", "DELETE"}, *const others[] = {"GET", "HEAD", "OPTIONS", "PATCH", "post"};
	struct sr_request_values v = {.authorization = "Bearer secret", .content_type = "application/json", .content_length = "12", .idempotency_key = "k"};

	for (size_t i = 0; i < 3; i++) {
		struct sr_request *r;

		v.method = writes[i];
		r = sr_request_new(&v);
		cr_assert_eq(r->method, SR_POST + i);
		cr_assert_str_eq(r->authorization, "Bearer secret");
		cr_assert_str_eq(r->content_type, "application/json");
		cr_assert_str_eq(r->content_length, "12");
		cr_assert_str_eq(r->idempotency_key, "k");
		sr_request_forget(r);
		for (size_t k = 0; k < 13; k++)
			cr_assert_eq(r->authorization[k], 0);
		cr_assert_str_eq(r->idempotency_key, "k");
		sr_request_free(r);
	}
	for (size_t i = 0; i < 5; i++) {
		struct sr_request *r;

		v.method = others[i];
		r = sr_request_new(&v);
		cr_assert_str_eq(r->authorization, "", "%s", others[i]);
		cr_assert_str_eq(r->content_type, "");
		sr_request_free(r);
	}
}

static void expect_param(const char *query, const char *name, const char *value)
{
	struct sr_request *r = sr_request_new(&(struct sr_request_values){.query = query});
	size_t len = 999;
	const char *found = sr_request_param(r, name, &len);

	if (!value)
		cr_assert_null(found, "%s in '%s'", name, query);
	else
		cr_assert(found && len == strlen(value) && memcmp(found, value, len) == 0, "%s in '%s'", name, query);
	sr_request_free(r);
}

Test(request, finds_query_parameters, .timeout = 10)
{
	expect_param("a=1&b=2", "a", "1");
	expect_param("a=1&b=2", "b", "2");
	expect_param("a=1&a=2", "a", "1");
	expect_param("a=", "a", "");
	expect_param("&&a=x&", "a", "x");
	expect_param("ab=1", "a", NULL);
	expect_param("ba=1", "a", NULL);
	expect_param("a", "a", NULL);
	expect_param("", "a", NULL);
	expect_param("a=1%0A", "a", "1%0A");
}
