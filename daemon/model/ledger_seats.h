/* Who is, or was, a member: the part of the fold that everything else in it asks.
 *
 * A membership is (invite, site); Genesis gives the founder one without an invite. An entry counts
 * if it is understood, not behind one that is critical and unknown, and its author held a valid
 * membership at that place of its chain. A membership is valid if its invite chose that site and
 * one Admit that says so counts; the founder's always is. The rule refers to itself, and the least
 * fixed point from the founder is meant.
 */
#pragma once

#include "model/ledger_impl.h"

struct qn_membership {
    const struct qn_invite_slot *invite; /* NULL: Genesis */
    const struct qn_node *admission;     /* of the entries that give it and count, the first */
    uint64_t ended_aseq;                 /* place of the Withdraw in the site's chain, or never */
    bool is_valid;
};

#define QN_NEVER UINT64_MAX

struct qn_seat {
    QN_VEC(struct qn_membership) memberships;
    /* The last membership in the order below, one that has not ended if there is any; NULL: never
     * a member. */
    const struct qn_membership *last;
    /* Of the admissions that count, the first one by qn_admission_cmp; NULL: never a member. */
    const struct qn_node *root;
};

struct qn_seats {
    size_t count;
    struct qn_seat *items; /* by qn_chain.index */
};

struct qn_fold {
    const struct qn_ledger *ledger;
    struct qn_seats seats;
    struct qn_group *group;
};

/* The part of the fold that finds who holds for whom. */
void qn_fold_places(struct qn_fold *fold);

/* And that of what holders report (ledger_report.c). */
void qn_fold_reports(struct qn_fold *fold);

/* A thief with a site's key withdrew it, and the kit brought it back: a Withdraw of the membership
 * whose recovery key counts is void below a RotateKey by that key. */
bool qn_withdraw_is_void(const struct qn_node *withdrawal);

/* Numbers the chains. */
void qn_seats_init(struct qn_seats *seats, const struct qn_ledger *ledger);
void qn_seats_deinit(struct qn_seats *seats);
bool qn_seats_counts(const struct qn_seats *seats, const struct qn_node *node);
bool qn_seat_is_present(const struct qn_seat *seat);
/* The Admit that won the invite; NULL if it is not used. */
const struct qn_node *qn_invite_winner(const struct qn_invite_slot *invite);
