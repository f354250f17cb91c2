/* An owner that says anything, in any order, and to whom anything may happen meanwhile: messages
 * that are right, nearly right or rubbish; work that is carried out at any time; cuts, restarts,
 * days that pass. The holder stays within its bounds, and what it acknowledged is there.
 *
 * The input is a program: each step is a byte that says what, and the bytes that it takes. */
#include "support/fuzz.h"
#include "support/hold_rig.h"

#define STEPS_MAX 200
#define FILES_MAX (16 + 1 + 4 + 1) /* of an owner; a scrub; a sweep's */

struct run {
    struct hold_rig hold;
    struct qn_span input;
    bool had_crash;
};

static uint8_t take(struct run *run)
{
    uint8_t byte = run->input.size == 0 ? 0 : run->input.data[0];
    run->input = qn_span_from(run->input, 1);
    return byte;
}

static size_t size_of(uint8_t number)
{
    static const size_t sizes[] = {1, 1000, 70000, 140000};
    return sizes[number % 4];
}

/* ---- what must hold all the time ---- */

static void check_acks(struct run *run)
{
    struct hold_rig *hold = &run->hold;
    struct qn_cursor cursor;
    for (size_t i = 0; heard(hold, QN_MSG_PACK_ACK, i, &cursor); i++) {
        struct qn_digest name;
        uint64_t offset, answer;
        bool is_whole;
        struct qn_held_pack row;
        FUZZ_CHECK(qn_cursor_bytes(&cursor, name.bytes, 32) == QN_OK);
        FUZZ_CHECK(qn_cursor_u64(&cursor, &offset) == QN_OK);
        FUZZ_CHECK(qn_cursor_bool(&cursor, &is_whole) == QN_OK);
        FUZZ_CHECK(qn_cursor_u64(&cursor, &answer) == QN_OK);
        if (!is_whole || answer != QN_OFFER_WANTED)
            continue;
        const struct qn_site_id *owner = &hold->rig.world.sites[RIG_OWNER].id;
        const struct fake_file *file = fake_files_find(&hold->files, owner, &name);
        FUZZ_CHECK(file != NULL && file->is_whole && file->bytes.size == offset);
        FUZZ_CHECK(qn_held_pack_get(memkv_reader(hold->rig.disk), owner, &name, &row) == QN_OK);
    }
}

static void check(struct run *run)
{
    struct rig *rig = &run->hold.rig;
    FUZZ_CHECK(rig->files.count <= FILES_MAX);
    FUZZ_CHECK(rig->intents.count < QN_WRITER_QUEUE_MAX / 4);
    check_acks(run);
    qn_vec_each (&rig->frames, frame)
        qn_buf_deinit(frame);
    rig->frames.count = 0;
    if (rig->has_closed_bulk) {
        rig->has_closed_bulk = false;
        rig_bulk(rig);
    }
}

/* ---- messages ---- */

/* Sends it, or what a bad line makes of it. */
static void say_frame(struct run *run, struct qn_buf *take_frame)
{
    uint8_t how = take(run);
    if (how >= 0xf0 && take_frame->size > 0)
        take_frame->data[take(run) % take_frame->size] ^= how;
    else if (how >= 0xe0)
        qn_buf_truncate(take_frame, take_frame->size / 2);
    rig_bulk_frame(&run->hold.rig, take_frame);
}

static void say_raw(struct run *run)
{
    static const enum qn_message numbers[] = {
        QN_MSG_VAULT_ASK,   QN_MSG_NAMES_ASK, QN_MSG_PACK_OFFER, QN_MSG_PACK_PUT,  QN_MSG_LIST_PUT,
        QN_MSG_LIST_FORGET, QN_MSG_PACK_GET,  QN_MSG_LIST_GET,   QN_MSG_PROOF_ASK, QN_MSG_KEY_PUT};
    struct qn_buf out;
    uint8_t number = take(run), size = take(run);
    struct qn_span bytes =
        qn_span(run->input.data, size < run->input.size ? size : run->input.size);
    rig_message(&out, numbers[number % 10], number / 10 % 8);
    qn_buf_append_span(&out, bytes);
    run->input = qn_span_from(run->input, bytes.size);
    say_frame(run, &out);
}

static void say_offers(struct run *run)
{
    struct offered offered[8];
    size_t count = 1 + take(run) % 8;
    for (size_t i = 0; i < count; i++) {
        uint8_t number = take(run);
        offered[i] = (struct offered){.name = rig_pack_name(number % 16, size_of(number)),
                                      .size = size_of(number) + (number >= 0xf8)};
    }
    say_offer(&run->hold, take(run) % 3, offered, count);
}

/* A piece of a pack, or all of it, its bytes right or not. */
static void say_pieces(struct run *run)
{
    struct rig_pack pack;
    uint8_t number = take(run), at = take(run), how = take(run);
    rig_pack_init(&pack, number % 16, size_of(number));
    if (how >= 0xf0)
        pack.bytes.data[pack.bytes.size - 1] ^= how;
    size_t size = pack.bytes.size, offset = (size_t)at * 1000 % size;
    if (how % 4 == 0)
        say_put(&run->hold, &pack, offset, size - offset < 1000 ? size - offset : 1000);
    for (offset = 0; how % 4 != 0 && offset < size && !run->hold.rig.has_closed_bulk;
         offset += 64 * 1024)
        say_put(&run->hold, &pack, offset, size - offset < 64 * 1024 ? size - offset : 64 * 1024);
    rig_pack_deinit(&pack);
}

static void make_list(struct run *run, struct rig_list *list)
{
    uint64_t packs[8];
    size_t count = take(run) % 8;
    for (size_t i = 0; i < count; i++)
        packs[i] = i * 4 + 1; /* those of 1,000 bytes; the rig sorts them */
    rig_list_init(list, take(run) % 4, packs, count, 1000);
}

static void say_lists(struct run *run)
{
    struct rig_list list, base;
    uint8_t how = take(run);
    make_list(run, &list);
    make_list(run, &base);
    if (how >= 0xf0)
        list.head.snapshot.bytes[0] ^= how;
    say_list(&run->hold, &list, how % 2 == 0 ? NULL : &base, how % 4 < 2 ? 256 * 1024 : 100);
    if (how % 8 == 7)
        say_forget(&run->hold, &base.id, 1);
    rig_list_deinit(&list);
    rig_list_deinit(&base);
}

static void say_asks(struct run *run)
{
    struct hold_rig *hold = &run->hold;
    uint8_t what = take(run), number = take(run);
    struct qn_digest name = rig_pack_name(number % 16, size_of(number));
    struct qn_digest names[2] = {name, {{number}}};
    if (what % 6 == 0)
        say_ask(hold, &name, &name, (uint64_t)number * 3600000);
    else if (what % 6 == 1)
        say_names_ask(hold, number % 3, number % 2 == 0 ? NULL : &name);
    else if (what % 6 == 2)
        say_get(hold, number, &name, (uint64_t)what * 100, (uint64_t)number * 2000);
    else if (what % 6 == 3)
        say_list_get(hold, number, number % 4, number % 8 < 4 ? &name : NULL, NULL);
    else if (what % 6 == 4)
        say_proof_ask(hold, number, name.bytes, names, number % 3);
    else
        say_key(hold, number % 70, what % 12 < 6 ? "sealed" : "other");
}

/* ---- what happens ---- */

static void work(struct run *run)
{
    struct hold_rig *hold = &run->hold;
    uint8_t what = take(run);
    if (what == 0xff)
        rig_fail_commit(&hold->rig, QN_ERR_NOSPACE);
    else if (what % 3 == 0 && hold->rig.intents.count > 0)
        rig_commit(&hold->rig);
    else if (what % 3 == 1)
        rig_read_all(&hold->rig, QN_OK);
    else
        hold_rig_file(hold, what);
}

static void happen(struct run *run)
{
    struct hold_rig *hold = &run->hold;
    uint8_t what = take(run);
    switch (what % 8) {
    case 0:
        hold_rig_reconnect(hold);
        break;
    case 1:
        hold_rig_restart(hold, what >= 128);
        run->had_crash = true;
        break;
    case 2:
        rig_wait(&hold->rig, (uint64_t)take(run) * 3600000);
        break;
    case 3:
        hold->files.append_err = what >= 128 ? QN_ERR_NOSPACE : QN_OK;
        break;
    case 4:
        hold->files.remove_err = what >= 128 ? QN_ERR_IO : QN_OK;
        break;
    case 5:
        hold_rig_agree(hold, RIG_OWNER, what >= 128 ? 3000u * take(run) : 0, what >= 192 ? 0 : 1);
        break;
    default:
        hold_rig_settle(hold);
    }
}

static void step(struct run *run)
{
    switch (take(run) % 8) {
    case 0:
        say_raw(run);
        break;
    case 1:
        say_offers(run);
        break;
    case 2:
        say_pieces(run);
        break;
    case 3:
        say_lists(run);
        break;
    case 4:
        say_asks(run);
        break;
    case 5:
        happen(run);
        break;
    default:
        work(run);
    }
}

/* ---- what must hold in the end ---- */

static void check_rows(struct run *run)
{
    struct hold_rig *hold = &run->hold;
    const struct qn_site_id *owner = &hold->rig.world.sites[RIG_OWNER].id;
    static struct qn_digest names[1024];
    size_t count;
    bool is_end;
    FUZZ_CHECK(qn_held_names(memkv_reader(hold->rig.disk), owner, NULL, 1024, names, &count,
                             &is_end) == QN_OK);
    for (size_t i = 0; i < count; i++) {
        const struct fake_file *file = fake_files_find(&hold->files, owner, &names[i]);
        FUZZ_CHECK(file != NULL && file->is_whole);
    }
    size_t whole = 0;
    qn_vec_each (&hold->files.items, file)
        whole += file->is_whole;
    FUZZ_CHECK(run->had_crash || hold->files.remove_err != QN_OK || whole <= count + 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run run = {.input = qn_span(data, size)};
    hold_rig_init(&run.hold, RIG_QUOTA, 1);
    for (int i = 0; i < STEPS_MAX && run.input.size > 0; i++) {
        step(&run);
        check(&run);
    }
    hold_rig_settle(&run.hold);
    check_acks(&run);
    check_rows(&run);
    hold_rig_deinit(&run.hold);
    return 0;
}
