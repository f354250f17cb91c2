#include "base/assert.h"
#include "base/mem.h"
#include "loop/loop_private.h"

struct qn_timer {
    uv_timer_t uv;
    void (*fn)(void *context);
    void *context;
};

struct qn_timer *qn_timer_new(struct qn_loop *loop, void (*fn)(void *context), void *context)
{
    struct qn_timer *timer = QN_NEW(struct qn_timer);
    timer->fn = fn;
    timer->context = context;
    QN_ASSERT(uv_timer_init(&loop->uv, &timer->uv) == 0);
    timer->uv.data = timer;
    return timer;
}

static void on_timer(uv_timer_t *uv)
{
    struct qn_timer *timer = uv->data;
    timer->fn(timer->context);
}

void qn_timer_set(struct qn_timer *timer, uint64_t delay_ms)
{
    QN_ASSERT(uv_timer_start(&timer->uv, on_timer, delay_ms, 0) == 0);
}

void qn_timer_stop(struct qn_timer *timer)
{
    QN_ASSERT(uv_timer_stop(&timer->uv) == 0);
}

void qn_timer_free(struct qn_timer *timer)
{
    if (timer != NULL)
        qn_loop_close_handle((uv_handle_t *)&timer->uv, timer);
}
