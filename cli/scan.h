/* scan.h - the ids of all keys of one kind, by SCAN. */
#ifndef SR_SCAN_H
#define SR_SCAN_H
#include "cli/ctl.h"

struct sr_ids {
	const char **ids;    /* sorted, each once */
	size_t count;
	struct sr_buf names;
};

/* Find them all; what is below such a key's name but no stream id is left out. 0 or the exit code. Release it in either case. */
int sr_scan(struct sr_ctl *ctl, enum sr_key key, struct sr_ids *out);
void sr_ids_release(struct sr_ids *ids);

#endif
