/* PACK_PUT: the pieces of packs that are wanted, in order, from the connection to the disk; and
 * when a pack is whole, its row. Only then is it acknowledged. */
#include "core/hold_impl.h"
#include "model/bugs.h"

/* ---- the table ---- */

struct hold_pack *hold_pack_of(struct hold *hold, uint64_t number)
{
    qn_vec_each (&hold->packs, pack)
        if (pack->number == number)
            return pack;
    return NULL;
}

struct hold_pack *hold_pack_named(struct hold *hold, const struct qn_digest *name)
{
    qn_vec_each (&hold->packs, pack)
        if (qn_digest_eq(&pack->name, name))
            return pack;
    return NULL;
}

bool hold_pack_is_busy(const struct hold_pack *pack)
{
    return pack->queued > 0 || (pack->state != HOLD_PACK_READY && pack->state != HOLD_PACK_REFUSED);
}

void hold_pack_drop(struct hold *hold, struct hold_pack *pack)
{
    qn_vec_remove(&hold->packs, (size_t)(pack - hold->packs.items));
}

/* Makes room: of a pack that was refused long ago no more pieces come. */
static bool forget_refused(struct hold *hold)
{
    qn_vec_each (&hold->packs, pack)
        if (pack->state == HOLD_PACK_REFUSED) {
            hold_pack_drop(hold, pack);
            return true;
        }
    return false;
}

struct hold_pack *hold_pack_want(struct qn_core *core, struct hold *hold,
                                 const struct qn_digest *name, uint64_t size)
{
    if (hold->packs.count >= HOLD_PACKS_MAX && !forget_refused(hold))
        return NULL;
    struct hold_pack *pack = qn_vec_push_slot(&hold->packs);
    *pack = (struct hold_pack){.number = core_token(core), .name = *name, .size = size};
    return pack;
}

static void drop_pieces(struct hold *hold, struct hold_pack *pack)
{
    for (size_t i = hold->pieces.count; i-- > 0;) {
        if (hold->pieces.items[i].pack != pack->number)
            continue;
        hold->waiting -= hold->pieces.items[i].size;
        qn_free(hold->pieces.items[i].bytes);
        qn_vec_remove(&hold->pieces, i);
    }
    pack->queued = 0;
}

static bool is_at_work(const struct hold_pack *pack)
{
    return pack->state == HOLD_PACK_APPENDING || pack->state == HOLD_PACK_STORING ||
           pack->state == HOLD_PACK_REMOVING;
}

void hold_packs_down(struct hold *hold)
{
    for (size_t i = hold->packs.count; i-- > 0;) {
        struct hold_pack *pack = &hold->packs.items[i];
        drop_pieces(hold, pack);
        pack->is_old = true;
        if (!is_at_work(pack))
            hold_pack_drop(hold, pack);
    }
}

/* ---- parts: what began to arrive; not counted by the quota, so there are few ---- */

void hold_part_began(struct hold *hold, const struct qn_digest *name)
{
    qn_vec_each (&hold->parts, part)
        if (qn_digest_eq(part, name))
            return;
    qn_vec_push(&hold->parts, *name);
}

static void part_ended(struct hold *hold, const struct qn_digest *name)
{
    for (size_t i = hold->parts.count; i-- > 0;)
        if (qn_digest_eq(&hold->parts.items[i], name))
            qn_vec_remove(&hold->parts, i);
}

/* ---- refusing ---- */

static void ack(struct qn_core *core, struct bulk *bulk, const struct hold_pack *pack,
                bool is_whole, enum qn_offer answer)
{
    struct qn_buf *out = core_message(core, QN_MSG_PACK_ACK, 4);
    qn_pack_bin(out, qn_digest_view(&pack->name));
    qn_pack_u64(out, pack->have);
    qn_pack_bool(out, is_whole);
    qn_pack_u64(out, answer);
    bulk_send(core, bulk);
}

/* Tells the owner, if it is still there, and waits for it to offer the pack again. */
static void refused(struct qn_core *core, struct bulk *bulk, struct hold_pack *pack)
{
    if (pack->is_old) {
        hold_pack_drop(bulk->hold, pack);
        return;
    }
    pack->state = HOLD_PACK_REFUSED;
    ack(core, bulk, pack, false, pack->refusal);
}

static void start_removal(struct qn_core *core, struct bulk *bulk, struct hold_pack *pack)
{
    struct hold *hold = bulk->hold;
    if (pack->is_started || hold->appends >= HOLD_APPENDS_MAX || !hold_has_file_slot(hold))
        return;
    pack->is_started = true;
    hold->appends++;
    hold_file(core, bulk, &(struct hold_file){.kind = QN_FILE_REMOVE, .name = pack->name},
              hold_tag(HOLD_REMOVED, pack->number));
}

static void refuse(struct qn_core *core, struct bulk *bulk, struct hold_pack *pack,
                   enum qn_offer answer, bool has_file)
{
    drop_pieces(bulk->hold, pack);
    pack->refusal = answer;
    if (!has_file) {
        refused(core, bulk, pack);
        return;
    }
    pack->state = HOLD_PACK_REMOVING;
    pack->is_started = false;
    start_removal(core, bulk, pack);
}

void hold_removed(struct qn_core *core, struct bulk *bulk, uint64_t number)
{
    struct hold *hold = bulk->hold;
    struct hold_pack *pack = hold_pack_of(hold, number);
    if (pack == NULL)
        return;
    hold->appends--;
    part_ended(hold, &pack->name);
    pack->have = 0;
    refused(core, bulk, pack);
}

/* The oldest part that nothing waits for; NULL: of all of them more is on its way. */
static const struct qn_digest *idle_part(struct hold *hold)
{
    qn_vec_each (&hold->parts, part) {
        const struct hold_pack *pack = hold_pack_named(hold, part);
        if (pack == NULL || !hold_pack_is_busy(pack))
            return part;
    }
    return NULL;
}

/* One that nobody speaks of any more goes as something of an earlier connection. */
static void limit_parts(struct qn_core *core, struct bulk *bulk)
{
    struct hold *hold = bulk->hold;
    const struct qn_digest *part = hold->parts.count > QN_HELD_PARTS_MAX ? idle_part(hold) : NULL;
    if (part == NULL)
        return;
    struct hold_pack *pack = hold_pack_named(hold, part);
    if (pack == NULL) {
        pack = hold_pack_want(core, hold, part, 0);
        if (pack == NULL)
            return;
        pack->is_old = true;
    }
    refuse(core, bulk, pack, QN_OFFER_LATER, true);
}

/* ---- pieces ---- */

static enum qn_err take_piece(struct hold *hold, struct hold_pack *pack, uint64_t offset,
                              struct qn_span bytes)
{
    if (pack->state == HOLD_PACK_MEASURED || pack->is_old)
        return QN_ERR_STATE;
    if (bytes.size == 0 || offset != pack->next || bytes.size > pack->size - offset)
        return QN_ERR_INVALID;
    if (hold->waiting + bytes.size > BULK_WINDOW_MAX || hold->pieces.count >= HOLD_PIECES_MAX)
        return QN_ERR_LIMIT;
    struct hold_piece piece = {
        .pack = pack->number, .bytes = qn_memdup(bytes.data, bytes.size), .size = bytes.size};
    qn_vec_push(&hold->pieces, piece);
    hold->waiting += bytes.size;
    pack->next += bytes.size;
    pack->queued++;
    return QN_OK;
}

enum qn_err hold_heard_put(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct qn_digest name;
    uint64_t total, offset;
    struct qn_span bytes;
    QN_TRY(qn_cursor_bytes(fields, name.bytes, sizeof(name.bytes)));
    QN_TRY(qn_cursor_u64(fields, &total));
    QN_TRY(qn_cursor_u64(fields, &offset));
    QN_TRY(qn_cursor_bin(fields, BULK_PIECE, &bytes));
    struct hold_pack *pack = hold_pack_named(bulk->hold, &name);
    if (pack == NULL)
        return QN_ERR_STATE;
    if (total != pack->size)
        return QN_ERR_INVALID;
    if (pack->state == HOLD_PACK_REFUSED || pack->state == HOLD_PACK_REMOVING)
        return QN_OK; /* it was on its way when the refusal left */
    QN_TRY(take_piece(bulk->hold, pack, offset, bytes));
    hold_pack_pump(core, bulk);
    return QN_OK;
}

static void append(struct qn_core *core, struct bulk *bulk, struct hold_pack *pack,
                   const struct hold_piece *piece)
{
    pack->state = HOLD_PACK_APPENDING;
    pack->appending = piece->size;
    pack->queued--;
    bulk->hold->appends++;
    hold_file(core, bulk,
              &(struct hold_file){.kind = QN_FILE_APPEND,
                                  .name = pack->name,
                                  .offset = pack->have,
                                  .total = pack->size,
                                  .take_bytes = piece->bytes,
                                  .bytes_size = piece->size},
              hold_tag(HOLD_APPENDED, pack->number));
}

void hold_pack_pump(struct qn_core *core, struct bulk *bulk)
{
    struct hold *hold = bulk->hold;
    qn_vec_each (&hold->packs, pack)
        if (pack->state == HOLD_PACK_REMOVING)
            start_removal(core, bulk, pack);
    for (size_t i = 0; i < hold->pieces.count;) {
        struct hold_piece piece = hold->pieces.items[i];
        struct hold_pack *pack = hold_pack_of(hold, piece.pack);
        if (hold->appends >= HOLD_APPENDS_MAX || !hold_has_file_slot(hold))
            return;
        if (pack->state != HOLD_PACK_READY) {
            i++;
            continue;
        }
        qn_vec_remove(&hold->pieces, i);
        append(core, bulk, pack, &piece);
    }
}

/* ---- on the disk, in the store ---- */

static void store(struct qn_core *core, struct bulk *bulk, struct hold_pack *pack)
{
    struct qn_buf payload;
    part_ended(bulk->hold, &pack->name);
    pack->state = HOLD_PACK_STORING;
    hold_payload(bulk, 3, &payload);
    qn_pack_bin(&payload, qn_digest_view(&pack->name));
    qn_pack_u64(&payload, pack->size);
    hold_commit(core, bulk, QN_INTENT_HELD_STORED, &payload, hold_tag(HOLD_STORED, pack->number));
    if (QN_BUG(QN_BUG_HELD_BEFORE_COMMIT))
        ack(core, bulk, pack, true, QN_OFFER_WANTED);
}

static void go_on(struct qn_core *core, struct bulk *bulk, struct hold_pack *pack)
{
    hold_part_began(bulk->hold, &pack->name);
    pack->state = HOLD_PACK_READY;
    if (pack->is_old) {
        hold_pack_drop(bulk->hold, pack);
    } else {
        ack(core, bulk, pack, false, QN_OFFER_WANTED);
        limit_parts(core, bulk);
    }
}

/* What was appended before stays, but for bytes that do not hash to the name: after a power cut the
 * end of a part may be wrong, so that is a reason to offer the pack again. */
static void append_failed(struct qn_core *core, struct bulk *bulk, struct hold_pack *pack,
                          enum qn_err err)
{
    core_note(core, err == QN_ERR_SIGNATURE ? "held-pack-wrong" : "held-file-failed", err, "");
    if (err == QN_ERR_SIGNATURE)
        part_ended(bulk->hold, &pack->name);
    refuse(core, bulk, pack, err == QN_ERR_NOSPACE ? QN_OFFER_ROOM : QN_OFFER_LATER, false);
}

void hold_appended(struct qn_core *core, struct bulk *bulk, uint64_t number,
                   const struct qn_file_result *result)
{
    struct hold *hold = bulk->hold;
    struct hold_pack *pack = hold_pack_of(hold, number);
    if (pack == NULL || pack->state != HOLD_PACK_APPENDING)
        return; /* of a peer that was a member before */
    hold->appends--;
    hold->waiting -= pack->appending;
    if (result->err == QN_OK)
        pack->have += pack->appending;
    pack->appending = 0;
    if (result->err == QN_OK && result->is_whole)
        store(core, bulk, pack);
    else if (result->err == QN_OK)
        go_on(core, bulk, pack);
    else
        append_failed(core, bulk, pack, result->err);
}

/* Where the store says that the file is of no use, it goes. Where the store is in trouble itself,
 * nobody knows whether there is a row, so the file stays; the pack is offered again. */
void hold_stored(struct qn_core *core, struct bulk *bulk, uint64_t number, enum qn_err err)
{
    struct hold_pack *pack = hold_pack_of(bulk->hold, number);
    if (pack == NULL)
        return;
    if (err != QN_OK) {
        bool has_no_row = err == QN_ERR_LIMIT || err == QN_ERR_BUSY || err == QN_ERR_DENIED;
        core_note(core, "held-pack-refused", err, "");
        if (!has_no_row)
            core->custodian->has_sought = false; /* it may stay without one: the next sweep looks */
        refuse(core, bulk, pack, hold_refusal(err), has_no_row);
        return;
    }
    if (!pack->is_old && !QN_BUG(QN_BUG_HELD_BEFORE_COMMIT))
        ack(core, bulk, pack, true, QN_OFFER_WANTED);
    hold_pack_drop(bulk->hold, pack);
    custodian_has(core, &bulk->peer->site);
    book_touch(core);
}
