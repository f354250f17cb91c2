/* Turns a loop until something is so, within a bound, instead of sleeping. */
#pragma once

#include <criterion/criterion.h>
#include <sched.h>

#include "loop/loop.h"

/* A turn does not wait. The bound is only there so that a broken test ends; between two turns other
 * threads and the kernel get the processor. */
#define TURNS_MAX 4000000

#define turn_until(loop, condition)                                                                \
    do {                                                                                           \
        int turns_left_ = TURNS_MAX;                                                               \
        while (!(condition) && turns_left_-- > 0) {                                                \
            qn_loop_turn(loop);                                                                    \
            sched_yield();                                                                         \
        }                                                                                          \
        cr_assert(condition, "never so: %s", #condition);                                          \
    } while (0)

static inline struct qn_loop *new_loop(void)
{
    struct qn_loop *loop = NULL;
    cr_assert_eq(qn_loop_new(&loop), QN_OK);
    return loop;
}

/* Nothing may be left open: a handle that its owner forgot fails here. */
static inline void free_loop(struct qn_loop *loop)
{
    for (int i = 0; i < TURNS_MAX && qn_loop_turn(loop); i++)
        sched_yield();
    cr_assert(!qn_loop_turn(loop), "a handle was left open");
    qn_loop_free(loop);
}
