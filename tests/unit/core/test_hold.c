/* A holder takes packs: what it wants, refuses and acknowledges, and what it keeps when the
 * connection or the machine is gone. */
#include <criterion/criterion.h>

#include "support/hold_rig.h"

#define PIECE  (64u * 1024)
#define OFFERS 256 /* in one message */

static struct hold_rig hold;

static void setup(void)
{
    hold_rig_init(&hold, RIG_QUOTA, 30);
}

static void teardown(void)
{
    hold_rig_deinit(&hold);
}

TestSuite(hold, .init = setup, .fini = teardown);

static void cr_open(void)
{
    cr_assert_not(hold.rig.has_closed_bulk, "%s", hold.rig.note);
}

static void cr_ended(const char *note)
{
    cr_assert(hold.rig.has_closed_bulk);
    cr_assert_str_eq(hold.rig.note, note);
}

/* ---- VAULT_ASK ---- */

struct state {
    bool packs_are_equal, lists_are_equal;
    uint64_t quota, used, room, packs, lists, epoch;
};

static struct state ask(const struct qn_digest *packs, const struct qn_digest *lists)
{
    struct state state;
    struct qn_cursor cursor;
    rig_forget(&hold.rig);
    say_ask(&hold, packs, lists, RIG_DAY_MS);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_VAULT_STATE, 0, &cursor));
    cr_assert_eq(qn_cursor_bool(&cursor, &state.packs_are_equal), QN_OK);
    cr_assert_eq(qn_cursor_bool(&cursor, &state.lists_are_equal), QN_OK);
    uint64_t *numbers[] = {&state.quota, &state.used,  &state.room,
                           &state.packs, &state.lists, &state.epoch};
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(qn_cursor_u64(&cursor, numbers[i]), QN_OK);
    return state;
}

Test(hold, an_owner_learns_how_it_stands)
{
    struct qn_digest zero = {0};
    struct state state = ask(&zero, &zero);
    cr_assert(state.packs_are_equal && state.lists_are_equal);
    cr_assert_eq(state.packs, 0);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    state = ask(&zero, &zero);
    cr_assert_not(state.packs_are_equal);
    cr_assert_eq(state.quota, RIG_QUOTA);
    cr_assert_eq(state.used, RIG_PACK);
    cr_assert_eq(state.packs, 1);
    cr_assert_eq(state.room, (1ull << 40) - QN_HELD_FLOOR_MAX);
    struct qn_held held = rig_held(&hold, RIG_OWNER);
    cr_assert(ask(&held.sum, &zero).packs_are_equal);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).interval_ms, RIG_DAY_MS);
}

Test(hold, names_are_paged)
{
    struct qn_cursor cursor;
    bool is_last;
    uint64_t what;
    struct qn_span names;
    for (uint64_t i = 0; i < 5; i++)
        cr_assert_eq(send_pack(&hold, i, RIG_PACK), QN_OFFER_WANTED);
    rig_forget(&hold.rig);
    say_names_ask(&hold, 0, NULL);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_NAMES, 0, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &what), QN_OK);
    cr_assert_eq(qn_cursor_bool(&cursor, &is_last), QN_OK);
    cr_assert_eq(qn_cursor_bin(&cursor, 5 * 32, &names), QN_OK);
    cr_assert_eq(names.size, 5 * 32);
    cr_assert(is_last);
    struct qn_digest third = *(const struct qn_digest *)(names.data + 2 * 32);
    say_names_ask(&hold, 0, &third);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_NAMES, 1, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &what), QN_OK);
    cr_assert_eq(qn_cursor_bool(&cursor, &is_last), QN_OK);
    cr_assert_eq(qn_cursor_bin(&cursor, 5 * 32, &names), QN_OK);
    cr_assert_eq(names.size, 2 * 32);
}

/* ---- packs ---- */

Test(hold, a_pack_is_acknowledged_when_file_and_row_are_there)
{
    struct rig_pack pack;
    struct qn_cursor cursor;
    rig_pack_init(&pack, 1, 2 * PIECE);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
    hold_rig_settle(&hold);
    rig_forget(&hold.rig);
    say_put(&hold, &pack, 0, PIECE);
    say_put(&hold, &pack, PIECE, PIECE);
    cr_assert_not(heard(&hold, QN_MSG_PACK_ACK, 0, &cursor));
    while (hold.rig.files.count > 0 && hold.rig.intents.count == 0) { /* the file, and no more */
        hold_rig_file(&hold, 0);
    }
    cr_assert(rig_has_file(&hold, RIG_OWNER, 1, 2 * PIECE));
    cr_assert(heard(&hold, QN_MSG_PACK_ACK, 0, &cursor));
    cr_assert_not(heard(&hold, QN_MSG_PACK_ACK, 1, &cursor), "not before the commit");
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_PACK_ACK, 1, &cursor));
    cr_assert(rig_has_pack(&hold, RIG_OWNER, 1, 2 * PIECE));
    rig_pack_deinit(&pack);
}

Test(hold, what_is_here_is_not_sent_again)
{
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_HERE);
    cr_assert_eq(hold.files.appended, RIG_PACK);
}

Test(hold, a_pack_goes_on_at_its_byte)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, 4 * PIECE);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, 0, PIECE);
    say_put(&hold, &pack, PIECE, PIECE);
    hold_rig_settle(&hold);
    hold_rig_reconnect(&hold);
    cr_assert_eq(send_pack(&hold, 1, 4 * PIECE), QN_OFFER_WANTED);
    cr_assert_eq(hold.files.appended, 4 * PIECE, "each byte once");
    cr_assert(rig_has_pack(&hold, RIG_OWNER, 1, 4 * PIECE));
    rig_pack_deinit(&pack);
}

Test(hold, refusals_of_the_store)
{
    cr_assert_eq(send_pack(&hold, 1, QN_HELD_PACK_SIZE_MAX + 1), QN_OFFER_SIZE);
    hold_rig_agree(&hold, RIG_OWNER, 1500, 30);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    cr_assert_eq(send_pack(&hold, 2, RIG_PACK), QN_OFFER_QUOTA);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).alarms, QN_HELD_ALARM_QUOTA);
    hold_rig_agree(&hold, RIG_OWNER, RIG_QUOTA, 30);
    hold.files.free_bytes = QN_HELD_FLOOR_MAX + RIG_PACK - 1;
    cr_assert_eq(send_pack(&hold, 2, RIG_PACK), QN_OFFER_ROOM);
    hold.files.free_bytes++;
    cr_assert_eq(send_pack(&hold, 2, RIG_PACK), QN_OFFER_WANTED);
    hold_rig_agree(&hold, RIG_OWNER, 0, 0);
    cr_assert_eq(send_pack(&hold, 3, RIG_PACK), QN_OFFER_DENIED);
    cr_assert(rig_has_pack(&hold, RIG_OWNER, 1, RIG_PACK));
}

/* Whatever the other is told: no file stays for which there is no row. */
Test(hold, the_quota_may_shrink_while_a_pack_arrives)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, 2 * PIECE);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, 0, PIECE);
    hold_rig_settle(&hold);
    hold_rig_agree(&hold, RIG_OWNER, PIECE, 30);
    rig_forget(&hold.rig);
    say_put(&hold, &pack, PIECE, PIECE);
    hold_rig_settle(&hold);
    struct qn_cursor cursor;
    uint64_t offset, answer;
    bool is_whole;
    cr_assert(heard(&hold, QN_MSG_PACK_ACK, 0, &cursor));
    cr_assert_eq(qn_cursor_bytes(&cursor, pack.name.bytes, 32), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &offset), QN_OK);
    cr_assert_eq(qn_cursor_bool(&cursor, &is_whole), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &answer), QN_OK);
    cr_assert_eq(answer, QN_OFFER_QUOTA);
    cr_assert_not(is_whole);
    cr_assert_eq(hold.files.items.count, 0);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).used_bytes, 0);
    cr_open();
    rig_pack_deinit(&pack);
}

Test(hold, bytes_that_are_not_the_pack_are_not_kept)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, 2 * PIECE);
    pack.bytes.data[PIECE + 5] ^= 1;
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
    hold_rig_settle(&hold);
    rig_forget(&hold.rig);
    say_put(&hold, &pack, 0, PIECE);
    say_put(&hold, &pack, PIECE, PIECE);
    hold_rig_settle(&hold);
    cr_assert_str_eq(hold.rig.note, "held-pack-wrong");
    cr_assert_eq(hold.files.items.count, 0);
    cr_open();
    cr_assert_eq(send_pack(&hold, 1, 2 * PIECE), QN_OFFER_WANTED, "the right ones are");
    rig_pack_deinit(&pack);
}

Test(hold, a_disk_that_fails_in_between)
{
    hold.files.append_err = QN_ERR_NOSPACE;
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_ROOM);
    hold.files.append_err = QN_ERR_IO;
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_LATER);
    hold.files.append_err = QN_OK;
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
}

Test(hold, a_store_that_fails_in_between)
{
    struct rig_pack pack;
    struct qn_cursor cursor;
    rig_pack_init(&pack, 1, RIG_PACK);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = RIG_PACK}, 1);
    hold_rig_settle(&hold);
    rig_forget(&hold.rig);
    say_put(&hold, &pack, 0, RIG_PACK);
    struct qn_file_result result;
    fake_files_run(&hold.files, hold.rig.files.items[0], &result);
    rig_file(&hold.rig, &result);
    rig_fail_commit(&hold.rig, QN_ERR_NOSPACE);
    cr_assert(heard(&hold, QN_MSG_PACK_ACK, 0, &cursor));
    cr_assert_eq(rig_held(&hold, RIG_OWNER).pack_count, 0);
    rig_forget(&hold.rig);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    cr_assert(rig_has_pack(&hold, RIG_OWNER, 1, RIG_PACK));
    rig_pack_deinit(&pack);
}

/* ---- what is not taken from anybody ---- */

Test(hold, a_pack_that_was_not_wanted_ends_the_connection)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, RIG_PACK);
    say_put(&hold, &pack, 0, RIG_PACK);
    cr_ended("bad-frame");
    cr_assert_eq(hold.files.items.count, 0);
    rig_pack_deinit(&pack);
}

Test(hold, a_piece_at_another_place_ends_the_connection)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, 2 * PIECE);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, PIECE, PIECE);
    cr_ended("bad-frame");
    rig_pack_deinit(&pack);
}

Test(hold, more_than_the_window_ends_the_connection)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, 6 * 1024 * 1024);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
    hold_rig_settle(&hold);
    rig_forget(&hold.rig);
    size_t at = 0;
    for (; at < pack.bytes.size && !hold.rig.has_closed_bulk; at += PIECE)
        say_put(&hold, &pack, at, PIECE);
    cr_ended("bad-frame");
    cr_assert_eq(at, 4 * 1024 * 1024 + PIECE);
    rig_pack_deinit(&pack);
}

Test(hold, crumbs_end_the_connection)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, 6 * 1024);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
    hold_rig_settle(&hold);
    rig_forget(&hold.rig);
    for (size_t at = 0; at < pack.bytes.size && !hold.rig.has_closed_bulk; at++)
        say_put(&hold, &pack, at, 1);
    cr_ended("bad-frame");
    rig_pack_deinit(&pack);
}

Test(hold, a_flood_of_offers_ends_the_connection)
{
    struct offered offered = {.size = RIG_PACK};
    for (uint8_t i = 0; i < 10 && !hold.rig.has_closed_bulk; i++)
        say_offer(&hold, 1, &offered, 1);
    cr_ended("bad-frame");
}

Test(hold, a_flood_of_keys_ends_the_connection)
{
    for (uint64_t i = 1; i < 100 && !hold.rig.has_closed_bulk; i++)
        say_key(&hold, i, "sealed");
    cr_ended("bad-frame");
    cr_assert_lt(hold.rig.intents.count, 40);
}

/* The quota counts what is whole. So there are few that are not. */
Test(hold, packs_that_are_only_begun_do_not_fill_the_disk)
{
    for (uint64_t i = 0; i < 30; i++) {
        struct rig_pack pack;
        rig_pack_init(&pack, i, 2 * PIECE);
        say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = pack.bytes.size}, 1);
        hold_rig_settle(&hold);
        say_put(&hold, &pack, 0, PIECE);
        hold_rig_settle(&hold);
        rig_pack_deinit(&pack);
        if (i % 7 == 6)
            hold_rig_reconnect(&hold);
        cr_assert_leq(fake_files_parts(&hold.files), QN_HELD_PARTS_MAX + 1);
    }
    cr_open();
}

Test(hold, an_offer_of_many_is_answered_in_order)
{
    struct offered offered[OFFERS];
    struct qn_cursor cursor;
    size_t count;
    cr_assert_eq(send_pack(&hold, 3, RIG_PACK), QN_OFFER_WANTED);
    rig_forget(&hold.rig);
    for (uint64_t i = 0; i < OFFERS; i++)
        offered[i] = (struct offered){.name = rig_pack_name(i % 200, RIG_PACK), .size = RIG_PACK};
    say_offer(&hold, 1, offered, OFFERS);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_PACK_OFFERED, 0, &cursor));
    cr_assert_eq(qn_cursor_array(&cursor, 3 * OFFERS, &count), QN_OK);
    cr_assert_eq(count, 3 * OFFERS);
    for (uint64_t i = 0; i < OFFERS; i++) {
        struct qn_digest name;
        uint64_t answer, have;
        cr_assert_eq(qn_cursor_bytes(&cursor, name.bytes, 32), QN_OK);
        cr_assert_eq(qn_cursor_u64(&cursor, &answer), QN_OK);
        cr_assert_eq(qn_cursor_u64(&cursor, &have), QN_OK);
        cr_assert(qn_digest_eq(&name, &offered[i].name));
        enum qn_offer expected = i % 200 == 3 ? QN_OFFER_HERE
                                 : i >= 200   ? QN_OFFER_LATER /* it stands there twice */
                                              : QN_OFFER_WANTED;
        cr_assert_eq(answer, expected, "%lu: %lu", i, answer);
    }
    cr_open();
}

/* ---- whose messages are heard ---- */

Test(hold, a_pair_without_an_agreement_is_refused)
{
    struct qn_cursor cursor;
    struct qn_digest zero = {0};
    hold_rig_agree(&hold, RIG_OWNER, 0, 0); /* it ended, and nothing is held */
    rig_forget(&hold.rig);
    say_ask(&hold, &zero, &zero, 0);
    say_get(&hold, 1, &zero, 0, 1);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_VAULT_REFUSED, 1, &cursor));
    cr_assert_not(heard(&hold, QN_MSG_VAULT_STATE, 0, &cursor));
    cr_open();
}

Test(hold, one_whose_agreement_ended_still_reads_what_is_held)
{
    struct qn_cursor cursor;
    struct qn_digest name = rig_pack_name(1, RIG_PACK);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
    hold_rig_agree(&hold, RIG_OWNER, 0, 0);
    rig_forget(&hold.rig);
    say_get(&hold, 1, &name, 0, 500);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_PACK_DATA, 0, &cursor));
}

/* ---- on the first connection ---- */

static void ask_first(const struct qn_digest *packs)
{
    struct qn_buf out;
    struct qn_digest zero = {0};
    rig_message(&out, QN_MSG_VAULT_ASK, 3);
    qn_pack_bin(&out, qn_digest_view(packs));
    qn_pack_bin(&out, qn_digest_view(&zero));
    qn_pack_u64(&out, RIG_DAY_MS);
    rig_frame(&hold.rig, &out);
}

/* An owner asks again there if the answer is late. */
Test(hold, asked_again_before_it_answered_it_answers_once_and_what_was_asked_last)
{
    struct qn_cursor cursor;
    struct qn_digest zero = {0}, other = {{1}};
    bool packs_are_equal;
    rig_bulk_down(&hold.rig);
    rig_forget(&hold.rig);
    ask_first(&other);
    ask_first(&zero);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_VAULT_STATE, 0, &cursor));
    cr_assert_eq(qn_cursor_bool(&cursor, &packs_are_equal), QN_OK);
    cr_assert(packs_are_equal);
    cr_assert_not(heard(&hold, QN_MSG_VAULT_STATE, 1, &cursor));
    cr_assert_not(hold.rig.has_closed);
    ask_first(&other);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_VAULT_STATE, 1, &cursor));
}
