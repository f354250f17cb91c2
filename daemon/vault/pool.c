#include "vault/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "vault/pool_private.h"

#define LOCK_NAME "lock"

/* ---- names ---- */

static void name_to_hex(const struct qn_pack_name *name, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof(name->bytes); i++) {
        out[2 * i] = digits[name->bytes[i] >> 4];
        out[2 * i + 1] = digits[name->bytes[i] & 15];
    }
    out[64] = '\0';
}

void qn_pool_path(const char *folder, const struct qn_pack_name *name, char out[80])
{
    char hex[65];
    name_to_hex(name, hex);
    if (folder == NULL)
        snprintf(out, 80, "%.2s/%s", hex, hex);
    else
        snprintf(out, 80, "%.8s/%s", folder, hex);
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum qn_err qn_pool_name_parse(const char *text, struct qn_pack_name *ret_name)
{
    struct qn_pack_name name;
    if (strlen(text) != 64)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < sizeof(name.bytes); i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return QN_ERR_INVALID;
        name.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_name = name;
    return QN_OK;
}

static int name_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_pack_name));
}

/* ---- folders ---- */

enum qn_err qn_pool_sync_folder(struct qn_pool *pool, const char *folder)
{
    QN_AUTO_FD int fd = openat(pool->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? QN_OK : qn_os_err(errno);
}

static enum qn_err make_folder(struct qn_pool *pool, const char *folder)
{
    if (mkdirat(pool->root, folder, 0700) == 0)
        atomic_store(&pool->is_root_dirty, true);
    else if (errno != EEXIST)
        return qn_os_err(errno);
    return QN_OK;
}

static void shard_name(size_t shard, char out[3])
{
    snprintf(out, 3, "%02zx", shard & 255);
}

static enum qn_err rename_to_shard(struct qn_pool *pool, const char *from, const char *to,
                                   size_t shard)
{
    if (renameat(pool->root, from, pool->root, to) == 0)
        return QN_OK;
    if (errno != ENOENT)
        return qn_os_err(errno);
    char folder[3];
    shard_name(shard, folder);
    QN_TRY(make_folder(pool, folder));
    return renameat(pool->root, from, pool->root, to) == 0 ? QN_OK : qn_os_err(errno);
}

enum qn_err qn_pool_place(struct qn_pool *pool, const char *from, const struct qn_pack_name *name)
{
    char to[80];
    qn_pool_path(NULL, name, to);
    QN_TRY(rename_to_shard(pool, from, to, name->bytes[0]));
    atomic_store(&pool->is_shard_dirty[name->bytes[0]], true);
    return QN_OK;
}

/* A flag is cleared before the sync that covers it: what comes later sets it again. */
static enum qn_err sync_if(struct qn_pool *pool, atomic_bool *is_dirty, const char *folder)
{
    if (!atomic_exchange(is_dirty, false))
        return QN_OK;
    enum qn_err err = qn_pool_sync_folder(pool, folder);
    if (err != QN_OK)
        atomic_store(is_dirty, true);
    return err;
}

enum qn_err qn_pool_sync(struct qn_pool *pool)
{
    for (size_t i = 0; i < QN_POOL_SHARDS; i++) {
        char folder[3];
        shard_name(i, folder);
        QN_TRY(sync_if(pool, &pool->is_shard_dirty[i], folder));
    }
    return sync_if(pool, &pool->is_root_dirty, ".");
}

/* ---- opening ---- */

/* What puts had not finished when the process was killed. */
static enum qn_err remove_fresh(struct qn_pool *pool)
{
    int fd = openat(pool->root, QN_POOL_PART_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        qn_pool_close_fd(&fd);
        return qn_os_err(errno);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (entry->d_name[0] == QN_POOL_FRESH_START && !is_dots)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    return QN_OK;
}

static enum qn_err open_all(struct qn_pool *pool, const char *dir)
{
    QN_TRY(qn_os_make_dir(dir, 0700));
    char lock[PATH_MAX];
    int length = snprintf(lock, sizeof(lock), "%s/%s", dir, LOCK_NAME);
    if (length < 0 || (size_t)length >= sizeof(lock))
        return QN_ERR_LIMIT;
    QN_TRY(qn_os_lock_take(lock, &pool->lock));
    pool->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pool->root < 0)
        return qn_os_err(errno);
    QN_TRY(make_folder(pool, QN_POOL_PART_DIR));
    QN_TRY(make_folder(pool, QN_POOL_BAD_DIR));
    QN_TRY(remove_fresh(pool));
    return qn_pool_sync(pool);
}

static enum qn_err open_reader(struct qn_pool *pool, const char *dir)
{
    QN_TRY(qn_os_make_dir(dir, 0700));
    pool->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return pool->root < 0 ? qn_os_err(errno) : QN_OK;
}

enum qn_err qn_pool_open_reader(const char *dir, struct qn_pool **ret_pool)
{
    struct qn_pool *pool = QN_NEW(struct qn_pool);
    pool->root = -1;
    enum qn_err err = open_reader(pool, dir);
    if (err != QN_OK)
        qn_pool_close(pool);
    else
        *ret_pool = pool;
    return err;
}

enum qn_err qn_pool_open(const char *dir, struct qn_pool **ret_pool)
{
    struct qn_pool *pool = QN_NEW(struct qn_pool);
    pool->root = -1;
    enum qn_err err = open_all(pool, dir);
    if (err != QN_OK)
        qn_pool_close(pool);
    else
        *ret_pool = pool;
    return err;
}

void qn_pool_close(struct qn_pool *pool)
{
    if (pool == NULL)
        return;
    qn_pool_close_fd(&pool->root);
    qn_os_lock_free(pool->lock);
    qn_free(pool);
}

/* ---- writing ---- */

enum qn_err qn_pool_write(int fd, size_t offset, struct qn_span bytes)
{
    while (bytes.size > 0) {
        ssize_t put = pwrite(fd, bytes.data, bytes.size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return qn_os_err(errno);
        offset += (size_t)put;
        bytes = qn_span_from(bytes, (size_t)put);
    }
    return QN_OK;
}

static void fresh_path(uint64_t fresh, char out[80])
{
    snprintf(out, 80, "%s/%cput-%llu", QN_POOL_PART_DIR, QN_POOL_FRESH_START,
             (unsigned long long)fresh);
}

static bool is_there(struct qn_pool *pool, const char *path)
{
    return faccessat(pool->root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum qn_err write_fresh(struct qn_pool *pool, struct qn_span bytes, struct qn_pool_put *put)
{
    char path[80];
    fresh_path(put->fresh, path);
    put->fd = openat(pool->root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (put->fd < 0)
        return qn_os_err(errno);
    QN_TRY(qn_pool_write(put->fd, 0, bytes));
    sync_file_range(put->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint: it may not be supported */
    return QN_OK;
}

enum qn_err qn_pool_put_begin(struct qn_pool *pool, const struct qn_pack_name *name,
                              struct qn_span bytes, struct qn_pool_put *ret_put)
{
    char path[80];
    struct qn_pool_put put = {.name = *name, .fd = -1};
    qn_pool_path(NULL, name, path);
    if (!is_there(pool, path)) {
        put.fresh = atomic_fetch_add(&pool->fresh_count, 1);
        enum qn_err err = write_fresh(pool, bytes, &put);
        if (err != QN_OK) {
            qn_pool_put_drop(pool, &put);
            return err;
        }
    }
    *ret_put = put;
    return QN_OK;
}

static enum qn_err finish(struct qn_pool *pool, struct qn_pool_put *put)
{
    char path[80];
    if (fdatasync(put->fd) != 0)
        return qn_os_err(errno);
    posix_fadvise(put->fd, 0, 0, POSIX_FADV_DONTNEED); /* others need the memory sooner */
    fresh_path(put->fresh, path);
    return qn_pool_place(pool, path, &put->name);
}

enum qn_err qn_pool_put_finish(struct qn_pool *pool, struct qn_pool_put *put)
{
    if (put->fd < 0)
        return QN_OK;
    enum qn_err err = finish(pool, put);
    if (err != QN_OK) {
        qn_pool_put_drop(pool, put);
        return err;
    }
    qn_pool_close_fd(&put->fd);
    put->fd = -1;
    return QN_OK;
}

void qn_pool_put_drop(struct qn_pool *pool, struct qn_pool_put *put)
{
    char path[80];
    if (put->fd < 0)
        return;
    fresh_path(put->fresh, path);
    unlinkat(pool->root, path, 0);
    qn_pool_close_fd(&put->fd);
    put->fd = -1;
}

enum qn_err qn_pool_put_lazy(struct qn_pool *pool, const struct qn_pack_name *name,
                             struct qn_span bytes)
{
    struct qn_pool_put put;
    QN_TRY(qn_pool_put_begin(pool, name, bytes, &put));
    return qn_pool_put_finish(pool, &put);
}

/* The folder is synced even if the file was there: its name may come from a lazy put. */
enum qn_err qn_pool_put(struct qn_pool *pool, const struct qn_pack_name *name, struct qn_span bytes)
{
    QN_TRY(qn_pool_put_lazy(pool, name, bytes));
    char folder[3];
    shard_name(name->bytes[0], folder);
    QN_TRY(qn_pool_sync_folder(pool, folder));
    return sync_if(pool, &pool->is_root_dirty, ".");
}

enum qn_err qn_pool_remove(struct qn_pool *pool, const struct qn_pack_name *name)
{
    char path[80];
    qn_pool_path(NULL, name, path);
    if (unlinkat(pool->root, path, 0) == 0)
        atomic_store(&pool->is_shard_dirty[name->bytes[0]], true);
    else if (errno != ENOENT)
        return qn_os_err(errno);
    return QN_OK;
}

/* ---- reading ---- */

static enum qn_err open_file(struct qn_pool *pool, const struct qn_pack_name *name, int *ret_fd)
{
    char path[80];
    qn_pool_path(NULL, name, path);
    int fd = openat(pool->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return qn_os_err(errno);
    *ret_fd = fd;
    return QN_OK;
}

enum qn_err qn_pool_read(struct qn_pool *pool, const struct qn_pack_name *name, size_t offset,
                         size_t size, uint8_t *out)
{
    QN_AUTO_FD int fd = -1;
    QN_TRY(open_file(pool, name, &fd));
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return qn_os_err(errno);
        if (got == 0)
            return QN_ERR_CORRUPT;
        done += (size_t)got;
    }
    return QN_OK;
}

enum qn_err qn_pool_size(struct qn_pool *pool, const struct qn_pack_name *name, size_t *ret_size)
{
    char path[80];
    qn_pool_path(NULL, name, path);
    struct stat status;
    if (fstatat(pool->root, path, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return qn_os_err(errno);
    if (!S_ISREG(status.st_mode))
        return QN_ERR_CORRUPT;
    *ret_size = (size_t)status.st_size;
    return QN_OK;
}

uint64_t qn_pool_free_bytes(struct qn_pool *pool)
{
    struct statvfs status;
    if (fstatvfs(pool->root, &status) != 0)
        return 0;
    return (uint64_t)status.f_bavail * status.f_frsize;
}

/* ---- listing ---- */

typedef QN_VEC(struct qn_pack_name) name_vec;

/* Names that are not ours, or in the wrong folder, are nobody's. */
static enum qn_err list_shard(struct qn_pool *pool, size_t shard, const struct qn_pack_name *after,
                              name_vec *out)
{
    char folder[3];
    shard_name(shard, folder);
    int fd = openat(pool->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? QN_OK : qn_os_err(errno);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        qn_pool_close_fd(&fd);
        return qn_os_err(errno);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct qn_pack_name name;
        if (qn_pool_name_parse(entry->d_name, &name) != QN_OK || name.bytes[0] != shard)
            continue;
        if (after == NULL || name_cmp(&name, after) > 0)
            qn_vec_push(out, name);
    }
    closedir(dir);
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), name_cmp);
    return QN_OK;
}

enum qn_err qn_pool_list(struct qn_pool *pool, const struct qn_pack_name *after, size_t count_max,
                         struct qn_pack_name *out, size_t *ret_count)
{
    size_t count = 0;
    enum qn_err err = QN_OK;
    name_vec names = {0};
    for (size_t shard = after == NULL ? 0 : after->bytes[0];
         shard < QN_POOL_SHARDS && count < count_max && err == QN_OK; shard++) {
        names.count = 0;
        err = list_shard(pool, shard, after, &names);
        for (size_t i = 0; err == QN_OK && i < names.count && count < count_max; i++)
            out[count++] = names.items[i];
    }
    qn_vec_free(&names);
    if (err == QN_OK)
        *ret_count = count;
    return err;
}

/* ---- scrubbing ---- */

/* Waits until `bytes` since start_ms are within the rate. */
static void pace(uint64_t start_ms, uint64_t bytes, uint64_t bytes_per_s)
{
    if (bytes_per_s == 0)
        return;
    uint64_t due_ms = (uint64_t)((__uint128_t)bytes * 1000 / bytes_per_s);
    uint64_t spent_ms = qn_os_boot_ms() - start_ms;
    if (due_ms <= spent_ms)
        return;
    uint64_t wait_ms = due_ms - spent_ms;
    struct timespec wait = {.tv_sec = (time_t)(wait_ms / 1000),
                            .tv_nsec = (long)(wait_ms % 1000) * 1000000};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
}

enum qn_err qn_pool_hash(int fd, uint64_t bytes_per_s, struct qn_pack_name *ret_name)
{
    QN_AUTO_FREE uint8_t *piece = qn_alloc(QN_POOL_PIECE_SIZE);
    struct qn_hasher *hasher = qn_hasher_new();
    qn_hasher_start(hasher);
    uint64_t start_ms = qn_os_boot_ms(), offset = 0;
    enum qn_err err = QN_OK;
    for (ssize_t got = 1; got != 0 && err == QN_OK;) {
        got = pread(fd, piece, QN_POOL_PIECE_SIZE, (off_t)offset);
        if (got < 0) {
            err = errno == EINTR ? QN_OK : qn_os_err(errno);
            continue;
        }
        qn_hasher_add(hasher, qn_span(piece, (size_t)got));
        offset += (uint64_t)got;
        pace(start_ms, offset, bytes_per_s);
    }
    struct qn_digest digest;
    qn_hasher_finish(hasher, &digest);
    qn_hasher_free(hasher);
    if (err == QN_OK)
        memcpy(ret_name->bytes, digest.bytes, sizeof(ret_name->bytes));
    return err;
}

static enum qn_err move_to_bad(struct qn_pool *pool, const struct qn_pack_name *name)
{
    char from[80], to[80];
    qn_pool_path(NULL, name, from);
    qn_pool_path(QN_POOL_BAD_DIR, name, to);
    if (renameat(pool->root, from, pool->root, to) != 0)
        return qn_os_err(errno);
    atomic_store(&pool->is_shard_dirty[name->bytes[0]], true);
    return QN_ERR_CORRUPT;
}

/* A sector that cannot be read (EIO) is how a disk says that the bytes are lost: a bad file too. */
enum qn_err qn_pool_scrub(struct qn_pool *pool, const struct qn_pack_name *name,
                          uint64_t bytes_per_s)
{
    QN_AUTO_FD int fd = -1;
    QN_TRY(open_file(pool, name, &fd));
    struct qn_pack_name found;
    enum qn_err err = qn_pool_hash(fd, bytes_per_s, &found);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (err != QN_OK && err != QN_ERR_IO)
        return err;
    if (err == QN_OK && name_cmp(&found, name) == 0)
        return QN_OK;
    return move_to_bad(pool, name);
}
