/* A value that is accepted is one whole item within its limits. */
#include "base/limits.h"
#include "model/value.h"
#include "proto/cursor.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_span value = qn_span(data, size), item;
    if (qn_value_check(value) != QN_OK)
        return 0;
    struct qn_cursor cursor = qn_cursor(value);
    FUZZ_CHECK(size <= QN_VALUE_SIZE_MAX);
    FUZZ_CHECK(qn_cursor_skip(&cursor, QN_VALUE_DEPTH_MAX, &item) == QN_OK);
    FUZZ_CHECK(item.size == size);
    return 0;
}
