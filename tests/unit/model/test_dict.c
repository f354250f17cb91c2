#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "model/dict.h"
#include "support/memkv.h"
#include "support/span.h"

Test(dict, numbers_are_given_once_and_stay)
{
    struct memkv *store = memkv_new();
    struct qn_dict dict;
    uint32_t a, b, again;
    struct qn_span name;
    struct qn_actor one = {{1}}, two = {{2}}, back;
    struct qn_kv *kv = memkv_begin(store);
    qn_dict_init(&dict, kv, true);
    cr_assert_eq(qn_dict_find_actor(&dict, &one, &a), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_dict_number_actor(&dict, &one, &a), QN_OK);
    cr_assert_eq(qn_dict_number_actor(&dict, &two, &b), QN_OK);
    cr_assert_eq(a, 1);
    cr_assert_eq(b, 2);
    cr_assert_eq(qn_dict_number_name(&dict, SPAN("city"), &a), QN_OK);
    qn_dict_deinit(&dict);
    qn_dict_init(&dict, kv, true);
    cr_assert_eq(qn_dict_number_name(&dict, SPAN("city"), &again), QN_OK);
    cr_assert_eq(a, again);
    cr_assert_eq(qn_dict_name_of(&dict, a, &name), QN_OK);
    assert_span_eq(name, SPAN("city"));
    cr_assert_eq(qn_dict_actor_of(&dict, 2, &back), QN_OK);
    cr_assert_eq(qn_actor_cmp(&back, &two), 0);
    cr_assert_eq(qn_dict_actor_of(&dict, 3, &back), QN_ERR_CORRUPT);
    cr_assert_eq(qn_dict_actor_of(&dict, 0, &back), QN_ERR_CORRUPT);
    cr_assert_eq(qn_dict_name_of(&dict, 9, &name), QN_ERR_CORRUPT);
    qn_dict_deinit(&dict);
    memkv_free(store);
}

Test(dict, names_beyond_the_limit_have_no_number)
{
    struct memkv *store = memkv_new();
    struct qn_dict dict;
    uint32_t number;
    char name[16];
    qn_dict_init(&dict, memkv_begin(store), true);
    for (int i = 0; i < QN_DICT_NAMES_MAX + 5; i++) {
        snprintf(name, sizeof(name), "name%d", i);
        cr_assert_eq(qn_dict_number_name(&dict, qn_span_str(name), &number), QN_OK);
        cr_assert_eq(number, i < QN_DICT_NAMES_MAX ? (uint32_t)i + 1 : 0);
    }
    cr_assert_eq(qn_dict_number_name(&dict, SPAN("name7"), &number), QN_OK);
    cr_assert_eq(number, 8);
    qn_dict_deinit(&dict);
    memkv_free(store);
}
