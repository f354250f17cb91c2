/* Reading what replica.h writes, from any transaction, on the thread that opened it. */
#pragma once

#include "model/damage.h"
#include "model/page.h"

#define QN_ROOT_SIZE 16

/* Where a late collection stands (late.h). All zero: it is clean. */
struct qn_late {
    bool is_late;    /* less is here than is known of */
    bool is_passing; /* a pass is running: the page behind `cursor` is wanted */
    bool has_clock;  /* of the last page of this pass */
    uint32_t pass;   /* counts up */
    uint32_t segs;   /* segments that cc does not cover yet */
    uint64_t
        dropped; /* records that lost something in this pass for which they were given nothing */
    struct qn_digest clock;           /* its hash: a source with the same need not send it again */
    size_t cursor_size;               /* 0: the start */
    uint8_t cursor[QN_SPOT_SIZE_MAX]; /* a packed spot (page.h) */
};

struct qn_coll_info {
    uint64_t order_head; /* local sequence of the last applied operation; 0: none */
    uint64_t live;       /* live records, _collection not counted */
    uint64_t trashed;
    uint64_t conflicts;          /* records with one */
    uint64_t rows;               /* all stored records */
    uint64_t log_ops, log_bytes; /* in the log, and their bytes */
    uint8_t root[QN_ROOT_SIZE];  /* SHA-256(sum of all leaves | rows as u64)[:16] */
    uint8_t name[64];            /* shown name field of _collection, "" if not known yet */
    bool is_folder;              /* what _collection says too: a folder of files, */
    struct qn_site_id home;      /* whose directory is at that site */
    struct qn_late late;
    struct qn_damage damage;
};

/* An empty collection (all zero, root of nothing) if nothing is stored of it. */
enum qn_err QN_CHECKED qn_read_coll(struct qn_kv *kv, const struct qn_coll_id *coll,
                                    struct qn_coll_info *ret_info);
/* Fills an initialised (possibly empty) vector. */
enum qn_err QN_CHECKED qn_read_cc(struct qn_kv *kv, const struct qn_coll_id *coll,
                                  struct qn_vv *ret_cc);
enum qn_err QN_CHECKED qn_read_floor(struct qn_kv *kv, const struct qn_coll_id *coll,
                                     struct qn_vv *ret_floor);
/* QN_ERR_NOTFOUND if no pair is stored, QN_ERR_DAMAGED if it is damaged (damage.h). Spans are
 * borrowed from the transaction. */
enum qn_err QN_CHECKED qn_read_record(struct qn_kv *kv, const struct qn_coll_id *coll,
                                      struct qn_span key, struct qn_record *ret_record);

/* The first record in key order whose key is > `after` (pass an empty span to start) and begins
 * with `prefix`; trashed ones and _collection too: the caller asks qn_record_state. Damaged ones
 * are passed over. QN_ERR_NOTFOUND at the end. *ret_key is borrowed. */
enum qn_err QN_CHECKED qn_read_next(struct qn_kv *kv, const struct qn_coll_id *coll,
                                    struct qn_span after, struct qn_span prefix,
                                    struct qn_span *ret_key, struct qn_record *ret_record);
/* The same over the index of conflicts or of the trash. */
enum qn_err QN_CHECKED qn_read_next_in(struct qn_kv *kv, enum qn_table index,
                                       const struct qn_coll_id *coll, struct qn_span after,
                                       struct qn_span *ret_key);

/* A value that was replaced: pair, the field it stood in, and the dot and user that replaced it. */
struct qn_past {
    struct qn_span field;
    struct qn_pair pair;
    struct qn_dot replaced_by;
    qn_hlc replaced_hlc;
    struct qn_span replaced_user;
};

/* Replaced values of one record, oldest write first; `position` starts as an empty buffer and
 * carries the place from call to call. QN_ERR_NOTFOUND at the end. */
enum qn_err QN_CHECKED qn_read_past(struct qn_kv *kv, const struct qn_coll_id *coll,
                                    struct qn_span key, struct qn_buf *position,
                                    struct qn_past *ret_past);

struct qn_ops_request {
    struct qn_coll_id coll;
    uint64_t from_seq, to_seq; /* inclusive; 0 for to_seq: the end */
    const struct qn_vv *known; /* what the receiver has: left out */
    size_t size_wish;          /* stop behind so many bytes of operations, at a checkpoint */
    size_t ops_wish;
};

struct qn_ops_read {
    uint64_t next_seq; /* where to go on */
    bool is_end;       /* nothing is left up to to_seq */
    size_t op_count;
    struct qn_vv last; /* of every actor in the batch its last counter; owned by the caller */
};

/* Appends the body of an OPS message (op.h) to `out`; nothing if op_count is 0. Of a late
 * collection only the present own actor's operations are read; the same in qn_read_start. */
enum qn_err QN_CHECKED qn_read_ops(struct qn_kv *kv, const struct qn_ops_request *request,
                                   struct qn_buf *out, struct qn_ops_read *ret_read);
/* The lowest local sequence whose operation `known` lacks; 0 if it lacks none. QN_ERR_HELD if the
 * log does not reach back far enough (floor is not covered by known): pages are needed. */
enum qn_err QN_CHECKED qn_read_start(struct qn_kv *kv, const struct qn_coll_id *coll,
                                     const struct qn_vv *known, uint64_t *ret_seq);

/* The keys of the records that operations from `from_seq` on wrote, at most `count_max`, in the
 * order of application, one key for each sequence; one may come several times. *ret_next: where to
 * go on; `from_seq` if there is nothing new. QN_ERR_HELD: operations in between left the log, or
 * that place lies ahead of it: whoever follows has to read all records again. Keys are borrowed for
 * the call. */
enum qn_err QN_CHECKED qn_read_changes(struct qn_kv *kv, const struct qn_coll_id *coll,
                                       uint64_t from_seq, size_t count_max,
                                       void (*each)(void *context, struct qn_span key),
                                       void *context, uint64_t *ret_next);

/* Fingerprints: level 1 gives the 256 sums of buckets with the same first byte, level 2 those of
 * the 256 buckets below `prefix`; each cut to 16 bytes of SHA-256(sum | count). */
enum qn_err QN_CHECKED qn_read_fp(struct qn_kv *kv, const struct qn_coll_id *coll, unsigned level,
                                  uint8_t prefix, uint8_t ret_fp[256][QN_ROOT_SIZE]);
/* Keys and state hashes of one bucket, in key order, as [key, hash, ...]; at most `count_max`. */
enum qn_err QN_CHECKED qn_read_bucket(struct qn_kv *kv, const struct qn_coll_id *coll,
                                      uint16_t bucket, size_t count_max, struct qn_buf *out,
                                      size_t *ret_count);

/* This site's present actor; all zero if it never wrote. */
enum qn_err QN_CHECKED qn_read_own_actor(struct qn_kv *kv, const struct qn_site_id *site,
                                         struct qn_actor *ret_actor);
/* The root of a collection without records. */
void qn_empty_root(uint8_t ret_root[QN_ROOT_SIZE]);
