#include "support/turns.h"

struct log {
    char order[16];
    size_t count;
    struct qn_timer *timer;
    struct qn_loop *loop;
};

static void note_a(void *context)
{
    struct log *log = context;
    log->order[log->count++] = 'a';
}

static void note_b(void *context)
{
    struct log *log = context;
    log->order[log->count++] = 'b';
}

Test(timer, runs_once_and_in_the_order_of_time)
{
    struct log log = {.loop = new_loop()};
    struct qn_timer *a = qn_timer_new(log.loop, note_a, &log);
    struct qn_timer *b = qn_timer_new(log.loop, note_b, &log);
    qn_timer_set(a, 2);
    qn_timer_set(b, 0);
    turn_until(log.loop, log.count == 2);
    cr_assert_str_eq(log.order, "ba");
    for (int i = 0; i < 10; i++)
        qn_loop_turn(log.loop);
    cr_assert_eq(log.count, 2);
    qn_timer_free(a);
    qn_timer_free(b);
    free_loop(log.loop);
}

Test(timer, a_new_setting_replaces_the_old_one)
{
    struct log log = {.loop = new_loop()};
    struct qn_timer *a = qn_timer_new(log.loop, note_a, &log);
    struct qn_timer *b = qn_timer_new(log.loop, note_b, &log);
    qn_timer_set(a, 0);
    qn_timer_set(a, 1000000000);
    qn_timer_set(b, 0);
    turn_until(log.loop, log.count == 1);
    cr_assert_str_eq(log.order, "b");
    qn_timer_free(a);
    qn_timer_free(b);
    free_loop(log.loop);
}

Test(timer, does_not_run_once_stopped)
{
    struct log log = {.loop = new_loop()};
    struct qn_timer *a = qn_timer_new(log.loop, note_a, &log);
    struct qn_timer *b = qn_timer_new(log.loop, note_b, &log);
    qn_timer_set(a, 0);
    qn_timer_stop(a);
    qn_timer_set(b, 0);
    turn_until(log.loop, log.count == 1);
    cr_assert_str_eq(log.order, "b");
    qn_timer_free(a);
    qn_timer_free(b);
    free_loop(log.loop);
}

static void free_own(void *context)
{
    struct log *log = context;
    log->count++;
    qn_timer_free(log->timer);
}

Test(timer, may_be_freed_by_its_own_callback)
{
    struct log log = {.loop = new_loop()};
    log.timer = qn_timer_new(log.loop, free_own, &log);
    qn_timer_set(log.timer, 0);
    turn_until(log.loop, log.count == 1);
    free_loop(log.loop);
    qn_timer_free(NULL);
}

static void set_again(void *context)
{
    struct log *log = context;
    if (++log->count < 3)
        qn_timer_set(log->timer, 0);
}

Test(timer, may_be_set_again_by_its_own_callback)
{
    struct log log = {.loop = new_loop()};
    log.timer = qn_timer_new(log.loop, set_again, &log);
    qn_timer_set(log.timer, 0);
    turn_until(log.loop, log.count == 3);
    qn_timer_free(log.timer);
    free_loop(log.loop);
}

Test(timer, a_freed_one_never_runs)
{
    struct log log = {.loop = new_loop()};
    struct qn_timer *a = qn_timer_new(log.loop, note_a, &log);
    qn_timer_set(a, 0);
    qn_timer_free(a);
    free_loop(log.loop);
    cr_assert_eq(log.count, 0);
}
