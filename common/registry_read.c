/* registry_read.c - the replies of registry.h. */
#include "common/registry.h"

#include <string.h>

static enum sr_err event_id_at(const struct sr_reply *reply, size_t i, struct sr_event_id *out)
{
	size_t len;
	const char *text = sr_reply_text_at(reply, i, &len);

	return sr_event_id_parse(out, text, len) == SR_OK ? SR_OK : SR_EREPLY;
}

/* The codes that all scripts of one stream share. false: the code is the verb's own. */
static bool common_outcome(long long code, enum sr_outcome *out)
{
	switch (code) {
	case 0: *out = SR_SAME; return true;
	case 1: *out = SR_NEW; return true;
	case -1: *out = SR_UNKNOWN; return true;
	case -2: *out = SR_ENDED; return true;
	case -3: *out = SR_FOREIGN; return true;
	default: return false;
	}
}

#define NO_CODE (-1000)

enum sr_err sr_attach_read(const struct sr_reply *reply, struct sr_attach_result *out)
{
	long long code = sr_reply_int_at(reply, 0, NO_CODE);

	*out = (struct sr_attach_result){.gap = ""};
	switch (code) {
	case -1: out->outcome = SR_UNKNOWN; return SR_OK;
	case -3: out->outcome = SR_FOREIGN; return SR_OK;
	case 3: out->outcome = SR_EXPIRED; return event_id_at(reply, 2, &out->last);
	case 0: case 1: case 2: break;
	default: return SR_EREPLY;
	}
	if (event_id_at(reply, 2, &out->last) != SR_OK || event_id_at(reply, 3, &out->from) != SR_OK)
		return SR_EREPLY;
	out->gap = sr_reply_text_at(reply, 4, NULL);
	out->more = event_id_at(reply, 5, &out->next) == SR_OK;
	if (code == 2) {
		out->outcome = SR_ENDED;
		out->end_type = sr_reply_text_at(reply, 6, &out->end_type_len);
		out->end_data = sr_reply_text_at(reply, 7, &out->end_data_len);
		return sr_reply_count(reply) == 8 ? SR_OK : SR_EREPLY;
	}
	out->outcome = code == 1 ? SR_NEW : SR_SAME;
	out->orphaned = strcmp(sr_reply_text_at(reply, 1, NULL), "orphaned") == 0;
	out->leased = sr_reply_int_at(reply, 6, 0) == 1;
	out->type = sr_reply_text_at(reply, 7, NULL);
	out->metadata = sr_reply_text_at(reply, 8, NULL);
	out->started_at = sr_reply_text_at(reply, 9, NULL);
	out->owner = sr_reply_text_at(reply, 10, NULL);
	return sr_reply_count(reply) == 11 ? SR_OK : SR_EREPLY;
}

enum sr_err sr_detach_read(const struct sr_reply *reply, bool *unregistered)
{
	long long code = sr_reply_int(reply, NO_CODE);

	*unregistered = code == 1;
	return code == 0 || code == 1 ? SR_OK : SR_EREPLY;
}

enum sr_err sr_beat_read(const struct sr_reply *reply, size_t i, struct sr_beat_result *out)
{
	switch (sr_reply_int_at(reply, 2 * i, NO_CODE)) {
	case 1: out->outcome = SR_SAME; break;
	case -1: out->outcome = SR_REVIVED; break;
	case 2: out->outcome = SR_ENDED; break;
	case 0: out->outcome = SR_UNKNOWN; break;
	case -4: out->outcome = SR_FENCED; break;
	case -9: out->outcome = SR_BROKEN; break;
	default: return SR_EREPLY;
	}
	return event_id_at(reply, 2 * i + 1, &out->last);
}

enum sr_err sr_log_read(const struct sr_reply *reply, size_t i, struct sr_log_entry *out)
{
	const struct sr_reply *entry = sr_reply_at(reply, i), *fields = sr_reply_at(entry, 1);

	*out = (struct sr_log_entry){.type = "", .data = "{}", .data_len = 2};
	if (event_id_at(entry, 0, &out->id) != SR_OK)
		return SR_EREPLY;
	for (size_t f = 0; f + 1 < sr_reply_count(fields); f += 2) {
		const char *name = sr_reply_text_at(fields, f, NULL);

		if (strcmp(name, "type") == 0)
			out->type = sr_reply_text_at(fields, f + 1, &out->type_len);
		else if (strcmp(name, "data") == 0)
			out->data = sr_reply_text_at(fields, f + 1, &out->data_len);
	}
	return SR_OK;
}

/* The next word of a push; NULL at its end. */
static const char *word(const char **at, const char *end, size_t *len)
{
	const char *start = *at, *space;

	if (start >= end)
		return NULL;
	space = memchr(start, ' ', (size_t)(end - start));
	*len = space ? (size_t)(space - start) : (size_t)(end - start);
	*at = space ? space + 1 : end;
	return start;
}

enum sr_err sr_push_read(const char *payload, size_t len, struct sr_push *out)
{
	const char *at = payload, *end = payload + len, *text, *line;
	size_t word_len = 0;

	*out = (struct sr_push){.owner = ""};
	text = word(&at, end, &word_len);
	if (!text || sr_event_id_parse(&out->event.id, text, word_len) != SR_OK)
		return SR_EREPLY;
	text = word(&at, end, &word_len);
	if (!text || sr_event_id_parse(&out->prev, text, word_len) != SR_OK)
		return SR_EREPLY;
	out->event.type = word(&at, end, &out->event.type_len);
	line = out->event.type ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	if (!line)
		return SR_EREPLY;
	out->owner = at;
	out->owner_len = (size_t)(line - at);
	out->event.data = line + 1;
	out->event.data_len = (size_t)(end - line - 1);
	out->inlined = out->event.data_len > 0;
	return SR_OK;
}

static const char *known_state(const char *type)
{
	return sr_event_type_terminal(type, strlen(type)) ? type : "completed";
}

enum sr_err sr_recover_read(const struct sr_reply *reply, struct sr_recover_result *out)
{
	*out = (struct sr_recover_result){.state = ""};
	switch (sr_reply_int_at(reply, 0, NO_CODE)) {
	case -1: out->outcome = SR_UNKNOWN; return SR_OK;
	case -3: out->outcome = SR_FOREIGN; return SR_OK;
	case 3:
		out->outcome = SR_EXPIRED;
		out->state = sr_reply_text_at(reply, 1, NULL);
		return SR_OK;
	case 1:
		out->outcome = SR_SAME;
		out->state = sr_reply_text_at(reply, 1, NULL);
		out->started_at = sr_reply_text_at(reply, 2, NULL);
		out->last_heartbeat = sr_reply_text_at(reply, 3, NULL);
		out->type = sr_reply_text_at(reply, 5, NULL);
		out->first_known = event_id_at(reply, 6, &out->first) == SR_OK;
		return event_id_at(reply, 4, &out->last);
	case 2:
		out->outcome = SR_ENDED;
		out->end_type = sr_reply_text_at(reply, 1, &out->end_type_len);
		out->end_data = sr_reply_text_at(reply, 2, &out->end_data_len);
		out->completed_at = sr_reply_text_at(reply, 3, NULL);
		out->state = known_state(out->end_type);
		if (event_id_at(reply, 4, &out->last) != SR_OK)
			out->last = SR_EVENT_ID_START; /* a foreign completion, not yet adopted */
		out->first_known = event_id_at(reply, 5, &out->first) == SR_OK;
		return SR_OK;
	default: return SR_EREPLY;
	}
}

enum sr_err sr_open_read(const struct sr_reply *reply, struct sr_open_result *out)
{
	*out = (struct sr_open_result){.epoch = "", .state = ""};
	if (!common_outcome(sr_reply_int_at(reply, 0, NO_CODE), &out->outcome))
		return SR_EREPLY;
	if (out->outcome == SR_ENDED)
		out->state = sr_reply_text_at(reply, 1, NULL);
	else if (out->outcome != SR_FOREIGN)
		out->epoch = sr_reply_text_at(reply, 1, NULL);
	return SR_OK;
}

enum sr_err sr_publish_read(const struct sr_reply *reply, struct sr_publish_result *out)
{
	long long code = sr_reply_int_at(reply, 0, NO_CODE);

	*out = (struct sr_publish_result){.end_type = ""};
	if (code == -6) {
		out->outcome = SR_MISNUMBERED;
		return SR_OK;
	}
	if (!common_outcome(code, &out->outcome))
		return SR_EREPLY;
	if (out->outcome == SR_NEW || out->outcome == SR_SAME)
		out->count = sr_reply_count(reply) - 1;
	else if (out->outcome == SR_ENDED)
		out->end_type = sr_reply_text_at(reply, 1, NULL);
	return SR_OK;
}

const char *sr_publish_id(const struct sr_reply *reply, size_t i)
{
	return sr_reply_text_at(reply, i + 1, NULL);
}

enum sr_err sr_stale_read(const struct sr_reply *reply, struct sr_stale_result *out)
{
	out->active = sr_reply_int_at(reply, 1, -1);
	out->stale = sr_reply_int_at(reply, 2, -1);
	out->ids = sr_reply_at(reply, 3);
	out->due = sr_reply_at(reply, 4);
	out->now_ms = sr_reply_int_at(reply, 0, 0);
	out->next_due_ms = sr_reply_int_at(reply, 5, -1);
	return out->active >= 0 && out->stale >= 0 && sr_reply_is_array(out->ids) && sr_reply_is_array(out->due) ? SR_OK : SR_EREPLY;
}

enum sr_err sr_sweep_read(const struct sr_reply *reply, size_t count, int64_t *proven_ms)
{
	long long code = sr_reply_int_at(reply, 0, NO_CODE);

	if (code == -9) {
		*proven_ms = sr_reply_int_at(reply, 1, 0);
		return SR_EREFUSED;
	}
	return code == 1 && sr_reply_count(reply) == count + 1 ? SR_OK : SR_EREPLY;
}

enum sr_verdict sr_sweep_verdict(const struct sr_reply *reply, size_t i)
{
	return (enum sr_verdict)sr_reply_int_at(reply, i + 1, 0);
}

#define LOOK_HEAD 3 /* numbers that stand before the fields */

enum sr_err sr_look_read(const struct sr_reply *reply, size_t i, struct sr_look_result *out)
{
	const struct sr_reply *stream = sr_reply_at(reply, i + 1);

	*out = (struct sr_look_result){.now_ms = sr_reply_int_at(reply, 0, -1), .record = stream};
	if (out->now_ms < 0 || !sr_reply_is_array(stream))
		return SR_EREPLY;
	if (sr_reply_count(stream) == 0)
		return SR_OK;
	out->known = true;
	out->viewers = sr_reply_int_at(stream, 0, -1);
	out->length = sr_reply_int_at(stream, 1, -1);
	out->added = sr_reply_int_at(stream, 2, -2);
	return out->viewers >= 0 && out->length >= 0 && out->added >= -1 && sr_reply_count(stream) > LOOK_HEAD ? SR_OK : SR_EREPLY;
}

const char *sr_look_field(const struct sr_look_result *look, size_t k)
{
	return sr_reply_text_at(look->record, LOOK_HEAD + k, NULL);
}

enum sr_err sr_node_read(struct sr_node *node, const struct sr_reply *reply)
{
	long long at = sr_reply_int(reply, -1);

	if (at < 0)
		return SR_EREPLY;
	node->kept_at = at;
	for (size_t i = 0; i < node->count; i++)
		node->counters[i].kept = node->counters[i].sent;
	return SR_OK;
}
