/* A record in memory: fields, each with one or more concurrent values (a multi-value register).
 *
 * Invariant: fields ascend by name, no field is empty, the pairs of a field ascend by dot.
 * Spans are borrowed from the row or operation they came from unless said otherwise.
 */
#pragma once

#include "model/op.h"

#define QN_STATE_HASH_SIZE  16
#define QN_FIELD_TRASH      "_trash" /* its value: the state hash (hex text) that was trashed */
#define QN_KEY_COLLECTION   "_collection" /* the reserved record with a collection's name */
#define QN_COLL_KIND_FOLDER "folder"      /* its field "kind"; with "home", a site's id in hex */

struct qn_pair {
    struct qn_dot dot;
    qn_hlc hlc;
    struct qn_span value;
    struct qn_span user; /* empty: none */
};

struct qn_field {
    struct qn_span name;
    QN_VEC(struct qn_pair) pairs;
};

struct qn_record {
    QN_VEC(struct qn_field) fields;
};

enum qn_record_state {
    QN_RECORD_NONE, /* no pair is left */
    QN_RECORD_LIVE,
    QN_RECORD_TRASHED,   /* whoever trashed it had seen all that is here */
    QN_RECORD_CONTESTED, /* trashed at one site, edited at another: live, and a conflict */
};

/* It is shown. */
static inline bool qn_record_is_live(enum qn_record_state state)
{
    return state == QN_RECORD_LIVE || state == QN_RECORD_CONTESTED;
}

void qn_record_deinit(struct qn_record *record);
#define QN_AUTO_RECORD __attribute__((cleanup(qn_record_deinit)))

const struct qn_field *qn_record_field(const struct qn_record *record, struct qn_span name);
/* NULL if the pair of that dot does not stand in that field. */
const struct qn_pair *qn_record_pair(const struct qn_record *record, struct qn_span field,
                                     const struct qn_dot *dot);
/* Adds a pair (spans borrowed). */
void qn_record_add(struct qn_record *record, struct qn_span field, const struct qn_pair *pair);
/* Removes the pair of that dot from that field only; true if it was there. */
bool qn_record_remove(struct qn_record *record, struct qn_span field, const struct qn_dot *dot);

/* The value that is shown: the highest (hlc, actor). The field is not empty. */
const struct qn_pair *qn_field_shown(const struct qn_field *field);
/* More than one distinct value. */
bool qn_field_has_conflict(const struct qn_field *field);
bool qn_record_has_conflict(const struct qn_record *record); /* a contested record has one */
enum qn_record_state qn_record_state(const struct qn_record *record);
/* The highest (hlc, actor) of all pairs: "updated"; NULL for an empty record. */
const struct qn_pair *qn_record_latest(const struct qn_record *record);

/* First 16 bytes of SHA-256 over the canonical form
 * [field, [actor, ctr, hlc, value, ...], field, ...]; users are not part of the state.
 * `without_trash` leaves the field _trash out. */
void qn_record_hash(const struct qn_record *record, bool without_trash,
                    uint8_t ret_hash[QN_STATE_HASH_SIZE]);
/* SHA-256(collection | key | state hash): what a record adds to its bucket. */
void qn_record_leaf(const struct qn_coll_id *coll, struct qn_span key,
                    const uint8_t hash[QN_STATE_HASH_SIZE], struct qn_digest *ret_leaf);
uint16_t qn_record_bucket(struct qn_span key); /* first 16 bits of SHA-256(key) */
