/* Error codes of the whole project (STYLE: three kinds of failure).
 *
 * A bug is an assertion (assert.h). A fault of the environment, of a peer or of the disk is one of
 * these codes, returned to the caller. Libraries return them; only daemon/app logs them.
 */
#pragma once

enum qn_err {
    QN_OK = 0,
    QN_ERR_INVALID,     /* malformed or non-canonical input */
    QN_ERR_LIMIT,       /* a named limit of limits.h would be exceeded */
    QN_ERR_NOTFOUND,    /* the named thing does not exist */
    QN_ERR_EXISTS,      /* the named thing exists already */
    QN_ERR_DENIED,      /* not allowed for this site, key or user */
    QN_ERR_SIGNATURE,   /* a signature or hash does not verify */
    QN_ERR_HELD,        /* causally not ready yet: hold and try again later */
    QN_ERR_CORRUPT,     /* the store contradicts itself */
    QN_ERR_IO,          /* the operating system failed a read, write, or call */
    QN_ERR_NOSPACE,     /* disk or map full */
    QN_ERR_BUSY,        /* somebody else holds it */
    QN_ERR_CLOSED,      /* the other side is gone */
    QN_ERR_TIMEOUT,     /* did not happen in time */
    QN_ERR_EXPIRED,     /* it was valid once */
    QN_ERR_UNSUPPORTED, /* a newer version is needed */
    QN_ERR_STATE,       /* not possible in the current state */
    QN_ERR_CRYPTO,      /* the cryptography library failed */
    QN_ERR_CONFLICT,    /* not as it was expected to be */
    QN_ERR_COMMAND,     /* a program beside the daemon failed */
    QN_ERR_DAMAGED,     /* what is stored of it is damaged, and waits for repair */
};

#define QN_CHECKED __attribute__((warn_unused_result))

/* Stable lower-case identifier of a code, for logs and JSON; never NULL. */
const char *qn_err_name(enum qn_err err);
/* Inverse of qn_err_name; QN_ERR_INVALID for an unknown name. */
enum qn_err qn_err_from_name(const char *name);

/* Returns the error of `expression` from the calling function, if it is one. */
#define QN_TRY(expression)                                                                         \
    do {                                                                                           \
        enum qn_err try_err_ = (expression);                                                       \
        if (try_err_ != QN_OK)                                                                     \
            return try_err_;                                                                       \
    } while (0)
