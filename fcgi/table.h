/* table.h - the channels of a process by their streams' ids: a hash table, chained through the channels. */
#ifndef SR_TABLE_H
#define SR_TABLE_H
#include <stdbool.h>
#include <stddef.h>

struct sr_channel;

struct sr_table {
	struct sr_channel **buckets;
	size_t size;  /* buckets, a power of two */
	size_t count; /* channels */
};

/* false: out of memory; sr_table_release() is fine all the same. */
bool sr_table_init(struct sr_table *t);
/* The channels are not freed. */
void sr_table_release(struct sr_table *t);

/* NULL when there is none. */
struct sr_channel *sr_table_find(const struct sr_table *t, const char *id, size_t len);
/* Its id must not be there yet. Never fails: without memory for more buckets the chains grow longer. */
void sr_table_add(struct sr_table *t, struct sr_channel *ch);
/* It must be there. */
void sr_table_remove(struct sr_table *t, struct sr_channel *ch);
/* One after the other, in no order; NULL behind the last. A channel may be removed once the one after it is known. */
struct sr_channel *sr_table_first(const struct sr_table *t);
struct sr_channel *sr_table_after(const struct sr_table *t, const struct sr_channel *ch);

#endif
