#include <criterion/criterion.h>

#include "base/search.h"
#include "base/vec.h"

static int order_of(const void *item, const void *key)
{
    int a = *(const int *)item, b = *(const int *)key;
    return (a > b) - (a < b);
}

Test(search, nothing_is_in_an_empty_vector)
{
    QN_VEC(int) empty = {0};
    bool is_there = true;
    int key = 1;
    cr_assert_eq(qn_vec_search(&empty, &key, order_of, &is_there), 0);
    cr_assert_not(is_there);
}

/* Every size, every place: what is there is found, what is not would stand there. */
Test(search, finds_what_is_there_and_the_place_of_what_is_not)
{
    QN_VEC(int) odd = {0};
    for (int count = 0; count < 40; count++) {
        for (int key = 0; key <= 2 * count; key++) {
            bool is_there;
            size_t at = qn_vec_search(&odd, &key, order_of, &is_there);
            cr_assert_eq(at, (size_t)key / 2);
            cr_assert_eq(is_there, key % 2 == 1);
        }
        qn_vec_push(&odd, 2 * count + 1);
    }
    qn_vec_free(&odd);
}
