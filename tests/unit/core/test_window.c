/* A site that comes back lacks much of many collections: what is on its way to it stays bounded,
 * and all of it arrives. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "support/core_rig.h"

#define COLLS      20
#define RECORDS    14
#define VALUE_SIZE 60000

struct sent {
    struct qn_coll_id coll;
    uint64_t lane, seq;
    size_t size;
};

static struct rig rig;
static QN_VEC(struct sent) sent; /* not acknowledged yet */
static size_t live_count, flight, flight_max;

static void take_frame(const struct qn_buf *frame)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(frame));
    struct sent one = {.size = frame->size};
    size_t count;
    uint64_t number;
    cr_assert_eq(qn_cursor_array(&cursor, 64, &count), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
    if (number != QN_MSG_OPS)
        return;
    cr_assert_eq(qn_cursor_bytes(&cursor, one.coll.bytes, sizeof(one.coll.bytes)), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &one.lane), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &one.seq), QN_OK);
    qn_vec_push(&sent, one);
    flight += one.size;
    flight_max = flight > flight_max ? flight : flight_max;
}

/* As the driver does it: reads are answered before anything leaves or arrives. */
static void settle(void)
{
    rig_read_all(&rig, QN_OK);
    cr_assert_not(rig.has_closed);
    live_count += rig_count(&rig, QN_MSG_LIVE);
    qn_vec_each (&rig.frames, frame)
        take_frame(frame);
    rig_forget(&rig);
}

static void pack_records(uint8_t number, struct qn_buf *out)
{
    static char value[VALUE_SIZE];
    struct qn_coll_id coll = world_coll(number);
    memset(value, 'a', sizeof(value));
    qn_buf_init(out, 4 * QN_FRAME_SIZE_MAX);
    qn_pack_array(out, 2);
    qn_pack_bin(out, QN_SPAN_OF(coll.bytes));
    qn_pack_array(out, RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        qn_pack_array(out, 4);
        qn_pack_u64(out, QN_OP_PUT);
        qn_pack_cstr(out, key);
        qn_pack_cstr(out, "tester");
        qn_pack_array(out, 2);
        qn_pack_cstr(out, "x");
        qn_pack_str(out, qn_span(value, sizeof(value)));
    }
}

static void setup_full(void)
{
    rig_init(&rig, COLLS);
    for (uint8_t number = 1; number <= COLLS; number++) {
        struct qn_buf payload;
        pack_records(number, &payload);
        rig_write(&rig, qn_intent_new(QN_INTENT_WRITE, number, &payload));
    }
    rig_start(&rig);
    rig_link(&rig);
    settle();
}

static void setup_empty(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_link(&rig);
    settle();
}

static void teardown(void)
{
    qn_vec_free(&sent);
    rig_deinit(&rig);
}

TestSuite(window, .init = setup_full, .fini = teardown);
TestSuite(live, .init = setup_empty, .fini = teardown);

static void grant(uint8_t number)
{
    struct qn_vv nothing = {0};
    struct qn_coll_id coll = world_coll(number);
    struct qn_buf out;
    rig_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_vv_pack(&nothing, &out);
    qn_pack_u64(&out, QN_CLOCK_GRANTS);
    rig_frame(&rig, &out);
}

static void acknowledge(void)
{
    struct sent one = sent.items[0];
    struct qn_buf out;
    qn_vec_remove(&sent, 0);
    flight -= one.size;
    rig_message(&out, QN_MSG_ACK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(one.coll.bytes));
    qn_pack_u64(&out, one.lane);
    qn_pack_u64(&out, one.seq);
    rig_frame(&rig, &out);
    settle();
}

Test(window, catch_up_of_many_collections_fits_a_link)
{
    size_t acks = 0;
    for (uint8_t number = 1; number <= COLLS; number++) {
        grant(number);
        settle();
    }
    cr_assert_lt(flight_max, QN_NET_QUEUE_MAX / 2);
    for (; sent.count > 0; acks++)
        acknowledge();
    cr_assert_eq(live_count, COLLS, "%zu of them", live_count);
    cr_assert_lt(flight_max, QN_NET_QUEUE_MAX / 2);
    cr_assert_geq(acks, COLLS * RECORDS * VALUE_SIZE / QN_FRAME_SIZE_MAX);
}

static void fail_reads(void)
{
    cr_assert_gt(rig.reads.count, 0);
    rig_read_all(&rig, QN_ERR_BUSY);
    cr_assert_eq(rig.reads.count, 0, "not at once");
    rig_wait(&rig, 1000);
}

Test(live, a_read_that_fails_is_tried_again)
{
    rig_put(&rig, 1, "a");
    grant(1);
    fail_reads();
    fail_reads();
    settle();
    cr_assert_eq(live_count, 1);
    cr_assert_eq(sent.count, 1);
}

/* Else nobody would ever get the grant that this site holds. */
Test(live, a_store_that_cannot_be_read_ends_the_link)
{
    rig_put(&rig, 1, "a");
    grant(1);
    for (int i = 0; i < 10 && !rig.has_closed; i++)
        fail_reads();
    cr_assert(rig.has_closed);
}

/* A peer that acknowledges late gets what was written meanwhile in few messages. */
Test(live, many_small_writes_fit_the_window)
{
    grant(1);
    settle();
    for (unsigned number = 0; number < 3 * QN_OPS_WINDOW_COUNT; number++) {
        char key[16];
        snprintf(key, sizeof(key), "k%u", number);
        rig_put(&rig, 1, key);
        settle();
    }
    cr_assert_eq(sent.count, QN_OPS_WINDOW_COUNT);
    for (size_t i = 0; i < QN_OPS_WINDOW_COUNT; i++)
        acknowledge();
    cr_assert_eq(sent.count, 1, "%zu", sent.count);
}
