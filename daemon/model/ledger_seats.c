#include "model/ledger_seats.h"

int qn_node_cmp(const struct qn_node *a, const struct qn_node *b)
{
    if (a->ref_term != b->ref_term)
        return a->ref_term < b->ref_term ? -1 : 1;
    if (a->ref_seq != b->ref_seq)
        return a->ref_seq < b->ref_seq ? -1 : 1;
    return memcmp(a->hash.bytes, b->hash.bytes, sizeof(a->hash.bytes));
}

const struct qn_node *qn_invite_winner(const struct qn_invite_slot *invite)
{
    const struct qn_node *winner = NULL;
    qn_vec_each (&invite->admits, admit) {
        if (!(*admit)->is_stopped && (winner == NULL || qn_node_cmp(*admit, winner) < 0))
            winner = *admit;
    }
    return winner;
}

static struct qn_membership *membership_of(const struct qn_seats *seats, const struct qn_node *node)
{
    struct qn_seat *seat = &seats->items[node->subject->index];
    qn_vec_each (&seat->memberships, membership) {
        if (membership->invite == node->invite)
            return membership;
    }
    return NULL;
}

static void seat_add(struct qn_seats *seats, const struct qn_node *node)
{
    struct qn_membership membership = {.invite = node->invite, .ended_aseq = QN_NEVER};
    qn_vec_push(&seats->items[node->subject->index].memberships, membership);
}

static void choose(struct qn_seats *seats, const struct qn_ledger *ledger)
{
    const struct qn_node *genesis = ledger->nodes.items[0];
    seat_add(seats, genesis);
    *membership_of(seats, genesis) =
        (struct qn_membership){.admission = genesis, .ended_aseq = QN_NEVER, .is_valid = true};
    qn_vec_each (&ledger->invites, invite) {
        const struct qn_node *winner = qn_invite_winner(*invite);
        if (winner != NULL)
            seat_add(seats, winner);
    }
}

bool qn_withdraw_is_void(const struct qn_node *withdrawal)
{
    const struct qn_chain *chain = withdrawal->author;
    return withdrawal->aseq < chain->recovered_aseq && withdrawal->target != NULL &&
           withdrawal->target->invite == chain->pinned->invite;
}

static void end_withdrawn(struct qn_seats *seats, const struct qn_ledger *ledger)
{
    qn_vec_each (&ledger->nodes, node) {
        if ((*node)->type != QN_BODY_WITHDRAW || (*node)->target == NULL || (*node)->is_stopped ||
            qn_withdraw_is_void(*node))
            continue;
        struct qn_membership *membership = membership_of(seats, (*node)->target);
        if (membership != NULL && (*node)->aseq < membership->ended_aseq)
            membership->ended_aseq = (*node)->aseq;
    }
}

bool qn_seats_counts(const struct qn_seats *seats, const struct qn_node *node)
{
    if (node->is_stopped || !node->is_understood)
        return false;
    const struct qn_seat *seat = &seats->items[node->author->index];
    qn_vec_each (&seat->memberships, membership) {
        if (membership->is_valid && node->aseq <= membership->ended_aseq)
            return true;
    }
    return false;
}

/* Marks what becomes valid; entries stand in a causal order, so one pass nearly always does, and
 * each but the last makes at least one of at most QN_SITES_MAX authors count. */
static bool validate_pass(struct qn_seats *seats, const struct qn_ledger *ledger)
{
    bool is_changed = false;
    qn_vec_each (&ledger->nodes, node) {
        if ((*node)->invite == NULL || (*node)->subject == NULL)
            continue;
        struct qn_membership *membership = membership_of(seats, *node);
        if (membership == NULL || membership->is_valid || !qn_seats_counts(seats, *node))
            continue;
        membership->is_valid = is_changed = true;
    }
    return is_changed;
}

static void root_in(struct qn_seat *seat, const struct qn_node *admission)
{
    if (seat->root == NULL || qn_admission_cmp(admission, seat->root) < 0)
        seat->root = admission;
}

static void name_admissions(struct qn_seats *seats, const struct qn_ledger *ledger)
{
    qn_vec_each (&ledger->nodes, node) {
        if ((*node)->subject == NULL || !qn_seats_counts(seats, *node))
            continue;
        struct qn_membership *membership = membership_of(seats, *node);
        if (membership == NULL)
            continue;
        root_in(&seats->items[(*node)->subject->index], *node);
        const struct qn_node *first = membership->admission;
        if (first == NULL || qn_node_cmp(*node, first) < 0)
            membership->admission = *node;
    }
}

static bool is_after(const struct qn_membership *a, const struct qn_membership *b)
{
    bool is_a_present = a->ended_aseq == QN_NEVER, is_b_present = b->ended_aseq == QN_NEVER;
    if (is_a_present != is_b_present)
        return is_a_present;
    return qn_node_cmp(a->admission, b->admission) > 0;
}

static void find_last(struct qn_seat *seat)
{
    qn_vec_each (&seat->memberships, membership) {
        if (membership->is_valid && (seat->last == NULL || is_after(membership, seat->last)))
            seat->last = membership;
    }
}

bool qn_seat_is_present(const struct qn_seat *seat)
{
    return seat->last != NULL && seat->last->ended_aseq == QN_NEVER;
}

void qn_seats_init(struct qn_seats *seats, const struct qn_ledger *ledger)
{
    for (size_t i = 0; i < ledger->chains.count; i++)
        ledger->chains.items[i]->index = i;
    seats->count = ledger->chains.count;
    seats->items = qn_alloc_zero(seats->count * sizeof(seats->items[0]));
    choose(seats, ledger);
    end_withdrawn(seats, ledger);
    while (validate_pass(seats, ledger))
        ;
    name_admissions(seats, ledger);
    for (size_t i = 0; i < seats->count; i++)
        find_last(&seats->items[i]);
}

void qn_seats_deinit(struct qn_seats *seats)
{
    for (size_t i = 0; i < seats->count; i++)
        qn_vec_free(&seats->items[i].memberships);
    qn_free(seats->items);
}
