#include <criterion/criterion.h>

#include "model/fingerprint.h"
#include "support/memkv.h"
#include "support/span.h"

Test(sum, wraps_and_is_undone)
{
    uint8_t sum[QN_SUM_SIZE] = {0}, one[QN_SUM_SIZE] = {0}, all[QN_SUM_SIZE],
            zero[QN_SUM_SIZE] = {0};
    one[31] = 1;
    memset(all, 0xff, sizeof(all));
    qn_sum_sub(sum, one);
    cr_assert_arr_eq(sum, all, sizeof(all));
    qn_sum_add(sum, one);
    cr_assert_arr_eq(sum, zero, sizeof(zero));
    qn_sum_add(sum, all);
    qn_sum_add(sum, all);
    qn_sum_sub(sum, all);
    cr_assert_arr_eq(sum, all, sizeof(all));
}

Test(fingerprint, what_comes_and_goes_leaves_nothing)
{
    struct memkv *store = memkv_new();
    struct qn_kv *kv = memkv_begin(store);
    struct qn_coll_row row = {.number = 1}, empty = {.number = 1};
    struct qn_digest a = {{1}}, b = {{0xff, 2}};
    cr_assert_eq(qn_fp_change(kv, &row, 7, NULL, NULL), QN_OK);
    cr_assert_eq(qn_fp_change(kv, &row, 7, NULL, &a), QN_OK);
    cr_assert_eq(qn_fp_change(kv, &row, 7, NULL, &b), QN_OK);
    cr_assert_eq(row.rows, 2);
    cr_assert_eq(memkv_count(store, QN_TABLE_FP), 1);
    cr_assert_eq(qn_fp_change(kv, &row, 7, &a, NULL), QN_OK);
    cr_assert_eq(qn_fp_change(kv, &row, 7, &b, &a), QN_OK);
    cr_assert_eq(qn_fp_change(kv, &row, 7, &a, NULL), QN_OK);
    cr_assert_eq(memkv_count(store, QN_TABLE_FP), 0);
    cr_assert_arr_eq(row.sum, empty.sum, sizeof(row.sum));
    cr_assert_eq(qn_fp_change(kv, &row, 7, &a, NULL), QN_ERR_CORRUPT);
    memkv_free(store);
}

/* Rows of the layout before this one, a bucket each. */
static void put_bucket(struct qn_kv *kv, uint16_t bucket, const struct qn_digest *leaf)
{
    uint8_t value[4 + QN_SUM_SIZE] = {0, 0, 0, 1};
    uint8_t key[6] = {0, 0, 0, 1, (uint8_t)(bucket >> 8), (uint8_t)bucket};
    memcpy(value + 4, leaf->bytes, QN_SUM_SIZE);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_FP, QN_SPAN_OF(key), QN_SPAN_OF(value)), QN_OK);
}

Test(fingerprint, rows_of_an_earlier_release_go_into_their_group_when_it_changes)
{
    struct memkv *store = memkv_new();
    struct qn_kv *kv = memkv_begin(store);
    struct qn_coll_row row = {.number = 1, .rows = 3};
    struct qn_digest a = {{1}}, b = {{0xff, 2}}, c = {{3}};
    put_bucket(kv, 0x0700, &a);
    put_bucket(kv, 0x07ff, &b);
    put_bucket(kv, 0x0800, &c);
    qn_sum_add(row.sum, a.bytes);
    qn_sum_add(row.sum, b.bytes);
    qn_sum_add(row.sum, c.bytes);
    cr_assert_eq(qn_fp_change(kv, &row, 7, &a, NULL), QN_OK);
    cr_assert_eq(memkv_count(store, QN_TABLE_FP), 2);
    cr_assert_eq(qn_fp_change(kv, &row, 7, &b, NULL), QN_OK);
    cr_assert_eq(memkv_count(store, QN_TABLE_FP), 1);
    cr_assert_eq(row.rows, 1);
    cr_assert_arr_eq(row.sum, c.bytes, sizeof(row.sum));
    cr_assert_eq(qn_fp_change(kv, &row, 8, &c, &b), QN_OK);
    cr_assert_eq(memkv_count(store, QN_TABLE_FP), 1);
    cr_assert_eq(qn_fp_change(kv, &row, 8, &b, NULL), QN_OK);
    cr_assert_eq(memkv_count(store, QN_TABLE_FP), 0);
    memkv_free(store);
}
