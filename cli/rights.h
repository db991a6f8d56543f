/* rights.h - may somebody else use a file? Judged by owner, group and mode of it and of the folders above it, never by trying:
 * whoever asks may be root. Access control lists are not looked at. */
#ifndef SR_RIGHTS_H
#define SR_RIGHTS_H
#include "common/buf.h"
#include <stdbool.h>
#include <sys/types.h>

#define SR_WHO_GROUPS 64
#define SR_WHO_NAME 64

struct sr_who {
	uid_t uid;
	gid_t group[SR_WHO_GROUPS];
	int groups;
	char name[SR_WHO_NAME];       /* "www-data", or the number */
	char group_name[SR_WHO_NAME]; /* of the first group */
};

/* Fill in the names. */
void sr_who_call(struct sr_who *who);
/* false: there is no such user. */
bool sr_who_find(struct sr_who *who, const char *name);
/**
 * May they do this to the file?
 * want  4 read, 2 write (connect to a socket), 1 enter a folder
 * at    receives the file or folder that does not let them, when the answer is false
 * A path that cannot be looked at answers false, too.
 */
bool sr_who_may(const struct sr_who *who, const char *path, unsigned want, struct sr_buf *at);
bool sr_is_folder(const char *path);
/* The name of a file's owner and of its group, "www-data:www-data". */
void sr_owner_names(uid_t uid, gid_t gid, char out[2 * SR_WHO_NAME]);

#endif
