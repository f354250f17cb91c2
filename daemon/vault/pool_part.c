#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "vault/pool_private.h"

static enum qn_err open_part(struct qn_pool *pool, const char *path, int flags, int *ret_fd,
                             size_t *ret_size)
{
    int fd = openat(pool->root, path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return qn_os_err(errno);
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return QN_ERR_CORRUPT;
    }
    *ret_fd = fd;
    *ret_size = (size_t)status.st_size;
    return QN_OK;
}

enum qn_err qn_pool_part_size(struct qn_pool *pool, const struct qn_pack_name *name,
                              size_t *ret_size)
{
    char path[80];
    qn_pool_path(QN_POOL_PART_DIR, name, path);
    QN_AUTO_FD int fd = -1;
    size_t size = 0;
    enum qn_err err = open_part(pool, path, O_RDONLY, &fd, &size);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    *ret_size = size;
    return QN_OK;
}

enum qn_err qn_pool_part_remove(struct qn_pool *pool, const struct qn_pack_name *name)
{
    char path[80];
    qn_pool_path(QN_POOL_PART_DIR, name, path);
    return unlinkat(pool->root, path, 0) == 0 || errno == ENOENT ? QN_OK : qn_os_err(errno);
}

enum qn_err qn_pool_part_sync(struct qn_pool *pool, const struct qn_pack_name *name)
{
    char path[80];
    qn_pool_path(QN_POOL_PART_DIR, name, path);
    QN_AUTO_FD int fd = -1;
    size_t size = 0;
    QN_TRY(open_part(pool, path, O_RDONLY, &fd, &size));
    if (fdatasync(fd) != 0)
        return qn_os_err(errno);
    return qn_pool_sync_folder(pool, QN_POOL_PART_DIR);
}

/* Read back from the file: what is named is what is on the disk, also of a part that was begun
 * before a crash. */
static enum qn_err name_part(struct qn_pool *pool, int fd, const char *path,
                             const struct qn_pack_name *name)
{
    if (fdatasync(fd) != 0)
        return qn_os_err(errno);
    struct qn_pack_name found;
    QN_TRY(qn_pool_hash(fd, 0, &found));
    if (memcmp(&found, name, sizeof(found)) != 0) {
        unlinkat(pool->root, path, 0);
        return QN_ERR_SIGNATURE;
    }
    if (fchmod(fd, 0400) != 0)
        return qn_os_err(errno);
    QN_TRY(qn_pool_place(pool, path, name));
    return qn_pool_sync(pool);
}

enum qn_err qn_pool_part_append(struct qn_pool *pool, const struct qn_pack_name *name,
                                size_t offset, struct qn_span bytes, size_t size_total,
                                bool *ret_is_whole)
{
    if (size_total > QN_PACK_SIZE_MAX || offset > size_total || bytes.size > size_total - offset)
        return QN_ERR_LIMIT;
    char path[80];
    qn_pool_path(QN_POOL_PART_DIR, name, path);
    QN_AUTO_FD int fd = -1;
    size_t size = 0;
    QN_TRY(open_part(pool, path, O_RDWR | O_CREAT, &fd, &size));
    if (size != offset)
        return QN_ERR_STATE;
    enum qn_err err = qn_pool_write(fd, offset, bytes);
    if (err != QN_OK) {
        /* A piece is there as a whole or not at all; if even that fails, its end is found by size.
         */
        return ftruncate(fd, (off_t)offset) == 0 ? err : QN_ERR_IO;
    }
    bool is_whole = offset + bytes.size == size_total;
    if (is_whole)
        QN_TRY(name_part(pool, fd, path, name));
    *ret_is_whole = is_whole;
    return QN_OK;
}

static bool is_old(int dir, const char *name, uint64_t age_ms)
{
    struct stat status;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    uint64_t touched_ms =
        (uint64_t)status.st_mtim.tv_sec * 1000 + (uint64_t)status.st_mtim.tv_nsec / 1000000;
    uint64_t now_ms = qn_os_wall_ms();
    return now_ms > touched_ms && now_ms - touched_ms >= age_ms;
}

enum qn_err qn_pool_part_sweep(struct qn_pool *pool, uint64_t age_ms)
{
    int fd = openat(pool->root, QN_POOL_PART_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        enum qn_err err = qn_os_err(errno);
        qn_pool_close_fd(&fd);
        return err;
    }
    enum qn_err err = QN_OK;
    for (struct dirent *entry; err == QN_OK && (entry = readdir(dir)) != NULL;) {
        struct qn_pack_name name;
        bool is_part = qn_pool_name_parse(entry->d_name, &name) == QN_OK;
        if (!is_part || !is_old(dirfd(dir), entry->d_name, age_ms))
            continue;
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0 && errno != ENOENT)
            err = qn_os_err(errno);
    }
    closedir(dir);
    return err;
}
