#include "cli/rights.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void name_user(uid_t uid, char out[SR_WHO_NAME])
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(out, SR_WHO_NAME, "%s", pw->pw_name);
	else
		snprintf(out, SR_WHO_NAME, "%lu", (unsigned long)uid);
}

static void name_group(gid_t gid, char out[SR_WHO_NAME])
{
	const struct group *gr = getgrgid(gid);

	if (gr)
		snprintf(out, SR_WHO_NAME, "%s", gr->gr_name);
	else
		snprintf(out, SR_WHO_NAME, "%lu", (unsigned long)gid);
}

void sr_who_call(struct sr_who *who)
{
	name_user(who->uid, who->name);
	name_group(who->group[0], who->group_name);
}

void sr_owner_names(uid_t uid, gid_t gid, char out[2 * SR_WHO_NAME])
{
	char user[SR_WHO_NAME], group[SR_WHO_NAME];

	name_user(uid, user);
	name_group(gid, group);
	snprintf(out, 2 * SR_WHO_NAME, "%s:%s", user, group);
}

bool sr_who_find(struct sr_who *who, const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw)
		return false;
	*who = (struct sr_who){.uid = pw->pw_uid, .groups = SR_WHO_GROUPS};
	if (getgrouplist(name, pw->pw_gid, who->group, &who->groups) < 0 && who->groups > SR_WHO_GROUPS)
		who->groups = SR_WHO_GROUPS;
	if (who->groups < 1) {
		who->group[0] = pw->pw_gid;
		who->groups = 1;
	}
	sr_who_call(who);
	return true;
}

bool sr_is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool in_group(const struct sr_who *who, gid_t gid)
{
	for (int i = 0; i < who->groups; i++)
		if (who->group[i] == gid)
			return true;
	return false;
}

/* The first of owner, group and others that fits decides (path_resolution(7)). */
static bool lets(const struct stat *st, const struct sr_who *who, unsigned want)
{
	unsigned shift = st->st_uid == who->uid ? 6 : in_group(who, st->st_gid) ? 3 : 0;

	return who->uid == 0 || (((unsigned)st->st_mode >> shift) & want) == want;
}

static bool check(const char *path, const struct sr_who *who, unsigned want, struct sr_buf *at)
{
	struct stat st;

	if (stat(path, &st) == 0 && lets(&st, who, want))
		return true;
	sr_buf_explain(at, "%s", path);
	return false;
}

bool sr_who_may(const struct sr_who *who, const char *path, unsigned want, struct sr_buf *at)
{
	char *whole = realpath(path, NULL), *end, saved;
	bool may = true;

	if (!whole) {
		sr_buf_explain(at, "%s", path);
		return false;
	}
	for (char *slash = whole; may && (slash = strchr(slash, '/')); slash++) {
		end = slash == whole ? slash + 1 : slash;
		saved = *end;
		*end = '\0';
		may = check(whole, who, 1, at);
		*end = saved;
	}
	may = may && check(whole, who, want, at);
	free(whole);
	return may;
}
