#include <criterion/criterion.h>

#include "http/reply.h"
#include "support/span.h"

static unsigned status;
static struct qn_http_head head;
static size_t size;

static enum qn_err read_reply(const char *text, bool has_no_body)
{
    return qn_http_reply_read(qn_span_str(text), has_no_body, &status, &head, &size);
}

Test(reply, is_read)
{
    const char text[] = "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n"
                        "Content-Range:  bytes 0-4/9 \r\nETag: \"a\"\r\n\r\nhello";
    cr_assert_eq(read_reply(text, false), QN_OK);
    cr_assert_eq(status, 206);
    cr_assert_eq(size, sizeof(text) - 1 - 5);
    cr_assert_eq(head.content_length, 5);
    cr_assert(!head.is_chunked && head.keeps_alive && head.header_count == 3);
    cr_assert(qn_span_eq_str(qn_http_header(&head, "content-range")->value, "bytes 0-4/9"));
    cr_assert(qn_http_reply_has_body(status, &head));
}

Test(reply, tells_where_nothing_follows)
{
    cr_assert_eq(read_reply("HTTP/1.1 204 No Content\r\n\r\n", false), QN_OK);
    cr_assert_not(qn_http_reply_has_body(status, &head));
    cr_assert_eq(read_reply("HTTP/1.1 304 \r\nETag: \"a\"\r\n\r\n", false), QN_OK);
    cr_assert_not(qn_http_reply_has_body(status, &head));
    cr_assert_eq(read_reply("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n", false), QN_OK);
    cr_assert_eq(status, 100);
    cr_assert_eq(size, 25);
    cr_assert_eq(read_reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false), QN_OK);
    cr_assert_not(qn_http_reply_has_body(status, &head));
    cr_assert_eq(read_reply("HTTP/1.1 200 OK\r\n\r\n", true), QN_OK, "the answer to HEAD");
}

Test(reply, tells_chunks_and_the_end_of_the_connection)
{
    cr_assert_eq(read_reply("HTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: Chunked\r\n"
                            "Connection: close\r\n\r\n",
                            false),
                 QN_OK);
    cr_assert(head.is_chunked && !head.keeps_alive && qn_http_reply_has_body(status, &head));
}

Test(reply, waits_for_all_of_it)
{
    const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        enum qn_err err = qn_http_reply_read(qn_span(text, i), false, &status, &head, &size);
        cr_assert_eq(err, QN_ERR_HELD, "%zu: %s", i, qn_err_name(err));
    }
}

Test(reply, refuses_what_could_be_read_in_two_ways)
{
    static const char *const texts[] = {
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n\r\n", /* it would end with the connection */
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        enum qn_err err = read_reply(texts[i], false);
        cr_assert(err == QN_ERR_INVALID || err == QN_ERR_LIMIT, "%zu: %s", i, qn_err_name(err));
    }
}

Test(reply, has_limits)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64 * 1024);
    qn_buf_append_str(&text, "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i < QN_HTTP_HEADERS_MAX + 1; i++)
        qn_buf_append_str(&text, "A: b\r\n");
    qn_buf_append_str(&text, "\r\n");
    cr_assert_eq(qn_http_reply_read(qn_buf_view(&text), false, &status, &head, &size),
                 QN_ERR_LIMIT);
    qn_buf_reset(&text);
    qn_buf_append_str(&text, "HTTP/1.1 200 OK\r\nA: ");
    while (text.size < QN_HTTP_HEAD_SIZE_MAX)
        qn_buf_append_str(&text, "a");
    cr_assert_eq(qn_http_reply_read(qn_buf_view(&text), false, &status, &head, &size),
                 QN_ERR_LIMIT);
}
