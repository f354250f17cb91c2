/* A group of sites with fixed keys, for tests of the ledger: everything follows from numbers, so a
 * failure replays and vectors stay the same. No Criterion: fuzz targets use it too. */
#pragma once

#include "base/assert.h"
#include "model/ledger.h"

#define WORLD_SITES    24
#define WORLD_START_MS 1700000000000u /* 2023-11-14T22:13:20Z */
#define WORLD_HOUR_MS  3600000u

struct world_site {
    struct qn_signer *signer;
    struct qn_site_id id;
    struct qn_site_keys keys;
    char name[QN_NAME_SIZE_MAX + 1];
};

struct world {
    struct qn_ledger *ledger; /* where world_append composes and adds */
    struct qn_digest group;
    struct world_site sites[WORLD_SITES];
    uint64_t now_ms; /* of the next entry; each takes a second */
};

/* Site 0 founds "Les Tilleuls". */
void world_init(struct world *world);
void world_deinit(struct world *world);
struct qn_signer *world_signer(const char *kind, uint64_t number);
qn_hlc world_tick(struct world *world);

/* Composes an entry against a ledger without adding it; initialises `ret_entry`. */
enum qn_err QN_CHECKED world_write(struct world *world, struct qn_ledger *ledger, size_t author,
                                   const struct qn_buf *body, struct qn_buf *ret_entry);
/* Composes against the world's ledger and adds it there. */
enum qn_err QN_CHECKED world_append(struct world *world, size_t author, const struct qn_buf *body);

/* Bodies; each initialises `out`. */
void world_invite_body(struct world *world, uint64_t invite, uint64_t expiry_ms,
                       struct qn_buf *out);
void world_revoke_body(struct world *world, uint64_t invite, struct qn_buf *out);
void world_admit_body(struct world *world, uint64_t invite, size_t site, struct qn_buf *out);
void world_create_body(struct world *world, uint8_t coll, const size_t *members, size_t count,
                       bool is_for_all, struct qn_buf *out);
void world_grant_body(struct world *world, enum qn_body_type type, uint8_t coll, size_t site,
                      struct qn_buf *out);
void world_close_body(struct world *world, uint8_t coll, struct qn_buf *out);
void world_withdraw_body(struct world *world, const struct qn_ledger *ledger, size_t site,
                         struct qn_buf *out);
void world_describe_body(struct world *world, const char *entity, struct qn_buf *out);
/* {"x": 1} of some type and version. */
void world_other_body(struct world *world, uint64_t type, uint64_t version, bool is_critical,
                      struct qn_buf *out);

/* The site that writes is the owner. */
void world_place_body(struct world *world, size_t holder, uint64_t quota, uint64_t lock_days,
                      struct qn_buf *out);
/* Answers the last Place of the owner in that ledger; the site that writes is the holder. */
void world_accept_body(struct world *world, const struct qn_ledger *ledger, size_t owner,
                       size_t holder, uint64_t quota, uint64_t lock_days, struct qn_buf *out);
/* What the site that writes holds for that owner: so many packs of 1,000 bytes; none: they are
 * destroyed. */
void world_report_body(struct world *world, const struct qn_ledger *ledger, size_t owner,
                       size_t holder, uint64_t packs, struct qn_buf *out);
/* To the site's key number `epoch`, proven against that ledger by the present or by the recovery
 * key. */
void world_rotate_body(struct world *world, const struct qn_ledger *ledger, size_t site,
                       uint64_t epoch, bool is_by_recovery, struct qn_buf *out);
/* From now on the site signs with its key of that epoch. */
void world_set_key(struct world *world, size_t site, uint64_t epoch);

/* Invite number `site` by the administrator, Admit of that site by `host`. */
void world_join(struct world *world, size_t site, size_t host);
struct qn_coll_id world_coll(uint8_t number);

/* Adds [entry, ...] with what is held tried again until nothing moves; gives how many stay held. */
size_t world_add_all(struct qn_ledger *ledger, const struct qn_span *entries, size_t count);
/* One direction of an exchange until `to` has what `from` has; gives the rounds. */
size_t world_pull(struct qn_ledger *to, const struct qn_ledger *from, size_t size_max);
/* The whole state as text, for comparison. */
void world_print(const struct qn_ledger *ledger, struct qn_buf *out);
