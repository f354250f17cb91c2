#include "base/err.h"

#include <string.h>

static const char *const names[] = {
    [QN_OK] = "ok",
    [QN_ERR_INVALID] = "invalid",
    [QN_ERR_LIMIT] = "limit",
    [QN_ERR_NOTFOUND] = "not-found",
    [QN_ERR_EXISTS] = "exists",
    [QN_ERR_DENIED] = "denied",
    [QN_ERR_SIGNATURE] = "signature",
    [QN_ERR_HELD] = "held",
    [QN_ERR_CORRUPT] = "corrupt",
    [QN_ERR_IO] = "io",
    [QN_ERR_NOSPACE] = "no-space",
    [QN_ERR_BUSY] = "busy",
    [QN_ERR_CLOSED] = "closed",
    [QN_ERR_TIMEOUT] = "timeout",
    [QN_ERR_EXPIRED] = "expired",
    [QN_ERR_UNSUPPORTED] = "unsupported",
    [QN_ERR_STATE] = "state",
    [QN_ERR_CRYPTO] = "crypto",
    [QN_ERR_CONFLICT] = "conflict",
    [QN_ERR_COMMAND] = "command",
    [QN_ERR_DAMAGED] = "damaged",
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

const char *qn_err_name(enum qn_err err)
{
    return (size_t)err < NAME_COUNT ? names[err] : "unknown";
}

enum qn_err qn_err_from_name(const char *name)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (strcmp(names[i], name) == 0)
            return (enum qn_err)i;
    return QN_ERR_INVALID;
}
