#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "crypto/digest.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd)))

static ssize_t read_some(int fd, void *out, size_t size)
{
    ssize_t got;
    do {
        got = read(fd, out, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* The size that stat tells is not trusted: files below /proc have none, others grow. */
static enum qn_err read_to_end(int fd, size_t size_max, struct qn_buf *out)
{
    uint8_t chunk[4096]; /* wiped: it may have held a key */
    size_t total = 0;
    enum qn_err err = QN_OK;
    while (err == QN_OK) {
        ssize_t got = read_some(fd, chunk, sizeof(chunk));
        if (got < 0)
            err = qn_os_err(errno);
        if (got <= 0)
            break;
        total += (size_t)got;
        if (total > size_max) {
            err = QN_ERR_LIMIT;
        } else {
            qn_buf_append(out, chunk, (size_t)got);
            err = qn_buf_status(out);
        }
    }
    qn_wipe(chunk, sizeof(chunk));
    return err;
}

enum qn_err qn_os_read_file(const char *path, size_t size_max, struct qn_buf *out)
{
    /* O_NONBLOCK: opening a pipe that nobody writes to must not wait. */
    AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return qn_os_err(errno);
    if (!S_ISREG(status.st_mode))
        return QN_ERR_DENIED;
    QN_TRY(qn_buf_status(out));
    size_t before = out->size;
    enum qn_err err = read_to_end(fd, size_max, out);
    if (err != QN_OK) {
        out->size = before;
        out->is_over = false;
    }
    return err;
}

/* A path taken apart: all names below are relative to the open folder, so that a rename of one of
 * the folders above cannot lead the steps of one replacement to different places. */
struct place {
    int folder;
    char name[NAME_MAX + 1];
};

static void close_place(struct place *place)
{
    close_fd(&place->folder);
}
#define AUTO_PLACE __attribute__((cleanup(close_place)))

static enum qn_err open_place(const char *path, struct place *place)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    size_t name_at = size;
    while (name_at > 0 && path[name_at - 1] != '/')
        name_at--;
    size_t name_size = size - name_at;
    if (name_size == 0 || name_size > NAME_MAX || name_at >= PATH_MAX)
        return name_size == 0 ? QN_ERR_INVALID : QN_ERR_LIMIT;
    memcpy(place->name, path + name_at, name_size);
    place->name[name_size] = '\0';
    char folder[PATH_MAX + 1] = ".";
    if (name_at > 0) {
        memcpy(folder, path, name_at);
        folder[name_at] = '\0';
    }
    place->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return place->folder < 0 ? qn_os_err(errno) : QN_OK;
}

static enum qn_err sync_fd(int fd)
{
    return fsync(fd) == 0 ? QN_OK : qn_os_err(errno);
}

static enum qn_err write_all(int fd, struct qn_span content)
{
    while (content.size > 0) {
        ssize_t put = write(fd, content.data, content.size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return qn_os_err(errno);
        content = qn_span_from(content, (size_t)put);
    }
    return QN_OK;
}

static enum qn_err write_new(int folder, const char *name, struct qn_span content, unsigned mode)
{
    /* Left by a crash, if there is one. */
    if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
        return qn_os_err(errno);
    AUTO_FD int fd =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return qn_os_err(errno);
    QN_TRY(write_all(fd, content));
    if (fchmod(fd, mode) != 0) /* not subject to the umask */
        return qn_os_err(errno);
    return sync_fd(fd);
}

enum qn_err qn_os_replace_file(const char *path, struct qn_span content, unsigned mode)
{
    AUTO_PLACE struct place place = {.folder = -1};
    QN_TRY(open_place(path, &place));
    char fresh[NAME_MAX + 1];
    int length = snprintf(fresh, sizeof(fresh), "%s.new", place.name);
    if (length < 0 || (size_t)length >= sizeof(fresh))
        return QN_ERR_LIMIT;
    enum qn_err err = write_new(place.folder, fresh, content, mode);
    if (err == QN_OK && renameat(place.folder, fresh, place.folder, place.name) != 0)
        err = qn_os_err(errno);
    if (err != QN_OK) {
        unlinkat(place.folder, fresh, 0);
        return err;
    }
    return sync_fd(place.folder);
}

static enum qn_err check_is_dir(const struct place *place)
{
    struct stat status;
    if (fstatat(place->folder, place->name, &status, 0) != 0)
        return qn_os_err(errno);
    return S_ISDIR(status.st_mode) ? QN_OK : QN_ERR_EXISTS;
}

enum qn_err qn_os_make_dir(const char *path, unsigned mode)
{
    AUTO_PLACE struct place place = {.folder = -1};
    QN_TRY(open_place(path, &place));
    if (mkdirat(place.folder, place.name, 0700) != 0)
        return errno == EEXIST ? check_is_dir(&place) : qn_os_err(errno);
    if (fchmodat(place.folder, place.name, mode, 0) != 0)
        return qn_os_err(errno);
    return sync_fd(place.folder);
}

enum qn_err qn_os_sync_dir(const char *path)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? qn_os_err(errno) : sync_fd(fd);
}

bool qn_os_is_full(int fd)
{
    struct statvfs status;
    return fstatvfs(fd, &status) == 0 && (uint64_t)status.f_bavail * status.f_frsize < 1024 * 1024;
}

enum qn_err qn_os_close_on_exec(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0 ? QN_OK : qn_os_err(errno);
}
