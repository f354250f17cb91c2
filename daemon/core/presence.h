/* Inside core: who is there and how far each site has each collection, also where no connection
 * leads (docs/protocol.md 4.7, 4.8). Each site says whom it is connected to and what it has; what
 * is new is passed on. All of it is hearsay: it is shown to people, it lets a log be cut, and
 * nothing else is done by it.
 *
 *   presence.c       this site's own word; who is reachable by all words
 *   presence_say.c   what is new is told, at its time
 *   presence_hear.c  what others tell
 *   summary.c        what two sites have heard is compared in few bytes as a connection begins
 */
#pragma once

#include "core/state.h"

#define PRESENCE_PREFIX      4 /* bytes of a site's id */
#define PRESENCE_SITE_FIELDS 4 /* of a site, in PRESENCE */
#define PRESENCE_GROUPS_MAX  QN_SITES_MAX
#define PRESENCE_STAMP_MAX   (UINT64_MAX / 2)

void presence_tick(struct qn_core *core);
enum qn_err QN_CHECKED presence_heard(struct qn_core *core, struct peer *peer,
                                      struct qn_cursor *cursor);
/* The clock of a collection moved here. */
void presence_moved(struct qn_core *core, struct coll *coll);
/* All of it is to be told to everybody again: somebody may not have known whom it was about. */
void presence_again(struct qn_core *core);
void presence_free(struct presence *presence);
/* By a site's last word that came here: whether it has what this one has; and how many operations
 * it lacks, UINT64_MAX if there is no such word. */
bool presence_is_equal(const struct coll *coll, const struct known *known);
uint64_t presence_behind(const struct coll *coll, const struct known *known);
/* That site has business with this one and cannot reach it: it is to be dialled. */
bool presence_is_called(const struct qn_core *core, const struct peer *peer);
/* Connected, or reachable through others. */
bool peer_is_online(const struct peer *peer);

/* ---- within these files ---- */
uint32_t presence_prefix(const struct qn_site_id *site);
/* NULL also if two begin alike: neither is meant. */
struct peer *presence_peer(const struct qn_core *core, uint32_t prefix);
bool presence_is_same(const struct coll_state *a, const struct coll_state *b);
/* Both lists, taken, in the place of those that were. */
void presence_take_lists(struct presence *presence, site_prefixes *take_links,
                         site_prefixes *take_calls);
/* This site's own word gets a newer stamp. */
void presence_renew_stamp(struct qn_core *core);

/* ---- presence_say.c ---- */
/* The fields of one site, and of nobody's collection. */
void presence_pack(const struct qn_site_id *site, const struct presence *presence,
                   struct qn_buf *out);
/* What is known of the present sites, packed by presence_pack, as one message. */
void presence_send(struct qn_core *core, qn_link link, size_t count, struct qn_span sites);
/* Is told when its time has come. */
void presence_tell(struct qn_core *core, struct peer *peer);

/* ---- summary.c ---- */
enum summary_kind {
    SUMMARY_ADDRESSES, /* the clock of its announcement */
    SUMMARY_PRESENCE,  /* the stamp of its word */
    SUMMARY_KINDS,
};

#define SUMMARY_BUCKETS 8 /* by the first three bits of an id */
#define SUMMARY_SIZE    (SUMMARY_KINDS * SUMMARY_BUCKETS * 4)

/* Of all sites but the two ends of the connection. */
void summary_pack(const struct qn_core *core, const struct peer *to, struct qn_buf *out);
/* It is of a version that knows of none: all is said. */
void summary_missing(struct qn_core *core, struct peer *peer);
/* The peer's, as its HELLO has it. */
void summary_heard(struct qn_core *core, struct peer *peer, struct qn_span theirs);
enum qn_err QN_CHECKED summary_heard_sites(struct qn_core *core, struct peer *peer,
                                           struct qn_cursor *cursor);
/* Of the states of shared collections: four bytes for each row of COLLS. */
void summary_pack_states(const struct qn_core *core, const struct peer *to, struct qn_buf *out);
void summary_heard_states(const struct qn_core *core, struct share *share, const struct peer *peer,
                          uint32_t theirs);
