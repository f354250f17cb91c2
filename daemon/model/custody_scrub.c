/* Reading what is held, evenly, and what becomes of a pack that is damaged.
 *
 * The packs are read in the order of their names, around and around, one step each time
 * QN_HELD_SCRUB_ROUND_DAYS / packs have passed. Wherever a pack arrives, at most all the others are
 * before it, so it is read within a round; a round is shorter than QN_HELD_SCRUB_DAYS, because
 * steps become longer when packs go. */
#include "model/custody_impl.h"

void qn_held_make_good(struct qn_held *held, const struct qn_digest *name,
                       struct qn_held_pack *pack)
{
    if (!pack->is_bad)
        return;
    pack->is_bad = false;
    qn_held_count(held, name, true);
    if (--held->bad_count == 0)
        held->alarms &= ~(uint32_t)QN_HELD_ALARM_BAD;
}

/* One step of the way around: all packs in QN_HELD_SCRUB_ROUND_DAYS. */
static uint64_t step_ms(const struct qn_held *held)
{
    uint64_t count = held->pack_count > 0 ? held->pack_count : 1;
    return QN_HELD_SCRUB_ROUND_DAYS * QN_DAY_MS / count;
}

static uint64_t due_ms(const struct qn_held *held)
{
    return held->scrub_done > 0 ? held->scrub_plan_ms + step_ms(held) : held->scrub_plan_ms;
}

/* The first pack behind `after` that can be read. */
static enum qn_err next_good(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_digest *after, struct qn_digest *ret_name,
                             struct qn_held_pack *ret_pack)
{
    for (const struct qn_digest *at = after;; at = ret_name) {
        QN_TRY(qn_held_pack_next(kv, owner, at, ret_name, ret_pack));
        if (qn_held_pack_is_good(ret_pack))
            return QN_OK;
    }
}

/* In the order of names, around and around. */
static enum qn_err scrub_next(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_held *held, struct qn_digest *ret_name,
                              struct qn_held_pack *ret_pack)
{
    enum qn_err err =
        next_good(kv, owner, held->scrub_done > 0 ? &held->scrub_at : NULL, ret_name, ret_pack);
    if (err != QN_ERR_NOTFOUND || held->scrub_done == 0)
        return err;
    return next_good(kv, owner, NULL, ret_name, ret_pack);
}

enum qn_err qn_custody_scrub_next(struct qn_kv *kv, const struct qn_site_id *owner,
                                  struct qn_digest *ret_pack, uint64_t *ret_size,
                                  uint64_t *ret_due_ms)
{
    struct qn_held held;
    struct qn_held_pack pack;
    QN_TRY(qn_held_get(kv, owner, &held));
    QN_TRY(scrub_next(kv, owner, &held, ret_pack, &pack));
    *ret_size = pack.size;
    *ret_due_ms = due_ms(&held);
    return QN_OK;
}

/* When this step was to be made, so that what was late is caught up with. Nothing is made up for
 * before the first pack, nor for more than a round. */
static uint64_t plan_ms(const struct qn_held *held, uint64_t now_ms)
{
    uint64_t round_ms = QN_HELD_SCRUB_ROUND_DAYS * QN_DAY_MS, plan = due_ms(held);
    uint64_t earliest_ms = now_ms > round_ms ? now_ms - round_ms : 0;
    if (held->scrub_done == 0 || plan > now_ms)
        return now_ms;
    return plan > earliest_ms ? plan : earliest_ms;
}

/* Only the pack whose turn it is moves on: others are read because somebody asked. */
static enum qn_err move_on(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t now_ms,
                           const struct qn_digest *name, struct qn_held *held)
{
    struct qn_digest next;
    struct qn_held_pack pack;
    enum qn_err err = scrub_next(kv, owner, held, &next, &pack);
    QN_TRY(qn_may_miss(err));
    if (err != QN_OK || !qn_digest_eq(&next, name))
        return QN_OK;
    held->scrub_plan_ms = plan_ms(held, now_ms);
    held->scrub_done++;
    held->scrub_at = *name;
    return QN_OK;
}

static void make_bad(struct qn_held *held, const struct qn_digest *name, struct qn_held_pack *pack)
{
    if (pack->is_bad)
        return;
    pack->is_bad = true;
    held->bad_count++;
    held->alarms |= QN_HELD_ALARM_BAD;
    qn_held_count(held, name, false);
}

enum qn_err qn_custody_scrubbed(struct qn_kv *kv, const struct qn_site_id *owner,
                                const struct qn_digest *name, bool is_good)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_held_pack pack;
    QN_TRY(qn_lock_now(kv, &now_ms));
    QN_TRY(qn_held_get(kv, owner, &held));
    QN_TRY(qn_held_pack_get(kv, owner, name, &pack));
    if (pack.is_condemned)
        return QN_ERR_BUSY;
    QN_TRY(move_on(kv, owner, now_ms, name, &held));
    pack.scrubbed_ms = now_ms;
    if (is_good)
        qn_held_make_good(&held, name, &pack);
    else
        make_bad(&held, name, &pack);
    QN_TRY(qn_held_pack_put(kv, owner, name, &pack));
    return qn_held_put(kv, owner, &held);
}
