#include <fcntl.h>
#include <sys/stat.h>

#include "support/span.h"
#include "vault/vault_private.h"
#include "world.h"

static void check_clean(struct world *w, size_t snapshots)
{
    struct qn_verify_counts counts = world_verify(w, true);
    cr_assert_eq(counts.bad_chunks + counts.missing_chunks + counts.bad_packs, 0);
    cr_assert_eq(counts.snapshots, snapshots);
}

Test(prune, nothing_dead_nothing_done)
{
    WORLD;
    world_fill(&w, 100);
    world_backup(&w, NULL);
    size_t packs = world_count_packs(&w);
    struct qn_prune_counts counts = world_prune(&w, 0);
    cr_assert_eq(counts.packs_removed + counts.packs_rewritten + counts.bytes_dead_left, 0);
    cr_assert_eq(world_count_packs(&w), packs);
}

Test(prune, dead_packs_go_with_the_run_after_the_next)
{
    WORLD;
    struct qn_snapshot_name old;
    world_random_file(&w, "file", 5 << 20);
    world_backup(&w, &old);
    world_random_file(&w, "file", 5 << 20);
    world_backup(&w, NULL);
    size_t packs = world_count_packs(&w);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    struct qn_prune_counts counts = world_prune(&w, 100);
    cr_assert_eq(counts.packs_removed, 0);
    cr_assert_eq(world_count_packs(&w), packs);
    counts = world_prune(&w, 100);
    cr_assert_geq(counts.packs_removed, 5);
    cr_assert_gt(counts.bytes_freed, 4 << 20);
    cr_assert_eq(world_count_packs(&w), packs - counts.packs_removed);
    check_clean(&w, 1);
    world_restore(&w);
    world_check_restored(&w);
}

Test(prune, without_snapshots_everything_goes)
{
    WORLD;
    struct qn_snapshot_name name;
    world_fill(&w, 100);
    world_backup(&w, &name);
    cr_assert_eq(qn_vault_forget(w.vault, &name), QN_OK);
    cr_assert_eq(qn_vault_forget(w.vault, &name), QN_ERR_NOTFOUND);
    world_prune(&w, 0);
    world_prune(&w, 0);
    cr_assert_eq(world_count_packs(&w), 0);
    struct qn_vault_sizes sizes;
    qn_vault_sizes(w.vault, &sizes);
    cr_assert_eq(sizes.chunks + sizes.packs + sizes.pack_bytes + sizes.snapshots, 0);
    world_backup(&w, NULL);
    world_restore(&w);
    world_check_restored(&w);
}

Test(prune, what_is_needed_again_is_not_removed)
{
    WORLD;
    struct qn_snapshot_name name;
    world_fill(&w, 60);
    world_backup(&w, &name);
    cr_assert_eq(qn_vault_forget(w.vault, &name), QN_OK);
    world_prune(&w, 0);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_lt(counts.bytes_new, 64 * 1024); /* the dead packs are relied on again */
    struct qn_prune_counts pruned = world_prune(&w, 0);
    /* The old lists may go: times that were too fresh to be stored are in the new ones. */
    cr_assert_lt(pruned.bytes_freed, 64 * 1024);
    world_prune(&w, 0);
    check_clean(&w, 1);
    world_restore(&w);
    world_check_restored(&w);
}

/* Files of which every second one goes: every pack is half dead. */
static void half_dead(struct world *w, struct qn_snapshot_name *ret_old)
{
    char name[64], path[TMP_PATH_SIZE];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        world_random_file(w, name, 40000);
    }
    world_backup(w, ret_old);
    for (int i = 0; i < 200; i += 2) {
        snprintf(name, sizeof(name), "f%d", i);
        cr_assert_eq(unlink(world_at(w, name, path)), 0);
    }
    world_backup(w, NULL);
}

struct told {
    size_t relists, packs;
    struct qn_pack_name pinned;
    size_t asked;
};

static void on_relist(void *context, const struct qn_snapshot_name *name)
{
    struct told *told = context;
    (void)name;
    told->relists++;
}

static void on_pack(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind)
{
    struct told *told = context;
    (void)name, (void)size, (void)kind;
    told->packs++;
}

Test(prune, half_dead_packs_are_written_anew)
{
    WORLD;
    struct qn_snapshot_name old;
    struct qn_vault_sizes before, after;
    half_dead(&w, &old);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    qn_vault_sizes(w.vault, &before);
    struct told told = {0};
    struct qn_prune_counts counts;
    struct qn_prune_options options = {
        .dead_percent = 10, .on_relist = on_relist, .on_pack = on_pack, .context = &told};
    cr_assert_eq(qn_vault_prune(w.vault, &options, &counts), QN_OK);
    cr_assert_geq(counts.packs_rewritten, 6);
    cr_assert_geq(told.packs, 3);
    cr_assert_eq(told.relists, 1);
    check_clean(&w, 1);
    cr_assert_eq(qn_vault_prune(w.vault, &options, &counts), QN_OK);
    cr_assert_geq(counts.packs_removed, 6);
    cr_assert_eq(told.relists, 1);
    qn_vault_sizes(w.vault, &after);
    cr_assert_lt(after.pack_bytes, before.pack_bytes * 6 / 10);
    check_clean(&w, 1);
    world_restore(&w);
    world_check_restored(&w);
}

/* The list of a snapshot names packs that are there, and all that it needs. */
Test(prune, lists_are_exact_afterwards)
{
    WORLD;
    struct qn_snapshot_name old;
    half_dead(&w, &old);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    world_prune(&w, 0);
    world_prune(&w, 0);
    qn_snapshot_vec snapshots = {0};
    QN_AUTO_BUF struct qn_buf live, sealed;
    qn_buf_init(&live, 1 << 20);
    qn_buf_init(&sealed, 1 << 20);
    cr_assert_eq(qn_vault_snapshots(w.vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &snapshots.items[0].name, &sealed, &live), QN_OK);
    cr_assert_eq(live.size / 32, world_count_packs(&w));
    for (size_t at = 0; at < live.size; at += 32) {
        struct qn_pack_name name;
        size_t size;
        memcpy(&name, live.data + at, 32);
        cr_assert_eq(qn_pool_size(qn_vault_pool(w.vault), &name, &size), QN_OK);
    }
    qn_snapshots_deinit(&snapshots);
}

Test(prune, tolerates_what_it_is_told_to)
{
    WORLD;
    struct qn_snapshot_name old;
    half_dead(&w, &old);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    struct qn_prune_counts counts = world_prune(&w, 60);
    cr_assert_eq(counts.packs_rewritten, 0);
    cr_assert_gt(counts.bytes_dead_left, 3 << 20);
}

static bool is_pinned(void *context, const struct qn_pack_name *name)
{
    struct told *told = context;
    (void)name;
    told->asked++;
    return true;
}

/* What is written anew is sent to every holder again: a little dead space is cheaper. */
Test(prune, a_little_is_tolerated_whatever_part_it_is)
{
    WORLD;
    struct qn_snapshot_name old;
    struct qn_prune_counts counts;
    struct qn_prune_options options = {.dead_percent = 10, .dead_bytes = 16 << 20};
    half_dead(&w, &old);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    cr_assert_eq(qn_vault_prune(w.vault, &options, &counts), QN_OK);
    cr_assert_eq(counts.packs_rewritten, 0);
    uint64_t dead = counts.bytes_dead_left;
    cr_assert_gt(dead, 100 * 40000 - 1);
    options.dead_bytes = dead - 1;
    cr_assert_eq(qn_vault_prune(w.vault, &options, &counts), QN_OK);
    cr_assert_gt(counts.packs_rewritten, 0);
    cr_assert_leq(counts.bytes_dead_left, options.dead_bytes);
    check_clean(&w, 1);
}

Test(prune, pinned_packs_stay)
{
    WORLD;
    struct qn_snapshot_name old;
    half_dead(&w, &old);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    size_t packs = world_count_packs(&w);
    struct told told = {0};
    struct qn_prune_counts counts;
    struct qn_prune_options options = {.is_pinned = is_pinned, .context = &told};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(qn_vault_prune(w.vault, &options, &counts), QN_OK);
        cr_assert_eq(counts.packs_rewritten + counts.packs_removed, 0);
    }
    cr_assert_eq(told.asked, 2 * packs);
    cr_assert_eq(world_count_packs(&w), packs);
}

Test(prune, many_passes_come_to_the_same)
{
    WORLD;
    struct qn_snapshot_name old;
    half_dead(&w, &old);
    world_random_file(&w, "large", 30 << 20);
    world_backup(&w, NULL);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    w.vault->prune_live_max = 40; /* ids */
    struct qn_prune_counts counts = world_prune(&w, 0);
    cr_assert_geq(counts.packs_rewritten, 6);
    counts = world_prune(&w, 0);
    cr_assert_geq(counts.packs_removed, 6);
    check_clean(&w, 2);
    world_restore(&w);
    world_check_restored(&w);
}

static size_t flip_large(struct world *w, const struct qn_pack_name *names, size_t count)
{
    size_t flipped = 0, size;
    char path[TMP_PATH_SIZE];
    for (size_t i = 0; i < count; i++) {
        if (qn_pool_size(qn_vault_pool(w->vault), &names[i], &size) != QN_OK || size < 900000)
            continue; /* small ones may be gone */
        world_flip(world_pack_path(w, &names[i], path), 20);
        flipped++;
    }
    return flipped;
}

Test(prune, a_damaged_pack_is_left_alone)
{
    WORLD;
    struct qn_snapshot_name old;
    half_dead(&w, &old);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    struct qn_pack_name names[64];
    size_t count;
    cr_assert_eq(qn_pool_list(qn_vault_pool(w.vault), NULL, 64, names, &count), QN_OK);
    size_t flipped = flip_large(&w, names, count);
    cr_assert_geq(flipped, 6);
    world_prune(&w, 0);
    world_prune(&w, 0);
    cr_assert_eq(flip_large(&w, names, count), flipped);
    check_clean(&w, 1);
}

Test(prune, cancelling_loses_nothing)
{
    WORLD;
    struct qn_snapshot_name old;
    half_dead(&w, &old);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    struct qn_vault_progress progress = {.is_cancelled = true};
    struct qn_prune_counts counts;
    struct qn_prune_options options = {.progress = &progress};
    cr_assert_eq(qn_vault_prune(w.vault, &options, &counts), QN_ERR_CLOSED);
    check_clean(&w, 1);
}

/* ---- what the site knows ---- */

static enum qn_err put_store(void *context, struct qn_backup *backup)
{
    (void)context;
    return qn_backup_put(backup, qn_span_str("rows/first"), qn_span_str("what the site knows"));
}

static void backup_with_store(struct world *w, struct qn_snapshot_name *ret_name)
{
    struct qn_backup_options options = world_backup_options(w);
    struct qn_backup_counts counts;
    options.put_store = put_store;
    cr_assert_eq(qn_vault_backup(w->vault, &options, ret_name, &counts), QN_OK);
}

Test(prune, when_all_files_go_nothing_of_what_the_site_knows_is_packed_anew)
{
    WORLD;
    struct qn_snapshot_name old, name;
    char path[TMP_PATH_SIZE];
    world_random_file(&w, "file", 5 << 20);
    backup_with_store(&w, &old);
    cr_assert_eq(unlink(world_at(&w, "file", path)), 0);
    backup_with_store(&w, &name);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    struct qn_prune_counts first = world_prune(&w, 0), second = world_prune(&w, 0);
    cr_assert_eq(first.packs_rewritten + second.packs_rewritten, 0);
    cr_assert_gt(second.bytes_freed, 5 << 20);
    check_clean(&w, 1);
}
