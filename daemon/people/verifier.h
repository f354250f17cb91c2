/* What a password is checked against: scrypt with its salt and cost. Pure; thread: any, and it is
 * slow (0.1 s, 32 MiB): the thread pool's.
 */
#pragma once

#include "crypto/digest.h"
#include "crypto/password.h"

#define QN_SALT_SIZE 16

struct qn_verifier {
    struct qn_scrypt_cost cost;
    uint8_t salt[QN_SALT_SIZE]; /* random */
    struct qn_digest hash;
};

enum qn_err QN_CHECKED qn_verifier_make(struct qn_span password, const uint8_t salt[QN_SALT_SIZE],
                                        struct qn_verifier *ret_verifier);
/* QN_ERR_DENIED: another password. */
enum qn_err QN_CHECKED qn_verifier_check(const struct qn_verifier *verifier,
                                         struct qn_span password);
/* For a name that nobody has: nothing fits, in the same time. */
void qn_verifier_decoy(struct qn_verifier *ret_verifier);
