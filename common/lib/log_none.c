/* log_none.c - log.h for the library, in place of log.c: it has no log, and writes to no descriptor but its connections'. What
 * matters to its caller is in sse_why(). */
#include "common/log.h"

#include <stdlib.h>

int sr_log_enabled(enum sr_log_level level)
{
	(void)level;
	return 0;
}

void sr_log(enum sr_log_level level, const char *msg, ...)
{
	(void)level;
	(void)msg;
}

const char *sr_log_num(long long n)
{
	(void)n;
	return "";
}

void sr_bug(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	(void)what;
	abort();
}
