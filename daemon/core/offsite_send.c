/* Packs to a holder, once they are wanted: read ahead of the window, sent one after the other,
 * acknowledged, and that committed (docs/protocol.md 10.4, 10.5). */
#include "core/offsite_impl.h"

/* ---- reading ahead ---- */

static bool is_to_read(const struct outgoing *pack)
{
    return pack->state == OUTGOING_WANTED && !pack->is_read;
}

static uint64_t ahead(const struct packs *packs)
{
    uint64_t size = 0;
    qn_vec_each (&packs->pieces, piece)
        size += piece->size;
    return size;
}

/* One that has all its bytes there already is ended by a piece without any. */
static void read_piece(struct qn_core *core, struct bulk *bulk, struct outgoing *pack)
{
    struct packs *packs = &bulk->offsite->packs;
    uint64_t left = pack->size - pack->read_at;
    struct piece *piece = qn_vec_push_slot(&packs->pieces);
    *piece = (struct piece){.number = ++packs->piece_number,
                            .name = pack->name,
                            .offset = pack->read_at,
                            .size = left < BULK_PIECE ? left : BULK_PIECE,
                            .is_here = left == 0};
    pack->read_at += piece->size;
    pack->is_read = pack->read_at == pack->size;
    if (piece->is_here)
        return;
    struct qn_file_work what = {.kind = QN_FILE_READ, .offset = piece->offset, .size = piece->size};
    memcpy(what.name.bytes, piece->name.bytes, sizeof(what.name.bytes));
    own_file(core, bulk, &what, qn_span(NULL, 0), tag_of(TAG_PIECE, piece->number));
}

void packs_read_ahead(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    for (size_t i = 0; i < packs->queue.count;) {
        struct outgoing *pack = &packs->queue.items[i];
        if (!is_to_read(pack)) {
            i++;
            continue;
        }
        if (!may_read_file(bulk) || ahead(packs) >= READ_AHEAD)
            return;
        read_piece(core, bulk, pack);
    }
}

static void commit_unread(struct qn_core *core, struct bulk *bulk, const struct qn_digest *name)
{
    struct qn_buf payload = copy_intent(bulk, 1);
    qn_pack_bin(&payload, qn_digest_view(name));
    commit_copy(core, bulk, QN_INTENT_COPY_UNREAD, &payload, TAG_QUIET);
}

void pack_unread(struct qn_core *core, struct bulk *bulk, const struct qn_digest *name,
                 enum qn_err err)
{
    core_note(core, "pack-not-read", err, holder_name(core, bulk));
    commit_unread(core, bulk, name);
    backup_mend(core, name);
}

/* One that is gone or damaged is left until it is put right; anything else may pass. */
static void not_readable(struct qn_core *core, struct bulk *bulk, struct outgoing *pack,
                         enum qn_err err)
{
    struct packs *packs = &bulk->offsite->packs;
    bool is_damaged = err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT;
    bool may_be_pruned = err == QN_ERR_NOTFOUND && core->backup->running.token != 0;
    if (!may_be_pruned && (is_damaged || err == QN_ERR_IO)) /* else the book will say so */
        pack_unread(core, bulk, &pack->name, err);
    if (is_damaged)
        pack_skip(packs, pack);
    else
        pack_later(core, packs, pack);
}

/* ---- what arrives damaged: the holder's disk, the way, or the own copy ---- */

void pack_suspect(struct qn_core *core, struct bulk *bulk, const struct qn_digest *name)
{
    struct packs *packs = &bulk->offsite->packs;
    struct qn_file_work what = {.kind = QN_FILE_SCRUB};
    if (packs->is_suspecting || !may_read_file(bulk))
        return; /* it is sent again, and then comes here again */
    packs->is_suspecting = true;
    packs->suspect = *name;
    memcpy(what.name.bytes, name->bytes, sizeof(what.name.bytes));
    own_file(core, bulk, &what, qn_span(NULL, 0), tag_of(TAG_SUSPECT, 0));
}

void packs_suspect_read(struct qn_core *core, struct bulk *bulk, enum qn_err err)
{
    struct packs *packs = &bulk->offsite->packs;
    packs->is_suspecting = false;
    if (err != QN_ERR_CORRUPT)
        return;
    pack_skip_named(packs, &packs->suspect);
    pack_unread(core, bulk, &packs->suspect, err);
}

void packs_piece(struct qn_core *core, struct bulk *bulk, uint32_t number,
                 struct qn_file_result *result)
{
    struct packs *packs = &bulk->offsite->packs;
    qn_vec_each (&packs->pieces, piece) {
        if (piece->number != number)
            continue;
        struct outgoing *pack = pack_find(packs, &piece->name);
        if (result->err == QN_OK &&
            (result->bytes.size != piece->size || result->size != pack->size))
            result->err = QN_ERR_CORRUPT;
        if (result->err != QN_OK) {
            not_readable(core, bulk, pack, result->err);
            return;
        }
        piece->bytes = result->bytes;
        result->bytes = (struct qn_buf){0};
        piece->is_here = true;
        return;
    }
}

/* ---- sending ---- */

static bool is_sending(const struct offsite *offsite)
{
    return offsite->stage == STAGE_OPEN &&
           (offsite->packs.queue.count > 0 || offsite->lists.state == LIST_SENDING);
}

/* What the timetable lets this site send to all holders together is shared evenly among the holders
 * to which something goes. */
static uint64_t limit_of(const struct qn_core *core)
{
    uint64_t rate = core_bulk_rate(core), count = 0;
    if (rate == UINT64_MAX)
        return rate;
    qn_vec_each (&core->peers, peer)
        count += is_sending((*peer)->bulk->offsite);
    return count == 0 ? rate : rate / count;
}

uint64_t packs_room(struct qn_core *core, struct offsite *offsite)
{
    struct packs *packs = &offsite->packs;
    return pace_room(&packs->pace, core->now_ms, packs->inflight, limit_of(core));
}

void packs_wake(struct qn_core *core, const struct offsite *offsite)
{
    uint64_t next_ms = pace_next_ms(&offsite->packs.pace, core->now_ms, limit_of(core));
    core_wake(core, next_ms > core->now_ms ? next_ms : core->now_ms + 1);
    core_wake(core, core_bulk_rate_until(core));
}

static void send_bytes(struct qn_core *core, struct bulk *bulk, struct piece *piece, uint64_t size)
{
    struct packs *packs = &bulk->offsite->packs;
    struct outgoing *pack = pack_find(packs, &piece->name);
    uint64_t offset = piece->offset + piece->sent;
    struct qn_buf *out = core_message(core, QN_MSG_PACK_PUT, 4);
    qn_pack_bin(out, qn_digest_view(&piece->name));
    qn_pack_u64(out, pack->size);
    qn_pack_u64(out, offset);
    qn_pack_bin(out, qn_span(size == 0 ? NULL : piece->bytes.data + piece->sent, size));
    bulk_send(core, bulk);
    pace_sent(&packs->pace, size);
    piece->sent += size;
    pack->sent_at = offset + size;
    packs->inflight += size;
    qn_vec_push(
        &packs->flights,
        ((struct flight){
            .name = piece->name, .end = pack->sent_at, .size = size, .sent_ms = core->now_ms}));
}

static void pop_piece(struct packs *packs)
{
    qn_buf_deinit(&packs->pieces.items[0].bytes);
    qn_vec_remove(&packs->pieces, 0);
}

void packs_send_pieces(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    while (packs->pieces.count > 0 && packs->pieces.items[0].is_here) {
        struct piece *piece = &packs->pieces.items[0];
        uint64_t left = piece->size - piece->sent, room = packs_room(core, bulk->offsite);
        if (room == 0) {
            packs_wake(core, bulk->offsite);
            return;
        }
        send_bytes(core, bulk, piece, left < room ? left : room);
        if (piece->sent == piece->size)
            pop_piece(packs);
    }
}

/* ---- acknowledgements ---- */

/* Takes what is acknowledged up to there out of the flights. */
static void landed(struct qn_core *core, struct packs *packs, const struct outgoing *pack,
                   uint64_t offset)
{
    uint64_t size = 0, sent_ms = core->now_ms;
    for (size_t i = 0; i < packs->flights.count;) {
        const struct flight *flight = &packs->flights.items[i];
        if (!qn_digest_eq(&flight->name, &pack->name) || flight->end > offset) {
            i++;
            continue;
        }
        size += flight->size;
        sent_ms = flight->sent_ms;
        qn_vec_remove(&packs->flights, i);
    }
    packs->inflight -= size;
    core->backup->sent_bytes += size;
    if (size > 0)
        pace_acked(&packs->pace, core->now_ms, core->now_ms - sent_ms, size);
}

static enum qn_err acked_one(struct qn_core *core, struct bulk *bulk, struct outgoing *pack,
                             uint64_t offset, bool is_whole)
{
    struct packs *packs = &bulk->offsite->packs;
    if (offset > pack->sent_at || (is_whole && offset != pack->size))
        return QN_ERR_INVALID; /* more than was sent */
    landed(core, packs, pack, offset);
    if (offset > pack->acked_at)
        pack->acked_at = offset;
    if (is_whole && pack->is_read && pack->sent_at == pack->size)
        pack_acked(packs, pack);
    else if (is_whole)
        return QN_ERR_INVALID;
    return QN_OK;
}

enum qn_err packs_acked(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct qn_digest name;
    uint64_t offset, code;
    bool is_whole;
    QN_TRY(read_digest(fields, &name));
    QN_TRY(qn_cursor_u64(fields, &offset));
    QN_TRY(qn_cursor_bool(fields, &is_whole));
    QN_TRY(qn_cursor_u64(fields, &code));
    struct outgoing *pack = pack_find(&bulk->offsite->packs, &name);
    if (pack == NULL) /* given up meanwhile, so it never was whole */
        return is_whole ? QN_ERR_INVALID : QN_OK;
    if (pack->state != OUTGOING_WANTED || (is_whole && code != 0))
        return QN_ERR_INVALID;
    if (code == 0)
        return acked_one(core, bulk, pack, offset, is_whole);
    pack_refused(core, bulk, pack, code);
    return QN_OK;
}

static uint64_t noted(const struct acks *acks)
{
    uint64_t size = 0;
    qn_vec_each (acks, ack)
        size += ack->size;
    return size;
}

void packs_commit_acks(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    if (packs->acks.count == 0 || packs->acking.count > 0)
        return;
    if (core->now_ms < packs->ack_ms) {
        core_wake(core, packs->ack_ms);
        return;
    }
    struct qn_buf payload = copy_intent(bulk, 2);
    qn_pack_u64(&payload, core->wall_ms);
    qn_pack_array(&payload, 2 * packs->acks.count);
    qn_vec_each (&packs->acks, ack) {
        qn_pack_bin(&payload, qn_digest_view(&ack->name));
        qn_pack_u64(&payload, ack->size);
        qn_vec_push(&packs->acking, *ack);
    }
    packs->acks.count = 0;
    commit_copy(core, bulk, QN_INTENT_COPY_ACKED, &payload, TAG_ACKS);
}

static uint64_t less(uint64_t from, uint64_t size)
{
    return from > size ? from - size : 0;
}

uint64_t packs_left(const struct offsite *offsite)
{
    const struct packs *packs = &offsite->packs;
    uint64_t done = noted(&packs->acks) + noted(&packs->acking);
    qn_vec_each (&packs->queue, pack)
        done += pack->acked_at;
    return less(offsite->missing_bytes, done);
}

/* What was acknowledged and could not be noted is noted later. */
void packs_committed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome)
{
    struct packs *packs = &bulk->offsite->packs;
    if (outcome->err != QN_OK) {
        qn_vec_each (&packs->acking, ack)
            qn_vec_push(&packs->acks, *ack);
        packs->ack_ms = core->now_ms + RETRY_COMMIT_MS;
    } else { /* until the next look */
        bulk->offsite->missing_bytes = less(bulk->offsite->missing_bytes, noted(&packs->acking));
    }
    packs->acking.count = 0;
    bulk->offsite->lists.needs_list = true;
    bulk->offsite->is_dirty = true; /* what is left, for progress; what there is to prove */
}
