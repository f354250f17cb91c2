/* The vectors of RFC 7914 (section 12) and RFC 2202. */
#include <criterion/criterion.h>

#include "base/text.h"
#include "crypto/password.h"
#include "support/span.h"

static void assert_scrypt(const char *password, const char *salt, struct qn_scrypt_cost cost,
                          const char *wanted_hex)
{
    uint8_t out[64];
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 256);
    cr_assert_eq(qn_scrypt(qn_span_str(password), qn_span_str(salt), &cost, out, sizeof(out)),
                 QN_OK);
    qn_text_append_hex(&hex, QN_SPAN_OF(out));
    assert_span_eq(qn_buf_view(&hex), qn_span_str(wanted_hex));
}

Test(password, scrypt_vectors)
{
    assert_scrypt("", "", (struct qn_scrypt_cost){4, 1, 1},
                  "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                  "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    assert_scrypt("pleaseletmein", "SodiumChloride", (struct qn_scrypt_cost){14, 8, 1},
                  "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                  "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887");
}

/* A row could name any cost. */
Test(password, cost_is_bounded)
{
    static const struct qn_scrypt_cost bad[] = {{0, 8, 1},  {18, 8, 1}, {15, 0, 1}, {15, 17, 1},
                                                {15, 8, 0}, {15, 8, 5}, {17, 8, 1}, {255, 255, 255},
                                                {16, 9, 1}, {64, 1, 1}};
    uint8_t out[32];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(qn_scrypt(qn_span_str("a"), qn_span_str("b"), &bad[i], out, sizeof(out)),
                     QN_ERR_LIMIT, "%zu", i);
    struct qn_scrypt_cost ours = QN_SCRYPT_COST;
    cr_assert_eq(qn_scrypt(qn_span(NULL, 0), qn_span_str("b"), &ours, out, sizeof(out)), QN_OK);
}

Test(password, hmac_sha1)
{
    uint8_t mac[QN_SHA1_SIZE];
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 64);
    qn_hmac_sha1(qn_span_str("Jefe"), qn_span_str("what do ya want for nothing?"), mac);
    qn_text_append_hex(&hex, QN_SPAN_OF(mac));
    assert_span_eq(qn_buf_view(&hex), SPAN("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
}
