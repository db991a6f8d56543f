#include "common/mem.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static unsigned fail_countdown; /* 0 = off; written by tests only, so reading it from many threads is no race */

void sr_mem_fail_after(unsigned n)
{
	fail_countdown = n;
}

static int must_fail(void)
{
	if (fail_countdown == 0)
		return 0;
	return --fail_countdown == 0;
}

void *sr_malloc(size_t bytes)
{
	return must_fail() ? NULL : malloc(bytes);
}

void *sr_calloc(size_t count, size_t bytes)
{
	return must_fail() ? NULL : calloc(count, bytes);
}

void *sr_realloc(void *old, size_t bytes)
{
	return must_fail() ? NULL : realloc(old, bytes);
}

char *sr_strndup(const char *bytes, size_t len)
{
	char *copy;

	len = strnlen(bytes, len);
	if (len == SIZE_MAX || !(copy = sr_malloc(len + 1)))
		return NULL;
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

char *sr_strdup(const char *text)
{
	return sr_strndup(text, strlen(text));
}
