#include "common/conf_parts.h"
#include <arpa/inet.h>
#include <string.h>

struct address {
	unsigned char bytes[16];
	int bits; /* 32 or 128: of the whole address */
};

struct rule {
	bool unix_peer; /* the word `unix`; the rest is then unset */
	struct address address;
	int bits; /* how many of them must be equal */
};

/* A dual-stack listener reports IPv4 peers as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
static void unmap(struct address *a)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->bits == 128 && memcmp(a->bytes, mapped, sizeof mapped) == 0) {
		memmove(a->bytes, a->bytes + 12, 4);
		a->bits = 32;
	}
}

static bool read_address(struct address *a, const char *text)
{
	if (inet_pton(AF_INET, text, a->bytes) == 1)
		a->bits = 32;
	else if (inet_pton(AF_INET6, text, a->bytes) == 1)
		a->bits = 128;
	else
		return false;
	return true;
}

/* 0 to 128 in one to three digits, or -1. */
static int read_bits(const char *text)
{
	size_t len = strspn(text, "0123456789");
	int bits = 0;

	if (len < 1 || len > 3 || text[len] != '\0')
		return -1;
	for (; *text; text++)
		bits = 10 * bits + (*text - '0');
	return bits;
}

static bool read_rule(struct rule *r, const char *bytes, size_t len)
{
	char text[INET6_ADDRSTRLEN + 8];
	char *slash;
	int whole;

	if (len >= sizeof text)
		return false;
	memcpy(text, bytes, len);
	text[len] = '\0';
	r->unix_peer = strcmp(text, "unix") == 0;
	if (r->unix_peer)
		return true;
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	if (!read_address(&r->address, text))
		return false;
	whole = r->address.bits;
	r->bits = slash ? read_bits(slash + 1) : whole;
	if (r->bits < 0 || r->bits > whole)
		return false;
	/* A range of mapped addresses is the range of IPv4; one that reaches beyond them stays IPv6. */
	if (r->bits >= 96)
		unmap(&r->address);
	if (whole != r->address.bits)
		r->bits -= 96;
	return true;
}

static bool matches(const struct rule *r, const struct address *a)
{
	int whole = r->bits / 8, rest = r->bits % 8;

	if (r->address.bits != a->bits || memcmp(r->address.bytes, a->bytes, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((r->address.bytes[whole] ^ a->bytes[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

/* The next word of the list, or false at its end. */
static bool next_word(const char **list, const char **word, size_t *len)
{
	*word = *list + strspn(*list, " ");
	*len = strcspn(*word, " ");
	*list = *word + *len;
	return *len > 0;
}

const char *sr_check_addresses(const char *text)
{
	const char *word;
	struct rule r;
	size_t len;

	while (next_word(&text, &word, &len))
		if (!read_rule(&r, word, len))
			return "must list IPv4 or IPv6 addresses, address/bits, or unix";
	return NULL;
}

bool sr_conf_address_allowed(const char *allow_list, const char *remote_addr)
{
	bool unix_peer = !remote_addr || remote_addr[0] == '\0' || strncmp(remote_addr, "unix:", 5) == 0;
	struct address peer;
	const char *word;
	struct rule r;
	size_t len;

	if (!unix_peer) {
		if (!read_address(&peer, remote_addr))
			return false;
		unmap(&peer);
	}
	while (next_word(&allow_list, &word, &len)) {
		if (!read_rule(&r, word, len) || r.unix_peer != unix_peer)
			continue;
		if (unix_peer || matches(&r, &peer))
			return true;
	}
	return false;
}
