/* SHA-256, HMAC-SHA-256 and HKDF-SHA-256 (FIPS 180-4, RFC 2104, RFC 5869), through OpenSSL.
 * Pure: same input, same output. Thread: any.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#define QN_DIGEST_SIZE 32

struct qn_digest {
    uint8_t bytes[QN_DIGEST_SIZE];
};

/* Streaming SHA-256. A context is made once and reused; qn_hasher_free accepts NULL. */
struct qn_hasher;
struct qn_hasher *qn_hasher_new(void);
void qn_hasher_free(struct qn_hasher *hasher);
void qn_hasher_start(struct qn_hasher *hasher);
void qn_hasher_add(struct qn_hasher *hasher, struct qn_span bytes);
void qn_hasher_finish(struct qn_hasher *hasher, struct qn_digest *ret_digest);

/* SHA-256 of the concatenation of `count` spans. */
void qn_digest_parts(const struct qn_span *parts, size_t count, struct qn_digest *ret_digest);
#define QN_DIGEST(ret_digest, ...)                                                                 \
    qn_digest_parts((struct qn_span[]){__VA_ARGS__},                                               \
                    sizeof((struct qn_span[]){__VA_ARGS__}) / sizeof(struct qn_span),              \
                    (ret_digest))

void qn_hmac(struct qn_span key, struct qn_span message, struct qn_digest *ret_mac);
/* Extract and expand in one; out_size <= 255 * 32. */
void qn_hkdf(struct qn_span secret, struct qn_span salt, const char *info, uint8_t *out,
             size_t out_size);

/* Compares in time that does not depend on the content. */
bool qn_equal_secret(struct qn_span a, struct qn_span b);
/* Overwrites memory in a way that the compiler may not drop. */
void qn_wipe(void *memory, size_t size);

static inline struct qn_span qn_digest_view(const struct qn_digest *digest)
{
    return qn_span(digest->bytes, sizeof(digest->bytes));
}

static inline bool qn_digest_eq(const struct qn_digest *a, const struct qn_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
