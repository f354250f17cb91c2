/* Values that no site will ever bring as operations: their writer lost them before anybody had
 * them, and pages had carried them on (docs/records.md, "Phantom dots"). The collection stays late
 * for ever, unless they are written anew; by itself only when a day has shown that nobody has them.
 */
#include "core/call.h"
#include "core/late.h"

#define DAY_MS   ((uint64_t)24 * 3600 * 1000)
#define NOTE_MS  ((uint64_t)3600 * 1000) /* how often it is noted how much of the day went by */
#define ROW_NAME "late/"
#define ROW_SIZE 16 /* ms that went by, wall clock of the beginning */

/* ---- the day, which a restart does not begin anew ---- */

static struct qn_span row_key(const struct coll *coll, uint8_t bytes[sizeof(ROW_NAME) + 32])
{
    _Static_assert(sizeof(coll->id.bytes) <= 32, "it fits");
    memcpy(bytes, ROW_NAME, sizeof(ROW_NAME) - 1);
    memcpy(bytes + sizeof(ROW_NAME) - 1, coll->id.bytes, sizeof(coll->id.bytes));
    return qn_span(bytes, sizeof(ROW_NAME) - 1 + sizeof(coll->id.bytes));
}

enum qn_err rescue_load(struct coll *coll, struct qn_kv *kv)
{
    uint8_t key[sizeof(ROW_NAME) + 32];
    struct qn_span row;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_LOCAL, row_key(coll, key), &row);
    if (err != QN_OK || row.size != ROW_SIZE)
        return err == QN_ERR_NOTFOUND ? QN_OK : err;
    coll->stuck_before_ms = qn_read_u64(row.data);
    coll->stuck_wall_ms = qn_read_u64(row.data + 8);
    coll->is_stuck_noted = true;
    return QN_OK;
}

static void note(struct qn_core *core, struct coll *coll, bool is_stuck)
{
    struct qn_buf payload;
    uint8_t key[sizeof(ROW_NAME) + 32], row[ROW_SIZE];
    qn_write_u64(row, core->now_ms - coll->stuck_ms);
    qn_write_u64(row + 8, coll->stuck_wall_ms);
    qn_buf_init(&payload, 128);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, row_key(coll, key));
    if (is_stuck)
        qn_pack_bin(&payload, QN_SPAN_OF(row));
    else
        qn_pack_nil(&payload);
    core_commit(core, QN_INTENT_LATE_DAY, &payload, PENDING_QUIET);
    coll->is_stuck_noted = is_stuck;
    coll->stuck_note_ms = core->now_ms + NOTE_MS;
}

static void begin_day(struct qn_core *core, struct coll *coll)
{
    uint64_t before = coll->stuck_before_ms < DAY_MS ? coll->stuck_before_ms : DAY_MS;
    coll->stuck_ms = core->now_ms - before; /* may wrap: only differences count */
    if (coll->stuck_before_ms == 0)
        coll->stuck_wall_ms = core->wall_ms;
    coll->stuck_before_ms = 0;
    coll->is_stuck = true;
    coll->stuck_note_ms = core->now_ms + NOTE_MS;
}

static void end_day(struct qn_core *core, struct coll *coll)
{
    coll->is_stuck = false;
    coll->stuck_before_ms = 0;
    if (coll->is_stuck_noted)
        note(core, coll, false);
}

/* ---- who knows what ---- */

/* What all members have, as far as it is known, and this site. */
static void join_clocks(const struct qn_core *core, const struct coll *coll, struct qn_vv *all)
{
    qn_vv_copy(all, &coll->cc);
    qn_vec_each (&coll->known, known)
        if (core_shares(core, coll, &(*known)->site))
            qn_vv_join(all, &(*known)->clock);
}

static void pack_intent(const struct qn_core *core, const struct coll *coll, bool is_alone,
                        struct qn_buf *ret_payload)
{
    QN_AUTO_VV struct qn_vv all = {0};
    if (is_alone)
        qn_vv_copy(&all, &coll->cc);
    else
        join_clocks(core, coll, &all);
    qn_buf_init(ret_payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(ret_payload, 2);
    qn_pack_bin(ret_payload, QN_SPAN_OF(coll->id.bytes));
    qn_vv_pack(&all, ret_payload);
}

/* Whether every other member has been heard of since, and none has anything that is not here. */
static bool nobody_has_more(const struct qn_core *core, const struct coll *coll, uint64_t since_ms)
{
    qn_vec_each (&core->peers, peer) {
        const struct known *known = coll_known_of(coll, &(*peer)->site);
        if (!core_shares(core, coll, &(*peer)->site))
            continue;
        if (known == NULL || known->heard_ms < since_ms || !qn_vv_covers(&coll->cc, &known->clock))
            return false;
    }
    return true;
}

/* Of the late members, which are all here, the one with the lowest identity writes anew what it
 * has; then it can be the source (late.c). It may be the only one that is left. Either no member is
 * clean, and nobody can bring what others have; or, `beside_clean`, the clean ones have nothing
 * that is not here: what this site waits for only late ones have, which wait as well, perhaps for
 * what is here. */
static bool is_first_of_late(const struct qn_core *core, const struct coll *coll, bool beside_clean)
{
    qn_vec_each (&core->peers, peer) {
        if (!core_shares(core, coll, &(*peer)->site))
            continue;
        const struct share *share = peer_share(*peer, &coll->id);
        if (share == NULL || (beside_clean && !share->has_clock))
            return false;
        bool is_behind =
            share->is_late_there
                ? qn_site_id_cmp(&core->site, &(*peer)->site) < 0
                : beside_clean &&
                      qn_vv_covers(&coll->cc, &coll_known_of(coll, &(*peer)->site)->clock);
        if (!is_behind)
            return false;
    }
    return true;
}

static void rescue(struct qn_core *core, struct coll *coll, bool is_alone)
{
    struct qn_buf payload;
    pack_intent(core, coll, is_alone, &payload);
    core_commit(core, QN_INTENT_RESCUE, &payload, PENDING_LATE)->coll = coll->id;
    coll->is_rescuing = true;
    end_day(core, coll);
}

/* Neither a pass nor catch-up brings it on. */
static bool is_stuck(const struct coll *coll)
{
    bool has_source = coll->pass != NULL && (coll->pass->link != 0 || coll->pass->is_stopped);
    return coll->info.late.is_late && !coll->is_rescuing && !coll->is_becoming_late && !has_source;
}

void rescue_tick(struct qn_core *core, struct coll *coll)
{
    if (!is_stuck(coll)) {
        if (coll->is_stuck || coll->is_stuck_noted)
            end_day(core, coll);
        return;
    }
    if (!coll->is_stuck)
        begin_day(core, coll);
    uint64_t went_by_ms = core->now_ms - coll->stuck_ms;
    if (went_by_ms < DAY_MS) {
        if (core->now_ms >= coll->stuck_note_ms)
            note(core, coll, true);
        core_wake(core, core->now_ms + (DAY_MS - went_by_ms));
        core_wake(core, coll->stuck_note_ms);
    } else if (is_first_of_late(core, coll, false)) {
        rescue(core, coll, true);
    } else if (!coll->info.late.is_passing && nobody_has_more(core, coll, coll->stuck_wall_ms)) {
        rescue(core, coll, false);
    } else if (!coll->info.late.is_passing && is_first_of_late(core, coll, true)) {
        rescue(core, coll, true);
    }
}

/* Somebody knows that who else had it will not come back. */
void call_collection_rescue(const struct call *call)
{
    const struct coll *coll = call_collection(call);
    struct qn_buf payload;
    if (coll == NULL)
        return;
    if (!coll->info.late.is_late) {
        call_fail(call, QN_ERR_STATE, "not-late", qn_span_str(coll->shown));
        return;
    }
    pack_intent(call->core, coll, is_first_of_late(call->core, coll, false), &payload);
    call_commit(call, QN_INTENT_RESCUE, &payload, qn_span_str(coll->shown));
}
