/* conf_load.c - the way to a whole configuration: what lies under the flags or settings, and what is checked after them.
 * And the second of the two ways in: settings, for a library, which has no command line. */
#include "common/conf_parts.h"
#include <stdlib.h>
#include <string.h>

enum sr_err sr_conf_begin(struct sr_conf *conf, const char *path, struct sr_buf *why)
{
	enum sr_err e = sr_conf_set_defaults(conf, why);

	if (!path)
		path = getenv("SSE_CONFIG");
	if (!e)
		e = sr_conf_read_file(conf, path ? path : SR_CONF_PATH, !path, why);
	if (!e)
		e = sr_conf_read_environment(conf, why);
	return e;
}

/* A password that cannot be read is said at the start, not by a connection that is refused. */
enum sr_err sr_conf_try_password(const struct sr_conf *conf, struct sr_buf *why)
{
	struct sr_buf password;
	enum sr_err e;

	if (!conf->redis_password_file[0])
		return SR_OK;
	sr_buf_init(&password, 1024);
	e = sr_conf_secret(&password, conf->redis_password_file, why);
	if (password.data)
		explicit_bzero(password.data, password.cap);
	sr_buf_release(&password);
	return e;
}

enum sr_err sr_conf_finish(struct sr_conf *conf, enum sr_err e, bool secrets, struct sr_buf *why)
{
	if (!e)
		e = sr_conf_cross_check(conf, why);
	if (!e && secrets)
		e = sr_conf_try_password(conf, why);
	if (e == SR_ENOMEM)
		sr_buf_explain(why, "%s", sr_strerror(e));
	if (e)
		sr_conf_release(conf);
	return e;
}

/* ---- settings ---- */

/* The option of "name=value", and its value; -1 for the file's path, which is no option of the table. */
static enum sr_err read_setting(const char *text, int *option, const char **value, struct sr_buf *why)
{
	struct sr_nearest near = {.wanted = text, .len = strcspn(text, "=")};

	if (text[near.len] != '=') {
		sr_buf_explain(why, "setting '%.60s': write name=value", text);
		return SR_EINVAL;
	}
	*value = text + near.len + 1;
	*option = sr_option_find(text, near.len);
	if (*option >= 0 || (near.len == 6 && memcmp(text, "config", 6) == 0))
		return SR_OK;
	for (int i = 0; i < SR_CONF_COUNT; i++)
		sr_nearest_offer(&near, sr_options[i].name);
	sr_buf_explain(why, "unknown setting '%.*s'%s%s%s", near.len < 60 ? (int)near.len : 60, text, near.name ? "; did you mean " : "",
	               near.name ? near.name : "", near.name ? "?" : "");
	return SR_EINVAL;
}

/* Apply those that are options (`conf` NULL: only look at all), and find the file's path. */
static enum sr_err walk(struct sr_conf *conf, const char **path, const char *const *settings, struct sr_buf *why)
{
	const struct sr_conf_origin origin = {SR_FROM_SETTING, 0};
	const char *value;
	int option;

	for (; settings && *settings; settings++) {
		enum sr_err e = read_setting(*settings, &option, &value, why);

		if (!e && conf && option >= 0)
			e = sr_conf_set(conf, option, value, origin, why);
		if (e)
			return e;
		if (option < 0)
			*path = value;
	}
	return SR_OK;
}

enum sr_err sr_conf_settings(struct sr_conf *conf, const char *const *settings, struct sr_buf *why)
{
	const char *path = NULL;
	enum sr_err e = walk(NULL, &path, settings, why);

	*conf = (struct sr_conf){0};
	if (!e)
		e = sr_conf_begin(conf, path, why);
	if (!e)
		e = walk(conf, &path, settings, why);
	return sr_conf_finish(conf, e, true, why);
}
