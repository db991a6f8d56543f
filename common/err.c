#include "common/err.h"

const char *sr_strerror(enum sr_err e)
{
	switch (e) {
	case SR_OK:
		return "no error";
	case SR_EINVAL:
		return "invalid input";
	case SR_ETOOBIG:
		return "too big";
	case SR_ENOMEM:
		return "out of memory";
	case SR_EIO:
		return "input or output failed";
	case SR_EDOWN:
		return "no connection to Redis";
	case SR_ETIMEOUT:
		return "no answer from Redis in time";
	case SR_EDENIED:
		return "Redis denies access";
	case SR_EREFUSED:
		return "Redis cannot write now";
	case SR_EREPLY:
		return "unexpected answer from Redis";
	case SR_EBUSY:
		return "output is full";
	}
	return "unknown error";
}
