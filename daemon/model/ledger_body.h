/* The bodies of ledger entries as they are read (docs/formats/ledger.md); their packing is declared
 * in ledger.h. Pure. Spans are borrowed from what was unpacked.
 */
#pragma once

#include "model/ledger.h"

#define QN_LEDGER_FIELDS_MAX 64
#define QN_LEDGER_DEPTH_MAX  8

/* The members that CreateCollection names: ascending identities, each a binary. */
struct qn_body_members {
    struct qn_coll_id coll;
    bool is_for_all;
    size_t count;
    struct qn_span packed; /* qn_body_member reads it */
};

struct qn_body {
    uint64_t type, version;
    bool is_critical;
    bool has_group;
    struct qn_digest group; /* when has_group */
    /* Type and version are known to this program, and the member of the union that belongs to the
     * type is filled in. False for the reserved types too. */
    bool is_understood;
    union {
        struct qn_body_genesis genesis;
        struct qn_body_invite invite;
        struct qn_public_key revoked; /* RevokeInvite */
        struct qn_body_admit admit;
        struct qn_body_members create;
        struct qn_body_grant grant;  /* Grant and Ungrant; CloseCollection without a site */
        struct qn_digest admission;  /* Withdraw */
        struct qn_span legal_entity; /* Describe */
        struct qn_body_place place;
        struct qn_body_place_accept accept;
        struct qn_body_rotate_key rotate;
        struct qn_body_report report;
    };
};

void qn_body_genesis_pack(const struct qn_body_genesis *body, struct qn_buf *out);

/* QN_ERR_INVALID: not canonical, not complete, a name or text that may not be. QN_ERR_LIMIT. */
enum qn_err QN_CHECKED qn_body_unpack(struct qn_span bytes, struct qn_body *ret_body);

static inline void qn_body_member(const struct qn_body_members *members, size_t index,
                                  struct qn_site_id *ret_id)
{
    const size_t head = 2; /* of a binary of 32 bytes */
    memcpy(ret_id->bytes, members->packed.data + index * (head + QN_DIGEST_SIZE) + head,
           QN_DIGEST_SIZE);
}
