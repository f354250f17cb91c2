#include <criterion/criterion.h>
#include <stdio.h>

#include "http/head.h"
#include "support/span.h"

static struct qn_http_head read_ok(struct qn_span text)
{
    struct qn_http_head head;
    struct qn_http_refusal refusal = {0};
    size_t size;
    enum qn_err err = qn_http_head_read(text, &head, &size, &refusal);
    cr_assert_eq(err, QN_OK, "%s: %s", qn_err_name(err), refusal.why == NULL ? "" : refusal.why);
    cr_assert_eq(size, text.size);
    return head;
}

static enum qn_err read_refused(struct qn_span text, unsigned *ret_status)
{
    struct qn_http_head head;
    struct qn_http_refusal refusal = {0};
    size_t size;
    enum qn_err err = qn_http_head_read(text, &head, &size, &refusal);
    *ret_status = refusal.status;
    return err;
}

static void assert_header(const struct qn_http_head *head, const char *name, const char *value)
{
    const struct qn_http_header *header = qn_http_header(head, name);
    cr_assert_not_null(header, "%s", name);
    cr_assert(qn_span_eq_str(header->value, value), "%s: '%.*s'", name, (int)header->value.size,
              (const char *)header->value.data);
}

Test(head, is_read)
{
    struct qn_http_head head =
        read_ok(SPAN("PUT /dav/a%20b?c=d HTTP/1.1\r\nHost: site.example:8443\r\n"
                     "Content-Length: 0012\r\nExpect: 100-Continue\r\nX-Empty:\r\n"
                     "X-Blank: \t \r\nX-Text:\t a\tb \xe9 \r\nx-text: second\r\n\r\n"));
    cr_assert_eq(head.method, QN_HTTP_PUT);
    cr_assert(qn_span_eq_str(head.target, "/dav/a%20b?c=d"));
    cr_assert(qn_span_eq_str(head.host, "site.example:8443"));
    cr_assert_eq(head.content_length, 12);
    cr_assert(head.keeps_alive && head.expects_continue && !head.is_1_0 && !head.is_chunked);
    cr_assert_eq(head.header_count, 7);
    assert_header(&head, "x-empty", "");
    assert_header(&head, "x-blank", "");
    assert_header(&head, "X-TEXT", "a\tb \xe9");
    cr_assert_eq(qn_http_header_count(&head, "X-Text"), 2);
    cr_assert_null(qn_http_header(&head, "X-Tex"));
    cr_assert_eq(qn_http_header_count(&head, "X-Tex"), 0);
}

Test(head, knows_its_methods)
{
    for (enum qn_http_method method = QN_HTTP_GET; method < QN_HTTP_UNKNOWN; method++) {
        char text[64];
        int size = snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n",
                            qn_http_method_name(method));
        struct qn_http_head head = read_ok(qn_span(text, (size_t)size));
        cr_assert_eq(head.method, method, "%s", text);
    }
    static const struct qn_span unknown[] = {
        SPAN_INIT("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN_INIT("get / HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN_INIT("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN_INIT("GETX / HTTP/1.1\r\nHost: a\r\n\r\n"),
        SPAN_INIT("!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: a\r\n\r\n")};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
        struct qn_http_head head = read_ok(unknown[i]);
        cr_assert_eq(head.method, QN_HTTP_UNKNOWN, "%zu", i);
        cr_assert_eq(head.target.data[0], '/');
    }
}

Test(head, targets)
{
    struct qn_http_head head = read_ok(SPAN("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(qn_span_eq_str(head.target, "*") && qn_span_eq_str(head.host, "a"));
    head = read_ok(SPAN("GET HTTPS://b.example:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(qn_span_eq_str(head.target, "HTTPS://b.example:1/x?y"));
    cr_assert(qn_span_eq_str(head.host, "b.example:1"));
    head = read_ok(SPAN("GET http://b HTTP/1.1\r\nHost: b\r\n\r\n"));
    cr_assert(qn_span_eq_str(head.host, "b"));
    head = read_ok(SPAN("GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(qn_span_eq_str(head.host, "a"));
    head = read_ok(SPAN("GET / HTTP/1.0\r\n\r\n"));
    cr_assert(head.host.size == 0 && head.is_1_0 && !head.keeps_alive);
}

Test(head, hosts)
{
    static const char *const hosts[] = {"a",       "a.example", "192.0.2.1:443",
                                        "[::1]",   "[::1]:1",   "[fe80::1%eth0]:65535",
                                        "a_b-c.d", "a:"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        char text[128];
        int size = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost:%s\r\n\r\n", hosts[i]);
        cr_assert(qn_span_eq_str(read_ok(qn_span(text, (size_t)size)).host, hosts[i]), "%s",
                  hosts[i]);
    }
}

Test(head, framing)
{
    struct qn_http_head head =
        read_ok(SPAN("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tChunked \r\n\r\n"));
    cr_assert(head.is_chunked);
    cr_assert_eq(head.content_length, QN_HTTP_NO_LENGTH);
    head = read_ok(SPAN("POST / HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert(!head.is_chunked);
    cr_assert_eq(head.content_length, QN_HTTP_NO_LENGTH);
    head =
        read_ok(SPAN("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n"));
    cr_assert_eq(head.content_length, INT64_MAX);
    head = read_ok(SPAN("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: x\r\n\r\n"));
    cr_assert_eq(head.content_length, 1);
    cr_assert(!head.expects_continue);
}

Test(head, keeps_alive)
{
    static const struct {
        struct qn_span text;
        bool keeps_alive;
    } cases[] = {
        {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), true},
        {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), false},
        {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: TE,  CLOSE ,x\r\n\r\n"), false},
        {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n"),
         false},
        {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n"), true},
        {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
         true},
        {SPAN_INIT("GET / HTTP/1.0\r\n\r\n"), false},
        {SPAN_INIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_assert_eq(read_ok(cases[i].text).keeps_alive, cases[i].keeps_alive, "%zu", i);
}

Test(head, leaves_what_follows)
{
    struct qn_span text = SPAN("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\n");
    struct qn_http_head head;
    struct qn_http_refusal refusal;
    size_t size;
    cr_assert_eq(qn_http_head_read(text, &head, &size, &refusal), QN_OK);
    cr_assert_eq(size, text.size - strlen("GET /x HTTP/1.1\r\n"));
}

/* A head with a field of `padding` letters; and one of so many fields. */
static void padded(struct qn_buf *out, const char *line, size_t padding)
{
    qn_buf_reset(out);
    qn_buf_append_str(out, line);
    for (size_t i = 0; i < padding; i++)
        qn_buf_append_u8(out, 'x');
}

Test(head, limit_of_size)
{
    struct qn_buf text;
    unsigned status;
    const char *start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    qn_buf_init(&text, 2 * QN_HTTP_HEAD_SIZE_MAX);
    padded(&text, start, QN_HTTP_HEAD_SIZE_MAX - strlen(start) - 4);
    qn_buf_append_str(&text, "\r\n\r\n");
    cr_assert_eq(read_refused(qn_buf_view(&text), &status), QN_OK);
    padded(&text, start, QN_HTTP_HEAD_SIZE_MAX - strlen(start) - 3);
    qn_buf_append_str(&text, "\r\n\r\n");
    cr_assert_eq(read_refused(qn_buf_view(&text), &status), QN_ERR_LIMIT);
    cr_assert_eq(status, 431);
    padded(&text, start, QN_HTTP_HEAD_SIZE_MAX - strlen(start));
    cr_assert_eq(read_refused(qn_buf_view(&text), &status), QN_ERR_LIMIT);
    cr_assert_eq(status, 431);
    padded(&text, "GET /", QN_HTTP_HEAD_SIZE_MAX - 6);
    cr_assert_eq(read_refused(qn_buf_view(&text), &status), QN_ERR_HELD);
    padded(&text, "GET /", QN_HTTP_HEAD_SIZE_MAX);
    cr_assert_eq(read_refused(qn_buf_view(&text), &status), QN_ERR_LIMIT);
    cr_assert_eq(status, 414);
    qn_buf_deinit(&text);
}

Test(head, limit_of_fields)
{
    struct qn_buf text;
    unsigned status;
    qn_buf_init(&text, QN_HTTP_HEAD_SIZE_MAX);
    for (size_t count = QN_HTTP_HEADERS_MAX; count <= QN_HTTP_HEADERS_MAX + 1; count++) {
        padded(&text, "GET / HTTP/1.1\r\nHost: a\r\n", 0);
        for (size_t i = 1; i < count; i++)
            qn_buf_printf(&text, "X%zu: y\r\n", i);
        qn_buf_append_str(&text, "\r\n");
        bool is_over = count > QN_HTTP_HEADERS_MAX;
        cr_assert_eq(read_refused(qn_buf_view(&text), &status), is_over ? QN_ERR_LIMIT : QN_OK);
        cr_assert_eq(status, is_over ? 431 : 0);
    }
    qn_buf_deinit(&text);
}
