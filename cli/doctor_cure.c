/* doctor_cure.c - see doctor_cure.h. The texts have blanks, like @MOUNT@: the table at `blanks` says what fills them. */
#include "cli/doctor_cure.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define IN_LIGHTTPD "in $HTTP[\"url\"] =^ \"@MOUNT@/\" { }:\n    "
#define IN_APACHE "in <Location \"@MOUNT@/\">:\n    "
#define IN_NGINX "in location ^~ @MOUNT@/ { }:\n    "
#define PROXY_PASS "ProxyPass \"@BACKEND@@MOUNT@/\" flushpackets=on timeout=@SECONDS@ retry=0"

static const char *const cures[SR_TROUBLES][SR_FRONT_UNKNOWN] = {
	[SR_TROUBLE_ROUTE] = {
		IN_LIGHTTPD "fastcgi.server = ( \"@MOUNT@\" => (( @ADDRESS@, \"check-local\" => \"disable\", \"tcp-fin-propagate\" => \"enable\" )) )",
		"a2enmod proxy_fcgi, and " IN_APACHE PROXY_PASS,
		IN_NGINX "fastcgi_pass @LISTENER@;",
	},
	[SR_TROUBLE_RESPONDER] = {
		"in fastcgi.server:\n    @ADDRESS@,@RIGHTS@",
		IN_APACHE PROXY_PASS "@RIGHTS@",
		IN_NGINX "fastcgi_pass @LISTENER@;@RIGHTS@",
	},
	[SR_TROUBLE_PATH_INFO] = {
		"no slash at the end of the key of fastcgi.server:\n    fastcgi.server = ( \"@MOUNT@\" => …",
		IN_APACHE "ProxyFCGISetEnvIf \"reqenv('SCRIPT_NAME') =~ m#^(@MOUNT@)(/(?s:.*))$#\" SCRIPT_NAME \"$1\"\n    ProxyFCGISetEnvIf \"true\" PATH_INFO \"$2\"",
		IN_NGINX "fastcgi_split_path_info \"(?s)^(@MOUNT@)(/.*)$\";\n    fastcgi_param SCRIPT_NAME @MOUNT@;\n    fastcgi_param PATH_INFO $fastcgi_path_info;",
	},
	[SR_TROUBLE_USER] = {
		IN_LIGHTTPD "auth.require = ( \"\" => ( \"method\" => \"basic\", \"realm\" => \"streams\", \"require\" => \"valid-user\" ) )\n"
		"    with mod_auth before mod_fastcgi in server.modules",
		IN_APACHE "AuthType Basic, AuthName, AuthUserFile, and Require valid-user",
		IN_NGINX "auth_basic $sse_realm; auth_basic_user_file …; fastcgi_param REMOTE_USER $sse_user;",
	},
	[SR_TROUBLE_BUFFERING] = {
		IN_LIGHTTPD "server.stream-response-body = 2",
		IN_APACHE PROXY_PASS,
		IN_NGINX "fastcgi_buffering off;\n    and no fastcgi_ignore_headers X-Accel-Buffering; where an nginx stands before another server: proxy_buffering off;",
	},
	[SR_TROUBLE_COMPRESSION] = {
		IN_LIGHTTPD "deflate.mimetypes = ()",
		"beside <Location \"@MOUNT@/\">:\n    SetEnvIf Request_URI \"^@MOUNT@/\" nokeepalive no-gzip no-brotli",
		IN_NGINX "gzip off;\n    and, with that module, brotli off;",
	},
	[SR_TROUBLE_HEADERS] = {
		IN_LIGHTTPD "setenv.set-response-header = (), and no expire.url for it",
		"no ExpiresActive, Header set or Header unset for it; " IN_APACHE "ExpiresActive Off",
		"no expires, add_header Cache-Control or fastcgi_hide_header for it; " IN_NGINX "expires off;",
	},
	[SR_TROUBLE_TIMEOUT] = {
		IN_LIGHTTPD "server.max-write-idle = @SECONDS@\n    and no \"read-timeout\" below that in fastcgi.server",
		IN_APACHE PROXY_PASS,
		IN_NGINX "fastcgi_read_timeout @SECONDS@s;\n    where an nginx stands before another server: proxy_read_timeout @SECONDS@s;",
	},
	[SR_TROUBLE_LAST_EVENT_ID] = {
		IN_LIGHTTPD "no \"Last-Event-ID\" in setenv.set-request-header",
		IN_APACHE "no RequestHeader unset Last-Event-ID",
		IN_NGINX "fastcgi_pass_request_headers on;\n    and no fastcgi_param HTTP_LAST_EVENT_ID",
	},
	[SR_TROUBLE_LEAVING] = {
		"in fastcgi.server:\n    \"tcp-fin-propagate\" => \"enable\"",
		IN_APACHE PROXY_PASS "\n    (Apache notices at the second write after it, with the CGI bridge at the third; heartbeat_interval says how far apart they are)",
		IN_NGINX "fastcgi_ignore_client_abort off;",
	},
	[SR_TROUBLE_SPOOF_HEADER] = {
		IN_LIGHTTPD "setenv.set-request-header = ( \"@FIELD@\" => \"\", \"@SPELLED@\" => \"\" )\n"
		"    with mod_setenv before mod_fastcgi in server.modules, and user_variable = REMOTE_USER for sse-fcgi",
		IN_APACHE "RequestHeader unset @FIELD@\n    RequestHeader unset @SPELLED@\n    RequestHeader set @FIELD@ \"expr=%{REMOTE_USER}\"",
		IN_NGINX "fastcgi_param @VARIABLE@ $sse_user;",
	},
	[SR_TROUBLE_SPOOF_BASIC] = {
		"mod_auth before mod_fastcgi in server.modules, and " IN_LIGHTTPD
		"auth.require = ( \"\" => ( \"method\" => \"basic\", \"realm\" => \"streams\", \"require\" => \"valid-user\" ) )",
		IN_APACHE "Require valid-user",
		"$remote_user is what the client says unless a password was asked for; " IN_NGINX
		"auth_basic $sse_realm;\n    auth_basic_user_file /etc/sse-resilience/htpasswd;\n    fastcgi_param REMOTE_USER $sse_user;\n"
		"    or set $sse_user from what authenticates instead (auth_request_set)",
	},
	[SR_TROUBLE_HTTP2] = {
		"server.feature-flags += ( \"server.h2proto\" => \"enable\" ), and no ssl.openssl.ssl-conf-cmd or ALPN setting that leaves h2 out",
		"a2enmod http2, and in the <VirtualHost> of port 443:\n    Protocols h2 http/1.1",
		"in server { }:\n    listen 443 ssl http2;\n    from 1.25.1 on: listen 443 ssl; http2 on;",
	},
	[SR_TROUBLE_FALLBACK] = {
		IN_LIGHTTPD "server.error-handler = \"/.sse-resilience/away\"\n    $HTTP[\"url\"] !~ \"^@MOUNT@/[^/]+/recover$\" { server.error-handler = \"/.sse-resilience/retry\" }\n"
		"    and the block $HTTP[\"url\"] =^ \"/.sse-resilience/\" of the shipped configuration",
		IN_APACHE "ErrorDocument 503 /.sse-resilience/retry.asis, and away.asis for /recover, as in the shipped configuration (a2enmod asis)",
		IN_NGINX "error_page 502 503 504 = @sse-retry@MOUNT@;\n    and the locations @sse-retry@MOUNT@ and @sse-away@MOUNT@ of the shipped configuration",
	},
	[SR_TROUBLE_STATUS] = {
		IN_LIGHTTPD "$HTTP[\"url\"] =^ \"@MOUNT@/-/\" { $HTTP[\"remote-ip\"] !~ \"^(127\\.0\\.0\\.1|::1)$\" { url.access-deny = ( \"\" ) } }",
		"<Location \"@MOUNT@/-/\">\n    Require ip 127.0.0.1 ::1\n    </Location>",
		"location ^~ @MOUNT@/-/ { allow 127.0.0.1; allow ::1; deny all; … }",
	},
};

enum sr_front sr_front_of(const char *server)
{
	if (server && strncasecmp(server, "lighttpd", 8) == 0)
		return SR_FRONT_LIGHTTPD;
	if (server && strncasecmp(server, "apache", 6) == 0)
		return SR_FRONT_APACHE;
	if (server && strncasecmp(server, "nginx", 5) == 0)
		return SR_FRONT_NGINX;
	return SR_FRONT_UNKNOWN;
}

const char *sr_front_name(enum sr_front front)
{
	static const char *const names[] = {"lighttpd", "Apache", "nginx", "the web server"};

	return names[front];
}

/* HTTP_X_USER_ID -> X-User-Id, or X_User_Id. */
static enum sr_err field_name(struct sr_buf *out, const char *variable, char joint)
{
	bool capital = true;
	enum sr_err e = SR_OK;

	if (strncmp(variable, "HTTP_", 5) == 0)
		variable += 5;
	for (; !e && *variable; variable++) {
		char c = *variable == '_' ? joint : capital ? *variable : (char)tolower((unsigned char)*variable);

		capital = *variable == '_';
		e = sr_buf_append(out, &c, 1);
	}
	return e;
}

static bool is_path(const struct sr_site *site)
{
	return *site->socket == '/';
}

static enum sr_err put_mount(struct sr_buf *out, const struct sr_site *site)
{
	return sr_buf_puts(out, site->mount);
}

/* lighttpd's */
static enum sr_err put_address(struct sr_buf *out, const struct sr_site *site)
{
	const char *port = strrchr(site->socket, ':');

	if (is_path(site) || !port)
		return sr_buf_printf(out, "\"socket\" => \"%s\"", site->socket);
	return sr_buf_printf(out, "\"host\" => \"%.*s\", \"port\" => %s", (int)(port - site->socket), site->socket, port + 1);
}

/* Apache's */
static enum sr_err put_backend(struct sr_buf *out, const struct sr_site *site)
{
	return sr_buf_printf(out, is_path(site) ? "unix:%s|fcgi://sse-resilience" : "fcgi://%s", site->socket);
}

/* nginx's */
static enum sr_err put_listener(struct sr_buf *out, const struct sr_site *site)
{
	return sr_buf_printf(out, is_path(site) ? "\"unix:%s\"" : "%s", site->socket);
}

static enum sr_err put_rights(struct sr_buf *out, const struct sr_site *site)
{
	if (!is_path(site))
		return sr_buf_printf(out, "\n    and sse-fcgi must listen there (%s)", site->socket);
	return sr_buf_printf(out, "\n    and the socket must be the web server's to write: spawn-fcgi -s %s -M 0600 -U www-data -G www-data …,\n"
	                          "    or SocketUser=www-data, SocketMode=0600 in sse-fcgi.socket\n"
	                          "    as plain CGI, where sse-fcgi could not start: as the web server's user try sse-fcgi --check-config", site->socket);
}

/* Several heartbeats fit into it. */
static enum sr_err put_seconds(struct sr_buf *out, const struct sr_site *site)
{
	int64_t four = site->heartbeat_ms * 4 / 1000;

	return sr_buf_printf(out, "%" PRId64, four > 120 ? four : 120);
}

static enum sr_err put_variable(struct sr_buf *out, const struct sr_site *site)
{
	return sr_buf_puts(out, site->variable);
}

static enum sr_err put_field(struct sr_buf *out, const struct sr_site *site)
{
	return field_name(out, site->variable, '-');
}

static enum sr_err put_spelled(struct sr_buf *out, const struct sr_site *site)
{
	return field_name(out, site->variable, '_');
}

static const struct {
	const char *name;
	enum sr_err (*put)(struct sr_buf *out, const struct sr_site *site);
} blanks[] = {
	{"@MOUNT@", put_mount}, {"@ADDRESS@", put_address}, {"@BACKEND@", put_backend}, {"@LISTENER@", put_listener}, {"@RIGHTS@", put_rights},
	{"@SECONDS@", put_seconds}, {"@VARIABLE@", put_variable}, {"@FIELD@", put_field}, {"@SPELLED@", put_spelled},
};
enum { BLANKS = sizeof blanks / sizeof *blanks };

static enum sr_err fill(struct sr_buf *out, const struct sr_site *site, const char *text)
{
	enum sr_err e = SR_OK;

	while (!e && *text) {
		size_t len = 1 + strcspn(text + 1, "@"), i = 0;

		while (i < BLANKS && strncmp(text, blanks[i].name, strlen(blanks[i].name)) != 0)
			i++;
		if (i < BLANKS) {
			len = strlen(blanks[i].name);
			e = blanks[i].put(out, site);
		} else {
			e = sr_buf_append(out, text, len);
		}
		text += len;
	}
	return e;
}

const char *sr_cure(struct sr_buf *out, const struct sr_site *site, enum sr_trouble trouble)
{
	enum sr_err e = SR_OK;

	sr_buf_reset(out);
	for (int f = 0; !e && f < SR_FRONT_UNKNOWN; f++) {
		if (site->front != SR_FRONT_UNKNOWN && site->front != (enum sr_front)f)
			continue;
		e = sr_buf_printf(out, "%s%s: ", out->len ? "\n" : "", sr_front_name((enum sr_front)f));
		if (!e)
			e = fill(out, site, cures[trouble][f]);
	}
	if (e)
		sr_buf_reset(out);
	return sr_buf_text(out);
}
