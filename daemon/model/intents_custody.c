/* The intents of a holder (custody.h). Their forms stand in applier.h. */
#include "model/custody.h"
#include "model/intents.h"
#include "proto/pack.h"

#define NAMES_SIZE_MAX (QN_HELD_LIST_BATCH_NAMES * QN_DIGEST_SIZE)
#define ANSWER_MAX     (NAMES_SIZE_MAX + 4096)

struct run {
    struct qn_applier *applier;
    struct qn_cursor *cursor;
    struct qn_site_id owner;
    struct qn_buf answer; /* given to the outcome if anything is in it */
};

/* What holds between the two is what the ledger says now. */
static enum qn_err take_terms(struct run *run)
{
    const struct qn_group *group = qn_ledger_group(run->applier->ledger);
    if (group == NULL)
        return QN_ERR_DENIED;
    const struct qn_place *place = qn_group_place(group, &run->owner, &run->applier->site);
    struct qn_custody_terms terms = {.is_ended = true};
    if (place != NULL && place->state == QN_PLACE_ACCEPTED)
        terms = (struct qn_custody_terms){.quota_bytes = place->quota_bytes,
                                          .lock_days = place->lock_days};
    return qn_custody_agree(run->applier->kv, &run->owner, &terms);
}

/* An array of so many items that begins with the owner. */
static enum qn_err begin(struct run *run, size_t count)
{
    QN_TRY(qn_intent_array(run->cursor, count));
    QN_TRY(qn_cursor_bytes(run->cursor, run->owner.bytes, sizeof(run->owner.bytes)));
    return take_terms(run);
}

static enum qn_err run_lock_clock(struct run *run)
{
    struct qn_clock_reading reading;
    QN_TRY(qn_intent_array(run->cursor, 5));
    QN_TRY(qn_intent_digest(run->cursor, &reading.boot));
    QN_TRY(qn_cursor_u64(run->cursor, &reading.boot_ms));
    QN_TRY(qn_cursor_u64(run->cursor, &reading.wall_ms));
    QN_TRY(qn_cursor_u64(run->cursor, &reading.witness_ms));
    QN_TRY(qn_cursor_u64(run->cursor, &reading.witness_count));
    return qn_lock_clock_tick(run->applier->kv, &reading);
}

/* ---- packs ---- */

static enum qn_err read_lease(struct run *run, struct qn_lease_id *ret_lease, bool *ret_is_there)
{
    *ret_is_there = qn_cursor_peek(run->cursor) != QN_ITEM_NIL;
    if (!*ret_is_there)
        return qn_cursor_nil(run->cursor);
    return qn_cursor_bytes(run->cursor, ret_lease->bytes, sizeof(ret_lease->bytes));
}

static enum qn_err offer_one(struct run *run, struct qn_custody_offer *offer)
{
    struct qn_digest pack;
    uint64_t size;
    enum qn_offer answer;
    QN_TRY(qn_intent_digest(run->cursor, &pack));
    QN_TRY(qn_cursor_u64(run->cursor, &size));
    QN_TRY(qn_custody_offer(run->applier->kv, &run->owner, offer, &pack, size, &answer));
    qn_pack_u64(&run->answer, answer);
    return QN_OK;
}

static enum qn_err run_offer(struct run *run)
{
    struct qn_custody_offer offer = {0};
    struct qn_lease_id lease;
    bool has_lease;
    size_t count;
    QN_TRY(begin(run, 4));
    QN_TRY(read_lease(run, &lease, &has_lease));
    offer.lease = has_lease ? &lease : NULL;
    QN_TRY(qn_cursor_u64(run->cursor, &offer.room_bytes));
    QN_TRY(qn_cursor_array(run->cursor, 2 * QN_HELD_LIST_BATCH_NAMES, &count));
    if (count % 2 != 0)
        return QN_ERR_INVALID;
    qn_pack_array(&run->answer, count / 2);
    for (size_t i = 0; i < count; i += 2)
        QN_TRY(offer_one(run, &offer));
    return QN_OK;
}

static enum qn_err run_stored(struct run *run)
{
    struct qn_digest pack;
    uint64_t size;
    QN_TRY(begin(run, 3));
    QN_TRY(qn_intent_digest(run->cursor, &pack));
    QN_TRY(qn_cursor_u64(run->cursor, &size));
    return qn_custody_stored(run->applier->kv, &run->owner, &pack, size);
}

/* ---- lists ---- */

static enum qn_err run_list(struct run *run)
{
    struct qn_list_head head;
    struct qn_span sealed;
    uint32_t have;
    QN_TRY(begin(run, 5));
    QN_TRY(qn_intent_digest(run->cursor, &head.snapshot));
    QN_TRY(qn_intent_digest(run->cursor, &head.names));
    QN_TRY(qn_intent_u32(run->cursor, &head.name_count));
    QN_TRY(qn_cursor_bin(run->cursor, QN_HELD_SEALED_SIZE_MAX, &sealed));
    QN_TRY(qn_custody_list_begin(run->applier->kv, &run->owner, &head, sealed, &have));
    qn_pack_array(&run->answer, 1);
    qn_pack_u64(&run->answer, have);
    return QN_OK;
}

static enum qn_err run_names(struct run *run)
{
    struct qn_digest list;
    struct qn_span names;
    uint32_t at;
    QN_TRY(begin(run, 4));
    QN_TRY(qn_intent_digest(run->cursor, &list));
    QN_TRY(qn_intent_u32(run->cursor, &at));
    QN_TRY(qn_cursor_bin(run->cursor, NAMES_SIZE_MAX, &names));
    return qn_custody_list_names(run->applier->kv, &run->owner, &list, at, names);
}

/* As a duration: lock time is nobody's clock. */
static enum qn_err answer_lock(struct run *run, const struct qn_digest *id)
{
    struct qn_held_list list;
    uint64_t now_ms;
    QN_TRY(qn_held_list_get(run->applier->kv, &run->owner, id, &list));
    QN_TRY(qn_lock_now(run->applier->kv, &now_ms));
    qn_pack_array(&run->answer, 1);
    qn_pack_u64(&run->answer, list.locked_until_ms > now_ms ? list.locked_until_ms - now_ms : 0);
    return QN_OK;
}

static enum qn_err run_finish(struct run *run)
{
    struct qn_digest list;
    uint64_t missing_max;
    QN_TRY(begin(run, 3));
    QN_TRY(qn_intent_digest(run->cursor, &list));
    QN_TRY(qn_cursor_u64(run->cursor, &missing_max));
    if (missing_max > QN_HELD_LIST_BATCH_NAMES)
        return QN_ERR_INVALID;
    QN_AUTO_BUF struct qn_buf missing;
    qn_buf_init(&missing, NAMES_SIZE_MAX);
    enum qn_err err = qn_custody_list_finish(run->applier->kv, &run->owner, &list,
                                             run->applier->wall_ms, missing_max, &missing);
    if (err == QN_OK)
        return answer_lock(run, &list);
    if (err != QN_ERR_HELD)
        return err;
    qn_pack_array(&run->answer, 1);
    qn_pack_bin(&run->answer, qn_buf_view(&missing));
    return err;
}

static enum qn_err run_forget(struct run *run)
{
    struct qn_span lists;
    QN_TRY(begin(run, 2));
    QN_TRY(qn_cursor_bin(run->cursor, NAMES_SIZE_MAX, &lists));
    if (lists.size % QN_DIGEST_SIZE != 0)
        return QN_ERR_INVALID;
    for (size_t at = 0; at < lists.size; at += QN_DIGEST_SIZE)
        QN_TRY(qn_custody_list_forget(run->applier->kv, &run->owner,
                                      (const struct qn_digest *)(lists.data + at)));
    return QN_OK;
}

static enum qn_err run_lease(struct run *run)
{
    struct qn_lease_id lease;
    bool is_end;
    QN_TRY(begin(run, 3));
    QN_TRY(qn_cursor_bytes(run->cursor, lease.bytes, sizeof(lease.bytes)));
    QN_TRY(qn_cursor_bool(run->cursor, &is_end));
    if (is_end)
        return qn_custody_lease_end(run->applier->kv, &run->owner, &lease);
    return qn_custody_lease(run->applier->kv, &run->owner, &lease);
}

/* ---- letting go, scrubbing, alarms ---- */

static enum qn_err run_sweep(struct run *run)
{
    struct qn_custody_sweep sweep = {0};
    uint64_t count_max;
    QN_TRY(begin(run, 3));
    QN_TRY(qn_intent_digest(run->cursor, &sweep.after));
    QN_TRY(qn_cursor_u64(run->cursor, &count_max));
    QN_AUTO_BUF struct qn_buf unlink;
    qn_buf_init(&unlink, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE);
    QN_TRY(qn_custody_sweep(run->applier->kv, &run->owner, count_max, &sweep, &unlink));
    qn_pack_array(&run->answer, 3);
    qn_pack_bin(&run->answer, qn_buf_view(&unlink));
    qn_pack_bin(&run->answer, qn_digest_view(&sweep.after));
    qn_pack_bool(&run->answer, sweep.is_end);
    return QN_OK;
}

static enum qn_err run_unlinked(struct run *run)
{
    struct qn_span names;
    QN_TRY(begin(run, 2));
    QN_TRY(qn_cursor_bin(run->cursor, NAMES_SIZE_MAX, &names));
    return qn_custody_unlinked(run->applier->kv, &run->owner, names);
}

static enum qn_err run_strays(struct run *run)
{
    struct qn_span names;
    QN_TRY(begin(run, 2));
    QN_TRY(qn_cursor_bin(run->cursor, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE, &names));
    QN_AUTO_BUF struct qn_buf strays;
    qn_buf_init(&strays, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE);
    QN_TRY(qn_custody_strays(run->applier->kv, &run->owner, names, &strays));
    qn_pack_array(&run->answer, 1);
    qn_pack_bin(&run->answer, qn_buf_view(&strays));
    return QN_OK;
}

static enum qn_err run_scrubbed(struct run *run)
{
    struct qn_digest pack;
    bool is_good;
    QN_TRY(begin(run, 3));
    QN_TRY(qn_intent_digest(run->cursor, &pack));
    QN_TRY(qn_cursor_bool(run->cursor, &is_good));
    return qn_custody_scrubbed(run->applier->kv, &run->owner, &pack, is_good);
}

static enum qn_err run_expect(struct run *run)
{
    uint64_t interval_ms;
    QN_TRY(begin(run, 2));
    QN_TRY(qn_cursor_u64(run->cursor, &interval_ms));
    return qn_custody_expect(run->applier->kv, &run->owner, interval_ms);
}

static enum qn_err run_calm(struct run *run)
{
    uint32_t alarms;
    QN_TRY(begin(run, 2));
    QN_TRY(qn_intent_u32(run->cursor, &alarms));
    return qn_custody_calm(run->applier->kv, &run->owner, alarms);
}

static enum qn_err run_key(struct run *run)
{
    uint32_t epoch;
    struct qn_span sealed;
    QN_TRY(begin(run, 3));
    QN_TRY(qn_intent_u32(run->cursor, &epoch));
    QN_TRY(qn_cursor_bin(run->cursor, QN_HELD_KEY_SIZE_MAX, &sealed));
    return qn_custody_key(run->applier->kv, &run->owner, epoch, sealed);
}

static enum qn_err run_kind(struct run *run, enum qn_intent_kind kind)
{
    switch ((int)kind) { /* of all kinds, those of this file */
    case QN_INTENT_LOCK_CLOCK:
        return run_lock_clock(run);
    case QN_INTENT_HELD_OFFER:
        return run_offer(run);
    case QN_INTENT_HELD_STORED:
        return run_stored(run);
    case QN_INTENT_HELD_LIST:
        return run_list(run);
    case QN_INTENT_HELD_NAMES:
        return run_names(run);
    case QN_INTENT_HELD_FINISH:
        return run_finish(run);
    case QN_INTENT_HELD_FORGET:
        return run_forget(run);
    case QN_INTENT_HELD_LEASE:
        return run_lease(run);
    case QN_INTENT_HELD_SWEEP:
        return run_sweep(run);
    case QN_INTENT_HELD_UNLINKED:
        return run_unlinked(run);
    case QN_INTENT_HELD_SCRUBBED:
        return run_scrubbed(run);
    case QN_INTENT_HELD_EXPECT:
        return run_expect(run);
    case QN_INTENT_HELD_CALM:
        return run_calm(run);
    case QN_INTENT_HELD_TERMS:
        return begin(run, 1);
    case QN_INTENT_HELD_KEY:
        return run_key(run);
    case QN_INTENT_HELD_STRAYS:
        return run_strays(run);
    }
    return QN_ERR_INVALID;
}

enum qn_err qn_intent_run_custody(struct qn_applier *applier, enum qn_intent_kind kind,
                                  struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    struct run run = {.applier = applier, .cursor = cursor};
    qn_buf_init(&run.answer, ANSWER_MAX);
    enum qn_err err = run_kind(&run, kind);
    if (err == QN_OK)
        err = qn_buf_status(&run.answer);
    if (run.answer.size > 0 && (err == QN_OK || err == QN_ERR_HELD))
        outcome->answer = qn_buf_take(&run.answer, &outcome->answer_size);
    qn_buf_deinit(&run.answer);
    return err;
}
