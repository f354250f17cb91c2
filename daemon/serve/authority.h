/* X.509 of the site's own authority (requirement W21). The authority may sign for the names of its
 * making, for what is below them, and for private addresses: who has its key cannot pose as a bank
 * to those who trust it. ECDSA P-256, since Windows 10 does not take Ed25519. Thread: any; the time
 * comes in, randomness for keys and serial numbers from OpenSSL.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "stream/address.h"

#define QN_AUTHORITY_DAYS   3652
#define QN_CERTIFICATE_DAYS 397 /* the most that browsers take */

struct qn_authority_names {
    const char *const *names; /* host names: letters, digits, '-', '.' */
    size_t name_count;
    const union qn_address *addresses;
    size_t address_count;
};

/* A certificate with its key, as PEM. */
struct qn_pem_pair {
    struct qn_buf certificate, key;
};
void qn_pem_pair_init(struct qn_pem_pair *pair);
void qn_pem_pair_deinit(struct qn_pem_pair *pair); /* wipes the key */

enum qn_err QN_CHECKED qn_authority_make(const char *site, const struct qn_authority_names *names,
                                         uint64_t now_ms, struct qn_pem_pair *out);
/* QN_ERR_DENIED: the authority may not sign for one of the names, or is over. */
enum qn_err QN_CHECKED qn_authority_sign(const struct qn_pem_pair *authority,
                                         const struct qn_authority_names *names, uint64_t now_ms,
                                         struct qn_pem_pair *out);

struct qn_certificate_facts {
    uint64_t begin_ms, end_ms;
    char names[1024]; /* "a.example, 10.0.0.1" */
};
/* Of the first certificate of a PEM text. */
enum qn_err QN_CHECKED qn_certificate_look(struct qn_span pem, struct qn_certificate_facts *ret);
/* Whether who connects by that name takes it. What its subject says does not count: no browser
 * looks there any more. */
bool qn_certificate_is_for(struct qn_span pem, const char *name);
