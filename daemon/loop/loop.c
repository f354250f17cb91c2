#include "loop/loop.h"

#include <signal.h>

#include "base/assert.h"
#include "base/mem.h"
#include "loop/loop_private.h"

enum qn_err qn_loop_new(struct qn_loop **ret_loop)
{
    struct qn_loop *loop = QN_NEW(struct qn_loop);
    if (uv_loop_init(&loop->uv) != 0) {
        qn_free(loop);
        return QN_ERR_IO;
    }
    signal(SIGPIPE, SIG_IGN); /* libuv writes to sockets without MSG_NOSIGNAL */
    *ret_loop = loop;
    return QN_OK;
}

static void assert_closing(uv_handle_t *handle, void *context)
{
    QN_ASSERT(uv_is_closing(handle));
}

/* Waits for close callbacks and jobs only: whatever could run for ever is a bug of its owner. */
void qn_loop_free(struct qn_loop *loop)
{
    if (loop == NULL)
        return;
    do
        uv_walk(&loop->uv, assert_closing, NULL);
    while (uv_run(&loop->uv, UV_RUN_ONCE) != 0);
    QN_ASSERT(loop->job_count == 0);
    QN_ASSERT(uv_loop_close(&loop->uv) == 0);
    qn_free(loop);
}

void qn_loop_run(struct qn_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void qn_loop_stop(struct qn_loop *loop)
{
    uv_stop(&loop->uv);
}

static void note_open(uv_handle_t *handle, void *context)
{
    *(bool *)context = true;
}

bool qn_loop_turn(struct qn_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    bool is_open = uv_loop_alive(&loop->uv) != 0; /* requests count too */
    uv_walk(&loop->uv, note_open, &is_open);      /* and idle handles, which libuv leaves out */
    return is_open;
}

void qn_loop_wait(struct qn_loop *loop)
{
    uv_run(&loop->uv, UV_RUN_ONCE);
}

uint64_t qn_loop_now_ms(const struct qn_loop *loop)
{
    return uv_now(&loop->uv);
}

struct uv_loop_s *qn_loop_uv(struct qn_loop *loop)
{
    return &loop->uv;
}

static void free_owner(uv_handle_t *handle)
{
    qn_free(handle->data);
}

void qn_loop_close_handle(uv_handle_t *handle, void *owner)
{
    QN_ASSERT(!uv_is_closing(handle));
    handle->data = owner;
    uv_close(handle, free_owner);
}
