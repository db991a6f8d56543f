/* err.h - the one error enumeration of all programs. Pure. */
#ifndef SR_ERR_H
#define SR_ERR_H

#if defined(__GNUC__)
#define SR_MUST_CHECK __attribute__((warn_unused_result))
#define SR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define SR_MUST_CHECK
#define SR_PRINTF(f, a)
#endif

enum sr_err {
	SR_OK = 0,
	SR_EINVAL,   /* input that breaks its grammar or range */
	SR_ETOOBIG,  /* input or output past its bound; nothing was kept */
	SR_ENOMEM,   /* an allocation failed; the request fails, the process goes on */
	SR_EIO,      /* a file or socket failed; errno says why */
	SR_EDOWN,    /* no Redis connection, or it was lost before the reply: whether the command ran is unknown */
	SR_ETIMEOUT, /* the deadline passed before the reply: whether the command ran is unknown */
	SR_EDENIED,  /* Redis refused the user, the password or the command (NOAUTH, WRONGPASS, NOPERM) */
	SR_EREFUSED, /* Redis cannot write now (OOM, MISCONF, READONLY, LOADING, BUSY): nothing was stored */
	SR_EREPLY,   /* Redis answered another error, or a shape that its command does not have */
	SR_EBUSY     /* an output bound is reached: try again when it has drained */
};

/* A short English text for `e`; never NULL, static. */
const char *sr_strerror(enum sr_err e);

#endif
