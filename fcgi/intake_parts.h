/* intake_parts.h - shared by intake.c (the queue, start and stop) and intake_thread.c (accepting, and waiting for heads); private to them. */
#ifndef SR_INTAKE_PARTS_H
#define SR_INTAKE_PARTS_H
#include "fcgi/intake.h"
#include <pthread.h>
#include <stdatomic.h>

#define SR_USER_VARIABLE_SIZE 128

struct sr_intake {
	int listen_fd, stop_fd; /* stop_fd is readable from sr_intake_stop() on */
	struct ev_loop *loop;
	ev_async arrived;
	sr_intake_cb *cb;
	void *ctx;
	int threads;
	pthread_t *thread;
	atomic_bool stopping;
	atomic_int ended;       /* threads */

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t room;
	struct sr_request *head, **tail;
	unsigned queued;
	int64_t receive_timeout;
	char *user_variable;
};

/* intake.c: the values of now, from any thread. */
int64_t sr_intake_receive_timeout(struct sr_intake *in);
void sr_intake_user_variable(struct sr_intake *in, char out[SR_USER_VARIABLE_SIZE]);
/* Give the loop a request. Waits while the loop is far behind. NULL is fine. */
void sr_intake_hand_over(struct sr_intake *in, struct sr_request *request);

/* intake_thread.c: the life of one thread; arg: the intake. */
void *sr_intake_run(void *arg);

#endif
