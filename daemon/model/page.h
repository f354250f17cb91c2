/* The body of a PAGE (RECORDS 1.4; docs/protocol.md): the records of a range of a collection, as
 * one read transaction of a clean site saw them, and the clock of that transaction.
 *
 * msgpack: [lo, hi, clock, base, actors, names, records]
 *   lo, hi   spots: the range is lo < spot <= hi
 *   clock    [actor, counter, chain hash, signature, ...] ascending by actor, each at a checkpoint;
 *            or, if it was sent before, its hash (qn_vv_digest) as a binary
 *   base     u64, some hlc of the page
 *   actors   one binary, 16 bytes each; names: [text, ...], of fields and users
 *   records  [[key, [actor, counter, hlc - base (signed, mod 2^64), user, ...], [field, stamp,
 * value, ...]], ...] An actor, a field, a stamp is an index into what stands before it; a user is
 * an index + 1 into the names, or 0. Keys ascend; stamps ascend by dot; the pairs of a record by
 * (field, dot). A record that is larger than a page is split between any two pairs.
 *
 * Pure; spans are borrowed from the bytes that a page was read from.
 */
#pragma once

#include "model/record.h"

/* A spot in the order of all pairs of a collection: before all, a pair, behind all pairs of a key,
 * behind all. Packed: nil | [key, field, actor, counter] | [key] | true. */
enum qn_spot_kind { QN_SPOT_START, QN_SPOT_PAIR, QN_SPOT_KEY, QN_SPOT_END };

struct qn_spot {
    enum qn_spot_kind kind;
    struct qn_span key, field;
    struct qn_dot dot;
};

#define QN_SPOT_SIZE_MAX (1 + 2 + 255 + 2 + 127 + 2 + QN_ACTOR_SIZE + 9) /* packed */

int qn_spot_cmp(const struct qn_spot *a, const struct qn_spot *b);
void qn_spot_pack(const struct qn_spot *spot, struct qn_buf *out);
enum qn_err QN_CHECKED qn_spot_unpack(struct qn_cursor *cursor, struct qn_spot *ret_spot);

/* How far the clock of a page goes with one actor, and that its site signed that. */
struct qn_page_head {
    struct qn_dot at;
    struct qn_digest hash;
    struct qn_signature signature;
};

struct qn_page_heads {
    QN_VEC(struct qn_page_head) list;
};

void qn_page_heads_pack(const struct qn_page_heads *heads, struct qn_buf *out);
enum qn_err QN_CHECKED qn_page_heads_unpack(struct qn_cursor *cursor,
                                            struct qn_page_heads *ret_heads);
void qn_page_heads_deinit(struct qn_page_heads *heads);

struct qn_page_pair {
    struct qn_span field;
    struct qn_pair pair;
};

struct qn_page_record {
    struct qn_span key;
    size_t first, count; /* of its pairs */
};

struct qn_page {
    struct qn_spot lo, hi;
    bool has_heads; /* else it names the clock only */
    struct qn_page_heads heads;
    struct qn_digest clock;
    QN_VEC(struct qn_actor) actors;
    QN_VEC(struct qn_span) names;
    QN_VEC(struct qn_page_pair) pairs;
    QN_VEC(struct qn_page_record) records;
};

void qn_page_deinit(struct qn_page *page);
/* Form, order, limits, values; that every pair stands in the range. */
enum qn_err QN_CHECKED qn_page_unpack(struct qn_span body, struct qn_page *ret_page);
