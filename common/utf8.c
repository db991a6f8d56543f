#include "common/utf8.h"

static int is_tail(unsigned char c)
{
	return c >= 0x80 && c <= 0xbf;
}

size_t sr_utf8_length(const char *bytes, size_t len)
{
	const unsigned char *c = (const unsigned char *)bytes;
	unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
	size_t need;

	if (len == 0)
		return 0;
	if (c[0] < 0x80)
		return 1;
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	need = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
	if (c[0] == 0xe0)
		low = 0xa0;
	else if (c[0] == 0xed)
		high = 0x9f;
	else if (c[0] == 0xf0)
		low = 0x90;
	else if (c[0] == 0xf4)
		high = 0x8f;
	if (len < need || c[1] < low || c[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if (!is_tail(c[i]))
			return 0;
	return need;
}
