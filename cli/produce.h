/* produce.h - what the producing commands share. */
#ifndef SR_PRODUCE_H
#define SR_PRODUCE_H
#include "cli/ctl.h"

#define SR_PRODUCER_SIZE 33 /* 32 characters and NUL */
#define SR_N_MAX ((UINT64_C(1) << 53) - 1) /* the scripts count in doubles */

struct sr_producer {
	struct sr_publish publish; /* id, user, create, producer, n */
	char name[SR_PRODUCER_SIZE];
	bool named;                /* --producer was given */
};

/* Fill from the flags and reach Redis. 0 or the exit code. */
int sr_producer_start(struct sr_ctl *ctl, struct sr_producer *p, const char *id);

/**
 * Say why a publish or an end was not stored.
 * Returns 0 for an outcome that is none (SR_NEW, SR_SAME), else the exit code. `detail` is put behind the message: "; 3 events stored".
 */
int sr_producer_refused(const struct sr_ctl *ctl, const struct sr_producer *p, const struct sr_publish_result *result, const char *detail);

/* Print an event's id. SR_ENOMEM when that failed. */
SR_MUST_CHECK enum sr_err sr_producer_print(struct sr_ctl *ctl, struct sr_json *json, const char *event_id, bool repeat);

/* bulk.c: `emit ID -` */
int sr_bulk(struct sr_ctl *ctl, const char *id);

#endif
