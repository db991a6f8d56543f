/* folder.h - a private folder for one test, below $TMPDIR (or /tmp). Who makes it removes it; what a killed test leaves goes with the
 * $TMPDIR of the run (tests/tidily.sh). */
#ifndef SR_TEST_FOLDER_H
#define SR_TEST_FOLDER_H
#include <stdbool.h>

/* Room for its path: that of a socket in it, with a name of up to 16 bytes, still fits into a struct sockaddr_un. */
#define FOLDER_SIZE 91

/* Make `name`.XXXXXX, mode 0700, and write its path. false: said on stderr. */
bool folder_make(char path[FOLDER_SIZE], const char *name);

#endif
