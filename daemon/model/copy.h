/* Whole records as they travel between sites of an equal clock, for repair (RECORDS 1.6;
 * docs/protocol.md 13). Canonical msgpack:
 *
 *     record   [field, [actor, ctr, hlc, user or nil, value, ...], ...]
 *     copies   H(cc)[:16], [key, copy, ...], and where it was asked for [key, said, seen, ...]
 *     copy     a record; nil: there is none of that key; a binary: it is damaged here too, the
 *              state hash that its row bore or nothing; false: it is too large to be sent
 *     said     of one that is damaged here: what is left of it in operations, a record or nil
 *     seen     the same: what its row says besides, of which a bit is wrong
 *
 * A late site gives zeros for H(cc): its records have no one clock.
 */
#pragma once

#include "model/replica_read.h"
#include "proto/cursor.h"

#define QN_COPIES_MAX 16 /* records asked for in one message */

void qn_record_pack(const struct qn_record *record, struct qn_buf *out);
/* Checks all that can be checked without a store. The spans are borrowed from the input.
 * *ret_record is untouched on failure. */
enum qn_err QN_CHECKED qn_record_unpack(struct qn_cursor *cursor, struct qn_record *ret_record);

enum qn_copy_kind {
    QN_COPY_RECORD,
    QN_COPY_NONE,
    QN_COPY_DAMAGED,
    QN_COPY_TOO_LARGE,
};

struct qn_record_copy {
    enum qn_copy_kind kind;
    struct qn_record record; /* RECORD; owned */
    struct qn_span hash;     /* DAMAGED: 16 bytes or none */
    struct qn_span packed;   /* as it stood in the message */
};

void qn_record_copy_deinit(struct qn_record_copy *copy);
enum qn_err QN_CHECKED qn_record_copy_unpack(struct qn_cursor *cursor,
                                             struct qn_record_copy *ret_copy);

/* What is left of a record where it is damaged. */
struct qn_copy_left {
    struct qn_span key;
    struct qn_record said, seen; /* owned */
};

void qn_copy_left_deinit(struct qn_copy_left *left);
/* One of the array. */
enum qn_err QN_CHECKED qn_copy_left_unpack(struct qn_cursor *cursor, struct qn_copy_left *ret_left);

/* Appends `copies` of the keys of an array; what does not fit in `size_max` is left out. */
enum qn_err QN_CHECKED qn_read_copies(struct qn_kv *kv, const struct qn_coll_id *coll,
                                      struct qn_span keys, bool with_left, size_t size_max,
                                      struct qn_buf *out);
/* Appends the array [key, said, seen, ...] of the records behind one spot (packed; empty: the
 * start) and not behind another that are damaged; nothing if there is none. What does not fit of
 * them is nil. */
enum qn_err QN_CHECKED qn_read_lost(struct qn_kv *kv, const struct qn_coll_id *coll,
                                    struct qn_span after, struct qn_span until, struct qn_buf *out);
/* Appends the array of a collection's last incidents, the newest first, at most `count_max`:
 * [at ms, enum qn_incident_kind, key, site 32 B, ...]. */
enum qn_err QN_CHECKED qn_read_incidents(struct qn_kv *kv, const struct qn_coll_id *coll,
                                         size_t count_max, struct qn_buf *out);
/* Appends the array of at most `count_max` keys of records that are set aside, after a key. */
enum qn_err QN_CHECKED qn_read_aside(struct qn_kv *kv, const struct qn_coll_id *coll,
                                     struct qn_span after, size_t count_max, struct qn_buf *out,
                                     size_t *ret_count);
