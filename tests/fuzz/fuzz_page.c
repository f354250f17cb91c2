/* The body of a PAGE: what is accepted stands in order and in its range, and its clock packs to the
 * bytes that it was read from. */
#include "base/limits.h"
#include "model/page.h"
#include "support/fuzz.h"

static void check_heads(const struct qn_page_heads *heads)
{
    struct qn_buf out;
    struct qn_page_heads again;
    qn_buf_init(&out, QN_PAGE_SIZE_MAX);
    qn_page_heads_pack(heads, &out);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&out));
    FUZZ_CHECK(qn_page_heads_unpack(&cursor, &again) == QN_OK);
    FUZZ_CHECK(again.list.count == heads->list.count);
    qn_page_heads_deinit(&again);
    qn_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_page page;
    if (qn_page_unpack(qn_span(data, size), &page) != QN_OK)
        return 0;
    struct qn_spot before = page.lo;
    check_heads(&page.heads);
    qn_vec_each (&page.records, record) {
        FUZZ_CHECK(record->count > 0 && record->first + record->count <= page.pairs.count);
        for (size_t i = 0; i < record->count; i++) {
            const struct qn_page_pair *pair = &page.pairs.items[record->first + i];
            struct qn_spot at = {QN_SPOT_PAIR, record->key, pair->field, pair->pair.dot};
            FUZZ_CHECK(qn_spot_cmp(&before, &at) < 0 && qn_spot_cmp(&at, &page.hi) <= 0);
            before = at;
        }
    }
    qn_page_deinit(&page);
    return 0;
}
