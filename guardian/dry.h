/* dry.h - --dry-run: say what a pass would look at, and change nothing at all in Redis. */
#ifndef SR_DRY_H
#define SR_DRY_H
#include "common/conf.h"

/* One line a stream on stdout, then the counts. Returns the exit code: 0; 69, 75, 77 when Redis is away, busy or denies; 74
 * when stdout cannot be written; 70. */
int sr_dry_run(const struct sr_conf *conf);

#endif
