#include <pthread.h>

#include "base/limits.h"
#include "support/turns.h"

struct job_log {
    pthread_t worker;
    int worked, done;
};

static void work(void *context)
{
    struct job_log *log = context;
    log->worker = pthread_self();
    log->worked++;
}

static void done(void *context)
{
    struct job_log *log = context;
    log->done++;
}

Test(job, works_elsewhere_and_is_done_here)
{
    struct qn_loop *loop = new_loop();
    struct job_log log = {0};
    cr_assert_eq(qn_loop_job(loop, work, done, &log), QN_OK);
    turn_until(loop, log.done == 1);
    cr_assert_eq(log.worked, 1);
    cr_assert(!pthread_equal(log.worker, pthread_self()));
    free_loop(loop);
}

Test(job, free_waits_for_those_under_way)
{
    struct qn_loop *loop = new_loop();
    struct job_log logs[8] = {0};
    for (size_t i = 0; i < 8; i++)
        cr_assert_eq(qn_loop_job(loop, work, done, &logs[i]), QN_OK);
    qn_loop_free(loop);
    for (size_t i = 0; i < 8; i++)
        cr_assert_eq(logs[i].done, 1);
}

static void nothing(void *context) {}

Test(job, there_is_a_limit_and_room_again_later)
{
    struct qn_loop *loop = new_loop();
    struct job_log log = {0};
    for (size_t i = 1; i < QN_LOOP_JOBS_MAX; i++)
        cr_assert_eq(qn_loop_job(loop, nothing, nothing, NULL), QN_OK);
    cr_assert_eq(qn_loop_job(loop, work, done, &log), QN_OK);
    cr_assert_eq(qn_loop_job(loop, work, done, &log), QN_ERR_LIMIT);
    turn_until(loop, log.done == 1);
    cr_assert_eq(qn_loop_job(loop, work, done, &log), QN_OK);
    turn_until(loop, log.done == 2);
    free_loop(loop);
}
