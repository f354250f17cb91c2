/* What is known of others is stored in few intents, however many sites and collections there are.
 */
#include <criterion/criterion.h>

#include "model/peers.h"
#include "support/core_rig.h"

#define COLLS 40

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, COLLS);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(persist, .init = setup, .fini = teardown);

/* The peer's clock of each collection names so many actors. */
static void hear_clocks(size_t actor_count)
{
    struct qn_vv vv = {0};
    for (size_t i = 0; i < actor_count; i++) {
        struct qn_actor actor = {{0}};
        qn_write_u64(actor.bytes + 8, i + 1);
        qn_vv_set(&vv, &actor, 1);
    }
    for (uint8_t number = 1; number <= COLLS; number++) {
        struct qn_coll_id coll = world_coll(number);
        struct qn_buf out;
        rig_message(&out, QN_MSG_CLOCK, 3);
        qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
        qn_vv_pack(&vv, &out);
        qn_pack_u64(&out, 0);
        rig_frame(&rig, &out);
    }
    qn_vv_deinit(&vv);
    rig_forget(&rig);
}

static size_t stored_count(void)
{
    size_t count = 0;
    for (uint8_t number = 1; number <= COLLS; number++) {
        struct qn_coll_id coll = world_coll(number);
        struct qn_site_id site;
        QN_AUTO_VV struct qn_vv clock = {0};
        uint64_t heard_ms;
        count += qn_peer_clock_next(memkv_reader(rig.disk), &coll, NULL, &site, &clock,
                                    &heard_ms) == QN_OK &&
                 clock.entries.count > 0;
    }
    return count;
}

static size_t queued_size(void)
{
    size_t size = 0;
    qn_vec_each (&rig.intents, intent)
        size += (*intent)->size;
    return size;
}

Test(persist, many_rows_are_one_intent)
{
    hear_clocks(1);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_STOP});
    cr_assert_eq(rig.intents.count, 2, "the clocks, and the peer's contact");
    rig_commit(&rig);
    cr_assert_eq(stored_count(), COLLS);
}

Test(persist, what_does_not_fit_the_writers_queue_comes_later)
{
    hear_clocks(QN_CLOCK_ACTORS_MAX);
    rig_wait(&rig, 40000);
    cr_assert_lt(queued_size(), QN_WRITER_QUEUE_SIZE_MAX / 2);
    rig_commit(&rig);
    cr_assert_lt(stored_count(), COLLS);
    for (int i = 0; i < 10; i++) {
        rig_wait(&rig, 1000);
        rig_commit(&rig);
    }
    cr_assert_eq(stored_count(), COLLS);
}
