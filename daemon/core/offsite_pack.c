/* Packs to a holder: looked up in the book and offered ahead (docs/protocol.md 10.4). What becomes
 * of those that are wanted is in offsite_send.c. */
#include "core/offsite_impl.h"

/* ---- what is known of a pack ---- */

struct outgoing *pack_find(struct packs *packs, const struct qn_digest *name)
{
    qn_vec_each (&packs->queue, pack)
        if (qn_digest_eq(&pack->name, name))
            return pack;
    return NULL;
}

static bool is_known(struct packs *packs, const struct qn_digest *name)
{
    qn_vec_each (&packs->acks, ack)
        if (qn_digest_eq(&ack->name, name))
            return true;
    qn_vec_each (&packs->acking, ack)
        if (qn_digest_eq(&ack->name, name))
            return true;
    qn_vec_each (&packs->skipped, skipped)
        if (qn_digest_eq(skipped, name))
            return true;
    return pack_find(packs, name) != NULL;
}

static void drop_flights(struct packs *packs, const struct qn_digest *name)
{
    for (size_t i = packs->flights.count; i-- > 0;) {
        if (!qn_digest_eq(&packs->flights.items[i].name, name))
            continue;
        packs->inflight -= packs->flights.items[i].size;
        qn_vec_remove(&packs->flights, i);
    }
}

static void drop_pieces(struct packs *packs, const struct qn_digest *name)
{
    for (size_t i = packs->pieces.count; i-- > 0;) {
        if (!qn_digest_eq(&packs->pieces.items[i].name, name))
            continue;
        qn_buf_deinit(&packs->pieces.items[i].bytes);
        qn_vec_remove(&packs->pieces, i);
    }
}

void pack_drop(struct packs *packs, struct outgoing *pack)
{
    struct qn_digest name = pack->name;
    drop_flights(packs, &name);
    drop_pieces(packs, &name);
    qn_vec_remove(&packs->queue, (size_t)(pack - packs->queue.items));
}

/* Not in this connection again. */
void pack_skip(struct packs *packs, struct outgoing *pack)
{
    if (packs->skipped.count < SKIPPED_MAX)
        qn_vec_push(&packs->skipped, pack->name);
    pack_drop(packs, pack);
}

void pack_skip_named(struct packs *packs, const struct qn_digest *name)
{
    struct outgoing *pack = pack_find(packs, name);
    if (pack != NULL)
        pack_skip(packs, pack);
    else if (packs->skipped.count < SKIPPED_MAX)
        qn_vec_push(&packs->skipped, *name);
}

static void look_again_at(struct packs *packs, uint64_t at_ms)
{
    if (packs->rescan_ms == 0 || at_ms < packs->rescan_ms)
        packs->rescan_ms = at_ms;
}

void pack_later(struct qn_core *core, struct packs *packs, struct outgoing *pack)
{
    pack_drop(packs, pack);
    look_again_at(packs, core->now_ms + LATER_MS);
}

void pack_acked(struct packs *packs, struct outgoing *pack)
{
    qn_vec_push(&packs->acks, ((struct ack){.name = pack->name, .size = pack->size}));
    pack_drop(packs, pack);
}

/* ---- life ---- */

void packs_start(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    pace_reset(&packs->pace, core->now_ms);
    packs->needs_scan = !bulk->is_narrow;
    packs->scan_after = 0;
}

void packs_end(struct offsite *offsite)
{
    struct packs *packs = &offsite->packs;
    qn_vec_each (&packs->pieces, piece)
        qn_buf_deinit(&piece->bytes);
    packs->is_restarted = false;
    packs->queue.count = packs->pieces.count = packs->flights.count = 0;
    packs->acks.count = packs->acking.count = packs->skipped.count = 0;
    packs->inflight = packs->rescan_ms = packs->ack_ms = 0;
    packs->needs_scan = packs->is_scanning = packs->is_suspecting = false;
}

void packs_free(struct packs *packs)
{
    qn_vec_each (&packs->pieces, piece)
        qn_buf_deinit(&piece->bytes);
    qn_vec_free(&packs->queue);
    qn_vec_free(&packs->pieces);
    qn_vec_free(&packs->flights);
    qn_vec_free(&packs->acks);
    qn_vec_free(&packs->acking);
    qn_vec_free(&packs->skipped);
}

void packs_look(struct offsite *offsite, bool from_start)
{
    offsite->packs.needs_scan = true;
    offsite->packs.is_restarted |= from_start;
}

bool packs_are_idle(const struct offsite *offsite)
{
    const struct packs *packs = &offsite->packs;
    return packs->queue.count == 0 && !packs->needs_scan && !packs->is_scanning &&
           packs->acks.count == 0 && packs->acking.count == 0;
}

/* ---- looking and offering ---- */

static bool has_room_for_offers(const struct packs *packs)
{
    return packs->queue.count < OFFERS_LOW && packs->acks.count + packs->acking.count < ACKS_MAX;
}

/* While the holder takes nothing there is nothing to look for. */
static void put_off(struct packs *packs)
{
    packs->needs_scan = false;
    look_again_at(packs, packs->blocked_ms);
}

static void scan(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    if (packs->needs_scan && core->now_ms < packs->blocked_ms)
        put_off(packs);
    if (!packs->needs_scan || packs->is_scanning || !has_room_for_offers(packs) ||
        offsite_is_ending(core, bulk))
        return;
    if (packs->is_restarted)
        packs->scan_after = 0;
    packs->is_restarted = packs->needs_scan = false;
    struct qn_buf args = copy_read(bulk, COPY_READ_PACKS, 2);
    qn_pack_u64(&args, packs->scan_after);
    qn_pack_u64(&args, OFFERS_AHEAD);
    read_copy(core, bulk, &args, TAG_SCAN);
    packs->is_scanning = true;
}

static enum qn_err add_scanned(struct packs *packs, struct qn_cursor *answer)
{
    size_t count;
    QN_TRY(qn_cursor_array(answer, 3 * OFFERS_AHEAD, &count));
    for (size_t i = 0; i < count; i += 3) {
        struct outgoing pack = {.state = OUTGOING_NEW};
        QN_TRY(read_digest(answer, &pack.name));
        QN_TRY(qn_cursor_u64(answer, &pack.size));
        QN_TRY(qn_cursor_u64(answer, &pack.order));
        if (!is_known(packs, &pack.name))
            qn_vec_push(&packs->queue, pack);
    }
    return QN_OK;
}

/* What was asked for meanwhile stays asked for. */
static enum qn_err take_scan(struct packs *packs, struct qn_cursor *answer)
{
    size_t count;
    bool is_end;
    QN_TRY(qn_cursor_array(answer, 3, &count));
    QN_TRY(qn_cursor_u64(answer, &packs->scan_after));
    QN_TRY(qn_cursor_bool(answer, &is_end));
    packs->needs_scan |= !is_end;
    return add_scanned(packs, answer);
}

void packs_scanned(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result)
{
    struct packs *packs = &bulk->offsite->packs;
    struct qn_cursor answer = qn_cursor(qn_buf_view(&result->body));
    enum qn_err err = result->err == QN_OK ? take_scan(packs, &answer) : result->err;
    packs->is_scanning = false;
    if (err != QN_OK) {
        core_note(core, "read-failed", err, holder_name(core, bulk));
        look_again_at(packs, core->now_ms + RETRY_READ_MS);
    }
}

/* A writer at work (docs/custody.md), the same one for two weeks: one that never changed would pin
 * for ever, one for each connection would be too many. */
static void lease_of(const struct qn_core *core, struct qn_digest *ret_lease)
{
    uint8_t turn[8];
    qn_write_u64(turn, core->wall_ms / LEASE_MS);
    QN_DIGEST(ret_lease, QN_SPAN_OF(core->site.bytes), QN_SPAN_OF(turn));
}

static void offer(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    struct qn_digest lease;
    size_t count = 0;
    qn_vec_each (&packs->queue, pack)
        count += pack->state == OUTGOING_NEW;
    if (count == 0)
        return;
    lease_of(core, &lease);
    struct qn_buf *out = core_message(core, QN_MSG_PACK_OFFER, 2);
    qn_pack_bin(out, qn_span(lease.bytes, sizeof(struct qn_lease_id)));
    qn_pack_array(out, 2 * count);
    qn_vec_each (&packs->queue, pack) {
        if (pack->state != OUTGOING_NEW)
            continue;
        qn_pack_bin(out, qn_digest_view(&pack->name));
        qn_pack_u64(out, pack->size);
        pack->state = OUTGOING_OFFERED;
    }
    bulk_send(core, bulk);
}

/* ---- what the holder says to an offer, or to the last piece ---- */

void packs_block(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    if (!packs->is_full)
        core_note(core, "copies-full", QN_ERR_NOSPACE, holder_name(core, bulk));
    packs->is_full = true;
    packs->blocked_ms = core->now_ms + FULL_MS;
    put_off(packs);
}

void packs_unblock(struct qn_core *core, struct bulk *bulk)
{
    bulk->offsite->packs.blocked_ms = core->now_ms;
    look_again_at(&bulk->offsite->packs, core->now_ms);
}

/* It does not take the pack now, or never. */
void pack_refused(struct qn_core *core, struct bulk *bulk, struct outgoing *pack, uint64_t code)
{
    struct packs *packs = &bulk->offsite->packs;
    if (code == QN_OFFER_QUOTA || code == QN_OFFER_ROOM) {
        pack_drop(packs, pack);
        packs_block(core, bulk);
    } else if (code == QN_OFFER_LATER) {
        if (pack->size > 0 && pack->sent_at == pack->size)
            pack_suspect(core, bulk, &pack->name);
        pack_later(core, packs, pack);
    } else {
        core_note(core, "pack-refused", QN_ERR_DENIED, holder_name(core, bulk));
        pack_skip(packs, pack);
    }
}

static enum qn_err offered_one(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields,
                               bool *is_taken)
{
    struct packs *packs = &bulk->offsite->packs;
    struct qn_digest name;
    uint64_t code, have;
    QN_TRY(read_digest(fields, &name));
    QN_TRY(qn_cursor_u64(fields, &code));
    QN_TRY(qn_cursor_u64(fields, &have));
    struct outgoing *pack = pack_find(packs, &name);
    if (pack == NULL || pack->state != OUTGOING_OFFERED || have > pack->size)
        return QN_ERR_INVALID;
    if (code == QN_OFFER_HERE) {
        packs->has_claims = *is_taken = true;
        pack_acked(packs, pack);
    } else if (code == QN_OFFER_WANTED) {
        *is_taken = true;
        pack->state = OUTGOING_WANTED;
        pack->read_at = pack->sent_at = pack->acked_at = have;
    } else {
        pack_refused(core, bulk, pack, code);
    }
    return QN_OK;
}

enum qn_err packs_offered(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct packs *packs = &bulk->offsite->packs;
    uint64_t blocked_ms = packs->blocked_ms;
    bool is_taken = false;
    size_t count;
    QN_TRY(qn_cursor_array(fields, 3 * BULK_OFFERS_MAX, &count));
    if (count % 3 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i += 3)
        QN_TRY(offered_one(core, bulk, fields, &is_taken));
    if (is_taken && packs->blocked_ms == blocked_ms)
        packs->is_full = false;
    return QN_OK;
}

/* ---- what is due ---- */

/* Nothing new any more: what was offered is still answered, and what was sent to its end may still
 * be acknowledged. */
static void wind_down(struct packs *packs)
{
    packs->needs_scan = false;
    for (size_t i = packs->queue.count; i-- > 0;) {
        struct outgoing *pack = &packs->queue.items[i];
        if (pack->state != OUTGOING_OFFERED && pack->sent_at < pack->size)
            pack_drop(packs, pack);
    }
}

void packs_tick(struct qn_core *core, struct bulk *bulk)
{
    struct packs *packs = &bulk->offsite->packs;
    if (bulk->offsite->role != ROLE_SEND)
        wind_down(packs);
    if (packs->rescan_ms != 0 && core->now_ms >= packs->rescan_ms) {
        packs->rescan_ms = 0;
        packs_look(bulk->offsite, true); /* what was put off is behind the last scan */
    } else if (packs->rescan_ms != 0) {
        core_wake(core, packs->rescan_ms);
    }
    if (bulk->is_narrow)
        packs->needs_scan = packs->is_restarted = false; /* what there is needs more */
    scan(core, bulk);
    offer(core, bulk);
    packs_read_ahead(core, bulk);
    packs_send_pieces(core, bulk);
    packs_commit_acks(core, bulk);
}
