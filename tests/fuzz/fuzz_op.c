/* An operation that is accepted is canonical: equal operations have equal bytes and equal hashes.
 */
#include "base/limits.h"
#include "model/op.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct qn_actor actor = {{1, 2, 3}};
    struct qn_op op;
    if (qn_op_unpack(qn_span(data, size), &actor, &op) != QN_OK)
        return 0;
    struct qn_buf out;
    qn_buf_init(&out, 2 * QN_OP_SIZE_MAX);
    FUZZ_CHECK(qn_op_pack(&op, &out) == QN_OK);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&out), qn_span(data, size)));
    qn_buf_deinit(&out);
    qn_op_deinit(&op);
    return 0;
}
