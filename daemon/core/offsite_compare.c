/* Inside the challenge (offsite_proof.c): what the answer is to be, from the own packs; asking; and
 * comparing, down to single packs. */
#include "core/offsite_impl.h"

/* ---- what cannot be read here ---- */

/* It is put right from a copy, and the batch begins anew then; what cannot be read after that is
 * unknown. False: it was tried. */
static bool mend_first(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    if (proofs->has_mended)
        return false;
    proofs_put_off(core, bulk);
    proofs->has_mended = true;
    return true;
}

/* ---- what the answer is to be: from the own packs ---- */

static void read_own(struct qn_core *core, struct bulk *bulk, enum qn_file_kind kind,
                     uint32_t index, uint64_t tag)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    const struct qn_digest *name = &proofs->batch.items[index].pack.pack;
    struct qn_file_work what = {.kind = kind};
    struct qn_digest key;
    memcpy(what.name.bytes, name->bytes, sizeof(what.name.bytes));
    qn_hmac(QN_SPAN_OF(proofs->key), qn_digest_view(name), &key);
    own_file(core, bulk, &what, kind == QN_FILE_PROOF ? qn_digest_view(&key) : qn_span(NULL, 0),
             tag);
}

/* Whether some of the batch is not here; it is asked of a copy. */
static bool lacks_own(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    bool lacks = false;
    qn_vec_each (&proofs->batch, challenge) {
        if (challenge->is_here)
            continue;
        if (!proofs->has_mended)
            backup_mend(core, &challenge->pack.pack);
        lacks = true;
    }
    return lacks;
}

void proofs_read_own(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    while (proofs->next < proofs->batch.count && proofs->reading < PROOF_READS &&
           may_read_file(bulk)) {
        read_own(core, bulk, QN_FILE_PROOF, proofs->next, tag_of(TAG_VALUE, proofs->next));
        proofs->next++;
        proofs->reading++;
    }
    if (proofs->next < proofs->batch.count || proofs->reading > 0)
        return;
    if (lacks_own(core, bulk) && mend_first(core, bulk))
        return;
    for (size_t i = proofs->batch.count; i-- > 0;) { /* what is not here cannot be compared */
        proofs->row.unknown += !proofs->batch.items[i].is_here;
        if (!proofs->batch.items[i].is_here)
            qn_vec_remove(&proofs->batch, i);
    }
    if (proofs->batch.count > 0)
        qn_vec_push(&proofs->ranges, ((struct range){0, (uint32_t)proofs->batch.count}));
    proofs->state = PROOF_READY;
}

static void value_came(struct proofs *proofs, uint32_t index, const struct qn_file_result *result)
{
    if (proofs->state != PROOF_READING || index >= proofs->next || proofs->reading == 0)
        return;
    struct challenge *challenge = &proofs->batch.items[index];
    proofs->reading--;
    if (result->err != QN_OK || result->bytes.size < PROOF_VALUE)
        return;
    memcpy(challenge->value, result->bytes.data, PROOF_VALUE);
    challenge->is_here = true;
}

/* ---- asking ---- */

static struct range *last_range(struct proofs *proofs)
{
    return &proofs->ranges.items[proofs->ranges.count - 1];
}

void proofs_ask(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    const struct range *range = last_range(proofs);
    uint8_t prefixes[BULK_PROOF_BATCH * BULK_PROOF_PREFIX];
    size_t size = 0;
    for (uint32_t i = range->from; i < range->to; i++, size += BULK_PROOF_PREFIX)
        memcpy(prefixes + size, proofs->batch.items[i].pack.pack.bytes, BULK_PROOF_PREFIX);
    proofs->request = core_token(core);
    struct qn_buf *out = core_message(core, QN_MSG_PROOF_ASK, 3);
    qn_pack_u64(out, proofs->request);
    qn_pack_bin(out, QN_SPAN_OF(proofs->key));
    qn_pack_bin(out, qn_span(prefixes, size));
    bulk_send(core, bulk);
    proofs->asked_ms = core->now_ms;
    proofs->state = PROOF_ASKED;
}

static void expected(const struct proofs *proofs, const struct range *range,
                     struct qn_digest *ret_digest)
{
    uint8_t values[BULK_PROOF_BATCH * PROOF_VALUE];
    size_t size = 0;
    for (uint32_t i = range->from; i < range->to; i++, size += PROOF_VALUE)
        memcpy(values + size, proofs->batch.items[i].value, PROOF_VALUE);
    QN_DIGEST(ret_digest, qn_span(values, size));
}

static void differs(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    struct range range = *last_range(proofs);
    uint32_t middle = range.from + (range.to - range.from) / 2;
    if (range.to - range.from == 1) {
        read_own(core, bulk, QN_FILE_SCRUB, range.from, tag_of(TAG_OWN, range.from));
        proofs->state = PROOF_CHECKING;
        return;
    }
    last_range(proofs)->from = middle;
    qn_vec_push(&proofs->ranges, ((struct range){range.from, middle}));
    proofs->state = PROOF_READY;
}

/* A holder that is busy says when to come again; the batch begins anew then. */
static enum qn_err refused(struct qn_core *core, struct bulk *bulk, struct qn_span code,
                           struct qn_cursor *fields)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    struct qn_span none;
    uint64_t again_ms;
    if (!qn_span_eq_str(code, "busy")) {
        proofs_give_up(core, bulk, QN_ERR_DENIED);
        return QN_OK;
    }
    QN_TRY(qn_cursor_bin(fields, 0, &none));
    QN_TRY(qn_cursor_u64(fields, &again_ms));
    proofs_put_off(core, bulk);
    if (again_ms < LATER_MS)
        again_ms = LATER_MS;
    proofs->busy_ms = core->now_ms + (again_ms < PROOF_AGAIN_MS ? again_ms : PROOF_AGAIN_MS);
    demand_end(core, bulk, CHALLENGE_BUSY);
    return QN_OK;
}

enum qn_err proofs_answer(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    struct qn_digest told, digest;
    struct qn_span code = {0};
    uint64_t request;
    QN_TRY(qn_cursor_u64(fields, &request));
    if (qn_cursor_nil(fields) != QN_OK)
        QN_TRY(qn_cursor_str(fields, 64, &code));
    if (code.size == 0)
        QN_TRY(read_digest(fields, &told));
    if (proofs->state != PROOF_ASKED || request != proofs->request)
        return QN_OK; /* of one that was given up */
    if (code.size > 0)
        return refused(core, bulk, code, fields);
    expected(proofs, last_range(proofs), &digest);
    if (qn_digest_eq(&told, &digest)) {
        proofs->ranges.count--;
        proofs->state = PROOF_READY;
    } else {
        differs(core, bulk);
    }
    return QN_OK;
}

/* A single pack differs: is it the holder's, or ours? */
static void own_checked(struct qn_core *core, struct bulk *bulk, uint32_t index, enum qn_err err)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    if (proofs->state != PROOF_CHECKING || index != last_range(proofs)->from)
        return;
    if (err == QN_OK) {
        qn_vec_push(&proofs->lost, proofs->batch.items[index].pack.pack);
        proofs->row.bad++;
        core_note(core, "copy-differs", QN_ERR_CORRUPT, holder_name(core, bulk));
    } else {
        core_note(core, "pack-not-read", err, holder_name(core, bulk));
        if (!proofs->has_mended)
            backup_mend(core, &proofs->batch.items[index].pack.pack);
        if (mend_first(core, bulk))
            return;
        proofs->row.unknown++;
    }
    proofs->ranges.count--;
    proofs->state = PROOF_READY;
}

void proofs_file_done(struct qn_core *core, struct bulk *bulk, enum tag tag, uint32_t number,
                      struct qn_file_result *result)
{
    if (tag == TAG_VALUE)
        value_came(&bulk->offsite->proofs, number, result);
    else
        own_checked(core, bulk, number, result->err);
}
