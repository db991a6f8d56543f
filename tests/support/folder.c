/* folder.c - see folder.h. */
#include "tests/support/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool folder_make(char path[FOLDER_SIZE], const char *name)
{
	const char *below = getenv("TMPDIR");
	int n = snprintf(path, FOLDER_SIZE, "%s/%s.XXXXXX", below && *below ? below : "/tmp", name);

	if (n < 0 || n >= FOLDER_SIZE) {
		fprintf(stderr, "folder: TMPDIR=%s is too long for Unix sockets: set it to at most 64 bytes\n", below ? below : "");
		return false;
	}
	if (mkdtemp(path))
		return true;
	fprintf(stderr, "folder: cannot make %s: %s\n", path, strerror(errno));
	return false;
}
