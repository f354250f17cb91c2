/* The log is cut each hour of what all have, and at once beyond the caps. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "model/peers.h"
#include "support/core_rig.h"

#define HOUR_MS (3600 * UINT64_C(1000))

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(cut_log, .init = setup, .fini = teardown);

static void put_many(size_t count)
{
    static unsigned next;
    for (size_t i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", next++);
        rig_put(&rig, 1, key);
    }
}

static uint64_t log_ops(void)
{
    struct qn_coll_id coll = world_coll(1);
    struct qn_coll_info info;
    cr_assert_eq(qn_read_coll(memkv_reader(rig.disk), &coll, &info), QN_OK);
    return info.log_ops;
}

/* The peer has all that this site has. */
static void peer_has_all(void)
{
    struct qn_coll_id coll = world_coll(1);
    QN_AUTO_VV struct qn_vv cc = {0};
    struct qn_buf out;
    cr_assert_eq(qn_read_cc(memkv_reader(rig.disk), &coll, &cc), QN_OK);
    rig_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_vv_pack(&cc, &out);
    qn_pack_u64(&out, 0);
    rig_frame(&rig, &out);
}

static void wait_an_hour(void)
{
    rig_wait(&rig, HOUR_MS + HOUR_MS / 2);
    rig_commit(&rig);
}

Test(cut_log, what_all_have_goes_in_the_second_hour)
{
    put_many(5);
    peer_has_all();
    wait_an_hour();
    cr_assert_eq(log_ops(), 5, "a follower may not be so far");
    put_many(1);
    wait_an_hour();
    cr_assert_eq(log_ops(), 1);
}

Test(cut_log, what_a_member_lacks_stays)
{
    put_many(2);
    peer_has_all();
    put_many(3);
    for (int i = 0; i < 4; i++)
        wait_an_hour();
    cr_assert_eq(log_ops(), 3);
}

Test(cut_log, nothing_is_cut_before_a_member_was_ever_heard)
{
    put_many(2);
    for (int i = 0; i < 4; i++)
        wait_an_hour();
    cr_assert_eq(log_ops(), 2);
}

Test(cut_log, beyond_a_cap_it_is_cut_at_once)
{
    qn_core_set_log_caps(rig.core, &(struct qn_log_caps){.ops = 32});
    put_many(32);
    rig_commit(&rig);
    cr_assert_eq(log_ops(), 32);
    put_many(1);
    rig_commit(&rig);
    cr_assert_eq(log_ops(), 30, "a little below the cap, not at each commit");
}

Test(cut_log, a_full_disk_puts_it_off)
{
    qn_core_set_log_caps(rig.core, &(struct qn_log_caps){.ops = 32});
    put_many(33);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    cr_assert_eq(log_ops(), 33);
    put_many(1);
    rig_commit(&rig);
    cr_assert_eq(log_ops(), 30);
}
