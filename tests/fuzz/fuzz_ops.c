/* The body of an OPS message: what is accepted packs to the same bytes, and each index is valid. */
#include "base/limits.h"
#include "model/op.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_cursor cursor = qn_cursor(qn_span(data, size));
    struct qn_ops ops;
    if (qn_ops_unpack(&cursor, &ops) != QN_OK)
        return 0;
    struct qn_buf out;
    qn_buf_init(&out, size);
    qn_ops_pack(&ops, &out);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&out), qn_span(data, cursor.at)));
    qn_vec_each (&ops.items, item) {
        struct qn_op op;
        FUZZ_CHECK(item->actor < ops.actors.count);
        if (qn_op_unpack(item->op, &ops.actors.items[item->actor].last.actor, &op) == QN_OK)
            qn_op_deinit(&op);
    }
    qn_buf_deinit(&out);
    qn_ops_deinit(&ops);
    return 0;
}
