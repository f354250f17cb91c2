/* Heads that two servers could read in two ways, and others that nobody may send: each is refused
 * with its status, whatever stands around. */
#include <criterion/criterion.h>

#include "http/head.h"
#include "support/span.h"

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct {
    struct qn_span head;
    unsigned status;
} refused[] = {
    /* a length and a coding */
    {SPAN_INIT(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"), 400},
    /* two lengths */
    {SPAN_INIT(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 5, 5\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 5,6\r\n\r\n"), 400},
    /* lengths that are none */
    {SPAN_INIT(POST "Content-Length: -1\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: +5\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 0x5\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 5 5\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 5.0\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 1e3\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length:\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: five\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 9223372036854775808\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 18446744073709551615\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 18446744073709551616\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: 99999999999999999999999999999999999999\r\n\r\n"), 400},
    {SPAN_INIT(POST "Content-Length: \xef\xbc\x95\r\n\r\n"), 400},
    /* codings: 501 for one that is merely not known */
    {SPAN_INIT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding: chunked, identity\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding: Chunked , gzip\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding: identity\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding: gzip\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding: xchunked\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding: chunkedx\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding: chunked;q=1\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding: \x0b"
                    "chunked\r\n\r\n"),
     400},
    {SPAN_INIT(POST "Transfer-Encoding: chunked\x0c\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding:\r\n\r\n"), 501},
    {SPAN_INIT(POST "Transfer-Encoding : chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding\t: chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST " Transfer-Encoding: chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer-Encoding:\r\n chunked\r\n\r\n"), 400},
    {SPAN_INIT(POST "Transfer\rEncoding: chunked\r\n\r\n"), 400},
    {SPAN_INIT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    /* line ends */
    {SPAN_INIT("GET / HTTP/1.1\nHost: a\n\n"), 400},
    {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400},
    {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400},
    {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: w\r\n\r\n"), 400},
    {SPAN_INIT("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), 400},
    {SPAN_INIT("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    /* folds */
    {SPAN_INIT(LINE HOST "X: y\r\n z\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST "X: y\r\n\tz\r\n\r\n"), 400},
    {SPAN_INIT(LINE " Host: a\r\n\r\n"), 400},
    {SPAN_INIT(LINE "\tHost: a\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST " \r\n\r\n"), 400},
    /* names of fields */
    {SPAN_INIT(LINE "Host : a\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST "X Y: z\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST ": z\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST "X\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST "X(y): z\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST "\xc3\xa9: z\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST "X\0: z\r\n\r\n"), 400},
    /* values */
    {SPAN_INIT(LINE HOST "X: a\0b\r\n\r\n"), 400},
    {SPAN_INIT(LINE HOST "X: a\x01"
                         "b\r\n\r\n"),
     400},
    {SPAN_INIT(LINE HOST "X: a\x7f"
                         "b\r\n\r\n"),
     400},
    {SPAN_INIT(LINE HOST "X: \x1b[31m\r\n\r\n"), 400},
    /* the request line */
    {SPAN_INIT("\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET / a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET /\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("PRI * HTTP/2.0\r\n\r\n"), 505},
    {SPAN_INIT("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505},
    {SPAN_INIT("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505},
    {SPAN_INIT("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505},
    {SPAN_INIT("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET / http/1.1\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT("GET / HTTP/1.1,\r\nHost: a\r\n\r\n"), 400},
    /* Host */
    {SPAN_INIT(LINE "\r\n"), 400},
    {SPAN_INIT(LINE "X: y\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a\r\nHost: a\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a\r\nhost: b\r\n\r\n"), 400},
    {SPAN_INIT("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host:\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a, b\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a b\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: u@a\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a/b\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a:b\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a:1:2\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: a:65536\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: [::1\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: []\r\n\r\n"), 400},
    {SPAN_INIT(LINE "Host: ::1\r\n\r\n"), 400},
    {SPAN_INIT("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n"), 400},
    {SPAN_INIT("GET http://a/ HTTP/1.1\r\n\r\n"), 400},
    /* Expect */
    {SPAN_INIT(POST "Expect: 200-ok\r\n\r\n"), 417},
    {SPAN_INIT(POST "Expect: 100-continue, x\r\n\r\n"), 417},
    {SPAN_INIT(POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"), 417},
};

Test(smuggling, each_is_refused_with_its_status)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        struct qn_http_head head;
        struct qn_http_refusal refusal = {0};
        size_t size;
        enum qn_err err = qn_http_head_read(refused[i].head, &head, &size, &refusal);
        cr_expect(err != QN_OK && err != QN_ERR_HELD, "%zu is taken: %.*s", i,
                  (int)refused[i].head.size, (const char *)refused[i].head.data);
        cr_expect_eq(refusal.status, refused[i].status, "%zu: %u %s: %.*s", i, refusal.status,
                     refusal.why, (int)refused[i].head.size, (const char *)refused[i].head.data);
    }
}
