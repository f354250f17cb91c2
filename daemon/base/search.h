/* Binary search in a sorted array: the one of the project. Inline, so that the comparison is too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The order of an item against a key: negative if the item stands before it. */
typedef int qn_order(const void *item, const void *key);

/* The index of the first item that is not before the key, and whether it is the key's own. Items
 * ascend by `order` and no two are equal. */
static inline size_t qn_search(const void *items, size_t count, size_t item_size, const void *key,
                               qn_order *order, bool *ret_is_there)
{
    size_t low = 0, high = count;
    *ret_is_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int found = order((const char *)items + middle * item_size, key);
        *ret_is_there |= found == 0;
        if (found < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The same in a vector (vec.h); `key` is a pointer. */
#define qn_vec_search(vec, key, order, ret_is_there)                                               \
    qn_search((vec)->items, (vec)->count, sizeof(*(vec)->items), (key), (order), (ret_is_there))
