#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault/backup_private.h"

#define ATTEMPTS       3
#define READ_SIZE      ((size_t)2 * 1024 * 1024)
#define ROOM_MIN       ((size_t)256 * 1024)         /* less room in a slab: the next one */
#define HOLE_SIZE_MIN  ((off_t)64 * 1024)           /* smaller ones are read */
#define BIG_SIZE       ((uint64_t)16 * 1024 * 1024) /* its pages are not worth keeping */
#define DROP_SIZE      ((uint64_t)8 * 1024 * 1024)
#define STREAM_POLL_MS 200
/* A change within one tick of the kernel's clock after the last look would leave the times as they
 * are; the next run must not believe such times. */
#define TICK_MS 50

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd)))

static bool is_cancelled(const struct qn_backup *backup)
{
    return qn_progress_cancelled(backup->options->progress);
}

/* ---- cutting ---- */

static size_t uncut_size(const struct qn_backup *backup)
{
    return backup->slab == NULL ? 0 : backup->slab->used - backup->uncut;
}

/* Takes what is not cut yet along to the next slab. */
static enum qn_err change_slab(struct qn_backup *backup)
{
    struct qn_slab *old = backup->slab, *next;
    QN_TRY(qn_pipeline_slab(backup->pipeline, &next));
    next->used = uncut_size(backup);
    if (next->used > 0)
        memcpy(next->bytes, old->bytes + backup->uncut, next->used);
    backup->slab = next;
    backup->uncut = 0;
    qn_pipeline_release(backup->pipeline, old);
    return QN_OK;
}

/* Room for a read of `wanted` bytes, or for a good part of it. */
static enum qn_err make_room(struct qn_backup *backup, size_t wanted)
{
    size_t room = backup->slab == NULL ? 0 : QN_SLAB_SIZE - backup->slab->used;
    bool is_enough = room >= wanted || room >= ROOM_MIN;
    return backup->slab != NULL && is_enough ? QN_OK : change_slab(backup);
}

static enum qn_err cut(struct qn_backup *backup, bool is_end)
{
    for (;;) {
        struct qn_span rest = qn_span(backup->slab->bytes + backup->uncut, uncut_size(backup));
        size_t size = rest.size == 0 ? 0 : qn_chunker_cut(backup->vault->chunker, rest, is_end);
        if (size == 0)
            return QN_OK;
        QN_TRY(qn_window_chunk(backup, qn_span(rest.data, size)));
        backup->uncut += size;
    }
}

/* After an error in the middle: what was read does not count. */
static void forget_uncut(struct qn_backup *backup)
{
    if (backup->slab != NULL)
        backup->uncut = backup->slab->used;
}

static void count_read(struct qn_backup *backup, size_t size)
{
    backup->counts.bytes_read += size;
    if (backup->options->progress != NULL)
        qn_progress_add(&backup->options->progress->bytes_done, size);
}

/* ---- one run of bytes ---- */

/* Reads [offset, end) and cuts it by itself. *ret_end: less, if the file ends before. A fault of
 * the file is QN_ERR_IO with read_errno. */
static enum qn_err read_range(struct qn_backup *backup, int fd, uint64_t offset, uint64_t end,
                              uint64_t *ret_end)
{
    uint64_t dropped = offset;
    while (offset < end) {
        if (is_cancelled(backup))
            return QN_ERR_CLOSED;
        size_t wanted = end - offset < READ_SIZE ? (size_t)(end - offset) : READ_SIZE;
        QN_TRY(make_room(backup, wanted));
        size_t room = QN_SLAB_SIZE - backup->slab->used;
        ssize_t got = pread(fd, backup->slab->bytes + backup->slab->used,
                            wanted < room ? wanted : room, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            backup->read_errno = errno;
            return QN_ERR_IO;
        }
        if (got == 0)
            break;
        backup->slab->used += (size_t)got;
        offset += (size_t)got;
        count_read(backup, (size_t)got);
        QN_TRY(cut(backup, offset == end));
        if (end >= BIG_SIZE && offset - dropped >= DROP_SIZE) {
            posix_fadvise(fd, (off_t)dropped, (off_t)(offset - dropped), POSIX_FADV_DONTNEED);
            dropped = offset;
        }
    }
    *ret_end = offset;
    return backup->slab == NULL ? QN_OK : cut(backup, true);
}

/* ---- holes ---- */

/* Where a file system cannot tell, everything is data. */
static off_t seek_data(int fd, off_t offset, off_t size)
{
    off_t found = lseek(fd, offset, SEEK_DATA);
    if (found < 0 && errno != ENXIO)
        return offset;
    return found < 0 || found > size ? size : found;
}

static off_t seek_hole(int fd, off_t offset, off_t size)
{
    off_t found = lseek(fd, offset, SEEK_HOLE);
    return found < 0 || found > size ? size : found;
}

/* The next run of data at or after `at`; holes that are too small to matter belong to it. */
static void next_data(int fd, off_t at, off_t size, off_t *ret_from, off_t *ret_to)
{
    off_t from = seek_data(fd, at, size), to = from;
    if (from - at < HOLE_SIZE_MIN && from < size)
        from = at;
    while (to < size) {
        to = seek_hole(fd, to, size);
        off_t next = to < size ? seek_data(fd, to, size) : size;
        if (to >= size || next - to >= HOLE_SIZE_MIN || next <= to)
            break;
        to = next;
    }
    *ret_from = from;
    *ret_to = to;
}

static enum qn_err read_sparse(struct qn_backup *backup, int fd, uint64_t size, uint64_t *ret_end)
{
    uint64_t at = 0;
    while (at < size) {
        off_t from, to;
        uint64_t end;
        next_data(fd, (off_t)at, (off_t)size, &from, &to);
        if ((uint64_t)from > at)
            QN_TRY(qn_window_hole(backup, (uint64_t)from - at));
        at = (uint64_t)from;
        if (from >= to)
            break;
        QN_TRY(read_range(backup, fd, (uint64_t)from, (uint64_t)to, &end));
        at = end;
        if (end < (uint64_t)to) /* it became shorter */
            break;
    }
    *ret_end = at;
    return QN_OK;
}

/* ---- one file ---- */

static bool is_same(const struct stat *status, const struct qn_entry *entry)
{
    return (uint64_t)status->st_ino == entry->inode && (uint64_t)status->st_size == entry->size &&
           status->st_mtim.tv_sec == entry->mtime_s &&
           (uint32_t)status->st_mtim.tv_nsec == entry->mtime_ns &&
           status->st_ctim.tv_sec == entry->ctime_s &&
           (uint32_t)status->st_ctim.tv_nsec == entry->ctime_ns;
}

/* Times so fresh that a further change may not show in them are not kept: the next run reads the
 * file again. */
static void distrust_fresh(struct qn_entry *entry)
{
    int64_t now_ms = (int64_t)qn_os_wall_ms();
    int64_t changed_ms = entry->ctime_s * 1000 + entry->ctime_ns / 1000000;
    if (now_ms - changed_ms >= TICK_MS)
        return;
    entry->ctime_s = 0;
    entry->ctime_ns = 0;
}

static enum qn_err read_content(struct qn_backup *backup, int fd, const struct stat *status,
                                uint64_t *ret_size)
{
    uint64_t size = (uint64_t)status->st_size;
    bool is_sparse = size > QN_CHUNK_SIZE_MIN && (uint64_t)status->st_blocks * 512 < size;
    if (size >= BIG_SIZE)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return is_sparse ? read_sparse(backup, fd, size, ret_size)
                     : read_range(backup, fd, 0, size, ret_size);
}

enum attempt { ATTEMPT_DONE, ATTEMPT_CHANGED, ATTEMPT_FAILED };

/* The size that counts is what was read; times and the rest are those before the reading, so that a
 * version that changed meanwhile does not look like one that was read. */
static enum qn_err attempt(struct qn_backup *backup, struct qn_entry *entry,
                           enum attempt *ret_attempt)
{
    AUTO_FD int fd = -1;
    struct stat before, after;
    *ret_attempt = ATTEMPT_FAILED;
    errno = backup->read_errno = 0;
    if (qn_walk_open(backup->walk, &fd) != QN_OK || fstat(fd, &before) != 0) {
        backup->read_errno = errno;
        return QN_OK;
    }
    bool was_same = is_same(&before, entry);
    uint64_t size;
    enum qn_err err = read_content(backup, fd, &before, &size);
    if (err == QN_ERR_IO && backup->read_errno != 0)
        return QN_OK;
    QN_TRY(err);
    if (backup->options->on_file_read != NULL)
        backup->options->on_file_read(backup->options->context, entry->path);
    if (fstat(fd, &after) != 0) {
        backup->read_errno = errno;
        return QN_OK;
    }
    bool is_whole = was_same && size == entry->size && is_same(&after, entry);
    entry->size = size;
    *ret_attempt = is_whole ? ATTEMPT_DONE : ATTEMPT_CHANGED;
    return QN_OK;
}

static enum qn_err give_up(struct qn_backup *backup, const struct qn_entry *entry, int errno_value)
{
    forget_uncut(backup);
    QN_TRY(qn_window_restart(backup));
    bool is_gone = errno_value == ENOENT || errno_value == ESTALE;
    qn_backup_report(backup, is_gone ? "vanished" : "unreadable", entry->path, errno_value);
    return QN_ERR_NOTFOUND;
}

/* Begins anew with what the file is now. */
static enum qn_err start_again(struct qn_backup *backup, struct qn_entry *entry)
{
    forget_uncut(backup);
    QN_TRY(qn_window_restart(backup));
    enum qn_err err = qn_walk_restat(backup->walk, entry);
    return err == QN_OK || err == QN_ERR_CLOSED ? err : give_up(backup, entry, errno);
}

enum qn_err qn_backup_read(struct qn_backup *backup, struct qn_entry *entry)
{
    enum attempt result = ATTEMPT_CHANGED;
    for (int i = 0; i < ATTEMPTS && result == ATTEMPT_CHANGED; i++) {
        if (i > 0)
            QN_TRY(start_again(backup, entry));
        QN_TRY(attempt(backup, entry, &result));
    }
    if (result == ATTEMPT_FAILED)
        return give_up(backup, entry, backup->read_errno);
    if (result == ATTEMPT_CHANGED) {
        qn_backup_report(backup, "changed", entry->path, 0);
        entry->ctime_s = 0; /* the next run reads it again */
        entry->ctime_ns = 0;
    }
    distrust_fresh(entry);
    return QN_OK;
}

/* ---- a stream ---- */

static enum qn_err wait_for_bytes(struct qn_backup *backup, int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        if (is_cancelled(backup))
            return QN_ERR_CLOSED;
        ready = poll(&poller, 1, STREAM_POLL_MS);
    } while (ready == 0 || (ready < 0 && errno == EINTR));
    return ready < 0 ? qn_os_err(errno) : QN_OK;
}

enum qn_err qn_backup_read_stream(struct qn_backup *backup, int fd, uint64_t *ret_size)
{
    uint64_t size = 0;
    for (;;) {
        QN_TRY(wait_for_bytes(backup, fd));
        QN_TRY(make_room(backup, ROOM_MIN));
        ssize_t got =
            read(fd, backup->slab->bytes + backup->slab->used, QN_SLAB_SIZE - backup->slab->used);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return qn_os_err(errno);
        if (got == 0)
            break;
        backup->slab->used += (size_t)got;
        size += (uint64_t)got;
        count_read(backup, (size_t)got);
        QN_TRY(cut(backup, false));
    }
    *ret_size = size;
    return cut(backup, true);
}

/* ---- bytes in memory ---- */

enum qn_err qn_backup_read_bytes(struct qn_backup *backup, struct qn_span bytes)
{
    while (bytes.size > 0) {
        if (is_cancelled(backup))
            return QN_ERR_CLOSED;
        QN_TRY(make_room(backup, bytes.size));
        size_t room = QN_SLAB_SIZE - backup->slab->used;
        size_t size = bytes.size < room ? bytes.size : room;
        memcpy(backup->slab->bytes + backup->slab->used, bytes.data, size);
        backup->slab->used += size;
        bytes = qn_span_from(bytes, size);
        QN_TRY(cut(backup, bytes.size == 0));
    }
    return QN_OK;
}
