/* web.c - see web.h. The only file that knows libcurl. */
#include "cli/web.h"

#include "common/mem.h"
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LIBRARY "libcurl.so.4"

/* ---- the library ---- */

static struct {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_perform) *multi_perform;
	__typeof__(curl_multi_poll) *multi_poll;
	__typeof__(curl_multi_info_read) *multi_info_read;
} lib;

/* POSIX lets a function's address go through a void *; ISO C has no cast for it. */
static bool find(void *handle, const char *name, void *slot, struct sr_buf *why)
{
	void *symbol = dlsym(handle, name);

	if (!symbol)
		sr_buf_explain(why, "%s has no %s: install a newer libcurl4", LIBRARY, name);
	else
		memcpy(slot, &symbol, sizeof symbol);
	return symbol != NULL;
}

/* Once for the process, which keeps it. */
static bool load(struct sr_buf *why)
{
	static bool loaded;
	void *handle;

	if (loaded)
		return true;
	handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		sr_buf_explain(why, "checks through the web server need libcurl: install libcurl4 (%s)", dlerror());
		return false;
	}
	loaded = find(handle, "curl_global_init", &lib.global_init, why) && find(handle, "curl_easy_init", &lib.easy_init, why) &&
	         find(handle, "curl_easy_setopt", &lib.easy_setopt, why) && find(handle, "curl_easy_getinfo", &lib.easy_getinfo, why) &&
	         find(handle, "curl_easy_cleanup", &lib.easy_cleanup, why) && find(handle, "curl_easy_strerror", &lib.easy_strerror, why) &&
	         find(handle, "curl_slist_append", &lib.slist_append, why) && find(handle, "curl_slist_free_all", &lib.slist_free_all, why) &&
	         find(handle, "curl_multi_init", &lib.multi_init, why) && find(handle, "curl_multi_cleanup", &lib.multi_cleanup, why) &&
	         find(handle, "curl_multi_add_handle", &lib.multi_add_handle, why) && find(handle, "curl_multi_remove_handle", &lib.multi_remove_handle, why) &&
	         find(handle, "curl_multi_perform", &lib.multi_perform, why) && find(handle, "curl_multi_poll", &lib.multi_poll, why) &&
	         find(handle, "curl_multi_info_read", &lib.multi_info_read, why);
	if (loaded && lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		sr_buf_explain(why, "%s cannot be initialised", LIBRARY);
		loaded = false;
	}
	return loaded;
}

struct sr_web {
	CURLM *multi;
	char *cacert;
};

struct sr_web_part {
	struct sr_web *web;
	CURL *easy;
	struct curl_slist *fields;
	char error[CURL_ERROR_SIZE];
};

struct sr_web *sr_web_new(const char *cacert, struct sr_buf *why)
{
	struct sr_web *w;

	if (cacert && access(cacert, R_OK) < 0) { /* libcurl would call it a bad certificate of the server's */
		sr_buf_explain(why, "cannot read the certificate authorities in %s: %s", cacert, strerror(errno));
		return NULL;
	}
	w = load(why) ? sr_calloc(1, sizeof *w) : NULL;
	if (!w)
		return NULL;
	w->multi = lib.multi_init();
	w->cacert = cacert ? sr_strdup(cacert) : NULL;
	if (w->multi && (w->cacert || !cacert))
		return w;
	sr_buf_explain(why, "%s", sr_strerror(SR_ENOMEM));
	sr_web_free(w);
	return NULL;
}

void sr_web_free(struct sr_web *w)
{
	if (!w)
		return;
	if (w->multi)
		lib.multi_cleanup(w->multi);
	free(w->cacert);
	free(w);
}

/* ---- what comes ---- */

static int version_of(CURL *easy)
{
	long version = 0;

	lib.easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	switch (version) {
	case CURL_HTTP_VERSION_1_0: return 10;
	case CURL_HTTP_VERSION_2_0: return 20;
	case CURL_HTTP_VERSION_3: return 30;
	default: return 11;
	}
}

static void head_is_whole(struct sr_exchange *x)
{
	long status = 0;
	char *local = NULL;

	lib.easy_getinfo(x->part->easy, CURLINFO_RESPONSE_CODE, &status);
	lib.easy_getinfo(x->part->easy, CURLINFO_LOCAL_IP, &local);
	if (status < 200)
		return;
	x->status = (int)status;
	x->version = version_of(x->part->easy);
	x->headed = sr_clock_mono();
	snprintf(x->local, sizeof x->local, "%s", local ? local : "");
}

static size_t on_field(char *bytes, size_t size, size_t count, void *user)
{
	struct sr_exchange *x = user;
	size_t len = size * count;

	if (x->status)
		return len; /* trailers */
	if (len > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		sr_buf_reset(&x->head);
		return len;
	}
	while (len && (bytes[len - 1] == '\r' || bytes[len - 1] == '\n'))
		len--;
	if (len == 0)
		head_is_whole(x);
	else if (sr_buf_append(&x->head, bytes, len) != SR_OK || sr_buf_append(&x->head, "", 1) != SR_OK)
		return 0;
	return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
	struct sr_exchange *x = user;

	x->arrived = sr_clock_mono();
	return sr_buf_append(&x->body, bytes, size * count) == SR_OK ? size * count : 0;
}

const char *sr_exchange_field(const struct sr_exchange *x, const char *name)
{
	size_t len = strlen(name);

	for (size_t at = 0; at < x->head.len; at += strlen(x->head.data + at) + 1) {
		const char *line = x->head.data + at;

		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

bool sr_exchange_mentions(const struct sr_exchange *x, const char *name, const char *word)
{
	size_t len = strlen(name);

	for (size_t at = 0; at < x->head.len; at += strlen(x->head.data + at) + 1) {
		const char *line = x->head.data + at;

		if (strncasecmp(line, name, len) == 0 && line[len] == ':' && strcasestr(line + len + 1, word))
			return true;
	}
	return false;
}

/* ---- exchanges ---- */

static bool add_fields(struct sr_web_part *part, const char *const *fields)
{
	for (; *fields; fields++) {
		struct curl_slist *longer = lib.slist_append(part->fields, *fields);

		if (!longer)
			return false;
		part->fields = longer;
	}
	return true;
}

static bool configure(struct sr_exchange *x, const char *url)
{
	CURL *easy = x->part->easy;
	bool ok = lib.easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
	          lib.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;

	lib.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	lib.easy_setopt(easy, CURLOPT_NOPROXY, "*");
	lib.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	lib.easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	lib.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	lib.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)SR_WEB_CONNECT_MS);
	lib.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	lib.easy_setopt(easy, CURLOPT_USERAGENT, "ssectl-doctor");
	lib.easy_setopt(easy, CURLOPT_HTTPHEADER, x->part->fields);
	lib.easy_setopt(easy, CURLOPT_ERRORBUFFER, x->part->error);
	lib.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_field);
	lib.easy_setopt(easy, CURLOPT_HEADERDATA, x);
	lib.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	lib.easy_setopt(easy, CURLOPT_WRITEDATA, x);
	lib.easy_setopt(easy, CURLOPT_PRIVATE, x);
	if (x->part->web->cacert)
		ok = ok && lib.easy_setopt(easy, CURLOPT_CAINFO, x->part->web->cacert) == CURLE_OK;
	return ok;
}

struct sr_exchange *sr_web_get(struct sr_web *w, const char *url, const char *const *fields)
{
	struct sr_exchange *x = sr_calloc(1, sizeof *x);
	struct sr_web_part *part = sr_calloc(1, sizeof *part);

	if (!x || !part) {
		free(x);
		free(part);
		return NULL;
	}
	x->part = part;
	part->web = w;
	x->started = sr_clock_mono();
	sr_buf_init(&x->head, SR_WEB_HEAD_MAX);
	sr_buf_init(&x->body, SR_WEB_BODY_MAX);
	part->easy = lib.easy_init();
	if (part->easy && add_fields(part, fields) && configure(x, url) && lib.multi_add_handle(w->multi, part->easy) == CURLM_OK)
		return x;
	sr_exchange_free(x);
	return NULL;
}

void sr_exchange_free(struct sr_exchange *x)
{
	if (!x)
		return;
	if (x->part->easy) {
		lib.multi_remove_handle(x->part->web->multi, x->part->easy);
		lib.easy_cleanup(x->part->easy);
	}
	for (struct curl_slist *f = x->part->fields; f; f = f->next)
		explicit_bzero(f->data, strlen(f->data)); /* a password may be among them */
	lib.slist_free_all(x->part->fields);
	free(x->part);
	sr_buf_release(&x->head);
	sr_buf_release(&x->body);
	free(x);
}

static void take_ends(struct sr_web *w)
{
	CURLMsg *message;
	int left;

	while ((message = lib.multi_info_read(w->multi, &left)) != NULL) {
		struct sr_exchange *x = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		lib.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x);
		x->ended = true;
		if (message->data.result != CURLE_OK)
			snprintf(x->why, sizeof x->why, "%s", *x->part->error ? x->part->error : lib.easy_strerror(message->data.result));
	}
}

void sr_web_work(struct sr_web *w, int64_t ms)
{
	int running;

	lib.multi_poll(w->multi, NULL, 0, (int)ms, NULL);
	lib.multi_perform(w->multi, &running);
	take_ends(w);
}
