/* wrap_parts.h - shared by wrap.c (the stream, and the life of the whole) and wrap_job.c (the job and what it prints); private to
 * them. */
#ifndef SR_WRAP_PARTS_H
#define SR_WRAP_PARTS_H
#include "cli/ending.h"
#include "cli/job.h"
#include "cli/lookout.h"
#include "cli/tail.h"
#include "cli/wrap.h"
#include "common/clock.h"
#include "common/producer.h"
#include "common/tee.h"

enum sr_wrap_life { SR_WRAP_OPENING, SR_WRAP_RUNNING, SR_WRAP_STORING, SR_WRAP_DONE };

struct sr_wrap {
	struct sr_ctl *ctl;
	const struct sr_wrap_options *o;
	struct ev_loop *loop;
	enum sr_wrap_life life;
	struct sr_producer *producer;
	struct sr_lookout *lookout;
	struct sr_job *job;
	struct sr_mapper mappers[SR_JOB_SOURCES];
	struct sr_tail tail;
	struct sr_tee tees[SR_JOB_SOURCES];
	struct sr_buf result_type, result; /* the terminal event that the job printed last */
	struct sr_ending ending;
	ev_timer wait;       /* opening: for the stream; storing: for the deadline */
	ev_timer timeout, idle, join, look;
	sr_mono_ms moved_at; /* when Redis last stored something, or was first given something to store */
	bool opened;         /* the stream was ours at least once */
	bool warned;         /* of a stream that takes nothing */
	bool settled;        /* storing: it is done, or in vain */
	bool odd;            /* a line that is no event, and that was said */
	bool cut[SR_JOB_SOURCES]; /* our own output takes no more of it, and that was said */
	bool hurried;        /* storing: a signal came, the wait was shortened */
	int asked;           /* signals that ask for an end, so far */
	uint64_t dropped;    /* events that the producer did not take */
	int code;
};

/* wrap.c */

/* Once: the stream takes nothing from us, and from here on the job is alone. */
void sr_wrap_warn(struct sr_wrap *w);
/* Nothing more will be stored: leave, once our own output has been taken, too. */
void sr_wrap_settle(struct sr_wrap *w);
/* The same before the end is stored; why: for the note. */
void sr_wrap_give_up(struct sr_wrap *w, const char *why);
void sr_wrap_leave(struct sr_wrap *w);
/* Leave, if all is settled and written. */
void sr_wrap_leave_if_done(struct sr_wrap *w);

/* wrap_job.c */

/* SR_ENOMEM: sr_wrap_job_release() is still due. */
SR_MUST_CHECK enum sr_err sr_wrap_job_init(struct sr_wrap *w);
void sr_wrap_job_release(struct sr_wrap *w);
/* Start it; it is running then, or its end is being stored. */
void sr_wrap_job_start(struct sr_wrap *w);
/* SIGTERM, and SIGKILL after the grace. why: for the stream; NULL when that has ended. */
void sr_wrap_job_stop(struct sr_wrap *w, const char *why);
/* Have the timer `wait` ring after so long. */
void sr_wrap_wait(struct sr_wrap *w, int64_t ms);
/* Decide which of the job's pipes is read. */
void sr_wrap_regulate(struct sr_wrap *w);

#endif
