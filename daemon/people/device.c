#include "people/device.h"

#include "base/text.h"

void qn_device_text(const struct qn_account *account, char ret_text[QN_DEVICE_TEXT_SIZE + 1])
{
    struct qn_digest mac;
    QN_AUTO_BUF struct qn_buf message, text;
    qn_buf_init(&message, 2 * QN_USER_SIZE_MAX);
    qn_buf_append_str(&message, "quoin device 1 ");
    qn_buf_append_str(&message, account->name);
    qn_hmac(qn_digest_view(&account->verifier.hash), qn_buf_view(&message), &mac);
    qn_buf_init(&text, QN_DEVICE_TEXT_SIZE);
    qn_text_append_hex(&text, qn_digest_view(&mac));
    memcpy(ret_text, text.data, QN_DEVICE_TEXT_SIZE);
    ret_text[QN_DEVICE_TEXT_SIZE] = '\0';
    qn_wipe(text.data, text.size);
}

bool qn_device_is_known(const struct qn_account *account, struct qn_span text)
{
    char wanted[QN_DEVICE_TEXT_SIZE + 1];
    if (!account->has_password)
        return false;
    qn_device_text(account, wanted);
    return qn_equal_secret(text, qn_span(wanted, QN_DEVICE_TEXT_SIZE));
}
