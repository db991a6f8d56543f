/* guardian.h - the process: one connection, one canary a second, one pass each check_interval.
 *
 *   connection up ──> canary, node report
 *   pass timer ─────> round ──done──> timer: check_interval, or when an orphan's grace ends, or when the proof is whole
 *   tick ───────────> was this process held up? then the round is skipped
 *   SIGHUP ─────────> configuration        SIGTERM, SIGINT ──> the call on its way, then the end */
#ifndef SR_GUARDIAN_H
#define SR_GUARDIAN_H
#include "common/conf.h"

/* What is needed to read the configuration again. */
struct sr_command { const struct sr_usage *usage; int argc; char **argv; };

/**
 * Guard until a signal ends it or, with `once`, for one whole pass.
 * conf     the caller's; replaced on SIGHUP
 * Returns  the exit code. once: 0 after the pass; 69 Redis was not reached within 10 s; 75 no proof within proof_window + 30 s,
 *          or a signal came first; 77 Redis denied this user. Else 0 after a signal. 70 or 78 when it could not start.
 */
int sr_guardian_run(struct sr_conf *conf, const struct sr_command *command, bool once);

#endif
