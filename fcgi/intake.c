/* intake.c - the queue between the threads and the loop, and the threads' start and stop. See intake.h. */
#include "fcgi/intake.h"

#include "common/log.h"
#include "common/mem.h"
#include "fcgi/intake_parts.h"
#include "fcgi/parse.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX 4096      /* requests the loop has not taken yet; then the threads wait */
#define ACCEPT_WAIT_MS 10   /* for a connection that another process took first, should accept() wait at all */

int64_t sr_intake_receive_timeout(struct sr_intake *in)
{
	int64_t ms;

	pthread_mutex_lock(&in->lock);
	ms = in->receive_timeout;
	pthread_mutex_unlock(&in->lock);
	return ms;
}

void sr_intake_user_variable(struct sr_intake *in, char out[SR_USER_VARIABLE_SIZE])
{
	pthread_mutex_lock(&in->lock);
	snprintf(out, SR_USER_VARIABLE_SIZE, "%s", in->user_variable);
	pthread_mutex_unlock(&in->lock);
}

void sr_intake_hand_over(struct sr_intake *in, struct sr_request *request)
{
	if (!request)
		return;
	fcntl(request->fd, F_SETFL, fcntl(request->fd, F_GETFL) | O_NONBLOCK);
	pthread_mutex_lock(&in->lock);
	while (in->queued >= QUEUE_MAX && !in->stopping)
		pthread_cond_wait(&in->room, &in->lock);
	*in->tail = request;
	in->tail = &request->next;
	in->queued++;
	pthread_mutex_unlock(&in->lock);
	ev_async_send(in->loop, &in->arrived);
}

static void on_arrived(struct ev_loop *loop, ev_async *w, int revents)
{
	struct sr_intake *in = w->data;
	struct sr_request *list, *next;

	(void)loop;
	(void)revents;
	pthread_mutex_lock(&in->lock);
	list = in->head;
	in->head = NULL;
	in->tail = &in->head;
	in->queued = 0;
	pthread_cond_broadcast(&in->room);
	pthread_mutex_unlock(&in->lock);
	for (; list; list = next) {
		next = list->next;
		list->next = NULL;
		in->cb(in->ctx, list);
	}
}

static int start_threads(struct sr_intake *in, int count)
{
	sigset_t all, old;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; error == 0 && in->threads < count; in->threads += error == 0)
		error = pthread_create(&in->thread[in->threads], NULL, sr_intake_run, in);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return error;
}

/* The flags of the listening socket belong to all who share it. systemd takes O_NONBLOCK away each time it starts one more of them
 * with the socket as standard input, and whoever is in accept() just then would stay there. The time limit is the socket's
 * own, which nobody resets, and as good: accept() obeys it. */
static int make_accept_return(int listen_fd)
{
	struct timeval tv = {.tv_usec = ACCEPT_WAIT_MS * 1000};

	if (setsockopt(listen_fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) != 0)
		return -1;
	return fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
}

struct sr_intake *sr_intake_start(struct ev_loop *loop, const struct sr_intake_options *o, sr_intake_cb *cb, void *ctx)
{
	struct sr_intake *in = sr_calloc(1, sizeof *in);

	if (!in)
		return NULL;
	in->listen_fd = o->listen_fd;
	in->loop = loop;
	in->cb = cb;
	in->ctx = ctx;
	in->tail = &in->head;
	in->receive_timeout = o->receive_timeout;
	in->user_variable = sr_strdup(o->user_variable);
	in->thread = sr_calloc((size_t)o->threads, sizeof *in->thread);
	in->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&in->lock, NULL);
	pthread_cond_init(&in->room, NULL);
	ev_async_init(&in->arrived, on_arrived);
	in->arrived.data = in;
	ev_async_start(loop, &in->arrived);
	if (!in->user_variable || !in->thread || in->stop_fd < 0 || !sr_parse_init() ||
	    make_accept_return(in->listen_fd) != 0 || start_threads(in, o->threads) != 0) {
		sr_intake_free(in);
		return NULL;
	}
	return in;
}

enum sr_err sr_intake_configure(struct sr_intake *in, int64_t receive_timeout, const char *user_variable)
{
	char *copy = sr_strdup(user_variable), *old;

	if (!copy)
		return SR_ENOMEM;
	pthread_mutex_lock(&in->lock);
	old = in->user_variable;
	in->user_variable = copy;
	in->receive_timeout = receive_timeout;
	pthread_mutex_unlock(&in->lock);
	free(old);
	return SR_OK;
}

void sr_intake_stop(struct sr_intake *in)
{
	pthread_mutex_lock(&in->lock);
	in->stopping = true;
	pthread_cond_broadcast(&in->room);
	pthread_mutex_unlock(&in->lock);
	if (eventfd_write(in->stop_fd, 1) != 0)
		sr_log(SR_LOG_ERROR, "cannot stop the intake", "reason", strerror(errno), (char *)NULL);
}

bool sr_intake_quiet(struct sr_intake *in)
{
	bool quiet;

	pthread_mutex_lock(&in->lock);
	quiet = in->ended == in->threads && !in->head;
	pthread_mutex_unlock(&in->lock);
	return quiet;
}

void sr_intake_free(struct sr_intake *in)
{
	int error = errno;

	if (!in)
		return;
	if (in->stop_fd >= 0)
		sr_intake_stop(in);
	for (int i = 0; i < in->threads; i++)
		pthread_join(in->thread[i], NULL);
	ev_async_stop(in->loop, &in->arrived);
	for (struct sr_request *r = in->head, *next; r; r = next) {
		next = r->next;
		sr_request_free(r);
	}
	if (in->stop_fd >= 0)
		close(in->stop_fd);
	pthread_mutex_destroy(&in->lock);
	pthread_cond_destroy(&in->room);
	free(in->user_variable);
	free(in->thread);
	free(in);
	errno = error;
}
