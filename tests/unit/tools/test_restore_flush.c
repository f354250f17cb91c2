#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "support/tmp_dir.h"
#include "syncctl/restore_flush.h"

#define PAGE_SIZE 4096

static int flush_of(int fd, uint64_t size, int times)
{
    struct ctl_flusher flusher;
    ctl_flusher_init(&flusher);
    for (int i = 0; i < times; i++)
        ctl_flusher_take_piece(&flusher, fd, (uint64_t)i * size, size);
    return ctl_flusher_stop(&flusher);
}

static int count_open(void)
{
    int count = 0;
    DIR *stream = opendir("/proc/self/fd");
    cr_assert(stream != NULL);
    while (readdir(stream) != NULL)
        count++;
    closedir(stream);
    return count;
}

/* A pipe has nothing to flush, which the kernel calls an error. */
Test(restore_flush, a_disk_that_cannot_flush_is_told_at_the_end)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    int before = count_open();
    cr_assert_eq(flush_of(ends[1], 1, 1), ESPIPE);
    cr_assert_eq(flush_of(ends[1], CTL_FLUSH_SIZE_MAX, 5), ESPIPE);
    cr_assert_eq(flush_of(ends[1], 1, 3 * CTL_FLUSH_COUNT_MAX + 1), ESPIPE);
    cr_assert_eq(count_open(), before);
    close(ends[0]);
    close(ends[1]);
}

Test(restore_flush, a_file_that_cannot_be_closed_is_told)
{
    struct ctl_flusher flusher;
    ctl_flusher_init(&flusher);
    ctl_flusher_take(&flusher, -1, 0, 0);
    cr_assert_eq(ctl_flusher_stop(&flusher), EBADF);
}

Test(restore_flush, nothing_written_is_nothing_to_flush)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    int before = count_open();
    cr_assert_eq(flush_of(ends[1], 0, 3), 0);
    cr_assert_eq(flush_of(-1, 1, 1), 0, "no descriptor is left: the end has to do");
    cr_assert_eq(count_open(), before);
    close(ends[0]);
    close(ends[1]);
}

static int make_file(const struct tmp_dir *dir, uint64_t size)
{
    static const char bytes[1 << 16];
    char path[TMP_PATH_SIZE];
    tmp_dir_at(dir, "file", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    for (uint64_t at = 0; at < size; at += sizeof(bytes))
        cr_assert_eq(write(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    return fd;
}

static bool is_in_memory_only(int fd)
{
    struct statfs status;
    cr_assert_eq(fstatfs(fd, &status), 0);
    return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
}

static size_t count_cached(int fd, uint64_t size)
{
    static unsigned char pages[(2 * CTL_FLUSH_SIZE_MAX + 2 * CTL_FLUSH_PIECE_SIZE) / PAGE_SIZE];
    size_t count = 0;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    cr_assert(map != MAP_FAILED);
    cr_assert_eq(mincore(map, size, pages), 0);
    for (size_t i = 0; i < size / PAGE_SIZE; i++)
        count += pages[i] & 1;
    munmap(map, size);
    return count;
}

Test(restore_flush, what_the_disk_has_leaves_the_memory)
{
    struct tmp_dir dir;
    const int pieces = 2 * CTL_FLUSH_SIZE_MAX / CTL_FLUSH_PIECE_SIZE + 1;
    const uint64_t size = (uint64_t)pieces * CTL_FLUSH_PIECE_SIZE;
    tmp_dir_init(&dir);
    int fd = make_file(&dir, size);
    cr_assert(count_cached(fd, size) > size / PAGE_SIZE / 2);
    cr_assert_eq(flush_of(fd, CTL_FLUSH_PIECE_SIZE, pieces), 0);
    cr_assert(is_in_memory_only(fd) || count_cached(fd, size) < size / PAGE_SIZE / 10);
    close(fd);
    tmp_dir_deinit(&dir);
}
