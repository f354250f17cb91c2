/* Paths: what is decoded is safe to walk, and its encoding is decoded to the same. */
#include "base/text.h"
#include "http/target.h"
#include "support/fuzz.h"

static void check_names(struct qn_span path)
{
    while (path.size > 0) {
        const uint8_t *slash = memchr(path.data, '/', path.size);
        struct qn_span name =
            qn_span(path.data, slash == NULL ? path.size : (size_t)(slash - path.data));
        FUZZ_CHECK(name.size > 0 && name.size <= 255 && qn_text_is_printable(name));
        FUZZ_CHECK(!qn_span_eq_str(name, ".") && !qn_span_eq_str(name, ".."));
        FUZZ_CHECK(slash == NULL || name.size + 1 < path.size);
        path = qn_span_from(path, name.size + 1);
    }
}

static void check_again(const struct qn_buf *path)
{
    struct qn_buf encoded, again;
    bool ends;
    qn_buf_init(&encoded, (size_t)3 * QN_HTTP_PATH_SIZE_MAX);
    qn_buf_init(&again, QN_HTTP_PATH_SIZE_MAX);
    qn_http_path_encode(qn_buf_view(path), &encoded);
    FUZZ_CHECK(qn_http_path_decode(qn_buf_view(&encoded), &again, &ends) == QN_OK && !ends);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&again), qn_buf_view(path)));
    qn_buf_deinit(&encoded);
    qn_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_http_target target;
    struct qn_buf path;
    bool ends;
    struct qn_span text = qn_span(data, size);
    qn_buf_init(&path, QN_HTTP_PATH_SIZE_MAX);
    if (qn_http_target_split(text, &target) == QN_OK)
        text = target.path;
    if (qn_http_path_decode(text, &path, &ends) == QN_OK) {
        FUZZ_CHECK(path.size <= QN_HTTP_PATH_SIZE_MAX);
        check_names(qn_buf_view(&path));
        check_again(&path);
    } else {
        FUZZ_CHECK(path.size == 0);
    }
    qn_buf_deinit(&path);
    return 0;
}
