#include "cli/redis_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line "name:value" of INFO; "" when there is none. */
static void read_word(const char *text, const char *name, char *out, size_t size)
{
	size_t len = strlen(name);

	out[0] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, name, len) == 0 && line[len] == ':') {
			snprintf(out, size, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
			return;
		}
}

static long long read_number(const char *text, const char *name)
{
	char word[SR_INFO_WORD];

	read_word(text, name, word, sizeof word);
	return strtoll(word, NULL, 10);
}

static void read_all(struct sr_redis_info *info, const char *text)
{
	info->known = true;
	read_word(text, "redis_version", info->version, sizeof info->version);
	read_word(text, "redis_mode", info->mode, sizeof info->mode);
	read_word(text, "config_file", info->file, sizeof info->file);
	read_word(text, "maxmemory_policy", info->policy, sizeof info->policy);
	read_word(text, "role", info->role, sizeof info->role);
	read_word(text, "aof_enabled", info->aof, sizeof info->aof);
	read_word(text, "aof_last_write_status", info->aof_write, sizeof info->aof_write);
	read_word(text, "rdb_last_bgsave_status", info->snapshot, sizeof info->snapshot);
	info->used = read_number(text, "used_memory");
	info->limit = read_number(text, "maxmemory");
	info->uptime_s = read_number(text, "uptime_in_seconds");
	info->clients = read_number(text, "connected_clients");
	info->clients_most = read_number(text, "maxclients");
}

enum sr_err sr_redis_info_ask(struct sr_redis_info *info, struct sr_ctl *ctl)
{
	struct sr_call call;
	struct sr_reply *reply;
	enum sr_err err;

	*info = (struct sr_redis_info){0};
	sr_call_init(&call, SR_SCRIPT_NONE);
	sr_call_text(&call, "INFO");
	sr_session_deadline(ctl->session, ctl->deadline_ms);
	err = sr_session_call(ctl->session, &call, 0, &reply);
	sr_call_release(&call);
	if (err == SR_OK)
		read_all(info, sr_reply_text(reply, NULL));
	sr_reply_free(reply);
	return err == SR_EDENIED ? SR_OK : err;
}

bool sr_redis_info_fault(const struct sr_redis_info *info, enum sr_redis_fault fault, char *text, size_t size)
{
	switch (fault) {
	case SR_FAULT_EVICTION:
		snprintf(text, size, "maxmemory_policy is %s: Redis may drop live streams; set noeviction", info->policy);
		return strcmp(info->policy, "noeviction") != 0;
	case SR_FAULT_ROLE:
		snprintf(text, size, "this Redis is a %s: it refuses writes", info->role);
		return strcmp(info->role, "master") != 0;
	case SR_FAULT_APPENDONLY:
		snprintf(text, size, "appendonly is off: a crash of Redis loses what came after its last snapshot");
		return strcmp(info->aof, "1") != 0;
	case SR_FAULT_DISK:
		snprintf(text, size, "Redis failed to write to its disk: aof_last_write_status %s, rdb_last_bgsave_status %s", info->aof_write,
		         info->snapshot);
		return strcmp(info->aof_write, "ok") != 0 || strcmp(info->snapshot, "ok") != 0;
	case SR_FAULT_COUNT:
		break;
	}
	return false;
}
