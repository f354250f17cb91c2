#include "restore_mark.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FRESH_MARK   CTL_RESTORE_MARK ".new"
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_SIZE    36        /* of the text */
#define ANOTHER_BOOT "another" /* that never was */

/* "BOOT WHAT\n"; an unknown boot is none that ever was, so that it is distrusted. */
struct text {
    char boot[BOOT_SIZE + 1], what[2 * QN_DIGEST_SIZE + 1];
};

static size_t read_text(int dir, const char *path, char *out, size_t size)
{
    int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, out, size - 1);
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

static struct text text_of(const struct qn_digest *what)
{
    struct text text;
    char boot[64];
    size_t size = read_text(AT_FDCWD, BOOT_ID_PATH, boot, sizeof(boot));
    snprintf(text.boot, sizeof(text.boot), "%.36s", size >= BOOT_SIZE ? boot : "unknown");
    qn_text_hex(QN_SPAN_OF(what->bytes), text.what);
    return text;
}

static int write_and_sync(int fd, const struct text *text)
{
    char line[sizeof(text->boot) + sizeof(text->what) + 1];
    int size = snprintf(line, sizeof(line), "%s %s\n", text->boot, text->what);
    ssize_t written = write(fd, line, (size_t)size);
    int error = written < 0 ? errno : written != size ? ENOSPC : 0;
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    return close(fd) != 0 && error == 0 ? errno : error;
}

static int put(int target, const struct text *text)
{
    if (unlinkat(target, FRESH_MARK, 0) != 0 && errno != ENOENT)
        return errno;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(target, FRESH_MARK, flags, 0600);
    if (fd < 0)
        return errno;
    int error = write_and_sync(fd, text);
    if (error == 0 && renameat(target, FRESH_MARK, target, CTL_RESTORE_MARK) != 0)
        error = errno;
    if (error != 0)
        unlinkat(target, FRESH_MARK, 0);
    return error != 0 || fsync(target) == 0 ? error : errno;
}

/* Whatever cannot be read as one is of another boot and of something else. */
static int take(struct ctl_restore_mark *mark, int target, const char *found, struct text now)
{
    mark->is_there = true;
    mark->distrusts = strcmp(now.boot, "unknown") == 0 || strlen(found) < BOOT_SIZE ||
                      memcmp(found, now.boot, BOOT_SIZE) != 0;
    if (!mark->distrusts)
        return 0;
    const char *what = strchr(found, ' ');
    mark->stays = what == NULL || strncmp(what + 1, now.what, strlen(now.what)) != 0;
    if (!mark->stays || (what != NULL && strcmp(what, " any\n") == 0))
        return 0;
    strcpy(now.boot, ANOTHER_BOOT);
    strcpy(now.what, "any");
    return put(target, &now);
}

static bool may_not_write(int error)
{
    return error == EACCES || error == EPERM || error == EROFS;
}

int ctl_restore_mark_begin(struct ctl_restore_mark *mark, int target, const struct qn_digest *what)
{
    char found[256];
    struct text now = text_of(what);
    *mark = (struct ctl_restore_mark){0};
    if (faccessat(target, CTL_RESTORE_MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        read_text(target, CTL_RESTORE_MARK, found, sizeof(found));
        return take(mark, target, found, now);
    }
    int error = put(target, &now);
    mark->is_there = error == 0;
    return may_not_write(error) ? 0 : error;
}

void ctl_restore_mark_doubt(const struct ctl_restore_mark *mark, int target)
{
    int fd =
        mark->is_there ? openat(target, CTL_RESTORE_MARK, O_WRONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    (void)!pwrite(fd, ANOTHER_BOOT, strlen(ANOTHER_BOOT), 0); /* there is nobody left to tell */
    (void)!fsync(fd);
    close(fd);
}

int ctl_restore_mark_end(struct ctl_restore_mark *mark, int target)
{
    if (!mark->is_there || mark->stays)
        return 0;
    if (unlinkat(target, CTL_RESTORE_MARK, 0) != 0 && errno != ENOENT)
        return errno;
    mark->is_there = false;
    return fsync(target) == 0 ? 0 : errno;
}
