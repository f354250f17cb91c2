/* What passwords and one-time codes need: scrypt (RFC 7914) and HMAC-SHA-1 (RFC 2104, for RFC 4226
 * only), through OpenSSL. Pure; thread: any.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#define QN_SHA1_SIZE 20

/* Memory is 128 * r * 2^log_n bytes, time grows with p too. */
struct qn_scrypt_cost {
    uint8_t log_n, r, p;
};
#define QN_SCRYPT_COST       ((struct qn_scrypt_cost){.log_n = 15, .r = 8, .p = 1}) /* 32 MiB */

#define QN_SCRYPT_LOG_N_MAX  17
#define QN_SCRYPT_R_MAX      16
#define QN_SCRYPT_P_MAX      4
#define QN_SCRYPT_MEMORY_MAX ((size_t)64 * 1024 * 1024)

/* Costs that this project computes: what a row asks for must not take all memory. */
bool qn_scrypt_is_allowed(const struct qn_scrypt_cost *cost);
/* QN_ERR_LIMIT: not allowed. QN_ERR_CRYPTO: there is no memory for it now. */
enum qn_err QN_CHECKED qn_scrypt(struct qn_span password, struct qn_span salt,
                                 const struct qn_scrypt_cost *cost, uint8_t *out, size_t out_size);

void qn_hmac_sha1(struct qn_span key, struct qn_span message, uint8_t ret_mac[QN_SHA1_SIZE]);
