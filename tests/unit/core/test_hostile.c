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

static size_t intents_of(enum qn_intent_kind kind)
{
    size_t count = 0;
    qn_vec_each (&rig.intents, intent)
        count += (*intent)->kind == kind;
    return count;
}

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

static void no_entries(void)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_LEDGER, 1);
    qn_pack_array(&out, 0);
    rig_frame(&rig, &out);
}

Test(hostile, ledger_entries_do_not_pile_up_and_what_was_dropped_is_asked_for)
{
    for (int i = 0; i < 100; i++)
        no_entries();
    cr_assert_leq(intents_of(QN_INTENT_LEDGER_MERGE), 4);
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_LEDGER_HEADS), 1);
    rig_forget(&rig);
    no_entries();
    cr_assert_eq(intents_of(QN_INTENT_LEDGER_MERGE), 1);
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_LEDGER_HEADS), 0);
    cr_assert_not(rig.has_closed);
}

static struct qn_actor own_actor(void)
{
    struct qn_actor actor;
    struct qn_kv *kv = memkv_reader(rig.disk);
    cr_assert_eq(qn_read_own_actor(kv, &rig.world.sites[0].id, &actor), QN_OK);
    return actor;
}

/* The peer says that it has a thousand operations of our present incarnation. */
static void claim(void)
{
    struct qn_vv vv = {0};
    struct qn_coll_id coll = world_coll(1);
    struct qn_actor actor = own_actor();
    struct qn_buf out;
    qn_vv_set(&vv, &actor, 1000);
    rig_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_vv_pack(&vv, &out);
    qn_pack_u64(&out, 0);
    qn_vv_deinit(&vv);
    rig_frame(&rig, &out);
}

/* It may be so, once: the store may be an old copy. Each further incarnation would stand in every
 * clock of the group for good. */
Test(hostile, made_up_claims_draw_one_incarnation_at_most)
{
    rig_put(&rig, 1, "a");
    struct qn_actor first = own_actor();
    claim();
    cr_assert_eq(intents_of(QN_INTENT_RENEW), 1);
    rig_put(&rig, 1, "b");
    struct qn_actor second = own_actor();
    cr_assert_neq(qn_actor_cmp(&first, &second), 0);
    claim();
    cr_assert_eq(intents_of(QN_INTENT_RENEW), 0);
    rig_put(&rig, 1, "c");
    struct qn_actor third = own_actor();
    cr_assert_eq(qn_actor_cmp(&second, &third), 0);
}

/* What a disk that begins like ours would write as the peer, with some key. */
static void write_as_peer(const struct qn_signer *signer, struct qn_buf *ret_body)
{
    struct qn_coll_id coll = world_coll(1);
    struct memkv *own = rig.disk;
    struct qn_applier *applier = rig.applier;
    struct qn_vv nothing = {0};
    struct qn_ops_request request = {.from_seq = 1, .known = &nothing, .size_wish = 4096};
    struct qn_ops_read read = {0};
    request.coll = coll;
    request.ops_wish = 9;
    rig.disk = memkv_clone(own);
    rig.applier = qn_applier_new(&rig.world.sites[1].id, signer);
    cr_assert_eq(qn_applier_load(rig.applier, memkv_reader(rig.disk)), QN_OK);
    struct qn_buf payload;
    qn_buf_init(&payload, 1024);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(coll.bytes));
    qn_pack_array(&payload, 1);
    qn_pack_array(&payload, 4);
    qn_pack_u64(&payload, QN_OP_PUT);
    qn_pack_cstr(&payload, "forged");
    qn_pack_cstr(&payload, "peer");
    qn_pack_array(&payload, 2);
    qn_pack_cstr(&payload, "x");
    qn_pack_u64(&payload, 1);
    rig_write(&rig, qn_intent_new(QN_INTENT_WRITE, UINT64_MAX, &payload));
    qn_buf_init(ret_body, 4096);
    cr_assert_eq(qn_read_ops(memkv_reader(rig.disk), &request, ret_body, &read), QN_OK);
    cr_assert_eq(read.op_count, 1);
    qn_vv_deinit(&read.last);
    qn_applier_free(rig.applier);
    memkv_free(rig.disk);
    rig.applier = applier;
    rig.disk = own;
}

static void ops_by(const struct qn_signer *signer)
{
    struct qn_buf out, body;
    struct qn_coll_id coll = world_coll(1);
    write_as_peer(signer, &body);
    rig_message(&out, QN_MSG_OPS, 4);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_pack_u64(&out, QN_LANE_LIVE);
    qn_pack_u64(&out, 1);
    qn_pack_raw(&out, qn_buf_view(&body));
    qn_buf_deinit(&body);
    rig_frame(&rig, &out);
    rig_commit(&rig);
}

/* The peer's heads: of its own chain `more` entries more than are here. */
static void say_heads(uint64_t more)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_LEDGER_HEADS, 2);
    if (more == 0) {
        qn_ledger_pack_heads(rig.world.ledger, &out);
    } else {
        qn_pack_array(&out, 2);
        qn_pack_bin(&out, QN_SPAN_OF(rig.world.sites[1].id.bytes));
        qn_pack_u64(&out, more);
    }
    qn_pack_bool(&out, false);
    rig_frame(&rig, &out);
}

Test(hostile, what_a_known_key_signed_is_taken)
{
    ops_by(rig.world.sites[1].signer);
    cr_assert_eq(rig_count(&rig, QN_MSG_ACK), 1);
    cr_assert_eq(rig_count(&rig, QN_MSG_LEDGER_HEADS), 0);
}

/* It may be by a new key, whose entry the peer has and we do not; else it is forged. */
Test(hostile, what_no_known_key_signed_is_forged_once_the_ledgers_are_equal)
{
    struct qn_signer *evil = world_signer("evil", 1);
    ops_by(evil);
    cr_assert_not(rig.has_closed);
    cr_assert_eq(rig_count(&rig, QN_MSG_ACK), 0);
    cr_assert_eq(rig_count(&rig, QN_MSG_LEDGER_HEADS), 1);
    say_heads(7);
    rig_commit(&rig);
    cr_assert_not(rig.has_closed, "its key may be among what is on the way");
    say_heads(0);
    cr_assert_eq(intents_of(QN_INTENT_APPLY), 1, "tried once more");
    rig_commit(&rig);
    cr_assert(rig.has_closed);
    cr_assert_str_eq(rig.note, "bad-operation");
    qn_signer_free(evil);
}
