/* A plan that is read is written back as the same bytes. */
#include "model/book.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_plan plan;
    if (qn_plan_unpack(qn_span(data, size), &plan) != QN_OK)
        return 0;
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, QN_PLAN_SIZE_MAX);
    qn_plan_pack(&plan, &packed);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&packed), qn_span(data, size)));
    qn_plan_deinit(&plan);
    return 0;
}
