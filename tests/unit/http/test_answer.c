#include <criterion/criterion.h>

#include "http/answer.h"
#include "support/span.h"

static struct qn_buf out;

static void start(void)
{
    qn_buf_init(&out, 4096);
}

static void stop(void)
{
    qn_buf_deinit(&out);
}

TestSuite(answer, .init = start, .fini = stop);

Test(answer, head)
{
    qn_http_answer_start(&out, 404);
    cr_assert_eq(qn_http_answer_field(&out, "X-A", SPAN("b c")), QN_OK);
    qn_http_answer_number(&out, "Content-Length", UINT64_MAX);
    qn_http_answer_date(&out, "Date", 784111777);
    qn_http_answer_end(&out);
    assert_buf_eq(&out, "HTTP/1.1 404 Not Found\r\nX-A: b c\r\n"
                        "Content-Length: 18446744073709551615\r\n"
                        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
}

Test(answer, nothing_is_smuggled_in)
{
    static const struct qn_span values[] = {SPAN_INIT("a\r\nSet-Cookie: b"),
                                            SPAN_INIT("a\nb"),
                                            SPAN_INIT("a\rb"),
                                            SPAN_INIT("a\0b"),
                                            SPAN_INIT("\x7f"),
                                            SPAN_INIT("\x1b[m")};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        cr_expect_eq(qn_http_answer_field(&out, "X", values[i]), QN_ERR_INVALID, "%zu", i);
    cr_assert_eq(out.size, 0);
    qn_http_answer_attachment(&out, SPAN("a\r\nX: b\"\\%/\x01"));
    assert_buf_eq(&out, "Content-Disposition: attachment; filename=\"a__X: b_____\"; "
                        "filename*=UTF-8''a%0D%0AX%3A%20b%22%5C%25%2F%01\r\n");
}

Test(answer, attachment_in_french)
{
    qn_http_answer_attachment(&out, SPAN("r\xc3\xa9sident n\xc2\xb0"
                                         "1.pdf"));
    assert_buf_eq(&out, "Content-Disposition: attachment; filename=\"r__sident n__1.pdf\"; "
                        "filename*=UTF-8''r%C3%A9sident%20n%C2%B01.pdf\r\n");
}

Test(answer, reasons)
{
    cr_assert_str_eq(qn_http_reason(507), "Insufficient Storage");
    cr_assert_str_eq(qn_http_reason(299), "Unknown");
}
