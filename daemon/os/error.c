#include "os/os.h"

#include <errno.h>

enum qn_err qn_os_err(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return QN_ERR_NOSPACE;
    case ENOENT:
    case ENOTDIR:
        return QN_ERR_NOTFOUND;
    case EEXIST:
        return QN_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: /* O_NOFOLLOW met a link */
        return QN_ERR_DENIED;
    case EAGAIN:
    case EBUSY:
    case ETXTBSY:
        return QN_ERR_BUSY;
    case ENAMETOOLONG:
    case EMFILE:
    case ENFILE:
        return QN_ERR_LIMIT;
    case ENOSYS:
    case EOPNOTSUPP:
        return QN_ERR_UNSUPPORTED;
    case ETIMEDOUT:
        return QN_ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
        return QN_ERR_CLOSED;
    default:
        return QN_ERR_IO;
    }
}
