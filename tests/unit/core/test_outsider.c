/* What a member of the group learns of a collection that it is no member of: nothing. Every byte
 * that it gets is kept. What it gets must not depend on what is in the collection: two histories
 * that differ in names, sizes, counts and writes there look the same to it, to the byte. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "support/core_rig.h"

#define SHARED  1
#define PRIVATE 2

static struct rig rig;

/* ---- the ledger ---- */

/* The entries of the world's ledger from there on come into the store, and the core hears of it. */
static void commit_entries(size_t from)
{
    struct qn_buf payload;
    size_t count = qn_ledger_count(rig.world.ledger);
    qn_buf_init(&payload, QN_LEDGER_SIZE_MAX);
    qn_pack_array(&payload, count - from);
    for (size_t i = from; i < count; i++)
        qn_pack_bin(&payload, qn_ledger_entry(rig.world.ledger, i));
    qn_vec_push(&rig.intents, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    rig_commit(&rig);
}

static void append(struct qn_buf *take_body)
{
    size_t from = qn_ledger_count(rig.world.ledger);
    cr_assert_eq(world_append(&rig.world, 0, take_body), QN_OK);
    qn_buf_deinit(take_body);
    commit_entries(from);
}

static void grant(enum qn_body_type type)
{
    struct qn_buf body;
    world_grant_body(&rig.world, type, PRIVATE, 1, &body);
    append(&body);
}

/* Beyond ten sites, not all are connected, and what is heard of others is passed on. */
static void fill_group(void)
{
    size_t from = qn_ledger_count(rig.world.ledger);
    for (size_t site = 2; site < 14; site++)
        world_join(&rig.world, site, 0);
    commit_entries(from);
}

/* A site with a shared collection, and one that nobody else has. */
static void start(bool is_large_group)
{
    struct qn_buf body;
    rig_init(&rig, SHARED);
    rig_start(&rig);
    if (is_large_group)
        fill_group();
    world_create_body(&rig.world, PRIVATE, NULL, 0, false, &body);
    append(&body);
    rig_put(&rig, SHARED, "known to both");
}

/* ---- what is written ---- */

struct content {
    const char *name, *word;
    size_t count; /* records of each write */
    size_t size;  /* of their values */
    bool deletes;
};

static void pack_write(struct qn_buf *out, enum qn_op_kind kind, const char *key, const char *field,
                       struct qn_span value)
{
    qn_pack_array(out, 4);
    qn_pack_u64(out, kind);
    qn_pack_cstr(out, key);
    qn_pack_cstr(out, "secret-user");
    qn_pack_array(out, kind == QN_OP_PUT ? 2 : 0);
    if (kind != QN_OP_PUT)
        return;
    qn_pack_cstr(out, field);
    qn_pack_str(out, value);
}

static void begin_writes(struct qn_buf *out, size_t count)
{
    struct qn_coll_id coll = world_coll(PRIVATE);
    qn_buf_init(out, QN_FRAME_SIZE_MAX);
    qn_pack_array(out, 2);
    qn_pack_bin(out, QN_SPAN_OF(coll.bytes));
    qn_pack_array(out, count);
}

static void write_some(const struct content *content, unsigned round)
{
    struct qn_buf payload;
    char value[4096], key[64];
    memset(value, 'v', sizeof(value));
    memcpy(value, "secret-value", 12);
    begin_writes(&payload, content->count + content->deletes);
    for (size_t i = 0; i < content->count; i++) {
        snprintf(key, sizeof(key), "secret-key-%s-%u-%zu", content->word, round, i);
        pack_write(&payload, QN_OP_PUT, key, "secret-field", qn_span(value, content->size));
    }
    if (content->deletes)
        pack_write(&payload, QN_OP_TRASH, key, "", qn_span(NULL, 0));
    qn_vec_push(&rig.intents, qn_intent_new(QN_INTENT_WRITE, UINT64_MAX, &payload));
    rig_commit(&rig);
}

static void name_it(const char *name)
{
    struct qn_buf payload;
    begin_writes(&payload, 1);
    pack_write(&payload, QN_OP_PUT, QN_KEY_COLLECTION, "name", qn_span_str(name));
    qn_vec_push(&rig.intents, qn_intent_new(QN_INTENT_WRITE, UINT64_MAX, &payload));
    rig_commit(&rig);
}

/* ---- what it asks ---- */

static void ask_about(uint64_t number, unsigned shape)
{
    struct qn_coll_id coll = world_coll(PRIVATE);
    struct qn_buf out;
    rig_message(&out, (enum qn_message)number, 4);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    if (shape == 0)
        qn_pack_array(&out, 0); /* a clock of nothing */
    else
        qn_pack_u64(&out, shape);
    qn_pack_u64(&out, shape == 0 ? QN_CLOCK_WANTS_ANSWER | QN_CLOCK_GRANTS : 0);
    qn_pack_bin(&out, qn_span("", 0));
    rig_frame(&rig, &out);
    rig_read_all(&rig, QN_OK);
}

/* Everything that can name a collection, also what is not there yet; the others have other fields.
 */
static void ask_everything(void)
{
    for (uint64_t number = QN_MSG_CLOCK; number < QN_MSG_GUEST_HELLO; number++)
        for (unsigned shape = 0; shape <= 2; shape++)
            if (number != QN_MSG_BEACON && number != QN_MSG_ANNOUNCE && number != QN_MSG_PRESENCE &&
                number != QN_MSG_NEED && number != QN_MSG_SITES)
                ask_about(number, shape);
    cr_assert_not(rig.has_closed);
}

static void ask_hashes(void)
{
    struct qn_coll_id coll = world_coll(PRIVATE);
    static const uint8_t both[2 * QN_ROOT_SIZE];
    struct qn_buf out;
    rig_message(&out, QN_MSG_COLLS, 1);
    qn_pack_array(&out, 3);
    qn_pack_bin(&out, qn_span(coll.bytes, 4));
    qn_pack_bin(&out, QN_SPAN_OF(both));
    qn_pack_u64(&out, QN_CLOCK_GRANTS);
    rig_frame(&rig, &out);
    rig_read_all(&rig, QN_OK);
}

static void ask_people(void)
{
    static const char *const commands[] = {"verify", "status", "collection.list"};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct qn_buf args;
        qn_buf_init(&args, 64);
        qn_pack_map(&args, 0);
        rig_request(&rig, commands[i], &args);
        qn_buf_deinit(&args);
    }
}

/* ---- what it hears ---- */

static void hear(struct qn_buf *heard)
{
    qn_vec_each (&rig.frames, frame) {
        qn_buf_append_u32(heard, (uint32_t)frame->size);
        qn_buf_append_span(heard, qn_buf_view(frame));
        qn_buf_deinit(frame);
    }
    rig.frames.count = 0;
}

static void play(bool is_large_group, const struct content *content, struct qn_buf *heard)
{
    start(is_large_group);
    name_it(content->name);
    write_some(content, 1);
    rig_link(&rig);
    rig_read_all(&rig, QN_OK);
    rig_commit(&rig);
    write_some(content, 2);
    ask_hashes();
    ask_everything();
    ask_people();
    for (int minute = 0; minute < 3; minute++) {
        rig_wait(&rig, 70000);
        rig_commit(&rig);
    }
    write_some(content, 3);
    for (int hour = 0; hour < 4; hour++) {
        rig_wait(&rig, 3600 * 1000 + 1000);
        rig_commit(&rig);
        rig_read_all(&rig, QN_OK);
    }
    ask_everything();
    if (is_large_group)
        cr_assert_gt(rig_count(&rig, QN_MSG_PRESENCE), 0);
    hear(heard);
    rig_deinit(&rig);
}

static bool has(const struct qn_buf *heard, struct qn_span what)
{
    return memmem(heard->data, heard->size, what.data, what.size) != NULL;
}

static const struct content silent = {"", "", 0, 0, false},
                            small = {"secret-name", "a", 1, 20, false},
                            large = {"secret-name-that-is-longer", "other", 40, 4000, true};

static void compare(bool is_large_group)
{
    static const struct content *const contents[] = {&silent, &small, &large};
    struct qn_buf heard[3];
    for (int i = 0; i < 3; i++) {
        qn_buf_init(&heard[i], 16 << 20);
        play(is_large_group, contents[i], &heard[i]);
        cr_assert_not(has(&heard[i], qn_span_str("secret")));
    }
    cr_assert_gt(heard[0].size, 500, "something is heard: the shared collection");
    for (int i = 1; i < 3; i++) {
        cr_assert_eq(heard[i].size, heard[0].size, "%zu, %zu", heard[i].size, heard[0].size);
        cr_assert_arr_eq(heard[i].data, heard[0].data, heard[0].size);
    }
    for (int i = 0; i < 3; i++)
        qn_buf_deinit(&heard[i]);
}

Test(outsider, what_it_hears_does_not_depend_on_the_collection)
{
    compare(false);
}

Test(outsider, nor_in_a_group_of_many_sites)
{
    compare(true);
}

Test(outsider, a_test_that_would_find_it)
{
    struct qn_buf heard;
    qn_buf_init(&heard, 16 << 20);
    start(false);
    name_it("secret-name");
    write_some(&large, 1);
    rig_link(&rig);
    hear(&heard);
    cr_assert_not(has(&heard, qn_span_str("secret")));
    grant(QN_BODY_GRANT);
    ask_about(QN_MSG_CLOCK, 0);
    rig_read_all(&rig, QN_OK);
    hear(&heard);
    cr_assert(has(&heard, qn_span_str("secret-name")));
    cr_assert(has(&heard, qn_span_str("secret-key-other-1-0")));
    qn_buf_deinit(&heard);
    rig_deinit(&rig);
}

/* ---- a grant is withdrawn ---- */

Test(outsider, a_withdrawn_grant_ends_what_is_under_way)
{
    struct qn_buf heard;
    qn_buf_init(&heard, 16 << 20);
    start(false);
    name_it("secret-name");
    write_some(&small, 1);
    grant(QN_BODY_GRANT);
    rig_link(&rig);
    ask_about(QN_MSG_CLOCK, 0);
    hear(&heard);
    cr_assert(has(&heard, qn_span_str("secret-key-a-1-0")));
    write_some(&small, 2); /* is being read for the peer */
    cr_assert_gt(rig.reads.count, 0);
    hear(&heard);
    qn_buf_reset(&heard);
    grant(QN_BODY_UNGRANT);
    rig_read_all(&rig, QN_OK);
    write_some(&small, 3);
    ask_hashes();
    ask_everything();
    rig_wait(&rig, 70000);
    rig_read_all(&rig, QN_OK);
    hear(&heard);
    cr_assert_not(has(&heard, qn_span_str("secret")));
    struct qn_coll_id coll = world_coll(PRIVATE);
    size_t named = 0;
    for (size_t at = 0; at + sizeof(coll.bytes) <= heard.size; at++)
        named += memcmp(heard.data + at, coll.bytes, sizeof(coll.bytes)) == 0;
    cr_assert_leq(named, 1, "the entry of the ledger that takes the grant back names it");
    qn_buf_deinit(&heard);
    rig_deinit(&rig);
}

/* ---- who goes on asking is noted ---- */

static void ask_state(unsigned count)
{
    struct qn_coll_id coll = world_coll(PRIVATE);
    for (unsigned i = 0; i < count; i++) {
        struct qn_buf out;
        rig_message(&out, QN_MSG_STATE_ASK, 1);
        qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
        rig_frame(&rig, &out);
    }
}

Test(outsider, who_asks_again_and_again_is_noted_and_not_for_a_few_races)
{
    start(false);
    rig_link(&rig);
    rig_forget(&rig);
    ask_state(64);
    cr_assert_null(rig.note);
    ask_state(1);
    cr_assert_str_eq(rig.note, "asked-foreign");
    cr_assert_eq(rig_count(&rig, QN_MSG_STATE), 0);
    rig_forget(&rig);
    rig_wait(&rig, 3600000); /* another hour, other races */
    rig_forget(&rig);
    ask_state(64);
    cr_assert_null(rig.note);
    cr_assert_not(rig.has_closed);
    rig_deinit(&rig);
}
