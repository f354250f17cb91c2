/* The site's own store travels with its backups, and comes back. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "app/site_store.h"
#include "support/tmp_dir.h"

#define MAP_SIZE ((size_t)64 << 20)

struct site {
    struct tmp_dir dir;
    char store_path[TMP_PATH_SIZE], vault_path[TMP_PATH_SIZE], files[TMP_PATH_SIZE];
    char back[TMP_PATH_SIZE];
    struct qn_store *store;
    struct qn_vault *vault;
    uint64_t now_ms;
    enum qn_err put_err; /* instead of putting */
    size_t problems;
    char problem[32];
};

static struct site site;

static uint64_t number(void *context)
{
    return 4711;
}

static struct qn_store_options store_at(const char *path)
{
    return (struct qn_store_options){
        .path = path, .map_size = MAP_SIZE, .wall_ms = number, .entropy = number};
}

static void open_vault(void)
{
    static const uint8_t master[QN_MASTER_KEY_SIZE] = {5};
    struct qn_vault_options options = {.dir = site.vault_path,
                                       .master = master,
                                       .epoch = 1,
                                       .pack_size = 4 << 20,
                                       .level = 3,
                                       .workers = 1,
                                       .map_size = 256 << 20};
    cr_assert_eq(qn_vault_open(&options, &site.vault), QN_OK);
}

static void start(void)
{
    site = (struct site){.now_ms = 1700000000000};
    tmp_dir_init(&site.dir);
    tmp_dir_at(&site.dir, "store", site.store_path);
    tmp_dir_at(&site.dir, "vault", site.vault_path);
    tmp_dir_at(&site.dir, "back", site.back);
    tmp_dir_at(&site.dir, "files", site.files);
    cr_assert_eq(mkdir(site.files, 0700), 0);
    struct qn_store_options options = store_at(site.store_path);
    cr_assert_eq(qn_store_open(&options, &site.store), QN_OK);
    open_vault();
}

static void stop(void)
{
    qn_vault_close(site.vault);
    qn_store_close(site.store);
    tmp_dir_deinit(&site.dir);
}

TestSuite(site_store, .init = start, .fini = stop);

static void put_row(const char *key, const char *value)
{
    struct qn_kv *kv;
    cr_assert_eq(qn_store_write_begin(site.store, &kv), QN_OK);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, qn_span_str(key), qn_span_str(value)), QN_OK);
    cr_assert_eq(qn_store_write_end(site.store, true), QN_OK);
}

static enum qn_err put_store(void *context, struct qn_backup *backup)
{
    if (site.put_err != QN_OK)
        return site.put_err;
    return qn_site_store_put(site.store, backup);
}

static void on_report(void *context, const char *what, struct qn_span path, int errno_value)
{
    site.problems++;
    snprintf(site.problem, sizeof(site.problem), "%s", what);
}

static struct qn_backup_counts back_up(void)
{
    const char *paths[] = {site.files};
    struct qn_backup_options options = {.plan = "night",
                                        .site = "here",
                                        .walk = {.paths = paths, .path_count = 1},
                                        .stream_fd = -1,
                                        .now_ms = site.now_ms += 1000,
                                        .on_report = on_report,
                                        .put_store = put_store};
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    cr_assert_eq(qn_vault_backup(site.vault, &options, &name, &counts), QN_OK);
    return counts;
}

static enum qn_err restore(uint64_t *ret_ms)
{
    struct qn_store_options options = store_at(site.back);
    return qn_site_store_restore(site.vault, &options, ret_ms);
}

static bool has_row(const char *key, const char *value)
{
    struct qn_store_options options = store_at(site.back);
    struct qn_store *store;
    struct qn_kv *kv;
    struct qn_span found;
    cr_assert_eq(qn_store_open(&options, &store), QN_OK);
    cr_assert_eq(qn_store_read_begin(store, &kv), QN_OK);
    enum qn_err err = qn_kv_get(kv, QN_TABLE_REC, qn_span_str(key), &found);
    bool is_there = err == QN_OK && qn_span_eq_str(found, value);
    qn_store_read_end(store);
    qn_store_close(store);
    return is_there;
}

Test(site_store, comes_back_as_it_was_at_the_last_backup)
{
    uint64_t made_ms = 0;
    put_row("a", "first");
    back_up();
    put_row("a", "second");
    put_row("b", "new");
    back_up();
    put_row("b", "too late");
    cr_assert_eq(restore(&made_ms), QN_OK);
    cr_assert_eq(made_ms, site.now_ms);
    cr_assert(has_row("a", "second"));
    cr_assert(has_row("b", "new"));
    cr_assert_eq(restore(&made_ms), QN_ERR_EXISTS);
}

/* It is not among the files, and not counted with them. */
Test(site_store, stands_beside_the_files)
{
    qn_snapshot_vec all = {0};
    struct qn_snapshot store;
    put_row("a", "row");
    struct qn_backup_counts counts = back_up();
    cr_assert_eq(counts.files_new, 0);
    cr_assert_eq(counts.bytes, 0);
    cr_assert_eq(qn_vault_snapshots(site.vault, NULL, NULL, NULL, &all), QN_OK);
    struct qn_tree_iter *iter;
    struct qn_entry entry;
    cr_assert_eq(qn_vault_list(site.vault, &all.items[0].snapshot, &iter), QN_OK);
    while (qn_tree_iter_next(iter, &entry) == QN_OK)
        cr_assert_eq(entry.type, QN_ENTRY_DIR);
    qn_tree_iter_free(iter);
    cr_assert_eq(qn_snapshot_of_store(&all.items[0].snapshot, &store), QN_OK);
    cr_assert_eq(qn_vault_list(site.vault, &store, &iter), QN_OK);
    cr_assert_eq(qn_tree_iter_next(iter, &entry), QN_OK);
    cr_assert(qn_span_eq_str(entry.path, "rec"));
    cr_assert_eq(qn_tree_iter_next(iter, &entry), QN_OK);
    cr_assert(qn_span_eq_str(entry.path, "rec/61"));
    qn_tree_iter_free(iter);
    cr_assert_eq(qn_snapshot_of_store(&store, &store), QN_ERR_NOTFOUND);
    qn_snapshots_deinit(&all);
}

/* Of a store in which nobody wrote nothing is stored again. */
Test(site_store, costs_nothing_while_nothing_changes)
{
    for (char key[] = "a"; key[0] <= 'z'; key[0]++)
        put_row(key, "row");
    cr_assert_gt(back_up().bytes_new, 0);
    struct qn_backup_counts counts = back_up();
    cr_assert_eq(counts.bytes_new, 0);
    cr_assert_eq(counts.bytes_stored, 0);
}

/* What prune keeps, and verify looks at. */
Test(site_store, survives_a_prune_and_a_lost_index)
{
    struct qn_prune_counts pruned;
    struct qn_verify_counts verified;
    uint64_t made_ms;
    put_row("a", "row");
    back_up();
    for (int i = 0; i < 3; i++)
        cr_assert_eq(qn_vault_prune(site.vault, &(struct qn_prune_options){0}, &pruned), QN_OK);
    qn_vault_close(site.vault);
    char index[TMP_PATH_SIZE + 16];
    snprintf(index, sizeof(index), "%s/index/data.mdb", site.vault_path);
    cr_assert_eq(unlink(index), 0);
    open_vault();
    cr_assert_eq(qn_vault_verify(site.vault, true, NULL, NULL, NULL, &verified), QN_OK);
    cr_assert_eq(verified.missing_chunks, 0);
    cr_assert_geq(verified.chunks, 3); /* the leaf and the files of the store too */
    cr_assert_eq(restore(&made_ms), QN_OK);
    cr_assert(has_row("a", "row"));
}

/* The files are saved all the same, and it is said. */
Test(site_store, that_cannot_be_read_is_reported)
{
    uint64_t made_ms = 0;
    put_row("a", "old");
    back_up();
    put_row("a", "new");
    site.put_err = QN_ERR_IO;
    cr_assert_eq(back_up().errors, 1);
    cr_assert_eq(site.problems, 1);
    cr_assert_str_eq(site.problem, "store");
    cr_assert_eq(restore(&made_ms), QN_OK);
    cr_assert_eq(made_ms, site.now_ms - 1000);
    cr_assert(has_row("a", "old"));
}

Test(site_store, needs_a_snapshot_with_it)
{
    uint64_t made_ms = 77;
    cr_assert_eq(restore(&made_ms), QN_ERR_NOTFOUND);
    site.put_err = QN_ERR_IO;
    back_up();
    cr_assert_eq(restore(&made_ms), QN_ERR_NOTFOUND);
    cr_assert_eq(made_ms, 77);
    cr_assert_neq(access(site.back, F_OK), 0);
}

static void damage_all_packs(void)
{
    char command[TMP_PATH_SIZE * 2 + 200];
    snprintf(command, sizeof(command),
             "find %s/packs -type f -exec chmod 600 {} + -exec truncate -s 100 {} +",
             site.vault_path);
    cr_assert_eq(system(command), 0);
}

/* Nothing is left that looks like a store, and what a run before left is no hindrance. */
Test(site_store, is_whole_or_not_there)
{
    uint64_t made_ms = 0;
    char fresh[TMP_PATH_SIZE + 8];
    snprintf(fresh, sizeof(fresh), "%s.new", site.back);
    put_row("a", "row");
    back_up();
    struct qn_store_options options = store_at(fresh);
    struct qn_store *half;
    cr_assert_eq(qn_store_open(&options, &half), QN_OK);
    qn_store_close(half);
    cr_assert_eq(restore(&made_ms), QN_OK);
    cr_assert(has_row("a", "row"));
    cr_assert_neq(access(fresh, F_OK), 0);
    snprintf(site.back, sizeof(site.back), "%s/again", site.dir.path);
    damage_all_packs();
    cr_assert_neq(restore(&made_ms), QN_OK);
    cr_assert_neq(access(site.back, F_OK), 0);
}
