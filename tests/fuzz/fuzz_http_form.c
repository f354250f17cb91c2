/* Forms, cookies, credentials and languages: nothing is left in the buffer of what is refused, and
 * what is given is text. */
#include "base/text.h"
#include "http/target.h"
#include "support/fuzz.h"

static void check_form(struct qn_span text)
{
    struct qn_buf out;
    qn_buf_init(&out, 4096);
    enum qn_err err = qn_http_form_get(text, "a", &out);
    FUZZ_CHECK(err == QN_OK || out.size == 0);
    FUZZ_CHECK(qn_text_is_utf8(qn_buf_view(&out)));
    FUZZ_CHECK(out.size == 0 || memchr(out.data, 0, out.size) == NULL);
    qn_buf_deinit(&out);
}

static void check_basic(struct qn_span text)
{
    struct qn_span name, password;
    struct qn_buf out;
    qn_buf_init(&out, 4096);
    enum qn_err err = qn_http_basic_read(text, &out, &name, &password);
    FUZZ_CHECK(err == QN_OK || out.size == 0);
    if (err == QN_OK)
        FUZZ_CHECK(name.size + 1 + password.size == out.size &&
                   memchr(out.data, ':', out.size) == name.data + name.size);
    qn_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_span text = qn_span(data, size), value;
    check_form(text);
    check_basic(text);
    if (qn_http_cookie_get(text, "a", &value) == QN_OK && value.size > 0)
        FUZZ_CHECK(value.data >= data && value.data + value.size <= data + size &&
                   memchr(value.data, ';', value.size) == NULL);
    (void)qn_http_wants_french(text);
    return 0;
}
