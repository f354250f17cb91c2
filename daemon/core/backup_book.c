#include "base/search.h"
#include "core/backup.h"

void book_view_deinit(struct qn_book_view *view)
{
    qn_vec_free(&view->snaps);
    qn_vec_free(&view->copies);
    qn_vec_free(&view->held);
}

/* ---- reading (core/read.c) ---- */

static bool has_copy(const struct qn_book_view *view, const struct qn_site_id *holder)
{
    qn_vec_each (&view->copies, copy)
        if (qn_site_id_eq(&copy->holder, holder))
            return true;
    return false;
}

static enum qn_err read_copies_of(struct qn_kv *kv, const struct qn_plan *plan,
                                  struct qn_book_view *view)
{
    qn_vec_each (&plan->copies, holder) {
        if (has_copy(view, holder) || view->copies.count == HOLDERS_SHOWN)
            continue;
        struct copy_view *copy = qn_vec_push_slot(&view->copies);
        *copy = (struct copy_view){.holder = *holder};
        QN_TRY(qn_book_copy_get(kv, holder, &copy->copy));
        QN_TRY(qn_book_proof_get(kv, holder, &copy->proof));
    }
    return QN_OK;
}

static enum qn_err read_copies(struct qn_kv *kv, struct qn_book_view *view)
{
    struct qn_span packed;
    char name[QN_NAME_SIZE_MAX + 1] = "";
    enum qn_err err;
    while ((err = qn_book_plan_next(kv, qn_span_str(name), &packed)) == QN_OK) {
        struct qn_plan plan;
        QN_TRY(qn_plan_unpack(packed, &plan));
        size_t size = plan.name.size < sizeof(name) ? plan.name.size : sizeof(name) - 1;
        memcpy(name, plan.name.data, size);
        name[size] = '\0';
        err = read_copies_of(kv, &plan, view);
        qn_plan_deinit(&plan);
        QN_TRY(err);
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err read_snap_at(struct qn_kv *kv, const struct qn_site_id *holder, size_t i,
                                struct snap_view *seen)
{
    enum qn_copy_state state;
    uint64_t acked_ms = 0;
    QN_TRY(qn_book_copy_state(kv, holder, &seen->snap, &state));
    if (state == QN_COPY_COMPLETE)
        QN_TRY(qn_book_list_acked_at(kv, holder, &seen->snap, &acked_ms));
    seen->complete |= (uint32_t)(state == QN_COPY_COMPLETE) << i;
    seen->acked_s[i] = (uint32_t)(acked_ms / 1000);
    return QN_OK;
}

static enum qn_err read_snaps(struct qn_kv *kv, struct qn_book_view *view)
{
    struct qn_own_snap snap;
    uint64_t after = 0;
    enum qn_err err;
    while ((err = qn_book_snap_next(kv, after, &snap)) == QN_OK) {
        struct snap_view *seen = qn_vec_push_slot(&view->snaps);
        *seen = (struct snap_view){.snap = snap};
        after = snap.number;
        for (size_t i = 0; i < view->copies.count; i++)
            QN_TRY(read_snap_at(kv, &view->copies.items[i].holder, i, seen));
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err read_held(struct qn_kv *kv, struct qn_book_view *view)
{
    struct held_view held;
    const struct qn_site_id *after = NULL;
    enum qn_err err;
    while ((err = qn_held_next(kv, after, &held.owner, &held.held)) == QN_OK) {
        qn_vec_push(&view->held, held);
        after = &view->held.items[view->held.count - 1].owner;
    }
    if (err != QN_ERR_NOTFOUND)
        return err;
    err = qn_lock_now(kv, &view->lock_ms);
    return err == QN_ERR_STATE || err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err book_view_read(struct qn_kv *kv, struct qn_book_view *view)
{
    QN_TRY(qn_book_totals(kv, &view->totals));
    QN_TRY(read_copies(kv, view));
    QN_TRY(read_snaps(kv, view));
    return read_held(kv, view);
}

static int order_of_name(const void *item, const void *key)
{
    return memcmp(item, key, sizeof(struct qn_digest));
}

bool names_have(struct qn_span names, const struct qn_digest *name)
{
    bool is_there;
    qn_search(names.data, names.size / sizeof(*name), sizeof(*name), name, order_of_name,
              &is_there);
    return is_there;
}

/* All packs of the book are those that are missing at a holder who has none. */
enum qn_err book_stale_read(struct qn_kv *kv, struct qn_span known, struct qn_buf *out)
{
    static const struct qn_site_id nobody;
    struct qn_book_next next[64];
    uint64_t after = 0;
    bool is_end = false;
    while (!is_end && out->size + sizeof(next) < out->size_max) {
        size_t count;
        QN_TRY(qn_book_next_packs(kv, &nobody, after, sizeof(next) / sizeof(next[0]), next, &count,
                                  &after, &is_end));
        for (size_t i = 0; i < count; i++)
            if (!names_have(known, &next[i].pack))
                qn_buf_append_span(out, qn_digest_view(&next[i].pack));
    }
    return QN_OK;
}

/* ---- the view in the core ---- */

void book_touch(struct qn_core *core)
{
    core->backup->is_book_stale = true;
    core_wake(core, core->backup->book_ms);
}

void book_read_done(struct qn_core *core, struct qn_read_result *result)
{
    struct backup *backup = core->backup;
    backup->book_token = 0;
    if (result->err != QN_OK || result->book == NULL) {
        core_note(core, "read-failed", result->err, "book");
        return;
    }
    book_view_deinit(&backup->book);
    backup->book = *result->book;
    *result->book = (struct qn_book_view){0};
    waiters_tick(core);
}

const struct snap_view *book_latest(const struct qn_core *core, const char *plan)
{
    const struct snap_view *latest = NULL;
    qn_vec_each (&core->backup->book.snaps, snap)
        if (strcmp(snap->snap.plan, plan) == 0)
            latest = snap;
    return latest;
}

static size_t index_of(const struct qn_core *core, const struct qn_site_id *holder)
{
    const struct qn_book_view *book = &core->backup->book;
    size_t i = 0;
    while (i < book->copies.count && !qn_site_id_eq(&book->copies.items[i].holder, holder))
        i++;
    return i;
}

bool book_is_complete(const struct qn_core *core, const struct snap_view *snap,
                      const struct qn_site_id *holder)
{
    size_t i = index_of(core, holder);
    return i < core->backup->book.copies.count && (snap->complete >> i & 1) != 0;
}

const struct copy_view *book_copy(const struct qn_core *core, const struct qn_site_id *holder)
{
    size_t i = index_of(core, holder);
    return i < core->backup->book.copies.count ? &core->backup->book.copies.items[i] : NULL;
}

uint64_t book_missing_bytes(const struct qn_core *core, const struct qn_site_id *holder)
{
    const struct qn_own_totals *totals = &core->backup->book.totals;
    const struct copy_view *copy = book_copy(core, holder);
    return copy == NULL ? totals->bytes : qn_copy_missing_bytes(&copy->copy, totals);
}

uint64_t book_locked_until(const struct qn_core *core, const struct snap_view *snap,
                           const struct qn_site_id *holder)
{
    static const uint64_t day_ms = 24ull * 3600 * 1000;
    const struct qn_place *place =
        qn_group_place(qn_ledger_group(core->ledger), &core->site, holder);
    size_t i = index_of(core, holder);
    if (i == core->backup->book.copies.count || snap->acked_s[i] == 0 || place == NULL)
        return 0;
    return snap->acked_s[i] * 1000ull + place->lock_days * day_ms;
}

uint64_t book_stored_bytes(const struct qn_core *core, const char *plan)
{
    const struct qn_book_view *book = &core->backup->book;
    uint64_t stored = 0;
    bool is_alone = true;
    qn_vec_each (&book->snaps, snap) {
        bool is_of_plan = strcmp(snap->snap.plan, plan) == 0;
        stored += is_of_plan ? snap->snap.bytes_stored : 0;
        is_alone = is_alone && is_of_plan;
    }
    return is_alone || stored > book->totals.bytes ? book->totals.bytes : stored;
}
