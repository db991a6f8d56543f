/* due.h - things that are due in the order in which they were added: a list for one constant interval, or a plain list.
 * Intrusive and doubly linked; an item is in at most one list. */
#ifndef SR_DUE_H
#define SR_DUE_H
#include "common/clock.h"
#include <stdbool.h>
#include <stddef.h>

struct sr_due {
	struct sr_due *next, *prev; /* NULL: in no list */
	sr_mono_ms at;
};

/* The owner of a list holds a struct sr_due as its head. */
static inline void sr_due_list_init(struct sr_due *head)
{
	head->next = head->prev = head;
}

static inline bool sr_due_listed(const struct sr_due *item)
{
	return item->next != NULL;
}

static inline void sr_due_remove(struct sr_due *item)
{
	if (!item->next)
		return;
	item->prev->next = item->next;
	item->next->prev = item->prev;
	item->next = item->prev = NULL;
}

/* Put the item at the list's end (it may be in another list). */
static inline void sr_due_add(struct sr_due *head, struct sr_due *item, sr_mono_ms at)
{
	sr_due_remove(item);
	item->at = at;
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* The first item, whether due or not; NULL when the list is empty. */
static inline struct sr_due *sr_due_first(struct sr_due *head)
{
	/* The analyzer does not follow that a freed item was unlinked before. */
	return head->next == head ? NULL : head->next; /* NOLINT(clang-analyzer-unix.Malloc) */
}

/* The struct that an item is embedded in. */
#define SR_DUE_OWNER(item, type, member) ((type *)(void *)((char *)(item)-offsetof(type, member)))

#endif
