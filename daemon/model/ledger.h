/* The ledger of the group: signed, hash-linked entries and their deterministic fold (RECORDS 2.1;
 * docs/protocol.md, section 7).
 *
 * Entry, canonical msgpack:  [body, author site, key epoch, aseq, aprev, ref, hlc, signature]
 *   ref  = [term, seq, hash] of the head of the admin chain that the author had seen
 *   body = [type, version, is critical, group id (nil in Genesis), fields as a map with text keys]
 *   the entry's hash is SHA-256("quoin entry 1" | 0 | all but the signature);
 *   the signature, in the domain "quoin entry 1", is over that hash
 * group id = hash of the Genesis entry.
 *
 * Every entry stands in the chain of its author (aseq, aprev). Genesis, Invite, RevokeInvite and
 * Dissolve also stand in the administrator's chain: parent (term, seq, hash) = ref, own place
 * seq+1.
 *
 * Invariant: the state is a function of the set of entries, whatever the order in which they came.
 * Entries are kept in an order in which each could be added (a causal order). Not thread-safe: the
 * writer and the loop thread hold one each. Memory: at most QN_LEDGER_ENTRIES_MAX entries of
 * QN_LEDGER_SIZE_MAX in all.
 */
#pragma once

#include "base/limits.h"
#include "base/vec.h"
#include "model/op.h"

enum qn_body_type { /* on the wire: never renumber */
                    QN_BODY_GENESIS = 1,
                    QN_BODY_INVITE = 2,
                    QN_BODY_REVOKE_INVITE = 3,
                    QN_BODY_ADMIT = 4,
                    QN_BODY_CREATE_COLLECTION = 5,
                    QN_BODY_GRANT = 6,
                    QN_BODY_UNGRANT = 7,
                    QN_BODY_CLOSE_COLLECTION = 8,
                    QN_BODY_PLACE = 9,
                    QN_BODY_PLACE_ACCEPT = 10,
                    QN_BODY_ROTATE_KEY = 11,
                    QN_BODY_WITHDRAW = 12,
                    QN_BODY_VOTE = 13,
                    QN_BODY_CERT = 14,
                    QN_BODY_DESCRIBE = 15, /* a site's own legal entity */
                    QN_BODY_REPORT = 16,   /* what became of another's backups, by their holder */
};

/* ---- bodies, as the caller gives them ---- */

struct qn_site_keys {
    struct qn_public_key site;          /* Ed25519, first key: gives the identity */
    struct qn_public_key recovery_sign; /* Ed25519 */
    struct qn_public_key recovery_seal; /* X25519 */
};

struct qn_body_genesis {
    struct qn_span group_name, site_name, legal_entity; /* entity may be empty */
    struct qn_site_keys keys;
    uint8_t nonce[16]; /* makes two groups of the same name different */
};

struct qn_body_invite {
    struct qn_public_key invite_key;
    uint64_t expiry_ms;   /* wall clock, since 1970 */
    struct qn_span label; /* who it is meant for; shown, not enforced */
};

/* What the joining site signs with the invite's key and with its own, domain "quoin admit 1", over
 * the canonical [group id, invite key, site key, recovery sign, recovery seal, name, entity]. */
struct qn_body_admit {
    struct qn_public_key invite_key;
    struct qn_site_keys keys;
    struct qn_span name, legal_entity;
    struct qn_signature by_invite, by_site;
};

struct qn_body_create_collection {
    struct qn_coll_id coll;
    bool is_for_all; /* every present and future site; else the members below */
    const struct qn_site_id *members;
    size_t member_count; /* the creator is always a member */
};

struct qn_body_grant { /* also Ungrant */
    struct qn_coll_id coll;
    struct qn_site_id site;
};

/* What an owner asks of a holder; the author is the owner. quota_bytes 0: the end of what it asked
 * for before. A later Place of the pair replaces an earlier one. */
struct qn_body_place {
    struct qn_site_id holder;
    uint64_t quota_bytes;
    uint64_t lock_days;          /* at most QN_LOCK_DAYS_MAX */
    struct qn_span agreement;    /* what the two agreed on paper, or where it lies; may be empty */
    uint64_t agreement_until_ms; /* when that ends, wall clock; 0: not said */
};

/* The holder's answer; the author is the holder. Never more than was asked for. quota_bytes 0:
 * refused, or no longer. */
struct qn_body_place_accept {
    struct qn_digest place; /* hash of the Place */
    uint64_t quota_bytes;
    uint64_t lock_days;
};

/* What the author holds of an owner's vault, said when the agreement is over, and again when
 * nothing is left of it. A signed word: nobody can check what was not kept. Times are the author's.
 */
struct qn_body_report {
    struct qn_site_id owner;
    struct qn_digest place;                    /* the Place that was the owner's last word */
    uint64_t packs, bad_packs, snapshots;      /* that lie there; bad ones are among the packs */
    uint64_t bytes;                            /* of packs and lists */
    uint64_t locked_until_ms;                  /* wall clock; 0: nothing is locked */
    uint64_t destroyed_packs, destroyed_bytes; /* since the agreement is over */
};

/* A new key of the author, which keeps its identity. The entry itself is signed with the new key
 * and has its epoch; `proof`, in the domain "quoin rotate 1", is over the canonical [group id,
 * identity, new epoch, admission, new key], by the key before or by the recovery key. */
struct qn_body_rotate_key {
    struct qn_digest admission; /* the Admit or Genesis whose recovery key counts */
    struct qn_public_key key;
    struct qn_signature proof;
    bool is_by_recovery;
};

/* ---- the state ---- */

enum qn_site_state {
    QN_SITE_MEMBER,
    QN_SITE_WITHDRAWN,
};

typedef QN_VEC(struct qn_public_key) qn_key_vec;
typedef QN_VEC(struct qn_digest) qn_digest_vec;

struct qn_site {
    struct qn_site_id id;
    struct qn_site_keys keys;        /* `site` is the present one: that of the last RotateKey */
    qn_key_vec epochs;               /* every key that it ever signed with; the last is keys.site */
    char name[QN_NAME_SIZE_MAX + 1]; /* unique among members: see docs/protocol.md 7.6 */
    char legal_entity[QN_ENTITY_SIZE_MAX + 1];
    enum qn_site_state state;
    struct qn_digest admission; /* hash of the Admit or Genesis that made it a member last */
    /* Of each membership that it has now, that hash: it leaves when a Withdraw names every one. */
    qn_digest_vec memberships;
    struct qn_digest recovery_admission; /* of the one whose recovery keys count: RotateKey names it
                                          */
};

struct qn_collection {
    struct qn_coll_id id;
    struct qn_site_id creator;
    bool is_for_all;
    bool is_closed;
    QN_VEC(struct qn_site_id) members; /* when not for all; sorted; present members only */
    QN_VEC(struct qn_site_id) left; /* likewise: would be members if they had not left the group */
};

enum qn_place_state {
    QN_PLACE_PROPOSED, /* the owner asks; nothing is promised */
    QN_PLACE_ACCEPTED, /* the holder promised; maybe the owner asks for other terms by now */
    QN_PLACE_ENDED,    /* by either, or one of them is no member: nothing new, locks stay */
};

struct qn_place {
    struct qn_site_id owner, holder;
    enum qn_place_state state;
    /* What the holder promised; 0 unless ACCEPTED. */
    uint64_t quota_bytes;
    uint32_t lock_days;
    /* The owner's last word: what a PlaceAccept is to name, and its terms. */
    struct qn_digest proposal;
    bool is_pending; /* the holder has not answered it yet */
    uint64_t asked_quota_bytes;
    uint32_t asked_lock_days;
    char agreement[QN_AGREEMENT_SIZE_MAX + 1];
    uint64_t agreement_until_ms; /* 0: not said */
    uint64_t ended_aseq; /* place in the owner's chain of what ended it last; 0: nothing did */
};

struct qn_report {
    struct qn_site_id holder;   /* the author */
    struct qn_body_report said; /* its last word on this owner */
    uint64_t at_ms;             /* wall clock of the author */
};

struct qn_invite {
    struct qn_public_key key;
    uint64_t expiry_ms;
    char label[QN_NAME_SIZE_MAX + 1];
    bool is_revoked, is_used;
    struct qn_site_id used_by;
};

struct qn_group {
    struct qn_digest id;
    char name[QN_NAME_SIZE_MAX + 1];
    uint64_t term;
    struct qn_site_id admin;
    bool needs_upgrade;                       /* an unknown critical entry stopped the fold */
    QN_VEC(struct qn_site) sites;             /* sorted by id; withdrawn ones stay */
    QN_VEC(struct qn_collection) collections; /* sorted by id */
    QN_VEC(struct qn_invite) invites;
    QN_VEC(struct qn_place) places;   /* sorted by owner, holder */
    QN_VEC(struct qn_report) reports; /* sorted by holder, owner; of withdrawn sites too */
};

struct qn_ledger;
struct qn_ledger *qn_ledger_new(void);
void qn_ledger_free(struct qn_ledger *ledger);

/* Verifies one entry and adds it. *ret_is_new is false if it was there. QN_ERR_HELD: something that
 * it builds on is missing (its author, its predecessor, the admin head it refers to).
 * QN_ERR_SIGNATURE, _INVALID, _DENIED: refused. QN_ERR_EXISTS: the author signed two entries for
 * one place, or this one follows another than ours there: an equivocation; the first one stays.
 * Nothing changes on an error. */
enum qn_err QN_CHECKED qn_ledger_add(struct qn_ledger *ledger, struct qn_span entry,
                                     bool *ret_is_new);

size_t qn_ledger_count(const struct qn_ledger *ledger);
/* The entry at a place in the order of addition; borrowed until the ledger is freed. */
struct qn_span qn_ledger_entry(const struct qn_ledger *ledger, size_t index);
/* The folded state; borrowed until the next qn_ledger_add. NULL before Genesis. */
const struct qn_group *qn_ledger_group(const struct qn_ledger *ledger);

/* Canonical [author, aseq, ...] sorted: what this ledger holds; and its SHA-256 (over authors,
 * aseqs and head hashes), which is equal iff the ledgers hold the same. */
void qn_ledger_pack_heads(const struct qn_ledger *ledger, struct qn_buf *out);
void qn_ledger_digest(const struct qn_ledger *ledger, struct qn_digest *ret_digest);
/* Appends [entry, ...] (each a binary) that `heads` lack, in causal order, at most size_max bytes;
 * *ret_count how many. */
enum qn_err QN_CHECKED qn_ledger_pack_missing(const struct qn_ledger *ledger,
                                              struct qn_cursor *heads, size_t size_max,
                                              struct qn_buf *out, size_t *ret_count);
/* Whether this ledger has at least as many entries of an author as `heads` say; NULL: of each. */
enum qn_err QN_CHECKED qn_ledger_covers(const struct qn_ledger *ledger, struct qn_cursor heads,
                                        const struct qn_site_id *author, bool *ret_covers);

/* ---- writing ---- */

/* Composes and signs this site's next entry with the given body (made by a qn_body_*_pack below),
 * without adding it. */
enum qn_err QN_CHECKED qn_ledger_compose(const struct qn_ledger *ledger,
                                         const struct qn_signer *signer,
                                         const struct qn_site_id *author, qn_hlc hlc,
                                         struct qn_span body, struct qn_buf *out);
/* The first entry of a new group, signed by its first site. */
enum qn_err QN_CHECKED qn_genesis_compose(const struct qn_signer *signer,
                                          const struct qn_body_genesis *genesis, qn_hlc hlc,
                                          struct qn_buf *out, struct qn_digest *ret_group_id);

void qn_body_invite_pack(const struct qn_digest *group, const struct qn_body_invite *body,
                         struct qn_buf *out);
void qn_body_revoke_invite_pack(const struct qn_digest *group,
                                const struct qn_public_key *invite_key, struct qn_buf *out);
void qn_body_admit_pack(const struct qn_digest *group, const struct qn_body_admit *body,
                        struct qn_buf *out);
void qn_body_create_collection_pack(const struct qn_digest *group,
                                    const struct qn_body_create_collection *body,
                                    struct qn_buf *out);
void qn_body_grant_pack(const struct qn_digest *group, enum qn_body_type type,
                        const struct qn_body_grant *body, struct qn_buf *out);
void qn_body_close_collection_pack(const struct qn_digest *group, const struct qn_coll_id *coll,
                                   struct qn_buf *out);
void qn_body_withdraw_pack(const struct qn_digest *group, const struct qn_digest *admission,
                           struct qn_buf *out);
void qn_body_describe_pack(const struct qn_digest *group, struct qn_span legal_entity,
                           struct qn_buf *out);

void qn_body_place_pack(const struct qn_digest *group, const struct qn_body_place *body,
                        struct qn_buf *out);
void qn_body_place_accept_pack(const struct qn_digest *group,
                               const struct qn_body_place_accept *body, struct qn_buf *out);
void qn_body_rotate_key_pack(const struct qn_digest *group, const struct qn_body_rotate_key *body,
                             struct qn_buf *out);
void qn_body_report_pack(const struct qn_digest *group, const struct qn_body_report *body,
                         struct qn_buf *out);
/* Fills in the proof of `body`, whose other members are set, by the present key or the recovery key
 * of a site. Its entry is then composed with a signer of the new key. QN_ERR_NOTFOUND: no such site
 * or admission. QN_ERR_DENIED: the prover is neither. */
enum qn_err QN_CHECKED qn_rotate_sign(const struct qn_ledger *ledger, const struct qn_site_id *site,
                                      const struct qn_signer *prover,
                                      struct qn_body_rotate_key *body);

/* The statement of a joining site (struct qn_body_admit): signs both halves; and checks them. */
enum qn_err QN_CHECKED qn_admit_sign(const struct qn_digest *group,
                                     const struct qn_signer *invite_signer,
                                     const struct qn_signer *site_signer,
                                     struct qn_body_admit *admit);
enum qn_err QN_CHECKED qn_admit_verify(const struct qn_digest *group,
                                       const struct qn_body_admit *admit);

/* ---- asking the state ---- */

const struct qn_site *qn_group_site(const struct qn_group *group, const struct qn_site_id *id);
const struct qn_site *qn_group_site_named(const struct qn_group *group, struct qn_span name);
const struct qn_site *qn_group_site_by_key(const struct qn_group *group,
                                           const struct qn_public_key *key);
const struct qn_site *qn_group_site_by_prefix(const struct qn_group *group,
                                              const uint8_t prefix[QN_ACTOR_PREFIX_SIZE]);
const struct qn_collection *qn_group_collection(const struct qn_group *group,
                                                const struct qn_coll_id *id);
/* A present member of the group that shares this collection. */
bool qn_group_shares(const struct qn_group *group, const struct qn_collection *collection,
                     const struct qn_site_id *site);
/* A site that left the group, and had a part in this collection until then. */
bool qn_group_keeps(const struct qn_group *group, const struct qn_collection *collection,
                    const struct qn_site_id *site);
const struct qn_invite *qn_group_invite(const struct qn_group *group,
                                        const struct qn_public_key *key);
/* Open: known, not revoked, not used, not expired at that time. */
bool qn_invite_is_open(const struct qn_invite *invite, uint64_t wall_ms);
/* NULL if neither of the two ever spoke of it. */
const struct qn_place *qn_group_place(const struct qn_group *group, const struct qn_site_id *owner,
                                      const struct qn_site_id *holder);
/* NULL if the holder never reported on it. */
const struct qn_report *qn_group_report(const struct qn_group *group,
                                        const struct qn_site_id *holder,
                                        const struct qn_site_id *owner);
/* Two different present members, of one legal entity as far as both said theirs. Asked before a
 * Place is written or accepted; the fold does not enforce it, because entities change. */
bool qn_group_may_hold(const struct qn_group *group, const struct qn_site_id *owner,
                       const struct qn_site_id *holder);
