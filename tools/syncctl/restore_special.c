/* Links, further names of files, pipes, sockets and devices. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "restore_private.h"

/* ---- links and special files ---- */

static int make_symlink(const struct ctl_restore_object *object, struct qn_span target)
{
    char text[QN_PATH_SIZE_MAX + 1];
    if (target.size > QN_PATH_SIZE_MAX || memchr(target.data, 0, target.size) != NULL)
        return EINVAL;
    memcpy(text, target.data, target.size);
    text[target.size] = '\0';
    return symlinkat(text, object->dir, object->fresh) == 0 ? 0 : errno;
}

static uint32_t format_of(enum qn_entry_type type)
{
    switch (type) {
    case QN_ENTRY_SYMLINK:
        return S_IFLNK;
    case QN_ENTRY_FIFO:
        return S_IFIFO;
    case QN_ENTRY_SOCKET:
        return S_IFSOCK;
    case QN_ENTRY_BLOCK:
        return S_IFBLK;
    case QN_ENTRY_CHAR:
        return S_IFCHR;
    case QN_ENTRY_DIR:
    case QN_ENTRY_FILE:
    case QN_ENTRY_HARDLINK:
        break;
    }
    return S_IFREG;
}

static int make_fresh(const struct ctl_restore_object *object, const struct qn_entry *entry)
{
    dev_t device = makedev(entry->rdev_major, entry->rdev_minor);
    if (unlinkat(object->dir, object->fresh, 0) != 0 && errno != ENOENT)
        return errno;
    if (entry->type == QN_ENTRY_SYMLINK)
        return make_symlink(object, entry->target);
    return mknodat(object->dir, object->fresh, format_of(entry->type) | 0600, device) == 0 ? 0
                                                                                           : errno;
}

/* The object that was made, or errno if somebody has put another one in its place. */
static int open_made(const struct ctl_restore_object *object, uint32_t format, int *ret_fd)
{
    struct stat status;
    int fd = openat(object->dir, object->fresh, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fstat(fd, &status) != 0 || (status.st_mode & S_IFMT) != format || status.st_nlink != 1) {
        close(fd);
        return ESTALE;
    }
    *ret_fd = fd;
    return 0;
}

enum qn_err ctl_restore_special(struct ctl_restore *restore, const struct qn_entry *entry,
                                uint64_t *count)
{
    bool is_device = entry->type == QN_ENTRY_BLOCK || entry->type == QN_ENTRY_CHAR;
    int fd = -1;
    if (!ctl_restore_is_free(restore, ctl_restore_look(restore, entry)))
        return QN_OK;
    int error = make_fresh(&restore->object, entry);
    if (is_device && error == EPERM)
        return ctl_restore_fail(restore, CTL_RESTORE_NEEDS_ROOT, 0);
    if (error == 0)
        error = open_made(&restore->object, format_of(entry->type), &fd);
    if (error != 0)
        return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, error);
    ctl_meta_take(restore->owners, entry, &restore->meta);
    enum qn_err err = ctl_restore_complete(restore, fd, count);
    close(fd); /* O_PATH: nothing can be told there */
    return err;
}

/* ---- further names of a file ---- */

/* The first name, if what bears it is what the entry was: else the wrong content would get a second
 * name. */
static int open_first(struct ctl_restore *restore, const struct qn_entry *entry,
                      struct stat *ret_status)
{
    char name[CTL_RESTORE_NAME_SIZE_MAX + 1];
    struct qn_span path = entry->target;
    const uint8_t *slash = memrchr(path.data, '/', path.size);
    size_t above = slash == NULL ? 0 : (size_t)(slash - path.data);
    struct qn_span last = slash == NULL ? path : qn_span_from(path, above + 1);
    if (last.size > CTL_RESTORE_NAME_SIZE_MAX)
        return -1;
    memcpy(name, last.data, last.size);
    name[last.size] = '\0';
    int dir = ctl_places_open(&restore->places, qn_span(path.data, above));
    if (dir < 0)
        return -1;
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    close(dir);
    if (fd < 0)
        return -1;
    if (fstat(fd, ret_status) == 0 && !S_ISDIR(ret_status->st_mode) &&
        ret_status->st_mtim.tv_sec == entry->mtime_s &&
        (ret_status->st_mtim.tv_nsec == entry->mtime_ns || ret_status->st_mtim.tv_nsec == 0))
        return fd;
    close(fd);
    return -1;
}

/* The open object gets a second name; a descriptor leaves no way to put another one under it. */
static enum qn_err link_open(struct ctl_restore *restore, int fd)
{
    const struct ctl_restore_object *object = &restore->object;
    char self[40];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (unlinkat(object->dir, object->fresh, 0) != 0 && errno != ENOENT)
        return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, errno);
    if (linkat(AT_FDCWD, self, object->dir, object->fresh, AT_SYMLINK_FOLLOW) != 0)
        return ctl_restore_fail(restore, CTL_RESTORE_NOT_MADE, errno);
    return ctl_restore_publish(restore, &restore->counts.hard_links);
}

static enum ctl_restore_standing look_for_link(struct ctl_restore *restore,
                                               const struct qn_entry *entry,
                                               const struct stat *first)
{
    struct ctl_restore_object *object = &restore->object;
    struct stat status;
    if (fstatat(object->dir, object->name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return CTL_RESTORE_FREE;
    if (status.st_dev == first->st_dev && status.st_ino == first->st_ino)
        return CTL_RESTORE_SAME;
    if (S_ISDIR(status.st_mode))
        return CTL_RESTORE_IS_FOLDER;
    object->replaces = ctl_restore_is_torn(restore, entry, &status);
    return restore->options.overwrites || object->replaces ? CTL_RESTORE_FREE : CTL_RESTORE_TAKEN;
}

enum qn_err ctl_restore_hard_link(struct ctl_restore *restore, const struct qn_entry *entry)
{
    struct stat first;
    if (!qn_path_is_valid(entry->target))
        return ctl_restore_fail(restore, CTL_RESTORE_BAD_PATH, 0);
    int fd = open_first(restore, entry, &first);
    if (fd < 0)
        return ctl_restore_fail(restore, CTL_RESTORE_NO_FIRST, 0);
    enum qn_err err = QN_OK;
    if (ctl_restore_is_free(restore, look_for_link(restore, entry, &first)))
        err = link_open(restore, fd);
    close(fd);
    return err;
}
