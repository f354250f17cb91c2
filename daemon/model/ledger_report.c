/* What holders say became of others' backups: the fold of Report (docs/ledger.md, "Reports"). */
#include "base/assert.h"
#include "base/search.h"
#include "model/ledger_seats.h"

struct pair {
    const struct qn_site_id *holder, *owner;
};

static int order_of_report(const void *item, const void *key)
{
    const struct qn_report *report = item;
    const struct pair *pair = key;
    int order = qn_site_id_cmp(&report->holder, pair->holder);
    return order != 0 ? order : qn_site_id_cmp(&report->said.owner, pair->owner);
}

static void take(struct qn_group *group, const struct qn_node *node)
{
    struct qn_entry entry;
    QN_ASSERT(qn_entry_unpack(qn_span(node->bytes, node->size), &entry) == QN_OK); /* as added */
    struct pair pair = {.holder = &node->author->id, .owner = &entry.body.report.owner};
    bool is_there;
    size_t at = qn_vec_search(&group->reports, &pair, order_of_report, &is_there);
    struct qn_report *report =
        is_there ? &group->reports.items[at] : qn_vec_insert_slot(&group->reports, at);
    *report = (struct qn_report){
        .holder = node->author->id, .said = entry.body.report, .at_ms = qn_hlc_ms(entry.hlc)};
}

/* A site that left still says what it does with what it holds: that it was a member suffices. */
void qn_fold_reports(struct qn_fold *fold)
{
    qn_vec_each (&fold->ledger->chains, chain) {
        if (fold->seats.items[(*chain)->index].last == NULL)
            continue;
        qn_vec_each (&(*chain)->nodes, node)
            if ((*node)->type == QN_BODY_REPORT && (*node)->is_understood && !(*node)->is_stopped)
                take(fold->group, *node);
    }
}

const struct qn_report *qn_group_report(const struct qn_group *group,
                                        const struct qn_site_id *holder,
                                        const struct qn_site_id *owner)
{
    struct pair pair = {.holder = holder, .owner = owner};
    bool is_there;
    size_t at = qn_vec_search(&group->reports, &pair, order_of_report, &is_there);
    return is_there ? &group->reports.items[at] : NULL;
}
