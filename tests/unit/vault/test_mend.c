/* What copies at holders are good for: packs that are lost or damaged are put right from them, a
 * vault is made whole from them, and a holder that lies gets nothing wrong past the engine. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "os/os.h"
#include "support/span.h"
#include "vault/vault_private.h"
#include "world.h"

/* Two holders; the second is asked once the first was found to be wrong. */
struct holder {
    char dir[TMP_PATH_SIZE];
    bool flips;     /* gives changed bytes */
    bool cuts;      /* says that packs are shorter */
    bool swaps;     /* gives another pack of this owner under each name */
    bool is_gone;   /* does not answer */
    bool is_silent; /* has nothing */
};
static struct holder holders[2];
/* Packs of which the first holder gave what they are not; several threads ask. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct qn_pack_name moved[4096];
static size_t moved_count;
static _Atomic size_t reads, mended, lost;

static struct qn_pack_name other_pack;   /* of `swaps` */
static struct qn_pack_name another_pack; /* under the name of that one; zero: itself */

static bool was_moved(const struct qn_pack_name *name)
{
    for (size_t i = 0; i < moved_count; i++)
        if (memcmp(&moved[i], name, sizeof(*name)) == 0)
            return true;
    return false;
}

static const struct holder *holder_of(const struct qn_pack_name *name)
{
    pthread_mutex_lock(&mutex);
    const struct holder *holder = &holders[was_moved(name)];
    pthread_mutex_unlock(&mutex);
    return holder;
}

static const struct qn_pack_name *swapped_for(const struct qn_pack_name *name)
{
    static const struct qn_pack_name none;
    bool is_other = memcmp(name, &other_pack, sizeof(*name)) == 0;
    bool has_another = memcmp(&another_pack, &none, sizeof(none)) != 0;
    return is_other && has_another ? &another_pack : &other_pack;
}

static const char *held_path(const struct holder *holder, const struct qn_pack_name *name,
                             char out[2 * TMP_PATH_SIZE])
{
    char *hex = span_hex(QN_SPAN_OF((holder->swaps ? swapped_for(name) : name)->bytes));
    snprintf(out, 2 * TMP_PATH_SIZE, "%.600s/%s", holder->dir, hex);
    qn_free(hex);
    return out;
}

static enum qn_err size_at(const struct holder *holder, const struct qn_pack_name *name,
                           size_t *ret_size)
{
    char path[2 * TMP_PATH_SIZE];
    struct stat status;
    if (holder->is_gone)
        return QN_ERR_TIMEOUT;
    if (holder->is_silent || stat(held_path(holder, name, path), &status) != 0)
        return QN_ERR_NOTFOUND;
    *ret_size = (size_t)status.st_size - (holder->cuts ? 1000 : 0);
    return QN_OK;
}

static enum qn_err held_size(void *context, const struct qn_pack_name *name, size_t *ret_size)
{
    return size_at(holder_of(name), name, ret_size);
}

static enum qn_err held_read(void *context, const struct qn_pack_name *name, size_t offset,
                             size_t size, uint8_t *out)
{
    char path[2 * TMP_PATH_SIZE];
    const struct holder *holder = holder_of(name);
    size_t total;
    reads++;
    enum qn_err err = size_at(holder, name, &total);
    if (err != QN_OK)
        return err;
    if (offset > total || size > total - offset)
        return QN_ERR_CORRUPT;
    int fd = open(held_path(holder, name, path), O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pread(fd, out, size, (off_t)offset), (ssize_t)size);
    close(fd);
    if (holder->flips)
        out[size / 2] ^= 1;
    return QN_OK;
}

static bool ask_another(void *context, const struct qn_pack_name *name)
{
    (void)context;
    pthread_mutex_lock(&mutex);
    bool has_more = !was_moved(name) && holders[1].dir[0] != '\0';
    cr_assert_lt(moved_count, 4096);
    if (has_more)
        moved[moved_count++] = *name;
    pthread_mutex_unlock(&mutex);
    return has_more;
}

static void on_mended(void *context, const struct qn_pack_name *name, enum qn_err err)
{
    (void)context, (void)name;
    err == QN_OK ? mended++ : lost++;
}

static struct qn_pack_name pack_at(struct world *w, size_t i)
{
    static struct qn_pack_name names[4096];
    size_t count;
    cr_assert_eq(qn_pool_list(qn_vault_pool(w->vault), NULL, 4096, names, &count), QN_OK);
    cr_assert_lt(i, count);
    return names[i];
}

static void take_data_pack(void *context, const struct qn_pack_name *name, size_t size,
                           enum qn_pack_kind kind)
{
    (void)size;
    if (kind == QN_PACK_DATA)
        *(struct qn_pack_name *)context = *name;
}

/* Names are random: the first one may be of any kind. */
static struct qn_pack_name a_data_pack(struct world *w)
{
    struct qn_pack_name name = {0};
    cr_assert_eq(qn_vault_packs(w->vault, take_data_pack, &name), QN_OK);
    return name;
}

static void copy_file(const char *from, const char *to)
{
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, 32 << 20);
    cr_assert_eq(qn_os_read_file(from, 32 << 20, &bytes), QN_OK);
    cr_assert_eq(qn_os_replace_file(to, qn_buf_view(&bytes), 0600), QN_OK);
}

static void copy_to(struct world *w, struct holder *holder, const char *name)
{
    size_t count = world_count_packs(w);
    tmp_dir_at(&w->dir, name, holder->dir);
    cr_assert_eq(mkdir(holder->dir, 0700), 0);
    for (size_t i = 0; i < count; i++) {
        char from[TMP_PATH_SIZE], to[2 * TMP_PATH_SIZE];
        struct qn_pack_name pack = pack_at(w, i);
        snprintf(to, sizeof(to), "%.600s/%s", holder->dir,
                 strrchr(world_pack_path(w, &pack, from), '/') + 1);
        copy_file(from, to);
    }
}

/* A tree, its backup, and a copy of it at both holders. */
static void start(struct world *w)
{
    holders[0] = holders[1] = (struct holder){0};
    moved_count = 0;
    reads = mended = lost = 0;
    w->has_pack_source = true;
    w->pack_source = (struct qn_pack_source){
        .read = held_read, .size = held_size, .another = ask_another, .mended = on_mended};
    world_reopen(w);
    world_fill(w, 60);
    world_random_file(w, "large", 5 << 20);
    world_backup(w, NULL);
    copy_to(w, &holders[0], "first");
    copy_to(w, &holders[1], "second");
}

static void damage_all(struct world *w)
{
    char path[TMP_PATH_SIZE];
    size_t count = world_count_packs(w);
    for (size_t i = 0; i < count; i++) {
        struct qn_pack_name name = pack_at(w, i);
        world_flip(world_pack_path(w, &name, path), 200);
    }
}

static void lose_all(struct world *w)
{
    char path[TMP_PATH_SIZE];
    while (world_count_packs(w) > 0) {
        struct qn_pack_name name = pack_at(w, 0);
        cr_assert_eq(unlink(world_pack_path(w, &name, path)), 0);
    }
}

static uint64_t bad_of(const struct qn_verify_counts *counts)
{
    return counts->bad_chunks + counts->missing_chunks + counts->bad_packs;
}

/* ---- verification ---- */

Test(mend, verify_puts_damaged_packs_right)
{
    WORLD;
    start(&w);
    size_t packs = world_count_packs(&w);
    damage_all(&w);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert_eq(counts.repaired, packs);
    cr_assert_eq(bad_of(&counts), 0);
    cr_assert_eq(mended, packs);
    counts = world_verify(&w, true);
    cr_assert_eq(counts.repaired, 0);
    cr_assert_eq(bad_of(&counts), 0);
    damage_all(&w); /* again, before long */
    world_restore(&w);
    world_check_restored(&w);
}

Test(mend, verify_brings_lost_packs_back)
{
    WORLD;
    start(&w);
    size_t packs = world_count_packs(&w);
    lose_all(&w);
    world_reopen(&w);
    struct qn_verify_counts counts = world_verify(&w, false);
    cr_assert_eq(bad_of(&counts), 0);
    cr_assert_eq(counts.repaired, packs);
    cr_assert_eq(world_count_packs(&w), packs);
}

/* A vault of which only the lists are here, as after a recovery: a look at it is no download. */
Test(mend, a_vault_without_its_files_is_not_fetched_by_the_way)
{
    WORLD;
    start(&w);
    size_t packs = world_count_packs(&w);
    lose_all(&w);
    world_reopen(&w);
    w.vault->verify_fetch_max = 1 << 20;
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert_eq(bad_of(&counts), 0);
    cr_assert_eq(w.report_count, 0);
    cr_assert_gt(counts.elsewhere, 5);
    cr_assert_eq(counts.elsewhere + counts.repaired, packs); /* the lists came */
    cr_assert_eq(world_count_packs(&w), counts.repaired);
}

Test(mend, what_no_copy_has_is_told)
{
    WORLD;
    start(&w);
    holders[0].is_silent = holders[1].is_silent = true;
    lose_all(&w);
    world_reopen(&w);
    struct qn_verify_counts counts = world_verify(&w, false);
    cr_assert_gt(counts.missing_chunks, 0);
    cr_assert_eq(counts.repaired, 0);
    cr_assert(world_was_reported(&w, "missing-pack", ""));
    cr_assert_gt(lost, 0);
}

/* Nothing waits for each chunk of a pack that nobody has: a holder that is away costs a wait each
 * time that it is asked. */
Test(mend, holders_that_are_away_are_asked_once_for_a_pack)
{
    WORLD;
    start(&w);
    holders[0].is_gone = true;
    size_t packs = world_count_packs(&w);
    lose_all(&w);
    world_reopen(&w);
    reads = 0;
    struct qn_verify_counts counts = world_verify(&w, false);
    cr_assert_gt(counts.missing_chunks, 0);
    cr_assert_leq(lost, packs);
    cr_assert_leq(reads, 2 * packs);
}

/* ---- reading ---- */

Test(mend, a_read_that_finds_damage_puts_it_right)
{
    WORLD;
    start(&w);
    size_t packs = world_count_packs(&w);
    damage_all(&w);
    world_restore(&w);
    world_check_restored(&w);
    cr_assert_gt(mended, 0);
    holders[0].is_silent = holders[1].is_silent = true;
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert_leq(counts.bad_packs, packs - mended); /* those that nothing was read from */
    world_restore(&w);
    world_check_restored(&w);
}

/* ---- holders that lie ---- */

static void check_second_helps(struct world *w)
{
    struct qn_verify_counts counts = world_verify(w, true);
    cr_assert_eq(bad_of(&counts), 0);
    cr_assert_gt(counts.repaired, 0);
    world_restore(w);
    world_check_restored(w);
}

Test(mend, changed_bytes_are_not_taken)
{
    WORLD;
    start(&w);
    holders[0].flips = true;
    damage_all(&w);
    check_second_helps(&w);
}

Test(mend, cut_packs_are_not_taken)
{
    WORLD;
    start(&w);
    holders[0].cuts = true;
    damage_all(&w);
    check_second_helps(&w);
}

Test(mend, other_packs_under_the_name_are_not_taken)
{
    WORLD;
    start(&w);
    other_pack = a_data_pack(&w);
    holders[0].swaps = true;
    damage_all(&w);
    check_second_helps(&w);
}

Test(mend, when_all_lie_nothing_wrong_is_restored)
{
    WORLD;
    start(&w);
    other_pack = a_data_pack(&w);
    another_pack = pack_at(&w, 0); /* else the first one gives the other pack itself, rightly */
    if (memcmp(&another_pack, &other_pack, sizeof(other_pack)) == 0)
        another_pack = pack_at(&w, 1);
    holders[0].swaps = holders[1].flips = true;
    lose_all(&w);
    world_reopen(&w);
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(w.vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_eq(world_try_restore(&w, &snapshots.items[0].snapshot, NULL, 0), QN_ERR_CORRUPT);
    qn_snapshots_deinit(&snapshots);
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert_gt(bad_of(&counts), 0);
    cr_assert_eq(counts.repaired, 0);
}

/* ---- a vault from nothing ---- */

struct kept {
    struct qn_buf sealed, live;
};

static void keep(struct world *w, struct kept *kept)
{
    qn_snapshot_vec snapshots = {0};
    qn_buf_init(&kept->sealed, 1 << 20);
    qn_buf_init(&kept->live, 1 << 20);
    cr_assert_eq(qn_vault_snapshots(w->vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_eq(
        qn_vault_snapshot_files(w->vault, &snapshots.items[0].name, &kept->sealed, &kept->live),
        QN_OK);
    qn_snapshots_deinit(&snapshots);
    world_close(w);
    world_remove(w->vault_dir);
    world_open(w);
}

static void adopt(struct world *w, struct kept *kept)
{
    cr_assert_eq(qn_vault_adopt(w->vault, qn_buf_view(&kept->sealed), qn_buf_view(&kept->live)),
                 QN_OK);
    qn_buf_deinit(&kept->sealed);
    qn_buf_deinit(&kept->live);
}

Test(mend, a_vault_is_made_whole)
{
    WORLD;
    struct kept kept;
    uint64_t fetched, missing;
    start(&w);
    size_t packs = world_count_packs(&w);
    keep(&w, &kept);
    adopt(&w, &kept);
    cr_assert_eq(world_count_packs(&w), 0);
    cr_assert_eq(qn_vault_complete(w.vault, false, NULL, world_report, &w, &fetched, &missing),
                 QN_OK);
    cr_assert_geq(fetched, 2); /* the list's own, and those of its places, one for each level */
    cr_assert_lt(fetched, packs);
    cr_assert_eq(world_count_packs(&w), fetched);
    world_restore(&w);
    world_check_restored(&w);
    cr_assert_eq(qn_vault_complete(w.vault, true, NULL, world_report, &w, &fetched, &missing),
                 QN_OK);
    cr_assert_eq(world_count_packs(&w), packs);
    cr_assert_eq(missing, 0);
    holders[0].is_gone = holders[1].is_gone = true;
    world_restore(&w);
    world_check_restored(&w);
}

/* Directories of other packs came into the index under the names of these: once a holder gives the
 * packs themselves, their rows are put right. */
Test(mend, rows_from_a_holder_that_lied_do_not_stay)
{
    WORLD;
    struct kept kept;
    start(&w);
    other_pack = a_data_pack(&w);
    keep(&w, &kept);
    holders[0].swaps = true;
    adopt(&w, &kept);
    holders[0].swaps = false;
    struct qn_verify_counts counts = world_verify(&w, true);
    cr_assert_gt(bad_of(&counts), 0); /* chunks that no row knows */
    qn_vault_close(w.vault);
    w.vault = NULL;
    world_open(&w);
    uint64_t fetched, missing;
    cr_assert_eq(qn_vault_complete(w.vault, true, NULL, world_report, &w, &fetched, &missing),
                 QN_OK);
    counts = world_verify(&w, true);
    cr_assert_eq(bad_of(&counts), 0);
    world_restore(&w);
    world_check_restored(&w);
}

/* What is asked for by name: what is whole stays, what nobody has is counted, and what was pruned
 * does not come back. */
Test(mend, packs_are_put_right_by_name)
{
    WORLD;
    char path[TMP_PATH_SIZE];
    struct qn_pack_name names[3];
    struct qn_mend_counts counts;
    start(&w);
    cr_assert_geq(world_count_packs(&w), 2);
    size_t packs = world_count_packs(&w);
    names[0] = pack_at(&w, 0);
    names[1] = pack_at(&w, 1);
    memset(&names[2], 0x42, sizeof(names[2])); /* not in the index */
    world_flip(world_pack_path(&w, &names[0], path), 200);
    cr_assert_eq(qn_vault_mend_packs(w.vault, qn_span(names, sizeof(names)), NULL, &counts), QN_OK);
    cr_assert_eq(counts.repaired, 1);
    cr_assert_eq(counts.whole, 1);
    cr_assert_eq(counts.lost, 0);
    cr_assert_eq(world_count_packs(&w), packs);
    struct qn_verify_counts verified = world_verify(&w, true);
    cr_assert_eq(bad_of(&verified), 0);
    cr_assert_eq(unlink(world_pack_path(&w, &names[1], path)), 0);
    holders[0].is_silent = holders[1].is_silent = true;
    cr_assert_eq(qn_vault_mend_packs(w.vault, qn_span(names, sizeof(names)), NULL, &counts), QN_OK);
    cr_assert_eq(counts.lost, 1);
}
