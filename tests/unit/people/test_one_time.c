#include "people/one_time.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "support/span.h"

static const uint8_t secret[QN_TOTP_SECRET_SIZE] = "12345678901234567890";

/* RFC 6238, appendix B, the last six of its eight digits. */
Test(one_time, vectors)
{
    static const struct {
        uint64_t s;
        unsigned code;
    } vectors[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
                   {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130}};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        cr_assert_eq(qn_totp_code(secret, vectors[i].s / 30), vectors[i].code, "%zu", i);
}

static enum qn_err check(uint64_t code_step, uint64_t now_step, uint64_t last, uint64_t *ret_step)
{
    char code[16];
    snprintf(code, sizeof(code), "%06u", qn_totp_code(secret, code_step));
    return qn_totp_check(secret, qn_span_str(code), now_step * QN_TOTP_STEP_MS + 4000, last,
                         ret_step);
}

Test(one_time, one_step_of_difference_and_no_more)
{
    uint64_t step = 0;
    for (int by = -3; by <= 3; by++) {
        enum qn_err err = check(1000 + (uint64_t)by, 1000, 0, &step);
        cr_assert_eq(err, by >= -1 && by <= 1 ? QN_OK : QN_ERR_DENIED, "%d", by);
        cr_assert(err != QN_OK || step == 1000 + (uint64_t)by);
    }
}

Test(one_time, a_code_is_good_once)
{
    uint64_t step;
    cr_assert_eq(check(1000, 1000, 999, &step), QN_OK);
    cr_assert_eq(check(1000, 1000, step, &step), QN_ERR_EXPIRED);
    cr_assert_eq(check(1000, 1001, step, &step), QN_ERR_EXPIRED);
    cr_assert_eq(check(999, 1000, step, &step), QN_ERR_EXPIRED);
    cr_assert_eq(check(1001, 1000, step, &step), QN_OK);
}

Test(one_time, what_is_typed)
{
    uint64_t step, now = (uint64_t)59 * 1000;
    static const char *const bad[] = {"", "28708", "2870822", "28708a", "-87082", "287083"};
    cr_assert_eq(qn_totp_check(secret, SPAN("287082"), now, 0, &step), QN_OK);
    cr_assert_eq(qn_totp_check(secret, SPAN("287 082"), now, 0, &step), QN_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(qn_totp_check(secret, qn_span_str(bad[i]), now, 0, &step), QN_ERR_DENIED);
}

Test(one_time, uri)
{
    QN_AUTO_BUF struct qn_buf uri;
    qn_buf_init(&uri, 1024);
    qn_totp_uri("Saint-Céré", "anne", secret, &uri);
    assert_span_eq(qn_buf_view(&uri),
                   SPAN("otpauth://totp/Saint-C%C3%A9r%C3%A9:anne?secret="
                        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Saint-C%C3%A9r%C3%A9"
                        "&algorithm=SHA1&digits=6&period=30"));
}
