/* What this site knows of other sites' audit trails: the checkpoints that they told it
 * (docs/audit.md 3, docs/protocol.md 12). A checkpoint says "my entry number `seq` has this hash",
 * signed by its site; whoever called this checked that. None of it says what is in a trail.
 *
 *   (site, place)   newest first: place counts down      table TRAIL, docs/formats/store.md
 *
 * One that says less than an earlier one, or of the same entry another hash, contradicts it. Both
 * stay, as long as any: they are the proof. Of the others all of a week stay, then the last of each
 * day, for QN_TRAIL_KEEP_DAYS. A site that tells more than QN_TRAIL_POINTS_MAX is not listened to:
 * what is known already is never pushed out by what comes.
 */
#pragma once

#include "crypto/key.h"
#include "model/kv.h"

#define QN_TRAIL_KEEP_DAYS            400
#define QN_TRAIL_POINTS_MAX           1000 /* of one site; hours of a week and days of a year fit */
#define QN_TRAIL_CHECKPOINT_SIZE_MAX  256
#define QN_TRAIL_CONTRADICTED_SHOW_MS ((uint64_t)30 * 24 * 3600 * 1000) /* as an alert */

struct qn_trail_point {
    uint64_t place; /* larger: earlier */
    uint64_t received_ms;
    uint64_t seq;
    struct qn_digest hash;
    bool is_proof; /* it contradicts an earlier one, or is contradicted by a later one */
    struct qn_span checkpoint; /* as it came; borrowed until the next write */
};

/* Keeps what a site tells. QN_ERR_LIMIT: there is no room for it. */
enum qn_err QN_CHECKED qn_trail_keep(struct qn_kv *kv, const struct qn_site_id *site,
                                     const struct qn_trail_point *told, uint64_t now_ms);
/* The newest one behind `after` (0: of all); QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_trail_next(struct qn_kv *kv, const struct qn_site_id *site,
                                     uint64_t after, struct qn_trail_point *ret_point);
/* When the site last contradicted itself; 0: it did not. */
enum qn_err QN_CHECKED qn_trail_contradicted(struct qn_kv *kv, const struct qn_site_id *site,
                                             uint64_t *ret_ms);
