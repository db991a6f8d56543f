/* request.h - one parsed request, on its way from an intake thread to the loop. RFC 3875 names. */
#ifndef SR_REQUEST_H
#define SR_REQUEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sr_method { SR_GET, SR_HEAD, SR_OPTIONS, SR_POST, SR_PUT, SR_DELETE, SR_OTHER_METHOD };

/* One allocation; the strings lie behind the struct and are never NULL. Owner: the intake until it hands it over, then the
 * loop. Owns `fd` until somebody takes it (and sets it to -1). */
struct sr_request {
	struct sr_request *next;   /* of the hand-over queue */
	int fd;                    /* the FastCGI connection, non-blocking */
	bool behind_apache;        /* SERVER_SOFTWARE */
	bool has_body;             /* STDIN has content, and is unread: the next byte of fd begins its first record. Else it is read to its end */
	uint16_t id;               /* FastCGI request id */
	enum sr_method method;
	const char *refusal;       /* NULL, or why it is answered with 414 unread; static */
	const char *path;          /* SCRIPT_NAME and PATH_INFO joined: servers split them differently */
	const char *query;         /* QUERY_STRING */
	const char *last_event_id; /* HTTP_LAST_EVENT_ID */
	const char *user;          /* the variable named by user_variable; "" = nobody */
	const char *origin;        /* HTTP_ORIGIN */
	const char *remote_addr;   /* REMOTE_ADDR */
	/* Of POST, PUT and DELETE only; "" otherwise. */
	const char *content_type, *content_length, *idempotency_key; /* HTTP_IDEMPOTENCY_KEY */
	char *authorization;       /* HTTP_AUTHORIZATION; a secret: sr_request_forget() as soon as it is checked */
};

/* The values that a request is made of; NULL = absent. */
struct sr_request_values {
	const char *method, *script_name, *path_info, *query, *last_event_id, *user, *origin, *remote_addr;
	const char *server_software, *content_type, *content_length, *idempotency_key, *authorization;
};

/* A request with fd -1, or NULL when memory is out. Copies everything. */
struct sr_request *sr_request_new(const struct sr_request_values *values);
/* Overwrite `authorization`; it is "" from then on. */
void sr_request_forget(struct sr_request *r);
/* sr_request_forget(), and closes fd if it is still here. NULL is fine. */
void sr_request_free(struct sr_request *r);

/**
 * The raw value of a query parameter; the first one wins. Not decoded: the values this program takes need no escapes.
 * Returns its first byte and *len, or NULL when the name does not occur.
 */
const char *sr_request_param(const struct sr_request *r, const char *name, size_t *len);

#endif
