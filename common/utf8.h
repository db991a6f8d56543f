/* utf8.h - the shape of UTF-8 (Unicode 15, table 3-7; RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF.
 * Pure. */
#ifndef SR_UTF8_H
#define SR_UTF8_H
#include <stddef.h>

/* The length, 1 to 4, of the character that `bytes` begins with; 0 when there is none in the `len` bytes. */
size_t sr_utf8_length(const char *bytes, size_t len);

#endif
