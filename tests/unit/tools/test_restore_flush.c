#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "syncctl/restore_flush.h"

static int flushes_of(int fd, uint64_t bytes, int times)
{
    struct ctl_flusher flusher;
    ctl_flusher_init(&flusher, fd);
    for (int i = 0; i < times; i++)
        ctl_flusher_wrote(&flusher, bytes);
    return ctl_flusher_stop(&flusher);
}

Test(restore_flush, a_disk_that_cannot_flush_is_told_at_the_end)
{
    cr_assert_eq(flushes_of(-1, CTL_FLUSH_SIZE, 1), EBADF);
    cr_assert_eq(flushes_of(-1, CTL_FLUSH_SIZE / 4, 4), EBADF);
    cr_assert_eq(flushes_of(-1, 5 * CTL_FLUSH_SIZE, 3), EBADF);
}

Test(restore_flush, little_is_left_to_the_end)
{
    cr_assert_eq(flushes_of(-1, CTL_FLUSH_SIZE - 1, 1), 0);
    cr_assert_eq(flushes_of(-1, 0, 3), 0);
}

Test(restore_flush, what_a_disk_takes_is_no_error)
{
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(fd >= 0);
    cr_assert_eq(flushes_of(fd, CTL_FLUSH_SIZE, 3), 0);
    close(fd);
}
