#include <criterion/criterion.h>

#include "http/body.h"
#include "support/span.h"

static struct qn_http_body started(bool is_chunked, uint64_t length)
{
    struct qn_http_head head = {.is_chunked = is_chunked, .content_length = length};
    struct qn_http_body body;
    qn_http_body_start(&body, &head);
    return body;
}

/* Takes `text` in pieces of `step` bytes; what is content goes to `out`. */
static enum qn_err take_all(struct qn_http_body *body, struct qn_span text, size_t step,
                            struct qn_buf *out, size_t *ret_used)
{
    size_t at = 0;
    while (at < text.size && !qn_http_body_is_done(body)) {
        size_t size = text.size - at < step ? text.size - at : step, used;
        struct qn_span piece;
        enum qn_err err = qn_http_body_take(body, qn_span(text.data + at, size), &used, &piece);
        if (err != QN_OK)
            return err;
        cr_assert_leq(used, size);
        cr_assert_gt(used, 0);
        qn_buf_append_span(out, piece);
        at += used;
    }
    *ret_used = at;
    return QN_OK;
}

static void check(bool is_chunked, uint64_t length, struct qn_span text, const char *content,
                  const char *rest)
{
    for (size_t step = 1; step <= text.size; step++) {
        struct qn_http_body body = started(is_chunked, length);
        struct qn_buf out;
        size_t used = 0;
        qn_buf_init(&out, 1024);
        cr_assert_eq(take_all(&body, text, step, &out, &used), QN_OK, "step %zu", step);
        cr_assert(qn_http_body_is_done(&body));
        cr_assert(qn_span_eq_str(qn_span_from(text, used), rest));
        cr_assert(qn_span_eq_str(qn_buf_view(&out), content));
        cr_assert_eq(body.total, strlen(content));
        qn_buf_deinit(&out);
    }
}

Test(body, by_length)
{
    cr_assert(qn_http_body_is_done(&(struct qn_http_body[]){started(false, 0)}[0]));
    cr_assert(qn_http_body_is_done(&(struct qn_http_body[]){started(false, QN_HTTP_NO_LENGTH)}[0]));
    check(false, 5, SPAN("helloGET /"), "hello", "GET /");
}

#define END "0\r\n\r\n"

Test(body, in_chunks)
{
    check(true, QN_HTTP_NO_LENGTH, SPAN(END "GET"), "", "GET");
    check(true, QN_HTTP_NO_LENGTH, SPAN("5\r\nhello\r\n" END "GET"), "hello", "GET");
    check(true, QN_HTTP_NO_LENGTH,
          SPAN("1\r\nh\r\n00004\r\nello\r\nA\r\n\r\n\r\n\r\n\r\n\r\n\r\n" END),
          "hello\r\n\r\n\r\n\r\n\r\n", "");
    check(true, QN_HTTP_NO_LENGTH, SPAN("5;a=b;c=\"d\" ;\te\r\nhello\r\n0;x\r\n\r\n"), "hello", "");
    check(true, QN_HTTP_NO_LENGTH, SPAN("5\r\nhello\r\n0\r\nA: b\r\nC: d e\r\n\r\nx"), "hello",
          "x");
}

static const struct qn_span broken[] = {
    SPAN_INIT("\r\n"),
    SPAN_INIT(" 5\r\nhello\r\n" END),
    SPAN_INIT("5 \r\nhello\r\n" END),
    SPAN_INIT("5 ;a\r\nhello\r\n" END),
    SPAN_INIT("-5\r\nhello\r\n" END),
    SPAN_INIT("+5\r\nhello\r\n" END),
    SPAN_INIT("0x5\r\nhello\r\n" END),
    SPAN_INIT("g\r\n"),
    SPAN_INIT(";a\r\n"),
    SPAN_INIT("5\nhello\r\n" END),
    SPAN_INIT("5\r\nhello\n" END),
    SPAN_INIT("5\r\nhelloo\r\n" END),
    SPAN_INIT("5\r\nhell\r\n" END),
    SPAN_INIT("5\r\rhello\r\n" END),
    SPAN_INIT("5;a\nhello\r\n" END),
    SPAN_INIT("5;a\rb\nhello\r\n" END),
    SPAN_INIT("5;a\0\r\nhello\r\n" END),
    SPAN_INIT("5;\x7f\r\nhello\r\n" END),
    SPAN_INIT("8000000000000000\r\n"),
    SPAN_INIT("ffffffffffffffff\r\n"),
    SPAN_INIT("10000000000000005\r\n"),
    SPAN_INIT("00000000000000000fffffffffffffffff\r\n"),
    SPAN_INIT("1\r\nx\r\n7fffffffffffffff\r\n"),
    SPAN_INIT("0\r\n\n"),
    SPAN_INIT("0\n\n"),
    SPAN_INIT("0\r\n x: y\r\n\r\n"),
    SPAN_INIT("0\r\n\tx: y\r\n\r\n"),
    SPAN_INIT("0\r\nx: y\n\r\n"),
    SPAN_INIT("0\r\nx: y\rz\r\n\r\n"),
    SPAN_INIT("0\r\nx: \0\r\n\r\n"),
    SPAN_INIT("0\r\n\rx"),
};

Test(body, broken_chunks)
{
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
        for (size_t step = 1; step <= broken[i].size; step++) {
            struct qn_http_body body = started(true, QN_HTTP_NO_LENGTH);
            struct qn_buf out;
            size_t used;
            qn_buf_init(&out, 1024);
            cr_expect_eq(take_all(&body, broken[i], step, &out, &used), QN_ERR_INVALID,
                         "%zu by %zu", i, step);
            qn_buf_deinit(&out);
        }
}

/* Lines and trailers end, though a client goes on for ever. */
static size_t accepted_of(const char *start, const char *more)
{
    struct qn_http_body body = started(true, QN_HTTP_NO_LENGTH);
    struct qn_span piece;
    size_t used, total = 0;
    cr_assert_eq(qn_http_body_take(&body, qn_span_str(start), &used, &piece), QN_OK);
    while (total < 1000000 && qn_http_body_take(&body, qn_span_str(more), &used, &piece) == QN_OK)
        total += used;
    return total;
}

Test(body, limits)
{
    cr_assert_leq(accepted_of("5;", "x"), 256);
    cr_assert_leq(accepted_of("0", "0"), 256);
    cr_assert_leq(accepted_of("0\r\n", "x"), 4096);
    cr_assert_leq(accepted_of("0\r\n", "a:b\r\n"), 4096);
    cr_assert_geq(accepted_of("0\r\n", "a:b\r\n"), 4000);
}

Test(body, chunk_line)
{
    struct qn_buf out;
    qn_buf_init(&out, 64);
    qn_http_chunk_line(&out, 65536);
    assert_buf_eq(&out, "10000\r\n");
    qn_buf_deinit(&out);
}
