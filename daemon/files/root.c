#include "files/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "os/os.h"

#define MARK_NAME      ".quoin-folder"
#define MARK_TEXT_SIZE ((size_t)2 * QN_FOLDER_MARK_SIZE + 1)

enum qn_err files_err(int code)
{
    switch (code) {
    case EXDEV: /* a mount, or out of the folder */
    case ENXIO: /* a pipe or a device without anybody behind it */
        return QN_ERR_DENIED;
    case EISDIR:
    case ENOTEMPTY:
        return QN_ERR_EXISTS;
    case EINVAL:
        return QN_ERR_UNSUPPORTED;
    default:
        return qn_os_err(code);
    }
}

void root_init(struct root *root, const char *path, const uint8_t *mark)
{
    *root = (struct root){.path = qn_strdup(path), .has_mark = mark != NULL};
    if (mark != NULL)
        memcpy(root->mark, mark, sizeof(root->mark));
    QN_ASSERT(pthread_mutex_init(&root->lock, NULL) == 0);
}

void root_deinit(struct root *root)
{
    pthread_mutex_destroy(&root->lock);
    qn_free(root->path);
}

/* Of the mark in a directory; QN_ERR_NOTFOUND if there is none that can be read. */
static enum qn_err read_mark(int dir, uint8_t ret_mark[QN_FOLDER_MARK_SIZE])
{
    char text[MARK_TEXT_SIZE];
    AUTO_FD int fd = openat(dir, MARK_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? QN_ERR_NOTFOUND : files_err(errno);
    ssize_t size = read(fd, text, sizeof(text));
    if (size < 0)
        return files_err(errno);
    QN_AUTO_BUF struct qn_buf mark;
    qn_buf_init(&mark, QN_FOLDER_MARK_SIZE);
    if ((size_t)size != sizeof(text) ||
        qn_text_parse_hex(qn_span(text, sizeof(text) - 1), &mark) != QN_OK)
        return QN_ERR_INVALID;
    memcpy(ret_mark, mark.data, QN_FOLDER_MARK_SIZE);
    return QN_OK;
}

static bool is_marked(int dir, const uint8_t mark[QN_FOLDER_MARK_SIZE])
{
    uint8_t found[QN_FOLDER_MARK_SIZE];
    return read_mark(dir, found) == QN_OK && memcmp(found, mark, sizeof(found)) == 0;
}

static int open_directory(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Of this machine and known not to ask anybody: a network's or a program's file system may wait in
 * an open whose names are all in memory. Where each read is noted in the file, it writes. */
static bool is_quick(int dir)
{
    struct statfs status;
    if (fstatfs(dir, &status) != 0 || (status.f_flags & (ST_NOATIME | ST_RELATIME)) == 0)
        return false;
    switch ((unsigned long)status.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
        return true;
    default:
        return false;
    }
}

/* Under the lock. With a mark the mark decides, also over an inode that came again. */
static bool is_it(struct root *root, int fd, const struct stat *status)
{
    bool is_same =
        root->is_known && status->st_dev == root->device && status->st_ino == root->inode;
    if (is_same)
        return true;
    if (root->has_mark ? !is_marked(fd, root->mark) : root->is_known)
        return false;
    root->is_known = true;
    root->is_quick = is_quick(fd);
    root->device = status->st_dev;
    root->inode = status->st_ino;
    return true;
}

enum qn_err root_open(struct root *root, int *ret_fd)
{
    struct stat status;
    int fd = open_directory(root->path);
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE ? QN_ERR_LIMIT : QN_ERR_CLOSED;
    if (fstat(fd, &status) != 0) {
        close(fd);
        return QN_ERR_CLOSED;
    }
    pthread_mutex_lock(&root->lock);
    bool is_ours = is_it(root, fd, &status);
    pthread_mutex_unlock(&root->lock);
    if (!is_ours) {
        close(fd);
        return QN_ERR_CLOSED;
    }
    *ret_fd = fd;
    return QN_OK;
}

int root_open_cached(struct root *root)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    struct stat status;
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, root->path, &how, sizeof(how));
    if (fd < 0)
        return -1;
    pthread_mutex_lock(&root->lock);
    bool is_ours = root->is_known && root->is_quick && fstat(fd, &status) == 0 &&
                   status.st_dev == root->device && status.st_ino == root->inode;
    pthread_mutex_unlock(&root->lock);
    if (is_ours)
        return fd;
    close(fd);
    return -1;
}

static enum qn_err write_mark(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE])
{
    QN_AUTO_BUF struct qn_buf text, name;
    qn_buf_init(&text, MARK_TEXT_SIZE);
    qn_buf_init(&name, 8192);
    qn_text_append_hex(&text, qn_span(mark, QN_FOLDER_MARK_SIZE));
    qn_buf_append_u8(&text, '\n');
    qn_buf_printf(&name, "%s/" MARK_NAME, path);
    qn_buf_append_u8(&name, '\0');
    QN_TRY(qn_buf_status(&name));
    return qn_os_replace_file((const char *)name.data, qn_buf_view(&text), 0644);
}

enum qn_err qn_folder_mark(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE])
{
    uint8_t found[QN_FOLDER_MARK_SIZE];
    AUTO_FD int fd = open_directory(path);
    if (fd < 0)
        return files_err(errno);
    enum qn_err err = read_mark(fd, found);
    if (err == QN_OK)
        return memcmp(found, mark, sizeof(found)) == 0 ? QN_OK : QN_ERR_EXISTS;
    return err == QN_ERR_NOTFOUND || err == QN_ERR_INVALID ? write_mark(path, mark) : err;
}

enum qn_err qn_folder_check(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE])
{
    AUTO_FD int fd = open_directory(path);
    return fd >= 0 && is_marked(fd, mark) ? QN_OK : QN_ERR_CLOSED;
}

enum qn_err qn_folder_unmark(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE])
{
    AUTO_FD int fd = open_directory(path);
    if (fd < 0)
        return files_err(errno);
    if (!is_marked(fd, mark))
        return QN_OK;
    if (unlinkat(fd, MARK_NAME, 0) != 0 || fsync(fd) != 0)
        return files_err(errno);
    return QN_OK;
}
