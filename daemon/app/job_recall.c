/* A recovery, after the vault is whole again: the copy of the site's store in the newest snapshot
 * is put beside the store, once, and read for what the core says to lack. The copy is never the
 * store itself: what was written and learned since the recovery stays, and dots are never used
 * twice. */
#include <stdio.h>
#include <unistd.h>

#include "app/job_run.h"
#include "app/site_store.h"
#include "base/limits.h"
#include "core/args.h"
#include "model/book.h"
#include "model/recall.h"
#include "os/os.h"
#include "proto/pack.h"

struct recall {
    struct qn_job_run *run;
    struct qn_kv *kv; /* of the copy */
    const qn_snapshot_vec *snapshots;
    size_t size; /* of what was told */
    bool has_more;
};

/* ---- plans ---- */

static uint64_t newest_of(const qn_snapshot_vec *snapshots, const struct qn_plan *plan)
{
    uint64_t newest_ms = 0;
    qn_vec_each (snapshots, info) {
        const struct qn_snapshot *snapshot = &info->snapshot;
        if (!snapshot->is_partial && qn_span_eq_str(plan->name, snapshot->plan) &&
            snapshot->started_ms > newest_ms)
            newest_ms = snapshot->started_ms;
    }
    return newest_ms;
}

static void tell_plan(const struct recall *recall, const struct qn_plan *plan,
                      struct qn_span packed)
{
    struct qn_buf payload;
    qn_buf_init(&payload, packed.size + 256);
    qn_pack_map(&payload, 3);
    qn_pack_cstr(&payload, "packed");
    qn_pack_bin(&payload, packed);
    qn_pack_cstr(&payload, "plan");
    qn_pack_str(&payload, plan->name);
    qn_pack_cstr(&payload, "started");
    qn_pack_u64(&payload, newest_of(recall->snapshots, plan));
    qn_job_tell(recall->run, QN_JOB_PLAN, QN_OK, &payload);
}

static enum qn_err tell_plans(const struct recall *recall)
{
    char after[QN_NAME_SIZE_MAX + 1] = "";
    struct qn_span packed;
    enum qn_err err;
    while ((err = qn_book_plan_next(recall->kv, qn_span_str(after), &packed)) == QN_OK) {
        struct qn_plan plan;
        QN_TRY(qn_plan_unpack(packed, &plan));
        tell_plan(recall, &plan, packed);
        snprintf(after, sizeof(after), "%.*s", (int)plan.name.size, (const char *)plan.name.data);
        qn_plan_deinit(&plan);
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

/* ---- collections ---- */

static void tell_part(void *context, enum qn_recalled what, const struct qn_coll_id *coll,
                      struct qn_span body, struct qn_span lost)
{
    struct recall *recall = context;
    struct qn_buf payload;
    qn_buf_init(&payload, body.size + lost.size + 256);
    qn_pack_map(&payload, lost.size > 0 ? 3 : 2);
    qn_pack_cstr(&payload, "coll");
    qn_pack_bin(&payload, QN_SPAN_OF(coll->bytes));
    if (lost.size > 0) {
        qn_pack_cstr(&payload, "lost");
        qn_pack_raw(&payload, lost);
    }
    qn_pack_cstr(&payload, what == QN_RECALLED_OPS ? "ops" : "page");
    qn_pack_bin(&payload, body);
    qn_job_tell(recall->run, what == QN_RECALLED_OPS ? QN_JOB_OPS : QN_JOB_PAGE, QN_OK, &payload);
    recall->size += body.size;
}

static enum qn_err may_go_on(void *context)
{
    const struct recall *recall = context;
    if (recall->size >= QN_RECALL_SIZE)
        return QN_ERR_LIMIT;
    return atomic_load(&recall->run->progress.is_cancelled) ? QN_ERR_CLOSED : QN_OK;
}

static enum qn_err recall_colls(struct recall *recall)
{
    const struct qn_recall_options options = {.ops_size = QN_OPS_BATCH_SIZE,
                                              .ops_max = QN_OPS_ITEMS_MAX / 2,
                                              .page_size = QN_PAGE_SIZE,
                                              .may_go_on = may_go_on,
                                              .tell = tell_part,
                                              .context = recall};
    return qn_recall(recall->kv, &options,
                     args_value(qn_buf_view(&recall->run->job->args), "colls"), &recall->has_more);
}

/* ---- the copy ---- */

/* It is whole if it is there. */
static enum qn_err make_copy(struct qn_vault *vault, const struct qn_store_options *options)
{
    uint64_t made_ms;
    enum qn_err err =
        access(options->path, F_OK) == 0 ? QN_OK : qn_site_store_restore(vault, options, &made_ms);
    return err == QN_ERR_EXISTS ? QN_OK : err;
}

static enum qn_err read_copy(struct recall *recall, struct qn_store *store)
{
    QN_TRY(qn_store_read_begin(store, &recall->kv));
    enum qn_err err = tell_plans(recall);
    if (err == QN_OK)
        err = recall_colls(recall);
    qn_store_read_end(store);
    return err;
}

enum qn_err qn_job_recall(struct qn_job_run *run, struct qn_vault *vault,
                          const struct qn_jobs_options *jobs, struct qn_buf *out)
{
    char path[4096];
    qn_snapshot_vec snapshots = {0};
    struct qn_store *store;
    struct recall recall = {.run = run, .snapshots = &snapshots};
    qn_recalled_path(jobs->state_dir, path, sizeof(path));
    struct qn_store_options options = {.path = path,
                                       .map_size = jobs->store_map_size,
                                       .wall_ms = qn_store_wall_ms,
                                       .entropy = qn_store_entropy};
    QN_TRY(make_copy(vault, &options));
    QN_TRY(qn_vault_snapshots(vault, NULL, NULL, NULL, &snapshots));
    enum qn_err err = qn_store_open(&options, &store);
    if (err == QN_OK) {
        err = read_copy(&recall, store);
        qn_store_close(store);
    }
    qn_snapshots_deinit(&snapshots);
    QN_TRY(err);
    qn_pack_map(out, 1);
    qn_pack_cstr(out, "more");
    qn_pack_bool(out, recall.has_more);
    return QN_OK;
}

void qn_recalled_path(const char *state_dir, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/recalled", state_dir);
}
