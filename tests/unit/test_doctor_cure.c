/* cli/doctor_cure: the texts for each web server, filled in. */
#include "cli/doctor_cure.h"
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

TestSuite(doctor_cure, .timeout = 20);

static struct sr_buf out;

static const char *cure(enum sr_front front, const char *socket, enum sr_trouble trouble)
{
	struct sr_site site = {.front = front, .mount = "/app/events", .socket = socket, .variable = "HTTP_X_USER_ID", .heartbeat_ms = 15000};

	return sr_cure(&out, &site, trouble);
}

static void start(void)
{
	sr_buf_init(&out, 16384);
}

static void stop(void)
{
	sr_buf_release(&out);
}

/* A blank that nothing filled: @WORD@. */
static bool has_blank(const char *text)
{
	for (const char *at = text; (at = strchr(at, '@')) != NULL;) {
		at++;
		if (isupper((unsigned char)*at))
			return true;
	}
	return false;
}

Test(doctor_cure, every_text_is_there_and_filled_in, .init = start, .fini = stop)
{
	static const char *const sockets[] = {"/run/my/fcgi.sock", "127.0.0.1:9000"};

	for (int trouble = 0; trouble < SR_TROUBLES; trouble++) {
		for (int front = 0; front < SR_FRONT_UNKNOWN; front++) {
			for (int s = 0; s < 2; s++) {
				const char *text = cure((enum sr_front)front, sockets[s], (enum sr_trouble)trouble);

				cr_assert(strlen(text) > strlen(sr_front_name((enum sr_front)front)) + 10, "trouble %d, server %d: '%s'", trouble, front, text);
				cr_assert(!has_blank(text), "%s", text);
				cr_assert(!strstr(text, "\n\n"), "%s", text);
			}
		}
	}
}

Test(doctor_cure, an_unknown_server_gets_all_three, .init = start, .fini = stop)
{
	const char *text = cure(SR_FRONT_UNKNOWN, "/run/my/fcgi.sock", SR_TROUBLE_BUFFERING);

	cr_assert_eq(strncmp(text, "lighttpd: ", 10), 0);
	cr_assert(strstr(text, "\nApache: ") && strstr(text, "\nnginx: "), "%s", text);
	text = cure(SR_FRONT_NGINX, "/run/my/fcgi.sock", SR_TROUBLE_BUFFERING);
	cr_assert(strncmp(text, "nginx: ", 7) == 0 && !strstr(text, "Apache"), "%s", text);
}

Test(doctor_cure, the_socket_in_each_servers_own_form, .init = start, .fini = stop)
{
	static const struct { enum sr_front front; const char *socket, *wanted; } cases[] = {
		{SR_FRONT_LIGHTTPD, "/run/my/fcgi.sock", "\"socket\" => \"/run/my/fcgi.sock\""},
		{SR_FRONT_LIGHTTPD, "127.0.0.1:9000", "\"host\" => \"127.0.0.1\", \"port\" => 9000"},
		{SR_FRONT_APACHE, "/run/my/fcgi.sock", "ProxyPass \"unix:/run/my/fcgi.sock|fcgi://sse-resilience/app/events/\""},
		{SR_FRONT_APACHE, "127.0.0.1:9000", "ProxyPass \"fcgi://127.0.0.1:9000/app/events/\""},
		{SR_FRONT_NGINX, "/run/my/fcgi.sock", "fastcgi_pass \"unix:/run/my/fcgi.sock\";"},
		{SR_FRONT_NGINX, "127.0.0.1:9000", "fastcgi_pass 127.0.0.1:9000;"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_assert(strstr(cure(cases[i].front, cases[i].socket, SR_TROUBLE_ROUTE), cases[i].wanted), "%s", out.data);
}

Test(doctor_cure, names_and_times, .init = start, .fini = stop)
{
	struct sr_site slow = {.front = SR_FRONT_NGINX, .mount = "/s", .socket = "/x", .variable = "HTTP_X_USER_ID", .heartbeat_ms = 60000};

	cr_assert(strstr(cure(SR_FRONT_LIGHTTPD, "/x", SR_TROUBLE_SPOOF_HEADER), "( \"X-User-Id\" => \"\", \"X_User_Id\" => \"\" )"), "%s", out.data);
	cr_assert(strstr(cure(SR_FRONT_NGINX, "/x", SR_TROUBLE_SPOOF_HEADER), "fastcgi_param HTTP_X_USER_ID $sse_user;"), "%s", out.data);
	cr_assert(strstr(cure(SR_FRONT_NGINX, "/x", SR_TROUBLE_TIMEOUT), "fastcgi_read_timeout 120s;"), "%s", out.data);
	cr_assert(strstr(sr_cure(&out, &slow, SR_TROUBLE_TIMEOUT), "fastcgi_read_timeout 240s;"), "%s", out.data);
}

Test(doctor_cure, the_server_by_its_field)
{
	cr_assert_eq(sr_front_of("lighttpd/1.4.69"), SR_FRONT_LIGHTTPD);
	cr_assert_eq(sr_front_of("Apache"), SR_FRONT_APACHE);
	cr_assert_eq(sr_front_of("nginx/1.22.1"), SR_FRONT_NGINX);
	cr_assert_eq(sr_front_of("cloudflare"), SR_FRONT_UNKNOWN);
	cr_assert_eq(sr_front_of(NULL), SR_FRONT_UNKNOWN);
}
