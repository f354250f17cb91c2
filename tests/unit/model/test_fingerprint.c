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
