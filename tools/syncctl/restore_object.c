/* One object of a restore: whether something has its name, and how it gets it once it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "restore_private.h"

/* What is being made in a folder is called so: at most one at a time, since one restore has the
 * target for itself. One that was left by an interrupted run is made anew. */
#define FRESH_NAME   ".quoin-restore.part"
#define FRESH_NAME_2 ".quoin-restore.part2" /* if an entry has that name */

void ctl_restore_set_object(struct ctl_restore_object *object, struct qn_span name, int dir)
{
    memcpy(object->name, name.data, name.size);
    object->name[name.size] = '\0';
    object->fresh = strcmp(object->name, FRESH_NAME) == 0 ? FRESH_NAME_2 : FRESH_NAME;
    object->dir = dir;
    object->replaces = false;
}

/* Without renameat2(RENAME_NOREPLACE), which some file systems lack: a second name instead. */
static int publish_by_link(const struct ctl_restore_object *object)
{
    if (linkat(object->dir, object->fresh, object->dir, object->name, 0) != 0)
        return errno;
    return unlinkat(object->dir, object->fresh, 0) == 0 ? 0 : errno;
}

/* Gives what was made its name. 0 or errno; then it is gone. */
static int publish(const struct ctl_restore *restore, const struct ctl_restore_object *object)
{
    bool may_replace = restore->options.overwrites || object->replaces;
    unsigned flags = may_replace ? 0 : RENAME_NOREPLACE;
    int error = 0;
    if (renameat2(object->dir, object->fresh, object->dir, object->name, flags) != 0)
        error = errno;
    if (error == EINVAL && flags != 0)
        error = publish_by_link(object);
    if (error != 0)
        unlinkat(object->dir, object->fresh, 0);
    return error;
}

enum qn_err ctl_restore_publish(struct ctl_restore *restore, uint64_t *count)
{
    int error = publish(restore, &restore->object);
    if (error == EISDIR || error == ENOTEMPTY)
        return ctl_restore_fail(restore, CTL_RESTORE_FOLDER, 0);
    if (error == EEXIST)
        return ctl_restore_fail_exists(restore);
    if (error != 0)
        return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, error);
    ++*count;
    return QN_OK;
}

/* Puts owner, mode and the rest onto what was made. 0 or errno; then it is gone. */
static int dress(struct ctl_restore *restore, const struct ctl_restore_object *object, int fd)
{
    struct ctl_meta_loss loss = {0};
    bool loses_acl = ctl_places_deepest(&restore->places)->has_acl;
    int error = ctl_meta_apply(&restore->meta, fd, loses_acl, &loss);
    ctl_meta_deinit(&restore->meta);
    if (error != 0)
        unlinkat(object->dir, object->fresh, 0);
    else
        ctl_restore_note_loss(restore, &loss);
    return error;
}

enum qn_err ctl_restore_complete(struct ctl_restore *restore, int fd, uint64_t *count)
{
    int error = dress(restore, &restore->object, fd);
    if (error != 0)
        return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, error);
    return ctl_restore_publish(restore, count);
}

/* Some file systems keep whole seconds only. */
static bool has_time(const struct qn_entry *entry, const struct stat *status)
{
    return status->st_mtim.tv_sec == entry->mtime_s &&
           (status->st_mtim.tv_nsec == entry->mtime_ns || status->st_mtim.tv_nsec == 0);
}

bool ctl_restore_is_torn(const struct ctl_restore *restore, const struct qn_entry *entry,
                         const struct stat *status)
{
    bool is_file = entry->type == QN_ENTRY_FILE || entry->type == QN_ENTRY_HARDLINK;
    return restore->mark.distrusts && is_file && S_ISREG(status->st_mode) &&
           has_time(entry, status) &&
           (entry->type == QN_ENTRY_HARDLINK || (uint64_t)status->st_size <= entry->size);
}

static bool is_same(const struct ctl_restore_object *object, const struct qn_entry *entry,
                    const struct stat *status)
{
    char target[QN_PATH_SIZE_MAX + 1];
    ssize_t size;
    switch (entry->type) {
    case QN_ENTRY_FILE:
        return S_ISREG(status->st_mode) && (uint64_t)status->st_size == entry->size &&
               has_time(entry, status);
    case QN_ENTRY_SYMLINK:
        size = S_ISLNK(status->st_mode)
                   ? readlinkat(object->dir, object->name, target, sizeof(target))
                   : -1;
        return size >= 0 && qn_span_eq(entry->target, qn_span(target, (size_t)size));
    case QN_ENTRY_FIFO:
        return S_ISFIFO(status->st_mode);
    case QN_ENTRY_SOCKET:
        return S_ISSOCK(status->st_mode);
    case QN_ENTRY_BLOCK:
    case QN_ENTRY_CHAR:
        return (entry->type == QN_ENTRY_BLOCK) == S_ISBLK(status->st_mode) &&
               (entry->type == QN_ENTRY_CHAR) == S_ISCHR(status->st_mode) &&
               status->st_rdev == makedev(entry->rdev_major, entry->rdev_minor);
    case QN_ENTRY_DIR:
    case QN_ENTRY_HARDLINK:
        break;
    }
    return false;
}

enum ctl_restore_standing ctl_restore_look(struct ctl_restore *restore,
                                           const struct qn_entry *entry)
{
    struct ctl_restore_object *object = &restore->object;
    struct stat status;
    if (ctl_places_deepest(&restore->places)->is_new)
        return CTL_RESTORE_FREE;
    if (fstatat(object->dir, object->name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return CTL_RESTORE_FREE; /* whatever is wrong shows when it is made */
    object->replaces = ctl_restore_is_torn(restore, entry, &status);
    if (object->replaces)
        return CTL_RESTORE_FREE;
    if (is_same(object, entry, &status))
        return CTL_RESTORE_SAME;
    if (S_ISDIR(status.st_mode))
        return CTL_RESTORE_IS_FOLDER;
    return restore->options.overwrites ? CTL_RESTORE_FREE : CTL_RESTORE_TAKEN;
}

bool ctl_restore_is_free(struct ctl_restore *restore, enum ctl_restore_standing standing)
{
    if (standing == CTL_RESTORE_SAME)
        restore->counts.same++;
    else if (standing == CTL_RESTORE_TAKEN)
        (void)!ctl_restore_fail_exists(restore);
    else if (standing == CTL_RESTORE_IS_FOLDER)
        (void)!ctl_restore_fail(restore, CTL_RESTORE_FOLDER, 0);
    return standing == CTL_RESTORE_FREE;
}
