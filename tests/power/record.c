/* To be loaded before a program (LD_PRELOAD): logs what it does to files below QN_POWER_ROOT, in
 * QN_POWER_LOG (log.h). The calls are made without libc's functions of these names, so that it does
 * not matter what else (a sanitizer) takes their place.
 *
 * Not logged, since nothing here does it: owners, extended attributes, copy_file_range, sendfile,
 * what stdio writes to files.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"

#define EXPORT __attribute__((visibility("default")))

/* Not before a sanitizer has begun, which makes such calls itself: linked to it, this comes later.
 */
static bool is_on;

__attribute__((constructor)) static void start(void)
{
    is_on = true;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

/* A log with a hole in it proves nothing. */
static void give_up(const char *what)
{
    fprintf(stderr, "power: %s: %s\n", what, strerror(errno));
    abort();
}

static void lock(void)
{
    pthread_mutex_lock(&mutex);
    if (log_fd < 0) {
        const char *path = getenv(POWER_LOG_VARIABLE);
        log_fd = path == NULL
                     ? -1
                     : (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
        if (log_fd < 0)
            give_up("no log");
    }
    if (flock(log_fd, LOCK_EX) != 0)
        give_up("lock");
}

static void unlock(void)
{
    int error = errno;
    flock(log_fd, LOCK_UN);
    pthread_mutex_unlock(&mutex);
    errno = error;
}

static uint64_t log_size(void)
{
    struct stat status;
    if (fstat(log_fd, &status) != 0)
        give_up("log");
    return (uint64_t)status.st_size;
}

/* The log is the caller's. errno stays as it is. */
static void append(struct power_record record, const char *name, const char *to_name,
                   const void *data, size_t data_size)
{
    int error = errno;
    record.name_size = name == NULL ? 0 : (uint32_t)strlen(name);
    record.to_name_size = to_name == NULL ? 0 : (uint32_t)strlen(to_name);
    record.data_size = (uint32_t)data_size;
    struct iovec parts[] = {{&record, sizeof(record)},
                            {(void *)name, record.name_size},
                            {(void *)to_name, record.to_name_size},
                            {(void *)data, data_size}};
    size_t size = sizeof(record) + record.name_size + record.to_name_size + data_size;
    if (syscall(SYS_writev, log_fd, parts, 4) != (long)size)
        give_up("write");
    errno = error;
}

/* ---- which files ---- */

static bool is_below_root(int fd)
{
    char link[40], path[PATH_MAX];
    const char *root = getenv(POWER_ROOT_VARIABLE);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    if (root == NULL || size <= 0)
        return false;
    path[size] = '\0';
    size_t root_size = strlen(root);
    return strncmp(path, root, root_size) == 0 &&
           (path[root_size] == '/' || path[root_size] == '\0');
}

/* The inode of an open file or folder that is ours. */
static bool is_ours(int fd, uint64_t *ret_file)
{
    struct stat status;
    int error = errno;
    bool is = is_on && fd >= 0 && fstat(fd, &status) == 0 &&
              (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) && is_below_root(fd);
    if (is)
        *ret_file = status.st_ino;
    errno = error;
    return is;
}

struct place {
    uint64_t folder;
    char name[NAME_MAX + 1];
};

/* The folder that a path's last name is in, if it is ours. */
static bool find_place(int dir, const char *path, struct place *place)
{
    char above[PATH_MAX];
    if (!is_on)
        return false;
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    size_t at = size;
    while (at > 0 && path[at - 1] != '/')
        at--;
    if (size - at > NAME_MAX || size >= PATH_MAX)
        return false;
    snprintf(place->name, sizeof(place->name), "%.*s", (int)(size - at), path + at);
    snprintf(above, sizeof(above), "%.*s", at == 0 ? 1 : (int)at, at == 0 ? "." : path);
    int error = errno;
    int fd = (int)syscall(SYS_openat, dir, above, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    bool is = is_ours(fd, &place->folder);
    if (fd >= 0)
        close(fd);
    errno = error;
    return is;
}

static uint64_t inode_at(int dir, const char *path, int flags, uint32_t *ret_mode)
{
    struct stat status = {0};
    int error = errno;
    bool is_there = fstatat(dir, path, &status, flags) == 0;
    errno = error;
    *ret_mode = status.st_mode;
    return is_there ? status.st_ino : 0;
}

/* ---- names ---- */

static void log_made(int dir, const char *path, const struct place *place, const char *text)
{
    struct power_record record = {.kind = POWER_MAKE, .folder = place->folder};
    record.file = inode_at(dir, path, AT_SYMLINK_NOFOLLOW, &record.mode);
    append(record, place->name, NULL, text, text == NULL ? 0 : strlen(text));
}

static int open_ours(int dir, const char *path, int flags, unsigned mode, struct place *place)
{
    uint32_t mode_before, mode_now;
    uint64_t before = inode_at(dir, path, AT_SYMLINK_NOFOLLOW, &mode_before);
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    if (fd < 0)
        return fd;
    uint64_t now = inode_at(dir, path, AT_SYMLINK_NOFOLLOW, &mode_now);
    if (before == 0)
        log_made(dir, path, place, NULL);
    else if (flags & O_TRUNC && S_ISREG(mode_now))
        append((struct power_record){.kind = POWER_TRUNCATE, .file = now}, NULL, NULL, NULL, 0);
    return fd;
}

static int do_open(int dir, const char *path, int flags, unsigned mode)
{
    struct place place;
    if (!(flags & (O_CREAT | O_TRUNC)) || !find_place(dir, path, &place))
        return (int)syscall(SYS_openat, dir, path, flags, mode);
    lock();
    int fd = open_ours(dir, path, flags, mode, &place);
    unlock();
    return fd;
}

#define OPEN_MODE(flags)                                                                           \
    unsigned mode = 0;                                                                             \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                       \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, unsigned);                                                             \
        va_end(list);                                                                              \
    }

EXPORT int open(const char *path, int flags, ...)
{
    OPEN_MODE(flags)
    return do_open(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    OPEN_MODE(flags)
    return do_open(dir, path, flags, mode);
}

/* Makes something that has a name, and logs it. */
#define MAKING(dir, path, text, call)                                                              \
    struct place place;                                                                            \
    if (!find_place(dir, path, &place))                                                            \
        return (int)(call);                                                                        \
    lock();                                                                                        \
    int code = (int)(call);                                                                        \
    if (code == 0)                                                                                 \
        log_made(dir, path, &place, text);                                                         \
    unlock();                                                                                      \
    return code;

EXPORT int mkdirat(int dir, const char *path,
                   mode_t mode){MAKING(dir, path, NULL, syscall(SYS_mkdirat, dir, path, mode))}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

EXPORT int symlinkat(const char *text, int dir, const char *path){
    MAKING(dir, path, text, syscall(SYS_symlinkat, text, dir, path))}

EXPORT int mknodat(int dir, const char *path, mode_t mode, dev_t device){
    MAKING(dir, path, NULL, syscall(SYS_mknodat, dir, path, mode, device))}

EXPORT int linkat(int from_dir, const char *from, int dir, const char *path, int flags)
{
    struct place place;
    struct power_record record = {.kind = POWER_LINK};
    if (!find_place(dir, path, &place))
        return (int)syscall(SYS_linkat, from_dir, from, dir, path, flags);
    lock();
    int code = (int)syscall(SYS_linkat, from_dir, from, dir, path, flags);
    record.folder = place.folder;
    record.file = inode_at(dir, path, AT_SYMLINK_NOFOLLOW, &record.mode);
    if (code == 0)
        append(record, place.name, NULL, NULL, 0);
    unlock();
    return code;
}

EXPORT int unlinkat(int dir, const char *path, int flags)
{
    struct place place;
    if (!find_place(dir, path, &place))
        return (int)syscall(SYS_unlinkat, dir, path, flags);
    lock();
    int code = (int)syscall(SYS_unlinkat, dir, path, flags);
    if (code == 0)
        append((struct power_record){.kind = POWER_REMOVE, .folder = place.folder}, place.name,
               NULL, NULL, 0);
    unlock();
    return code;
}

EXPORT int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int remove(const char *path)
{
    int code = unlink(path);
    return code != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : code;
}

EXPORT int renameat2(int dir, const char *path, int to_dir, const char *to_path, unsigned flags)
{
    struct place from, to;
    bool is = find_place(dir, path, &from) && find_place(to_dir, to_path, &to);
    if (!is)
        return (int)syscall(SYS_renameat2, dir, path, to_dir, to_path, flags);
    lock();
    int code = (int)syscall(SYS_renameat2, dir, path, to_dir, to_path, flags);
    if (code == 0)
        append((struct power_record){.kind = POWER_RENAME,
                                     .folder = from.folder,
                                     .to_folder = to.folder},
               from.name, to.name, NULL, 0);
    unlock();
    return code;
}

EXPORT int renameat(int dir, const char *path, int to_dir, const char *to_path)
{
    return renameat2(dir, path, to_dir, to_path, 0);
}

EXPORT int rename(const char *path, const char *to_path)
{
    return renameat2(AT_FDCWD, path, AT_FDCWD, to_path, 0);
}

/* ---- what is in a file ---- */

/* Logs the first `size` bytes of the parts; a write-through is durable when it returns. */
static void log_written(int fd, uint64_t file, uint64_t offset, const struct iovec *parts,
                        size_t size)
{
    uint64_t first = log_size();
    for (size_t i = 0; size > 0; i++) {
        size_t some = parts[i].iov_len < size ? parts[i].iov_len : size;
        append((struct power_record){.kind = POWER_WRITE, .file = file, .offset = offset}, NULL,
               NULL, parts[i].iov_base, some);
        offset += some;
        size -= some;
    }
    bool is_through = fcntl(fd, F_GETFL) & O_DSYNC;
    if (is_through)
        append((struct power_record){.kind = POWER_DURABLE, .file = file, .offset = first}, NULL,
               NULL, NULL, 0);
}

static off_t place_of_write(int fd)
{
    struct stat status;
    if (fcntl(fd, F_GETFL) & O_APPEND)
        return fstat(fd, &status) == 0 ? status.st_size : 0;
    return lseek(fd, 0, SEEK_CUR);
}

/* offset -1: where the file is. */
static ssize_t do_write(int fd, const struct iovec *parts, int count, off_t offset)
{
    uint64_t file = 0;
    bool is = is_ours(fd, &file);
    if (is)
        lock();
    off_t at = is && offset < 0 ? place_of_write(fd) : offset;
    ssize_t put = offset < 0 ? syscall(SYS_writev, fd, parts, count)
                             : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    if (is && put > 0)
        log_written(fd, file, (uint64_t)at, parts, (size_t)put);
    if (is)
        unlock();
    return put;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
    struct iovec part = {(void *)bytes, size};
    return do_write(fd, &part, 1, -1);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    struct iovec part = {(void *)bytes, size};
    return do_write(fd, &part, 1, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return do_write(fd, parts, count, -1);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return do_write(fd, parts, count, offset);
}

static void log_of_file(int fd, struct power_record record, const void *data, size_t size)
{
    if (is_ours(fd, &record.file))
        append(record, NULL, NULL, data, size);
}

EXPORT int ftruncate(int fd, off_t size)
{
    lock();
    int code = (int)syscall(SYS_ftruncate, fd, size);
    if (code == 0)
        log_of_file(fd, (struct power_record){.kind = POWER_TRUNCATE, .offset = (uint64_t)size},
                    NULL, 0);
    unlock();
    return code;
}

EXPORT int fchmod(int fd, mode_t mode)
{
    lock();
    int code = (int)syscall(SYS_fchmod, fd, mode);
    if (code == 0)
        log_of_file(fd, (struct power_record){.kind = POWER_MODE, .mode = mode}, NULL, 0);
    unlock();
    return code;
}

static bool is_ours_at(int dir, const char *path, uint64_t *ret_file)
{
    struct place place;
    uint32_t mode;
    if (!find_place(dir, path, &place))
        return false;
    *ret_file = inode_at(dir, path, 0, &mode);
    return *ret_file != 0;
}

EXPORT int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
    struct power_record record = {.kind = POWER_MODE, .mode = mode};
    (void)flags;
    lock();
    int code = (int)syscall(SYS_fchmodat, dir, path, mode);
    if (code == 0 && is_ours_at(dir, path, &record.file))
        append(record, NULL, NULL, NULL, 0);
    unlock();
    return code;
}

EXPORT int chmod(const char *path, mode_t mode)
{
    return fchmodat(AT_FDCWD, path, mode, 0);
}

EXPORT int utimensat(int dir, const char *path, const struct timespec times[2], int flags)
{
    struct power_record record = {.kind = POWER_TIMES};
    lock();
    int code = (int)syscall(SYS_utimensat, dir, path, times, flags);
    bool is_fd = path[0] == '\0';
    if (code == 0 && (is_fd ? is_ours(dir, &record.file) : is_ours_at(dir, path, &record.file)))
        append(record, NULL, NULL, times, 2 * sizeof(times[0]));
    unlock();
    return code;
}

EXPORT void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    uint64_t file = 0;
    bool is_shared = (flags & MAP_TYPE) == MAP_SHARED && protection & PROT_WRITE;
    if (is_shared && is_ours(fd, &file)) {
        lock();
        append((struct power_record){.kind = POWER_MAPPED, .file = file}, NULL, NULL, NULL, 0);
        unlock();
    }
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

/* ---- syncs ---- */

static int do_sync(long number, int fd, uint32_t kind)
{
    struct power_record record = {.kind = kind};
    if (!is_ours(fd, &record.file))
        return (int)syscall(number, fd);
    lock();
    record.offset = log_size();
    unlock();
    int code = (int)syscall(number, fd);
    if (code == 0) {
        lock();
        append(record, NULL, NULL, NULL, 0);
        unlock();
    }
    return code;
}

EXPORT int fsync(int fd)
{
    return do_sync(SYS_fsync, fd, POWER_SYNC);
}

EXPORT int fdatasync(int fd)
{
    return do_sync(SYS_fdatasync, fd, POWER_SYNC);
}

EXPORT int syncfs(int fd)
{
    return do_sync(SYS_syncfs, fd, POWER_SYNC_ALL);
}

/* ---- the same calls under the names that they have with large files ---- */
#define ALSO(name, other, type, ...) EXPORT type other(__VA_ARGS__) __attribute__((alias(#name)));
ALSO(open, open64, int, const char *, int, ...)
ALSO(openat, openat64, int, int, const char *, int, ...)
ALSO(pwrite, pwrite64, ssize_t, int, const void *, size_t, off_t)
ALSO(pwritev, pwritev64, ssize_t, int, const struct iovec *, int, off_t)
ALSO(ftruncate, ftruncate64, int, int, off_t)
ALSO(mmap, mmap64, void *, void *, size_t, int, int, int, off_t)
