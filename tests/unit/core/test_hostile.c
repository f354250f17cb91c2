/* What a member that does not keep to the protocol can do to a core. */
#include <criterion/criterion.h>

#include "core/core.h"
#include "proto/message.h"
#include "proto/pack.h"
#include "support/ledger_world.h"
#include "support/memkv.h"

#define LINK 7

static struct world world;
static struct memkv *disk;
static struct qn_core *core;
static struct qn_update update;
static uint64_t now_ms = 1000;

static void store_ledger(void)
{
    struct qn_kv *kv = memkv_begin(disk);
    for (size_t i = 0; i < qn_ledger_count(world.ledger); i++) {
        uint8_t key[8];
        qn_write_u64(key, i);
        cr_assert_eq(
            qn_kv_put(kv, QN_TABLE_LEDGER, QN_SPAN_OF(key), qn_ledger_entry(world.ledger, i)),
            QN_OK);
    }
    cr_assert_eq(memkv_commit(disk), QN_OK);
}

static void step(struct qn_event event)
{
    event.mono_ms = ++now_ms;
    event.wall_ms = WORLD_START_MS + now_ms;
    qn_core_step(core, &event, &update);
}

static bool has_closed(void)
{
    qn_vec_each (&update.effects, effect)
        if (effect->kind == QN_EFFECT_CLOSE && effect->link == LINK)
            return true;
    return false;
}

static void frame(struct qn_buf *bytes)
{
    cr_assert_eq(qn_buf_status(bytes), QN_OK);
    step((struct qn_event){.kind = QN_EVENT_FRAME, .link = LINK, .frame = qn_buf_view(bytes)});
    qn_buf_deinit(bytes);
}

static void start_message(struct qn_buf *out, enum qn_message number, size_t field_count)
{
    qn_buf_init(out, QN_FRAME_SIZE_MAX);
    qn_pack_array(out, 1 + field_count);
    qn_pack_u64(out, number);
}

static void hello(void)
{
    struct qn_buf out;
    struct qn_digest digest;
    qn_ledger_digest(world.ledger, &digest);
    start_message(&out, QN_MSG_HELLO, 7);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(world.group.bytes));
    qn_pack_bin(&out, QN_SPAN_OF(digest.bytes));
    qn_pack_u64(&out, WORLD_START_MS);
    qn_pack_cstr(&out, "test");
    qn_pack_nil(&out);
    frame(&out);
}

static void setup(void)
{
    struct qn_buf body = {0};
    world_init(&world);
    world_join(&world, 1, 0);
    world_create_body(&world, 1, NULL, 0, true, &body);
    cr_assert_eq(world_append(&world, 0, &body), QN_OK);
    qn_buf_deinit(&body);
    disk = memkv_new();
    store_ledger();
    core = qn_core_new(&(struct qn_core_options){.signer = world.sites[0].signer,
                                                 .keys = world.sites[0].keys,
                                                 .name = world.sites[0].name,
                                                 .legal_entity = "",
                                                 .version = "test"});
    cr_assert_eq(qn_core_load(core, memkv_reader(disk)), QN_OK);
    step((struct qn_event){.kind = QN_EVENT_START});
    step(
        (struct qn_event){.kind = QN_EVENT_LINK_UP, .link = LINK, .key = world.sites[1].keys.site});
    hello();
    cr_assert_not(has_closed());
}

static void teardown(void)
{
    qn_core_free(core);
    qn_update_deinit(&update);
    memkv_free(disk);
    world_deinit(&world);
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
    start_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_vv_pack(&vv, &out);
    qn_pack_u64(&out, QN_CLOCK_DELTA);
    qn_vv_deinit(&vv);
    frame(&out);
}

Test(hostile, what_is_known_of_a_peer_does_not_grow_for_good)
{
    clock_delta(0);
    cr_assert_not(has_closed());
    clock_delta(1);
    cr_assert(has_closed());
    step((struct qn_event){.kind = QN_EVENT_STOP}); /* what is known is stored */
}
