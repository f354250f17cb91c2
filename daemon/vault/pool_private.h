/* What the two halves of the pool share (pool.c: whole files; pool_part.c: arriving ones). */
#pragma once

#include <stdatomic.h>
#include <unistd.h>

#include "os/os.h"
#include "vault/pool.h"

#define QN_POOL_SHARDS      256
#define QN_POOL_PATH_SIZE   (3 + 64 + 1) /* "ab/", 64 digits, NUL */
#define QN_POOL_PIECE_SIZE  (256 * 1024) /* of one read when a file is hashed */
#define QN_POOL_PART_DIR    "part"
#define QN_POOL_BAD_DIR     "bad"
#define QN_POOL_FRESH_START '.' /* of names in "part" that a put is writing */

struct qn_pool {
    int root; /* all names are relative to it */
    struct qn_os_lock *lock;
    _Atomic uint64_t fresh_count; /* makes the names of files being put unique */
    /* Folders whose names are not synced yet; one more for the root itself. */
    atomic_bool is_shard_dirty[QN_POOL_SHARDS];
    atomic_bool is_root_dirty;
};

static inline void qn_pool_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define QN_AUTO_FD __attribute__((cleanup(qn_pool_close_fd)))

/* "DIR_OF_NAME/64 digits" below the root; `folder` NULL: of its shard. */
void qn_pool_path(const char *folder, const struct qn_pack_name *name, char out[80]);
enum qn_err QN_CHECKED qn_pool_name_parse(const char *text, struct qn_pack_name *ret_name);
/* Renames a synced file of the part folder to its place and marks the folder as dirty. */
enum qn_err QN_CHECKED qn_pool_place(struct qn_pool *pool, const char *from,
                                     const struct qn_pack_name *name);
enum qn_err QN_CHECKED qn_pool_sync_folder(struct qn_pool *pool, const char *folder);
/* SHA-256 of an open file's bytes; at most bytes_per_s (0: no limit). */
enum qn_err QN_CHECKED qn_pool_hash(int fd, uint64_t bytes_per_s, struct qn_pack_name *ret_name);
enum qn_err QN_CHECKED qn_pool_write(int fd, size_t offset, struct qn_span bytes);
