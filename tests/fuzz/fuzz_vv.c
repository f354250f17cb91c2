/* A vector that is accepted is canonical: packing it gives the bytes that were read. */
#include "model/clock.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_cursor cursor = qn_cursor(qn_span(data, size));
    struct qn_vv vv;
    if (qn_vv_unpack(&cursor, &vv) != QN_OK)
        return 0;
    struct qn_buf out;
    qn_buf_init(&out, size);
    qn_vv_pack(&vv, &out);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&out), qn_span(data, cursor.at)));
    FUZZ_CHECK(qn_vv_covers(&vv, &vv) && qn_vv_missing(&vv, &vv) == 0);
    qn_buf_deinit(&out);
    qn_vv_deinit(&vv);
    return 0;
}
