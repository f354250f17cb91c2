#include "base/mem.h"
#include "loop/loop_private.h"

struct qn_signal {
    uv_signal_t uv;
    void (*fn)(void *context);
    void *context;
};

static void on_signal(uv_signal_t *uv, int number)
{
    struct qn_signal *sig = uv->data;
    sig->fn(sig->context);
}

enum qn_err qn_signal_new(struct qn_loop *loop, int number, void (*fn)(void *context),
                          void *context, struct qn_signal **ret_signal)
{
    struct qn_signal *sig = QN_NEW(struct qn_signal);
    sig->fn = fn;
    sig->context = context;
    if (uv_signal_init(&loop->uv, &sig->uv) != 0) {
        qn_free(sig);
        return QN_ERR_IO;
    }
    sig->uv.data = sig;
    if (uv_signal_start(&sig->uv, on_signal, number) != 0) {
        qn_signal_free(sig);
        return QN_ERR_INVALID;
    }
    *ret_signal = sig;
    return QN_OK;
}

void qn_signal_free(struct qn_signal *sig)
{
    if (sig != NULL)
        qn_loop_close_handle((uv_handle_t *)&sig->uv, sig);
}
