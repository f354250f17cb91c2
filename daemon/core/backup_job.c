/* The jobs of the vault, one at a time: what is wanted, and how it begins. */
#include "core/args.h"
#include "core/recover.h"

/* ---- starting ---- */

bool want_is_same(const struct want *a, const struct want *b)
{
    return a->kind == b->kind && strcmp(a->plan, b->plan) == 0 && a->reads_data == b->reads_data;
}

bool backup_is_running(const struct qn_core *core, const char *plan)
{
    const struct running *running = &core->backup->running;
    return running->token != 0 && running->what.kind == QN_JOB_BACKUP &&
           strcmp(running->what.plan, plan) == 0;
}

void backup_want(struct qn_core *core, const struct want *want)
{
    struct backup *backup = core->backup;
    if (backup->running.token != 0 && want_is_same(&backup->running.what, want))
        return;
    qn_vec_each (&backup->wants, other)
        if (want_is_same(other, want))
            return;
    qn_vec_push(&backup->wants, *want);
}

static void pack_bins(struct qn_buf *out, const char *key, const struct qn_span *items,
                      size_t count)
{
    qn_pack_cstr(out, key);
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_bin(out, items[i]);
}

static void pack_backup(const struct qn_core *core, const struct plan *plan, struct qn_buf *out)
{
    bool is_first = book_latest(core, plan->name) == NULL;
    qn_pack_map(out, 4);
    qn_pack_cstr(out, "exclude");
    qn_pack_array(out, plan->row.excludes.count);
    qn_vec_each (&plan->row.excludes, pattern)
        qn_pack_str(out, *pattern);
    qn_pack_cstr(out, "partial_every_ms");
    qn_pack_u64(out, is_first ? PARTIAL_MS : 0);
    pack_bins(out, "paths", plan->row.paths.items, plan->row.paths.count);
    qn_pack_cstr(out, "plan");
    qn_pack_cstr(out, plan->name);
}

static void pack_prune(struct qn_core *core, const struct want *want, struct qn_buf *out)
{
    struct qn_buf *names = &core->backup->running.names;
    backup_choose(core, want->plan[0] == '\0' ? NULL : backup_plan(core, qn_span_str(want->plan)),
                  names);
    qn_pack_map(out, 2);
    qn_pack_cstr(out, "forget");
    qn_pack_array(out, names->size / sizeof(struct qn_digest));
    for (size_t at = 0; at < names->size; at += sizeof(struct qn_digest))
        qn_pack_bin(out, qn_span(names->data + at, sizeof(struct qn_digest)));
    qn_pack_cstr(out, "pinned");
    qn_pack_bin(out, qn_span(NULL, 0));
}

static void pack_verify(const struct want *want, struct qn_buf *out)
{
    qn_pack_map(out, 2);
    qn_pack_cstr(out, "plan");
    want->plan[0] == '\0' ? qn_pack_nil(out) : qn_pack_cstr(out, want->plan);
    qn_pack_cstr(out, "read_data");
    qn_pack_bool(out, want->reads_data);
}

static void pack_drill(struct qn_core *core, const struct want *want, struct qn_buf *out)
{
    qn_pack_map(out, 2);
    qn_pack_cstr(out, "plan");
    qn_pack_cstr(out, want->plan);
    qn_pack_cstr(out, "seed");
    qn_pack_u64(out, qn_prng_next(&core->prng));
}

static void pack_rebuild(const struct want *want, struct qn_buf *out)
{
    qn_pack_map(out, 2);
    qn_pack_cstr(out, "data");
    qn_pack_bool(out, want->reads_data);
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, want->plan);
}

/* ---- what cannot be read ---- */

void backup_mend(struct qn_core *core, const struct qn_digest *pack)
{
    struct qn_buf *names = &core->backup->mend;
    struct want want = {.kind = QN_JOB_MEND};
    for (size_t at = 0; at < names->size; at += sizeof(*pack))
        if (memcmp(names->data + at, pack->bytes, sizeof(*pack)) == 0)
            return;
    if (names->size < QN_MEND_PACKS_MAX * sizeof(*pack))
        qn_buf_append_span(names, qn_digest_view(pack));
    qn_vec_each (&core->backup->wants, other)
        if (want_is_same(other, &want))
            return;
    qn_vec_push(&core->backup->wants, want); /* also while one runs: it has other names */
    core_wake(core, core->now_ms);
}

bool backup_is_mending(const struct qn_core *core)
{
    const struct running *running = &core->backup->running;
    return core->backup->mend.size > 0 ||
           (running->token != 0 && running->what.kind == QN_JOB_MEND);
}

static void pack_mend(struct qn_core *core, struct qn_buf *out)
{
    qn_pack_map(out, 1);
    qn_pack_cstr(out, "packs");
    qn_pack_bin(out, qn_buf_view(&core->backup->mend));
    qn_buf_reset(&core->backup->mend);
}

/* The arguments of a job; false if its plan is gone meanwhile. */
static bool pack_args(struct qn_core *core, const struct want *want, struct qn_buf *out)
{
    const struct plan *plan = backup_plan(core, qn_span_str(want->plan));
    switch (want->kind) {
    case QN_JOB_BACKUP:
        if (plan != NULL)
            pack_backup(core, plan, out);
        return plan != NULL;
    case QN_JOB_PRUNE:
        pack_prune(core, want, out);
        return true;
    case QN_JOB_VERIFY:
        pack_verify(want, out);
        return true;
    case QN_JOB_DRILL:
        if (plan != NULL)
            pack_drill(core, want, out);
        return plan != NULL;
    case QN_JOB_CATALOG:
        qn_pack_map(out, 0);
        return true;
    case QN_JOB_REBUILD:
        pack_rebuild(want, out);
        return true;
    case QN_JOB_RECALL:
        recover_pack_recall(core, out);
        return true;
    case QN_JOB_MEND:
        pack_mend(core, out);
        return true;
    }
    return false;
}

struct pending *backup_book(struct qn_core *core, enum qn_intent_kind kind,
                            struct qn_buf *take_payload)
{
    book_touch(core);
    return core_commit(core, kind, take_payload, PENDING_BOOK);
}

static void note_start(struct qn_core *core, const char *name)
{
    struct plan *plan = backup_plan(core, qn_span_str(name));
    struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 2);
    qn_pack_str(&payload, plan->row.name);
    qn_pack_u64(&payload, core->wall_ms);
    backup_book(core, QN_INTENT_PLAN_STARTED, &payload);
    plan->runs.start_ms = core->wall_ms;
    plan_reckon(core, plan);
}

void backup_next_job(struct qn_core *core)
{
    if (core_is_keyless(core)) /* the vault cannot be opened yet */
        return;
    struct backup *backup = core->backup;
    struct running *running = &backup->running;
    while (running->token == 0 && backup->wants.count > 0) {
        struct want want = backup->wants.items[0];
        struct qn_buf args;
        qn_vec_remove(&backup->wants, 0);
        qn_buf_init(&args, 4 * QN_PLAN_SIZE_MAX + 65536 * 40);
        qn_buf_reset(&running->names);
        qn_buf_reset(&running->snaps);
        if (!pack_args(core, &want, &args)) {
            waiters_refuse(core, &want);
            qn_buf_deinit(&args);
            continue;
        }
        running->token = core_job(core, want.kind, &args);
        running->what = want;
        running->started_ms = core->now_ms;
        running->had_book_error = false;
        running->first_count = 0;
        qn_buf_reset(&running->first);
        qn_buf_reset(&running->progress);
        waiters_started(core, &want, running->token);
        if (want.kind == QN_JOB_BACKUP)
            note_start(core, want.plan);
    }
}
