#include <criterion/criterion.h>

#include "base/vec.h"

typedef QN_VEC(int) int_vec;

static int_vec counting(int count)
{
    int_vec vec = {0};
    for (int i = 0; i < count; i++)
        qn_vec_push(&vec, i);
    return vec;
}

static void assert_items(const int_vec *vec, size_t count, const int *wanted)
{
    cr_assert_eq(vec->count, count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(vec->items[i], wanted[i], "item %zu is %d", i, vec->items[i]);
}

Test(vec, a_zeroed_one_is_empty)
{
    int_vec vec = {0};
    int seen = 0;
    qn_vec_each (&vec, it)
        seen++;
    cr_assert_eq(seen, 0);
    qn_vec_free(&vec);
}

Test(vec, grows_and_keeps_its_items)
{
    int_vec vec = counting(1000);
    cr_assert_eq(vec.count, 1000);
    int wanted = 0;
    qn_vec_each (&vec, it)
        cr_assert_eq(*it, wanted++);
    cr_assert_eq(wanted, 1000);
    qn_vec_free(&vec);
}

Test(vec, free_leaves_it_usable)
{
    int_vec vec = counting(3);
    qn_vec_free(&vec);
    cr_assert_null(vec.items);
    qn_vec_push(&vec, 7);
    assert_items(&vec, 1, (int[]){7});
    qn_vec_free(&vec);
}

Test(vec, insert_moves_the_rest_up)
{
    int_vec vec = {0};
    *qn_vec_insert_slot(&vec, 0) = 2;
    *qn_vec_insert_slot(&vec, 0) = 0;
    *qn_vec_insert_slot(&vec, 1) = 1;
    *qn_vec_insert_slot(&vec, 3) = 3;
    assert_items(&vec, 4, (int[]){0, 1, 2, 3});
    qn_vec_free(&vec);
}

Test(vec, insert_when_full_grows)
{
    int_vec vec = counting(8);
    *qn_vec_insert_slot(&vec, 4) = 99;
    assert_items(&vec, 9, (int[]){0, 1, 2, 3, 99, 4, 5, 6, 7});
    qn_vec_free(&vec);
}

Test(vec, remove_keeps_the_order)
{
    int_vec vec = counting(4);
    qn_vec_remove(&vec, 1);
    assert_items(&vec, 3, (int[]){0, 2, 3});
    qn_vec_remove(&vec, 2);
    qn_vec_remove(&vec, 0);
    assert_items(&vec, 1, (int[]){2});
    qn_vec_remove(&vec, 0);
    cr_assert_eq(vec.count, 0);
    qn_vec_free(&vec);
}
