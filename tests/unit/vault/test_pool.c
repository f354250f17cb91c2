#include "vault/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "os/os.h"
#include "support/span.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_pool *pool;
};

static void fixture_init(struct fixture *f)
{
    tmp_dir_init(&f->dir);
    tmp_dir_at(&f->dir, "packs", f->path);
    cr_assert_eq(qn_pool_open(f->path, &f->pool), QN_OK);
}

static void fixture_deinit(struct fixture *f)
{
    qn_pool_close(f->pool);
    tmp_dir_deinit(&f->dir);
}
#define FIXTURE                                                                                    \
    __attribute__((cleanup(fixture_deinit))) struct fixture f;                                     \
    fixture_init(&f)

static struct qn_pack_name name_of(struct qn_span bytes)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, bytes);
    struct qn_pack_name name;
    memcpy(name.bytes, digest.bytes, sizeof(name.bytes));
    return name;
}

/* Where a file lies: its folder is the first two digits ("part", "bad": as told). */
static const char *place_of(const struct fixture *f, const char *folder,
                            const struct qn_pack_name *name, char out[TMP_PATH_SIZE])
{
    char *hex = span_hex(qn_span(name->bytes, sizeof(name->bytes)));
    int length = folder == NULL ? snprintf(out, TMP_PATH_SIZE, "%s/%.2s/%s", f->path, hex, hex)
                                : snprintf(out, TMP_PATH_SIZE, "%s/%s/%s", f->path, folder, hex);
    cr_assert(length > 0 && length < TMP_PATH_SIZE);
    qn_free(hex);
    return out;
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static size_t count_names(struct qn_pool *pool)
{
    struct qn_pack_name names[1000];
    size_t count;
    cr_assert_eq(qn_pool_list(pool, NULL, 1000, names, &count), QN_OK);
    return count;
}

static void flip_byte(const char *path, off_t offset)
{
    cr_assert_eq(chmod(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    cr_assert_eq(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x40;
    cr_assert_eq(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

Test(pool, what_was_put_is_read)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    uint8_t out[4];
    cr_assert_eq(qn_pool_read(f.pool, &name, 3, 4, out), QN_OK);
    cr_assert_arr_eq(out, "tent", 4);
    size_t size;
    cr_assert_eq(qn_pool_size(f.pool, &name, &size), QN_OK);
    cr_assert_eq(size, 7);
}

Test(pool, a_file_is_read_only_and_in_its_folder)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    char path[TMP_PATH_SIZE];
    struct stat status;
    cr_assert_eq(lstat(place_of(&f, NULL, &name, path), &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0400);
}

Test(pool, putting_again_is_fine)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    cr_assert_eq(qn_pool_put_lazy(f.pool, &name, SPAN("content")), QN_OK);
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    cr_assert_eq(qn_pool_sync(f.pool), QN_OK);
    cr_assert_eq(count_names(f.pool), 1);
}

Test(pool, reading_what_is_not_there)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    uint8_t byte;
    size_t size;
    cr_assert_eq(qn_pool_read(f.pool, &name, 0, 1, &byte), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_pool_size(f.pool, &name, &size), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_pool_scrub(f.pool, &name, 0), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_pool_remove(f.pool, &name), QN_OK);
}

Test(pool, reading_beyond_the_end_is_corruption)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    uint8_t out[8];
    cr_assert_eq(qn_pool_read(f.pool, &name, 0, 8, out), QN_ERR_CORRUPT);
    cr_assert_eq(qn_pool_read(f.pool, &name, 7, 1, out), QN_ERR_CORRUPT);
}

Test(pool, removing)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    cr_assert_eq(qn_pool_remove(f.pool, &name), QN_OK);
    cr_assert_eq(qn_pool_sync(f.pool), QN_OK);
    cr_assert_eq(count_names(f.pool), 0);
}

Test(pool, a_list_ascends_and_is_continued)
{
    FIXTURE;
    for (int i = 0; i < 200; i++) {
        struct qn_span bytes = qn_span(&i, sizeof(i));
        struct qn_pack_name name = name_of(bytes);
        cr_assert_eq(qn_pool_put_lazy(f.pool, &name, bytes), QN_OK);
    }
    struct qn_pack_name names[64], last;
    size_t total = 0, count;
    do {
        cr_assert_eq(qn_pool_list(f.pool, total == 0 ? NULL : &last, 64, names, &count), QN_OK);
        for (size_t i = 0; i < count; i++, total++) {
            cr_assert(total == 0 || memcmp(&last, &names[i], sizeof(last)) < 0);
            last = names[i];
        }
    } while (count == 64);
    cr_assert_eq(total, 200);
}

Test(pool, names_of_others_are_not_listed)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    char path[TMP_PATH_SIZE], other[TMP_PATH_SIZE + 8];
    place_of(&f, NULL, &name, path);
    snprintf(other, sizeof(other), "%s.bak", path);
    cr_assert_eq(qn_os_replace_file(other, SPAN("x"), 0600), QN_OK);
    /* A right name in a folder that is not its own. */
    char *slash = strrchr(path, '/');
    slash[1] = slash[1] == '0' ? '1' : '0';
    cr_assert_eq(qn_os_replace_file(path, SPAN("x"), 0600), QN_OK);
    cr_assert_eq(count_names(f.pool), 1);
}

Test(pool, is_open_once)
{
    FIXTURE;
    struct qn_pool *second;
    cr_assert_eq(qn_pool_open(f.path, &second), QN_ERR_BUSY);
}

Test(pool, opening_removes_what_a_killed_put_left)
{
    FIXTURE;
    char path[TMP_PATH_SIZE + 32];
    snprintf(path, sizeof(path), "%s/part/.put-0", f.path);
    cr_assert_eq(qn_os_replace_file(path, SPAN("half"), 0600), QN_OK);
    qn_pool_close(f.pool);
    cr_assert_eq(qn_pool_open(f.path, &f.pool), QN_OK);
    cr_assert_not(is_there(path));
}

Test(pool, a_full_disk_leaves_nothing)
{
    FIXTURE;
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    uint8_t bytes[8192] = {1};
    struct qn_pack_name name = name_of(QN_SPAN_OF(bytes));
    cr_assert_eq(qn_pool_put(f.pool, &name, QN_SPAN_OF(bytes)), QN_ERR_NOSPACE);
    cr_assert_eq(count_names(f.pool), 0);
    char path[TMP_PATH_SIZE + 32];
    snprintf(path, sizeof(path), "%s/part/.put-0", f.path);
    cr_assert_not(is_there(path));
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(qn_pool_put(f.pool, &name, QN_SPAN_OF(bytes)), QN_OK);
}

Test(pool, a_scrub_moves_what_rotted)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    cr_assert_eq(qn_pool_scrub(f.pool, &name, 0), QN_OK);
    char path[TMP_PATH_SIZE];
    flip_byte(place_of(&f, NULL, &name, path), 5);
    cr_assert_eq(qn_pool_scrub(f.pool, &name, 1 << 30), QN_ERR_CORRUPT);
    cr_assert(is_there(place_of(&f, "bad", &name, path)));
    cr_assert_eq(count_names(f.pool), 0);
    cr_assert_eq(qn_pool_put(f.pool, &name, SPAN("content")), QN_OK);
    cr_assert_eq(qn_pool_scrub(f.pool, &name, 0), QN_OK);
}

Test(pool, free_bytes_are_told)
{
    FIXTURE;
    cr_assert_gt(qn_pool_free_bytes(f.pool), 0);
}

/* ---- parts ---- */

static size_t part_size(struct qn_pool *pool, const struct qn_pack_name *name)
{
    size_t size;
    cr_assert_eq(qn_pool_part_size(pool, name, &size), QN_OK);
    return size;
}

Test(pool_part, pieces_become_a_file)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    bool is_whole = true;
    cr_assert_eq(part_size(f.pool, &name), 0);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("con"), 7, &is_whole), QN_OK);
    cr_assert_not(is_whole);
    cr_assert_eq(part_size(f.pool, &name), 3);
    cr_assert_eq(qn_pool_part_sync(f.pool, &name), QN_OK);
    cr_assert_eq(count_names(f.pool), 0);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 3, SPAN("tent"), 7, &is_whole), QN_OK);
    cr_assert(is_whole);
    cr_assert_eq(part_size(f.pool, &name), 0);
    cr_assert_eq(count_names(f.pool), 1);
    cr_assert_eq(qn_pool_scrub(f.pool, &name, 0), QN_OK);
}

Test(pool_part, goes_on_after_a_restart)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    bool is_whole;
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("con"), 7, &is_whole), QN_OK);
    qn_pool_close(f.pool);
    cr_assert_eq(qn_pool_open(f.path, &f.pool), QN_OK);
    cr_assert_eq(part_size(f.pool, &name), 3);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 3, SPAN("tent"), 7, &is_whole), QN_OK);
    cr_assert(is_whole);
}

Test(pool_part, only_at_its_end)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    bool is_whole;
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("con"), 7, &is_whole), QN_OK);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("con"), 7, &is_whole), QN_ERR_STATE);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 4, SPAN("ent"), 7, &is_whole), QN_ERR_STATE);
    cr_assert_eq(part_size(f.pool, &name), 3);
}

Test(pool_part, never_beyond_what_was_announced)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    bool is_whole;
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("content!"), 7, &is_whole),
                 QN_ERR_LIMIT);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 8, SPAN(""), 7, &is_whole), QN_ERR_LIMIT);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, SIZE_MAX, SPAN("x"), 7, &is_whole),
                 QN_ERR_LIMIT);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("x"), QN_PACK_SIZE_MAX + 1, &is_whole),
                 QN_ERR_LIMIT);
    cr_assert_eq(part_size(f.pool, &name), 0);
}

Test(pool_part, other_bytes_never_get_the_name)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    bool is_whole;
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("con"), 7, &is_whole), QN_OK);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 3, SPAN("tint"), 7, &is_whole),
                 QN_ERR_SIGNATURE);
    cr_assert_eq(part_size(f.pool, &name), 0);
    cr_assert_eq(count_names(f.pool), 0);
}

Test(pool_part, a_full_disk_keeps_what_was_there)
{
    FIXTURE;
    uint8_t bytes[8192] = {1};
    struct qn_pack_name name = name_of(QN_SPAN_OF(bytes));
    bool is_whole;
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, qn_span(bytes, 1000), 8192, &is_whole),
                 QN_OK);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(
        qn_pool_part_append(f.pool, &name, 1000, qn_span(bytes + 1000, 7192), 8192, &is_whole),
        QN_ERR_NOSPACE);
    cr_assert_eq(part_size(f.pool, &name), 1000);
}

Test(pool_part, is_removed)
{
    FIXTURE;
    struct qn_pack_name name = name_of(SPAN("content"));
    bool is_whole;
    cr_assert_eq(qn_pool_part_remove(f.pool, &name), QN_OK, "there is none");
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("con"), 7, &is_whole), QN_OK);
    cr_assert_eq(qn_pool_part_remove(f.pool, &name), QN_OK);
    cr_assert_eq(part_size(f.pool, &name), 0);
    cr_assert_eq(qn_pool_part_append(f.pool, &name, 0, SPAN("content"), 7, &is_whole), QN_OK);
    cr_assert(is_whole);
    cr_assert_eq(qn_pool_part_remove(f.pool, &name), QN_OK);
    cr_assert_eq(count_names(f.pool), 1, "the whole file stays");
}

Test(pool_part, a_sweep_removes_old_ones_only)
{
    FIXTURE;
    struct qn_pack_name old = name_of(SPAN("old")), young = name_of(SPAN("young"));
    bool is_whole;
    cr_assert_eq(qn_pool_part_append(f.pool, &old, 0, SPAN("o"), 3, &is_whole), QN_OK);
    cr_assert_eq(qn_pool_part_append(f.pool, &young, 0, SPAN("y"), 5, &is_whole), QN_OK);
    char path[TMP_PATH_SIZE];
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    cr_assert_eq(utimensat(AT_FDCWD, place_of(&f, "part", &old, path), times, 0), 0);
    cr_assert_eq(qn_pool_part_sweep(f.pool, 24 * 3600 * 1000), QN_OK);
    cr_assert_eq(part_size(f.pool, &old), 0);
    cr_assert_eq(part_size(f.pool, &young), 1);
}
