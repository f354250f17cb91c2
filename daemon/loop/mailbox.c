#include "base/assert.h"
#include "base/mem.h"
#include "loop/loop_private.h"

struct qn_mailbox {
    uv_async_t uv;
    void (*fn)(void *context);
    void *context;
};

static void on_async(uv_async_t *uv)
{
    struct qn_mailbox *mailbox = uv->data;
    mailbox->fn(mailbox->context);
}

struct qn_mailbox *qn_mailbox_new(struct qn_loop *loop, void (*fn)(void *context), void *context)
{
    struct qn_mailbox *mailbox = QN_NEW(struct qn_mailbox);
    mailbox->fn = fn;
    mailbox->context = context;
    /* Cannot fail: the descriptor behind it was opened by uv_loop_init. */
    QN_ASSERT(uv_async_init(&loop->uv, &mailbox->uv, on_async) == 0);
    mailbox->uv.data = mailbox;
    return mailbox;
}

void qn_mailbox_post(struct qn_mailbox *mailbox)
{
    QN_ASSERT(uv_async_send(&mailbox->uv) == 0);
}

void qn_mailbox_free(struct qn_mailbox *mailbox)
{
    if (mailbox != NULL)
        qn_loop_close_handle((uv_handle_t *)&mailbox->uv, mailbox);
}
