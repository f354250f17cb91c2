#include <criterion/criterion.h>

#include "crypto/key.h"
#include "support/span.h"

static struct qn_signer *signer_from(const char *seed_hex)
{
    QN_AUTO_BUF struct qn_buf seed;
    struct qn_signer *signer = NULL;
    cr_assert_eq(qn_signer_new(from_hex(&seed, seed_hex).data, &signer), QN_OK);
    return signer;
}

static struct qn_signer *any_signer(uint8_t fill)
{
    uint8_t seed[QN_SEED_SIZE];
    struct qn_signer *signer = NULL;
    memset(seed, fill, sizeof(seed));
    cr_assert_eq(qn_signer_new(seed, &signer), QN_OK);
    return signer;
}

static struct qn_signature signed_by(const struct qn_signer *signer, const char *domain,
                                     struct qn_span message)
{
    struct qn_signature signature;
    cr_assert_eq(qn_signer_sign(signer, domain, message, &signature), QN_OK);
    return signature;
}

/* RFC 8032, 7.1: tests 1 to 3. What is signed here is a digest with a domain, so that only the
 * derivation of the public key can be compared. */
Test(ed25519, rfc_8032_public_keys)
{
    static const char *const vectors[][2] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        QN_AUTO_BUF struct qn_buf wanted;
        struct qn_signer *signer = signer_from(vectors[i][0]);
        assert_span_eq(QN_SPAN_OF(qn_signer_public(signer)->bytes),
                       from_hex(&wanted, vectors[i][1]));
        qn_signer_free(signer);
    }
    qn_signer_free(NULL);
}

Test(signature, verifies_and_is_deterministic)
{
    struct qn_signer *signer = any_signer(1);
    struct qn_signature a = signed_by(signer, "quoin test 1", SPAN("message"));
    struct qn_signature b = signed_by(signer, "quoin test 1", SPAN("message"));
    assert_span_eq(QN_SPAN_OF(a.bytes), QN_SPAN_OF(b.bytes));
    cr_assert_eq(qn_verify(qn_signer_public(signer), "quoin test 1", SPAN("message"), &a), QN_OK);
    qn_signer_free(signer);
}

Test(signature, of_an_empty_message)
{
    struct qn_signer *signer = any_signer(1);
    struct qn_signature signature = signed_by(signer, "d", qn_span(NULL, 0));
    cr_assert_eq(qn_verify(qn_signer_public(signer), "d", SPAN(""), &signature), QN_OK);
    qn_signer_free(signer);
}

Test(signature, belongs_to_its_domain)
{
    struct qn_signer *signer = any_signer(1);
    const struct qn_public_key *key = qn_signer_public(signer);
    struct qn_signature signature = signed_by(signer, "ab", SPAN("cd"));
    cr_assert_eq(qn_verify(key, "abc", SPAN("d"), &signature), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_verify(key, "a", SPAN("bcd"), &signature), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_verify(key, "xy", SPAN("cd"), &signature), QN_ERR_SIGNATURE);
    qn_signer_free(signer);
}

Test(signature, belongs_to_its_key)
{
    struct qn_signer *one = any_signer(1), *other = any_signer(2);
    struct qn_signature signature = signed_by(one, "d", SPAN("m"));
    cr_assert_eq(qn_verify(qn_signer_public(other), "d", SPAN("m"), &signature), QN_ERR_SIGNATURE);
    qn_signer_free(one);
    qn_signer_free(other);
}

Test(signature, every_flipped_bit_is_noticed)
{
    struct qn_signer *signer = any_signer(1);
    const struct qn_public_key *key = qn_signer_public(signer);
    struct qn_signature good = signed_by(signer, "d", SPAN("message"));
    for (size_t bit = 0; bit < 8 * QN_SIGNATURE_SIZE; bit++) {
        struct qn_signature bad = good;
        bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_eq(qn_verify(key, "d", SPAN("message"), &bad), QN_ERR_SIGNATURE, "bit %zu", bit);
    }
    uint8_t message[] = "message";
    for (size_t bit = 0; bit < 8 * 7; bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_eq(qn_verify(key, "d", qn_span(message, 7), &good), QN_ERR_SIGNATURE);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    qn_signer_free(signer);
}

/* Whoever may choose a key must not be able to choose one under which everything verifies. */
Test(signature, a_key_of_small_order_is_refused)
{
    static const char *const small[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    };
    struct qn_signature signature = {{1}}; /* R is the neutral point, S is 0 */
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        QN_AUTO_BUF struct qn_buf bytes;
        struct qn_public_key key;
        memcpy(key.bytes, from_hex(&bytes, small[i]).data, QN_KEY_SIZE);
        for (char letter = 'a'; letter <= 'z'; letter++)
            cr_assert_eq(qn_verify(&key, "d", qn_span(&letter, 1), &signature), QN_ERR_SIGNATURE,
                         "key %zu, message %c", i, letter);
    }
}

/* RFC 7748, 6.1. */
Test(x25519, rfc_7748_public_keys)
{
    static const char *const vectors[][2] = {
        {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
        {"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
         "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        QN_AUTO_BUF struct qn_buf seed, wanted;
        struct qn_public_key key;
        cr_assert_eq(qn_x25519_public(from_hex(&seed, vectors[i][0]).data, &key), QN_OK);
        assert_span_eq(QN_SPAN_OF(key.bytes), from_hex(&wanted, vectors[i][1]));
    }
}

Test(site_id, is_the_digest_of_the_key_and_prints_in_groups_of_seven)
{
    struct qn_signer *signer = any_signer(1);
    struct qn_site_id id;
    struct qn_digest digest;
    qn_site_id_of(qn_signer_public(signer), &id);
    QN_DIGEST(&digest, QN_SPAN_OF(qn_signer_public(signer)->bytes));
    assert_span_eq(QN_SPAN_OF(id.bytes), qn_digest_view(&digest));
    QN_AUTO_BUF struct qn_buf text, back;
    qn_buf_init(&text, 100);
    qn_buf_init(&back, 100);
    qn_site_id_print(&id, &text);
    cr_assert_eq(text.size, 52 + 7);
    for (size_t i = 7; i < text.size; i += 8)
        cr_assert_eq(text.data[i], '-');
    cr_assert_eq(qn_text_parse_base32(qn_buf_view(&text), &back), QN_OK);
    assert_span_eq(qn_buf_view(&back), QN_SPAN_OF(id.bytes));
    qn_signer_free(signer);
}

Test(site_id, order_is_bytewise)
{
    struct qn_site_id low = {{1}}, high = {{0xff}};
    cr_assert_lt(qn_site_id_cmp(&low, &high), 0);
    cr_assert(qn_site_id_eq(&low, &low));
    cr_assert_not(qn_site_id_eq(&low, &high));
}
