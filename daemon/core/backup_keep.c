#include "core/backup.h"

/* The snapshots of one plan, in order of their times. */
struct row {
    const struct qn_own_snap **snaps;
    uint64_t *times;
    size_t count;
};

static void collect(const struct qn_core *core, const char *plan, bool is_partial, struct row *row)
{
    size_t most = core->backup->book.snaps.count + 1;
    row->snaps = qn_alloc(most * sizeof(row->snaps[0]));
    row->times = qn_alloc(most * sizeof(row->times[0]));
    row->count = 0;
    qn_vec_each (&core->backup->book.snaps, snap) {
        if (strcmp(snap->snap.plan, plan) != 0 || snap->snap.is_partial != is_partial)
            continue;
        size_t at = row->count++;
        for (; at > 0 && row->times[at - 1] > snap->snap.started_ms; at--) {
            row->times[at] = row->times[at - 1];
            row->snaps[at] = row->snaps[at - 1];
        }
        row->times[at] = snap->snap.started_ms;
        row->snaps[at] = &snap->snap;
    }
}

static void release(struct row *row)
{
    qn_free(row->snaps);
    qn_free(row->times);
}

static void choose_whole(const struct qn_core *core, const struct plan *plan, const struct row *row,
                         struct qn_buf *out)
{
    QN_AUTO_FREE bool *is_kept = qn_alloc_zero((row->count + 1) * sizeof(*is_kept));
    qn_keep_choose(&plan->keep, row->times, row->count, core->backup->offset_s, is_kept);
    for (size_t i = 0; i < row->count; i++)
        if (!is_kept[i])
            qn_buf_append_span(out, qn_digest_view(&row->snaps[i]->name));
}

/* A partial snapshot is all there is until a later one; of several only the last is of use. */
static void choose_partial(const struct qn_core *core, const char *plan, const struct row *whole,
                           struct qn_buf *out)
{
    struct row row;
    collect(core, plan, true, &row);
    uint64_t last_whole = whole->count == 0 ? 0 : whole->times[whole->count - 1];
    for (size_t i = 0; i < row.count; i++)
        if (i + 1 < row.count || row.times[i] <= last_whole)
            qn_buf_append_span(out, qn_digest_view(&row.snaps[i]->name));
    release(&row);
}

static void choose_of(const struct qn_core *core, const struct plan *plan, struct qn_buf *out)
{
    struct row whole;
    collect(core, plan->name, false, &whole);
    choose_whole(core, plan, &whole, out);
    choose_partial(core, plan->name, &whole, out);
    release(&whole);
}

void backup_choose(const struct qn_core *core, const struct plan *plan, struct qn_buf *out)
{
    if (plan != NULL) {
        choose_of(core, plan, out);
        return;
    }
    qn_vec_each (&core->backup->plans, each)
        choose_of(core, *each, out);
}
