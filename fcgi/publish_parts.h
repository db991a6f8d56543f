/* publish_parts.h - what publish.c and publish_form.c share. Nobody else includes it. */
#ifndef SR_PUBLISH_PARTS_H
#define SR_PUBLISH_PARTS_H
#include "common/batch.h"
#include "common/ndjson.h"
#include "fcgi/change.h"

enum sr_format { SR_FORMAT_NONE, SR_FORMAT_OBJECT, SR_FORMAT_LINES, SR_FORMAT_FORM };

struct sr_publishing {
	struct sr_change change;   /* first */
	enum sr_format format;
	struct sr_buf text;        /* the body, of an object or a form */
	struct sr_ndjson in;       /* lines; and in any format the event that was read: type, data, why */
	struct sr_batch batch;
	uint64_t number;           /* of the last event that was sent; events are numbered from change.n, or from 1 */
	bool held;                 /* `in` holds an event that did not fit into the batch on its way */
	bool beats;                /* no events: a sign of life */
	bool fresh;                /* something was stored that was not there */
	uint64_t forgotten;        /* events up to now of which Redis only says that their number is too low */
	uint64_t known;            /* ids that Redis told */
	struct sr_buf ids;         /* the first of them: "1-0","1-1" */
	char first_id[SR_EVENT_ID_SIZE], last_id[SR_EVENT_ID_SIZE];
};

/* What a Content-Type means; "" is an object. NONE: not ours, or not UTF-8. */
enum sr_format sr_publish_format(const char *content_type);
/* Read the form in `text`: the event into `in`, the key or the producer into the change. false: refused. */
bool sr_publish_form(struct sr_publishing *p);

#endif
