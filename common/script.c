/* script.c - see script.h. */
#include "common/script.h"

static const struct sr_script scripts[SR_SCRIPT_COUNT] = {
#include "scripts.inc"
};

const struct sr_script *sr_script_get(enum sr_script_name name)
{
	return &scripts[name];
}
