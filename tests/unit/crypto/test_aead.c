#include <criterion/criterion.h>

#include "base/prng.h"
#include "crypto/aead.h"
#include "support/span.h"

static struct qn_aead *keyed(uint8_t first)
{
    uint8_t key[QN_AEAD_KEY_SIZE] = {first};
    struct qn_aead *aead = qn_aead_new();
    qn_aead_set_key(aead, key);
    return aead;
}

static void assert_seals_to(struct qn_aead *aead, uint64_t counter, struct qn_span aad,
                            struct qn_span plain, const char *wanted_hex)
{
    QN_AUTO_BUF struct qn_buf wanted;
    uint8_t sealed[100], opened[100];
    qn_aead_seal(aead, counter, aad, plain, sealed);
    struct qn_span whole = qn_span(sealed, plain.size + QN_AEAD_TAG_SIZE);
    assert_span_eq(whole, from_hex(&wanted, wanted_hex));
    cr_assert_eq(qn_aead_open(aead, counter, aad, whole, opened), QN_OK);
    assert_span_eq(qn_span(opened, plain.size), plain);
}

/* The GCM specification as submitted to NIST (McGrew and Viega, appendix B), test cases 13 and 14:
 * those for 256 bits whose nonce is a counter. */
Test(aead, published_vectors)
{
    static const uint8_t zeros[16];
    struct qn_aead *aead = keyed(0);
    assert_seals_to(aead, 0, SPAN(""), SPAN(""), "530f8afbc74536b9a963b4f1c4cb738b");
    assert_seals_to(aead, 0, qn_span(NULL, 0), QN_SPAN_OF(zeros),
                    "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    qn_aead_free(aead);
}

/* Computed with another implementation (Python's cryptography): nonce 00000000 0102…08. */
Test(aead, the_nonce_is_the_counter)
{
    uint8_t key[QN_AEAD_KEY_SIZE];
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    struct qn_aead *aead = qn_aead_new();
    qn_aead_set_key(aead, key);
    assert_seals_to(aead, 0x0102030405060708, SPAN("bound text"), SPAN("attached text"),
                    "6525116fbe896cfa23eb98976abed8d475091b13e35676617bba1650b4");
    qn_aead_free(aead);
}

Test(aead, seals_and_opens_in_place)
{
    struct qn_aead *aead = keyed(1);
    uint8_t bytes[11 + QN_AEAD_TAG_SIZE] = "hello world", apart[sizeof(bytes)];
    qn_aead_seal(aead, 7, SPAN("aad"), qn_span(bytes, 11), apart);
    qn_aead_seal(aead, 7, SPAN("aad"), qn_span(bytes, 11), bytes);
    assert_span_eq(QN_SPAN_OF(bytes), QN_SPAN_OF(apart));
    cr_assert_eq(qn_aead_open(aead, 7, SPAN("aad"), QN_SPAN_OF(bytes), bytes), QN_OK);
    assert_span_eq(qn_span(bytes, 11), SPAN("hello world"));
    qn_aead_free(aead);
}

Test(aead, every_flipped_bit_is_noticed_and_nothing_is_handed_out)
{
    struct qn_aead *aead = keyed(1);
    uint8_t sealed[7 + QN_AEAD_TAG_SIZE], out[7];
    static const uint8_t wiped[7];
    qn_aead_seal(aead, 7, SPAN("aad"), SPAN("message"), sealed);
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(out, 0xaa, sizeof(out));
        cr_assert_eq(qn_aead_open(aead, 7, SPAN("aad"), QN_SPAN_OF(sealed), out), QN_ERR_SIGNATURE,
                     "bit %zu", bit);
        assert_span_eq(QN_SPAN_OF(out), QN_SPAN_OF(wiped));
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert_eq(qn_aead_open(aead, 7, SPAN("aad"), QN_SPAN_OF(sealed), out), QN_OK);
    assert_span_eq(QN_SPAN_OF(out), SPAN("message"));
    qn_aead_free(aead);
}

Test(aead, is_bound_to_key_counter_and_aad)
{
    struct qn_aead *aead = keyed(1), *other = keyed(2);
    uint8_t sealed[1 + QN_AEAD_TAG_SIZE], out[1];
    qn_aead_seal(aead, 7, SPAN("aad"), SPAN("m"), sealed);
    struct qn_span whole = QN_SPAN_OF(sealed);
    cr_assert_eq(qn_aead_open(other, 7, SPAN("aad"), whole, out), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_aead_open(aead, 8, SPAN("aad"), whole, out), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_aead_open(aead, 7 | (uint64_t)1 << 63, SPAN("aad"), whole, out),
                 QN_ERR_SIGNATURE);
    cr_assert_eq(qn_aead_open(aead, 7, SPAN("aae"), whole, out), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_aead_open(aead, 7, SPAN(""), whole, out), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_aead_open(aead, 7, SPAN("aad"), whole, out), QN_OK);
    qn_aead_free(aead);
    qn_aead_free(other);
    qn_aead_free(NULL);
}

Test(aead, what_is_shorter_than_a_tag_was_never_sealed)
{
    struct qn_aead *aead = keyed(1);
    uint8_t sealed[QN_AEAD_TAG_SIZE], out[1];
    qn_aead_seal(aead, 0, SPAN(""), SPAN(""), sealed);
    for (size_t size = 0; size < sizeof(sealed); size++)
        cr_assert_eq(qn_aead_open(aead, 0, SPAN(""), qn_span(sealed, size), out), QN_ERR_SIGNATURE);
    cr_assert_eq(qn_aead_open(aead, 0, SPAN(""), QN_SPAN_OF(sealed), out), QN_OK);
    qn_aead_free(aead);
}

Test(aead, a_new_key_replaces_the_old_one)
{
    struct qn_aead *aead = keyed(1), *other = keyed(2);
    uint8_t key[QN_AEAD_KEY_SIZE] = {2}, one[20], two[20];
    qn_aead_set_key(aead, key);
    qn_aead_seal(aead, 3, SPAN(""), SPAN("same"), one);
    qn_aead_seal(other, 3, SPAN(""), SPAN("same"), two);
    assert_span_eq(QN_SPAN_OF(one), QN_SPAN_OF(two));
    qn_aead_free(aead);
    qn_aead_free(other);
}

/* RFC 4231, test cases 2 and 6; the key is kept from message to message. */
Test(mac, rfc_4231_again_and_again)
{
    QN_AUTO_BUF struct qn_buf wanted;
    uint8_t long_key[131];
    memset(long_key, 0xaa, sizeof(long_key));
    struct qn_mac *mac = qn_mac_new(SPAN("Jefe")), *other = qn_mac_new(QN_SPAN_OF(long_key));
    struct qn_digest digest;
    struct qn_span first =
        from_hex(&wanted, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
                          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    for (int round = 0; round < 3; round++) {
        qn_mac_of(mac, SPAN("what do ya want for nothing?"), &digest);
        assert_span_eq(qn_digest_view(&digest), qn_span(first.data, 32));
        qn_mac_of(other, SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), &digest);
        assert_span_eq(qn_digest_view(&digest), qn_span(first.data + 32, 32));
    }
    qn_mac_free(mac);
    qn_mac_free(other);
    qn_mac_free(NULL);
}

Test(mac, is_hmac_for_every_size)
{
    uint8_t message[300];
    struct qn_prng prng = {.state = 1};
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)qn_prng_next(&prng);
    for (size_t key_size = 0; key_size < 80; key_size += 8) {
        struct qn_mac *mac = qn_mac_new(qn_span(key_size > 0 ? message : NULL, key_size));
        for (size_t size = 0; size <= sizeof(message); size++) {
            struct qn_digest one, other;
            struct qn_span bytes = qn_span(size > 0 ? message : NULL, size);
            qn_mac_of(mac, bytes, &one);
            qn_hmac(qn_span(message, key_size), bytes, &other);
            assert_span_eq(qn_digest_view(&one), qn_digest_view(&other));
        }
        qn_mac_free(mac);
    }
}
