/* However a head comes in, the result is the same: cut at every byte, the first part asks for more
 * or is refused as the whole is, and the whole gives what it gives. */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "http/head.h"
#include "support/span.h"

#define ROUNDS 400

static const char *const lines[] = {"Host: a",
                                    "Host: b:1",
                                    "Content-Length: 5",
                                    "Content-Length: 05",
                                    "Content-Length: -5",
                                    "Transfer-Encoding: chunked",
                                    "Transfer-Encoding: gzip",
                                    "Expect: 100-continue",
                                    "Expect: x",
                                    "Connection: close",
                                    "X-Empty:",
                                    "X: \t y ",
                                    " folded",
                                    "No-Colon",
                                    "Space : x",
                                    "If-None-Match: \"a\"",
                                    "Upgrade: h2c",
                                    "Connection: Upgrade"};
static const char *const requests[] = {"GET / HTTP/1.1",         "PUT /a%20b?c HTTP/1.1",
                                       "OPTIONS * HTTP/1.1",     "BREW / HTTP/1.1",
                                       "GET http://b/ HTTP/1.1", "GET / HTTP/1.0",
                                       "GET  / HTTP/1.1",        "CONNECT a:1 HTTP/1.1"};
static const char *const ends[] = {"\r\n", "\r\n", "\r\n", "\r\n", "\r\n",
                                   "\r\n", "\r\n", "\n",   "\r"};

#define PICK(prng, list) (list)[qn_prng_below((prng), sizeof(list) / sizeof(*(list)))]

static void make(struct qn_prng *prng, struct qn_buf *out)
{
    qn_buf_reset(out);
    if (qn_prng_below(prng, 4) == 0)
        qn_buf_append_str(out, "\r\n");
    qn_buf_append_str(out, PICK(prng, requests));
    qn_buf_append_str(out, PICK(prng, ends));
    if (qn_prng_below(prng, 4) > 0)
        qn_buf_append_str(out, "Host: a\r\n");
    for (uint64_t i = qn_prng_below(prng, 5); i > 0; i--) {
        qn_buf_append_str(out, PICK(prng, lines));
        qn_buf_append_str(out, qn_prng_below(prng, 8) == 0 ? PICK(prng, ends) : "\r\n");
    }
    qn_buf_append_str(out, "\r\nGET /next HTTP/1.1\r\n");
}

struct result {
    enum qn_err err;
    struct qn_http_head head;
    size_t size;
    struct qn_http_refusal refusal;
};

static struct result read_head(struct qn_span text)
{
    struct result result = {0};
    /* A copy that ends where the bytes end, so that the sanitizer sees who reads on. */
    uint8_t *copy = qn_memdup(text.data, text.size + (text.size == 0));
    result.err =
        qn_http_head_read(qn_span(copy, text.size), &result.head, &result.size, &result.refusal);
    result.head.target.data = result.head.host.data = NULL;
    for (size_t i = 0; i < result.head.header_count; i++) {
        cr_assert(result.head.headers[i].name.data >= copy);
        cr_assert(result.head.headers[i].name.data < copy + text.size);
        result.head.headers[i].name.data = result.head.headers[i].value.data = NULL;
    }
    qn_free(copy);
    return result;
}

static bool is_same(const struct result *a, const struct result *b)
{
    return a->err == b->err && a->size == b->size && a->refusal.status == b->refusal.status &&
           memcmp(&a->head, &b->head, sizeof(a->head)) == 0;
}

static size_t check_cuts(struct qn_span text)
{
    struct result whole = read_head(text);
    size_t needed = whole.err == QN_OK ? whole.size : text.size;
    for (size_t cut = 0; cut < text.size; cut++) {
        struct result part = read_head(qn_span(text.data, cut));
        bool is_right = part.err == QN_ERR_HELD ? cut < needed : is_same(&part, &whole);
        cr_assert(is_right, "cut at %zu of %zu: %s, not %s", cut, text.size, qn_err_name(part.err),
                  qn_err_name(whole.err));
    }
    return whole.err == QN_OK;
}

Test(cut, every_byte)
{
    struct qn_prng prng = {.state = 3};
    struct qn_buf text;
    size_t taken = 0;
    qn_buf_init(&text, 4096);
    for (int i = 0; i < ROUNDS; i++) {
        make(&prng, &text);
        taken += check_cuts(qn_buf_view(&text));
    }
    qn_buf_deinit(&text);
    cr_assert(taken > ROUNDS / 20 && taken < ROUNDS - ROUNDS / 20, "%zu of %d", taken, ROUNDS);
}
