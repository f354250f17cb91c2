/* Base32 and hexadecimal: what is read is written back as the same bytes. Names are printable. */
#include "base/limits.h"
#include "base/text.h"
#include "support/fuzz.h"

typedef enum qn_err parse_fn(struct qn_span text, struct qn_buf *out);
typedef void append_fn(struct qn_buf *out, struct qn_span bytes);

static void append_groups_of_seven(struct qn_buf *out, struct qn_span bytes)
{
    qn_text_append_base32(out, bytes, 7);
}

static void check_codec(struct qn_span input, parse_fn *parse, append_fn *append)
{
    QN_AUTO_BUF struct qn_buf bytes, text, again;
    qn_buf_init(&bytes, input.size);
    qn_buf_init(&text, 3 * input.size + 16);
    qn_buf_init(&again, 2 * input.size + 16);
    if (parse(input, &bytes) != QN_OK) {
        FUZZ_CHECK(bytes.size == 0);
        return;
    }
    append(&text, qn_buf_view(&bytes));
    FUZZ_CHECK(parse(qn_buf_view(&text), &again) == QN_OK);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&bytes), qn_buf_view(&again)));
}

static void check_writing(struct qn_span input)
{
    QN_AUTO_BUF struct qn_buf text, bytes;
    qn_buf_init(&text, 3 * input.size + 16);
    qn_buf_init(&bytes, input.size);
    append_groups_of_seven(&text, input);
    FUZZ_CHECK(qn_text_parse_base32(qn_buf_view(&text), &bytes) == QN_OK);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&bytes), input));
}

static void check_names(struct qn_span input)
{
    if (qn_text_is_printable(input))
        FUZZ_CHECK(qn_text_is_utf8(input));
    if (!qn_text_is_name(input))
        return;
    FUZZ_CHECK(qn_text_is_printable(input));
    FUZZ_CHECK(input.size >= 1 && input.size <= QN_NAME_SIZE_MAX);
    FUZZ_CHECK(memchr(input.data, ' ', input.size) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_span input = qn_span(data, size);
    check_codec(input, qn_text_parse_base32, append_groups_of_seven);
    check_codec(input, qn_text_parse_hex, qn_text_append_hex);
    check_writing(input);
    check_names(input);
    return 0;
}
