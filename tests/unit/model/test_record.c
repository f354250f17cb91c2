#include <criterion/criterion.h>

#include "base/text.h"
#include "model/record.h"
#include "proto/pack.h"
#include "support/span.h"

static void add(struct qn_record *record, const char *field, uint8_t actor, uint64_t ctr,
                qn_hlc hlc, struct qn_span value)
{
    struct qn_pair pair = {.dot = {{{actor}}, ctr}, .hlc = hlc, .value = value};
    qn_record_add(record, qn_span_str(field), &pair);
}

static bool take(struct qn_record *record, const char *field, uint8_t actor, uint64_t ctr)
{
    struct qn_dot dot = {{{actor}}, ctr};
    return qn_record_remove(record, qn_span_str(field), &dot);
}

Test(record, fields_and_pairs_are_kept_in_order)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    add(&record, "b", 1, 1, 1, SPAN("\x01"));
    add(&record, "a", 2, 1, 1, SPAN("\x01"));
    add(&record, "a", 1, 2, 1, SPAN("\x02"));
    add(&record, "a", 1, 1, 1, SPAN("\x03"));
    cr_assert_eq(record.fields.count, 2);
    const struct qn_field *field = qn_record_field(&record, SPAN("a"));
    cr_assert_eq(field, &record.fields.items[0]);
    cr_assert_eq(field->pairs.count, 3);
    for (size_t i = 1; i < 3; i++)
        cr_assert_lt(qn_dot_cmp(&field->pairs.items[i - 1].dot, &field->pairs.items[i].dot), 0);
    cr_assert_null(qn_record_field(&record, SPAN("c")));
}

Test(record, a_pair_is_removed_from_its_field_only)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    add(&record, "a", 1, 1, 1, SPAN("\x01"));
    add(&record, "b", 1, 1, 1, SPAN("\x01"));
    cr_assert(!take(&record, "c", 1, 1));
    cr_assert(!take(&record, "a", 1, 2));
    cr_assert(take(&record, "a", 1, 1));
    cr_assert_null(qn_record_field(&record, SPAN("a")));
    cr_assert_not_null(qn_record_field(&record, SPAN("b")));
}

Test(record, shown_is_the_highest_clock_then_actor)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    add(&record, "a", 1, 9, 5, SPAN("\x01"));
    add(&record, "a", 2, 1, 5, SPAN("\x02"));
    add(&record, "a", 3, 1, 4, SPAN("\x03"));
    assert_span_eq(qn_field_shown(&record.fields.items[0])->value, SPAN("\x02"));
    add(&record, "b", 1, 10, 6, SPAN("\x04"));
    cr_assert_eq(qn_record_latest(&record)->hlc, 6);
}

Test(record, equal_values_are_no_conflict)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    cr_assert(!qn_record_has_conflict(&record));
    add(&record, "a", 1, 1, 1, SPAN("\x01"));
    add(&record, "a", 2, 1, 1, SPAN("\x01"));
    cr_assert(!qn_record_has_conflict(&record));
    add(&record, "a", 3, 1, 1, SPAN("\x02"));
    cr_assert(qn_record_has_conflict(&record));
}

static struct qn_span trash_value(const struct qn_record *record, struct qn_buf *out)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    QN_AUTO_BUF struct qn_buf hex;
    qn_record_hash(record, true, hash);
    qn_buf_init(&hex, 32);
    qn_buf_init(out, 64);
    qn_text_append_hex(&hex, QN_SPAN_OF(hash));
    qn_pack_str(out, qn_buf_view(&hex));
    return qn_buf_view(out);
}

Test(record, states)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf value;
    cr_assert_eq(qn_record_state(&record), QN_RECORD_NONE);
    add(&record, "a", 1, 1, 1, SPAN("\x01"));
    cr_assert_eq(qn_record_state(&record), QN_RECORD_LIVE);
    add(&record, QN_FIELD_TRASH, 1, 2, 1, trash_value(&record, &value));
    cr_assert_eq(qn_record_state(&record), QN_RECORD_TRASHED);
    cr_assert(!qn_record_has_conflict(&record));
    add(&record, "a", 2, 1, 1, SPAN("\x02"));
    cr_assert_eq(qn_record_state(&record), QN_RECORD_CONTESTED);
    cr_assert(qn_record_has_conflict(&record));
    take(&record, "a", 1, 1);
    take(&record, "a", 2, 1);
    cr_assert_eq(qn_record_state(&record), QN_RECORD_TRASHED);
}

Test(record, one_of_two_trashings_that_saw_all_is_enough)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf value;
    add(&record, "a", 1, 1, 1, SPAN("\x01"));
    add(&record, QN_FIELD_TRASH, 2, 1, 9, SPAN("\xa1x"));
    add(&record, QN_FIELD_TRASH, 1, 2, 1, trash_value(&record, &value));
    cr_assert_eq(qn_record_state(&record), QN_RECORD_TRASHED);
}

/* The canonical form, written out by hand. */
Test(record, hash_is_over_the_canonical_form)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    uint8_t hash[QN_STATE_HASH_SIZE], other[QN_STATE_HASH_SIZE];
    struct qn_digest digest;
    add(&record, "a", 1, 5, 7, SPAN("\x01"));
    qn_record_hash(&record, false, hash);
    QN_DIGEST(&digest, SPAN("\x92\xa1"
                            "a\x94\xc4\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\x07\x01"));
    cr_assert_arr_eq(hash, digest.bytes, sizeof(hash));
    record.fields.items[0].pairs.items[0].user = SPAN("ana");
    qn_record_hash(&record, false, other);
    cr_assert_arr_eq(hash, other, sizeof(hash), "a user is not part of the state");
    add(&record, QN_FIELD_TRASH, 1, 6, 8, SPAN("\x01"));
    qn_record_hash(&record, true, other);
    cr_assert_arr_eq(hash, other, sizeof(hash));
}

Test(record, leaf_and_bucket)
{
    struct qn_coll_id coll = {{1}};
    uint8_t hash[QN_STATE_HASH_SIZE] = {2};
    struct qn_digest leaf, wanted;
    qn_record_leaf(&coll, SPAN("key"), hash, &leaf);
    QN_DIGEST(&wanted, QN_SPAN_OF(coll.bytes), SPAN("key"), QN_SPAN_OF(hash));
    cr_assert(qn_digest_eq(&leaf, &wanted));
    QN_DIGEST(&wanted, SPAN("key"));
    cr_assert_eq(qn_record_bucket(SPAN("key")), qn_read_u16(wanted.bytes));
}
