/* main.c - sse-fcgi: options, socket, signals, the loop. Owns everything that is global. */
#include "common/conf.h"
#include "common/descriptors.h"
#include "common/log.h"
#include "common/notify.h"
#include "fcgi/cgi.h"
#include "fcgi/hub.h"
#include "fcgi/intake.h"
#include "fcgi/route.h"
#include "fcgi/token.h"
#include <errno.h>
#include <ev.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct sr_usage usage = {
    .program = "sse-fcgi",
    .synopsis = "[options]",
    .summary = "Serve event streams over FastCGI. The listening socket is file descriptor 0, as spawn-fcgi, multiwatch and systemd hand it over. "
               "Started by a web server as a CGI program, serve that one request.",
    .examples = "spawn-fcgi -s /run/sse/fcgi.sock -M 0600 -U www-data -F 2 -P /run/sse/pids -- /usr/sbin/sse-fcgi\n"
                "spawn-fcgi -n -s /run/sse/fcgi.sock -- /usr/sbin/sse-fcgi --log-level=debug\n"
                "sse-fcgi --check-config --config=/etc/sse-resilience/sse-resilience.conf\n",
};

struct responder {
	struct ev_loop *loop;
	struct sr_conf conf;
	struct sr_tokens *tokens; /* NULL: publishing is off */
	struct sr_hub *hub;
	bool cgi;                 /* one request, from the environment */
	struct sr_intake *intake; /* NULL then */
	struct sr_notify notify;
	int argc;
	char **argv;
	ev_signal term, intr, usr1, hup;
};

#define OWN_DESCRIPTORS 64 /* Redis, the loop, threads, short answers, and requests that are not whole; what publishes comes on top */

/* A stream takes one descriptor. If there are too few, serve fewer streams, and say so at the start. */
static void fit_descriptors(struct sr_conf *conf)
{
	rlim_t own = OWN_DESCRIPTORS + (conf->publish_token_file[0] ? (rlim_t)conf->publish_requests : 0);
	struct rlimit limit;
	rlim_t wanted = (rlim_t)conf->max_streams + own;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= wanted)
		return;
	conf->max_streams = limit.rlim_cur > 2 * own ? (int64_t)(limit.rlim_cur - own) : (int64_t)limit.rlim_cur / 2;
	sr_log(SR_LOG_WARN, "too few open files, max_streams is lowered", "max_streams", sr_log_num(conf->max_streams), "limit",
	       sr_log_num((long long)limit.rlim_cur), "wanted", sr_log_num((long long)wanted), "raise", "LimitNOFILE or ulimit -n", (char *)NULL);
}

static void on_request(void *ctx, struct sr_request *request)
{
	struct responder *r = ctx;

	sr_route(r->hub, request);
}

static void on_stop(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct responder *r = w->data;

	(void)loop;
	(void)revents;
	if (!r->cgi) {
		sr_notify_stopping();
		sr_intake_stop(r->intake);
	}
	sr_hub_drain(r->hub);
}

/* What the running connections and threads were made with. */
static const char *fixed_option_changed(const struct sr_conf *a, const struct sr_conf *b)
{
	if (strcmp(a->redis_url, b->redis_url) != 0)
		return "redis_url";
	if (strcmp(a->redis_password_file, b->redis_password_file) != 0)
		return "redis_password_file";
	if (strcmp(a->key_prefix, b->key_prefix) != 0)
		return "key_prefix";
	if (a->intake_threads != b->intake_threads)
		return "intake_threads";
	return NULL;
}

/* The tokens of a configuration; *tokens stays NULL where publishing is off. */
static enum sr_err load_tokens(struct sr_tokens **tokens, const struct sr_conf *conf, struct sr_buf *why)
{
	return conf->publish_token_file[0] ? sr_tokens_load(tokens, conf->publish_token_file, why) : SR_OK;
}

/* Takes both. */
static void adopt(struct responder *r, struct sr_conf *fresh, struct sr_tokens *tokens)
{
	struct sr_conf old = r->conf;

	if (sr_intake_configure(r->intake, fresh->receive_timeout, fresh->user_variable) != SR_OK ||
	    sr_log_open(usage.program, fresh->log_target, (enum sr_log_level)fresh->log_level) != SR_OK) {
		sr_log(SR_LOG_ERROR, "configuration kept", "reason", strerror(errno), (char *)NULL);
		sr_conf_release(fresh);
		sr_tokens_free(tokens);
		return;
	}
	sr_tokens_free(r->tokens);
	r->tokens = tokens;
	r->conf = *fresh;
	fit_descriptors(&r->conf);
	sr_hub_configure(r->hub, &r->conf, r->tokens);
	sr_conf_release(&old);
	sr_log(SR_LOG_INFO, "configuration read again", (char *)NULL);
}

/* After a rotation. Whatever becomes of the configuration: it is also what logrotate sends. */
static void reopen_log(const struct sr_conf *conf)
{
	if (sr_log_open(usage.program, conf->log_target, (enum sr_log_level)conf->log_level) != SR_OK)
		sr_log(SR_LOG_ERROR, "the log stays where it is", "target", conf->log_target, "reason", strerror(errno), (char *)NULL);
}

static void on_hup(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct responder *r = w->data;
	struct sr_conf fresh = {.redis_url = NULL};
	struct sr_tokens *tokens = NULL;
	struct sr_buf why;
	const char *fixed;

	(void)loop;
	(void)revents;
	sr_notify_reloading();
	reopen_log(&r->conf);
	sr_buf_init(&why, 4096);
	if (sr_conf_reload(&fresh, &usage, r->argc, r->argv, &why) != SR_OK) {
		sr_log(SR_LOG_ERROR, "configuration refused, the old one is kept", "reason", sr_buf_text(&why), (char *)NULL);
	} else if ((fixed = fixed_option_changed(&r->conf, &fresh)) != NULL) {
		sr_log(SR_LOG_ERROR, "configuration refused, the old one is kept", "reason", "this option needs a restart", "option", fixed, (char *)NULL);
		sr_conf_release(&fresh);
	} else if (load_tokens(&tokens, &fresh, &why) != SR_OK) {
		sr_log(SR_LOG_ERROR, "configuration refused, the old one is kept", "reason", why.len ? why.data : "out of memory", (char *)NULL);
		sr_conf_release(&fresh);
	} else {
		adopt(r, &fresh, tokens);
	}
	sr_buf_release(&why);
	sr_notify_reloaded();
}

/* What systemctl status shows. */
static void describe(void *ctx, char *out, size_t size)
{
	const struct sr_hub *hub = ((const struct responder *)ctx)->hub;

	snprintf(out, size, "%s; %zu streams, %zu viewers%s", sr_hub_online(hub) ? "Redis ready" : "Redis is away", hub->channels.count, hub->viewers,
	         hub->draining ? "; draining" : "");
}

static void watch_signal(struct responder *r, ev_signal *w, void (*cb)(struct ev_loop *, ev_signal *, int), int number)
{
	ev_signal_init(w, cb, number);
	w->data = r;
	ev_signal_start(r->loop, w);
}

static bool is_listening(int fd)
{
	int value = 0;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value;
}

static int start_hub(struct responder *r)
{
	struct sr_buf why;

	sr_buf_init(&why, 4096);
	if (load_tokens(&r->tokens, &r->conf, &why) == SR_OK)
		r->hub = sr_hub_new(r->loop, &r->conf, r->tokens, r->cgi, &why);
	if (!r->hub) {
		sr_log(SR_LOG_ERROR, "cannot start", "reason", why.len ? why.data : "out of memory", (char *)NULL);
		fprintf(stderr, "sse-fcgi: %s\n", why.len ? why.data : "out of memory");
		sr_buf_release(&why);
		return SR_EX_CONFIG;
	}
	sr_buf_release(&why);
	return SR_EX_OK;
}

static int start_intake(struct responder *r)
{
	struct sr_intake_options intake = {.listen_fd = 0, .threads = (int)r->conf.intake_threads, .receive_timeout = r->conf.receive_timeout,
	                                   .user_variable = r->conf.user_variable};

	r->intake = sr_intake_start(r->loop, &intake, on_request, r);
	if (r->intake)
		return SR_EX_OK;
	sr_log(SR_LOG_ERROR, "cannot start the intake", "reason", strerror(errno), (char *)NULL);
	return SR_EX_IO;
}

static void watch_signals(struct responder *r)
{
	watch_signal(r, &r->term, on_stop, SIGTERM);
	watch_signal(r, &r->intr, on_stop, SIGINT);
	watch_signal(r, &r->usr1, on_stop, SIGUSR1); /* multiwatch's way to say stop */
	if (r->cgi)
		signal(SIGHUP, SIG_IGN); /* one request, one configuration */
	else
		watch_signal(r, &r->hup, on_hup, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
}

/* Until a drain is over: all streams have ended, and what the threads had accepted before has come and been answered. */
static void serve(struct responder *r)
{
	bool quiet;

	sr_log(SR_LOG_INFO, "serving", "mount", r->conf.mount, "redis", r->conf.redis_url, "node", r->hub->node, (char *)NULL);
	sr_notify_start(&r->notify, r->loop, describe, r);
	do {
		quiet = sr_intake_quiet(r->intake); /* before the loop, which then looks after what came last */
		ev_run(r->loop, 0);
	} while (!quiet);
	sr_hub_leave(r->hub);
	sr_log(SR_LOG_INFO, "stopped", (char *)NULL);
}

static int run_cgi(struct responder *r)
{
	int code = start_hub(r);

	if (code != SR_EX_OK)
		return code;
	watch_signals(r);
	if (sr_cgi_serve(r->hub))
		return SR_EX_OK;
	sr_log(SR_LOG_ERROR, "cannot serve the request", "reason", strerror(errno), (char *)NULL);
	return SR_EX_LATER;
}

static int run_fastcgi(struct responder *r)
{
	int code;

	fit_descriptors(&r->conf);
	code = start_hub(r);
	if (code == SR_EX_OK)
		code = start_intake(r);
	if (code != SR_EX_OK)
		return code;
	watch_signals(r);
	serve(r);
	return SR_EX_OK;
}

/* The life of each request is no news: a web server's error log would have two lines for each. */
static enum sr_log_level log_level(const struct responder *r)
{
	return r->cgi && r->conf.log_level == SR_LOG_INFO ? SR_LOG_WARN : (enum sr_log_level)r->conf.log_level;
}

int main(int argc, char **argv)
{
	struct responder r = {.argc = argc, .argv = argv};
	char **operands;
	int code = SR_EX_OK;

	if (!sr_descriptors_fill())
		return SR_EX_LATER;
	/* As a CGI program: a query without '=' may come as arguments (RFC 3875, 4.4), and no client may give us options. */
	if (argc > 1 && sr_cgi_asked()) {
		r.argc = argc = 1;
		argv[1] = NULL;
	}
	switch (sr_conf_start(&r.conf, &usage, argc, argv, &operands, &code)) {
	case SR_CONF_STOP: return SR_EX_OK;
	case SR_CONF_REFUSE: return code;
	case SR_CONF_RUN: break;
	}
	r.cgi = !is_listening(0) && sr_cgi_asked();
	if (operands[0] || (!r.cgi && !is_listening(0))) {
		fprintf(stderr, "sse-fcgi: %s\nTry: spawn-fcgi -n -s /tmp/sse.sock -- %s\n",
		        operands[0] ? "takes no operands" : "file descriptor 0 is no listening socket", argv[0]);
		sr_conf_release(&r.conf);
		return SR_EX_USAGE;
	}
	if (sr_log_open(usage.program, r.conf.log_target, log_level(&r)) != SR_OK) {
		fprintf(stderr, "sse-fcgi: cannot open log_target %s: %s\n", r.conf.log_target, strerror(errno));
		sr_conf_release(&r.conf);
		return SR_EX_CONFIG;
	}
	mallopt(M_ARENA_MAX, 1); /* the threads allocate little and briefly; one arena keeps the process small */
	r.loop = ev_default_loop(EVFLAG_AUTO);
	code = r.cgi ? run_cgi(&r) : run_fastcgi(&r);
	sr_intake_free(r.intake);
	sr_hub_free(r.hub);
	sr_tokens_free(r.tokens);
	ev_loop_destroy(r.loop);
	sr_log_close();
	sr_conf_release(&r.conf);
	return code;
}
