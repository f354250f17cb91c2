/* Reading back: packs, lists, keys, proofs. And nothing of anybody else's. */
#include <criterion/criterion.h>

#include "core/hold_impl.h"
#include "support/hold_rig.h"

static struct hold_rig hold;

static void setup(void)
{
    hold_rig_init(&hold, RIG_QUOTA, 30);
}

static void teardown(void)
{
    hold_rig_deinit(&hold);
}

TestSuite(hold_serve, .init = setup, .fini = teardown);

static void cr_ended(void)
{
    cr_assert(hold.rig.has_closed_bulk);
    cr_assert_str_eq(hold.rig.note, "bad-frame");
}

/* Puts a pack of site 2 here, as if it had sent it. */
static void store_other(uint64_t number)
{
    struct rig_pack pack;
    struct qn_file_result result;
    const struct qn_site_id *other = &hold.rig.world.sites[RIG_OTHER].id;
    struct qn_file_work work = {.kind = QN_FILE_APPEND, .owner = *other, .total = RIG_PACK};
    struct qn_kv *kv = memkv_begin(hold.rig.disk);
    struct qn_custody_terms terms = {.quota_bytes = RIG_QUOTA, .lock_days = 30};
    rig_pack_init(&pack, number, RIG_PACK);
    memcpy(&work.name, &pack.name, sizeof(work.name));
    work.bytes = pack.bytes;
    fake_files_run(&hold.files, &work, &result);
    cr_assert(result.is_whole);
    cr_assert_eq(qn_custody_agree(kv, other, &terms), QN_OK);
    cr_assert_eq(qn_custody_stored(kv, other, &pack.name, RIG_PACK), QN_OK);
    cr_assert_eq(memkv_commit(hold.rig.disk), QN_OK);
    qn_file_result_deinit(&result);
    rig_pack_deinit(&pack);
}

/* ---- packs ---- */

struct data {
    char code[16];
    uint64_t pack_size;
    struct qn_span bytes;
};

static struct data get(const struct qn_digest *name, uint64_t offset, uint64_t size)
{
    struct data data = {0};
    struct qn_cursor cursor;
    struct qn_span code = {0};
    uint64_t request;
    rig_forget(&hold.rig);
    say_get(&hold, 5, name, offset, size);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_PACK_DATA, 0, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &request), QN_OK);
    cr_assert_eq(request, 5);
    if (qn_cursor_nil(&cursor) != QN_OK)
        cr_assert_eq(qn_cursor_str(&cursor, 15, &code), QN_OK);
    if (code.size > 0)
        memcpy(data.code, code.data, code.size);
    cr_assert_eq(qn_cursor_u64(&cursor, &data.pack_size), QN_OK);
    cr_assert_eq(qn_cursor_bin(&cursor, QN_FRAME_SIZE_MAX, &data.bytes), QN_OK);
    return data;
}

Test(hold_serve, a_pack_is_read_in_pieces)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, RIG_PACK);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    struct data data = get(&pack.name, 100, 300);
    cr_assert_str_eq(data.code, "");
    cr_assert_eq(data.pack_size, RIG_PACK);
    cr_assert(qn_span_eq(data.bytes, qn_span(pack.bytes.data + 100, 300)));
    data = get(&pack.name, 900, 300);
    cr_assert(qn_span_eq(data.bytes, qn_span(pack.bytes.data + 900, 100)), "as far as it goes");
    cr_assert_str_eq(get(&pack.name, RIG_PACK, 1).code, "range");
    fake_files_find(&hold.files, &hold.rig.world.sites[RIG_OWNER].id, &pack.name)->is_whole = false;
    cr_assert_str_eq(get(&pack.name, 0, 1).code, "damaged");
    rig_pack_deinit(&pack);
}

/* Too many open files say nothing about a pack. */
Test(hold_serve, what_cannot_be_read_just_now_is_not_damaged)
{
    static const struct {
        enum qn_err err;
        const char *code;
    } cases[] = {{QN_ERR_BUSY, "busy"}, {QN_ERR_LIMIT, "busy"}, {QN_ERR_IO, "busy"}};
    struct qn_digest name = rig_pack_name(1, RIG_PACK);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        hold.files.read_err = cases[i].err;
        cr_assert_str_eq(get(&name, 0, 1).code, cases[i].code, "%zu", i);
    }
    hold.files.read_err = QN_OK;
    cr_assert_str_eq(get(&name, 0, 1).code, "");
    cr_assert_eq(rig_held(&hold, RIG_OWNER).bad_count, 0);
}

/* Whoever restores finds it first: the owner sends it again. */
Test(hold_serve, what_is_read_back_damaged_is_wanted_again)
{
    struct qn_digest name = rig_pack_name(1, RIG_PACK);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    hold.files.read_err = QN_ERR_CORRUPT;
    cr_assert_str_eq(get(&name, 0, 1).code, "damaged");
    hold.files.read_err = QN_OK;
    cr_assert_eq(rig_held(&hold, RIG_OWNER).bad_count, 1);
    cr_assert_str_eq(get(&name, 0, 1).code, "damaged");
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    cr_assert_str_eq(get(&name, 0, 1).code, "");
}

Test(hold_serve, anothers_pack_is_as_unknown_as_none)
{
    struct qn_digest theirs = rig_pack_name(7, RIG_PACK), none = rig_pack_name(8, RIG_PACK);
    QN_AUTO_BUF struct qn_buf first;
    qn_buf_init(&first, QN_FRAME_SIZE_MAX);
    store_other(7);
    cr_assert_str_eq(get(&none, 0, 10).code, "unknown");
    qn_buf_append_span(&first, qn_buf_view(&hold.rig.frames.items[0]));
    size_t files = hold.files.count;
    cr_assert_str_eq(get(&theirs, 0, 10).code, "unknown");
    cr_assert(qn_span_eq(qn_buf_view(&first), qn_buf_view(&hold.rig.frames.items[0])));
    cr_assert_eq(hold.files.count, files, "not even the disk is asked");
    cr_assert_eq(send_pack(&hold, 7, RIG_PACK), QN_OFFER_WANTED, "it has to be sent");
}

Test(hold_serve, an_empty_read_ends_the_connection)
{
    struct qn_digest name = {0};
    say_get(&hold, 1, &name, 0, 0);
    cr_ended();
}

Test(hold_serve, a_read_that_is_too_large_ends_the_connection)
{
    struct qn_digest name = {0};
    say_get(&hold, 1, &name, 0, 256 * 1024 + 1);
    cr_ended();
}

Test(hold_serve, a_seventeenth_request_ends_the_connection)
{
    struct qn_digest name = {0};
    for (uint64_t i = 0; i < 16; i++)
        say_get(&hold, i, &name, 0, 1);
    cr_assert_not(hold.rig.has_closed_bulk);
    say_get(&hold, 16, &name, 0, 1);
    cr_ended();
}

/* The driver asserts a bound: nobody outside may reach it. */
Test(hold_serve, there_is_little_file_work_at_a_time)
{
    struct rig_pack packs[8];
    struct offered offered[8];
    for (uint64_t i = 0; i < 8; i++) {
        cr_assert_eq(send_pack(&hold, 100 + i, RIG_PACK), QN_OFFER_WANTED);
        rig_pack_init(&packs[i], i, RIG_PACK);
        offered[i] = (struct offered){.name = packs[i].name, .size = RIG_PACK};
    }
    say_offer(&hold, 1, offered, 8);
    hold_rig_settle(&hold);
    for (int round = 0; round < 20; round++) { /* nothing of it is carried out */
        struct qn_digest name = rig_pack_name(100, RIG_PACK);
        for (uint64_t i = 0; round == 0 && i < 8; i++)
            say_put(&hold, &packs[i], 0, RIG_PACK);
        for (uint64_t i = 0; i < 16; i++)
            say_get(&hold, i, &name, 0, 1);
        say_offer(&hold, 1, offered, 1);
        rig_read_all(&hold.rig, QN_OK);
        cr_assert_leq(hold.rig.files.count, 16);
        rig_bulk_down(&hold.rig);
        rig_bulk(&hold.rig);
    }
    hold_rig_settle(&hold);
    cr_assert_eq(send_pack(&hold, 50, RIG_PACK), QN_OFFER_WANTED, "it all went on");
    for (uint64_t i = 0; i < 8; i++)
        rig_pack_deinit(&packs[i]);
}

/* ---- lists and keys ---- */

static struct qn_cursor get_list(uint64_t what, const struct qn_digest *id,
                                 const struct qn_digest *after, bool *ret_is_last)
{
    struct qn_cursor cursor;
    uint64_t request;
    rig_forget(&hold.rig);
    say_list_get(&hold, 9, what, id, after);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_LIST_DATA, 0, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &request), QN_OK);
    cr_assert_eq(request, 9);
    if (qn_cursor_nil(&cursor) != QN_OK)
        return (struct qn_cursor){0};
    cr_assert_eq(qn_cursor_bool(&cursor, ret_is_last), QN_OK);
    return cursor;
}

Test(hold_serve, lists_are_read_back)
{
    struct rig_list list;
    bool is_last;
    size_t count;
    struct qn_digest id, snapshot;
    uint64_t received_ms, until_ms, names;
    struct qn_span sealed, joined;
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    cr_assert_eq(send_pack(&hold, 2, RIG_PACK), QN_OFFER_WANTED);
    rig_list_init(&list, 1, (uint64_t[]){1, 2}, 2, RIG_PACK);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    struct qn_cursor cursor = get_list(1, NULL, NULL, &is_last);
    cr_assert(is_last);
    cr_assert_eq(qn_cursor_array(&cursor, 10, &count), QN_OK);
    cr_assert_eq(count, 1);
    cr_assert_eq(qn_cursor_array(&cursor, 6, &count), QN_OK);
    cr_assert_eq(qn_cursor_bytes(&cursor, id.bytes, 32), QN_OK);
    cr_assert_eq(qn_cursor_bytes(&cursor, snapshot.bytes, 32), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &received_ms), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &until_ms), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &names), QN_OK);
    cr_assert_eq(qn_cursor_bin(&cursor, 1000, &sealed), QN_OK);
    cr_assert(qn_digest_eq(&id, &list.id));
    cr_assert(qn_digest_eq(&snapshot, &list.head.snapshot));
    cr_assert_eq(names, 2);
    cr_assert_gt(until_ms, received_ms + 29 * RIG_DAY_MS);
    cr_assert(qn_span_eq(sealed, qn_buf_view(&list.sealed)));
    cursor = get_list(1, &list.id, NULL, &is_last);
    cr_assert_eq(qn_cursor_array(&cursor, 10, &count), QN_OK);
    cr_assert_eq(count, 0, "behind the last one");
    cursor = get_list(2, &list.id, NULL, &is_last);
    cr_assert(is_last);
    cr_assert_eq(qn_cursor_bin(&cursor, 1000, &joined), QN_OK);
    cr_assert(qn_span_eq(joined, qn_buf_view(&list.names)));
    struct qn_digest none = {{1}};
    cr_assert_null(get_list(2, &none, NULL, &is_last).input.data, "unknown");
    rig_list_deinit(&list);
}

Test(hold_serve, keys_are_read_back)
{
    bool is_last;
    size_t count;
    uint64_t epoch;
    struct qn_span sealed;
    say_key(&hold, 1, "first");
    say_key(&hold, 2, "second");
    hold_rig_settle(&hold);
    struct qn_cursor cursor = get_list(0, NULL, NULL, &is_last);
    cr_assert(is_last);
    cr_assert_eq(qn_cursor_array(&cursor, 10, &count), QN_OK);
    cr_assert_eq(count, 2);
    cr_assert_eq(qn_cursor_array(&cursor, 2, &count), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &epoch), QN_OK);
    cr_assert_eq(qn_cursor_bin(&cursor, 100, &sealed), QN_OK);
    cr_assert_eq(epoch, 1);
    cr_assert(qn_span_eq_str(sealed, "first"));
}

/* ---- proofs ---- */

static struct qn_digest prove(const uint8_t key[32], const struct qn_digest *names, size_t count)
{
    struct qn_cursor cursor;
    struct qn_digest digest;
    uint64_t request;
    rig_forget(&hold.rig);
    say_proof_ask(&hold, 3, key, names, count);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_PROOF, 0, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &request), QN_OK);
    cr_assert_eq(qn_cursor_nil(&cursor), QN_OK);
    cr_assert_eq(qn_cursor_bytes(&cursor, digest.bytes, 32), QN_OK);
    return digest;
}

/* What an owner that has the packs finds out by itself; bit i of `here`: pack i counts. */
static struct qn_digest expected_proof(const uint8_t key[32], uint64_t count, unsigned here)
{
    struct qn_digest digest;
    QN_AUTO_BUF struct qn_buf tokens;
    qn_buf_init(&tokens, 16 * count);
    for (uint64_t i = 0; i < count; i++) {
        struct rig_pack pack;
        struct qn_digest own, mac = {0};
        rig_pack_init(&pack, i, RIG_PACK);
        qn_hmac(qn_span(key, 32), qn_digest_view(&pack.name), &own);
        if ((here >> i & 1) != 0)
            qn_hmac(qn_digest_view(&own), qn_buf_view(&pack.bytes), &mac);
        qn_buf_append(&tokens, mac.bytes, 16);
        rig_pack_deinit(&pack);
    }
    QN_DIGEST(&digest, qn_buf_view(&tokens));
    return digest;
}

Test(hold_serve, a_proof_is_over_the_content)
{
    static const uint8_t key[32] = "an owner's challenge";
    struct qn_digest names[4], proof, expected;
    for (uint64_t i = 0; i < 4; i++)
        names[i] = rig_pack_name(i, RIG_PACK);
    store_other(3);
    for (uint64_t i = 0; i < 3; i++)
        cr_assert_eq(send_pack(&hold, i, RIG_PACK), QN_OFFER_WANTED);
    proof = prove(key, names, 4);
    expected = expected_proof(key, 4, 0x7);
    cr_assert(qn_digest_eq(&proof, &expected), "what another owner has here does not count");
    fake_files_find(&hold.files, &hold.rig.world.sites[RIG_OWNER].id, &names[1])->bytes.data[9]++;
    proof = prove(key, names, 4);
    cr_assert_not(qn_digest_eq(&proof, &expected));
    proof = prove(key, names, 1);
    expected = expected_proof(key, 1, 1);
    cr_assert(qn_digest_eq(&proof, &expected));
    fake_files_find(&hold.files, &hold.rig.world.sites[RIG_OWNER].id, &names[0])->is_whole = false;
    proof = prove(key, names, 1);
    expected = expected_proof(key, 1, 0);
    cr_assert(qn_digest_eq(&proof, &expected), "zero bytes for one that cannot be read");
}

/* The code of the answer to a challenge, "" if there is none. */
struct refusal {
    char code[16];
    uint64_t again_ms;
};

static struct refusal challenge(const struct qn_digest *names, size_t count)
{
    static const uint8_t key[32] = "an owner's challenge";
    struct refusal refusal = {0};
    struct qn_span code, none;
    struct qn_cursor cursor;
    uint64_t request;
    rig_forget(&hold.rig);
    say_proof_ask(&hold, 3, key, names, count);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_PROOF, 0, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &request), QN_OK);
    if (qn_cursor_nil(&cursor) == QN_OK)
        return refusal;
    cr_assert_eq(qn_cursor_str(&cursor, 15, &code), QN_OK);
    memcpy(refusal.code, code.data, code.size);
    cr_assert_eq(qn_cursor_bin(&cursor, 0, &none), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &refusal.again_ms), QN_OK);
    return refusal;
}

static struct hold_budget *budget(void)
{
    struct bulk *bulk = bulk_of(hold.rig.core, &hold.rig.world.sites[RIG_OWNER].id);
    return &bulk->hold->budget;
}

Test(hold_serve, a_proof_that_cannot_be_made_just_now_accuses_nobody)
{
    struct qn_digest name = rig_pack_name(1, RIG_PACK);
    static const enum qn_err errors[] = {QN_ERR_LIMIT, QN_ERR_IO};
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    for (size_t i = 0; i < 2; i++) {
        hold.files.read_err = errors[i];
        struct refusal refusal = challenge(&name, 1);
        cr_assert_str_eq(refusal.code, "busy");
        cr_assert_gt(refusal.again_ms, 0);
    }
    hold.files.read_err = QN_OK;
    cr_assert_str_eq(challenge(&name, 1).code, "");
}

/* However often it asks, and whatever connection it makes. */
Test(hold_serve, an_owner_has_so_much_read_a_day_and_no_more)
{
    uint64_t read = 0, size = 256 * 1024;
    struct qn_digest name = rig_pack_name(1, size), names[2] = {name, name};
    cr_assert_eq(send_pack(&hold, 1, size), QN_OFFER_WANTED);
    cr_assert_str_eq(challenge(names, 1).code, "");
    uint64_t max = budget()->left + size;
    cr_assert_leq(max, 4ull * 1024 * 1024 * 1024);
    budget()->left = size / 2; /* it asked for the rest already */
    struct refusal refusal = challenge(names, 1);
    cr_assert_str_eq(refusal.code, "busy");
    hold_rig_reconnect(&hold);
    cr_assert_str_eq(challenge(names, 1).code, "busy", "by another connection neither");
    rig_wait(&hold.rig, refusal.again_ms);
    cr_assert_str_eq(challenge(names, 1).code, "");
    budget()->left = 0;
    for (int hour = 0; hour < 24; hour++) { /* a day with 10 min of asking in each hour */
        for (int turn = 0; turn < 20; turn++, rig_wait(&hold.rig, 30000))
            read += challenge(names, 2).code[0] == '\0' ? 2 * size : 0;
        hold_rig_pass(&hold, 50 * 60000);
        hold_rig_reconnect(&hold);
    }
    cr_assert_leq(read, max);
    cr_assert_gt(read, 0);
    hold_rig_pass(&hold, 10 * RIG_DAY_MS);
    hold_rig_reconnect(&hold);
    cr_assert_str_eq(challenge(names, 1).code, "");
    cr_assert_leq(budget()->left, max, "what is not used is not saved up");
}

Test(hold_serve, a_challenge_of_more_than_a_day_allows_is_none)
{
    struct qn_digest names[BULK_NAMES_MAX];
    uint64_t size = 1024 * 1024;
    cr_assert_eq(send_pack(&hold, 1, size), QN_OFFER_WANTED);
    names[0] = rig_pack_name(1, size);
    for (size_t i = 1; i < BULK_NAMES_MAX; i++)
        names[i] = names[0];
    size_t count = hold.files.count;
    cr_assert_str_eq(challenge(names, BULK_NAMES_MAX).code, "range");
    cr_assert_eq(hold.files.count, count, "nothing was read");
    cr_assert_str_eq(challenge(names, 1).code, "");
}

/* Else it would say to have it when the owner offers it again. */
Test(hold_serve, what_a_challenge_finds_damaged_is_wanted_again)
{
    struct qn_digest names[2] = {rig_pack_name(0, RIG_PACK), rig_pack_name(1, RIG_PACK)};
    for (uint64_t i = 0; i < 2; i++)
        cr_assert_eq(send_pack(&hold, i, RIG_PACK), QN_OFFER_WANTED);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_HERE);
    fake_files_find(&hold.files, &hold.rig.world.sites[RIG_OWNER].id, &names[1])->bytes.data[9]++;
    cr_assert_str_eq(challenge(names, 2).code, "");
    cr_assert_eq(rig_held(&hold, RIG_OWNER).bad_count, 1);
    cr_assert_eq(send_pack(&hold, 0, RIG_PACK), QN_OFFER_HERE);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).bad_count, 0);
    cr_assert(rig_has_pack(&hold, RIG_OWNER, 1, RIG_PACK));
}
