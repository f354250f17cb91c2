#include "restore_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "restore_private.h"

/* ---- what goes wrong ---- */

static void tell(struct ctl_restore *restore, enum ctl_restore_issue issue, struct qn_span path,
                 int error)
{
    restore->options.on_issue(restore->options.context, issue, path, error);
}

static bool is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

static bool is_disk_fault(int error)
{
    return error == EIO || error == EROFS || error == ENODEV || error == EUCLEAN ||
           error == ESHUTDOWN;
}

/* The entry in hand failed; the restore goes on, unless nothing else could be written either. */
enum qn_err ctl_restore_fail(struct ctl_restore *restore, enum ctl_restore_issue issue, int error)
{
    enum qn_err err = QN_OK;
    if (is_full(error)) {
        issue = CTL_RESTORE_NO_ROOM;
        err = QN_ERR_NOSPACE;
    } else if (is_disk_fault(error)) {
        issue = CTL_RESTORE_DISK;
        err = QN_ERR_IO;
    }
    restore->counts.failed++;
    tell(restore, issue, qn_buf_view(&restore->path), error);
    return err;
}

enum qn_err ctl_restore_fail_exists(struct ctl_restore *restore)
{
    return ctl_restore_fail(restore, CTL_RESTORE_EXISTS, 0);
}

/* Nothing can be put below the entry in hand. */
static enum qn_err fail_folder(struct ctl_restore *restore, struct qn_span path, int error)
{
    qn_buf_reset(&restore->failed);
    qn_buf_append_span(&restore->failed, path);
    if (error == EEXIST || error == ELOOP || error == ENOTDIR)
        return ctl_restore_fail_exists(restore);
    return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, error);
}

void ctl_restore_note_loss(struct ctl_restore *restore, const struct ctl_meta_loss *loss)
{
    restore->counts.other_owner += loss->owner;
    restore->counts.fewer_attributes += loss->attributes;
}

static void on_folder_left(void *context, struct qn_span path, int error,
                           const struct ctl_meta_loss *loss)
{
    struct ctl_restore *restore = context;
    ctl_restore_note_loss(restore, loss);
    if (error == 0)
        return;
    restore->counts.failed++;
    tell(restore, CTL_RESTORE_ATTRIBUTES, path, error);
}

/* ---- beginning and end ---- */

static enum qn_err fail_target(const struct ctl_restore_options *options, int error)
{
    enum ctl_restore_issue issue = CTL_RESTORE_TARGET;
    enum qn_err err = QN_ERR_IO;
    if (error == EWOULDBLOCK) {
        issue = CTL_RESTORE_BUSY;
        err = QN_ERR_BUSY;
    } else if (is_full(error)) {
        issue = CTL_RESTORE_NO_ROOM;
        err = QN_ERR_NOSPACE;
    } else if (error == ENOENT || error == ENOTDIR) {
        err = QN_ERR_NOTFOUND;
    } else if (error == EACCES || error == EPERM) {
        err = QN_ERR_DENIED;
    }
    options->on_issue(options->context, issue, qn_span(NULL, 0), error);
    return err;
}

static int begin_mark(struct ctl_restore *restore)
{
    struct qn_digest what;
    int fd, error = ctl_places_fd(&restore->places, &fd);
    QN_DIGEST(&what, restore->options.what);
    if (error == 0)
        error = ctl_restore_mark_begin(&restore->mark, fd, &what);
    restore->places.redoes = restore->mark.distrusts;
    return error;
}

/* Of a target that holds something already, a part may be restored. */
static bool has_room(struct ctl_restore *restore)
{
    struct statvfs status;
    int fd;
    if (ctl_places_fd(&restore->places, &fd) != 0 || fstatvfs(fd, &status) != 0)
        return true;
    if (restore->options.bytes_expected / status.f_frsize > status.f_bavail)
        return false;
    return status.f_files == 0 || restore->options.entries_expected <= status.f_favail;
}

enum qn_err ctl_restore_new(const struct ctl_restore_options *options,
                            struct ctl_restore **ret_restore)
{
    struct ctl_restore *restore = QN_NEW(struct ctl_restore);
    bool is_empty;
    restore->options = *options;
    restore->fd = -1;
    restore->owners = ctl_owners_new();
    qn_buf_init(&restore->path, QN_PATH_SIZE_MAX);
    qn_buf_init(&restore->failed, QN_PATH_SIZE_MAX);
    int error = ctl_places_init(&restore->places, options->target, &is_empty);
    restore->places.on_left = on_folder_left;
    restore->places.context = restore;
    if (error == 0 && is_empty && !has_room(restore))
        error = ENOSPC;
    if (error == 0)
        error = begin_mark(restore);
    if (error != 0) {
        ctl_restore_free(restore);
        return fail_target(options, error);
    }
    *ret_restore = restore;
    return QN_OK;
}

static void abandon_file(struct ctl_restore *restore)
{
    if (restore->fd < 0)
        return;
    close(restore->fd);
    restore->fd = -1;
    unlinkat(restore->object.dir, restore->object.fresh, 0);
    ctl_meta_deinit(&restore->meta);
}

void ctl_restore_free(struct ctl_restore *restore)
{
    if (restore == NULL)
        return;
    abandon_file(restore);
    ctl_meta_deinit(&restore->meta);
    if (ctl_flusher_stop(&restore->places.flusher) != 0)
        ctl_restore_mark_doubt(&restore->mark, ctl_places_target(&restore->places));
    ctl_places_deinit(&restore->places);
    ctl_owners_free(restore->owners);
    qn_buf_deinit(&restore->path);
    qn_buf_deinit(&restore->failed);
    qn_free(restore);
}

/* The disk did not keep something of what was written, and does not say what: nothing is right
 * until it was restored again. `error` 0: it did. */
static enum qn_err not_kept(struct ctl_restore *restore, int error)
{
    if (error == 0)
        return QN_OK;
    ctl_restore_mark_doubt(&restore->mark, ctl_places_target(&restore->places));
    qn_buf_reset(&restore->path);
    enum qn_err err = ctl_restore_fail(restore, CTL_RESTORE_DISK, error);
    return err != QN_OK ? err : QN_ERR_IO;
}

enum qn_err ctl_restore_finish(struct ctl_restore *restore)
{
    QN_ASSERT(!restore->is_file);
    ctl_places_leave(&restore->places, qn_span(NULL, 0));
    int error = ctl_places_sync(&restore->places);
    if (error == 0)
        error = ctl_restore_mark_end(&restore->mark, ctl_places_target(&restore->places));
    return not_kept(restore, error);
}

const struct ctl_restore_counts *ctl_restore_counts(const struct ctl_restore *restore)
{
    return &restore->counts;
}

/* ---- files ---- */

static int open_fresh(const struct ctl_restore_object *object)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(object->dir, object->fresh, flags, 0600);
    if (fd < 0 && errno == EEXIST && unlinkat(object->dir, object->fresh, 0) == 0)
        fd = openat(object->dir, object->fresh, flags, 0600);
    return fd;
}

static enum qn_err begin_file(struct ctl_restore *restore, const struct qn_entry *entry)
{
    if (!ctl_restore_is_free(restore, ctl_restore_look(restore, entry)))
        return QN_OK;
    restore->fd = open_fresh(&restore->object);
    if (restore->fd < 0)
        return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, errno);
    restore->size = entry->size;
    restore->offset = 0;
    restore->taken = 0;
    restore->ends_in_hole = false;
    ctl_meta_take(restore->owners, entry, &restore->meta);
    return QN_OK;
}

static int write_all(int fd, const uint8_t *bytes, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t put = pwrite(fd, bytes, size, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put == 0 ? EIO : errno;
        bytes += put;
        size -= (size_t)put;
        offset += (uint64_t)put;
    }
    return 0;
}

/* The disk may begin with what was written of a large file. */
static enum qn_err flush_piece(struct ctl_restore *restore)
{
    uint64_t offset = restore->taken, size = restore->offset - offset;
    if (size < CTL_FLUSH_PIECE_SIZE)
        return QN_OK;
    restore->taken = restore->offset;
    return not_kept(restore,
                    ctl_flusher_take_piece(&restore->places.flusher, restore->fd, offset, size));
}

enum qn_err ctl_restore_bytes(struct ctl_restore *restore, const uint8_t *bytes, size_t size)
{
    QN_ASSERT(restore->is_file);
    if (restore->fd < 0 || size == 0)
        return QN_OK;
    bool fits = size <= restore->size - restore->offset;
    int error = fits && bytes != NULL ? write_all(restore->fd, bytes, size, restore->offset) : 0;
    if (fits && error == 0) {
        restore->offset += size;
        restore->ends_in_hole = bytes == NULL;
        return flush_piece(restore);
    }
    abandon_file(restore);
    return ctl_restore_fail(restore, fits ? CTL_RESTORE_NOT_MADE : CTL_RESTORE_NO_CONTENT, error);
}

static enum qn_err end_file(struct ctl_restore *restore)
{
    uint64_t before = restore->counts.files;
    if (restore->ends_in_hole && ftruncate(restore->fd, (off_t)restore->size) != 0) {
        int error = errno;
        abandon_file(restore);
        return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, error);
    }
    int fd = restore->fd;
    restore->fd = -1;
    enum qn_err err = ctl_restore_complete(restore, fd, &restore->counts.files);
    int error = ctl_flusher_take(&restore->places.flusher, fd, restore->taken,
                                 restore->offset - restore->taken);
    if (restore->counts.files > before)
        restore->counts.bytes += restore->size;
    return err != QN_OK ? err : not_kept(restore, error);
}

enum qn_err ctl_restore_entry_end(struct ctl_restore *restore, enum qn_err err)
{
    QN_ASSERT(restore->is_file);
    restore->is_file = false;
    if (restore->fd < 0)
        return QN_OK;
    if (err == QN_OK && restore->offset == restore->size)
        return end_file(restore);
    abandon_file(restore);
    return ctl_restore_fail(
        restore, err == QN_ERR_DENIED ? CTL_RESTORE_NOT_YOURS : CTL_RESTORE_NO_CONTENT, 0);
}

/* ---- entries ---- */

/* Goes into the folders above the last name, made if no entry was about them. */
static enum qn_err enter_parents(struct ctl_restore *restore, struct qn_span *ret_name,
                                 bool *ret_is_there)
{
    struct qn_span path = qn_buf_view(&restore->path);
    *ret_is_there = false;
    for (;;) {
        size_t at = restore->places.path.size;
        struct qn_span rest = qn_span_from(path, at > 0 ? at + 1 : 0);
        const uint8_t *slash = memchr(rest.data, '/', rest.size);
        size_t size = slash == NULL ? rest.size : (size_t)(slash - rest.data);
        char name[CTL_RESTORE_NAME_SIZE_MAX + 1];
        if (size > CTL_RESTORE_NAME_SIZE_MAX)
            return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, ENAMETOOLONG);
        if (slash == NULL) {
            *ret_name = rest;
            *ret_is_there = true;
            return QN_OK;
        }
        memcpy(name, rest.data, size);
        name[size] = '\0';
        int error = ctl_places_enter(&restore->places, name, NULL, false);
        if (error != 0)
            return fail_folder(restore, qn_span(path.data, (size_t)(slash - path.data)), error);
    }
}

static enum qn_err restore_folder(struct ctl_restore *restore, const struct qn_entry *entry)
{
    struct ctl_meta meta;
    ctl_meta_take(restore->owners, entry, &meta);
    int error = ctl_places_enter(&restore->places, restore->object.name, &meta,
                                 restore->options.overwrites);
    if (error != 0)
        return fail_folder(restore, qn_buf_view(&restore->path), error);
    if (ctl_places_deepest(&restore->places)->is_finished)
        restore->counts.same++;
    else
        restore->counts.folders++;
    return QN_OK;
}

static enum qn_err restore_one(struct ctl_restore *restore, const struct qn_entry *entry)
{
    switch (entry->type) {
    case QN_ENTRY_DIR:
        return restore_folder(restore, entry);
    case QN_ENTRY_FILE:
        return begin_file(restore, entry);
    case QN_ENTRY_SYMLINK:
        return ctl_restore_special(restore, entry, &restore->counts.links);
    case QN_ENTRY_HARDLINK:
        return ctl_restore_hard_link(restore, entry);
    case QN_ENTRY_FIFO:
    case QN_ENTRY_SOCKET:
    case QN_ENTRY_BLOCK:
    case QN_ENTRY_CHAR:
        return ctl_restore_special(restore, entry, &restore->counts.others);
    }
    return ctl_restore_fail(restore, CTL_RESTORE_BAD_PATH, 0);
}

/* False: it is no path, or not behind the one before it. */
static bool take_path(struct ctl_restore *restore, struct qn_span path)
{
    bool is_good = qn_path_is_valid(path) && path.size < QN_PATH_SIZE_MAX &&
                   qn_path_cmp(qn_buf_view(&restore->path), path) < 0;
    if (!is_good) {
        restore->counts.failed++;
        tell(restore, CTL_RESTORE_BAD_PATH, path, 0);
        return false;
    }
    qn_buf_reset(&restore->path);
    qn_buf_append_span(&restore->path, path);
    return true;
}

static bool is_below_failed(const struct ctl_restore *restore)
{
    return restore->failed.size > 0 &&
           qn_path_is_below(qn_buf_view(&restore->path), qn_buf_view(&restore->failed));
}

enum qn_err ctl_restore_entry(struct ctl_restore *restore, const struct qn_entry *entry,
                              bool *ret_wants_bytes)
{
    struct qn_span name;
    bool is_there;
    int dir;
    QN_ASSERT(!restore->is_file);
    restore->is_file = entry->type == QN_ENTRY_FILE;
    *ret_wants_bytes = false;
    if (!take_path(restore, entry->path))
        return QN_OK;
    if (is_below_failed(restore)) {
        restore->counts.left_out++;
        return QN_OK;
    }
    ctl_places_leave(&restore->places, qn_buf_view(&restore->path));
    QN_TRY(enter_parents(restore, &name, &is_there));
    if (!is_there)
        return QN_OK;
    int error = ctl_places_fd(&restore->places, &dir);
    if (error != 0)
        return fail_folder(restore, qn_buf_view(&restore->places.path), error);
    ctl_restore_set_object(&restore->object, name, dir);
    enum qn_err err = restore_one(restore, entry);
    *ret_wants_bytes = restore->fd >= 0;
    return err;
}
