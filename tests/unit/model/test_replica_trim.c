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

static size_t purge(struct site *site, size_t count_max)
{
    size_t erased = 0;
    cr_assert_eq(qn_replica_begin(site->replica, memkv_begin(site->store), group.wall_ms, 1),
                 QN_OK);
    cr_assert_eq(qn_replica_purge_trash(site->replica, count_max, &erased), QN_OK);
    cr_assert_eq(qn_replica_seal(site->replica), QN_OK);
    cr_assert_eq(memkv_commit(site->store), QN_OK);
    qn_replica_done(site->replica, true);
    return erased;
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
    cr_assert_eq(memkv_count(a->store, QN_TABLE_CHAIN), 2);
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
    cr_assert_eq(purge(a, 3), 3);
    cr_assert_eq(purge(a, 3), 2);
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
