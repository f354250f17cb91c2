/* A recovery kit that is read is written back as one that reads the same. */
#include "model/invitation.h"
#include "support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_kit kit, again;
    struct qn_kit_fault fault;
    qn_kit_find_fault(qn_span(data, size), &fault);
    if (qn_kit_parse(qn_span(data, size), &kit) != QN_OK)
        return 0;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 8192);
    qn_kit_print(&kit, &text);
    FUZZ_CHECK(qn_buf_status(&text) == QN_OK);
    FUZZ_CHECK(qn_kit_parse(qn_buf_view(&text), &again) == QN_OK);
    FUZZ_CHECK(memcmp(&kit, &again, sizeof(kit)) == 0);
    return 0;
}
