/* The places of snapshots: what they cost, and how long they last. What they are for is tried in
 * tests/unit/app/test_copies.c. */
#include "chunk/places.h"
#include "vault/mark.h"
#include "world.h"

static void newest(struct world *w, struct qn_snapshot_info *ret_info)
{
    qn_snapshot_vec all = {0};
    cr_assert_eq(qn_vault_snapshots(w->vault, NULL, NULL, NULL, &all), QN_OK);
    cr_assert_gt(all.count, 0);
    *ret_info = all.items[all.count - 1];
    all.items[all.count - 1].plain = (struct qn_buf){0};
    qn_snapshots_deinit(&all);
}

struct walk {
    struct world *w;
    struct qn_fetcher *fetcher;
    struct qn_index_view *view;
    size_t rows, data, places, wrong;
};

/* Every row says what the index says. */
static enum qn_err check_row(void *context, const struct qn_place *place)
{
    struct walk *walk = context;
    struct qn_index_pack pack;
    walk->rows++;
    walk->data += place->blob.kind == QN_BLOB_DATA;
    enum qn_err err = qn_index_find_pack(walk->view, &place->pack, &pack);
    bool is_there = err == QN_OK && pack.state == QN_PACK_PRESENT;
    walk->wrong += !is_there;
    if (place->blob.kind != QN_BLOB_PLACES)
        return QN_OK;
    QN_AUTO_BUF struct qn_buf plain;
    struct qn_index_row row;
    qn_buf_init(&plain, QN_BLOB_SIZE_MAX);
    walk->places++;
    cr_assert_eq(qn_fetch_chunk(walk->fetcher, QN_BLOB_PLACES, &place->blob.id, &plain), QN_OK);
    cr_assert_eq(qn_index_get(walk->view, &place->blob.id, &row), QN_OK);
    if (is_there)
        walk->wrong += row.pack != pack.number || row.blob.offset != place->blob.offset;
    return qn_places_read(qn_buf_view(&plain), check_row, walk);
}

static struct walk walk_newest(struct world *w)
{
    struct qn_snapshot_info info;
    struct walk walk = {
        .w = w, .fetcher = qn_fetcher_new(w->vault), .view = qn_index_view_new(w->vault->index)};
    newest(w, &info);
    if (info.snapshot.places.size > 0)
        cr_assert_eq(qn_places_read(info.snapshot.places, check_row, &walk), QN_OK);
    qn_buf_deinit(&info.plain);
    qn_fetcher_free(walk.fetcher);
    qn_index_view_free(walk.view);
    return walk;
}

/* More leaves than one node has. */
static void fill(struct world *w)
{
    char name[64];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "file with a name that is not short at all %d", i);
        world_random_file(w, name, (size_t)(i % 100) + 1);
    }
}

Test(places, say_where_everything_is)
{
    WORLD;
    fill(&w);
    world_random_file(&w, "large", 30 << 20); /* with manifests */
    world_backup(&w, NULL);
    struct walk walk = walk_newest(&w);
    cr_assert_eq(walk.wrong, 0);
    cr_assert_gt(walk.places, 10);
    cr_assert_gt(walk.data, 2000 + 64);
}

Test(places, an_empty_list_has_none)
{
    WORLD;
    struct qn_snapshot_info info;
    world_backup(&w, NULL);
    newest(&w, &info); /* the folders alone: a leaf that names nothing */
    cr_assert_eq(info.snapshot.root.levels, 1);
    cr_assert_eq(walk_newest(&w).data, 0);
    qn_buf_deinit(&info.plain);
}

/* Nothing changed: nothing is written for them, and their packs are in the list of the snapshot. */
Test(places, are_taken_over)
{
    WORLD;
    struct qn_snapshot_info before, after;
    QN_AUTO_BUF struct qn_buf sealed, old_live, new_live;
    qn_buf_init(&sealed, QN_SNAPSHOT_SIZE_MAX);
    qn_buf_init(&old_live, QN_LIVE_SIZE_MAX);
    qn_buf_init(&new_live, QN_LIVE_SIZE_MAX);
    fill(&w);
    world_backup(&w, NULL);
    world_backup(&w, NULL); /* files that were fresh have settled */
    newest(&w, &before);
    size_t packs = world_count_packs(&w);
    world_backup(&w, NULL);
    newest(&w, &after);
    if (qn_chunk_id_cmp(&before.snapshot.root.id, &after.snapshot.root.id) == 0) {
        cr_assert_eq(world_count_packs(&w), packs);
        cr_assert(qn_span_eq(before.snapshot.places, after.snapshot.places));
    }
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &before.name, &sealed, &old_live), QN_OK);
    qn_buf_reset(&sealed);
    cr_assert_eq(qn_vault_snapshot_files(w.vault, &after.name, &sealed, &new_live), QN_OK);
    cr_assert(qn_span_eq(qn_buf_view(&old_live), qn_buf_view(&new_live)) ||
              world_count_packs(&w) > packs);
    cr_assert_eq(qn_vault_forget(w.vault, &before.name), QN_OK);
    world_prune(&w, 0);
    world_prune(&w, 0);
    cr_assert_gt(walk_newest(&w).places, 0);
    qn_buf_deinit(&before.plain);
    qn_buf_deinit(&after.plain);
}

/* One file more changes the places of its leaf and of what is above. */
Test(places, of_what_stays_stay)
{
    WORLD;
    fill(&w);
    world_backup(&w, NULL);
    world_backup(&w, NULL); /* files that were fresh have settled */
    size_t whole = walk_newest(&w).places;
    world_random_file(&w, "file with a name that is not short at all 1000 and more", 5);
    struct qn_backup_counts counts = world_backup(&w, NULL);
    cr_assert_lt(counts.bytes_new, 100 * 1024);
    struct walk walk = walk_newest(&w);
    cr_assert_eq(walk.wrong, 0);
    cr_assert_geq(walk.places + 2, whole);
    world_verify(&w, true);
}

/* A prune writes packs anew: the old places are not true any more, are no fault, and the next
 * backup makes new ones although nothing else changed. */
Test(places, are_made_anew_after_a_prune)
{
    WORLD;
    struct qn_snapshot_name old;
    char name[64], path[TMP_PATH_SIZE];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        world_random_file(&w, name, 40000);
    }
    world_backup(&w, &old);
    for (int i = 0; i < 200; i += 2) {
        snprintf(name, sizeof(name), "f%d", i);
        cr_assert_eq(unlink(world_at(&w, name, path)), 0);
    }
    world_backup(&w, NULL);
    cr_assert_eq(qn_vault_forget(w.vault, &old), QN_OK);
    world_prune(&w, 10);
    world_prune(&w, 10);
    cr_assert_gt(walk_newest(&w).wrong, 0);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert_eq(counts.missing_chunks + counts.bad_chunks + counts.bad_packs, 0);
    world_backup(&w, NULL);
    struct walk walk = walk_newest(&w);
    cr_assert_eq(walk.wrong, 0);
    cr_assert_geq(walk.data, 100);
    world_restore(&w);
    world_check_restored(&w);
}

struct found {
    struct qn_pack_name packs[16];
    size_t count;
};

static enum qn_err note_places(void *context, const struct qn_place *place)
{
    struct found *found = context;
    if (place->blob.kind == QN_BLOB_PLACES && found->count < 16)
        found->packs[found->count++] = place->pack;
    return QN_OK;
}

/* Nothing is lost with them: no alarm, no backup that fails, no prune that stops. */
Test(places, lost_ones_are_no_fault)
{
    WORLD;
    struct qn_snapshot_info info;
    struct found found = {0};
    char path[4 * TMP_PATH_SIZE];
    fill(&w);
    world_backup(&w, NULL);
    newest(&w, &info);
    cr_assert_eq(qn_places_read(info.snapshot.places, note_places, &found), QN_OK);
    cr_assert_eq(found.count, 1);
    cr_assert_eq(unlink(world_pack_path(&w, &found.packs[0], path)), 0);
    world_reopen(&w);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert_eq(counts.missing_chunks + counts.bad_chunks + counts.bad_packs, 0);
    world_prune(&w, 10);
    world_backup(&w, NULL);
    cr_assert_eq(walk_newest(&w).wrong, 0);
    world_restore(&w);
    world_check_restored(&w);
    qn_buf_deinit(&info.plain);
}
