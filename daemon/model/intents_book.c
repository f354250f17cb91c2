/* The intents of an owner (book.h). Their forms stand in applier.h. */
#include "model/book.h"
#include "model/intents.h"
#include "proto/pack.h"

#define NAMES_MAX      QN_HELD_LIST_BATCH_NAMES
#define NAMES_SIZE_MAX (NAMES_MAX * QN_DIGEST_SIZE)
#define ANSWER_MAX     64

struct run {
    const struct qn_applier *applier;
    struct qn_kv *kv;
    struct qn_cursor *cursor;
    struct qn_buf answer;
};

static enum qn_err read_site(struct run *run, struct qn_site_id *ret_site)
{
    return qn_cursor_bytes(run->cursor, ret_site->bytes, sizeof(ret_site->bytes));
}

static enum qn_err read_err(struct run *run, enum qn_err *ret_err)
{
    uint64_t value;
    QN_TRY(qn_cursor_u64(run->cursor, &value));
    if (value > QN_ERR_DAMAGED)
        return QN_ERR_INVALID;
    *ret_err = (enum qn_err)value;
    return QN_OK;
}

/* ---- plans ---- */

static enum qn_err run_plan_put(struct run *run)
{
    struct qn_span packed;
    QN_TRY(qn_intent_array(run->cursor, 1));
    QN_TRY(qn_cursor_bin(run->cursor, QN_PLAN_SIZE_MAX, &packed));
    return qn_book_plan_put(run->kv, packed);
}

static enum qn_err run_plan_remove(struct run *run)
{
    struct qn_span name;
    QN_TRY(qn_intent_array(run->cursor, 1));
    QN_TRY(qn_cursor_str(run->cursor, QN_NAME_SIZE_MAX, &name));
    return qn_book_plan_remove(run->kv, name);
}

static enum qn_err read_run(struct run *run, size_t count, struct qn_span *ret_name,
                            uint64_t *ret_now_ms)
{
    QN_TRY(qn_intent_array(run->cursor, count));
    QN_TRY(qn_cursor_str(run->cursor, QN_NAME_SIZE_MAX, ret_name));
    return qn_cursor_u64(run->cursor, ret_now_ms);
}

static enum qn_err run_started(struct run *run)
{
    struct qn_span name;
    uint64_t now_ms;
    QN_TRY(read_run(run, 2, &name, &now_ms));
    return qn_book_started(run->kv, name, now_ms);
}

static enum qn_err run_ended(struct run *run)
{
    struct qn_span name, first;
    uint64_t now_ms, failed;
    enum qn_err err;
    QN_TRY(read_run(run, 5, &name, &now_ms));
    QN_TRY(read_err(run, &err));
    QN_TRY(qn_cursor_u64(run->cursor, &failed));
    QN_TRY(qn_cursor_str(run->cursor, QN_PLAN_FIRST_SIZE_MAX, &first));
    return qn_book_ended(run->kv, name, now_ms, err, failed, first);
}

static enum qn_err run_drilled(struct run *run)
{
    struct qn_span name;
    uint64_t now_ms, files, bytes;
    enum qn_err err;
    struct qn_digest snapshot;
    QN_TRY(read_run(run, 6, &name, &now_ms));
    QN_TRY(read_err(run, &err));
    QN_TRY(qn_cursor_u64(run->cursor, &files));
    QN_TRY(qn_cursor_u64(run->cursor, &bytes));
    QN_TRY(qn_intent_digest(run->cursor, &snapshot));
    QN_TRY(qn_book_drilled(run->kv, name, now_ms, err, files, bytes));
    return qn_book_drill_sign(run->kv, &run->applier->site, run->applier->signer, name, &snapshot);
}

/* ---- what is here ---- */

static enum qn_err add_pack(struct run *run)
{
    struct qn_digest name;
    uint64_t size, kind;
    QN_TRY(qn_intent_array(run->cursor, 3));
    QN_TRY(qn_intent_digest(run->cursor, &name));
    QN_TRY(qn_cursor_u64(run->cursor, &size));
    QN_TRY(qn_cursor_u64(run->cursor, &kind));
    if (kind > UINT8_MAX)
        return QN_ERR_INVALID;
    return qn_book_pack_add(run->kv, &name, size, (uint8_t)kind);
}

static enum qn_err run_packs(struct run *run)
{
    size_t count;
    QN_TRY(qn_cursor_array(run->cursor, NAMES_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(add_pack(run));
    return QN_OK;
}

static enum qn_err read_names(struct run *run, struct qn_span *ret_names)
{
    QN_TRY(qn_cursor_bin(run->cursor, NAMES_SIZE_MAX, ret_names));
    return ret_names->size % QN_DIGEST_SIZE == 0 ? QN_OK : QN_ERR_INVALID;
}

static struct qn_digest name_at(struct qn_span names, size_t offset)
{
    struct qn_digest name;
    memcpy(name.bytes, names.data + offset, sizeof(name.bytes));
    return name;
}

static enum qn_err run_packs_gone(struct run *run)
{
    struct qn_span names;
    QN_TRY(qn_intent_array(run->cursor, 1));
    QN_TRY(read_names(run, &names));
    for (size_t at = 0; at < names.size; at += QN_DIGEST_SIZE) {
        struct qn_digest name = name_at(names, at);
        QN_TRY(qn_book_pack_remove(run->kv, &name));
    }
    return QN_OK;
}

static enum qn_err read_snap(struct run *run, struct qn_own_snap *snap)
{
    struct qn_span plan;
    QN_TRY(qn_intent_array(run->cursor, 10));
    QN_TRY(qn_intent_digest(run->cursor, &snap->name));
    QN_TRY(qn_cursor_str(run->cursor, QN_NAME_SIZE_MAX, &plan));
    if (plan.size > 0)
        memcpy(snap->plan, plan.data, plan.size);
    QN_TRY(qn_cursor_u64(run->cursor, &snap->started_ms));
    QN_TRY(qn_cursor_u64(run->cursor, &snap->ended_ms));
    QN_TRY(qn_cursor_bool(run->cursor, &snap->is_partial));
    QN_TRY(qn_cursor_u64(run->cursor, &snap->files));
    QN_TRY(qn_cursor_u64(run->cursor, &snap->bytes));
    QN_TRY(qn_cursor_u64(run->cursor, &snap->bytes_stored));
    QN_TRY(qn_intent_digest(run->cursor, &snap->names));
    return qn_intent_u32(run->cursor, &snap->name_count);
}

static enum qn_err run_snap(struct run *run)
{
    struct qn_own_snap snap = {0};
    QN_TRY(read_snap(run, &snap));
    return qn_book_snap_put(run->kv, &snap);
}

static enum qn_err run_snap_gone(struct run *run)
{
    struct qn_digest name;
    QN_TRY(qn_intent_array(run->cursor, 1));
    QN_TRY(qn_intent_digest(run->cursor, &name));
    return qn_book_snap_remove(run->kv, &name);
}

/* ---- what is there ---- */

static enum qn_err run_acked(struct run *run)
{
    struct qn_site_id holder;
    uint64_t now_ms;
    size_t count;
    QN_TRY(qn_intent_array(run->cursor, 3));
    QN_TRY(read_site(run, &holder));
    QN_TRY(qn_cursor_u64(run->cursor, &now_ms));
    QN_TRY(qn_cursor_array(run->cursor, 2 * NAMES_MAX, &count));
    if (count % 2 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i += 2) {
        struct qn_digest name;
        uint64_t size;
        QN_TRY(qn_intent_digest(run->cursor, &name));
        QN_TRY(qn_cursor_u64(run->cursor, &size));
        QN_TRY(qn_book_acked(run->kv, &holder, &name, size, now_ms));
    }
    return QN_OK;
}

typedef enum qn_err (*of_pack)(struct qn_kv *kv, const struct qn_site_id *holder,
                               const struct qn_digest *pack);

static enum qn_err run_of_packs(struct run *run, of_pack act)
{
    struct qn_site_id holder;
    struct qn_span names;
    QN_TRY(qn_intent_array(run->cursor, 2));
    QN_TRY(read_site(run, &holder));
    QN_TRY(read_names(run, &names));
    for (size_t at = 0; at < names.size; at += QN_DIGEST_SIZE) {
        struct qn_digest name = name_at(names, at);
        QN_TRY(act(run->kv, &holder, &name));
    }
    return QN_OK;
}

static enum qn_err run_list_acked(struct run *run)
{
    struct qn_site_id holder;
    struct qn_list_head head;
    uint64_t now_ms;
    QN_TRY(qn_intent_array(run->cursor, 5));
    QN_TRY(read_site(run, &holder));
    QN_TRY(qn_cursor_u64(run->cursor, &now_ms));
    QN_TRY(qn_intent_digest(run->cursor, &head.snapshot));
    QN_TRY(qn_intent_digest(run->cursor, &head.names));
    QN_TRY(qn_intent_u32(run->cursor, &head.name_count));
    return qn_book_list_acked(run->kv, &holder, &head, now_ms);
}

static enum qn_err run_forgotten(struct run *run)
{
    struct qn_site_id holder;
    struct qn_digest list;
    QN_TRY(qn_intent_array(run->cursor, 2));
    QN_TRY(read_site(run, &holder));
    QN_TRY(qn_intent_digest(run->cursor, &list));
    return qn_book_forgotten(run->kv, &holder, &list);
}

static enum qn_err run_drop(struct run *run)
{
    struct qn_site_id holder;
    uint64_t count_max;
    bool is_end;
    QN_TRY(qn_intent_array(run->cursor, 2));
    QN_TRY(read_site(run, &holder));
    QN_TRY(qn_cursor_u64(run->cursor, &count_max));
    QN_TRY(qn_book_copy_drop(run->kv, &holder, count_max, &is_end));
    qn_pack_array(&run->answer, 1);
    qn_pack_bool(&run->answer, is_end);
    return QN_OK;
}

static enum qn_err run_proof(struct run *run)
{
    struct qn_site_id holder;
    struct qn_proof proof;
    QN_TRY(qn_intent_array(run->cursor, 7));
    QN_TRY(read_site(run, &holder));
    QN_TRY(qn_cursor_u64(run->cursor, &proof.verified_ms));
    QN_TRY(qn_cursor_u64(run->cursor, &proof.ended_ms));
    QN_TRY(qn_cursor_u64(run->cursor, &proof.started_ms));
    QN_TRY(qn_cursor_u64(run->cursor, &proof.at));
    QN_TRY(qn_cursor_u64(run->cursor, &proof.bad));
    QN_TRY(qn_cursor_u64(run->cursor, &proof.unknown));
    return qn_book_proof_put(run->kv, &holder, &proof);
}

static enum qn_err run_kind(struct run *run, enum qn_intent_kind kind)
{
    switch ((int)kind) { /* of all kinds, those of this file */
    case QN_INTENT_PLAN_PUT:
        return run_plan_put(run);
    case QN_INTENT_PLAN_REMOVE:
        return run_plan_remove(run);
    case QN_INTENT_PLAN_STARTED:
        return run_started(run);
    case QN_INTENT_PLAN_ENDED:
        return run_ended(run);
    case QN_INTENT_PLAN_DRILLED:
        return run_drilled(run);
    case QN_INTENT_OWN_PACKS:
        return run_packs(run);
    case QN_INTENT_OWN_PACK_GONE:
        return run_packs_gone(run);
    case QN_INTENT_OWN_SNAP:
        return run_snap(run);
    case QN_INTENT_OWN_SNAP_GONE:
        return run_snap_gone(run);
    case QN_INTENT_COPY_ACKED:
        return run_acked(run);
    case QN_INTENT_COPY_LOST:
        return run_of_packs(run, qn_book_lost);
    case QN_INTENT_COPY_LIST:
        return run_list_acked(run);
    case QN_INTENT_COPY_FORGOTTEN:
        return run_forgotten(run);
    case QN_INTENT_COPY_DROP:
        return run_drop(run);
    case QN_INTENT_COPY_PROOF:
        return run_proof(run);
    case QN_INTENT_COPY_UNREAD:
        return run_of_packs(run, qn_book_unread);
    }
    return QN_ERR_INVALID;
}

enum qn_err qn_intent_run_book(struct qn_applier *applier, enum qn_intent_kind kind,
                               struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    struct run run = {.applier = applier, .kv = applier->kv, .cursor = cursor};
    qn_buf_init(&run.answer, ANSWER_MAX);
    enum qn_err err = run_kind(&run, kind);
    if (err == QN_OK)
        err = qn_buf_status(&run.answer);
    if (err == QN_OK && run.answer.size > 0)
        outcome->answer = qn_buf_take(&run.answer, &outcome->answer_size);
    qn_buf_deinit(&run.answer);
    return err;
}
