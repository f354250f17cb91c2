#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "support/span.h"
#include "world.h"

Test(backup, what_was_stored_is_restored)
{
    WORLD;
    world_fill(&w, 200);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.files_new, 200);
    cr_assert_eq(counts.errors, 0);
    cr_assert_eq(counts.bytes, counts.bytes_read);
    cr_assert_gt(w.packs_told, 1);
    cr_assert_eq(w.snapshots_told, 1);
    world_restore(&w);
    world_check_restored(&w);
    struct qn_verify_counts verified = world_verify(&w, true);
    cr_assert_eq(verified.bad_chunks + verified.missing_chunks + verified.bad_packs, 0);
    cr_assert_eq(verified.snapshots, 1);
}

Test(backup, an_empty_folder)
{
    WORLD;
    world_backup(&w, NULL);
    world_restore(&w);
    world_check_restored(&w);
}

static void age(const char *path)
{
    /* Times of the last change cannot be set; the file is left alone until they are not fresh. */
    struct stat status;
    struct timespec now;
    do {
        cr_assert_eq(lstat(path, &status), 0);
        clock_gettime(CLOCK_REALTIME, &now);
    } while ((now.tv_sec - status.st_ctim.tv_sec) * 1000 +
                 (now.tv_nsec - status.st_ctim.tv_nsec) / 1000000 <
             60);
}

Test(backup, what_is_untouched_is_not_read)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    world_fill(&w, 100);
    age(world_at(&w, "d4/f99", path));
    world_backup(&w, NULL);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.files_unchanged, 100);
    cr_assert_eq(counts.bytes_read, 0);
    cr_assert_eq(counts.bytes_new, 0);
    world_restore(&w);
    world_check_restored(&w);
}

/* Beside what is saved something comes and goes: that changes times of the folder above only. */
Test(backup, what_happens_beside_it_is_no_change)
{
    WORLD;
    char path[TMP_PATH_SIZE], parent[TMP_PATH_SIZE];
    struct stat above;
    world_fill(&w, 100);
    age(world_at(&w, "d4/f99", path));
    tmp_dir_at(&w.dir, "beside", path);
    snprintf(parent, sizeof(parent), "%s", w.dir.path);
    world_backup(&w, NULL);
    cr_assert_eq(stat(parent, &above), 0);
    for (struct stat now = above; now.st_mtim.tv_nsec == above.st_mtim.tv_nsec &&
                                  now.st_mtim.tv_sec == above.st_mtim.tv_sec;) {
        cr_assert_eq(mkdir(path, 0700), 0);
        cr_assert_eq(rmdir(path), 0);
        cr_assert_eq(stat(parent, &now), 0);
    }
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.bytes_new, 0);
    cr_assert_eq(counts.bytes_stored, 0, "not even a list");
    cr_assert_eq(chmod(parent, 0750), 0);
    counts = world_backup(&w, NULL);
    cr_assert_gt(counts.bytes_new, 0, "its attributes do count");
    world_restore(&w);
    world_check_restored(&w);
}

Test(backup, a_change_costs_what_changed)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    world_fill(&w, 100);
    world_random_file(&w, "large", 20 << 20);
    age(world_at(&w, "large", path));
    world_backup(&w, NULL);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, "change", 6, 7 << 20), 6);
    close(fd);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.files_changed, 1);
    cr_assert_eq(counts.files_unchanged, 100);
    cr_assert_eq(counts.bytes_read, 20 << 20);
    cr_assert_lt(counts.bytes_new, 5 << 20);
    world_restore(&w);
    world_check_restored(&w);
}

Test(backup, equal_contents_are_stored_once)
{
    WORLD;
    world_random_file(&w, "a", 3 << 20);
    w.prng.state = 1;
    world_random_file(&w, "b", 3 << 20);
    w.prng.state = 1;
    world_random_file(&w, "c", 3 << 20);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.bytes, 9 << 20);
    cr_assert_lt(counts.bytes_stored, 4 << 20);
    world_restore(&w);
    world_check_restored(&w);
}

/* ---- packs are full ---- */

#define SMALL_FILES 1500

struct data_packs {
    size_t count, size;
};

static void on_any_pack(void *context, const struct qn_pack_name *name, size_t size,
                        enum qn_pack_kind kind)
{
    struct data_packs *packs = context;
    (void)name;
    packs->count += kind == QN_PACK_DATA;
    packs->size += kind == QN_PACK_DATA ? size : 0;
}

/* docs/formats/vault.md: what is in a pack besides bodies and padding. */
static size_t without_padding(const struct data_packs *packs, size_t blobs, size_t bodies)
{
    return packs->count * (64 + 58 + 16 + 16 + 64) + blobs * (58 + 16 + 42) + bodies;
}

/* The last two packs are as full as they are; of the others, one blob that is small enough fills
 * up what is left by a larger one. */
Test(backup, packs_are_filled_up)
{
    WORLD;
    char name[32];
    struct data_packs packs = {0};
    for (int i = 0; i < SMALL_FILES; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        world_random_file(&w, name, 1 + qn_prng_below(&w.prng, 20000));
    }
    struct qn_backup_options options = world_backup_options(&w);
    options.on_pack = on_any_pack;
    options.on_snapshot = NULL;
    options.on_report = NULL;
    options.context = &packs;
    struct qn_snapshot_name snapshot;
    struct qn_backup_counts counts;
    cr_assert_eq(qn_vault_backup(w.vault, &options, &snapshot, &counts), QN_OK);
    size_t bare = without_padding(&packs, SMALL_FILES, counts.bytes);
    cr_assert_geq(packs.count, 14);
    cr_assert_geq(packs.size, bare);
    cr_assert_lt(packs.size - bare, (packs.count - 2) * 4096 + 2 * 16384, "%zu in %zu packs",
                 packs.size - bare, packs.count);
}

static void set_xattr(const char *path, const char *name, struct qn_span value)
{
    cr_assert_eq(lsetxattr(path, name, value.data, value.size, 0), 0, "%s: %s", path,
                 strerror(errno));
}

/* An access control list as the kernel takes it: version, then tag, rights and id of each line. */
static void set_acl(const char *path, const char *name)
{
    static const uint8_t acl[] = {2,    0, 0, 0,                          /* version */
                                  1,    0, 6, 0, 0xff, 0xff, 0xff, 0xff,  /* owner rw */
                                  2,    0, 4, 0, 0xd2, 4,    0,    0,     /* user 1234 r */
                                  4,    0, 4, 0, 0xff, 0xff, 0xff, 0xff,  /* group r */
                                  0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,  /* mask r */
                                  0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}; /* others */
    set_xattr(path, name, QN_SPAN_OF(acl));
}

static void make_kinds(struct world *w)
{
    char path[TMP_PATH_SIZE], other[TMP_PATH_SIZE];
    world_mkdir(w, "kinds");
    world_write(w, "kinds/file", "x", 1);
    cr_assert_eq(symlink("file", world_at(w, "kinds/link", path)), 0);
    cr_assert_eq(symlink("/no/such/thing", world_at(w, "kinds/dangling", path)), 0);
    cr_assert_eq(link(world_at(w, "kinds/file", other), world_at(w, "kinds/second", path)), 0);
    cr_assert_eq(link(other, world_at(w, "zz-third", path)), 0);
    cr_assert_eq(mkfifo(world_at(w, "kinds/fifo", path), 0620), 0);
    cr_assert_eq(mknod(world_at(w, "kinds/socket", path), S_IFSOCK | 0600, 0), 0);
    world_write(w, "kinds/any\xff\x01\n\"bytes", "y", 1);
    cr_assert_eq(chmod(world_at(w, "kinds/file", path), 04755), 0);
    cr_assert_eq(chmod(world_at(w, "kinds", path), 01777), 0);
}

Test(backup, every_kind_of_object)
{
    WORLD;
    make_kinds(&w);
    world_backup(&w, NULL);
    world_restore(&w);
    world_check_restored(&w);
    cr_assert_eq(w.report_count, 0);
}

Test(backup, owners_devices_attributes)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    WORLD;
    char path[TMP_PATH_SIZE];
    world_write(&w, "file", "x", 1);
    cr_assert_eq(lchown(world_at(&w, "file", path), 1234, 4321), 0);
    set_xattr(path, "user.note", SPAN("va\0lue"));
    set_xattr(path, "user.empty", SPAN(""));
    set_acl(path, "system.posix_acl_access");
    world_mkdir(&w, "folder");
    set_acl(world_at(&w, "folder", path), "system.posix_acl_default");
    cr_assert_eq(mknod(world_at(&w, "null", path), S_IFCHR | 0666, makedev(1, 3)), 0);
    cr_assert_eq(mknod(world_at(&w, "loop", path), S_IFBLK | 0660, makedev(7, 300)), 0);
    world_backup(&w, NULL);
    world_restore(&w);
    world_check_restored(&w);
    world_backup(&w, NULL); /* attributes taken over */
    world_restore(&w);
    world_check_restored(&w);
    cr_assert_eq(w.report_count, 0);
}

Test(backup, holes_stay_holes)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    int fd = open(world_at(&w, "sparse", path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(pwrite(fd, "in the middle", 13, 300 << 20), 13);
    cr_assert_eq(pwrite(fd, "small hole before", 17, (300 << 20) + 70000), 17);
    cr_assert_eq(ftruncate(fd, (off_t)1 << 30), 0);
    close(fd);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_lt(counts.bytes_read, 2 << 20);
    world_restore(&w);
    struct stat status;
    const char *restored = world_restored(&w, "sparse");
    cr_assert_eq(stat(restored, &status), 0);
    cr_assert_eq(status.st_size, (off_t)1 << 30);
    cr_assert_lt(status.st_blocks * 512, 4 << 20);
    fd = open(restored, O_RDONLY | O_CLOEXEC);
    char bytes[17];
    cr_assert_eq(pread(fd, bytes, 13, 300 << 20), 13);
    cr_assert_arr_eq(bytes, "in the middle", 13);
    cr_assert_eq(pread(fd, bytes, 17, (300 << 20) + 70000), 17);
    cr_assert_arr_eq(bytes, "small hole before", 17);
    close(fd);
}

Test(backup, a_large_file_has_manifests)
{
    WORLD;
    world_random_file(&w, "large", 80 << 20); /* more than 64 and than 256 chunks */
    world_backup(&w, NULL);
    world_restore(&w);
    world_check_restored(&w);
    char path[TMP_PATH_SIZE];
    age(world_at(&w, "large", path));
    world_backup(&w, NULL);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.files_unchanged, 1);
    world_restore(&w);
    world_check_restored(&w);
}

/* ---- files that change while they are read ---- */

static void append_always(struct world *world, const char *path)
{
    (void)world;
    if (strstr(path, "log") == NULL)
        return;
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    cr_assert_eq(write(fd, "line\n", 5), 5);
    close(fd);
}

Test(backup, a_file_that_always_changes)
{
    WORLD;
    world_write(&w, "a", "a", 1);
    world_write(&w, "log", "first\n", 6);
    world_write(&w, "z", "z", 1);
    w.on_file_read = append_always;
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert(world_was_reported(&w, "changed", "/log"));
    cr_assert_eq(counts.errors, 1);
    cr_assert_eq(counts.files_new, 3);
    world_restore(&w);
    const char *restored = world_restored(&w, "log");
    struct stat status;
    cr_assert_eq(stat(restored, &status), 0);
    cr_assert_eq(status.st_size, 16); /* as the third reading found it */
    w.on_file_read = NULL;
    counts = world_backup(&w, NULL);
    world_restore(&w);
    world_check_restored(&w);
}

static void replace_once(struct world *world, const char *path)
{
    char fresh[TMP_PATH_SIZE + 8];
    if (strstr(path, "doc") == NULL || world->report_count > 0)
        return;
    world_report(world, "hook", qn_span(NULL, 0), 0);
    snprintf(fresh, sizeof(fresh), "%s/.new", world->source);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, "new content", 11), 11);
    close(fd);
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    cr_assert_eq(write(fd, "newer", 5), 5);
    close(fd);
    cr_assert_eq(unlink(fresh), 0);
}

Test(backup, a_file_that_changes_once_is_read_again)
{
    WORLD;
    world_write(&w, "doc", "old content", 11);
    w.on_file_read = replace_once;
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.errors, 0);
    world_restore(&w);
    const char *restored = world_restored(&w, "doc");
    struct stat status;
    cr_assert_eq(stat(restored, &status), 0);
    cr_assert_eq(status.st_size, 5);
}

static void touch_secretly(struct world *world, const char *path)
{
    (void)path;
    char target[TMP_PATH_SIZE];
    struct stat status;
    world_at(world, "secret", target);
    cr_assert_eq(stat(target, &status), 0);
    int fd = open(target, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, "Z", 1, 0), 1);
    close(fd);
    cr_assert_eq(
        utimensat(AT_FDCWD, target, (struct timespec[]){status.st_atim, status.st_mtim}, 0), 0);
}

Test(backup, an_old_mtime_hides_no_change)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    world_write(&w, "secret", "secret", 6);
    age(world_at(&w, "secret", path));
    world_backup(&w, NULL);
    touch_secretly(&w, path);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.files_changed, 1);
}

Test(backup, a_fresh_file_is_read_again)
{
    WORLD;
    world_write(&w, "fresh", "fresh", 5);
    world_backup(&w, NULL);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_eq(counts.files_unchanged + counts.files_changed, 1);
    world_restore(&w);
}

Test(backup, what_cannot_be_read_is_told_and_left_out)
{
    if (geteuid() == 0 && setuid(65534) != 0)
        cr_skip_test("cannot drop rights");
    WORLD;
    char path[TMP_PATH_SIZE];
    world_write(&w, "closed", "x", 1);
    world_write(&w, "open", "y", 1);
    world_backup(&w, NULL);
    world_write(&w, "closed", "changed", 7);
    cr_assert_eq(chmod(world_at(&w, "closed", path), 0), 0);
    w.report_count = 0;
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert(world_was_reported(&w, "unreadable", "/closed"));
    cr_assert_eq(counts.errors, 1);
    cr_assert_not(world_is_listed(&w, "closed"));
    cr_assert(world_is_listed(&w, "open"));
}

/* ---- streams ---- */

/* Numbers of one seed, at most 1000 bytes at a time; some fail behind them. */
struct streams {
    struct qn_prng prng[4];
    size_t left[4];
    bool fails[4];
};
static struct streams streams;

static enum qn_err read_stream(void *context, size_t index, uint8_t *out, size_t size,
                               size_t *ret_size)
{
    size_t got = streams.left[index] < 1000 ? streams.left[index] : 1000;
    got = got < size ? got : size;
    for (size_t i = 0; i < got; i++)
        out[i] = (uint8_t)qn_prng_next(&streams.prng[index]);
    streams.left[index] -= got;
    *ret_size = got;
    return got == 0 && streams.fails[index] ? QN_ERR_NOTFOUND : QN_OK;
}

static void set_stream(size_t index, size_t size, bool fails)
{
    streams.prng[index].state = 5 + index;
    streams.left[index] = size;
    streams.fails[index] = fails;
}

static struct qn_backup_counts backup_streams(struct world *w, const char *const *paths,
                                              size_t count, bool with_disk)
{
    struct qn_backup_options options = world_backup_options(w);
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    if (!with_disk)
        options.walk.path_count = 0;
    options.streams = paths;
    options.stream_count = count;
    options.read_stream = read_stream;
    cr_assert_eq(qn_vault_backup(w->vault, &options, &name, &counts), QN_OK);
    return counts;
}

static struct qn_backup_counts backup_stream(struct world *w, size_t size, bool with_disk)
{
    set_stream(0, size, false);
    return backup_streams(w, (const char *const[]){"/dumps/db/all.sql"}, 1, with_disk);
}

Test(backup, a_stream_alone)
{
    WORLD;
    struct qn_backup_counts counts = backup_stream(&w, 3 << 20, false);
    cr_assert_eq(counts.bytes, 3 << 20);
    cr_assert_eq(counts.dirs, 2);
    world_restore(&w);
    char restored[2 * TMP_PATH_SIZE];
    snprintf(restored, sizeof(restored), "%s/dumps/db/all.sql", w.out);
    struct stat status;
    cr_assert_eq(stat(restored, &status), 0);
    cr_assert_eq(status.st_size, 3 << 20);
    counts = backup_stream(&w, 3 << 20, false);
    cr_assert_eq(counts.bytes_new < 64 * 1024, true);
}

Test(backup, a_stream_among_files)
{
    WORLD;
    world_fill(&w, 20);
    backup_stream(&w, 100000, true);
    world_restore(&w);
    world_check_restored(&w);
    char restored[2 * TMP_PATH_SIZE];
    snprintf(restored, sizeof(restored), "%s/dumps/db/all.sql", w.out);
    cr_assert_eq(access(restored, F_OK), 0);
}

/* Size of what came back; -1: it did not. */
static off_t restored_size(struct world *w, const char *name)
{
    char path[2 * TMP_PATH_SIZE];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", w->out, name);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

Test(backup, streams_share_folders)
{
    WORLD;
    set_stream(0, 70000, false);
    set_stream(1, 0, false);
    set_stream(2, 10, false);
    struct qn_backup_counts counts =
        backup_streams(&w, (const char *const[]){"/dumps/a", "/dumps/b", "/dumps/sub/c"}, 3, false);
    cr_assert_eq(counts.dirs, 2);
    cr_assert_eq(counts.files_new, 3);
    cr_assert_eq(counts.errors, 0);
    world_restore(&w);
    cr_assert_eq(restored_size(&w, "dumps/a"), 70000);
    cr_assert_eq(restored_size(&w, "dumps/b"), 0);
    cr_assert_eq(restored_size(&w, "dumps/sub/c"), 10);
}

/* Half a dump is none: what came of it does not count, and the rest is there. */
Test(backup, a_stream_that_fails_is_left_out)
{
    WORLD;
    world_fill(&w, 20);
    set_stream(0, 3 << 20, true);
    set_stream(1, 1000, false);
    w.report_count = 0;
    struct qn_backup_counts counts =
        backup_streams(&w, (const char *const[]){"/a.sql", "/b.sql"}, 2, true);
    cr_assert_eq(counts.errors, 1);
    cr_assert(world_was_reported(&w, "stream", "/a.sql"));
    world_restore(&w);
    world_check_restored(&w);
    cr_assert_eq(restored_size(&w, "a.sql"), -1);
    cr_assert_eq(restored_size(&w, "b.sql"), 1000);
}

/* ---- partial snapshots, cancelling ---- */

static uint64_t leap(void *context)
{
    struct world *world = context;
    return world->now_ms += 100000;
}

Test(backup, partial_snapshots_are_whole_and_go_with_the_end)
{
    WORLD;
    world_fill(&w, 300);
    struct qn_backup_options options = world_backup_options(&w);
    options.partial_every_ms = 1;
    options.clock_ms = leap;
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    cr_assert_eq(qn_vault_backup(w.vault, &options, &name, &counts), QN_OK);
    cr_assert_geq(w.snapshots_told, 4);
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(w.vault, "plan", NULL, NULL, &snapshots), QN_OK);
    cr_assert_eq(snapshots.count, 1);
    cr_assert_not(snapshots.items[0].snapshot.is_partial);
    qn_snapshots_deinit(&snapshots);
    world_restore(&w);
    world_check_restored(&w);
    struct qn_verify_counts verified = world_verify(&w, true);
    cr_assert_eq(verified.bad_chunks + verified.missing_chunks + verified.bad_packs, 0);
}

struct canceller {
    struct world *world;
    struct qn_vault_progress *progress;
    unsigned files;
};

static void cancel_later(void *context, struct qn_span path)
{
    struct canceller *canceller = context;
    (void)path;
    if (--canceller->files == 0)
        atomic_store(&canceller->progress->is_cancelled, true);
}

Test(backup, a_cancelled_run_leaves_no_snapshot_and_loses_no_work)
{
    WORLD;
    world_fill(&w, 300);
    world_random_file(&w, "d0/large", 12 << 20);
    struct qn_vault_progress progress = {0};
    struct canceller canceller = {.world = &w, .progress = &progress, .files = 100};
    struct qn_backup_options options = world_backup_options(&w);
    options.progress = &progress;
    options.on_file_read = cancel_later;
    options.on_report = NULL;
    options.on_pack = NULL;
    options.on_snapshot = NULL;
    options.context = &canceller;
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    cr_assert_eq(qn_vault_backup(w.vault, &options, &name, &counts), QN_ERR_CLOSED);
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(w.vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_eq(snapshots.count, 0);
    counts = world_backup(&w, NULL);
    cr_assert_lt(counts.bytes_new, counts.bytes - (8 << 20));
    world_restore(&w);
    world_check_restored(&w);
}

Test(backup, refuses_what_makes_no_sense)
{
    WORLD;
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    struct qn_backup_options options = world_backup_options(&w);
    options.walk.path_count = 0;
    cr_assert_eq(qn_vault_backup(w.vault, &options, &name, &counts), QN_ERR_INVALID);
    options.stream_count = 1;
    options.streams = (const char *const[]){"relative"};
    cr_assert_eq(qn_vault_backup(w.vault, &options, &name, &counts), QN_ERR_INVALID);
    options.stream_count = 2;
    options.streams = (const char *const[]){"/b", "/a"};
    cr_assert_eq(qn_vault_backup(w.vault, &options, &name, &counts), QN_ERR_INVALID);
}
