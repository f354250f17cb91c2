/* A file of the IT person's that is looked at now and then, and read when it has changed. Through
 * links, as certbot makes them.
 */
#pragma once

#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

/* What the file was. One that is not there is all zeros. */
struct watched {
    struct timespec changed;
    ino_t inode;
    off_t size;
};

struct watched watched_look(const char *path);
bool watched_is_same(const struct watched *a, const struct watched *b);
/* All of it behind what is in `out`; at most QN_WEB_CERTIFICATE_SIZE_MAX bytes. */
enum qn_err QN_CHECKED watched_read(const char *path, struct qn_buf *out);
