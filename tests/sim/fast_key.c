/* Takes the place of crypto/key.c in the simulator: the same interface, but a signature is a digest
 * that anybody could make. Nobody forges here, and histories run ten times as fast. */
#include "crypto/key.h"

#include "base/mem.h"
#include "base/text.h"

struct qn_signer {
    struct qn_public_key public;
};

static void sign(const struct qn_public_key *key, const char *domain, struct qn_span message,
                 struct qn_signature *ret_signature)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, QN_SPAN_OF(key->bytes), qn_span(domain, strlen(domain) + 1), message);
    memset(ret_signature->bytes, 0, sizeof(ret_signature->bytes));
    memcpy(ret_signature->bytes, digest.bytes, sizeof(digest.bytes));
}

enum qn_err qn_signer_new(const uint8_t seed[QN_SEED_SIZE], struct qn_signer **ret_signer)
{
    struct qn_signer *signer = QN_NEW(struct qn_signer);
    struct qn_digest digest;
    QN_DIGEST(&digest, qn_span(seed, QN_SEED_SIZE));
    memcpy(signer->public.bytes, digest.bytes, QN_KEY_SIZE);
    *ret_signer = signer;
    return QN_OK;
}

void qn_signer_free(struct qn_signer *signer)
{
    qn_free(signer);
}

const struct qn_public_key *qn_signer_public(const struct qn_signer *signer)
{
    return &signer->public;
}

enum qn_err qn_signer_sign(const struct qn_signer *signer, const char *domain,
                           struct qn_span message, struct qn_signature *ret_signature)
{
    sign(&signer->public, domain, message, ret_signature);
    return QN_OK;
}

enum qn_err qn_verify(const struct qn_public_key *key, const char *domain, struct qn_span message,
                      const struct qn_signature *signature)
{
    struct qn_signature expected;
    sign(key, domain, message, &expected);
    return memcmp(expected.bytes, signature->bytes, sizeof(expected.bytes)) == 0 ? QN_OK
                                                                                 : QN_ERR_SIGNATURE;
}

enum qn_err qn_x25519_public(const uint8_t seed[QN_SEED_SIZE], struct qn_public_key *ret_key)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, qn_span(seed, QN_SEED_SIZE), qn_span("x", 1));
    memcpy(ret_key->bytes, digest.bytes, QN_KEY_SIZE);
    return QN_OK;
}

void qn_site_id_of(const struct qn_public_key *first_key, struct qn_site_id *ret_id)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, QN_SPAN_OF(first_key->bytes));
    memcpy(ret_id->bytes, digest.bytes, sizeof(digest.bytes));
}

void qn_site_id_print(const struct qn_site_id *id, struct qn_buf *out)
{
    qn_text_append_base32(out, QN_SPAN_OF(id->bytes), 7);
}
