#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "os/os.h"
#include "support/span.h"
#include "world.h"

static struct qn_pack_name pack_at(struct world *w, size_t i)
{
    static struct qn_pack_name names[4096];
    size_t count;
    cr_assert_eq(qn_pool_list(qn_vault_pool(w->vault), NULL, 4096, names, &count), QN_OK);
    cr_assert_lt(i, count);
    return names[i];
}

/* A data pack: the largest one. */
static struct qn_pack_name data_pack(struct world *w)
{
    size_t count = world_count_packs(w), best = 0, best_size = 0, size;
    for (size_t i = 0; i < count; i++) {
        struct qn_pack_name name = pack_at(w, i);
        cr_assert_eq(qn_pool_size(qn_vault_pool(w->vault), &name, &size), QN_OK);
        if (size > best_size)
            best = i, best_size = size;
    }
    return pack_at(w, best);
}

static struct qn_buf read_all(const char *path)
{
    struct qn_buf bytes;
    qn_buf_init(&bytes, 32 << 20);
    cr_assert_eq(qn_os_read_file(path, 32 << 20, &bytes), QN_OK);
    return bytes;
}

static void fill_and_back_up(struct world *w)
{
    world_fill(w, 60);
    world_random_file(w, "large", 9 << 20);
    world_backup(w, NULL);
}

static bool is_clean(const struct qn_verify_counts *counts)
{
    return counts->bad_chunks + counts->missing_chunks + counts->bad_packs == 0;
}

/* ---- packs ---- */

Test(damage, a_flipped_byte_is_found_wherever_it_is)
{
    WORLD;
    fill_and_back_up(&w);
    struct qn_pack_name name = data_pack(&w);
    char path[TMP_PATH_SIZE];
    world_pack_path(&w, &name, path);
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    const long offsets[] = {0, 20, 50, 64, 500, status.st_size / 2, -1, -65, -3000};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
        world_flip(path, offsets[i]);
        struct qn_verify_counts counts = world_verify(&w, true);
        cr_assert_eq(counts.bad_packs, 1, "offset %ld", offsets[i]);
        world_flip(path, offsets[i]);
    }
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
}

Test(damage, what_is_whole_is_restored_around_it)
{
    WORLD;
    fill_and_back_up(&w);
    struct qn_pack_name name = data_pack(&w);
    char path[TMP_PATH_SIZE];
    world_flip(world_pack_path(&w, &name, path), 600000);
    world_restore(&w);
    struct qn_digest wanted = world_digest(w.source), got = world_digest(world_restored(&w, "."));
    cr_assert_not(qn_digest_eq(&wanted, &got));
    cr_assert(access(world_restored(&w, "d0/f1"), F_OK) == 0);
}

Test(damage, a_good_copy_repairs)
{
    WORLD;
    fill_and_back_up(&w);
    struct qn_pack_name name = data_pack(&w);
    char path[TMP_PATH_SIZE];
    QN_AUTO_BUF struct qn_buf good = read_all(world_pack_path(&w, &name, path));
    world_flip(path, 600000);
    cr_assert_eq(qn_vault_repair(w.vault, &name, SPAN("other bytes")), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_vault_repair(w.vault, &name, qn_buf_view(&good)), QN_OK);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
    cr_assert_eq(unlink(path), 0);
    world_reopen(&w);
    cr_assert_eq(qn_vault_repair(w.vault, &name, qn_buf_view(&good)), QN_OK);
    counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
    world_restore(&w);
    world_check_restored(&w);
}

Test(damage, truncated_packs_of_all_sizes)
{
    WORLD;
    fill_and_back_up(&w);
    struct qn_pack_name name = data_pack(&w);
    char path[TMP_PATH_SIZE];
    QN_AUTO_BUF struct qn_buf good = read_all(world_pack_path(&w, &name, path));
    for (size_t size = good.size - 1; size > 0; size /= 7) {
        cr_assert_eq(chmod(path, 0600), 0);
        cr_assert_eq(truncate(path, (off_t)size), 0);
        struct qn_verify_counts counts = world_verify(&w, false);
        cr_assert_eq(counts.bad_packs, 1);
        world_reopen(&w);
        qn_snapshot_vec snapshots = {0};
        cr_assert_eq(qn_vault_snapshots(w.vault, NULL, NULL, NULL, &snapshots), QN_OK);
        cr_assert_eq(world_try_restore(&w, &snapshots.items[0].snapshot, NULL, 0), QN_OK);
        qn_snapshots_deinit(&snapshots);
    }
    cr_assert_eq(qn_vault_repair(w.vault, &name, qn_buf_view(&good)), QN_OK);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
}

Test(damage, the_next_backup_stores_what_was_lost_anew)
{
    WORLD;
    fill_and_back_up(&w);
    struct qn_pack_name name = data_pack(&w);
    char path[TMP_PATH_SIZE];
    cr_assert_eq(unlink(world_pack_path(&w, &name, path)), 0);
    world_reopen(&w);
    struct qn_verify_counts counts = world_verify(&w, false);
    cr_assert_gt(counts.missing_chunks, 0);
    cr_assert(world_was_reported(&w, "missing-pack", ""));
    struct qn_backup_counts stored = world_backup(&w, NULL);
    cr_assert_gt(stored.bytes_new, 500000);
    counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
    world_restore(&w);
    world_check_restored(&w);
}

static const char *elsewhere;

static enum qn_err read_elsewhere(void *context, const struct qn_pack_name *name, size_t offset,
                                  size_t size, uint8_t *out)
{
    char path[2 * TMP_PATH_SIZE];
    (void)context;
    char *hex = span_hex(qn_span(name->bytes, sizeof(name->bytes)));
    snprintf(path, sizeof(path), "%s/%s", elsewhere, hex);
    qn_free(hex);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return QN_ERR_NOTFOUND;
    ssize_t got = pread(fd, out, size, (off_t)offset);
    close(fd);
    return got == (ssize_t)size ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err size_elsewhere(void *context, const struct qn_pack_name *name, size_t *ret_size)
{
    char path[2 * TMP_PATH_SIZE];
    struct stat status;
    (void)context;
    char *hex = span_hex(qn_span(name->bytes, sizeof(name->bytes)));
    snprintf(path, sizeof(path), "%s/%s", elsewhere, hex);
    qn_free(hex);
    if (stat(path, &status) != 0)
        return QN_ERR_NOTFOUND;
    *ret_size = (size_t)status.st_size;
    return QN_OK;
}

/* All packs go to another folder, as if only a holder had them. */
static void move_elsewhere(struct world *w, char *folder)
{
    tmp_dir_at(&w->dir, "elsewhere", folder);
    cr_assert_eq(mkdir(folder, 0700), 0);
    elsewhere = folder;
    w->has_pack_source = true;
    w->pack_source =
        (struct qn_pack_source){.read = read_elsewhere, .size = size_elsewhere, .context = NULL};
    size_t count = world_count_packs(w);
    for (size_t i = 0; i < count; i++) {
        char from[TMP_PATH_SIZE], to[2 * TMP_PATH_SIZE];
        struct qn_pack_name name = pack_at(w, 0);
        snprintf(to, sizeof(to), "%s/%s", folder,
                 strrchr(world_pack_path(w, &name, from), '/') + 1);
        cr_assert_eq(rename(from, to), 0);
    }
}

Test(damage, a_source_stands_in_for_lost_packs)
{
    WORLD;
    char folder[TMP_PATH_SIZE];
    fill_and_back_up(&w);
    move_elsewhere(&w, folder);
    world_reopen(&w);
    world_restore(&w);
    world_check_restored(&w);
    struct qn_verify_counts counts = world_verify(&w, false);
    cr_assert_eq(counts.missing_chunks + counts.bad_chunks, 0);
}

Test(damage, a_new_machine_adopts_snapshots_and_restores_from_the_source)
{
    WORLD;
    char folder[TMP_PATH_SIZE];
    struct qn_snapshot_name name;
    struct qn_buf sealed, live;
    world_fill(&w, 60);
    world_backup(&w, &name);
    qn_buf_init(&sealed, 1 << 20);
    qn_buf_init(&live, 1 << 20);
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &name, &sealed, &live), QN_OK);
    move_elsewhere(&w, folder);
    world_close(&w);
    world_remove(w.vault_dir);
    world_open(&w);
    cr_assert_eq(qn_vault_adopt(w.vault, qn_buf_view(&sealed), qn_span(live.data, live.size - 1)),
                 QN_ERR_CORRUPT);
    cr_assert_eq(qn_vault_adopt(w.vault, SPAN("nonsense"), qn_buf_view(&live)), QN_ERR_INVALID);
    cr_assert_eq(qn_vault_adopt(w.vault, qn_buf_view(&sealed), qn_buf_view(&live)), QN_OK);
    world_restore(&w);
    world_check_restored(&w);
    qn_buf_deinit(&sealed);
    qn_buf_deinit(&live);
}

static void adopt_of(struct world *w, const struct qn_buf *sealed, const struct qn_buf *live)
{
    world_close(w);
    world_remove(w->vault_dir);
    world_open(w);
    cr_assert_eq(qn_vault_adopt(w->vault, qn_buf_view(sealed), qn_buf_view(live)), QN_OK);
}

/* What a holder has is not stored again; also after a start, which looks at the pool. */
Test(damage, a_backup_on_a_new_machine_stores_only_what_is_new)
{
    WORLD;
    char folder[TMP_PATH_SIZE];
    struct qn_snapshot_name name;
    QN_AUTO_BUF struct qn_buf sealed, live;
    world_fill(&w, 60);
    uint64_t first = world_backup(&w, &name).bytes_stored;
    qn_buf_init(&sealed, 1 << 20);
    qn_buf_init(&live, 1 << 20);
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &name, &sealed, &live), QN_OK);
    move_elsewhere(&w, folder);
    adopt_of(&w, &sealed, &live);
    world_reopen(&w);
    cr_assert_lt(world_backup(&w, NULL).bytes_stored, first / 10);
    world_restore(&w);
    world_check_restored(&w);
}

/* Until it turns out that nobody has it. */
Test(damage, what_no_holder_has_any_more_is_stored_again)
{
    WORLD;
    char folder[TMP_PATH_SIZE];
    struct qn_snapshot_name name;
    QN_AUTO_BUF struct qn_buf sealed, live;
    uint64_t fetched, lost;
    world_fill(&w, 60);
    uint64_t first = world_backup(&w, &name).bytes_stored;
    qn_buf_init(&sealed, 1 << 20);
    qn_buf_init(&live, 1 << 20);
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &name, &sealed, &live), QN_OK);
    move_elsewhere(&w, folder);
    adopt_of(&w, &sealed, &live);
    world_remove(folder);
    cr_assert_eq(qn_vault_complete(w.vault, true, NULL, NULL, NULL, &fetched, &lost), QN_OK);
    cr_assert_gt(lost, 0);
    cr_assert_gt(world_backup(&w, NULL).bytes_stored, first / 2);
}

Test(damage, foreign_files_among_the_packs)
{
    WORLD;
    fill_and_back_up(&w);
    struct qn_digest digest;
    struct qn_pack_name name;
    QN_DIGEST(&digest, SPAN("not a pack"));
    memcpy(name.bytes, digest.bytes, sizeof(name.bytes));
    cr_assert_eq(qn_pool_put(qn_vault_pool(w.vault), &name, SPAN("not a pack")), QN_OK);
    memset(name.bytes, 0x33, sizeof(name.bytes));
    QN_AUTO_BUF struct qn_buf zeros;
    qn_buf_init(&zeros, 1 << 20);
    for (int i = 0; i < 5000; i++)
        qn_buf_append_u32(&zeros, 0);
    cr_assert_eq(qn_pool_put(qn_vault_pool(w.vault), &name, qn_buf_view(&zeros)), QN_OK);
    world_reopen(&w);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
}

/* ---- the index ---- */

static void check_all_is_well(struct world *w)
{
    struct qn_verify_counts counts = world_verify(w, true);
    cr_assert(is_clean(&counts));
    world_restore(w);
    world_check_restored(w);
}

Test(damage, a_lost_index_is_made_again)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    fill_and_back_up(&w);
    struct qn_vault_sizes before, after;
    qn_vault_sizes(w.vault, &before);
    world_close(&w);
    world_remove(tmp_dir_at(&w.dir, "vault/index", path));
    world_open(&w);
    qn_vault_sizes(w.vault, &after);
    cr_assert_eq(before.chunks, after.chunks);
    cr_assert_eq(before.packs, after.packs);
    cr_assert_eq(before.pack_bytes, after.pack_bytes);
    check_all_is_well(&w);
}

Test(damage, a_lost_index_beside_packs_that_lost_their_directories)
{
    WORLD;
    char path[TMP_PATH_SIZE], pack[TMP_PATH_SIZE];
    fill_and_back_up(&w);
    struct qn_pack_name name = data_pack(&w);
    world_flip(world_pack_path(&w, &name, pack), -10);
    world_close(&w);
    world_remove(tmp_dir_at(&w.dir, "vault/index", path));
    world_open(&w);
    world_restore(&w); /* the blobs themselves are whole */
    world_check_restored(&w);
}

Test(damage, indexes_of_nonsense)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    fill_and_back_up(&w);
    tmp_dir_at(&w.dir, "vault/index/data.mdb", path);
    world_close(&w);
    cr_assert_eq(qn_os_replace_file(path, SPAN("nonsense"), 0600), QN_OK);
    world_open(&w);
    check_all_is_well(&w);
    world_close(&w);
    cr_assert_eq(truncate(path, 0), 0);
    world_open(&w);
    check_all_is_well(&w);
}

Test(damage, rows_that_point_anywhere_are_not_believed)
{
    WORLD;
    fill_and_back_up(&w);
    QN_AUTO_BUF struct qn_buf bytes;
    char path[TMP_PATH_SIZE];
    world_close(&w);
    bytes = read_all(tmp_dir_at(&w.dir, "vault/index/data.mdb", path));
    /* Rows that are known by their form: kind and size in the last four bytes. Their places are
     * changed, which LMDB does not see. */
    size_t changed = 0;
    for (size_t at = 0; at + 16 < bytes.size; at++) {
        uint32_t pack = qn_read_u32(bytes.data + at), offset = qn_read_u32(bytes.data + at + 4);
        uint32_t form = qn_read_u32(bytes.data + at + 12);
        if (pack == 0 || pack > 30 || offset < 64 || offset > 2 << 20 || (form >> 28 & 7) != 1)
            continue;
        qn_write_u32(bytes.data + at + 4, offset + 1);
        changed++;
        at += 15;
    }
    cr_assert_gt(changed, 20);
    cr_assert_eq(qn_os_replace_file(path, qn_buf_view(&bytes), 0600), QN_OK);
    world_open(&w);
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(w.vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_eq(world_try_restore(&w, &snapshots.items[0].snapshot, NULL, 0), QN_OK);
    qn_snapshots_deinit(&snapshots);
}

/* ---- keys and snapshots ---- */

Test(damage, other_keys)
{
    WORLD;
    fill_and_back_up(&w);
    world_close(&w);
    uint8_t master[QN_MASTER_KEY_SIZE] = {8};
    struct qn_vault *vault;
    struct qn_vault_options options = {.dir = w.vault_dir,
                                       .master = master,
                                       .epoch = 1,
                                       .pack_size = 1 << 20,
                                       .level = 1,
                                       .map_size = 64 << 20};
    cr_assert_eq(qn_vault_open(&options, &vault), QN_ERR_SIGNATURE);
    world_open(&w);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
}

Test(damage, open_once)
{
    WORLD;
    struct qn_vault *first = w.vault;
    cr_assert_eq(world_try_open(&w), QN_ERR_BUSY);
    w.vault = first;
}

static void snapshot_path(struct world *w, const struct qn_snapshot_name *name, const char *end,
                          char *out)
{
    char *hex = span_hex(QN_SPAN_OF(name->bytes));
    snprintf(out, TMP_PATH_SIZE, "%.600s/snapshots/%s%s", w->vault_dir, hex, end);
    qn_free(hex);
}

Test(damage, a_bad_snapshot_is_told_and_its_packs_are_kept)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    struct qn_snapshot_name name;
    world_random_file(&w, "first", 3 << 20);
    world_backup(&w, &name);
    world_random_file(&w, "first", 3 << 20);
    world_backup(&w, NULL);
    size_t packs = world_count_packs(&w);
    snapshot_path(&w, &name, "", path);
    world_flip(path, 100);
    struct qn_verify_counts counts = world_verify(&w, false);
    cr_assert_eq(counts.snapshots, 1);
    cr_assert(world_was_reported(&w, "bad-snapshot", ""));
    world_prune(&w, 0);
    world_prune(&w, 0);
    cr_assert_geq(world_count_packs(&w), packs);
    world_flip(path, 100);
    counts = world_verify(&w, true);
    cr_assert_eq(counts.snapshots, 2);
    cr_assert(is_clean(&counts));
}

Test(damage, a_lost_list_of_packs_is_made_again)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    struct qn_snapshot_name name;
    struct qn_buf sealed, before, after;
    world_fill(&w, 60);
    world_backup(&w, &name);
    qn_buf_init(&sealed, 1 << 20);
    qn_buf_init(&before, 1 << 20);
    qn_buf_init(&after, 1 << 20);
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &name, &sealed, &before), QN_OK);
    snapshot_path(&w, &name, ".live", path);
    cr_assert_eq(qn_os_replace_file(path, SPAN("short"), 0600), QN_OK);
    qn_buf_reset(&sealed);
    cr_assert_neq(qn_vault_snapshot_files(w.vault, &name, &sealed, &after), QN_OK);
    world_prune(&w, 10);
    qn_buf_reset(&sealed);
    qn_buf_reset(&after);
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &name, &sealed, &after), QN_OK);
    assert_span_eq(qn_buf_view(&after), qn_buf_view(&before));
    qn_buf_deinit(&sealed);
    qn_buf_deinit(&before);
    qn_buf_deinit(&after);
}

/* ---- a full disk ---- */

static enum qn_err try_backup(struct world *w)
{
    struct qn_backup_options options = world_backup_options(w);
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    return qn_vault_backup(w->vault, &options, &name, &counts);
}

Test(damage, a_disk_that_fills_up)
{
    WORLD;
    world_fill(&w, 60);
    world_backup(&w, NULL);
    world_random_file(&w, "more", 4 << 20);
    struct rlimit limit = {.rlim_cur = 700 * 1024, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(try_backup(&w), QN_ERR_NOSPACE);
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert(is_clean(&counts));
    cr_assert_eq(counts.snapshots, 1);
    world_backup(&w, NULL);
    check_all_is_well(&w);
}

Test(damage, a_small_file_system)
{
    WORLD;
    world_close(&w);
    world_remove(w.vault_dir);
    cr_assert_eq(mkdir(w.vault_dir, 0700), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("vault", w.vault_dir, "tmpfs", 0, "size=12m") != 0)
        cr_skip_test("needs a mount namespace");
    world_open(&w);
    world_fill(&w, 40);
    world_backup(&w, NULL);
    world_random_file(&w, "too-much", 20 << 20);
    for (int i = 0; i < 3; i++) {
        enum qn_err err = try_backup(&w);
        cr_assert_eq(err, QN_ERR_NOSPACE, "run %d: %s", i, qn_err_name(err));
    }
    char path[TMP_PATH_SIZE];
    cr_assert_eq(unlink(world_at(&w, "too-much", path)), 0);
    world_prune(&w, 10); /* what the runs left is found dead, and goes with the next one */
    world_prune(&w, 10);
    world_random_file(&w, "fits", 1 << 20);
    world_backup(&w, NULL);
    check_all_is_well(&w);
    world_close(&w);
    cr_assert_eq(umount(w.vault_dir), 0);
}
