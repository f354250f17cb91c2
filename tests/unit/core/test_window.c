/* A site that comes back lacks much of many collections: what is on its way to it stays bounded,
 * and all of it arrives. */
#include <criterion/criterion.h>

#include "core/core.h"
#include "proto/message.h"
#include "proto/pack.h"
#include "support/ledger_world.h"
#include "support/memkv.h"

#define LINK       7
#define COLLS      20
#define RECORDS    14
#define VALUE_SIZE 60000

struct sent {
    struct qn_coll_id coll;
    uint64_t lane, seq;
    size_t size;
};

static struct world world;
static struct memkv *disk;
static struct qn_core *core;
static struct qn_update update;
static uint64_t now_ms = 1000;
static QN_VEC(struct sent) sent;       /* not acknowledged yet */
static QN_VEC(struct qn_read *) reads; /* not carried out yet */
static size_t live_count, flight, flight_max;

static void take_frame(const struct qn_effect *effect)
{
    struct qn_cursor cursor = qn_cursor(qn_span(effect->bytes, effect->size));
    struct sent one = {.size = effect->size};
    size_t count;
    uint64_t number;
    cr_assert_eq(qn_cursor_array(&cursor, 64, &count), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
    live_count += number == QN_MSG_LIVE;
    if (number != QN_MSG_OPS)
        return;
    cr_assert_eq(qn_cursor_bytes(&cursor, one.coll.bytes, sizeof(one.coll.bytes)), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &one.lane), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &one.seq), QN_OK);
    qn_vec_push(&sent, one);
    flight += one.size;
    flight_max = flight > flight_max ? flight : flight_max;
}

static void step_once(struct qn_event event)
{
    event.mono_ms = ++now_ms;
    event.wall_ms = WORLD_START_MS + now_ms;
    qn_core_step(core, &event, &update);
    qn_vec_each (&update.effects, effect) {
        cr_assert_neq(effect->kind, QN_EFFECT_CLOSE);
        if (effect->kind == QN_EFFECT_SEND)
            take_frame(effect);
        if (effect->kind == QN_EFFECT_READ) {
            qn_vec_push(&reads, effect->read);
            effect->read = NULL;
        }
    }
}

/* As the driver does it: reads are answered before anything leaves or arrives. */
static void step(struct qn_event event)
{
    step_once(event);
    for (size_t i = 0; i < reads.count; i++) {
        struct qn_read_result result;
        qn_core_read(memkv_reader(disk), reads.items[i], &result);
        step_once((struct qn_event){.kind = QN_EVENT_READ, .read = &result});
        qn_read_result_deinit(&result);
        qn_read_free(reads.items[i]);
    }
    reads.count = 0;
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

static void write_records(void)
{
    struct qn_applier *applier = qn_applier_new(&world.sites[0].id, world.sites[0].signer);
    cr_assert_eq(qn_applier_load(applier, memkv_reader(disk)), QN_OK);
    for (uint8_t number = 1; number <= COLLS; number++) {
        struct qn_buf payload;
        pack_records(number, &payload);
        struct qn_intent *intent = qn_intent_new(QN_INTENT_WRITE, number, &payload);
        struct qn_commit *commit = qn_commit_new();
        struct qn_kv *kv = memkv_begin(disk);
        cr_assert_eq(qn_applier_begin(applier, kv, WORLD_START_MS, number), QN_OK);
        cr_assert_eq(qn_applier_execute(applier, intent, commit), QN_OK);
        cr_assert_eq(commit->outcomes.items[0].err, QN_OK);
        cr_assert_eq(qn_applier_seal(applier, commit), QN_OK);
        cr_assert_eq(memkv_commit(disk), QN_OK);
        qn_applier_done(applier, commit, QN_OK);
        qn_intent_free(intent);
        qn_commit_free(commit);
    }
    qn_applier_free(applier);
}

static void setup(void)
{
    world_init(&world);
    world_join(&world, 1, 0);
    for (uint8_t number = 1; number <= COLLS; number++) {
        struct qn_buf body = {0};
        world_create_body(&world, number, NULL, 0, true, &body);
        cr_assert_eq(world_append(&world, 0, &body), QN_OK);
        qn_buf_deinit(&body);
    }
    disk = memkv_new();
    store_ledger();
    write_records();
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
}

static void teardown(void)
{
    qn_core_free(core);
    qn_update_deinit(&update);
    qn_vec_free(&sent);
    qn_vec_free(&reads);
    memkv_free(disk);
    world_deinit(&world);
}

TestSuite(window, .init = setup, .fini = teardown);

static void grant(uint8_t number)
{
    struct qn_vv nothing = {0};
    struct qn_coll_id coll = world_coll(number);
    struct qn_buf out;
    start_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_vv_pack(&nothing, &out);
    qn_pack_u64(&out, QN_CLOCK_GRANTS);
    frame(&out);
}

static void acknowledge(void)
{
    struct sent one = sent.items[0];
    struct qn_buf out;
    qn_vec_remove(&sent, 0);
    flight -= one.size;
    start_message(&out, QN_MSG_ACK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(one.coll.bytes));
    qn_pack_u64(&out, one.lane);
    qn_pack_u64(&out, one.seq);
    frame(&out);
}

Test(window, catch_up_of_many_collections_fits_a_link)
{
    size_t acks = 0;
    for (uint8_t number = 1; number <= COLLS; number++)
        grant(number);
    cr_assert_lt(flight_max, QN_NET_QUEUE_MAX / 2);
    for (; sent.count > 0; acks++)
        acknowledge();
    cr_assert_eq(live_count, COLLS, "%zu of them", live_count);
    cr_assert_lt(flight_max, QN_NET_QUEUE_MAX / 2);
    cr_assert_geq(acks, COLLS * RECORDS * VALUE_SIZE / QN_FRAME_SIZE_MAX);
}
