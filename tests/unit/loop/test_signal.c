#include <signal.h>

#include "support/turns.h"

static void count(void *context)
{
    ++*(int *)context;
}

Test(sig, each_arrival_is_a_call)
{
    struct qn_loop *loop = new_loop();
    struct qn_signal *sig = NULL;
    int calls = 0;
    cr_assert_eq(qn_signal_new(loop, SIGUSR1, count, &calls, &sig), QN_OK);
    for (int wanted = 1; wanted <= 3; wanted++) {
        raise(SIGUSR1);
        turn_until(loop, calls == wanted);
    }
    qn_signal_free(sig);
    free_loop(loop);
    qn_signal_free(NULL);
}

Test(sig, a_number_that_is_none)
{
    struct qn_loop *loop = new_loop();
    struct qn_signal *sig = NULL;
    int calls = 0;
    cr_assert_eq(qn_signal_new(loop, 0, count, &calls, &sig), QN_ERR_INVALID);
    cr_assert_null(sig);
    free_loop(loop);
}
