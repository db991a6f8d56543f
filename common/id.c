#include "common/id.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_alnum(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Are all `len` bytes letters, digits or one of `extra`? NUL must not match the terminator of `extra`. */
static bool only(const char *bytes, size_t len, const char *extra)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(bytes[i]) && (bytes[i] == '\0' || !strchr(extra, bytes[i])))
			return false;
	return true;
}

static bool is_one_of(const char *bytes, size_t len, const char *const words[3])
{
	for (int i = 0; i < 3; i++)
		if (strlen(words[i]) == len && memcmp(words[i], bytes, len) == 0)
			return true;
	return false;
}

bool sr_stream_id_valid(const char *bytes, size_t len)
{
	if (len < 1 || len > SR_STREAM_ID_MAX || (len == 1 && bytes[0] == '-'))
		return false;
	return only(bytes, len, "._~:-");
}

bool sr_event_type_valid(const char *bytes, size_t len)
{
	return len >= 1 && len <= SR_EVENT_TYPE_MAX && only(bytes, len, "._:-");
}

bool sr_event_type_reserved(const char *bytes, size_t len)
{
	static const char *const words[3] = {"connected", "gap", "orphaned"};

	return is_one_of(bytes, len, words);
}

bool sr_event_type_terminal(const char *bytes, size_t len)
{
	static const char *const words[3] = {"completed", "failed", "cancelled"};

	return is_one_of(bytes, len, words);
}

bool sr_producer_name_valid(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(bytes[i] >= 'a' && bytes[i] <= 'z') && !(bytes[i] >= '0' && bytes[i] <= '9'))
			return false;
	return len >= 1 && len <= SR_PRODUCER_NAME_MAX;
}

bool sr_user_valid(const char *bytes, size_t len)
{
	if (len < 1 || len > SR_USER_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
			return false;
	return true;
}

/* One decimal number of the form that Redis prints; the form is unique, so that ids compare as bytes too. */
static bool parse_u64(uint64_t *out, const char *digits, size_t len)
{
	uint64_t n = 0;

	if (len < 1 || (len > 1 && digits[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char)digits[i] - (unsigned)'0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = 10 * n + digit;
	}
	*out = n;
	return true;
}

enum sr_err sr_event_id_parse(struct sr_event_id *out, const char *bytes, size_t len)
{
	const char *dash = len > 0 ? memchr(bytes, '-', len) : NULL;
	struct sr_event_id id;
	size_t before;

	if (!dash)
		return SR_EINVAL;
	before = (size_t)(dash - bytes);
	if (!parse_u64(&id.ms, bytes, before) || !parse_u64(&id.seq, dash + 1, len - before - 1))
		return SR_EINVAL;
	*out = id;
	return SR_OK;
}

char *sr_event_id_format(char out[SR_EVENT_ID_SIZE], struct sr_event_id id)
{
	snprintf(out, SR_EVENT_ID_SIZE, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
	return out;
}

int sr_event_id_compare(struct sr_event_id a, struct sr_event_id b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return a.seq < b.seq ? -1 : a.seq > b.seq;
}
