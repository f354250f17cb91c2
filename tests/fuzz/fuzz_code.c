/* An invitation code that is read is written back as one that reads the same. */
#include "model/invitation.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_code code, again;
    if (qn_code_parse(qn_span(data, size), &code) != QN_OK)
        return 0;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_CODE_SIZE_MAX);
    qn_code_print(&code, &text);
    FUZZ_CHECK(qn_buf_status(&text) == QN_OK);
    FUZZ_CHECK(qn_code_parse(qn_buf_view(&text), &again) == QN_OK);
    FUZZ_CHECK(memcmp(&code, &again, sizeof(code)) == 0);
    return 0;
}
