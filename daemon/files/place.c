#include "files/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/syscall.h>

#include "files/names.h"

/* A rename anywhere on the machine may make the kernel say "again". */
#define AGAIN_MAX 256
/* Without O_NOFOLLOW, so that a link is ELOOP, by RESOLVE_NO_SYMLINKS, and not ENOTDIR. */
#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define LOOK_MASK (STATX_BASIC_STATS | STATX_BTIME)

#define RULES     (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

int beneath_open_cached(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)flags | (unsigned)O_CLOEXEC,
                           .resolve = RULES | RESOLVE_CACHED};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

int beneath_open(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)flags | (unsigned)O_CLOEXEC, .resolve = RULES};
    for (int tries = 0;; tries++) {
        int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || tries == AGAIN_MAX)
            return fd;
        sched_yield();
    }
}

static void copy_name(struct qn_span name, char out[NAME_MAX + 1])
{
    memcpy(out, name.data, name.size);
    out[name.size] = '\0';
}

static bool is_same_name(const char *found, struct qn_span composed)
{
    QN_AUTO_BUF struct qn_buf form;
    qn_buf_init(&form, 4 * (NAME_MAX + 1));
    struct qn_span name = qn_span_str(found);
    return !qn_name_is_ascii(name) && qn_name_compose(name, &form) == QN_OK &&
           qn_span_eq(qn_buf_view(&form), composed);
}

/* Reads the directory for a name whose normal form it is; false: none. */
static bool search_form(int dir, struct qn_span composed, char out[NAME_MAX + 1])
{
    int fd = openat(dir, ".", DIRECTORY);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        close_fd(&fd);
        return false;
    }
    bool is_found = false;
    for (struct dirent *entry; !is_found && (entry = readdir(stream)) != NULL;) {
        is_found = is_same_name(entry->d_name, composed);
        if (is_found)
            copy_name(qn_span_str(entry->d_name), out);
    }
    closedir(stream);
    return is_found;
}

/* The name on the disk; if there is none, the one that was given. */
static void find_name(int dir, struct qn_span name, char out[NAME_MAX + 1])
{
    struct stat status;
    copy_name(name, out);
    if (qn_name_is_ascii(name) || fstatat(dir, out, &status, AT_SYMLINK_NOFOLLOW) == 0)
        return;
    if (errno == ENOENT)
        (void)search_form(dir, name, out);
}

/* Name by name, for directories whose names are on the disk in another form. */
static enum qn_err descend(int root, struct qn_span path, int *ret_fd)
{
    int dir = openat(root, ".", DIRECTORY);
    while (dir >= 0 && path.size > 0) {
        char name[NAME_MAX + 1];
        const uint8_t *slash = memchr(path.data, '/', path.size);
        size_t size = slash == NULL ? path.size : (size_t)(slash - path.data);
        find_name(dir, qn_span(path.data, size), name);
        int next = beneath_open(dir, name, DIRECTORY);
        int code = errno;
        close(dir);
        errno = code;
        dir = next;
        path = qn_span_from(path, slash == NULL ? size : size + 1);
    }
    if (dir < 0)
        return files_err(errno);
    *ret_fd = dir;
    return QN_OK;
}

static enum qn_err open_parent(int root, struct qn_span path, int *ret_fd)
{
    char text[PATH_MAX + 1] = ".";
    if (path.size > 0) {
        memcpy(text, path.data, path.size);
        text[path.size] = '\0';
    }
    int fd = beneath_open(root, text, DIRECTORY);
    if (fd >= 0) {
        *ret_fd = fd;
        return QN_OK;
    }
    if (errno == ENOENT && !qn_name_is_ascii(path))
        return descend(root, path, ret_fd);
    return files_err(errno);
}

enum qn_err place_find(int root, struct qn_span path, struct place *place)
{
    struct qn_span parent, last;
    if (!qn_name_is_path(path))
        return QN_ERR_DENIED;
    qn_name_split(path, &parent, &last);
    QN_TRY(open_parent(root, parent, &place->parent));
    place->is_root = path.size == 0;
    if (place->is_root)
        copy_name(qn_span_str("."), place->name);
    else
        find_name(place->parent, last, place->name);
    return QN_OK;
}

void place_close(struct place *place)
{
    close_fd(&place->parent);
    place->parent = -1;
}

static enum qn_err check_kind(const struct statx *status)
{
    return S_ISREG(status->stx_mode) || S_ISDIR(status->stx_mode) ? QN_OK : QN_ERR_DENIED;
}

enum qn_err name_look(int dir, const char *name, struct statx *ret_status)
{
    struct statx status;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT;
    if (statx(dir, name, flags, LOOK_MASK, &status) != 0)
        return files_err(errno);
    if ((status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0)
        return QN_ERR_DENIED;
    QN_TRY(check_kind(&status));
    *ret_status = status;
    return QN_OK;
}

enum qn_err fd_look(int fd, struct statx *ret_status)
{
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, LOOK_MASK, ret_status) != 0)
        return files_err(errno);
    return check_kind(ret_status);
}

enum qn_err place_look(const struct place *place, struct statx *ret_status)
{
    return place->is_root ? fd_look(place->parent, ret_status)
                          : name_look(place->parent, place->name, ret_status);
}

enum qn_err name_open_file(int dir, const char *name, int *ret_fd, struct statx *ret_status)
{
    AUTO_FD int fd = beneath_open(dir, name, OPEN_FLAGS);
    if (fd < 0)
        return files_err(errno);
    QN_TRY(fd_look(fd, ret_status));
    if (is_directory(ret_status))
        return QN_ERR_EXISTS;
    *ret_fd = fd;
    fd = -1;
    return QN_OK;
}
