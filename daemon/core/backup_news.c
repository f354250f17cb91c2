/* What a job of the vault tells, into the book; its end, and what became of that in the store. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/args.h"
#include "core/offsite.h"
#include "core/recover.h"

#define RETRY_MS (3600ull * 1000) /* a run that failed is tried again, before its turn */

/* ---- packs and snapshots ---- */

static void flush_packs(struct qn_core *core)
{
    struct running *running = &core->backup->running;
    size_t count = running->packs.size / PACK_ROW_SIZE;
    if (count == 0)
        return;
    struct qn_buf payload;
    qn_buf_init(&payload, running->packs.size * 2 + 64);
    qn_pack_array(&payload, count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *row = running->packs.data + i * PACK_ROW_SIZE;
        qn_pack_array(&payload, 3);
        qn_pack_bin(&payload, qn_span(row, sizeof(struct qn_digest)));
        qn_pack_u64(&payload, qn_read_u32(row + sizeof(struct qn_digest)));
        qn_pack_u64(&payload, row[PACK_ROW_SIZE - 1]);
    }
    backup_book(core, QN_INTENT_OWN_PACKS, &payload);
    qn_buf_reset(&running->packs);
    running->packs_ms = core->now_ms + PACKS_EVERY_MS;
}

static bool has_copies(const struct qn_core *core)
{
    qn_vec_each (&core->backup->plans, plan)
        if ((*plan)->row.copies.count > 0)
            return true;
    return false;
}

/* Nobody else waits for them: without copies they come with the others. */
void backup_tell_packs(struct qn_core *core)
{
    const struct running *running = &core->backup->running;
    if (running->packs.size == 0 || !has_copies(core))
        return;
    if (core->now_ms >= running->packs_ms)
        flush_packs(core);
    else
        core_wake(core, running->packs_ms);
}

static void heard_packs(struct qn_core *core, struct qn_span payload)
{
    struct running *running = &core->backup->running;
    struct qn_cursor cursor = qn_cursor(args_value(payload, "packs"));
    struct qn_span rows;
    if (qn_cursor_bin(&cursor, SIZE_MAX, &rows) != QN_OK || rows.size % PACK_ROW_SIZE != 0) {
        running->had_book_error = true;
        return;
    }
    for (size_t at = 0; at < rows.size; at += PACK_ROW_SIZE) {
        qn_buf_append(&running->packs, rows.data + at, PACK_ROW_SIZE);
        if (running->what.kind == QN_JOB_CATALOG)
            qn_buf_append(&running->names, rows.data + at, sizeof(struct qn_digest));
        if (running->packs.size >= PACKS_BATCH * PACK_ROW_SIZE)
            flush_packs(core);
    }
}

struct snapshot_news {
    struct qn_span name, live, plan;
    uint64_t time_ms, files, bytes, bytes_stored;
    bool is_partial;
};

static bool read_snapshot(struct qn_span payload, struct snapshot_news *news)
{
    struct qn_cursor name = qn_cursor(args_value(payload, "name")),
                     live = qn_cursor(args_value(payload, "live")),
                     partial = qn_cursor(args_value(payload, "partial"));
    return qn_cursor_bin(&name, sizeof(struct qn_digest), &news->name) == QN_OK &&
           news->name.size == sizeof(struct qn_digest) &&
           qn_cursor_bin(&live, SIZE_MAX, &news->live) == QN_OK &&
           news->live.size % sizeof(struct qn_digest) == 0 &&
           qn_cursor_bool(&partial, &news->is_partial) == QN_OK &&
           args_text(payload, "plan", QN_NAME_SIZE_MAX, &news->plan) &&
           args_u64(payload, "time", &news->time_ms) && args_u64(payload, "files", &news->files) &&
           args_u64(payload, "bytes", &news->bytes) &&
           args_u64(payload, "bytes_stored", &news->bytes_stored);
}

static void heard_snapshot(struct qn_core *core, struct qn_span payload)
{
    struct snapshot_news news;
    struct qn_digest names;
    struct qn_buf intent;
    if (!read_snapshot(payload, &news)) {
        core->backup->running.had_book_error = true;
        return;
    }
    flush_packs(core);
    if (core->backup->running.what.kind == QN_JOB_CATALOG)
        qn_buf_append_span(&core->backup->running.snaps, news.name);
    QN_DIGEST(&names, news.live);
    qn_buf_init(&intent, 1024);
    qn_pack_array(&intent, 10);
    qn_pack_bin(&intent, news.name);
    qn_pack_str(&intent, news.plan);
    qn_pack_u64(&intent, news.time_ms);
    qn_pack_u64(&intent, core->wall_ms);
    qn_pack_bool(&intent, news.is_partial);
    qn_pack_u64(&intent, news.files);
    qn_pack_u64(&intent, news.bytes);
    qn_pack_u64(&intent, news.bytes_stored);
    qn_pack_bin(&intent, qn_digest_view(&names));
    qn_pack_u64(&intent, news.live.size / sizeof(struct qn_digest));
    backup_book(core, QN_INTENT_OWN_SNAP, &intent);
}

/* ---- the end of a job ---- */

/* The book may not say what the vault has: it is brought up to it then. */
static void catalog_at(struct qn_core *core, uint64_t at_ms)
{
    if (at_ms < core->backup->catalog_ms)
        core->backup->catalog_ms = at_ms;
}

static struct pending *snap_gone(struct qn_core *core, struct qn_span name)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 64);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, name);
    return backup_book(core, QN_INTENT_OWN_SNAP_GONE, &payload);
}

/* The snapshots that a prune was told to forget are gone; *ret_last is the last of the commits. */
static void forgotten(struct qn_core *core, struct pending *ret_last)
{
    const struct qn_buf *names = &core->backup->running.names;
    for (size_t at = 0; at < names->size; at += sizeof(struct qn_digest))
        *ret_last = *snap_gone(core, qn_span(names->data + at, sizeof(struct qn_digest)));
}

static int by_name(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_digest));
}

static void sort_names(struct qn_buf *names)
{
    if (names->size > 0)
        qsort(names->data, names->size / sizeof(struct qn_digest), sizeof(struct qn_digest),
              by_name);
}

/* All that the vault has was told: snapshots of the book beyond it go, and packs are asked for. */
static void catalog_ended(struct qn_core *core)
{
    struct running *running = &core->backup->running;
    sort_names(&running->names);
    sort_names(&running->snaps);
    qn_vec_each (&core->backup->book.snaps, snap)
        if (!names_have(qn_buf_view(&running->snaps), &snap->snap.name))
            snap_gone(core, qn_digest_view(&snap->snap.name));
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = QN_READ_STALE;
    read->names = running->names;
    qn_buf_init(&running->names, read->names.size_max);
    core->backup->stale_token = core_read_later(core, read, PENDING_BOOK)->token;
}

static uint64_t count_of(struct qn_span payload, const char *key)
{
    uint64_t value = 0;
    return args_u64(payload, key, &value) ? value : 0;
}

static void backup_ended(struct qn_core *core, struct plan *plan, enum qn_err err,
                         struct qn_span payload, struct pending *for_reply)
{
    struct qn_buf intent;
    uint64_t failed = count_of(payload, "errors");
    struct qn_span first = qn_buf_view(&core->backup->running.first);
    qn_buf_init(&intent, 512);
    qn_pack_array(&intent, 5);
    qn_pack_str(&intent, plan->row.name);
    qn_pack_u64(&intent, core->wall_ms);
    qn_pack_u64(&intent, err);
    qn_pack_u64(&intent, failed);
    qn_pack_str(&intent, first);
    plan->runs.attempt_ms = core->wall_ms;
    plan->runs.attempt_err = err;
    plan->runs.attempt_files_failed = failed;
    memset(plan->runs.attempt_first, 0, sizeof(plan->runs.attempt_first));
    if (first.size > 0)
        memcpy(plan->runs.attempt_first, first.data, first.size);
    if (err == QN_OK)
        plan->runs.success_ms = core->wall_ms;
    plan_reckon(core, plan);
    if (err != QN_OK && plan->due_ms != UINT64_MAX && plan->due_ms > core->wall_ms + RETRY_MS)
        plan->due_ms = core->wall_ms + RETRY_MS;
    struct pending *pending = backup_book(core, QN_INTENT_PLAN_ENDED, &intent);
    *for_reply = *pending;
}

static void drill_ended(struct qn_core *core, struct plan *plan, enum qn_err err,
                        struct qn_span payload)
{
    struct qn_buf intent;
    struct qn_digest snapshot = {0}; /* none was there to be tried */
    struct qn_cursor tried = qn_cursor(args_value(payload, "snapshot"));
    if (qn_cursor_bytes(&tried, snapshot.bytes, sizeof(snapshot.bytes)) != QN_OK)
        memset(&snapshot, 0, sizeof(snapshot));
    qn_buf_init(&intent, 512);
    qn_pack_array(&intent, 6);
    qn_pack_str(&intent, plan->row.name);
    qn_pack_u64(&intent, core->wall_ms);
    qn_pack_u64(&intent, err);
    qn_pack_u64(&intent, count_of(payload, "files"));
    qn_pack_u64(&intent, count_of(payload, "bytes"));
    qn_pack_bin(&intent, qn_digest_view(&snapshot));
    plan->runs.drill_ms = core->wall_ms;
    plan->runs.drill_err = err;
    plan->runs.drill_files = count_of(payload, "files");
    plan->runs.drill_bytes = count_of(payload, "bytes");
    backup_book(core, QN_INTENT_PLAN_DRILLED, &intent);
}

/* What came of the copies: a note, and an alert for what none of them had. */
static void repairs_ended(struct qn_core *core, enum qn_err err, struct qn_span payload)
{
    char text[32];
    uint64_t repaired = count_of(payload, "repaired");
    if (repaired > 0) {
        snprintf(text, sizeof(text), "%" PRIu64, repaired);
        core_note(core, "vault-repaired", QN_OK, text);
    }
    if (core->backup->running.what.kind == QN_JOB_VERIFY && err == QN_OK)
        core->backup->bad_count = count_of(payload, "bad_packs") + count_of(payload, "bad_chunks") +
                                  count_of(payload, "missing_chunks");
}

/* Whether keep rules or partial snapshots let something go. */
static void prune_after(struct qn_core *core, struct plan *plan)
{
    struct want want = {.kind = QN_JOB_PRUNE};
    memcpy(want.plan, plan->name, sizeof(want.plan));
    QN_AUTO_BUF struct qn_buf names;
    qn_buf_init(&names, 65536 * sizeof(struct qn_digest));
    backup_choose(core, plan, &names);
    if (names.size > 0)
        backup_want(core, &want);
}

/* Whether it told everything: what is missing in half a catalog is not gone. */
static bool is_whole_catalog(const struct running *running, enum qn_err err)
{
    return err == QN_OK && !running->had_book_error && qn_buf_status(&running->names) == QN_OK &&
           qn_buf_status(&running->snaps) == QN_OK;
}

/* The answer waits for the commit of what was told last: everything before it was queued before. */
static void job_ended(struct qn_core *core, enum qn_err err, struct qn_span payload)
{
    struct running *running = &core->backup->running;
    struct plan *plan = backup_plan(core, qn_span_str(running->what.plan));
    struct pending last = {0};
    uint64_t token = running->token;
    flush_packs(core);
    if (running->what.kind == QN_JOB_BACKUP && plan != NULL)
        backup_ended(core, plan, err, payload, &last);
    else if (running->what.kind == QN_JOB_DRILL && plan != NULL && err != QN_ERR_CLOSED)
        drill_ended(core, plan, err, payload);
    else if (running->what.kind == QN_JOB_PRUNE && err == QN_OK)
        forgotten(core, &last);
    else if (running->what.kind == QN_JOB_CATALOG && is_whole_catalog(running, err))
        catalog_ended(core);
    else if (running->what.kind == QN_JOB_CATALOG)
        running->had_book_error = true; /* try again */
    repairs_ended(core, err, payload);
    if (running->what.kind == QN_JOB_MEND)
        offsite_mended(core, count_of(payload, "repaired") + count_of(payload, "whole") > 0);
    if (err != QN_OK && err != QN_ERR_CLOSED)
        core_note(core, "job-failed", err, running->what.plan);
    if (running->what.kind == QN_JOB_PRUNE || running->what.kind == QN_JOB_REBUILD)
        catalog_at(core, core->now_ms);
    else if (running->had_book_error)
        catalog_at(core, core->now_ms + CATALOG_RETRY_MS);
    running->token = 0;
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, payload.size);
    qn_buf_append_span(&data, payload);
    struct qn_digest snapshot = {0};
    struct qn_cursor name = qn_cursor(args_value(payload, "name"));
    bool has_snapshot = qn_cursor_bytes(&name, snapshot.bytes, sizeof(snapshot.bytes)) == QN_OK;
    waiters_done(core, token, err, &data, has_snapshot ? &snapshot : NULL, last.token);
    struct want done = running->what;
    recover_job_ended(core, &done, err, payload);
    backup_next_job(core);
}

void backup_news(struct qn_core *core, const struct qn_job_event *event)
{
    struct running *running = &core->backup->running;
    if (event->token != running->token || running->token == 0)
        return;
    switch (event->news) {
    case QN_JOB_PROGRESS:
        qn_buf_reset(&running->progress);
        qn_buf_append_span(&running->progress, event->payload);
        waiters_progress(core, &running->progress);
        break;
    case QN_JOB_PACKS:
        heard_packs(core, event->payload);
        break;
    case QN_JOB_SNAPSHOT:
        heard_snapshot(core, event->payload);
        break;
    case QN_JOB_PLAN:
        recover_heard_plan(core, event->payload);
        break;
    case QN_JOB_OPS:
        recover_heard_ops(core, event->payload);
        break;
    case QN_JOB_PAGE:
        recover_heard_page(core, event->payload);
        break;
    case QN_JOB_PROBLEM:
        problem_note(core, event->payload);
        waiters_problem(core, event->payload);
        break;
    case QN_JOB_DONE:
        job_ended(core, event->err, event->payload);
        break;
    }
}

/* ---- what became of it in the store ---- */

static void packs_gone(struct qn_core *core, struct qn_span names)
{
    if (names.size == 0)
        return;
    struct qn_buf payload;
    qn_buf_init(&payload, names.size + 64);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, names);
    backup_book(core, QN_INTENT_OWN_PACK_GONE, &payload);
}

void backup_read_done(struct qn_core *core, struct qn_read_result *result)
{
    if (result->token == core->backup->book_token) {
        book_read_done(core, result);
        if (core->backup->is_prune_due)
            qn_vec_each (&core->backup->plans, plan)
                prune_after(core, *plan);
        core->backup->is_prune_due = false;
    } else if (result->token == core->backup->stale_token) {
        if (result->err == QN_OK)
            packs_gone(core, qn_buf_view(&result->body));
        else
            catalog_at(core, core->now_ms + CATALOG_RETRY_MS);
    }
}

static const char *book_word(enum qn_intent_kind kind)
{
    switch (kind) {
    case QN_INTENT_OWN_PACKS:
        return "packs";
    case QN_INTENT_OWN_PACK_GONE:
        return "packs that are gone";
    case QN_INTENT_OWN_SNAP:
    case QN_INTENT_OWN_SNAP_GONE:
        return "snapshots";
    default:
        return "runs";
    }
}

void backup_outcome(struct qn_core *core, const struct pending *pending,
                    const struct qn_outcome *outcome)
{
    book_touch(core);
    offsite_touch(core);
    if (outcome->err != QN_OK) {
        core_note(core, "book-failed", outcome->err, book_word(outcome->kind));
        if (core->backup->running.token != 0)
            core->backup->running.had_book_error = true;
        else
            catalog_at(core, core->now_ms + CATALOG_RETRY_MS);
    }
    if (outcome->kind == QN_INTENT_PLAN_ENDED || outcome->kind == QN_INTENT_OWN_SNAP_GONE)
        core->backup->book_ms = core->now_ms; /* somebody may wait to see it */
    if (outcome->kind == QN_INTENT_PLAN_ENDED)
        core->backup->is_prune_due = true;
    waiters_committed(core, pending->token, outcome->err);
}
