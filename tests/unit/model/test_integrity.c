#include <criterion/criterion.h>
#include <stdio.h>

#include "model/repair.h"
#include "model/row.h"
#include "model/scrub.h"
#include "model/tables.h"
#include "proto/pack.h"
#include "support/damage.h"
#include "support/late_sites.h"

static struct group group;
static struct site *a, *b, *c;

static void set_up(void)
{
    group_of_three(&group);
    a = &group.sites[0];
    b = &group.sites[1];
    c = &group.sites[2];
}

static void tear_down(void)
{
    group_deinit(&group);
}

TestSuite(integrity, .init = set_up, .fini = tear_down);

/* ---- records ---- */

Test(integrity, a_flipped_byte_anywhere_in_a_record_is_found_and_repaired_from_another_site)
{
    size_t size = site_entry_size(a, QN_TABLE_REC, 0), changed;
    for (size_t byte = 0; byte < size; byte++) {
        site_flip(a, QN_TABLE_REC, 0, byte);
        cr_assert_geq(site_scrub(a), 1, "byte %zu is not found", byte);
        cr_assert_eq(site_damage(a).damaged, 1, "byte %zu", byte);
        cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_OK);
        cr_assert_eq(changed, 1);
        cr_assert_eq(site_scrub(a), 0);
        group_is_well(&group);
    }
}

Test(integrity, bits_of_a_record_that_are_derived_are_put_right_here)
{
    for (uint8_t bit = 2; bit <= 4; bit <<= 1) {
        site_flip_bit(a, QN_TABLE_REC, 0, 1, bit);
        cr_assert_geq(site_scrub(a), 1);
        cr_assert_eq(site_damage(a).damaged, 0);
        cr_assert_eq(site_scrub(a), 0);
        group_is_well(&group);
    }
}

Test(integrity, others_can_be_read_beside_a_damaged_record)
{
    struct qn_record record = {0};
    struct qn_span key;
    site_flip(a, QN_TABLE_REC, 0, 0);
    struct qn_kv *kv = memkv_reader(a->store);
    cr_assert_eq(qn_read_next(kv, &group.coll, qn_span(NULL, 0), qn_span(NULL, 0), &key, &record),
                 QN_OK);
    cr_assert(qn_span_eq_str(key, "other"));
    qn_record_deinit(&record);
    cr_assert_eq(qn_read_record(kv, &group.coll, qn_span_str("k"), &record), QN_ERR_DAMAGED);
    site_scrub(a);
    cr_assert_eq(qn_read_record(memkv_reader(a->store), &group.coll, qn_span_str("k"), &record),
                 QN_ERR_DAMAGED);
}

Test(integrity, a_write_on_a_damaged_record_is_refused_and_others_go_on)
{
    site_flip(a, QN_TABLE_REC, 0, 30);
    cr_assert_eq(site_put(a, "k", "name", "anna"), QN_ERR_DAMAGED);
    site_scrub(a);
    cr_assert_eq(site_put(a, "k", "name", "anna"), QN_ERR_DAMAGED);
    cr_assert_eq(site_put(a, "other", "name", "berta"), QN_OK);
}

Test(integrity, what_others_write_on_a_damaged_record_is_in_the_copy)
{
    size_t changed;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_put(b, "k", "name", "anna");
    site_put(c, "k", "room", "13");
    group_settle(&group);
    cr_assert_eq(site_damage(a).damaged, 1);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    site_recount(a);
    cr_assert_str_eq(site_shown(a, "k", "name"), "anna");
    cr_assert_str_eq(site_shown(a, "k", "room"), "13");
    group_is_well(&group);
}

static void count_change(void *context, struct qn_span key)
{
    ++*(size_t *)context;
}

/* They saw a record without values when they looked, and no operation tells them of the copy. */
Test(integrity, who_follows_the_changes_reads_all_again_after_a_copy_was_taken)
{
    size_t changed, changes = 0;
    uint64_t next;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_put(b, "k", "name", "anna");
    group_settle(&group);
    uint64_t from = site_info(a).order_head + 1;
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    cr_assert_eq(qn_read_changes(memkv_reader(a->store), &group.coll, from, 100, count_change,
                                 &changes, &next),
                 QN_ERR_HELD);
    cr_assert_eq(changes, 0);
}

Test(integrity, a_copy_of_another_clock_is_not_taken)
{
    size_t changed;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    site_put(b, "other", "name", "berta");
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_ERR_HELD);
    group_settle(&group);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    group_is_well(&group);
}

Test(integrity, a_copy_that_the_log_contradicts_is_not_taken)
{
    size_t changed;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    struct qn_key key;
    struct qn_row_head head;
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf value, forged;
    qn_buf_init(&value, 4096);
    qn_buf_init(&forged, 4096);
    site_entry(b, QN_TABLE_REC, 0, &key, &value);
    struct qn_kv *kv = memkv_begin(b->store);
    struct qn_dict dict;
    qn_dict_init(&dict, kv, true);
    cr_assert_eq(qn_row_decode(&dict, qn_buf_view(&value), &record), QN_OK);
    cr_assert_eq(qn_row_decode_head(qn_buf_view(&value), &head), QN_OK);
    record.fields.items[0].pairs.items[0].value = qn_span("\x05", 1);
    qn_record_hash(&record, false, head.hash);
    cr_assert_eq(qn_row_encode(&dict, &head, &record, &forged), QN_OK);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, qn_key_view(&key), qn_buf_view(&forged)), QN_OK);
    qn_dict_deinit(&dict);
    cr_assert_eq(memkv_commit(b->store), QN_OK);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_ERR_INVALID);
    cr_assert_eq(site_damage(a).damaged, 1);
    cr_assert_eq(site_repair(a, c, "k", QN_REPAIR_TAKE, &changed), QN_OK);
}

Test(integrity, a_damaged_copy_is_not_given_away)
{
    QN_AUTO_BUF struct qn_buf keys, copies;
    struct qn_record_copy copy;
    struct qn_span rest;
    size_t count;
    site_flip(a, QN_TABLE_REC, 0, 30);
    qn_buf_init(&keys, 64);
    qn_buf_init(&copies, 4096);
    qn_pack_array(&keys, 1);
    qn_pack_cstr(&keys, "k");
    for (int round = 0; round < 2; round++) { /* before it is set aside and after */
        qn_buf_reset(&copies);
        cr_assert_eq(qn_read_copies(memkv_reader(a->store), &group.coll, qn_buf_view(&keys), false,
                                    2048, &copies),
                     QN_OK);
        struct qn_cursor cursor = qn_cursor(qn_buf_view(&copies));
        cr_assert_eq(qn_cursor_skip(&cursor, 1, &rest), QN_OK);
        cr_assert_eq(qn_cursor_array(&cursor, 2, &count), QN_OK);
        cr_assert_eq(count, 2);
        cr_assert_eq(qn_cursor_skip(&cursor, 1, &rest), QN_OK);
        cr_assert_eq(qn_record_copy_unpack(&cursor, &copy), QN_OK);
        cr_assert_eq(copy.kind, QN_COPY_DAMAGED);
        site_scrub(a);
    }
}

/* ---- divergence: records that are whole, and differ ---- */

/* Another value in the place of one that was written, with everything that is derived from it. */
static void diverge(struct site *site, const char *other)
{
    struct qn_key key;
    struct qn_row_head head;
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf value, text, row;
    qn_buf_init(&value, 4096);
    qn_buf_init(&text, 256);
    qn_buf_init(&row, 4096);
    site_entry(site, QN_TABLE_REC, 0, &key, &value);
    qn_pack_cstr(&text, other);
    struct qn_kv *kv = memkv_begin(site->store);
    struct qn_dict dict;
    qn_dict_init(&dict, kv, true);
    cr_assert_eq(qn_row_decode(&dict, qn_buf_view(&value), &record), QN_OK);
    cr_assert_eq(qn_row_decode_head(qn_buf_view(&value), &head), QN_OK);
    record.fields.items[0].pairs.items[0].value = qn_buf_view(&text);
    qn_record_hash(&record, false, head.hash);
    cr_assert_eq(qn_row_encode(&dict, &head, &record, &row), QN_OK);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, qn_key_view(&key), qn_buf_view(&row)), QN_OK);
    qn_dict_deinit(&dict);
    cr_assert_eq(memkv_commit(site->store), QN_OK);
    site_recount(site);
}

Test(integrity, of_two_different_records_all_values_are_kept_and_the_sites_agree)
{
    size_t changed;
    diverge(b, "agnes");
    cr_assert_not_null(group_check_equal(&group));
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_BOTH, &changed), QN_OK);
    cr_assert_eq(changed, 1);
    group_settle(&group);
    const char *fault = group_check_equal(&group);
    cr_assert_null(fault, "%s", fault);
    for (size_t i = 0; i < group.count; i++) {
        QN_AUTO_RECORD struct qn_record record = {0};
        cr_assert_eq(qn_read_record(memkv_reader(group.sites[i].store), &group.coll,
                                    qn_span_str("k"), &record),
                     QN_OK);
        const struct qn_field *name = qn_record_field(&record, qn_span_str("name"));
        cr_assert_eq(name->pairs.count, 2);
        cr_assert(qn_field_has_conflict(name));
        cr_assert_str_eq(site_shown(&group.sites[i], "k", "room"), "12");
        cr_assert_null(site_check(&group.sites[i]));
    }
}

Test(integrity, what_the_majority_has_is_taken_and_what_was_here_is_remembered)
{
    size_t changed;
    diverge(b, "agnes");
    cr_assert_eq(site_repair(b, a, "k", QN_REPAIR_MAJORITY, &changed), QN_OK);
    cr_assert_eq(changed, 1);
    group_is_well(&group);
    QN_AUTO_BUF struct qn_buf position;
    struct qn_past past;
    bool is_remembered = false;
    qn_buf_init(&position, 1024);
    while (qn_read_past(memkv_reader(b->store), &group.coll, qn_span_str("k"), &position, &past) ==
           QN_OK)
        is_remembered |= qn_span_eq(past.pair.value, qn_span("\xa5"
                                                             "agnes",
                                                             6));
    cr_assert(is_remembered);
}

Test(integrity, a_record_that_one_site_lost_comes_back)
{
    size_t changed;
    struct qn_key key;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, 4096);
    site_entry(b, QN_TABLE_REC, 0, &key, &value);
    struct qn_kv *kv = memkv_begin(b->store);
    cr_assert_eq(qn_kv_del(kv, QN_TABLE_REC, qn_key_view(&key)), QN_OK);
    cr_assert_eq(memkv_commit(b->store), QN_OK);
    cr_assert_geq(site_scrub(b), 1);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_BOTH, &changed), QN_OK);
    group_settle(&group);
    const char *fault = group_check_equal(&group);
    cr_assert_null(fault, "%s", fault);
    cr_assert_str_eq(site_shown(b, "k", "name"), "anne");
}

/* ---- where nobody has the clock ---- */

Test(integrity, the_copy_that_the_row_was_is_taken_at_any_clock)
{
    size_t changed;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    site_put(b, "other", "name", "berta");
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_SAME, &changed), QN_OK);
    cr_assert_eq(changed, 1);
    group_is_well(&group);
}

Test(integrity, what_happened_to_a_damaged_record_since_is_not_in_the_copy_that_its_row_was)
{
    size_t changed;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    site_put(b, "k", "room", "13");
    cr_assert_eq(site_pull(a, b), QN_OK);
    cr_assert_eq(site_repair(a, c, "k", QN_REPAIR_SAME, &changed), QN_OK);
    cr_assert_eq(changed, 0);
    cr_assert_eq(site_damage(a).damaged, 1);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    group_is_well(&group);
}

Test(integrity, of_a_record_that_is_given_up_all_sites_end_with_what_was_left)
{
    size_t changed;
    site_put(a, "k", "room", "13"); /* nobody else has that but in the log */
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_ANEW, &changed), QN_OK);
    cr_assert_eq(changed, 1);
    cr_assert_eq(site_damage(a).damaged, 0);
    cr_assert_str_eq(site_shown(a, "k", "name"), "anne");
    cr_assert_str_eq(site_shown(a, "k", "room"), "13");
    group_is_well(&group);
}

Test(integrity, of_a_record_that_is_given_up_the_copy_stays_where_the_log_was_cut)
{
    size_t changed;
    site_flip(a, QN_TABLE_REC, 0, 1); /* its row cannot be read at all */
    site_begin(a);
    cr_assert_eq(site_end(a, qn_replica_truncate(a->replica, &group.coll, 100)), QN_OK);
    site_scrub(a);
    site_put(b, "k", "name", "bea"); /* this site will bring it itself */
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_ANEW, &changed), QN_OK);
    cr_assert_str_eq(site_shown(a, "k", "room"), "12");
    group_is_well(&group);
    cr_assert_str_eq(site_shown(c, "k", "name"), "bea");
    cr_assert_str_eq(site_shown(c, "k", "room"), "12");
}

static enum qn_err read_ops(struct site *site, const struct qn_vv *known, size_t *ret_count)
{
    struct qn_ops_request request = {
        .coll = group.coll, .known = known, .size_wish = 1 << 16, .ops_wish = 1000};
    struct qn_ops_read read = {0};
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 1 << 20);
    enum qn_err err =
        qn_read_start(memkv_reader(site->store), &group.coll, known, &request.from_seq);
    if (err == QN_OK)
        err = qn_read_ops(memkv_reader(site->store), &request, &body, &read);
    *ret_count = read.op_count;
    qn_vv_deinit(&read.last);
    return err;
}

/* From the start, and from where the log was cut at a checkpoint. */
Test(integrity, what_rotted_in_the_log_is_found_and_not_served)
{
    QN_AUTO_VV struct qn_vv known = {0};
    size_t count;
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        cr_assert_eq(read_ops(a, &known, &count), QN_OK);
        cr_assert_gt(count, 0);
        size_t size = site_entry_size(a, QN_TABLE_LOG, 0);
        site_flip(a, QN_TABLE_LOG, 0, size - 1);
        cr_assert_eq(read_ops(a, &known, &count), QN_ERR_CORRUPT);
        cr_assert_geq(site_scrub(a), 1);
        site_begin(a);
        cr_assert_eq(site_end(a, qn_replica_truncate(a->replica, &group.coll, 100)), QN_OK);
        cr_assert_eq(qn_read_cc(memkv_reader(a->store), &group.coll, &known), QN_OK);
        site_put(a, "k", "name", "new");
    }
}

Test(integrity, of_a_record_that_is_given_up_nothing_is_lost_that_left_the_log_meanwhile)
{
    size_t changed;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    site_put(b, "k", "room", "13");
    site_put(b, "k", "room", "14");
    cr_assert_eq(site_pull(a, b), QN_OK);
    site_begin(a);
    cr_assert_eq(site_end(a, qn_replica_truncate(a->replica, &group.coll, 100)), QN_OK);
    /* `b` is gone, and `c` never heard of it. */
    cr_assert_eq(site_repair(a, c, "k", QN_REPAIR_ANEW, &changed), QN_OK);
    cr_assert_eq(site_damage(a).damaged, 0);
    cr_assert_str_eq(site_shown(a, "k", "room"), "14");
    group_is_well(&group);
    cr_assert_eq(site_scrub(a), 0);
}

Test(integrity, of_a_record_that_is_given_up_nothing_is_lost_that_came_in_a_page)
{
    size_t changed;
    struct qn_page_result page = {0};
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    site_put(b, "k", "room", "13");
    cr_assert_eq(site_do(b, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_begin_pass(a), QN_OK);
    while (!page.is_end)
        cr_assert_eq(site_pull_page(a, b, 200, &page), QN_OK);
    cr_assert_eq(site_repair(a, c, "k", QN_REPAIR_ANEW, &changed), QN_OK);
    cr_assert_eq(site_damage(a).damaged, 0);
    cr_assert_str_eq(site_shown(a, "k", "room"), "13");
    cr_assert_eq(site_state(a, "k"), QN_RECORD_CONTESTED, "thrown away, and written anew");
    group_is_well(&group);
}

/* ---- what is derived, and the log ---- */

static void flips_are_mended(enum qn_table table, size_t nth, size_t from)
{
    size_t size = site_entry_size(a, table, nth);
    for (size_t byte = from; byte < size; byte++) {
        site_flip(a, table, nth, byte);
        cr_assert_geq(site_scrub(a), 1, "byte %zu is not found", byte);
        site_scrub(a); /* what was hidden by it */
        cr_assert_eq(site_scrub(a), 0, "byte %zu is not mended", byte);
        group_is_well(&group);
    }
}

Test(integrity, flips_in_fingerprints_are_found_and_mended)
{
    flips_are_mended(QN_TABLE_FP, 0, 0);
}

Test(integrity, flips_in_the_order_of_the_log_are_found_and_mended)
{
    flips_are_mended(QN_TABLE_ORDER, 1, 0);
}

Test(integrity, flips_in_the_clock_are_found_and_mended)
{
    flips_are_mended(QN_TABLE_CC, 0, 0);
}

Test(integrity, flips_in_the_counters_of_a_collection_are_found_and_mended)
{
    flips_are_mended(QN_TABLE_COLL, 0, 5);
}

Test(integrity, a_flip_in_the_log_is_found_and_the_log_goes_on_behind_it)
{
    size_t size = site_entry_size(a, QN_TABLE_LOG, 0);
    for (size_t byte = 0; byte < size; byte++) {
        tear_down();
        set_up();
        site_flip(a, QN_TABLE_LOG, 0, byte);
        cr_assert_geq(site_scrub(a), 1, "byte %zu is not found", byte);
        site_scrub(a);
        cr_assert_eq(site_scrub(a), 0, "byte %zu is not mended", byte);
        const char *fault = site_check(a);
        cr_assert_null(fault, "byte %zu: %s", byte, fault);
        site_put(a, "k", "name", "new");
        cr_assert_eq(site_pull(b, a), QN_OK);
        cr_assert_str_eq(site_shown(b, "k", "name"), "new");
    }
}

Test(integrity, a_damaged_fingerprint_does_not_stop_writing)
{
    for (size_t i = 0; i < 3; i++)
        site_flip(a, QN_TABLE_FP, i, 3);
    cr_assert_eq(site_put(a, "k", "name", "anna"), QN_OK);
    cr_assert_eq(site_put(a, "third", "name", "chloe"), QN_OK);
    site_scrub(a);
    cr_assert_eq(site_scrub(a), 0);
    group_is_well(&group);
}

/* What is written between its steps, before and behind the place that it has reached. */
Test(integrity, a_count_in_steps_is_right_about_what_is_written_meanwhile)
{
    for (size_t i = 0; i < 3; i++)
        site_flip(a, QN_TABLE_FP, i, 3);
    site_flip(a, QN_TABLE_COLL, 0, 5);
    for (int i = 0; i < 12; i++) {
        char key[16];
        snprintf(key, sizeof(key), "m%02d", i);
        cr_assert_eq(site_put(a, key, "name", "x"), QN_OK);
    }
    cr_assert_not(site_count_on(a));
    cr_assert_not(site_count_on(a));
    cr_assert_eq(site_put(a, "k", "name", "first"), QN_OK);
    cr_assert_eq(site_put(a, "a", "name", "before all"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "m00"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_ERASE, "m11"), QN_OK);
    cr_assert_eq(site_put(a, "z", "name", "behind all"), QN_OK);
    cr_assert_not(site_count_on(a));
    cr_assert_eq(site_do(a, QN_OP_ERASE, "a"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_RESTORE, "m00"), QN_OK);
    site_recount(a);
    cr_assert_eq(site_scrub(a), 0);
    group_is_well(&group);
}

Test(integrity, a_count_begins_anew_where_its_transaction_was_lost)
{
    bool is_done;
    site_flip(a, QN_TABLE_FP, 0, 3);
    cr_assert_not(site_count_on(a));
    site_begin(a);
    cr_assert_eq(qn_replica_recount(a->replica, &group.coll, 1, &is_done), QN_OK);
    cr_assert_eq(site_end(a, QN_ERR_NOSPACE), QN_ERR_NOSPACE);
    site_recount(a);
    cr_assert_eq(site_scrub(a), 0);
    group_is_well(&group);
}

Test(integrity, a_record_that_was_counted_and_is_damaged_then_is_counted_no_more)
{
    size_t changed;
    site_flip(a, QN_TABLE_FP, 0, 3);
    cr_assert_not(site_count_on(a));
    site_flip(a, QN_TABLE_REC, 0, 30);
    cr_assert_eq(site_put(a, "k", "name", "anna"), QN_ERR_DAMAGED);
    site_recount(a);
    cr_assert_eq(site_scrub(a), 0);
    cr_assert_eq(site_damage(a).damaged, 1);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    cr_assert_eq(site_scrub(a), 0);
    group_is_well(&group);
}

Test(integrity, incidents_are_remembered_with_their_place)
{
    size_t changed;
    struct qn_coll_row row;
    struct qn_incident incident;
    uint64_t number;
    site_flip(a, QN_TABLE_REC, 0, 30);
    site_scrub(a);
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    struct qn_kv *kv = memkv_reader(a->store);
    cr_assert_eq(qn_coll_row_get(kv, &group.coll, &row), QN_OK);
    cr_assert_eq(qn_incident_before(kv, row.number, UINT64_MAX, &number, &incident), QN_OK);
    cr_assert_eq(incident.kind, QN_INCIDENT_REPAIRED);
    cr_assert(qn_span_eq_str(incident.key, "k"));
    cr_assert(qn_site_id_eq(&incident.site, &b->id));
    cr_assert_eq(qn_incident_before(kv, row.number, number, &number, &incident), QN_OK);
    cr_assert_eq(incident.kind, QN_INCIDENT_DAMAGED);
    cr_assert_eq(qn_incident_before(kv, row.number, number, &number, &incident), QN_ERR_NOTFOUND);
}

/* A machine that went back in time together with its memory: nothing tells it, and it uses a
 * dot that others know otherwise. */
Test(integrity, one_dot_with_two_contents_is_found_and_both_are_kept)
{
    size_t changed;
    struct memkv *before = memkv_clone(a->store);
    site_put(a, "k", "room", "13");
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(site_pull(c, a), QN_OK);
    memkv_free(a->store);
    a->store = before;
    site_put(a, "k", "room", "14");
    cr_assert_not_null(group_check_equal(&group), "equal clocks, and another record");
    cr_assert_eq(site_repair(a, b, "k", QN_REPAIR_BOTH, &changed), QN_OK);
    cr_assert_eq(changed, 1);
    site_put(a, "other", "name", "later"); /* under the incarnation that the repair drew */
    group_settle(&group);
    const char *fault = group_check_equal(&group);
    cr_assert_null(fault, "%s", fault);
    for (size_t i = 0; i < group.count; i++) {
        QN_AUTO_RECORD struct qn_record record = {0};
        cr_assert_eq(qn_read_record(memkv_reader(group.sites[i].store), &group.coll,
                                    qn_span_str("k"), &record),
                     QN_OK);
        cr_assert_eq(qn_record_field(&record, qn_span_str("room"))->pairs.count, 2);
        cr_assert_str_eq(site_shown(&group.sites[i], "other", "name"), "later");
    }
}
