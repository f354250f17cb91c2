/* Inside the ledger: the entries and the indexes over them, shared by ledger*.c only.
 *
 * Everything here is a function of the set of entries but for `nodes`, the order of addition, and
 * the order of the lists that follow it; the fold must not let that order show.
 */
#pragma once

#include "model/ledger_entry.h"

struct qn_chain;
struct qn_invite_slot;
struct qn_coll_slot;

/* An entry that was verified and added. Never changed afterwards. */
struct qn_node {
    struct qn_digest hash;
    struct qn_chain *author;
    uint64_t aseq;
    uint64_t ref_term, ref_seq; /* the admin head that it names */
    uint64_t admin_seq;         /* own place in the administrator's chain; 0: none */
    uint64_t type;
    bool is_understood;
    /* It, or what it builds on, is critical and not understood: out of the fold. */
    bool is_stopped;
    struct qn_invite_slot *invite; /* Invite, RevokeInvite, Admit */
    struct qn_chain *subject;      /* Genesis, Admit: whom it makes a member */
    struct qn_coll_slot *coll;     /* CreateCollection, Grant, Ungrant, CloseCollection */
    /* Withdraw: the admission that it ends; PlaceAccept: the Place that it answers. */
    const struct qn_node *target;
    size_t size;
    size_t body_offset, body_size;
    uint8_t bytes[];
};

struct qn_node_vec {
    struct qn_node **items;
    size_t count, capacity;
};

/* A site that some Genesis or Admit names, member or not, and what it wrote. */
struct qn_chain {
    struct qn_site_id id;
    qn_key_vec keys; /* by epoch: never empty; the last signs the next entry */
    /* The admission that the last RotateKey named; each names the same one or an earlier one. */
    const struct qn_node *pinned;
    /* Place of the last RotateKey by the recovery key that the fold counts; 0: there is none. */
    uint64_t recovered_aseq;
    size_t index; /* in qn_ledger.chains; set by the fold */
    struct qn_node_vec nodes;
    struct qn_node_vec admissions; /* entries of others that name it; Genesis for the founder */
};

struct qn_invite_slot {
    struct qn_public_key key;
    const struct qn_node *invite;
    uint64_t expiry_ms;
    const struct qn_node *revoked; /* the first RevokeInvite, or NULL */
    struct qn_node_vec admits;
};

struct qn_coll_slot {
    struct qn_coll_id id;
    struct qn_node_vec acts; /* all that name it; those of one author in the order of its chain */
};

struct qn_ledger_state {
    bool is_current;
    struct qn_group group;
};

struct qn_ledger {
    struct qn_node_vec nodes;         /* the first is Genesis */
    size_t size;                      /* of all entries, as an array of binaries */
    struct qn_node_vec admin;         /* the administrator's chain: place seq is at seq - 1 */
    QN_VEC(struct qn_chain *) chains; /* sorted by id */
    QN_VEC(struct qn_invite_slot *) invites; /* sorted by key */
    QN_VEC(struct qn_coll_slot *) colls;     /* sorted by id */
    struct qn_ledger_state *state;           /* folded when it is asked for */
};

/* NULL if there is none. */
struct qn_chain *qn_ledger_chain(const struct qn_ledger *ledger, const struct qn_site_id *id);
struct qn_invite_slot *qn_ledger_invite(const struct qn_ledger *ledger,
                                        const struct qn_public_key *key);
struct qn_coll_slot *qn_ledger_coll(const struct qn_ledger *ledger, const struct qn_coll_id *id);

static inline const struct qn_digest *qn_ledger_group_id(const struct qn_ledger *ledger)
{
    return &ledger->nodes.items[0]->hash;
}

static inline struct qn_span qn_node_body(const struct qn_node *node)
{
    return qn_span(node->bytes + node->body_offset, node->body_size);
}

/* The last entry of the administrator's chain; the ledger is not empty. */
static inline const struct qn_node *qn_ledger_admin_head(const struct qn_ledger *ledger)
{
    return ledger->admin.items[ledger->admin.count - 1];
}

static inline const struct qn_public_key *qn_chain_key(const struct qn_chain *chain)
{
    return &chain->keys.items[chain->keys.count - 1];
}

/* The keys in an admission, which is a Genesis or an Admit. */
void qn_node_keys(const struct qn_node *admission, struct qn_site_keys *ret_keys);
/* The order of contests: admin head that the author had seen, then hash. */
int qn_node_cmp(const struct qn_node *a, const struct qn_node *b);
/* Of one site: whose recovery keys go before (docs/ledger.md, "Keys"). Genesis, then those by
 * others, then those that the site wrote itself; of each the one through the older invite, then the
 * order of contests. Depends on the two only. */
int qn_admission_cmp(const struct qn_node *a, const struct qn_node *b);
/* Whether the proof of a RotateKey is right and its key is new. */
enum qn_err QN_CHECKED qn_ledger_check_rotate(const struct qn_ledger *ledger,
                                              const struct qn_chain *chain,
                                              const struct qn_body_rotate_key *rotate);
/* NULL if it is not there. */
const struct qn_node *qn_ledger_node(const struct qn_ledger *ledger, const struct qn_digest *hash);
/* Whether the entry, whose author and signature are right, may be added: chain, reference and body.
 * Depends on what the entry builds on only, never on the order of arrival. */
enum qn_err QN_CHECKED qn_ledger_check(const struct qn_ledger *ledger, const struct qn_chain *chain,
                                       const struct qn_entry *entry);
/* The admission of that site with that hash; NULL if it is not there. */
const struct qn_node *qn_chain_admission(const struct qn_chain *chain,
                                         const struct qn_digest *hash);
