/* keys.h - the only place where a Redis key name is built. Pure.
 * prefix is the option key_prefix ("sse:"); `id` is a valid stream id (id.h), or a node's name for SR_KEY_NODE. */
#ifndef SR_KEYS_H
#define SR_KEYS_H
#include "common/buf.h"

enum sr_key {
	SR_KEY_STREAM,     /* {prefix}stream:{id}      hash: the record */
	SR_KEY_COMPLETION, /* {prefix}completion:{id}  hash: the terminal event */
	SR_KEY_EVENTS,     /* {prefix}events:{id}      stream: the event log */
	SR_KEY_VIEWERS,    /* {prefix}viewers:{id}     hash: node -> "viewers ms" */
	SR_KEY_CHANNEL,    /* {prefix}channel:{id}     Pub/Sub channel, no key */
	SR_KEY_NODE,       /* {prefix}node:{name}      hash: counters of one process */
	SR_KEY_ACTIVE,     /* {prefix}active           zset: last heartbeat, ms */
	SR_KEY_ORPHANED,   /* {prefix}orphaned         zset: leased orphans, ms of the mark */
	SR_KEY_GUARDIAN,   /* {prefix}guardian         hash: the canary and the last pass */
	SR_KEY_NODES,      /* {prefix}nodes            zset: last sign of life, ms */
	SR_KEY_TOTALS,     /* {prefix}totals           hash: counters of all processes that ever were */
	SR_KEY_CHECK       /* {prefix}check            string: a check's proof that Redis can be written */
};

/* Append the name. `id` is ignored (may be NULL) from SR_KEY_ACTIVE on. */
SR_MUST_CHECK enum sr_err sr_key_append(struct sr_buf *out, const char *prefix, enum sr_key key, const char *id);

/* What stands before the id: "sse:stream:". For SCAN patterns and for channels. */
SR_MUST_CHECK enum sr_err sr_key_append_stem(struct sr_buf *out, const char *prefix, enum sr_key key);

#endif
