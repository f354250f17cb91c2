#include "people/verifier.h"

enum qn_err qn_verifier_make(struct qn_span password, const uint8_t salt[QN_SALT_SIZE],
                             struct qn_verifier *ret_verifier)
{
    struct qn_verifier made = {.cost = QN_SCRYPT_COST};
    memcpy(made.salt, salt, QN_SALT_SIZE);
    QN_TRY(qn_scrypt(password, QN_SPAN_OF(made.salt), &made.cost, made.hash.bytes, QN_DIGEST_SIZE));
    *ret_verifier = made;
    return QN_OK;
}

enum qn_err qn_verifier_check(const struct qn_verifier *verifier, struct qn_span password)
{
    struct qn_digest hash;
    QN_TRY(qn_scrypt(password, QN_SPAN_OF(verifier->salt), &verifier->cost, hash.bytes,
                     QN_DIGEST_SIZE));
    bool is_right = qn_equal_secret(qn_digest_view(&hash), qn_digest_view(&verifier->hash));
    qn_wipe(&hash, sizeof(hash));
    return is_right ? QN_OK : QN_ERR_DENIED;
}

void qn_verifier_decoy(struct qn_verifier *ret_verifier)
{
    *ret_verifier = (struct qn_verifier){.cost = QN_SCRYPT_COST};
}
