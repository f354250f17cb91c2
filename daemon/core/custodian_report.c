/* A holder says in the ledger what became of what it holds, when the agreement is over: how much
 * lies there and until when, and once more when nothing is left (docs/ledger.md, "Reports"; ADR
 * 0041). */
#include <stdio.h>

#include "base/assert.h"
#include "core/call.h"
#include "core/hold_impl.h"

#define ITEMS    9
#define AGAIN_MS 1000 /* to the next owner: the ledger has moved by then */

static const struct qn_site_id everybody = {{0}};

/* ---- reading what is held ---- */

static enum qn_err put_report(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_held *held, struct qn_buf *out)
{
    struct qn_held_end end;
    QN_TRY(qn_held_end(kv, owner, &end));
    qn_pack_array(out, ITEMS);
    qn_pack_bin(out, QN_SPAN_OF(owner->bytes));
    qn_pack_u64(out, held->pack_count);
    qn_pack_u64(out, held->bad_count);
    qn_pack_u64(out, held->list_count);
    qn_pack_u64(out, held->used_bytes);
    qn_pack_u64(out, end.locked_until_ms);
    qn_pack_u64(out, end.condemned_packs);
    qn_pack_u64(out, end.destroyed_packs);
    qn_pack_u64(out, end.destroyed_bytes);
    return QN_OK;
}

static enum qn_err put_all(struct qn_kv *kv, struct qn_buf *out)
{
    struct qn_site_id owner, after;
    struct qn_held held;
    enum qn_err err = qn_held_next(kv, NULL, &owner, &held);
    for (size_t count = 0; err == QN_OK && count < QN_SITES_MAX; count++) {
        QN_TRY(put_report(kv, &owner, &held, out));
        after = owner;
        err = qn_held_next(kv, &after, &owner, &held);
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err custodian_read_reports(struct qn_kv *kv, const struct qn_site_id *owner,
                                   struct qn_buf *out)
{
    struct qn_held held;
    uint64_t now_ms;
    QN_TRY(qn_lock_now(kv, &now_ms));
    qn_pack_u64(out, now_ms);
    if (qn_site_id_eq(owner, &everybody))
        return put_all(kv, out);
    QN_TRY(qn_held_get(kv, owner, &held));
    return put_report(kv, owner, &held, out);
}

static struct pending *ask(struct qn_core *core, const struct qn_site_id *owner,
                           enum custodian_what what)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = QN_READ_HELD;
    hold_read_args(HOLD_READ_REPORTS, owner, 2, &read->names);
    return custodian_mark(core_read_later(core, read, PENDING_CUSTODY), owner, what);
}

/* ---- what there is to say ---- */

/* Locks are shown by this site's wall clock, which may be off; they end by lock time. */
static uint64_t to_wall(const struct qn_core *core, uint64_t until_ms, uint64_t lock_ms)
{
    uint64_t shown_ms;
    if (until_ms <= lock_ms)
        return 0;
    return __builtin_add_overflow(core->wall_ms, until_ms - lock_ms, &shown_ms) ? UINT64_MAX
                                                                                : shown_ms;
}

struct found {
    struct qn_body_report report;
    uint64_t condemned_packs;
};

static enum qn_err take_found(const struct qn_core *core, struct qn_cursor *cursor,
                              uint64_t lock_ms, struct found *found)
{
    struct qn_body_report *report = &found->report;
    uint64_t until_ms;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, ITEMS, &count));
    QN_TRY(qn_cursor_bytes(cursor, report->owner.bytes, sizeof(report->owner.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &report->packs));
    QN_TRY(qn_cursor_u64(cursor, &report->bad_packs));
    QN_TRY(qn_cursor_u64(cursor, &report->snapshots));
    QN_TRY(qn_cursor_u64(cursor, &report->bytes));
    QN_TRY(qn_cursor_u64(cursor, &until_ms));
    QN_TRY(qn_cursor_u64(cursor, &found->condemned_packs));
    QN_TRY(qn_cursor_u64(cursor, &report->destroyed_packs));
    QN_TRY(qn_cursor_u64(cursor, &report->destroyed_bytes));
    report->locked_until_ms = to_wall(core, until_ms, lock_ms);
    return QN_OK;
}

static bool has_anything(const struct qn_body_report *report)
{
    return report->packs > 0 || report->snapshots > 0;
}

/* Once when an agreement is over, if anything is here, and once when it is gone. */
static bool is_news(const struct qn_core *core, const struct qn_site_id *owner, bool has_it)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_place *place = qn_group_place(group, owner, &core->site);
    if (place == NULL || place->state != QN_PLACE_ENDED)
        return false;
    const struct qn_report *last = qn_group_report(group, &core->site, owner);
    if (last == NULL || !qn_digest_eq(&last->said.place, &place->proposal))
        return has_it;
    return !has_it && has_anything(&last->said);
}

static void pack_report(const struct qn_core *core, struct qn_body_report *report,
                        struct qn_buf *out)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_place *place = qn_group_place(group, &report->owner, &core->site);
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    if (place != NULL)
        report->place = place->proposal;
    qn_body_report_pack(&group->id, report, &body);
    qn_pack_bin(out, qn_buf_view(&body));
}

/* Packs those that are to be said, each a binary. While files are being removed it is too early. */
static enum qn_err pack_reports(const struct qn_core *core, struct qn_span read, bool is_leaving,
                                struct qn_buf *out, size_t *ret_count)
{
    struct qn_cursor cursor = qn_cursor(read);
    uint64_t lock_ms;
    *ret_count = 0;
    QN_TRY(qn_cursor_u64(&cursor, &lock_ms));
    while (!qn_cursor_is_end(&cursor)) {
        struct found found = {0};
        QN_TRY(take_found(core, &cursor, lock_ms, &found));
        bool has_it = has_anything(&found.report);
        bool is_wanted = is_leaving ? has_it : is_news(core, &found.report.owner, has_it);
        if (!is_wanted || (!has_it && found.condemned_packs > 0))
            continue;
        pack_report(core, &found.report, out);
        ++*ret_count;
    }
    return qn_buf_status(out);
}

/* ---- saying it by itself ---- */

/* Also a site that left: it goes on in its own chain. */
static bool may_report(const struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *self = group == NULL ? NULL : qn_group_site(group, &core->site);
    return self != NULL && !core->joining.is_active && core_may_append(core) &&
           qn_public_key_eq(&self->keys.site, &core->options.keys.site);
}

void custodian_report_tick(struct qn_core *core)
{
    struct custodian *custodian = core->custodian;
    if (custodian->is_reporting || !may_report(core))
        return;
    qn_vec_each (&custodian->owners, owner) {
        if (!is_news(core, &owner->site, owner->has_anything))
            continue;
        if (core->now_ms < custodian->report_ms) {
            core_wake(core, custodian->report_ms);
            return;
        }
        custodian->is_reporting = true;
        ask(core, &owner->site, CUSTODIAN_REPORT);
        return;
    }
}

void custodian_ledger_changed(struct qn_core *core)
{
    custodian_report_tick(core);
}

static void ended(struct qn_core *core, uint64_t again_ms)
{
    core->custodian->is_reporting = false;
    core->custodian->report_ms = core->now_ms + again_ms;
}

static void say(struct qn_core *core, const struct qn_buf *reports, size_t count)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, count);
    qn_pack_raw(&payload, qn_buf_view(reports));
    custodian_mark(core_commit(core, QN_INTENT_LEDGER_APPEND, &payload, PENDING_CUSTODY), NULL,
                   CUSTODIAN_REPORTED);
}

void custodian_reported(struct qn_core *core, enum qn_err err)
{
    if (err != QN_OK)
        core_note(core, "commit-failed", err, "report");
    ended(core, err == QN_OK ? AGAIN_MS : CUSTODIAN_MS);
    core_wake(core, core->custodian->report_ms);
}

/* ---- saying it as the last word of a member ---- */

bool custodian_holds_anything(const struct qn_core *core)
{
    qn_vec_each (&core->custodian->owners, owner)
        if (owner->has_anything)
            return true;
    return false;
}

void custodian_leave(struct qn_core *core, uint64_t request, struct qn_span name,
                     struct qn_buf *take_bodies)
{
    struct pending *pending = ask(core, &everybody, CUSTODIAN_LEAVE);
    pending->request = request;
    snprintf(pending->object, sizeof(pending->object), "%.*s", (int)name.size,
             (const char *)name.data);
    pending->data = *take_bodies;
    *take_bodies = (struct qn_buf){0};
}

void custodian_request_gone(struct qn_core *core, uint64_t request)
{
    qn_vec_each (&core->pending, pending)
        if (pending->kind == PENDING_CUSTODY && pending->seq == CUSTODIAN_LEAVE &&
            pending->request == request)
            pending->level = 1;
}

static void leave(struct qn_core *core, const struct pending *pending, const struct qn_buf *reports,
                  size_t count)
{
    struct qn_buf payload;
    struct qn_cursor bodies = qn_cursor(qn_buf_view(&pending->data));
    size_t body_count;
    bool has_gone = pending->level == 1;
    QN_ASSERT(qn_cursor_array(&bodies, SIZE_MAX, &body_count) == QN_OK); /* as it was packed */
    qn_buf_init(&payload, reports->size + pending->data.size + 16);
    qn_pack_array(&payload, count + body_count);
    qn_pack_raw(&payload, qn_buf_view(reports));
    qn_pack_raw(&payload, qn_span(pending->data.data + bodies.at, pending->data.size - bodies.at));
    struct pending *commit = core_commit(core, QN_INTENT_LEDGER_APPEND, &payload,
                                         has_gone ? PENDING_QUIET : PENDING_REPLY);
    commit->request = pending->request;
    snprintf(commit->object, sizeof(commit->object), "%s", pending->object);
}

/* ---- events ---- */

void custodian_report_read(struct qn_core *core, const struct pending *pending,
                           const struct qn_read_result *result)
{
    bool is_leaving = pending->seq == CUSTODIAN_LEAVE;
    QN_AUTO_BUF struct qn_buf reports;
    size_t count = 0;
    qn_buf_init(&reports, QN_FRAME_SIZE_MAX / 2);
    enum qn_err err = result->err;
    if (err == QN_OK)
        err = pack_reports(core, qn_buf_view(&result->body), is_leaving, &reports, &count);
    if (err != QN_OK)
        core_note(core, "read-failed", err, "report");
    if (err == QN_OK && is_leaving)
        leave(core, pending, &reports, count);
    else if (is_leaving && pending->level == 0)
        core_reply_error(core, pending->request, err, "store-failed", pending->object);
    else if (!is_leaving && err == QN_OK && count > 0)
        say(core, &reports, count);
    else if (!is_leaving)
        ended(core, CUSTODIAN_MS);
}
