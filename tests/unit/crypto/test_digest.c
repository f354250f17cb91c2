#include <criterion/criterion.h>

#include "crypto/digest.h"
#include "support/span.h"

static void assert_digest(const struct qn_digest *got, const char *hex)
{
    QN_AUTO_BUF struct qn_buf wanted;
    assert_span_eq(qn_digest_view(got), from_hex(&wanted, hex));
}

/* FIPS 180-4 examples. */
Test(digest, known_answers)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, SPAN(""));
    assert_digest(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    QN_DIGEST(&digest, SPAN("abc"));
    assert_digest(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    QN_DIGEST(&digest, SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"));
    assert_digest(&digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

Test(digest, parts_are_concatenated)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, SPAN("a"), qn_span(NULL, 0), SPAN("bc"));
    assert_digest(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    qn_digest_parts(NULL, 0, &digest);
    assert_digest(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

Test(digest, a_hasher_is_used_again)
{
    struct qn_hasher *hasher = qn_hasher_new();
    struct qn_digest digest;
    for (int round = 0; round < 3; round++) {
        qn_hasher_start(hasher);
        for (int i = 0; i < 1000000 / 50; i++)
            qn_hasher_add(hasher, SPAN("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        qn_hasher_finish(hasher, &digest);
        assert_digest(&digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    qn_hasher_free(hasher);
    qn_hasher_free(NULL);
}

Test(digest, a_start_in_between_forgets_what_was_added)
{
    struct qn_hasher *hasher = qn_hasher_new();
    struct qn_digest digest;
    qn_hasher_start(hasher);
    qn_hasher_add(hasher, SPAN("forgotten"));
    qn_hasher_start(hasher);
    qn_hasher_add(hasher, SPAN("abc"));
    qn_hasher_finish(hasher, &digest);
    assert_digest(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    qn_hasher_free(hasher);
}

static void assert_hmac(const char *key_hex, const char *message_hex, const char *mac_hex)
{
    QN_AUTO_BUF struct qn_buf key, message;
    struct qn_digest mac;
    qn_hmac(from_hex(&key, key_hex), from_hex(&message, message_hex), &mac);
    assert_digest(&mac, mac_hex);
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
Test(hmac, rfc_4231)
{
    assert_hmac("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac("4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    uint8_t key[131];
    memset(key, 0xaa, sizeof(key));
    struct qn_digest mac;
    qn_hmac(QN_SPAN_OF(key), SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), &mac);
    assert_digest(&mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* HMAC of nothing under no key, computed with another implementation (Python's hmac). */
Test(hmac, of_nothing)
{
    struct qn_digest mac;
    qn_hmac(qn_span(NULL, 0), qn_span(NULL, 0), &mac);
    assert_digest(&mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void assert_hkdf(struct qn_span secret, struct qn_span salt, const char *info,
                        const char *okm_hex)
{
    QN_AUTO_BUF struct qn_buf wanted;
    uint8_t out[255 * QN_DIGEST_SIZE];
    struct qn_span okm = from_hex(&wanted, okm_hex);
    qn_hkdf(secret, salt, info, out, okm.size);
    assert_span_eq(qn_span(out, okm.size), okm);
}

/* RFC 5869, A.1 and A.3. */
Test(hkdf, rfc_5869)
{
    uint8_t secret[22], salt[13];
    memset(secret, 0x0b, sizeof(secret));
    for (size_t i = 0; i < sizeof(salt); i++)
        salt[i] = (uint8_t)i;
    assert_hkdf(QN_SPAN_OF(secret), QN_SPAN_OF(salt), "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9",
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                "34007208d5b887185865");
    assert_hkdf(QN_SPAN_OF(secret), qn_span(NULL, 0), "",
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                "9d201395faa4b61a96c8");
}

Test(hkdf, length_and_info_separate_keys)
{
    uint8_t a[32], b[32], all[255 * QN_DIGEST_SIZE];
    qn_hkdf(SPAN("secret"), SPAN("salt"), "data", a, sizeof(a));
    qn_hkdf(SPAN("secret"), SPAN("salt"), "metadata", b, sizeof(b));
    cr_assert_not(qn_span_eq(QN_SPAN_OF(a), QN_SPAN_OF(b)));
    qn_hkdf(SPAN("secret"), SPAN("salt"), "data", all, sizeof(all));
    assert_span_eq(qn_span(all, 32), QN_SPAN_OF(a));
}

Test(secret, equality)
{
    cr_assert(qn_equal_secret(SPAN("abc"), SPAN("abc")));
    cr_assert_not(qn_equal_secret(SPAN("abc"), SPAN("abd")));
    cr_assert_not(qn_equal_secret(SPAN("abc"), SPAN("ab")));
    cr_assert(qn_equal_secret(qn_span(NULL, 0), qn_span(NULL, 0)));
}

Test(secret, wiped_memory_is_zero)
{
    char secret[] = "secret";
    qn_wipe(secret, sizeof(secret));
    assert_span_eq(QN_SPAN_OF(secret), SPAN("\0\0\0\0\0\0\0"));
    qn_wipe(NULL, 0);
}
