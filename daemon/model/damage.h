/* Damage to what is stored of a collection, and what was done about it (table AUDIT; RECORDS 1.6;
 * docs/records.md, "Integrity"). Rows only: what is damaged is found out in scrub.h and replica.h.
 *
 * A damaged record is set aside: it stands in AUDIT and not in REC any more, so that nobody reads,
 * serves or counts it, and it is whole again once a copy of another site is in its place.
 */
#pragma once

#include "model/kv.h"
#include "model/record.h"
#include "model/tables.h"

#define QN_INCIDENTS_MAX 100 /* remembered of each collection, the last ones */

/* What is known of a collection's damage; part of qn_coll_info. */
struct qn_damage {
    bool is_uncounted;    /* sums, counters and indexes may not fit the records */
    uint64_t damaged;     /* records that are set aside now */
    uint64_t found;       /* incidents ever */
    uint64_t found_ms;    /* of the last one, wall clock; 0: never */
    uint64_t scrubbed_ms; /* when all of it was last read and compared; 0: never */
};

enum qn_incident_kind { /* stored: never renumber */
                        QN_INCIDENT_DAMAGED =
                            1, /* a record was not what had been written, and is set aside */
                        QN_INCIDENT_REPAIRED = 2, /* it is whole again, from another site */
                        QN_INCIDENT_MAJORITY =
                            3, /* most sites had another record than this one: theirs was taken */
                        QN_INCIDENT_BOTH =
                            4, /* sites had different records: all values were kept */
                        QN_INCIDENT_RECOUNTED =
                            5,               /* sums, counters or indexes did not fit the records */
                        QN_INCIDENT_LOG = 6, /* operations of the log, which were let go */
                        QN_INCIDENT_ORDER = 7, /* the order of the log, which was made anew */
                        QN_INCIDENT_CLOCK =
                            8, /* a counter of the clock, which was read from the log */
                        QN_INCIDENT_GIVEN_UP =
                            9, /* nobody had the record whole: what was left was written anew */
};

struct qn_incident {
    uint64_t at_ms; /* wall clock */
    enum qn_incident_kind kind;
    struct qn_span key;     /* of the record; else empty; borrowed */
    struct qn_site_id site; /* whose copy it was; zero: nobody's */
};

/* Number of the collection; zeroed if nothing is stored. */
enum qn_err QN_CHECKED qn_damage_get(struct qn_kv *kv, uint32_t coll, struct qn_damage *ret_damage);
enum qn_err QN_CHECKED qn_damage_put(struct qn_kv *kv, uint32_t coll,
                                     const struct qn_damage *damage);

/* A record that is set aside. `hash`: the state hash that its row bore, if that can be believed. */
enum qn_err QN_CHECKED qn_aside_put(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                                    const uint8_t *hash, struct qn_span row);
/* Something happened to the record since: it is not what its row was any more. The row stays. */
enum qn_err QN_CHECKED qn_aside_outdate(struct qn_kv *kv, uint32_t coll, struct qn_span key);
/* It is whole again. */
enum qn_err QN_CHECKED qn_aside_del(struct qn_kv *kv, uint32_t coll, struct qn_span key);
/* QN_ERR_NOTFOUND: it is not. *ret_hash: 16 bytes or none; borrowed. */
enum qn_err QN_CHECKED qn_aside_get(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                                    struct qn_span *ret_hash);
/* The row as it was found, or what was kept of it; borrowed. */
enum qn_err QN_CHECKED qn_aside_row(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                                    struct qn_span *ret_row);
/* An operation that leaves the log while its record is set aside, or what a page says of such a
 * record: its effect is in no row, so it is kept until the record is whole again. `actor` is its
 * author's number; `field` empty: all of the operation, else what it set of that field. */
enum qn_err QN_CHECKED qn_aside_keep(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                                     uint32_t actor, uint64_t ctr, struct qn_span field,
                                     struct qn_span op);
struct qn_aside_op {
    uint32_t actor; /* of its author */
    uint64_t ctr;
    struct qn_span op; /* borrowed */
};

/* The first one kept of a record behind *at, which begins empty and moves on. QN_ERR_NOTFOUND: no
 * more. */
enum qn_err QN_CHECKED qn_aside_kept(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                                     struct qn_key *at, struct qn_aside_op *ret_kept);
/* All that was kept of a record goes. */
enum qn_err QN_CHECKED qn_aside_unkeep(struct qn_kv *kv, uint32_t coll, struct qn_span key);
/* The first key > after that is set aside; borrowed. */
enum qn_err QN_CHECKED qn_aside_next(struct qn_kv *kv, uint32_t coll, struct qn_span after,
                                     struct qn_span *ret_key);

/* Remembers an incident, and counts it. */
enum qn_err QN_CHECKED qn_incident_add(struct qn_kv *kv, uint32_t coll, struct qn_damage *damage,
                                       const struct qn_incident *incident);
/* The last one before number `before` (UINT64_MAX: of all); QN_ERR_NOTFOUND: none. Borrowed. */
enum qn_err QN_CHECKED qn_incident_before(struct qn_kv *kv, uint32_t coll, uint64_t before,
                                          uint64_t *ret_number, struct qn_incident *ret_incident);
