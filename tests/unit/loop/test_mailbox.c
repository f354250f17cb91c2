#include <pthread.h>
#include <stdatomic.h>

#include "support/turns.h"

struct box {
    struct qn_mailbox *mailbox;
    pthread_t reader; /* the thread that fn ran on */
    size_t calls;
    atomic_int posted;
};

static void on_mail(void *context)
{
    struct box *box = context;
    box->reader = pthread_self();
    box->calls++;
}

static void *post_many(void *context)
{
    struct box *box = context;
    for (int i = 0; i < 1000; i++) {
        atomic_fetch_add(&box->posted, 1);
        qn_mailbox_post(box->mailbox);
    }
    return NULL;
}

Test(mailbox, posts_before_a_turn_are_one_call)
{
    struct qn_loop *loop = new_loop();
    struct box box = {0};
    box.mailbox = qn_mailbox_new(loop, on_mail, &box);
    for (int i = 0; i < 5; i++)
        qn_mailbox_post(box.mailbox);
    turn_until(loop, box.calls > 0);
    qn_loop_turn(loop);
    cr_assert_eq(box.calls, 1);
    qn_mailbox_free(box.mailbox);
    free_loop(loop);
    qn_mailbox_free(NULL);
}

Test(mailbox, other_threads_wake_the_loop_thread)
{
    struct qn_loop *loop = new_loop();
    struct box box = {0};
    pthread_t threads[4];
    box.mailbox = qn_mailbox_new(loop, on_mail, &box);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, post_many, &box), 0);
    turn_until(loop, box.calls > 0 && atomic_load(&box.posted) == 4000);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert(pthread_equal(box.reader, pthread_self()));
    qn_mailbox_free(box.mailbox);
    free_loop(loop);
}

Test(mailbox, a_freed_one_is_silent)
{
    struct qn_loop *loop = new_loop();
    struct box box = {0};
    box.mailbox = qn_mailbox_new(loop, on_mail, &box);
    qn_mailbox_post(box.mailbox);
    qn_mailbox_free(box.mailbox);
    free_loop(loop);
    cr_assert_eq(box.calls, 0);
}
