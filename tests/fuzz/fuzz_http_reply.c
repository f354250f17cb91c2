/* The head of an answer from another site: what is taken is within the bytes, has one framing, and
 * can be said again; what asks for more asks no more when there is more than a head may be. */
#include "http/answer.h"
#include "http/reply.h"
#include "support/fuzz.h"

static void check_within(struct qn_span part, struct qn_span bytes)
{
    FUZZ_CHECK(part.size == 0 ||
               (part.data >= bytes.data && part.data + part.size <= bytes.data + bytes.size));
}

static void check_ok(unsigned status, const struct qn_http_head *head, struct qn_span bytes)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 2 * QN_HTTP_HEAD_SIZE_MAX);
    FUZZ_CHECK(status >= 100 && status <= 599 && head->header_count <= QN_HTTP_HEADERS_MAX);
    FUZZ_CHECK(!head->is_chunked || head->content_length == QN_HTTP_NO_LENGTH);
    for (size_t i = 0; i < head->header_count; i++) {
        check_within(head->headers[i].name, bytes);
        check_within(head->headers[i].value, bytes);
        FUZZ_CHECK(head->headers[i].name.size > 0);
        FUZZ_CHECK(qn_http_answer_field(&out, "A", head->headers[i].value) == QN_OK);
    }
}

static void try_one(struct qn_span bytes, bool has_no_body)
{
    struct qn_http_head head;
    unsigned status;
    size_t size;
    enum qn_err err = qn_http_reply_read(bytes, has_no_body, &status, &head, &size);
    FUZZ_CHECK(err != QN_ERR_HELD || bytes.size < QN_HTTP_HEAD_SIZE_MAX);
    if (err != QN_OK)
        return;
    FUZZ_CHECK(size > 0 && size <= bytes.size && size <= QN_HTTP_HEAD_SIZE_MAX);
    FUZZ_CHECK(memcmp(bytes.data + size - 4, "\r\n\r\n", 4) == 0);
    check_ok(status, &head, qn_span(bytes.data, size));
    FUZZ_CHECK(has_no_body || !qn_http_reply_has_body(status, &head) || head.is_chunked ||
               head.content_length != QN_HTTP_NO_LENGTH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_one(qn_span(data, size), false);
    try_one(qn_span(data, size), true);
    return 0;
}
