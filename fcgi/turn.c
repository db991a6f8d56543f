/* turn.c - see turn.h. */
#include "fcgi/turn.h"

#include "fcgi/hub.h"

bool sr_turn_ready(struct sr_hub *hub, struct sr_turn *turn, void (*go)(struct sr_turn *))
{
	if (hub->reads < SR_READS_MAX)
		return true;
	turn->go = go;
	sr_due_add(&hub->readers, &turn->due, 0);
	return false;
}

void sr_turn_taken(struct sr_hub *hub)
{
	hub->reads++;
}

void sr_turn_over(struct sr_hub *hub)
{
	struct sr_due *first;

	hub->reads--;
	/* One that cannot send takes no turn, so the loop goes on to the next. */
	while (hub->reads < SR_READS_MAX && (first = sr_due_first(&hub->readers))) {
		struct sr_turn *turn = SR_DUE_OWNER(first, struct sr_turn, due);

		sr_due_remove(first);
		turn->go(turn);
	}
}
