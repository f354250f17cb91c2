/* One-time codes of a second factor: TOTP (RFC 6238) with HMAC-SHA-1, 6 digits, 30 s, which is what
 * every authenticator app can. Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "people/account.h"

#define QN_TOTP_STEP_MS  30000
#define QN_TOTP_STEPS_BY 1 /* steps by which a phone's clock may differ, both ways */
#define QN_TOTP_DIGITS   6

unsigned qn_totp_code(const uint8_t secret[QN_TOTP_SECRET_SIZE], uint64_t step);
/* The step that the code is of, which must be after `last_step`: the caller stores it before the
 * code counts, so that nobody who looked on uses it again. QN_ERR_DENIED: no such code.
 * QN_ERR_EXPIRED: it is right and was used, or one after it. */
enum qn_err QN_CHECKED qn_totp_check(const uint8_t secret[QN_TOTP_SECRET_SIZE], struct qn_span code,
                                     uint64_t wall_ms, uint64_t last_step, uint64_t *ret_step);
/* otpauth://totp/…, as authenticator apps read it from a QR code; `issuer`: the site. */
void qn_totp_uri(const char *issuer, const char *name, const uint8_t secret[QN_TOTP_SECRET_SIZE],
                 struct qn_buf *out);
