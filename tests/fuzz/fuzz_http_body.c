/* A body in chunks, cut in two at a place that the first byte says: the same content, the same end,
 * the same verdict as in one piece. */
#include "base/mem.h"
#include "http/body.h"
#include "support/fuzz.h"

struct outcome {
    enum qn_err err;
    struct qn_buf content;
    size_t used;
    bool is_done;
};

static void take(struct qn_http_body *body, struct qn_span bytes, struct outcome *outcome)
{
    size_t at = 0;
    while (outcome->err == QN_OK && at < bytes.size && !qn_http_body_is_done(body)) {
        size_t used = 0;
        struct qn_span piece = {0};
        outcome->err = qn_http_body_take(body, qn_span_from(bytes, at), &used, &piece);
        FUZZ_CHECK(outcome->err != QN_OK || (used > 0 && used <= bytes.size - at));
        FUZZ_CHECK(outcome->err == QN_OK || outcome->err == QN_ERR_INVALID);
        qn_buf_append_span(&outcome->content, piece);
        at += used;
    }
    outcome->used += at;
    outcome->is_done = qn_http_body_is_done(body);
    FUZZ_CHECK(body->total == outcome->content.size);
}

static struct outcome run(struct qn_span bytes, size_t cut)
{
    struct qn_http_head head = {.is_chunked = true, .content_length = QN_HTTP_NO_LENGTH};
    struct qn_http_body body;
    struct outcome outcome = {0};
    qn_buf_init(&outcome.content, bytes.size + 1);
    qn_http_body_start(&body, &head);
    take(&body, qn_span(bytes.data, cut), &outcome);
    if (outcome.err == QN_OK)
        take(&body, qn_span_from(bytes, cut), &outcome);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct qn_span bytes = qn_span(data + 1, size - 1);
    size_t cut = data[0] < bytes.size ? data[0] : bytes.size;
    struct outcome whole = run(bytes, bytes.size), halves = run(bytes, cut);
    FUZZ_CHECK(whole.err == halves.err);
    if (whole.err == QN_OK) {
        FUZZ_CHECK(whole.used == halves.used && whole.is_done == halves.is_done);
        FUZZ_CHECK(qn_span_eq(qn_buf_view(&whole.content), qn_buf_view(&halves.content)));
    }
    qn_buf_deinit(&whole.content);
    qn_buf_deinit(&halves.content);
    return 0;
}
