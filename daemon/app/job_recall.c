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
#include "model/late.h"
#include "os/os.h"
#include "proto/pack.h"

struct recall {
    struct qn_job_run *run;
    struct qn_kv *kv; /* of the copy */
    const qn_snapshot_vec *snapshots;
    size_t size; /* of what was told */
    bool has_more, has_held;
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

/* One of them, and what is known of it here. */
struct wanted {
    struct qn_coll_id coll;
    struct qn_vv known;
    struct qn_span cursor, clock; /* of the pass that is running, if there is one; else empty */
};

static void tell_part(struct recall *recall, enum qn_job_news news, const struct qn_coll_id *coll,
                      const char *what, struct qn_span body)
{
    struct qn_buf payload;
    qn_buf_init(&payload, body.size + 256);
    qn_pack_map(&payload, 2);
    qn_pack_cstr(&payload, "coll");
    qn_pack_bin(&payload, QN_SPAN_OF(coll->bytes));
    qn_pack_cstr(&payload, what);
    qn_pack_bin(&payload, body);
    qn_job_tell(recall->run, news, QN_OK, &payload);
    recall->size += body.size;
}

/* QN_ERR_LIMIT: it is enough for one job. */
static enum qn_err may_go_on(struct recall *recall)
{
    if (recall->size >= QN_RECALL_SIZE) {
        recall->has_more = true;
        return QN_ERR_LIMIT;
    }
    return atomic_load(&recall->run->progress.is_cancelled) ? QN_ERR_CLOSED : QN_OK;
}

/* In the order in which the lost site applied them, all that is not known. */
static enum qn_err recall_ops(struct recall *recall, const struct wanted *wanted, uint64_t from_seq)
{
    struct qn_ops_request request = {.coll = wanted->coll,
                                     .known = &wanted->known,
                                     .from_seq = from_seq,
                                     .size_wish = QN_OPS_BATCH_SIZE,
                                     .ops_wish = QN_OPS_ITEMS_MAX / 2};
    QN_AUTO_BUF struct qn_buf body;
    bool is_end = false;
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    while (request.from_seq > 0 && !is_end) {
        struct qn_ops_read read;
        QN_TRY(may_go_on(recall));
        qn_buf_reset(&body);
        QN_TRY(qn_read_ops(recall->kv, &request, &body, &read));
        if (read.op_count > 0)
            tell_part(recall, QN_JOB_OPS, &wanted->coll, "ops", qn_buf_view(&body));
        request.from_seq = read.next_seq;
        is_end = read.is_end;
        qn_vv_deinit(&read.last);
    }
    return QN_OK;
}

/* Once more afterwards: whether nothing is missing then is for the next job to see. */
static enum qn_err recall_pages(struct recall *recall, const struct wanted *wanted)
{
    struct qn_page_read page = {.is_last = false};
    struct qn_digest clock;
    struct qn_page_request request = {.coll = wanted->coll,
                                      .after = wanted->cursor,
                                      .size_wish = QN_PAGE_SIZE,
                                      .is_last_copy = true};
    if (wanted->clock.size == sizeof(clock.bytes)) {
        memcpy(clock.bytes, wanted->clock.data, sizeof(clock.bytes));
        request.known = &clock;
    }
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    while (!page.is_last) {
        QN_TRY(may_go_on(recall));
        qn_buf_reset(&body);
        QN_TRY(qn_read_page(recall->kv, &request, &body, &page));
        tell_part(recall, QN_JOB_PAGE, &wanted->coll, "page", qn_buf_view(&body));
        clock = page.clock;
        request.known = &clock;
        request.after = qn_span(page.next, page.next_size);
    }
    recall->has_more = true;
    return QN_OK;
}

/* The log of the copy, if it reaches back to what is known here, and can be read; else its records.
 */
static enum qn_err recall_coll(struct recall *recall, const struct wanted *wanted)
{
    uint64_t from_seq = 0;
    enum qn_err err = qn_read_start(recall->kv, &wanted->coll, &wanted->known, &from_seq);
    if (err == QN_OK)
        err = recall_ops(recall, wanted, from_seq);
    if (err == QN_ERR_HELD || err == QN_ERR_CORRUPT)
        err = recall_pages(recall, wanted);
    return err == QN_ERR_LIMIT && recall->has_more ? QN_OK : err;
}

static enum qn_err read_wanted(struct qn_cursor *cursor, struct wanted *wanted)
{
    QN_TRY(qn_cursor_bytes(cursor, wanted->coll.bytes, sizeof(wanted->coll.bytes)));
    QN_TRY(qn_vv_unpack(cursor, &wanted->known));
    QN_TRY(qn_cursor_bin(cursor, QN_SPOT_SIZE_MAX, &wanted->cursor));
    return qn_cursor_bin(cursor, QN_DIGEST_SIZE, &wanted->clock);
}

static enum qn_err recall_colls(struct recall *recall)
{
    struct qn_cursor cursor = qn_cursor(args_value(qn_buf_view(&recall->run->job->args), "colls"));
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, SIZE_MAX, &count));
    for (size_t i = 0; i < count; i += 4) {
        struct wanted wanted = {.known = {.entries = {0}}};
        enum qn_err err = read_wanted(&cursor, &wanted);
        if (err == QN_OK)
            err = recall_coll(recall, &wanted);
        qn_vv_deinit(&wanted.known);
        recall->has_held |= err == QN_ERR_HELD;
        if (err != QN_ERR_HELD)
            QN_TRY(err);
    }
    /* A copy of a site that was late itself has no pages: its log waits for the other members. */
    recall->has_more |= recall->has_held && recall->size > 0;
    return recall->has_held && recall->size == 0 ? QN_ERR_HELD : QN_OK;
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
