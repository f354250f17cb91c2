/* JSON from a stranger: what is taken is canonical msgpack, and its print is read back to the same.
 */
#include "json/in.h"
#include "json/out.h"
#include "proto/cursor.h"
#include "support/fuzz.h"

#define DEPTH_MAX 34

static bool pack(struct qn_span text, struct qn_buf *out)
{
    json_error_t reason;
    json_t *value = qn_json_is_shallow(text, DEPTH_MAX) ? qn_json_parse(text, &reason) : NULL;
    if (value != NULL)
        qn_json_pack(value, out);
    json_decref(value);
    return value != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_buf packed, printed, again;
    qn_buf_init(&packed, 16 * size + 64);
    qn_buf_init(&printed, 32 * size + 1024);
    qn_buf_init(&again, 16 * size + 64);
    if (pack(qn_span(data, size), &packed)) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(&packed));
        struct qn_span item;
        FUZZ_CHECK(qn_cursor_skip(&cursor, DEPTH_MAX, &item) == QN_OK);
        FUZZ_CHECK(qn_cursor_is_end(&cursor));
        qn_json_value(&printed, qn_buf_view(&packed));
        FUZZ_CHECK(!printed.is_over && pack(qn_buf_view(&printed), &again));
        FUZZ_CHECK(qn_span_eq(qn_buf_view(&packed), qn_buf_view(&again)));
    }
    qn_buf_deinit(&packed);
    qn_buf_deinit(&printed);
    qn_buf_deinit(&again);
    return 0;
}
