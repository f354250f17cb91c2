/* What is known of others is stored now and then, many rows an intent. It is hints (model/peers.h):
 * what does not fit one turn is stored a little later, what does not fit the last one is lost. */
#include "core/state.h"

#define PERSIST_MS       30000 /* at most so often */
#define PERSIST_MORE_MS  1000  /* if something was left */
#define INTENT_SIZE_WISH (256 * 1024)
#define TURN_SIZE_MAX    (4 * 1024 * 1024) /* of the writer's queue, which is for others too */

struct turn {
    struct qn_core *core;
    struct qn_buf rows; /* of the next intent */
    size_t count;
    size_t size; /* of the intents before it */
};

static void flush(struct turn *turn)
{
    if (turn->count == 0)
        return;
    struct qn_buf payload;
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX + INTENT_SIZE_WISH);
    qn_pack_array(&payload, turn->count);
    qn_pack_raw(&payload, qn_buf_view(&turn->rows));
    core_commit(turn->core, QN_INTENT_PEER_CLOCKS, &payload, PENDING_QUIET);
    core_last_intent(turn->core)->op_count = turn->count;
    turn->size += turn->rows.size;
    turn->count = 0;
    qn_buf_reset(&turn->rows);
}

/* False when this turn is over: the row stays for the next one. */
static bool add_known(struct turn *turn, const struct coll *coll, struct known *known)
{
    if (turn->rows.size >= INTENT_SIZE_WISH || turn->count >= QN_TXN_OPS_MAX)
        flush(turn);
    if (turn->size >= TURN_SIZE_MAX)
        return false;
    qn_pack_array(&turn->rows, 4);
    qn_pack_bin(&turn->rows, QN_SPAN_OF(coll->id.bytes));
    qn_pack_bin(&turn->rows, QN_SPAN_OF(known->site.bytes));
    qn_vv_pack(&known->clock, &turn->rows);
    qn_pack_u64(&turn->rows, known->heard_ms);
    turn->count++;
    known->is_dirty = false;
    return true;
}

/* Whether all of it was stored. */
static bool persist_clocks(struct qn_core *core)
{
    struct turn turn = {.core = core};
    bool has_room = true;
    qn_buf_init(&turn.rows, QN_FRAME_SIZE_MAX + INTENT_SIZE_WISH - 16);
    qn_vec_each (&core->colls, slot)
        qn_vec_each (&(*slot)->known, known)
            if (has_room && (*known)->is_dirty)
                has_room = add_known(&turn, *slot, *known);
    flush(&turn);
    qn_buf_deinit(&turn.rows);
    return has_room;
}

static void persist_contact(struct qn_core *core, struct peer *peer)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_ANNOUNCEMENT_SIZE_MAX + 256);
    qn_pack_array(&payload, 3);
    qn_pack_bin(&payload, QN_SPAN_OF(peer->site.bytes));
    qn_pack_bin(&payload, qn_span(peer->announcement, peer->announcement_size));
    qn_pack_u64(&payload, peer->contact_ms);
    core_commit(core, QN_INTENT_SITE_CONTACT, &payload, PENDING_QUIET);
    peer->is_contact_dirty = false;
}

uint64_t core_persist(struct qn_core *core, bool is_forced)
{
    if (!is_forced && core->now_ms < core->persist_ms)
        return core->persist_ms;
    bool is_all = persist_clocks(core);
    qn_vec_each (&core->peers, peer)
        if ((*peer)->is_contact_dirty)
            persist_contact(core, *peer);
    core->persist_ms = core->now_ms + (is_all ? PERSIST_MS : PERSIST_MORE_MS);
    return core->persist_ms;
}
