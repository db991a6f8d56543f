/* doctor_trust.c - may a client say who it is, or look behind the counter? See doctor_probe.h. */
#include "cli/doctor_probe.h"

#include <ctype.h>
#include <string.h>

#define NAME_LEN 16

/* ---- web-spoof: the stream of a user that nobody is ---- */

/* HTTP_X_USER_ID -> X-User-Id, or X_User_Id: lighttpd takes both for the same variable. */
static void field_of(char *out, size_t size, const char *variable, char joint, const char *user)
{
	size_t len = 0;

	for (variable += strlen("HTTP_"); *variable && len + 1 < size; variable++)
		out[len++] = *variable == '_' ? joint : *variable;
	out[len] = '\0';
	snprintf(out + len, size - len, ": %s", user);
}

/* "Authorization: Basic " and base64 (RFC 4648, 4) of "user:x" */
static void basic_of(char *out, size_t size, const char *user)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char plain[NAME_LEN + 32] = {0};
	int len = snprintf((char *)plain, sizeof plain - 2, "%s:x", user), at = snprintf(out, size, "Authorization: Basic ");

	for (int i = 0; i < len && (size_t)at + 5 < size; i += 3) {
		unsigned bits = (unsigned)plain[i] << 16 | (unsigned)plain[i + 1] << 8 | plain[i + 2];

		for (int k = 0; k < 4; k++)
			out[at++] = i + k > len ? '=' : digits[bits >> (18 - 6 * k) & 63];
	}
	out[at] = '\0';
}

/* Is it given to one who says so in `field`, beside what --header-file says (but for `without`)? */
static bool is_given(struct sr_probe *p, const char *id, const char *without, const char *field)
{
	struct sr_exchange *x = sr_probe_get(p, sr_probe_url(p, id, "/recover"), sr_probe_fields(p, without, field, NULL));
	bool given = x && x->status == 200;

	sr_exchange_free(x);
	return given;
}

static void check_header(struct sr_probe *p, const char *id, const char *user)
{
	const char *variable = p->site.variable;
	char field[160], plain[160];

	field_of(plain, sizeof plain, variable, '-', user);
	for (int i = 0; i < 2; i++) {
		char name[160];

		field_of(field, sizeof field, variable, i ? '_' : '-', user);
		snprintf(name, sizeof name, "%.*s", (int)strcspn(plain, ":"), plain);
		if (!is_given(p, id, name, field))
			continue;
		sr_probe_bad(p, "web-spoof", SR_TROUBLE_SPOOF_HEADER, "anybody is who he says he is: a stream of another user was given to one who sent the header %.*s",
		             (int)strcspn(field, ":"), field);
		return;
	}
	sr_probe_good(p, "web-spoof", "%.*s from a client does not make it somebody else", (int)strcspn(plain, ":"), plain);
}

static void check_basic(struct sr_probe *p, const char *id, const char *user)
{
	char field[160];

	basic_of(field, sizeof field, user);
	if (is_given(p, id, "Authorization", field))
		sr_probe_bad(p, "web-spoof", SR_TROUBLE_SPOOF_BASIC, "anybody is who he says he is: a stream of another user was given for that name and a password that nobody checked");
	else
		sr_probe_good(p, "web-spoof", "a name with an unchecked password is nobody");
}

static void check_spoof(struct sr_probe *p)
{
	char user[NAME_LEN + 16], tail[NAME_LEN + 1];
	const char *id;

	sr_random_name(tail, NAME_LEN);
	snprintf(user, sizeof user, "doctor-%s", tail);
	id = sr_probe_stream(p, user);
	if (!id)
		return;
	if (strncmp(p->site.variable, "HTTP_", 5) == 0)
		check_header(p, id, user);
	else
		check_basic(p, id, user);
}

/* ---- web-status-private ---- */

static void check_status(struct sr_probe *p)
{
	struct sr_exchange *x = sr_probe_get(p, sr_probe_url(p, "-", "/health"), sr_probe_fields(p, "Authorization", NULL, NULL));

	if (!x)
		return;
	if (sr_conf_address_allowed(p->d->ctl->conf.status_allow, x->local))
		sr_probe_note(p, "web-status-private", "not checked: this comes from %s, which may see the pages below %s/-/", x->local, p->site.mount);
	else if (x->status == 200)
		sr_probe_bad(p, "web-status-private", SR_TROUBLE_STATUS, "%s/-/health is answered to %s, which is not in status_allow: sse-fcgi is told another REMOTE_ADDR",
		             p->site.mount, x->local);
	else
		sr_probe_good(p, "web-status-private", "the pages below %s/-/ are not for everybody", p->site.mount);
	sr_exchange_free(x);
}

void sr_probe_trust(struct sr_probe *p)
{
	check_spoof(p);
	check_status(p);
}
