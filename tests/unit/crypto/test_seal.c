#include <criterion/criterion.h>

#include "crypto/aead.h"
#include "crypto/seal.h"
#include "support/span.h"

/* RFC 7748, 6.1: Alice seals, Bob opens. */
#define ALICE_SEED   "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
#define ALICE_PUBLIC "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
#define BOB_SEED     "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
#define BOB_PUBLIC   "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
#define SHARED       "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
#define INFO         "quoin test 1"

static void parse(const char *hex, uint8_t out[32])
{
    QN_AUTO_BUF struct qn_buf bytes;
    memcpy(out, from_hex(&bytes, hex).data, 32);
}

static enum qn_err seal_to_bob(struct qn_span plain, struct qn_buf *out)
{
    uint8_t seed[QN_SEED_SIZE];
    struct qn_public_key bob;
    parse(ALICE_SEED, seed);
    parse(BOB_PUBLIC, bob.bytes);
    qn_buf_init(out, 1000);
    return qn_seal(&bob, seed, INFO, plain, out);
}

static enum qn_err open_as(const char *seed_hex, const char *info, struct qn_span sealed,
                           struct qn_buf *out)
{
    uint8_t seed[QN_SEED_SIZE];
    parse(seed_hex, seed);
    qn_buf_init(out, 1000);
    return qn_unseal(seed, info, sealed, out);
}

/* The construction by hand, from the shared secret that the RFC prints. */
Test(seal, is_hkdf_of_the_published_shared_secret)
{
    QN_AUTO_BUF struct qn_buf sealed;
    uint8_t secret[32], salt[64], key[32], plain[8];
    cr_assert_eq(seal_to_bob(SPAN("a secret"), &sealed), QN_OK);
    parse(SHARED, secret);
    parse(ALICE_PUBLIC, salt);
    parse(BOB_PUBLIC, salt + 32);
    qn_hkdf(QN_SPAN_OF(secret), QN_SPAN_OF(salt), INFO, key, sizeof(key));
    struct qn_aead *aead = qn_aead_new();
    qn_aead_set_key(aead, key);
    assert_span_eq(qn_span(sealed.data, 32), qn_span(salt, 32));
    cr_assert_eq(qn_aead_open(aead, 0, SPAN(""), qn_span_from(qn_buf_view(&sealed), 32), plain),
                 QN_OK);
    assert_span_eq(QN_SPAN_OF(plain), SPAN("a secret"));
    qn_aead_free(aead);
}

/* Computed with another implementation (Python's cryptography). */
Test(seal, fixed_vector)
{
    QN_AUTO_BUF struct qn_buf sealed, wanted, plain;
    cr_assert_eq(seal_to_bob(SPAN("a secret"), &sealed), QN_OK);
    assert_span_eq(
        qn_buf_view(&sealed),
        from_hex(&wanted, ALICE_PUBLIC "544456c276faff7d913cbd23a71e4de1314ca5a595f3195b"));
    cr_assert_eq(open_as(BOB_SEED, INFO, qn_buf_view(&wanted), &plain), QN_OK);
    assert_buf_eq(&plain, "a secret");
}

Test(seal, only_the_recipient_opens_it_and_for_that_purpose)
{
    QN_AUTO_BUF struct qn_buf sealed, none, again, plain;
    cr_assert_eq(seal_to_bob(SPAN("a secret"), &sealed), QN_OK);
    struct qn_span bytes = qn_buf_view(&sealed);
    cr_assert_eq(open_as(ALICE_SEED, INFO, bytes, &none), QN_ERR_SIGNATURE);
    cr_assert_eq(open_as(BOB_SEED, "quoin test 2", bytes, &again), QN_ERR_SIGNATURE);
    cr_assert_eq(none.size + again.size, 0);
    cr_assert_eq(open_as(BOB_SEED, INFO, bytes, &plain), QN_OK);
}

Test(seal, empty_is_a_message)
{
    QN_AUTO_BUF struct qn_buf sealed, plain;
    cr_assert_eq(seal_to_bob(qn_span(NULL, 0), &sealed), QN_OK);
    cr_assert_eq(sealed.size, QN_SEAL_OVERHEAD);
    cr_assert_eq(open_as(BOB_SEED, INFO, qn_buf_view(&sealed), &plain), QN_OK);
    cr_assert_eq(plain.size, 0);
}

Test(seal, every_changed_byte_and_every_cut_is_noticed)
{
    QN_AUTO_BUF struct qn_buf sealed;
    cr_assert_eq(seal_to_bob(SPAN("a secret"), &sealed), QN_OK);
    for (size_t i = 0; i < sealed.size; i++) {
        QN_AUTO_BUF struct qn_buf plain;
        sealed.data[i] ^= 1;
        cr_assert_eq(open_as(BOB_SEED, INFO, qn_buf_view(&sealed), &plain), QN_ERR_SIGNATURE,
                     "byte %zu", i);
        sealed.data[i] ^= 1;
    }
    for (size_t size = 0; size < sealed.size; size++) {
        QN_AUTO_BUF struct qn_buf plain;
        cr_assert_eq(open_as(BOB_SEED, INFO, qn_span(sealed.data, size), &plain), QN_ERR_SIGNATURE);
    }
}

/* With such a key everybody would know the shared secret. */
Test(seal, a_key_of_small_order_is_refused)
{
    static const struct qn_public_key small[] = {{{0}}, {{1}}};
    static const uint8_t seed[QN_SEED_SIZE] = {9};
    for (size_t i = 0; i < 2; i++) {
        QN_AUTO_BUF struct qn_buf sealed, plain;
        qn_buf_init(&sealed, 1000);
        cr_assert_eq(qn_seal(&small[i], seed, INFO, SPAN("a"), &sealed), QN_ERR_CRYPTO);
        cr_assert_eq(sealed.size, 0);
        uint8_t bytes[QN_SEAL_OVERHEAD] = {0};
        memcpy(bytes, small[i].bytes, QN_KEY_SIZE);
        cr_assert_eq(open_as(BOB_SEED, INFO, QN_SPAN_OF(bytes), &plain), QN_ERR_SIGNATURE);
    }
}

Test(seal, a_full_buffer_gets_nothing)
{
    QN_AUTO_BUF struct qn_buf sealed, out;
    uint8_t seed[QN_SEED_SIZE];
    struct qn_public_key bob;
    parse(BOB_SEED, seed);
    parse(BOB_PUBLIC, bob.bytes);
    cr_assert_eq(seal_to_bob(SPAN("a secret"), &sealed), QN_OK);
    qn_buf_init(&out, 7);
    cr_assert_eq(qn_unseal(seed, INFO, qn_buf_view(&sealed), &out), QN_ERR_LIMIT);
    qn_buf_reset(&out);
    cr_assert_eq(qn_seal(&bob, seed, INFO, SPAN("a secret"), &out), QN_ERR_LIMIT);
    cr_assert_eq(out.size, 0);
}
