#include <signal.h>
#include <unistd.h>

#include "support/turns.h"

Test(loop, fresh_one_has_no_handles)
{
    struct qn_loop *loop = new_loop();
    cr_assert(!qn_loop_turn(loop));
    qn_loop_free(loop);
    qn_loop_free(NULL);
}

static void stop(void *context)
{
    qn_loop_stop(context);
}

Test(loop, runs_until_it_is_stopped)
{
    struct qn_loop *loop = new_loop();
    struct qn_timer *stopper = qn_timer_new(loop, stop, loop);
    struct qn_timer *never = qn_timer_new(loop, stop, loop);
    qn_timer_set(stopper, 0);
    qn_timer_set(never, 1000000000);
    qn_loop_run(loop);
    qn_timer_free(stopper);
    qn_timer_free(never);
    free_loop(loop);
}

Test(loop, a_stop_before_the_run_counts)
{
    struct qn_loop *loop = new_loop();
    struct qn_timer *never = qn_timer_new(loop, stop, loop);
    qn_timer_set(never, 1000000000);
    qn_loop_stop(loop);
    qn_loop_run(loop);
    qn_timer_free(never);
    free_loop(loop);
}

Test(loop, an_idle_handle_is_open_all_the_same)
{
    struct qn_loop *loop = new_loop();
    struct qn_timer *timer = qn_timer_new(loop, stop, loop);
    cr_assert(qn_loop_turn(loop));
    qn_timer_free(timer);
    free_loop(loop);
}

Test(loop, free_runs_the_close_callbacks_that_are_due)
{
    struct qn_loop *loop = new_loop();
    qn_timer_free(qn_timer_new(loop, stop, loop));
    qn_loop_free(loop); /* the leak check sees to the rest */
}

Test(loop, an_open_handle_at_the_end_is_a_bug, .signal = SIGABRT)
{
    struct qn_loop *loop = new_loop();
    struct qn_timer *timer = qn_timer_new(loop, stop, loop);
    qn_timer_set(timer, 1);
    qn_loop_free(loop);
}

Test(loop, a_closed_pipe_does_not_end_the_process)
{
    struct qn_loop *loop = new_loop();
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    close(ends[0]);
    cr_assert_eq(write(ends[1], "x", 1), -1);
    close(ends[1]);
    qn_loop_free(loop);
}
