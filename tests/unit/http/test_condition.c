/* W9: every combination of what there is, what is asked and how. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "http/condition.h"
#include "support/span.h"

#define OLD   "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME  "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

enum there { FILE_A, DIRECTORY, NOTHING };

#define GO  QN_HTTP_GO_ON
#define NOT QN_HTTP_NOT_MODIFIED
#define PRE QN_HTTP_PRECONDITION_FAILED
#define BAD QN_HTTP_BAD_CONDITION

/* `lines` are added to a head; `read` is the verdict of GET and HEAD, `change` of PUT and others.
 */
static const struct {
    const char *lines;
    enum there there;
    enum qn_http_verdict read, change;
} cases[] = {
    {"", FILE_A, GO, GO},
    {"", NOTHING, GO, GO},
    {"", DIRECTORY, GO, GO},
    {"If-Match: \"a\"\r\n", FILE_A, GO, GO},
    {"If-Match: \"b\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: \"A\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: \"\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: \"b\", \"a\"\r\n", FILE_A, GO, GO},
    {"If-Match: \"b\",\"c\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: ,, \"a\" ,\r\n", FILE_A, GO, GO},
    {"If-Match: \"b\"\r\nIf-Match: \"a\"\r\n", FILE_A, GO, GO},
    {"If-Match: \"b\"\r\nIf-Match: \"c\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: W/\"a\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: \"a,b\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: \"b, \", \"a\"\r\n", FILE_A, BAD, BAD},
    {"If-Match: *\r\n", FILE_A, GO, GO},
    {"If-Match: *\r\n", DIRECTORY, GO, GO},
    {"If-Match: *\r\n", NOTHING, PRE, PRE},
    {"If-Match: \"a\"\r\n", NOTHING, PRE, PRE},
    {"If-Match: \"a\"\r\n", DIRECTORY, PRE, PRE},
    {"If-Match: \"\"\r\n", DIRECTORY, PRE, PRE},
    {"If-Match: a\r\n", FILE_A, BAD, BAD},
    {"If-Match: \"a\r\n", FILE_A, BAD, BAD},
    {"If-Match: \"a\" \"b\"\r\n", FILE_A, BAD, BAD},
    {"If-Match: w/\"a\"\r\n", FILE_A, BAD, BAD},
    {"If-Match:\r\n", FILE_A, BAD, BAD},
    {"If-Match: *, \"a\"\r\n", FILE_A, BAD, BAD},
    {"If-Match: *\r\nIf-Match: \"a\"\r\n", FILE_A, BAD, BAD},
    {"If-None-Match: \"a\"\r\n", FILE_A, NOT, PRE},
    {"If-None-Match: \"b\"\r\n", FILE_A, GO, GO},
    {"If-None-Match: W/\"a\"\r\n", FILE_A, NOT, PRE},
    {"If-None-Match: \"b\", W/\"a\"\r\n", FILE_A, NOT, PRE},
    {"If-None-Match: \"b\"\r\nIf-None-Match: \"a\"\r\n", FILE_A, NOT, PRE},
    {"If-None-Match: *\r\n", FILE_A, NOT, PRE},
    {"If-None-Match: *\r\n", DIRECTORY, NOT, PRE},
    {"If-None-Match: *\r\n", NOTHING, GO, GO},
    {"If-None-Match: \"a\"\r\n", NOTHING, GO, GO},
    {"If-None-Match: \"a\"\r\n", DIRECTORY, GO, GO},
    {"If-None-Match: a\r\n", FILE_A, BAD, BAD},
    {"If-None-Match:\r\n", FILE_A, BAD, BAD},
    {"If-Modified-Since: " OLD "\r\n", FILE_A, GO, GO},
    {"If-Modified-Since: " SAME "\r\n", FILE_A, NOT, GO},
    {"If-Modified-Since: " LATER "\r\n", FILE_A, NOT, GO},
    {"If-Modified-Since: " LATER "\r\n", NOTHING, GO, GO},
    {"If-Modified-Since: yesterday\r\n", FILE_A, GO, GO},
    {"If-Modified-Since: " LATER "\r\nIf-Modified-Since: " LATER "\r\n", FILE_A, GO, GO},
    {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", FILE_A, NOT, GO},
    {"If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n", FILE_A, NOT, GO},
    {"If-Unmodified-Since: " OLD "\r\n", FILE_A, PRE, PRE},
    {"If-Unmodified-Since: " SAME "\r\n", FILE_A, GO, GO},
    {"If-Unmodified-Since: " LATER "\r\n", FILE_A, GO, GO},
    {"If-Unmodified-Since: " OLD "\r\n", NOTHING, GO, GO},
    {"If-Unmodified-Since: yesterday\r\n", FILE_A, GO, GO},
    /* a tag goes before a date */
    {"If-Match: \"a\"\r\nIf-Unmodified-Since: " OLD "\r\n", FILE_A, GO, GO},
    {"If-Match: \"b\"\r\nIf-Unmodified-Since: " LATER "\r\n", FILE_A, PRE, PRE},
    {"If-None-Match: \"b\"\r\nIf-Modified-Since: " LATER "\r\n", FILE_A, GO, GO},
    {"If-None-Match: \"a\"\r\nIf-Modified-Since: " OLD "\r\n", FILE_A, NOT, PRE},
    /* the first step goes before the second */
    {"If-Match: \"a\"\r\nIf-None-Match: \"a\"\r\n", FILE_A, NOT, PRE},
    {"If-Match: \"b\"\r\nIf-None-Match: \"a\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n", FILE_A, GO, GO},
    {"If-None-Match: a\r\nIf-Match: \"b\"\r\n", FILE_A, PRE, PRE},
    {"If-Match: *\r\nIf-None-Match: *\r\n", NOTHING, PRE, PRE},
    {"If-Match: *\r\nIf-None-Match: *\r\n", FILE_A, NOT, PRE},
    {"If-Unmodified-Since: " OLD "\r\nIf-None-Match: \"a\"\r\n", FILE_A, PRE, PRE},
    {"If-Unmodified-Since: " SAME "\r\nIf-None-Match: \"a\"\r\n", FILE_A, NOT, PRE},
    {"If-Unmodified-Since: " SAME "\r\nIf-Modified-Since: " SAME "\r\n", FILE_A, NOT, GO},
    {"If-Match: \"a\"\r\nIf-Modified-Since: " SAME "\r\n", FILE_A, NOT, GO},
    {"if-match: \"b\"\r\n", FILE_A, PRE, PRE},
};

static struct qn_http_state state_of(enum there there)
{
    return (struct qn_http_state){.exists = there != NOTHING,
                                  .etag = there == FILE_A ? SPAN("\"a\"") : qn_span(NULL, 0),
                                  .modified_s = 784111777};
}

static enum qn_http_verdict judge(const char *method, const char *lines, enum there there)
{
    char text[512];
    int written = snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, lines);
    struct qn_http_state state = state_of(there);
    struct qn_http_refusal refusal;
    struct qn_http_head head;
    size_t size;
    cr_assert_eq(qn_http_head_read(qn_span(text, (size_t)written), &head, &size, &refusal), QN_OK);
    return qn_http_condition(&head, &state);
}

Test(condition, table)
{
    static const char *const readers[] = {"GET", "HEAD"};
    static const char *const changers[] = {"PUT", "DELETE", "PATCH", "POST", "LOCK"};
    cr_assert_geq(sizeof(cases) / sizeof(*cases), 60);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t k = 0; k < 2; k++)
            cr_expect_eq(judge(readers[k], cases[i].lines, cases[i].there), cases[i].read,
                         "%zu, %s: %s", i, readers[k], cases[i].lines);
        for (size_t k = 0; k < 5; k++)
            cr_expect_eq(judge(changers[k], cases[i].lines, cases[i].there), cases[i].change,
                         "%zu, %s: %s", i, changers[k], cases[i].lines);
    }
}

static void ranges_of(const char *method, const char *lines, uint64_t size, const char *wanted)
{
    char text[512], got[256] = "";
    int written = snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, lines);
    struct qn_http_state state = state_of(FILE_A);
    struct qn_http_refusal refusal;
    struct qn_http_ranges ranges;
    struct qn_http_head head;
    size_t used;
    cr_assert_eq(qn_http_head_read(qn_span(text, (size_t)written), &head, &used, &refusal), QN_OK);
    enum qn_err err = qn_http_ranges_read(&head, &state, size, &ranges);
    for (size_t i = 0; err == QN_OK && i < ranges.count; i++)
        (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%llu+%llu",
                       i > 0 ? " " : "", (unsigned long long)ranges.items[i].first,
                       (unsigned long long)ranges.items[i].size);
    cr_expect_str_eq(err == QN_ERR_LIMIT ? "416" : got, wanted, "%s: '%s'", lines,
                     err == QN_ERR_LIMIT ? "416" : got);
}

Test(range, if_range)
{
    ranges_of("GET", "Range: bytes=1-2\r\n", 10, "1+2");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: \"a\"\r\n", 10, "1+2");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: \"b\"\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: W/\"a\"\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: \"a\", \"b\"\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: \"a\"\r\nIf-Range: \"a\"\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: a\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: " SAME "\r\n", 10, "1+2");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: " LATER "\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2\r\nIf-Range: " OLD "\r\n", 10, "");
    ranges_of("GET", "Range: bytes=20-\r\nIf-Range: \"b\"\r\n", 10, "");
}

Test(range, forms)
{
    ranges_of("HEAD", "Range: bytes=1-2\r\n", 10, "");
    ranges_of("PUT", "Range: bytes=1-2\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2\r\nRange: bytes=1-2\r\n", 10, "");
    ranges_of("GET", "Range: Bytes=1-2\r\n", 10, "1+2");
    ranges_of("GET", "Range: items=1-2\r\n", 10, "");
    ranges_of("GET", "Range: bytes 1-2\r\n", 10, "");
    ranges_of("GET", "Range: bytes=\r\n", 10, "");
    ranges_of("GET", "Range: bytes=,\r\n", 10, "");
    ranges_of("GET", "Range: bytes=-\r\n", 10, "");
    ranges_of("GET", "Range: bytes=2-1\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1-2-3\r\n", 10, "");
    ranges_of("GET", "Range: bytes=1 - 2\r\n", 10, "");
    ranges_of("GET", "Range: bytes=0-0,x\r\n", 10, "");
    ranges_of("GET", "Range: bytes=-0\r\n", 10, "416");
    ranges_of("GET", "Range: bytes=10-\r\n", 10, "416");
    ranges_of("GET", "Range: bytes=10-20, 30-\r\n", 10, "416");
    ranges_of("GET", "Range: bytes=10-20, -0, 9-\r\n", 10, "9+1");
    ranges_of("GET", "Range: bytes=-3\r\n", 10, "7+3");
    ranges_of("GET", "Range: bytes=-30\r\n", 10, "0+10");
    ranges_of("GET", "Range: bytes=3-\r\n", 10, "3+7");
    ranges_of("GET", "Range: bytes=3-99999999999999999999999\r\n", 10, "3+7");
    ranges_of("GET", "Range: bytes=99999999999999999999999-\r\n", 10, "416");
    ranges_of("GET", "Range: bytes=-99999999999999999999999\r\n", 10, "0+10");
    ranges_of("GET", "Range: bytes=0-\r\n", 0, "416");
    ranges_of("GET", "Range: bytes=-5\r\n", 0, "");
    ranges_of("GET", "Range: bytes=7-8 , ,\t1-2\r\n", 10, "1+2 7+2");
    ranges_of("GET", "Range: bytes=0-1,2-3,5-5\r\n", 10, "0+4 5+1");
    ranges_of("GET", "Range: bytes=0-,0-,0-,0-,0-\r\n", 10, "0+10");
    ranges_of("GET", "Range: bytes=0-0,2-2,4-4,1-1,3-3\r\n", 10, "0+5");
    ranges_of("GET",
              "Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,"
              "24-24,26-26,28-28,30-30\r\n",
              20, "0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1 16+1 18+1");
    ranges_of("GET",
              "Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,"
              "24-24,26-26,28-28,30-30,32-32\r\n",
              99, "");
    ranges_of("GET", "Range: bytes=0-18446744073709551615\r\n", UINT64_MAX,
              "0+18446744073709551615");
}
