#include "people/device.h"

#include <criterion/criterion.h>

#include "support/span.h"

Test(device, is_one_account_s_until_its_password_is_another)
{
    struct qn_account anne = {.name = "anne", .has_password = true}, bert = anne;
    char text[QN_DEVICE_TEXT_SIZE + 1];
    memcpy(bert.name, "bert", 5);
    anne.verifier.hash.bytes[0] = bert.verifier.hash.bytes[0] = 1;
    qn_device_text(&anne, text);
    cr_assert_eq(strlen(text), QN_DEVICE_TEXT_SIZE);
    cr_assert(qn_device_is_known(&anne, qn_span_str(text)));
    cr_assert_not(qn_device_is_known(&bert, qn_span_str(text)));
    cr_assert_not(qn_device_is_known(&anne, SPAN("")));
    cr_assert_not(qn_device_is_known(&anne, qn_span(text, QN_DEVICE_TEXT_SIZE - 1)));
    anne.verifier.hash.bytes[5] = 2;
    cr_assert_not(qn_device_is_known(&anne, qn_span_str(text)), "the password is another");
}

Test(device, without_a_password_there_is_none)
{
    struct qn_account anne = {.name = "anne"};
    char text[QN_DEVICE_TEXT_SIZE + 1];
    qn_device_text(&anne, text);
    cr_assert_not(qn_device_is_known(&anne, qn_span_str(text)));
}
