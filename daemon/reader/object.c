#include "reader/object.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* A file under another program's lease (a file server's "oplock") is lent to us within this. */
#define LEASE_TRIES    20
#define LEASE_PAUSE_NS (50 * 1000 * 1000)

#define FILE_FLAGS     (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static void set_node(struct qn_node *node, const struct statx *status)
{
    node->mode = status->stx_mode;
    node->uid = status->stx_uid;
    node->gid = status->stx_gid;
    node->nlink = status->stx_nlink;
    node->rdev_major = status->stx_rdev_major;
    node->rdev_minor = status->stx_rdev_minor;
    node->inode = status->stx_ino;
    node->device = makedev(status->stx_dev_major, status->stx_dev_minor);
    node->size = status->stx_size;
    node->mtime_s = status->stx_mtime.tv_sec;
    node->mtime_ns = status->stx_mtime.tv_nsec;
    node->ctime_s = status->stx_ctime.tv_sec;
    node->ctime_ns = status->stx_ctime.tv_nsec;
}

static int read_target(int dir, const char *name, struct qn_batch *batch, struct qn_node *node)
{
    char target[QN_SOURCE_TARGET_MAX + 1];
    ssize_t size = readlinkat(dir, name, target, sizeof(target));
    if (size < 0)
        return errno == EINVAL ? ESTALE : errno;
    if ((size_t)size == sizeof(target))
        return ENAMETOOLONG;
    qn_batch_set_target(batch, node, qn_span(target, (size_t)size));
    return 0;
}

int qn_object_look(int dir, const char *name, struct qn_batch *batch, struct qn_node *node)
{
    struct statx status;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT;
    if (statx(dir, name, flags, STATX_BASIC_STATS, &status) != 0)
        return errno;
    set_node(node, &status);
    return S_ISLNK(node->mode) ? read_target(dir, name, batch, node) : 0;
}

int qn_object_open_quietly(int dir, const char *name, int flags, bool *is_noatime_refused)
{
    if (!*is_noatime_refused) {
        int fd = openat(dir, name, flags | O_NOATIME);
        if (fd >= 0 || errno != EPERM)
            return fd;
        *is_noatime_refused = true; /* it is not ours, and we are not privileged */
    }
    return openat(dir, name, flags);
}

static int open_file(int dir, const char *name, bool *is_noatime_refused)
{
    struct timespec pause = {.tv_nsec = LEASE_PAUSE_NS};
    for (int tries = 0;; tries++) {
        int fd = qn_object_open_quietly(dir, name, FILE_FLAGS, is_noatime_refused);
        if (fd >= 0 || errno != EAGAIN || tries == LEASE_TRIES)
            return fd;
        nanosleep(&pause, NULL);
    }
}

int qn_object_open(int dir, const char *name, bool *is_noatime_refused, int *ret_fd)
{
    struct stat status;
    int fd = open_file(dir, name, is_noatime_refused);
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? ESTALE : errno; /* a link, a socket by now */
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return ESTALE;
    }
    *ret_fd = fd;
    return 0;
}

bool qn_object_is_cache(int dir)
{
    static const char signature[] = "Signature: 8a477f597d28d172789f06886806bc55";
    char head[sizeof(signature) - 1];
    struct stat status;
    int fd = openat(dir, "CACHEDIR.TAG", FILE_FLAGS);
    if (fd < 0)
        return false;
    bool is_valid = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                    read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
                    memcmp(head, signature, sizeof(head)) == 0;
    close(fd);
    return is_valid;
}

/* What the kernel makes up has no place in a backup, and reading it may wait or do harm. */
bool qn_object_is_made_up(int fd)
{
    static const uint64_t kinds[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,        CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        DEBUGFS_MAGIC,    TRACEFS_MAGIC,      SECURITYFS_MAGIC,   BPF_FS_MAGIC,
        PSTOREFS_MAGIC,   DEVPTS_SUPER_MAGIC, EFIVARFS_MAGIC,     BINFMTFS_MAGIC,
        NSFS_MAGIC,       SELINUX_MAGIC,      HUGETLBFS_MAGIC,    0x62656570 /* configfs */,
        0x19800202 /* mqueue */};
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return false;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if ((uint64_t)status.f_type == kinds[i])
            return true;
    return false;
}
