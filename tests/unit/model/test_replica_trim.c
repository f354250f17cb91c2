#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "support/sites.h"
#include "support/span.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static struct group group;
static struct site *a, *b;

static void setup(void)
{
    group_init(&group, 2, 1);
    a = &group.sites[0];
    b = &group.sites[1];
}

static void teardown(void)
{
    group_deinit(&group);
}

TestSuite(replica_trim, .init = setup, .fini = teardown);

static void truncate_log(struct site *site, uint64_t seq)
{
    cr_assert_eq(qn_replica_begin(site->replica, memkv_begin(site->store), group.wall_ms, 1),
                 QN_OK);
    cr_assert_eq(qn_replica_truncate(site->replica, &group.coll, seq), QN_OK);
    cr_assert_eq(qn_replica_seal(site->replica), QN_OK);
    cr_assert_eq(memkv_commit(site->store), QN_OK);
    qn_replica_done(site->replica, true);
}

static struct qn_log_cut cut_of(const struct qn_vv *covered)
{
    return (struct qn_log_cut){.coll = group.coll,
                               .covered = covered,
                               .covered_seq = UINT64_MAX,
                               .ops_max = UINT64_MAX,
                               .bytes_max = UINT64_MAX,
                               .age_max_ms = UINT64_MAX};
}

/* Gives how many operations went. */
static size_t cut_log(struct site *site, const struct qn_log_cut *cut, bool *ret_is_done)
{
    size_t dropped = 0;
    site_begin(site);
    enum qn_err err = qn_replica_cut_log(site->replica, cut, &dropped, ret_is_done);
    cr_assert_eq(site_end(site, err), QN_OK);
    cr_assert_null(site_check(site));
    return dropped;
}

static void put_many(struct site *site, int count)
{
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        cr_assert_eq(site_put(site, key, "f", "12345678901234567890"), QN_OK);
    }
}

static size_t purge_on(struct site *site, size_t count_max, struct qn_buf *position)
{
    size_t erased = 0;
    cr_assert_eq(qn_replica_begin(site->replica, memkv_begin(site->store), group.wall_ms, 1),
                 QN_OK);
    cr_assert_eq(qn_replica_purge_trash(site->replica, count_max, position, &erased), QN_OK);
    cr_assert_eq(qn_replica_seal(site->replica), QN_OK);
    cr_assert_eq(memkv_commit(site->store), QN_OK);
    qn_replica_done(site->replica, true);
    return erased;
}

static size_t purge(struct site *site, size_t count_max)
{
    QN_AUTO_BUF struct qn_buf position;
    qn_buf_init(&position, QN_KV_KEY_SIZE_MAX);
    return purge_on(site, count_max, &position);
}

Test(replica_trim, floor_follows_and_the_chain_goes_on)
{
    for (int i = 0; i < 5; i++) {
        char value[2] = {(char)('0' + i), 0};
        cr_assert_eq(site_put(a, "k", "f", value), QN_OK);
    }
    cr_assert_eq(site_pull(b, a), QN_OK);
    truncate_log(a, 3);
    QN_AUTO_VV struct qn_vv floor = {0}, none = {0};
    uint64_t seq;
    cr_assert_eq(qn_read_floor(memkv_reader(a->store), &group.coll, &floor), QN_OK);
    cr_assert(floor.entries.count == 1 && floor.entries.items[0].ctr == 3);
    cr_assert_eq(memkv_count(a->store, QN_TABLE_LOG), 2);
    cr_assert_eq(memkv_count(a->store, QN_TABLE_ORDER), 2);
    cr_assert_eq(memkv_count(a->store, QN_TABLE_CHAIN), 3, "one at the floor, to verify the rest");
    cr_assert_null(site_check(a));
    cr_assert_eq(qn_read_start(memkv_reader(a->store), &group.coll, &none, &seq), QN_ERR_HELD);
    cr_assert_eq(qn_read_start(memkv_reader(a->store), &group.coll, &floor, &seq), QN_OK);
    cr_assert_eq(seq, 4);
    truncate_log(a, UINT64_MAX);
    cr_assert_eq(memkv_count(a->store, QN_TABLE_LOG), 0);
    cr_assert_eq(memkv_count(a->store, QN_TABLE_CHAIN), 1, "the latest stays");
    cr_assert_eq(site_put(a, "k", "f", "9"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_str_eq(site_shown(b, "k", "f"), "9");
    cr_assert_null(site_check(a));
}

Test(replica_trim, what_all_members_have_goes_from_the_front)
{
    QN_AUTO_VV struct qn_vv covered = {0};
    bool is_done;
    put_many(a, 5);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(qn_read_cc(memkv_reader(b->store), &group.coll, &covered), QN_OK);
    put_many(a, 8); /* five of them are no change */
    struct qn_log_cut cut = cut_of(&covered);
    cut.covered_seq = 2;
    cr_assert_eq(cut_log(a, &cut, &is_done), 2);
    cut.covered_seq = UINT64_MAX;
    cr_assert_eq(cut_log(a, &cut, &is_done), 3);
    cr_assert(is_done);
    cr_assert_eq(site_info(a).log_ops, 3);
    cr_assert_eq(cut_log(a, &cut, &is_done), 0);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_null(group_check_equal(&group));
}

Test(replica_trim, caps_wait_for_nobody)
{
    static const struct qn_vv nothing;
    struct qn_log_cut cut = cut_of(&nothing);
    bool is_done;
    put_many(a, 10);
    uint64_t bytes = site_info(a).log_bytes;
    cut.ops_max = 8;
    cr_assert_eq(cut_log(a, &cut, &is_done), 2);
    cut.bytes_max = bytes / 2;
    size_t dropped = cut_log(a, &cut, &is_done);
    cr_assert(dropped == 3 || dropped == 4, "%zu", dropped);
    cr_assert(site_info(a).log_bytes <= bytes / 2);
}

Test(replica_trim, what_is_known_for_long_goes)
{
    static const struct qn_vv nothing;
    struct qn_log_cut cut = cut_of(&nothing);
    bool is_done;
    cut.age_max_ms = 120 * DAY_MS;
    put_many(a, 3);
    for (int day = 0; day < 119; day++, group.wall_ms += DAY_MS)
        cr_assert_eq(cut_log(a, &cut, &is_done), 0, "day %d", day);
    put_many(a, 4);
    size_t dropped = 0;
    for (int day = 0; day < 8; day++, group.wall_ms += DAY_MS)
        dropped += cut_log(a, &cut, &is_done);
    cr_assert_eq(dropped, 3);
    cr_assert_eq(site_info(a).log_ops, 1);
}

/* The battery of a site's clock ran out: it begins in 1970, and nothing is old for that. */
Test(replica_trim, a_clock_that_jumps_makes_nothing_old)
{
    static const struct qn_vv nothing;
    struct qn_log_cut cut = cut_of(&nothing);
    bool is_done;
    uint64_t now = group.wall_ms;
    cut.age_max_ms = 120 * DAY_MS;
    put_many(a, 3);
    group.wall_ms = 1000;
    cr_assert_eq(cut_log(a, &cut, &is_done), 0);
    group.wall_ms = now + DAY_MS;
    cr_assert_eq(cut_log(a, &cut, &is_done), 0);
}

Test(replica_trim, cutting_is_bounded)
{
    static const struct qn_vv nothing;
    struct qn_log_cut cut = cut_of(&nothing);
    bool is_done;
    site_begin(a);
    for (int i = 0; i < QN_TXN_OPS_MAX + 10; i++) {
        struct qn_write_result result;
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        struct qn_op_set set = {qn_span_str("f"), qn_span_str("\xa1x")};
        cr_assert_eq(qn_replica_write(a->replica,
                                      &(struct qn_write){.coll = group.coll,
                                                         .kind = QN_OP_PUT,
                                                         .key = qn_span_str(key),
                                                         .fields = &set,
                                                         .field_count = 1},
                                      &result),
                     QN_OK);
    }
    cr_assert_eq(site_end(a, QN_OK), QN_OK);
    cut.ops_max = 5;
    cr_assert_eq(cut_log(a, &cut, &is_done), QN_TXN_OPS_MAX);
    cr_assert_not(is_done);
    cr_assert_eq(cut_log(a, &cut, &is_done), 5);
    cr_assert(is_done);
}

/* As an earlier release left it, which kept no account of its log. */
Test(replica_trim, a_log_without_an_account_is_estimated)
{
    put_many(a, 10);
    struct qn_kv *kv = memkv_begin(a->store);
    cr_assert_eq(qn_kv_del(kv, QN_TABLE_META, qn_span("model.log.\0\0\0\1", 14)), QN_OK);
    cr_assert_eq(memkv_commit(a->store), QN_OK);
    cr_assert_null(site_check(a), "exact for a short one");
    put_many(a, 12);
    cr_assert_null(site_check(a));
}

Test(replica_trim, the_trashing_site_erases_first)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "live", "f", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    group.wall_ms += QN_TRASH_OWN_DAYS * DAY_MS - DAY_MS;
    cr_assert_eq(purge(a, 10), 0);
    group.wall_ms += 2 * DAY_MS;
    cr_assert_eq(purge(b, 10), 0);
    group.wall_ms += (QN_TRASH_OTHER_DAYS - QN_TRASH_OWN_DAYS) * DAY_MS;
    cr_assert_eq(purge(b, 10), 1);
    cr_assert_eq(purge(a, 10), 1);
    cr_assert_eq(site_state(a, "k"), QN_RECORD_NONE);
    cr_assert_eq(site_state(a, "live"), QN_RECORD_LIVE);
    cr_assert_null(site_check(a));
    cr_assert_null(site_check(b));
}

Test(replica_trim, purging_is_bounded)
{
    for (int i = 0; i < 5; i++) {
        char key[2] = {(char)('a' + i), 0};
        cr_assert_eq(site_put(a, key, "f", "1"), QN_OK);
        cr_assert_eq(site_do(a, QN_OP_TRASH, key), QN_OK);
    }
    group.wall_ms += 40 * DAY_MS;
    QN_AUTO_BUF struct qn_buf position;
    qn_buf_init(&position, QN_KV_KEY_SIZE_MAX);
    cr_assert_eq(purge_on(a, 3, &position), 3);
    cr_assert_gt(position.size, 0, "the next step begins there");
    cr_assert_eq(site_put(a, "f", "f", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "f"), QN_OK);
    cr_assert_eq(purge_on(a, 3, &position), 2);
    cr_assert_eq(position.size, 0, "that was the end");
    cr_assert_eq(site_state(a, "f"), QN_RECORD_TRASHED, "it is not due");
}

Test(replica_trim, a_purge_looks_at_so_many_entries_in_a_step)
{
    QN_AUTO_BUF struct qn_buf position;
    size_t steps = 1;
    qn_buf_init(&position, QN_KV_KEY_SIZE_MAX);
    for (int i = 0; i < QN_PURGE_LOOKS + 10; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%05d", i);
        cr_assert_eq(site_put(a, key, "f", "1"), QN_OK);
        cr_assert_eq(site_do(a, QN_OP_TRASH, key), QN_OK);
    }
    while (purge_on(a, 10, &position) == 0 && position.size > 0)
        steps++;
    cr_assert_eq(position.size, 0);
    cr_assert_eq(steps, 2);
}

/* A site whose clock says 1970 trashes a record: the others wait from when they heard of it. */
Test(replica_trim, trash_of_a_clock_that_is_behind_is_kept)
{
    uint64_t now = group.wall_ms;
    group.wall_ms = 1000;
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    group.wall_ms = now;
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(purge(b, 10), 0);
    group.wall_ms += 40 * DAY_MS;
    cr_assert_eq(purge(b, 10), 1);
}

/* ---- a person empties the trash ---- */

static struct qn_trash_swept sweep(struct site *site, const struct qn_trash_sweep *wanted)
{
    struct qn_trash_swept swept = {0};
    site_begin(site);
    cr_assert_eq(site_end(site, qn_replica_empty_trash(site->replica, wanted, &swept)), QN_OK);
    cr_assert_null(site_check(site));
    return swept;
}

static void trash_many(struct site *site, int count)
{
    put_many(site, count);
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        cr_assert_eq(site_do(site, QN_OP_TRASH, key), QN_OK);
    }
}

Test(replica_trim, an_emptied_trash_is_empty_at_all_sites)
{
    struct qn_trash_sweep wanted = {
        .coll = group.coll, .until_ms = UINT64_MAX, .user = SPAN("anne"), .is_dry_run = true};
    trash_many(a, 5);
    cr_assert_eq(site_put(a, "live", "f", "1"), QN_OK);
    cr_assert_eq(sweep(a, &wanted).erased, 5);
    cr_assert_eq(site_info(a).trashed, 5, "it was only counted");
    wanted.is_dry_run = false;
    struct qn_trash_swept swept = sweep(a, &wanted);
    cr_assert(swept.erased == 5 && swept.kept == 0 && swept.after_size == 0);
    cr_assert_eq(site_info(a).trashed, 0);
    cr_assert_eq(site_state(a, "live"), QN_RECORD_LIVE);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_null(group_check_equal(&group));
    cr_assert_eq(sweep(a, &wanted).erased, 0);
}

Test(replica_trim, what_is_in_the_trash_for_less_than_that_stays)
{
    cr_assert_eq(site_put(a, "old", "f", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "old"), QN_OK);
    group.wall_ms += 10 * DAY_MS;
    cr_assert_eq(site_put(a, "young", "f", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "young"), QN_OK);
    struct qn_trash_sweep wanted = {.coll = group.coll, .until_ms = group.wall_ms - 5 * DAY_MS};
    struct qn_trash_swept swept = sweep(a, &wanted);
    cr_assert(swept.erased == 1 && swept.looked == 2);
    cr_assert_eq(site_state(a, "old"), QN_RECORD_NONE);
    cr_assert_eq(site_state(a, "young"), QN_RECORD_TRASHED);
    wanted.until_ms = 0;
    cr_assert_eq(sweep(a, &wanted).erased, 0);
}

Test(replica_trim, a_large_trash_is_emptied_in_steps)
{
    struct qn_trash_sweep wanted = {.coll = group.coll, .until_ms = UINT64_MAX};
    trash_many(a, QN_SWEEP_OPS + 5);
    struct qn_trash_swept first = sweep(a, &wanted);
    cr_assert_eq(first.erased, QN_SWEEP_OPS);
    cr_assert_gt(first.after_size, 0);
    wanted.after = qn_span(first.after, first.after_size);
    struct qn_trash_swept second = sweep(a, &wanted);
    cr_assert(second.erased == 5 && second.after_size == 0);
}
