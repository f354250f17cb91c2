/* What a member that does not keep to the protocol can do to a core. */
#include <criterion/criterion.h>

#include "support/core_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_link(&rig);
    cr_assert_not(rig.has_closed);
    rig_forget(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(hostile, .init = setup, .fini = teardown);

/* A clock of as many actors as one message may name, each time others. */
static void clock_delta(unsigned round)
{
    struct qn_vv vv = {0};
    struct qn_coll_id coll = world_coll(1);
    struct qn_buf out;
    for (size_t i = 0; i < QN_CLOCK_ACTORS_MAX; i++) {
        struct qn_actor actor = {{0}};
        qn_write_u64(actor.bytes + 8, round * (uint64_t)QN_CLOCK_ACTORS_MAX + i + 1);
        qn_vv_set(&vv, &actor, 1);
    }
    rig_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_vv_pack(&vv, &out);
    qn_pack_u64(&out, QN_CLOCK_DELTA);
    qn_vv_deinit(&vv);
    rig_frame(&rig, &out);
}

Test(hostile, what_is_known_of_a_peer_does_not_grow_for_good)
{
    clock_delta(0);
    cr_assert_not(rig.has_closed);
    clock_delta(1);
    cr_assert(rig.has_closed);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_STOP}); /* what is known is stored */
}

static void ops(uint64_t seq)
{
    struct qn_coll_id coll = world_coll(1);
    struct qn_buf out;
    rig_message(&out, QN_MSG_OPS, 4);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_pack_u64(&out, QN_LANE_LIVE);
    qn_pack_u64(&out, seq);
    qn_pack_array(&out, 2);
    qn_pack_array(&out, 0);
    qn_pack_array(&out, 0);
    rig_frame(&rig, &out);
}

Test(hostile, tiny_messages_do_not_pile_up)
{
    for (uint64_t seq = 1; seq <= QN_OPS_WINDOW_COUNT; seq++)
        ops(seq);
    cr_assert_not(rig.has_closed);
    ops(QN_OPS_WINDOW_COUNT + 1);
    cr_assert(rig.has_closed);
    cr_assert_str_eq(rig.note, "flood");
}
