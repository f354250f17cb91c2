#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"

struct qn_os_lock {
    int fd;
};

/* flock and not fcntl: it belongs to the open file, so closing some other descriptor of the file
 * does not drop it. The file is never removed: a second process could lock the removed one. */
enum qn_err qn_os_lock_take(const char *path, struct qn_os_lock **ret_lock)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return qn_os_err(errno);
    int status;
    do {
        status = flock(fd, LOCK_EX | LOCK_NB);
    } while (status != 0 && errno == EINTR);
    if (status != 0) {
        enum qn_err err = qn_os_err(errno);
        close(fd);
        return err;
    }
    struct qn_os_lock *lock = QN_NEW(struct qn_os_lock);
    lock->fd = fd;
    *ret_lock = lock;
    return QN_OK;
}

void qn_os_lock_free(struct qn_os_lock *lock)
{
    if (lock == NULL)
        return;
    close(lock->fd);
    qn_free(lock);
}
