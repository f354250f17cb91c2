#include "serve/watched.h"

#include <stdlib.h>

#include "base/limits.h"
#include "os/os.h"

struct watched watched_look(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return (struct watched){0};
    return (struct watched){status.st_mtim, status.st_ino, status.st_size};
}

bool watched_is_same(const struct watched *a, const struct watched *b)
{
    return a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
           a->inode == b->inode && a->size == b->size;
}

enum qn_err watched_read(const char *path, struct qn_buf *out)
{
    char *real = realpath(path, NULL);
    if (real == NULL)
        return QN_ERR_NOTFOUND;
    enum qn_err err = qn_os_read_file(real, QN_WEB_CERTIFICATE_SIZE_MAX, out);
    free(real);
    return err;
}
