#include "common/resident.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

long long sr_resident_bytes(void)
{
	char text[128], *second;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	strtoll(text, &second, 10); /* all of its pages; then those in memory */
	return strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}
