/* A typed growable array: struct { T *items; size_t count, capacity; }.
 *
 * Growth is the caller's to bound: every push stands behind a check against limits.h when its
 * number comes from outside. A zeroed vector is empty and valid.
 */
#pragma once

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

#define QN_VEC(type)                                                                               \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }

/* Makes room for one more and yields a pointer to it (not initialised, counted). */
#define qn_vec_push_slot(vec)   (qn_vec_grow((vec)), &(vec)->items[(vec)->count++])
#define qn_vec_push(vec, value) ((void)(*qn_vec_push_slot(vec) = (value)))
#define qn_vec_grow(vec)                                                                           \
    ((vec)->count < (vec)->capacity                                                                \
         ? (void)0                                                                                 \
         : (void)((vec)->capacity = (vec)->capacity ? (vec)->capacity * 2 : 8,                     \
                  (vec)->items =                                                                   \
                      qn_realloc((vec)->items, (vec)->capacity * sizeof(*(vec)->items))))
/* Inserts before index `at`; yields the pointer. */
#define qn_vec_insert_slot(vec, at)                                                                \
    (qn_vec_grow((vec)),                                                                           \
     memmove(&(vec)->items[(at) + 1], &(vec)->items[(at)],                                         \
             ((vec)->count - (at)) * sizeof(*(vec)->items)),                                       \
     (vec)->count++, &(vec)->items[(at)])
/* Removes index `at`, keeping the order of the rest. */
#define qn_vec_remove(vec, at)                                                                     \
    (memmove(&(vec)->items[(at)], &(vec)->items[(at) + 1],                                         \
             ((vec)->count - (at)-1) * sizeof(*(vec)->items)),                                     \
     (void)(vec)->count--)
#define qn_vec_free(vec)                                                                           \
    (qn_free((vec)->items), (vec)->items = NULL, (vec)->count = (vec)->capacity = 0)
#define qn_vec_each(vec, it)                                                                       \
    for (__typeof__(*(vec)->items) *it = (vec)->items;                                             \
         (vec)->count > 0 && it < (vec)->items + (vec)->count; it++)
