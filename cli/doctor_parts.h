/* doctor_parts.h - what the checks of Redis and of this machine share with each other. See doctor.h. */
#ifndef SR_DOCTOR_PARTS_H
#define SR_DOCTOR_PARTS_H
#include "cli/doctor.h"
#include "cli/redis_info.h"
#include "cli/rights.h"

#define SR_CURE_MAX 4096
#define SR_DOCTOR_USER "sse-resilience" /* as whom the daemons run where they were installed */

/* Add a line to a cure; one that does not fit is left out. */
void sr_cure_line(struct sr_buf *cure, const char *format, ...) SR_PRINTF(2, 3);

/* --- this machine --- */
/* doctor_socket.c: the responders' socket. */
void sr_doctor_socket(struct sr_doctor *d);
/* As whom the daemons of this configuration run: as a process of theirs does, else as the user made for them. false: not known. */
bool sr_doctor_service(const struct sr_doctor *d, struct sr_who *who);

/* --- Redis --- */
/* One attempt. The call is released. Why it failed: sr_session_why(). */
SR_MUST_CHECK enum sr_err sr_doctor_ask(struct sr_doctor *d, struct sr_call *call, struct sr_reply **reply);
/* How an administrator reaches this Redis: "redis-cli -s /run/redis/redis-server.sock". */
void sr_doctor_redis_cli(const struct sr_doctor *d, char *out, size_t size);
/* The user of Redis that the programs are. */
const char *sr_doctor_redis_user(const struct sr_doctor *d, char out[128]);
/* The lines that give the programs' user these rights: "+hset +zadd ~sse:*". */
void sr_cure_rights(struct sr_buf *cure, const struct sr_doctor *d, const char *rules);
/* What helps against an error of Redis, as far as its words tell. */
void sr_cure_error(struct sr_buf *cure, const struct sr_doctor *d, const char *why);

void sr_doctor_settings(struct sr_doctor *d);
/* false: rights are missing without which no stream can be. */
bool sr_doctor_rights(struct sr_doctor *d);
/* A stream of the doctor's own, from its beginning to its end; `rights` as found. Sets d->redis. */
void sr_doctor_trial(struct sr_doctor *d, bool rights);
void sr_doctor_nodes(struct sr_doctor *d);

#endif
