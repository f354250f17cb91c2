/* Lists of snapshots: in pieces, whole or as changes, signed, and resumed. */
#include <criterion/criterion.h>

#include "support/hold_rig.h"

#define MANY 9000
#define TINY 12 /* size of a pack of these */

static struct hold_rig hold;

static void setup(void)
{
    hold_rig_init(&hold, RIG_QUOTA, 30);
}

static void teardown(void)
{
    hold_rig_deinit(&hold);
}

TestSuite(hold_lists, .init = setup, .fini = teardown);

/* Rows only: files do not matter to a list. */
static void store_rows(uint64_t from, uint64_t to)
{
    struct qn_kv *kv = memkv_begin(hold.rig.disk);
    for (uint64_t i = from; i < to; i++) {
        struct qn_digest name = rig_pack_name(i, TINY);
        cr_assert_eq(qn_custody_stored(kv, &hold.rig.world.sites[RIG_OWNER].id, &name, TINY),
                     QN_OK);
    }
    cr_assert_eq(memkv_commit(hold.rig.disk), QN_OK);
}

/* The owner's row exists from the first message on. */
static void begin(void)
{
    cr_assert_eq(send_pack(&hold, 77, RIG_PACK), QN_OFFER_WANTED);
}

static void list_of(struct rig_list *list, uint64_t snapshot, uint64_t from, uint64_t to)
{
    uint64_t *packs = qn_alloc((to - from + 1) * sizeof(packs[0]));
    for (uint64_t i = from; i < to; i++)
        packs[i - from] = i;
    rig_list_init(list, snapshot, packs, to - from, TINY);
    qn_free(packs);
}

static void cr_whole(const struct rig_list *list)
{
    const struct qn_site_id *owner = &hold.rig.world.sites[RIG_OWNER].id;
    struct qn_kv *kv = memkv_reader(hold.rig.disk);
    struct qn_held_list row;
    QN_AUTO_BUF struct qn_buf names;
    qn_buf_init(&names, list->names.size + 32);
    cr_assert_eq(qn_held_list_get(kv, owner, &list->id, &row), QN_OK);
    cr_assert(row.is_whole);
    cr_assert_eq(qn_held_list_names(kv, owner, &list->id, NULL, row.name_count + 1, &names), QN_OK);
    cr_assert(qn_span_eq(qn_buf_view(&names), qn_buf_view(&list->names)));
}

static void cr_ended(void)
{
    cr_assert(hold.rig.has_closed_bulk);
    cr_assert_str_eq(hold.rig.note, "bad-frame");
}

Test(hold_lists, a_list_is_locked_by_the_holders_clock)
{
    struct rig_list list;
    begin();
    store_rows(0, 3);
    list_of(&list, 1, 0, 3);
    struct list_answer answer = send_list(&hold, &list, NULL);
    cr_assert_str_eq(answer.code, "");
    uint64_t now_ms = WORLD_START_MS + hold.rig.now_ms;
    cr_assert_leq(answer.until_ms, now_ms + 30 * RIG_DAY_MS);
    cr_assert_gt(answer.until_ms, now_ms + 30 * RIG_DAY_MS - 60000);
    cr_whole(&list);
    rig_list_deinit(&list);
}

Test(hold_lists, an_empty_list_is_whole)
{
    struct rig_list list;
    begin();
    list_of(&list, 1, 0, 0);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    cr_whole(&list);
    rig_list_deinit(&list);
}

Test(hold_lists, what_is_missing_is_named_and_then_it_is_whole)
{
    struct rig_list list;
    struct qn_digest missing = rig_pack_name(2, TINY);
    begin();
    store_rows(0, 2);
    list_of(&list, 1, 0, 3);
    struct list_answer answer = send_list(&hold, &list, NULL);
    cr_assert_str_eq(answer.code, "missing");
    cr_assert_eq(answer.missing, 1);
    cr_assert(qn_digest_eq(&answer.first_missing, &missing));
    cr_assert_eq(send_pack(&hold, 2, TINY), QN_OFFER_WANTED);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    cr_whole(&list);
    rig_list_deinit(&list);
}

Test(hold_lists, a_large_list_and_its_changes)
{
    struct rig_list first, second, third;
    begin();
    store_rows(0, MANY + 100);
    list_of(&first, 1, 0, MANY);
    list_of(&second, 2, 50, MANY + 100);
    list_of(&third, 3, 4500, 4600);
    cr_assert_str_eq(send_list(&hold, &first, NULL).code, "");
    cr_assert_str_eq(send_list(&hold, &second, &first).code, "");
    cr_assert_str_eq(send_list(&hold, &third, &second).code, "");
    cr_whole(&first);
    cr_whole(&second);
    cr_whole(&third);
    cr_assert_str_eq(send_list(&hold, &first, &third).code, "", "once more");
    rig_list_deinit(&first);
    rig_list_deinit(&second);
    rig_list_deinit(&third);
}

Test(hold_lists, a_list_that_was_cut_off_goes_on)
{
    struct rig_list list;
    begin();
    store_rows(0, MANY);
    list_of(&list, 1, 0, MANY);
    hold.steps = 0;
    hold.steps_max = 2; /* of about five; what is on its way then is stored too */
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "-");
    hold_rig_reconnect(&hold);
    struct qn_held_list row;
    cr_assert_eq(qn_held_list_get(memkv_reader(hold.rig.disk), &hold.rig.world.sites[RIG_OWNER].id,
                                  &list.id, &row),
                 QN_OK);
    cr_assert_geq(row.name_count, 4096);
    cr_assert_lt(row.name_count, MANY);
    hold.steps_max = 0;
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    cr_whole(&list);
    rig_list_deinit(&list);
}

Test(hold_lists, a_base_that_is_not_here)
{
    struct rig_list first, second;
    begin();
    store_rows(0, 20);
    list_of(&first, 1, 0, 10);
    list_of(&second, 2, 5, 20);
    cr_assert_str_eq(send_list(&hold, &second, &first).code, "base");
    cr_assert_str_eq(send_list(&hold, &second, NULL).code, "");
    cr_whole(&second);
    rig_list_deinit(&first);
    rig_list_deinit(&second);
}

/* The owner's book and the holder's do not agree on what is in the base. */
Test(hold_lists, changes_to_another_base_are_found_out)
{
    struct rig_list first, forged, second;
    begin();
    store_rows(0, 20);
    list_of(&first, 1, 0, 10);
    list_of(&second, 2, 5, 20);
    cr_assert_str_eq(send_list(&hold, &first, NULL).code, "");
    list_of(&forged, 1, 3, 8);
    forged.id = first.id;
    cr_assert_str_eq(send_list(&hold, &second, &forged).code, "base");
    cr_assert_eq(rig_held(&hold, RIG_OWNER).list_count, 1, "the wrong one is dropped");
    cr_assert_str_eq(send_list(&hold, &second, NULL).code, "");
    cr_whole(&first);
    cr_whole(&second);
    rig_list_deinit(&first);
    rig_list_deinit(&forged);
    rig_list_deinit(&second);
}

Test(hold_lists, names_that_are_not_those_of_the_head)
{
    struct rig_list list;
    begin();
    store_rows(0, 10);
    list_of(&list, 1, 0, 10);
    qn_buf_truncate(&list.names, 9 * QN_DIGEST_SIZE);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "bad");
    cr_assert_eq(rig_held(&hold, RIG_OWNER).list_count, 0);
    rig_list_deinit(&list);
}

Test(hold_lists, only_the_owner_signs)
{
    struct rig_list list;
    begin();
    store_rows(0, 3);
    list_of(&list, 1, 0, 3);
    struct qn_signer *own = hold.rig.world.sites[RIG_OWNER].signer;
    hold.rig.world.sites[RIG_OWNER].signer = hold.rig.world.sites[RIG_OTHER].signer;
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "bad");
    cr_assert_str_eq(hold.rig.note, "held-list-unsigned");
    rig_forget(&hold.rig);
    say_forget(&hold, &list.id, 1);
    cr_ended();
    hold.rig.world.sites[RIG_OWNER].signer = own;
    cr_assert_eq(rig_held(&hold, RIG_OWNER).list_count, 0);
    rig_list_deinit(&list);
}

Test(hold_lists, a_list_of_another_name_ends_the_connection)
{
    struct rig_list list;
    list_of(&list, 1, 0, 3);
    list.id.bytes[0] ^= 1;
    say_list(&hold, &list, NULL, 256 * 1024);
    cr_ended();
    rig_list_deinit(&list);
}

Test(hold_lists, two_lists_at_a_time_end_the_connection)
{
    struct rig_list first, second;
    list_of(&first, 1, 0, 3);
    list_of(&second, 2, 0, 3);
    say_list(&hold, &first, NULL, 256 * 1024);
    say_list(&hold, &second, NULL, 256 * 1024);
    cr_ended();
    hold_rig_settle(&hold);
    rig_list_deinit(&first);
    rig_list_deinit(&second);
}

static void say_piece(uint64_t piece, uint64_t pieces, size_t size)
{
    static const uint8_t id[32], bytes[256 * 1024 + 1];
    struct qn_buf out;
    rig_message(&out, QN_MSG_LIST_PUT, 4);
    qn_pack_bin(&out, QN_SPAN_OF(id));
    qn_pack_u64(&out, piece);
    qn_pack_u64(&out, pieces);
    qn_pack_bin(&out, qn_span(bytes, size));
    rig_bulk_frame(&hold.rig, &out);
}

Test(hold_lists, pieces_that_do_not_follow_end_the_connection)
{
    say_piece(0, 3, 10);
    say_piece(2, 3, 10);
    cr_ended();
}

Test(hold_lists, too_many_pieces_end_the_connection)
{
    say_piece(0, 1000000, 256 * 1024);
    cr_ended();
}

Test(hold_lists, a_piece_that_is_too_large_ends_the_connection)
{
    say_piece(0, 2, 256 * 1024 + 1);
    cr_ended();
}

Test(hold_lists, what_is_no_list_ends_the_connection)
{
    say_piece(0, 1, 1000);
    cr_ended();
}

Test(hold_lists, refusals_of_the_store)
{
    struct rig_list list;
    begin();
    store_rows(0, 3);
    list_of(&list, 1, 0, 3);
    hold_rig_agree(&hold, RIG_OWNER, RIG_PACK + 50, 30);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "quota");
    hold_rig_agree(&hold, RIG_OWNER, 0, 0);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "denied");
    rig_list_deinit(&list);
}

/* ---- forgetting ---- */

Test(hold_lists, a_forgotten_list_is_no_more_told_and_stays_locked)
{
    struct rig_list list;
    struct qn_cursor cursor;
    struct qn_span ids;
    bool is_last;
    uint64_t what;
    begin();
    store_rows(0, 3);
    list_of(&list, 1, 0, 3);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    rig_forget(&hold.rig);
    say_forget(&hold, &list.id, 1);
    cr_assert_not(heard(&hold, QN_MSG_LIST_FORGOT, 0, &cursor), "before the commit");
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_LIST_FORGOT, 0, &cursor));
    cr_assert_eq(qn_cursor_bin(&cursor, 64, &ids), QN_OK);
    cr_assert(qn_span_eq(ids, QN_SPAN_OF(list.id.bytes)));
    say_names_ask(&hold, 1, NULL);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_NAMES, 0, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &what), QN_OK);
    cr_assert_eq(qn_cursor_bool(&cursor, &is_last), QN_OK);
    cr_assert_eq(qn_cursor_bin(&cursor, 64, &ids), QN_OK);
    cr_assert_eq(ids.size, 0);
    cr_assert(is_last);
    cr_whole(&list);
    rig_list_deinit(&list);
}

/* ---- keys ---- */

static uint64_t put_key(uint64_t epoch, const char *sealed)
{
    struct qn_cursor cursor;
    uint64_t found, answer;
    rig_forget(&hold.rig);
    say_key(&hold, epoch, sealed);
    cr_assert_not(heard(&hold, QN_MSG_KEY_ACK, 0, &cursor), "before the commit");
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_KEY_ACK, 0, &cursor));
    cr_assert_eq(qn_cursor_u64(&cursor, &found), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &answer), QN_OK);
    cr_assert_eq(found, epoch);
    return answer;
}

Test(hold_lists, a_key_is_kept_and_never_written_over)
{
    cr_assert_eq(put_key(1, "one"), QN_OFFER_WANTED);
    cr_assert_eq(put_key(1, "one"), QN_OFFER_WANTED);
    cr_assert_eq(put_key(1, "another"), QN_OFFER_SIZE);
    cr_assert_eq(put_key(2, "two"), QN_OFFER_WANTED);
    uint32_t epoch;
    struct qn_span sealed;
    struct qn_kv *kv = memkv_reader(hold.rig.disk);
    cr_assert_eq(qn_held_key_next(kv, &hold.rig.world.sites[RIG_OWNER].id, 0, &epoch, &sealed),
                 QN_OK);
    cr_assert_eq(epoch, 1);
    cr_assert(qn_span_eq_str(sealed, "one"));
    cr_assert_eq(qn_held_key_newest(kv, &hold.rig.world.sites[RIG_OWNER].id, &epoch), QN_OK);
    cr_assert_eq(epoch, 2);
    hold_rig_agree(&hold, RIG_OWNER, 0, 0);
    rig_forget(&hold.rig);
    say_key(&hold, 3, "three");
    hold_rig_settle(&hold);
    cr_assert_eq(qn_held_key_newest(memkv_reader(hold.rig.disk),
                                    &hold.rig.world.sites[RIG_OWNER].id, &epoch),
                 QN_OK);
    cr_assert_eq(epoch, 2);
}
