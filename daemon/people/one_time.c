#include "people/one_time.h"

#include <stdio.h>

#include "base/text.h"
#include "crypto/password.h"

#define CODES 1000000 /* 10 ^ QN_TOTP_DIGITS */

/* RFC 4226, section 5.3. */
unsigned qn_totp_code(const uint8_t secret[QN_TOTP_SECRET_SIZE], uint64_t step)
{
    uint8_t counter[8], mac[QN_SHA1_SIZE];
    qn_write_u64(counter, step);
    qn_hmac_sha1(qn_span(secret, QN_TOTP_SECRET_SIZE), QN_SPAN_OF(counter), mac);
    uint32_t truncated = qn_read_u32(mac + (mac[QN_SHA1_SIZE - 1] & 0xf)) & 0x7fffffff;
    return truncated % CODES;
}

static bool is_code(const uint8_t secret[QN_TOTP_SECRET_SIZE], uint64_t step, struct qn_span code)
{
    char wanted[16];
    int size = snprintf(wanted, sizeof(wanted), "%06u", qn_totp_code(secret, step));
    return qn_equal_secret(code, qn_span(wanted, (size_t)size));
}

/* Spaces that an app shows in the middle, and a person types. */
static size_t take_digits(struct qn_span code, char out[QN_TOTP_DIGITS])
{
    size_t count = 0;
    for (size_t i = 0; i < code.size; i++) {
        if (code.data[i] == ' ')
            continue;
        if (code.data[i] < '0' || code.data[i] > '9' || count == QN_TOTP_DIGITS)
            return 0;
        out[count++] = (char)code.data[i];
    }
    return count;
}

enum qn_err qn_totp_check(const uint8_t secret[QN_TOTP_SECRET_SIZE], struct qn_span code,
                          uint64_t wall_ms, uint64_t last_step, uint64_t *ret_step)
{
    char digits[QN_TOTP_DIGITS];
    uint64_t now = wall_ms / QN_TOTP_STEP_MS;
    enum qn_err err = QN_ERR_DENIED;
    if (take_digits(code, digits) != QN_TOTP_DIGITS)
        return QN_ERR_DENIED;
    uint64_t first = now >= QN_TOTP_STEPS_BY ? now - QN_TOTP_STEPS_BY : 0;
    for (uint64_t step = first; step <= now + QN_TOTP_STEPS_BY; step++) {
        if (!is_code(secret, step, QN_SPAN_OF(digits)))
            continue;
        err = QN_ERR_EXPIRED;
        if (step > last_step) {
            *ret_step = step;
            return QN_OK;
        }
    }
    return err;
}

/* ---- the address ---- */

static void append_encoded(struct qn_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
        if (is_plain)
            qn_buf_append_u8(out, c);
        else
            qn_buf_printf(out, "%%%02X", c);
    }
}

void qn_totp_uri(const char *issuer, const char *name, const uint8_t secret[QN_TOTP_SECRET_SIZE],
                 struct qn_buf *out)
{
    qn_buf_append_str(out, "otpauth://totp/");
    append_encoded(out, issuer);
    qn_buf_append_str(out, ":");
    append_encoded(out, name);
    qn_buf_append_str(out, "?secret=");
    qn_text_append_base32(out, qn_span(secret, QN_TOTP_SECRET_SIZE), 0);
    qn_buf_append_str(out, "&issuer=");
    append_encoded(out, issuer);
    qn_buf_append_str(out, "&algorithm=SHA1&digits=6&period=30");
}
