/* mem.h - allocation in one place, so that tests can make the n-th one fail. */
#ifndef SR_MEM_H
#define SR_MEM_H
#include <stddef.h>

/* As malloc, calloc, realloc and strndup; NULL when memory is out (or a test said so). Freed with free(). */
void *sr_malloc(size_t bytes);
void *sr_calloc(size_t count, size_t bytes);
void *sr_realloc(void *old, size_t bytes);
char *sr_strndup(const char *bytes, size_t len);
char *sr_strdup(const char *text);

/* Tests only: the n-th allocation from now (1 = the next) returns NULL, once; 0 switches it off. Not thread-safe. */
void sr_mem_fail_after(unsigned n);

#endif
