/* inspect.h - look at the first bytes of a FastCGI connection before libfcgi does. Pure.
 * Rules: FastCGI 1.0, sections 3.3 (records), 3.4 (name-value pairs), 5.1 (BEGIN_REQUEST), 5.2 (PARAMS), 5.3 (STDIN).
 * Why: libfcgi 2.4 blocks its thread for ever on a peer that stops in the middle of a record, and aborts the whole process
 * on a pair whose length is just below 2^31. What passes here is complete and consistent, so libfcgi neither waits nor aborts.
 * A body is not looked at: the loop reads it, and libfcgi never sees it. */
#ifndef SR_INSPECT_H
#define SR_INSPECT_H
#include <stddef.h>
#include <stdint.h>

#define SR_PARAMS_BYTES_MAX 65536u /* of one request, all PARAMS together */
#define SR_PARAMS_MAX 512u         /* name-value pairs */
/* Whoever peeks needs room for the largest head that passes, in the smallest sensible records. */
#define SR_INSPECT_BYTES_MAX (SR_PARAMS_BYTES_MAX + 32768u)

enum sr_inspect {
	SR_INSPECT_MORE,  /* fine so far, but it cannot be said yet whether a body follows */
	SR_INSPECT_WHOLE, /* BEGIN_REQUEST, all PARAMS and the end of STDIN are in, and well formed: a request without a body */
	SR_INSPECT_BODY,  /* the same, but STDIN has content: the head is whole, the body follows it */
	SR_INSPECT_BAD,   /* not FastCGI, or not a request to a responder */
	SR_INSPECT_BIG    /* past a limit; *request_id is known and can be answered */
};

/**
 * Judge the first `len` bytes of a connection.
 * request_id  set once BEGIN_REQUEST was seen, else 0
 * head        set on SR_INSPECT_BODY: bytes of BEGIN_REQUEST and PARAMS; the next one begins the first STDIN record
 * why         set to a static text on SR_INSPECT_BAD and SR_INSPECT_BIG
 */
enum sr_inspect sr_inspect(const uint8_t *bytes, size_t len, uint16_t *request_id, size_t *head, const char **why);

#endif
