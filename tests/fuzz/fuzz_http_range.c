/* Range, If-Range and the like from a stranger: what is granted lies within, ascends and does not
 * touch. The first bytes are the size; lines follow that are values of the fields. */
#include "http/condition.h"
#include "support/fuzz.h"

static void check(const struct qn_http_ranges *ranges, uint64_t size)
{
    uint64_t end = 0;
    FUZZ_CHECK(ranges->count <= QN_HTTP_RANGES_MAX);
    for (size_t i = 0; i < ranges->count; i++) {
        const struct qn_http_range *range = &ranges->items[i];
        FUZZ_CHECK(range->size > 0 && range->first < size && range->size <= size - range->first);
        FUZZ_CHECK(i == 0 || range->first > end);
        end = range->first + range->size;
    }
}

static void check_date(struct qn_span text)
{
    int64_t time_s, again;
    char printed[QN_HTTP_DATE_SIZE];
    if (qn_http_date_read(text, &time_s) != QN_OK)
        return;
    qn_http_date_print(time_s, printed);
    FUZZ_CHECK(strlen(printed) == QN_HTTP_DATE_SIZE - 1);
    FUZZ_CHECK(qn_http_date_read(qn_span_str(printed), &again) == QN_OK && again == time_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "Range",         "If-Range",          "If-Match",
        "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"};
    struct qn_http_head head = {.method = QN_HTTP_GET};
    struct qn_http_state state = {.exists = true, .etag = qn_span_str("\"a\"")};
    struct qn_http_ranges ranges;
    if (size < 2)
        return 0;
    uint64_t content_size = (uint64_t)data[0] << (data[1] & 63);
    struct qn_span rest = qn_span(data + 2, size - 2);
    for (size_t i = 0; i < 6 && rest.size > 0; i++) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t line = end == NULL ? rest.size : (size_t)(end - rest.data);
        head.headers[head.header_count++] =
            (struct qn_http_header){qn_span_str(names[i]), qn_span(rest.data, line)};
        check_date(qn_span(rest.data, line));
        rest = qn_span_from(rest, line + 1);
    }
    if (qn_http_ranges_read(&head, &state, content_size, &ranges) == QN_OK)
        check(&ranges, content_size);
    FUZZ_CHECK(qn_http_condition(&head, &state) <= QN_HTTP_BAD_CONDITION);
    return 0;
}
