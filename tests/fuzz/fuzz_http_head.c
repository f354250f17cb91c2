/* A head from a stranger: what is taken is within the bytes, has one framing, and every part of it
 * is what the head says it is; what asks for more asks no more when there is more than a head may
 * be. */
#include "base/mem.h"
#include "http/condition.h"
#include "http/target.h"
#include "support/fuzz.h"

static void check_within(struct qn_span part, struct qn_span bytes)
{
    FUZZ_CHECK(part.size == 0 ||
               (part.data >= bytes.data && part.data + part.size <= bytes.data + bytes.size));
}

static void check_fields(const struct qn_http_head *head, struct qn_span bytes)
{
    FUZZ_CHECK(head->header_count <= QN_HTTP_HEADERS_MAX);
    for (size_t i = 0; i < head->header_count; i++) {
        check_within(head->headers[i].name, bytes);
        check_within(head->headers[i].value, bytes);
        FUZZ_CHECK(head->headers[i].name.size > 0);
        for (size_t k = 0; k < head->headers[i].value.size; k++)
            FUZZ_CHECK(strchr("\r\n", head->headers[i].value.data[k]) == NULL ||
                       head->headers[i].value.data[k] == 0);
    }
}

static void check_ok(const struct qn_http_head *head, struct qn_span bytes)
{
    struct qn_http_target target;
    struct qn_http_state state = {.exists = true, .etag = qn_span_str("\"a\"")};
    struct qn_http_ranges ranges;
    check_within(head->target, bytes);
    check_within(head->host, bytes);
    check_fields(head, bytes);
    FUZZ_CHECK(!head->is_chunked || head->content_length == QN_HTTP_NO_LENGTH);
    FUZZ_CHECK(head->content_length == QN_HTTP_NO_LENGTH || head->content_length <= INT64_MAX);
    FUZZ_CHECK(head->is_1_0 || head->host.size > 0);
    FUZZ_CHECK(qn_http_target_split(head->target, &target) == QN_OK);
    FUZZ_CHECK(qn_http_condition(head, &state) <= QN_HTTP_BAD_CONDITION);
    FUZZ_CHECK(qn_http_ranges_read(head, &state, 1000, &ranges) != QN_OK ||
               ranges.count <= QN_HTTP_RANGES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_http_head head;
    struct qn_http_refusal refusal = {0};
    size_t used;
    enum qn_err err = qn_http_head_read(qn_span(data, size), &head, &used, &refusal);
    FUZZ_CHECK(err != QN_ERR_HELD || size < QN_HTTP_HEAD_SIZE_MAX);
    FUZZ_CHECK(err == QN_OK || err == QN_ERR_HELD || (refusal.status >= 400 && refusal.why));
    if (err != QN_OK)
        return 0;
    FUZZ_CHECK(used <= size && used <= QN_HTTP_HEAD_SIZE_MAX + 2);
    FUZZ_CHECK(memcmp(data + used - 4, "\r\n\r\n", 4) == 0);
    check_ok(&head, qn_span(data, used));
    return 0;
}
