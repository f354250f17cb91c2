/* One write: an operation (RECORDS 1.1; docs/protocol.md, section 6).
 *
 * Canonical form, msgpack array: [ctr, hlc, kind, key, user or nil, [field, value, ...],
 * [field, actor or nil, ctr, ...]]. The actor of the dot is not inside: the context names it; nil
 * among the removed stands for that actor. Fields in `set` ascend strictly; removed entries ascend
 * by (field, actor, ctr). A chain hash binds an operation to all that its actor wrote before:
 *     h(0) = SHA-256("quoin chain 1" | 0 | collection id | actor),  h(n) = SHA-256(h(n-1) | op n)
 * and a checkpoint is the site's signature in the domain "quoin checkpoint 1" over
 *     collection id | actor | ctr as u64 big-endian | h(ctr).
 */
#pragma once

#include "model/clock.h"

#define QN_COLL_ID_SIZE 16

struct qn_coll_id {
    uint8_t bytes[QN_COLL_ID_SIZE];
};

static inline bool qn_coll_id_eq(const struct qn_coll_id *a, const struct qn_coll_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

enum qn_op_kind { /* on the wire: never renumber */
                  QN_OP_PUT = 1,
                  QN_OP_TRASH = 2,
                  QN_OP_RESTORE = 3,
                  QN_OP_ERASE = 4,
                  QN_OP_REPAIR = 5,
};

struct qn_op_set {
    struct qn_span field, value;
};

struct qn_op_removed {
    struct qn_span field;
    struct qn_dot dot;
};

/* The spans are borrowed from what it was unpacked from or built of; the arrays are owned. */
struct qn_op {
    struct qn_dot dot;
    qn_hlc hlc;
    enum qn_op_kind kind;
    struct qn_span key;
    struct qn_span user; /* empty: none */
    QN_VEC(struct qn_op_set) set;
    QN_VEC(struct qn_op_removed) removed;
};

void qn_op_deinit(struct qn_op *op);
/* Sorts set and removed, then writes the canonical form. QN_ERR_LIMIT over QN_OP_SIZE_MAX. */
enum qn_err QN_CHECKED qn_op_pack(struct qn_op *op, struct qn_buf *out);
/* Checks everything that can be checked without a store: form, limits, names, values. */
enum qn_err QN_CHECKED qn_op_unpack(struct qn_span bytes, const struct qn_actor *actor,
                                    struct qn_op *ret_op);

void qn_chain_start(const struct qn_coll_id *coll, const struct qn_actor *actor,
                    struct qn_digest *ret_hash);
void qn_chain_next(const struct qn_digest *before, struct qn_span op, struct qn_digest *ret_hash);

enum qn_err QN_CHECKED qn_checkpoint_sign(const struct qn_signer *signer,
                                          const struct qn_coll_id *coll, const struct qn_dot *at,
                                          const struct qn_digest *hash,
                                          struct qn_signature *ret_signature);
enum qn_err QN_CHECKED qn_checkpoint_verify(const struct qn_public_key *key,
                                            const struct qn_coll_id *coll, const struct qn_dot *at,
                                            const struct qn_digest *hash,
                                            const struct qn_signature *signature);

/* The body of an OPS message: operations in an order in which each can be applied, and for every
 * actor in it one checkpoint at its last operation. It is applied as a whole or not at all.
 * msgpack: [[actor, ctr, signature, ...], [actor index, op, ...]], op as a binary. */
#define QN_OPS_ITEMS_MAX 16384 /* in one message */

struct qn_ops_actor {
    struct qn_dot last;
    struct qn_signature signature;
};

struct qn_ops_item {
    size_t actor; /* index into actors */
    struct qn_span op;
};

struct qn_ops {
    QN_VEC(struct qn_ops_actor) actors;
    QN_VEC(struct qn_ops_item) items;
};

void qn_ops_deinit(struct qn_ops *ops);
void qn_ops_pack(const struct qn_ops *ops, struct qn_buf *out);
/* Form and limits only: operations are checked one by one when they are applied. */
enum qn_err QN_CHECKED qn_ops_unpack(struct qn_cursor *cursor, struct qn_ops *ret_ops);
