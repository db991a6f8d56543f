/* redis_info.h - what Redis says of itself (INFO), and what of that is no good for streams. */
#ifndef SR_REDIS_INFO_H
#define SR_REDIS_INFO_H
#include "cli/ctl.h"

#define SR_INFO_WORD 64
#define SR_INFO_PATH 256

struct sr_redis_info {
	bool known;  /* INFO was permitted; then what follows is filled */
	char version[SR_INFO_WORD], mode[SR_INFO_WORD], role[SR_INFO_WORD], policy[SR_INFO_WORD], aof[SR_INFO_WORD], aof_write[SR_INFO_WORD],
	    snapshot[SR_INFO_WORD];
	char file[SR_INFO_PATH];   /* the configuration that Redis was started with; "" = none */
	long long used, limit;     /* bytes of memory; limit 0 = none */
	long long uptime_s, clients, clients_most;
};

/* Ask for it. SR_OK also when Redis does not permit it: then `known` is false. */
SR_MUST_CHECK enum sr_err sr_redis_info_ask(struct sr_redis_info *info, struct sr_ctl *ctl);

enum sr_redis_fault { SR_FAULT_EVICTION, SR_FAULT_ROLE, SR_FAULT_APPENDONLY, SR_FAULT_DISK, SR_FAULT_COUNT };
/* Has it this fault? Then with a sentence. `info` is known. */
bool sr_redis_info_fault(const struct sr_redis_info *info, enum sr_redis_fault fault, char *text, size_t size);

#endif
