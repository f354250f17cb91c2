/* The certificate that people's clients see: from files of the IT person's, or signed by an
 * authority of the site's own, which is made when it is needed first and kept in DIR/authority/
 * (0700; ca.key, ca.pem, server.key, server.pem, 0600). Loop thread; a look at the files costs two
 * stat calls, a new certificate a few milliseconds and fsyncs, once a year.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "serve/config.h"

struct qn_certificate_status {
    bool is_loaded, is_own; /* of the site's own authority */
    uint64_t end_ms;        /* of the one that ends first: certificate or own authority */
    char names[1024];       /* names and addresses in it, with ", " between */
    char error[160];        /* what is wrong with it, or with what is wished; "": nothing */
};

struct qn_certificates;
struct qn_certificates *qn_certificates_new(const char *state_dir, const char *site);
void qn_certificates_free(struct qn_certificates *certificates); /* accepts NULL */
void qn_certificates_configure(struct qn_certificates *certificates,
                               const struct qn_serve_config *config);
/* True: there is a new pair to be used. Reads files that changed, signs anew when it is time (after
 * two thirds of its life, or for other names). A fault is in the status, and what was loaded stays.
 */
bool qn_certificates_refresh(struct qn_certificates *certificates, uint64_t wall_ms);
struct qn_span qn_certificates_chain(const struct qn_certificates *certificates); /* PEM */
struct qn_span qn_certificates_key(const struct qn_certificates *certificates);   /* PEM, secret */
/* The pair was refused by TLS: says so in the status. */
void qn_certificates_refused(struct qn_certificates *certificates, enum qn_err err);
const struct qn_certificate_status *qn_certificates_status(
    const struct qn_certificates *certificates);
/* The certificate of the site's own authority, PEM. QN_ERR_NOTFOUND: there is none (yet). */
enum qn_err QN_CHECKED qn_certificates_authority(const char *state_dir, struct qn_buf *out);
