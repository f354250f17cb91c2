/* Reading the copy at a holder, which is played by the test: what comes back, what it costs, and
 * what a holder that lies can do. */
#include "copy_stage.h"

/* ---- what comes back ---- */

Test(copies, everything_comes_back)
{
    STAGE;
    fill(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(restore(&s), QN_OK);
    world_check_restored(&s.world);
}

Test(copies, the_second_time_the_directories_are_known)
{
    STAGE;
    struct qn_copy_traffic first, second;
    fill(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(restore(&s), QN_OK);
    qn_copy_vault_traffic(s.copy, &first);
    close_copy(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(restore(&s), QN_OK);
    qn_copy_vault_traffic(s.copy, &second);
    world_check_restored(&s.world);
    cr_assert_lt(second.requests, first.requests);
}

Test(copies, one_at_a_time)
{
    STAGE;
    fill(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    struct qn_copy_vault *first = s.copy, *second = NULL;
    struct qn_copy_vault_options options = {.copies = s.copies,
                                            .state_dir = s.world.dir.path,
                                            .site = "two",
                                            .master = master,
                                            .epoch = 1,
                                            .map_size = 64 << 20};
    cr_assert_eq(qn_copy_vault_open(&options, &second), QN_ERR_BUSY);
    s.copy = first;
}

/* ---- what it costs ---- */

static enum qn_err take_entry(void *context, const struct qn_entry *entry)
{
    (void)context, (void)entry;
    return QN_OK;
}

static enum qn_err take_bytes(void *context, const uint8_t *bytes, size_t size)
{
    (void)bytes;
    *(size_t *)context += size;
    return QN_OK;
}

static enum qn_err take_end(void *context, enum qn_err err)
{
    (void)context;
    return err;
}

/* How many bytes of a file came. */
static enum qn_err try_read_one(struct stage *stage, const char *name, size_t *ret_got)
{
    char path[TMP_PATH_SIZE];
    qn_snapshot_vec snapshots = {0};
    struct qn_span wanted = qn_span_str(world_at(&stage->world, name, path));
    size_t got = 0;
    QN_TRY(qn_copy_vault_snapshots(stage->copy, NULL, &snapshots));
    if (snapshots.count == 0)
        return QN_ERR_NOTFOUND;
    cr_assert_eq(qn_copy_vault_adopt(stage->copy, &snapshots.items[0].name), QN_OK);
    struct qn_restore_options options = {.snapshot = &snapshots.items[0].snapshot,
                                         .paths = &wanted,
                                         .path_count = 1,
                                         .on_entry = take_entry,
                                         .on_bytes = take_bytes,
                                         .on_entry_end = take_end,
                                         .context = &got};
    enum qn_err err = qn_vault_restore(stage->world.vault, &options);
    qn_snapshots_deinit(&snapshots);
    *ret_got = got;
    return err;
}

static size_t read_one(struct stage *stage, const char *name)
{
    size_t got = 0;
    cr_assert_eq(try_read_one(stage, name, &got), QN_OK);
    return got;
}

/* At least so many packs of random bytes, and one file of WANTED bytes among them. */
#define WANTED ((size_t)300000)
static void fill_packs(struct stage *stage, size_t packs)
{
    char path[TMP_PATH_SIZE];
    world_fill(&stage->world, 300);
    for (size_t i = 0; i < packs; i++) {
        snprintf(path, sizeof(path), "more%zu", i);
        world_random_file(&stage->world, path, 1 << 20);
        if (i == packs / 2)
            world_random_file(&stage->world, "more0wanted", WANTED);
    }
}

/* One file of a copy of which nothing is known here yet: the places say where it is, whatever the
 * number of packs. Everything that comes from the holder counts, lists too. */
static void check_one_file(size_t packs)
{
    STAGE;
    const uint64_t round_trip_ms = 60;
    struct qn_copy_traffic traffic;
    fill_packs(&s, packs);
    keep_copy(&s);
    cr_assert_geq(s.live.size / 32, packs);
    cr_assert_eq(open_copy(&s), QN_OK);
    s.delay_ms = round_trip_ms;
    uint64_t begin_ms = qn_os_boot_ms();
    cr_assert_eq(read_one(&s, "more0wanted"), WANTED);
    uint64_t took_ms = qn_os_boot_ms() - begin_ms;
    qn_copy_vault_traffic(s.copy, &traffic);
    fprintf(stderr, "%zu packs: %zu bytes beyond the file, %zu requests, %zu round trips, %zu ms\n",
            s.live.size / 32, (size_t)s.served - WANTED, (size_t)s.requests, (size_t)s.rounds,
            (size_t)took_ms);
    cr_assert_leq(s.served, WANTED + 64 * 1024);
    cr_assert_leq(s.rounds, 4); /* lists, root, leaf, bytes */
    cr_assert_eq(s.requests, traffic.requests + 1);
}

Test(copies, one_file_costs_little_more_than_itself)
{
    const char *packs = getenv("QN_COPIES_PACKS"); /* to measure */
    check_one_file(packs == NULL ? 50 : strtoul(packs, NULL, 10));
}

/* Names so long that nodes stand above nodes: one round trip more. */
Test(copies, one_file_of_a_tall_list)
{
    STAGE;
    char name[256];
    for (int i = 0; i < 4000; i++) {
        for (size_t at = 0; at < 208; at += 16)
            snprintf(name + at, sizeof(name) - at, "%016llx",
                     (unsigned long long)qn_prng_next(&s.world.prng));
        world_write(&s.world, name, name, (size_t)(i % 100));
    }
    world_random_file(&s.world, "77 wanted", WANTED);
    keep_copy(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    s.delay_ms = 60;
    cr_assert_eq(read_one(&s, "77 wanted"), WANTED);
    fprintf(stderr, "tall: %zu bytes beyond the file, %zu round trips\n", (size_t)s.served - WANTED,
            (size_t)s.rounds);
    cr_assert_eq(s.rounds, 5);
    cr_assert_leq(s.served, WANTED + 64 * 1024);
}

/* Its chunks are named by manifests: places say where those of both are. */
Test(copies, a_large_file_costs_little_more_too)
{
    STAGE;
    const size_t size = 40 << 20;
    world_fill(&s.world, 100);
    world_random_file(&s.world, "large", size);
    keep_copy(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(read_one(&s, "large"), size);
    cr_assert_leq(s.served, size + 128 * 1024);
}

/* Packs that the places name and the holder has not any more, since a prune wrote them anew: all
 * is found by the directories, as if there were no places. */
Test(copies, places_that_are_not_true_any_more)
{
    STAGE;
    char name[64], path[TMP_PATH_SIZE];
    struct qn_snapshot_name first, second;
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        world_random_file(&s.world, name, 40000);
    }
    world_backup(&s.world, &first);
    for (int i = 0; i < 200; i += 2) {
        snprintf(name, sizeof(name), "f%d", i);
        cr_assert_eq(unlink(world_at(&s.world, name, path)), 0);
    }
    world_backup(&s.world, &second);
    cr_assert_eq(qn_vault_forget(s.world.vault, &first), QN_OK);
    world_prune(&s.world, 10);
    world_prune(&s.world, 10);
    hand_over(&s, &second);
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(read_one(&s, "f101"), 40000);
    cr_assert_gt(s.requests, s.live.size / 32); /* so they were of no use */
    cr_assert_eq(restore(&s), QN_OK);
    world_check_restored(&s.world);
}

/* More than places are good for: after some of it the directories of all packs come. */
Test(copies, a_folder_with_much_in_it)
{
    STAGE;
    char name[64], path[TMP_PATH_SIZE];
    struct qn_copy_traffic traffic;
    world_mkdir(&s.world, "much");
    for (int i = 0; i < 6000; i++) {
        snprintf(name, sizeof(name), "much/a file with a name that is not short %d", i);
        world_random_file(&s.world, name, (size_t)(i % 50));
    }
    keep_copy(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    qn_snapshot_vec snapshots = {0};
    struct qn_span folder = qn_span_str(world_at(&s.world, "", path));
    folder.size = (size_t)(strchr(path + 1, '/') - path); /* the topmost one: it needs no other */
    cr_assert_eq(qn_copy_vault_snapshots(s.copy, NULL, &snapshots), QN_OK);
    cr_assert_eq(qn_copy_vault_adopt(s.copy, &snapshots.items[0].name), QN_OK);
    cr_assert_eq(world_try_restore(&s.world, &snapshots.items[0].snapshot, &folder, 1), QN_OK);
    qn_snapshots_deinit(&snapshots);
    qn_copy_vault_traffic(s.copy, &traffic);
    world_check_restored(&s.world);
    cr_assert_lt(traffic.waits, 200);
}

/* A holder that lies gives an error, and not one byte of a file that is another. */
static void check_one_lie(enum lie lie)
{
    STAGE;
    size_t got = 0;
    fill(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    s.lie = lie;
    enum qn_err err = try_read_one(&s, "large", &got);
    cr_assert(err != QN_OK || got < (7 << 20), "%d", (int)lie);
    s.lie = HONEST;
    qn_copy_vault_distrust(s.copy);
    close_copy(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(read_one(&s, "large"), 7 << 20);
}

Test(copies, one_file_of_a_holder_that_lies)
{
    static const enum lie lies[] = {LIE_BYTES, LIE_SWAP, LIE_SNAPSHOT, LIE_NONSENSE, LIE_AWAY};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
        check_one_lie(lies[i]);
}

/* Over a line of 60 ms the copy of many small files and a large one takes few round trips: it is
 * read ahead, side by side. */
Test(copies, a_long_line)
{
    STAGE;
    const uint64_t round_trip_ms = 60;
    struct qn_copy_traffic traffic;
    world_fill(&s.world, 400);
    world_random_file(&s.world, "large", 20 << 20);
    keep_copy(&s);
    s.delay_ms = round_trip_ms;
    cr_assert_eq(open_copy(&s), QN_OK);
    uint64_t begin_ms = qn_os_boot_ms();
    cr_assert_eq(restore(&s), QN_OK);
    uint64_t rounds = (qn_os_boot_ms() - begin_ms) / round_trip_ms;
    qn_copy_vault_traffic(s.copy, &traffic);
    fprintf(stderr, "%zu packs, %zu bytes, %zu requests: as long as %zu round trips\n",
            s.live.size / 32, (size_t)traffic.bytes, (size_t)traffic.requests, (size_t)rounds);
    s.delay_ms = 0;
    world_check_restored(&s.world);
    cr_assert_lt(rounds, traffic.requests);
}

/* ---- holders that lie ---- */

/* Nothing that is restored differs from what was saved: whole files or none. */
static void check_nothing_wrong(struct stage *stage)
{
    char wanted[TMP_PATH_SIZE];
    world_at(&stage->world, "large", wanted);
    const char *path = world_restored(&stage->world, "large");
    QN_AUTO_BUF struct qn_buf got, saved;
    qn_buf_init(&got, 32 << 20);
    qn_buf_init(&saved, 32 << 20);
    cr_assert_eq(qn_os_read_file(wanted, 32 << 20, &saved), QN_OK);
    if (qn_os_read_file(path, 32 << 20, &got) != QN_OK || got.size == 0)
        return;
    cr_assert_leq(got.size, saved.size);
    cr_assert_eq(memcmp(got.data, saved.data, got.size), 0);
}

static void check_lie(enum lie lie)
{
    STAGE;
    fill(&s);
    s.lie = lie;
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_neq(restore(&s), QN_OK);
    check_nothing_wrong(&s);
    s.lie = HONEST; /* what was kept of the lies is thrown away, and then all is well */
    qn_copy_vault_distrust(s.copy);
    close_copy(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(restore(&s), QN_OK);
    world_check_restored(&s.world);
}

Test(copies, changed_bytes)
{
    check_lie(LIE_BYTES);
}

Test(copies, other_packs)
{
    check_lie(LIE_SWAP);
}

Test(copies, short_packs)
{
    check_lie(LIE_SHORT);
}

Test(copies, fewer_names)
{
    check_lie(LIE_COUNT);
}

Test(copies, names_out_of_order)
{
    check_lie(LIE_ORDER);
}

Test(copies, a_changed_snapshot)
{
    check_lie(LIE_SNAPSHOT);
}

Test(copies, nonsense)
{
    check_lie(LIE_NONSENSE);
}

Test(copies, the_same_list_again_and_again)
{
    check_lie(LIE_AGAIN);
}

/* Its bytes are good but for one thing at a time: data that is changed only after the directories
 * came. */
Test(copies, changed_bytes_behind_good_directories)
{
    STAGE;
    fill(&s);
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(qn_copy_vault_snapshots(s.copy, NULL, &snapshots), QN_OK);
    cr_assert_eq(qn_copy_vault_adopt(s.copy, &snapshots.items[0].name), QN_OK);
    s.lie = LIE_BYTES;
    (void)!world_try_restore(&s.world, &snapshots.items[0].snapshot, NULL, 0);
    qn_snapshots_deinit(&snapshots);
    check_nothing_wrong(&s);
}

Test(copies, lists_without_an_end)
{
    STAGE;
    fill(&s);
    s.lie = LIE_ENDLESS;
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(qn_copy_vault_snapshots(s.copy, NULL, &snapshots), QN_ERR_LIMIT);
    cr_assert_leq(s.requests, 65536 + 2);
}

/* ---- what ends a wait ---- */

Test(copies, a_holder_that_is_away)
{
    STAGE;
    fill(&s);
    s.lie = LIE_AWAY;
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(restore(&s), QN_ERR_TIMEOUT);
}

static void *cancel(void *context)
{
    struct stage *stage = context;
    while (stage->requests == 0) /* until it waits */
        sched_yield();
    stage->is_cancelled = true;
    return NULL;
}

Test(copies, who_asked_may_give_up)
{
    STAGE;
    pthread_t thread;
    fill(&s);
    s.lie = LIE_SILENT;
    cr_assert_eq(open_copy(&s), QN_OK);
    cr_assert_eq(pthread_create(&thread, NULL, cancel, &s), 0);
    cr_assert_eq(restore(&s), QN_ERR_CLOSED);
    pthread_join(thread, NULL);
}

struct rebuilt {
    struct qn_copy_source *source;
    struct qn_pack_source packs;
};

static void open_empty(struct stage *stage, struct rebuilt *rebuilt)
{
    rebuilt->source = qn_copy_source_new(stage->copies, NULL, NULL);
    stage->world.pack_source = qn_copy_source_view(rebuilt->source);
    stage->world.has_pack_source = true;
    world_open(&stage->world);
}

static void *stop(void *context)
{
    struct qn_copy_source *source = ((struct rebuilt *)context)->source;
    qn_copy_source_stop(source, true);
    return NULL;
}

/* The source of a site's own vault belongs to nobody: the job that waits for it stops it. */
Test(copies, a_source_can_be_stopped_and_goes_on)
{
    STAGE;
    struct rebuilt rebuilt;
    struct qn_rebuild_counts counts;
    pthread_t thread;
    fill(&s);
    open_empty(&s, &rebuilt);
    cr_assert_eq(
        qn_copies_rebuild(s.copies, "two", s.world.vault, false, NULL, NULL, NULL, &counts), QN_OK);
    s.lie = LIE_SILENT;
    cr_assert_eq(pthread_create(&thread, NULL, stop, &rebuilt), 0);
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(s.world.vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_eq(world_try_restore(&s.world, &snapshots.items[0].snapshot, NULL, 0), QN_OK);
    qn_snapshots_deinit(&snapshots);
    QN_AUTO_BUF struct qn_buf got;
    qn_buf_init(&got, 32 << 20);
    enum qn_err err = qn_os_read_file(world_restored(&s.world, "large"), 32 << 20, &got);
    cr_assert(err == QN_ERR_NOTFOUND || got.size < (7 << 20));
    pthread_join(thread, NULL);
    s.lie = HONEST;
    qn_copy_source_stop(rebuilt.source, false);
    world_restore(&s.world);
    world_check_restored(&s.world);
    world_close(&s.world);
    qn_copy_source_free(rebuilt.source);
}

Test(copies, nothing_is_waited_for_after_the_end)
{
    STAGE;
    fill(&s);
    cr_assert_eq(open_copy(&s), QN_OK);
    qn_copies_end(s.copies);
    cr_assert_eq(restore(&s), QN_ERR_CLOSED);
}

/* ---- a vault from a copy ---- */

Test(copies, a_vault_is_made_whole)
{
    STAGE;
    struct rebuilt rebuilt;
    struct qn_rebuild_counts counts;
    fill(&s);
    open_empty(&s, &rebuilt);
    cr_assert_eq(
        qn_copies_rebuild(s.copies, "two", s.world.vault, false, NULL, NULL, NULL, &counts), QN_OK);
    cr_assert_eq(counts.snapshots, 1);
    cr_assert_geq(counts.packs, 2); /* of the list, and of its places for each level */
    cr_assert_lt(counts.packs, s.live.size / 32);
    cr_assert_eq(counts.bad, 0);
    world_restore(&s.world);
    world_check_restored(&s.world);
    cr_assert_eq(qn_copies_rebuild(s.copies, "two", s.world.vault, true, NULL, NULL, NULL, &counts),
                 QN_OK);
    cr_assert_eq(world_count_packs(&s.world), s.live.size / 32);
    s.lie = LIE_AWAY;
    world_restore(&s.world);
    world_check_restored(&s.world);
    world_close(&s.world);
    qn_copy_source_free(rebuilt.source);
}

Test(copies, small_packs_too)
{
    STAGE;
    struct rebuilt rebuilt;
    struct qn_rebuild_counts counts;
    world_random_file(&s.world, "small", 5000);
    keep_copy(&s);
    open_empty(&s, &rebuilt);
    cr_assert_eq(qn_copies_rebuild(s.copies, "two", s.world.vault, true, NULL, NULL, NULL, &counts),
                 QN_OK);
    cr_assert_eq(counts.packs, s.live.size / 32);
    cr_assert_eq(counts.bad, 0);
    world_restore(&s.world);
    world_check_restored(&s.world);
    world_close(&s.world);
    qn_copy_source_free(rebuilt.source);
}

Test(copies, a_vault_is_not_made_of_lies)
{
    STAGE;
    struct rebuilt rebuilt;
    struct qn_rebuild_counts counts;
    fill(&s);
    open_empty(&s, &rebuilt);
    s.lie = LIE_SNAPSHOT;
    cr_assert_eq(
        qn_copies_rebuild(s.copies, "two", s.world.vault, false, NULL, NULL, NULL, &counts), QN_OK);
    cr_assert_eq(counts.snapshots, 0);
    cr_assert_eq(counts.bad, 1);
    s.lie = LIE_BYTES;
    cr_assert_eq(qn_copies_rebuild(s.copies, "two", s.world.vault, true, NULL, NULL, NULL, &counts),
                 QN_OK);
    cr_assert_eq(world_count_packs(&s.world), 0);
    world_close(&s.world);
    qn_copy_source_free(rebuilt.source);
}
