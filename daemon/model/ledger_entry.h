/* One entry of the ledger as bytes: read, verified, composed (docs/formats/ledger.md). What an
 * entry may do is not judged here. Pure. Spans are borrowed from what was unpacked.
 */
#pragma once

#include "model/ledger_body.h"

#define QN_ENTRY_DOMAIN "quoin entry 1"

/* A place in the administrator's chain. */
struct qn_ledger_ref {
    uint64_t term, seq;
    struct qn_digest hash;
};

struct qn_entry {
    struct qn_span bytes;
    struct qn_span body_bytes;
    struct qn_body body;
    struct qn_site_id author;
    uint64_t epoch;         /* which of its keys signed: 0, the first */
    uint64_t aseq;          /* place in the author's chain, from 1 */
    struct qn_digest aprev; /* hash of the entry before; zero for the first */
    struct qn_ledger_ref ref;
    qn_hlc hlc;
    struct qn_signature signature;
    struct qn_digest hash;
};

/* Form and limits only. */
enum qn_err QN_CHECKED qn_entry_unpack(struct qn_span bytes, struct qn_entry *ret_entry);
enum qn_err QN_CHECKED qn_entry_verify(const struct qn_entry *entry,
                                       const struct qn_public_key *key);
/* Writes and signs an entry of body_bytes, author, epoch, aseq, aprev, ref and hlc. The body is
 * checked. */
enum qn_err QN_CHECKED qn_entry_compose(const struct qn_entry *entry,
                                        const struct qn_signer *signer, struct qn_buf *out,
                                        struct qn_digest *ret_hash);
