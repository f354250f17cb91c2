/* Literals and comparisons of byte runs, for tests. */
#pragma once

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

/* A span over a string literal that may hold zero bytes. */
#define SPAN(literal) qn_span((literal), sizeof(literal) - 1)
/* The same as an initialiser of something static. */
#define SPAN_INIT(literal)                                                                         \
    {                                                                                              \
        .data = (const uint8_t *)(literal), .size = sizeof(literal) - 1                            \
    }

#define assert_span_eq(got, wanted)                                                                \
    do {                                                                                           \
        struct qn_span got_ = (got), wanted_ = (wanted);                                           \
        char *got_hex_ = span_hex(got_), *wanted_hex_ = span_hex(wanted_);                         \
        cr_assert_str_eq(got_hex_, wanted_hex_);                                                   \
        qn_free(got_hex_);                                                                         \
        qn_free(wanted_hex_);                                                                      \
    } while (0)

#define assert_buf_eq(buf, literal) assert_span_eq(qn_buf_view(buf), SPAN(literal))

static inline char *span_hex(struct qn_span bytes)
{
    struct qn_buf text;
    size_t size;
    qn_buf_init(&text, 2 * bytes.size + 1);
    qn_text_append_hex(&text, bytes);
    qn_buf_append_u8(&text, 0);
    return (char *)qn_buf_take(&text, &size);
}

/* Bytes of a hexadecimal literal in `out`, which is initialised here. */
static inline struct qn_span from_hex(struct qn_buf *out, const char *hex)
{
    qn_buf_init(out, strlen(hex) / 2);
    cr_assert_eq(qn_text_parse_hex(qn_span_str(hex), out), QN_OK, "bad literal %s", hex);
    return qn_buf_view(out);
}
