/* PACK_OFFER, one message after the other: how much room there is, what the store says, and how
 * much of each wanted pack arrived before. */
#include "core/hold_impl.h"

/* ---- a message ---- */

static enum qn_err take_items(struct qn_cursor *fields, struct hold_offer *offer)
{
    size_t count;
    QN_TRY(qn_cursor_array(fields, 2 * BULK_OFFERS_MAX, &count));
    if (count == 0 || count % 2 != 0)
        return QN_ERR_INVALID;
    offer->count = count / 2;
    for (size_t i = 0; i < offer->count; i++) {
        struct hold_offered *item = &offer->items[i];
        QN_TRY(qn_cursor_bytes(fields, item->name.bytes, sizeof(item->name.bytes)));
        QN_TRY(qn_cursor_u64(fields, &item->size));
    }
    return QN_OK;
}

enum qn_err hold_heard_offer(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct hold *hold = bulk->hold;
    struct qn_lease_id lease;
    QN_TRY(qn_cursor_bytes(fields, lease.bytes, sizeof(lease.bytes)));
    if (hold->offers.count >= HOLD_OFFERS_MAX)
        return QN_ERR_LIMIT;
    struct hold_offer *offer = QN_NEW(struct hold_offer);
    offer->number = core_token(core);
    offer->lease = lease;
    enum qn_err err = take_items(fields, offer);
    if (err != QN_OK) {
        qn_free(offer);
        return err;
    }
    qn_vec_push(&hold->offers, offer);
    hold_offer_pump(core, bulk);
    return QN_OK;
}

static struct hold_offer *first(struct hold *hold, uint64_t number)
{
    if (hold->offers.count == 0 || hold->offers.items[0]->number != number)
        return NULL;
    return hold->offers.items[0];
}

/* ---- what the store says ---- */

static void renew_lease(struct qn_core *core, struct bulk *bulk, const struct qn_lease_id *lease)
{
    struct hold *hold = bulk->hold;
    bool is_same = hold->has_lease && memcmp(&hold->lease, lease, sizeof(*lease)) == 0;
    if (is_same && core->now_ms < hold->lease_ms)
        return;
    struct qn_buf payload;
    hold_payload(bulk, 3, &payload);
    qn_pack_bin(&payload, QN_SPAN_OF(lease->bytes));
    qn_pack_bool(&payload, false);
    hold_commit(core, bulk, QN_INTENT_HELD_LEASE, &payload, hold_tag(HOLD_QUIET, 0));
    hold->has_lease = true;
    hold->lease = *lease;
    hold->lease_ms = core->now_ms + HOLD_LEASE_MS;
}

/* A pack of this connection that is offered once more begins anew, unless it is at work. */
static void look_up(struct hold *hold, struct hold_offered *item)
{
    struct hold_pack *pack = hold_pack_named(hold, &item->name);
    item->is_asked = pack == NULL || !hold_pack_is_busy(pack);
    item->answer = QN_OFFER_LATER;
    if (pack != NULL && item->is_asked)
        hold_pack_drop(hold, pack);
}

static void decide(struct qn_core *core, struct bulk *bulk, struct hold_offer *offer)
{
    struct qn_buf payload;
    size_t asked = 0;
    for (size_t i = 0; i < offer->count; i++) {
        look_up(bulk->hold, &offer->items[i]);
        asked += offer->items[i].is_asked;
    }
    renew_lease(core, bulk, &offer->lease);
    hold_payload(bulk, 4, &payload);
    qn_pack_bin(&payload, QN_SPAN_OF(offer->lease.bytes));
    qn_pack_u64(&payload, hold_room(core, bulk->hold));
    qn_pack_array(&payload, 2 * asked);
    for (size_t i = 0; i < offer->count; i++)
        if (offer->items[i].is_asked) {
            qn_pack_bin(&payload, qn_digest_view(&offer->items[i].name));
            qn_pack_u64(&payload, offer->items[i].size);
        }
    offer->stage = HOLD_OFFER_DECIDES;
    hold_commit(core, bulk, QN_INTENT_HELD_OFFER, &payload,
                hold_tag(HOLD_OFFER_DECIDED, offer->number));
}

void hold_offer_room(struct qn_core *core, struct bulk *bulk, uint64_t number)
{
    struct hold_offer *offer = first(bulk->hold, number);
    if (offer != NULL && offer->stage == HOLD_OFFER_ASKS_ROOM)
        decide(core, bulk, offer);
}

/* From here on the owner may be told to send it. */
static void want(struct qn_core *core, struct hold *hold, struct hold_offered *item)
{
    struct hold_pack *pack = hold_pack_named(hold, &item->name) != NULL
                                 ? NULL /* it stands twice in the message */
                                 : hold_pack_want(core, hold, &item->name, item->size);
    if (pack == NULL)
        item->answer = QN_OFFER_LATER;
    else
        item->pack = pack->number;
}

static enum qn_err take_answers(struct qn_core *core, struct hold *hold, struct hold_offer *offer,
                                const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    size_t count;
    QN_TRY(outcome->err);
    QN_TRY(qn_cursor_array(&cursor, BULK_OFFERS_MAX, &count));
    for (size_t i = 0; i < offer->count; i++) {
        struct hold_offered *item = &offer->items[i];
        uint64_t answer;
        if (!item->is_asked)
            continue;
        QN_TRY(qn_cursor_u64(&cursor, &answer));
        item->answer = (enum qn_offer)answer;
        if (item->answer == QN_OFFER_WANTED)
            want(core, hold, item);
    }
    return QN_OK;
}

void hold_offer_decided(struct qn_core *core, struct bulk *bulk, uint64_t number,
                        const struct qn_outcome *outcome)
{
    struct hold_offer *offer = first(bulk->hold, number);
    if (offer == NULL)
        return;
    enum qn_err err = take_answers(core, bulk->hold, offer, outcome);
    for (size_t i = 0; err != QN_OK && i < offer->count; i++)
        offer->items[i].answer = hold_refusal(err);
    if (err != QN_OK)
        core_note(core, "commit-failed", err, "offer");
    offer->stage = HOLD_OFFER_MEASURES;
    book_touch(core);
    hold_offer_pump(core, bulk);
}

/* ---- how much of each is there ---- */

static void measure(struct qn_core *core, struct bulk *bulk, struct hold_offer *offer)
{
    struct hold *hold = bulk->hold;
    for (; offer->next < offer->count; offer->next++) {
        const struct hold_offered *item = &offer->items[offer->next];
        if (item->answer != QN_OFFER_WANTED)
            continue;
        if (hold->sizes >= HOLD_SIZES_MAX || !hold_has_file_slot(hold))
            return;
        hold_file(core, bulk, &(struct hold_file){.kind = QN_FILE_PART_SIZE, .name = item->name},
                  hold_tag(HOLD_OFFER_SIZE, item->pack));
        hold->sizes++;
        offer->measuring++;
    }
}

/* A part that is as long as the pack and has no name was cut off just before it got it, or is
 * wrong: sending it again takes less than finding out. */
static void start_over(struct qn_core *core, struct bulk *bulk, const struct hold_pack *pack)
{
    hold_file(core, bulk, &(struct hold_file){.kind = QN_FILE_REMOVE, .name = pack->name},
              hold_tag(HOLD_OFFER_SIZE, pack->number));
    bulk->hold->sizes++;
    bulk->hold->offers.items[0]->measuring++;
}

static void measured(struct qn_core *core, struct bulk *bulk, struct hold_offered *item,
                     struct hold_pack *pack, const struct qn_file_result *result)
{
    if (result->err != QN_OK) {
        core_note(core, "held-file-failed", result->err, "");
        item->answer = QN_OFFER_LATER;
        hold_pack_drop(bulk->hold, pack);
        return;
    }
    if (result->size >= pack->size) {
        start_over(core, bulk, pack);
        return;
    }
    item->have = pack->next = pack->have = result->size;
    pack->state = HOLD_PACK_READY;
    if (result->size > 0)
        hold_part_began(bulk->hold, &pack->name);
}

void hold_offer_measured(struct qn_core *core, struct bulk *bulk, uint64_t number,
                         const struct qn_file_result *result)
{
    struct hold *hold = bulk->hold;
    struct hold_offer *offer = hold->offers.count == 0 ? NULL : hold->offers.items[0];
    struct hold_pack *pack = hold_pack_of(hold, number);
    hold->sizes--;
    if (offer == NULL || pack == NULL)
        return;
    offer->measuring--;
    for (size_t i = 0; i < offer->count; i++)
        if (offer->items[i].answer == QN_OFFER_WANTED && offer->items[i].pack == number) {
            measured(core, bulk, &offer->items[i], pack, result);
            return;
        }
}

static void answer(struct qn_core *core, struct bulk *bulk)
{
    struct hold *hold = bulk->hold;
    struct hold_offer *offer = hold->offers.items[0];
    struct qn_buf *out = core_message(core, QN_MSG_PACK_OFFERED, 1);
    qn_pack_array(out, 3 * offer->count);
    for (size_t i = 0; i < offer->count; i++) {
        qn_pack_bin(out, qn_digest_view(&offer->items[i].name));
        qn_pack_u64(out, offer->items[i].answer);
        qn_pack_u64(out, offer->items[i].have);
    }
    bulk_send(core, bulk);
    qn_free(offer);
    qn_vec_remove(&hold->offers, 0);
}

static bool waits_for_old(const struct hold *hold)
{
    qn_vec_each (&hold->packs, pack)
        if (pack->is_old)
            return true;
    return false;
}

static void begin(struct qn_core *core, struct bulk *bulk, struct hold_offer *offer)
{
    if (waits_for_old(bulk->hold) || !hold_has_file_slot(bulk->hold))
        return;
    offer->stage = HOLD_OFFER_ASKS_ROOM;
    hold_ask_room(core, bulk, hold_tag(HOLD_OFFER_ROOM, offer->number));
}

void hold_offer_pump(struct qn_core *core, struct bulk *bulk)
{
    struct hold *hold = bulk->hold;
    while (hold->offers.count > 0) {
        struct hold_offer *offer = hold->offers.items[0];
        if (offer->stage == HOLD_OFFER_WAITS)
            begin(core, bulk, offer);
        if (offer->stage == HOLD_OFFER_MEASURES)
            measure(core, bulk, offer);
        if (offer->stage != HOLD_OFFER_MEASURES || offer->next < offer->count ||
            offer->measuring > 0)
            return;
        answer(core, bulk);
    }
}
