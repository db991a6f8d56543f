/* turn.h - log pages are read a few at a time: at most SR_READS_MAX are on their way in one process, whoever asks (a viewer, a
 * channel's repair, a recover request); the others wait in the order in which they came. Without this a crowd that comes back
 * would fill Redis's output buffers and this process's memory with pages. */
#ifndef SR_TURN_H
#define SR_TURN_H
#include "fcgi/due.h"

struct sr_hub;

struct sr_turn {
	struct sr_due due;
	void (*go)(struct sr_turn *turn); /* try again now; may be called once a wait */
};

/* true: there is room, send the page and say sr_turn_taken(). false: queued, `go` is called when there is. */
bool sr_turn_ready(struct sr_hub *hub, struct sr_turn *turn, void (*go)(struct sr_turn *));
void sr_turn_taken(struct sr_hub *hub);
/* The page is here, or will not come: the next ones go. Last thing in a callback: they may free whatever is theirs. */
void sr_turn_over(struct sr_hub *hub);

#endif
