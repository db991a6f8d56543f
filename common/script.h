/* script.h - the embedded Lua scripts, one atomic transition each. Their text, counts and SHA-1 are made at build time from
 * common/lua/NAME.lua, whose head comment is the manual of its keys, arguments and returns.
 *
 * publish, open, beat and end are public: programs of any language may send them (sse-resilience-redis(7)). Their contract number
 * rises when keys, arguments or return codes change so that an old caller would go wrong. Optional arguments behind the last one and
 * new return codes below zero do not count: callers take what they do not know for a refusal. */
#ifndef SR_SCRIPT_H
#define SR_SCRIPT_H

enum sr_script_name {
	SR_SCRIPT_ATTACH, SR_SCRIPT_BEAT, SR_SCRIPT_CANARY, SR_SCRIPT_DETACH, SR_SCRIPT_END, SR_SCRIPT_HEAL, SR_SCRIPT_LOOK,
	SR_SCRIPT_LOST, SR_SCRIPT_MONITOR, SR_SCRIPT_NODE,
	SR_SCRIPT_OPEN, SR_SCRIPT_PUBLISH, SR_SCRIPT_RECORDS, SR_SCRIPT_RECOVER, SR_SCRIPT_STALE, SR_SCRIPT_SWEEP,
	SR_SCRIPT_COUNT,
	SR_SCRIPT_NONE = -1 /* a plain command */
};

struct sr_script {
	const char *name;
	int keys, more_keys; /* so many, or at least so many */
	int args, more_args;
	int contract;        /* version of the interface, for a script that producers call directly; 0 = internal */
	const char *sha1;    /* 40 hex digits */
	const char *text;
};

const struct sr_script *sr_script_get(enum sr_script_name name);

#endif
