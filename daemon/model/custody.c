/* Agreements and packs. */
#include "model/custody_impl.h"

static uint64_t left(uint64_t whole, uint64_t used)
{
    return whole > used ? whole - used : 0;
}

enum qn_err qn_custody_open(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t *ret_now_ms,
                            struct qn_held *ret_held)
{
    QN_TRY(qn_lock_now(kv, ret_now_ms));
    enum qn_err err = qn_held_get(kv, owner, ret_held);
    if (err == QN_ERR_NOTFOUND || (err == QN_OK && ret_held->is_ended))
        return QN_ERR_DENIED;
    return err;
}

/* ---- the agreement ---- */

static enum qn_err agree_new(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t now_ms,
                             const struct qn_custody_terms *terms)
{
    if (terms->is_ended)
        return QN_OK;
    struct qn_held held = {.quota_bytes = terms->quota_bytes,
                           .lock_days = terms->lock_days,
                           .since_lock_ms = now_ms,
                           .scrub_plan_ms = now_ms};
    return qn_held_put(kv, owner, &held);
}

enum qn_err qn_custody_agree(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_custody_terms *terms)
{
    uint64_t now_ms;
    struct qn_held held;
    if (!terms->is_ended && terms->lock_days > QN_LOCK_DAYS_MAX)
        return QN_ERR_LIMIT;
    QN_TRY(qn_lock_now(kv, &now_ms));
    enum qn_err err = qn_held_get(kv, owner, &held);
    if (err == QN_ERR_NOTFOUND)
        return agree_new(kv, owner, now_ms, terms);
    QN_TRY(err);
    bool is_same = held.is_ended == terms->is_ended &&
                   (terms->is_ended ||
                    (held.quota_bytes == terms->quota_bytes && held.lock_days == terms->lock_days));
    if (is_same)
        return QN_OK;
    held.is_ended = terms->is_ended;
    if (!terms->is_ended) {
        QN_TRY(qn_gone_reset(kv, owner));
        held.quota_bytes = terms->quota_bytes;
        held.lock_days = terms->lock_days;
    }
    return qn_held_put(kv, owner, &held);
}

enum qn_err qn_custody_expect(struct qn_kv *kv, const struct qn_site_id *owner,
                              uint64_t interval_ms)
{
    uint64_t now_ms;
    struct qn_held held;
    QN_TRY(qn_custody_open(kv, owner, &now_ms, &held));
    if (held.interval_ms == interval_ms)
        return QN_OK;
    bool is_missed_later =
        held.interval_ms > 0 && (interval_ms == 0 || interval_ms > held.interval_ms);
    if (is_missed_later)
        held.alarms |= QN_HELD_ALARM_EXPECT;
    held.interval_ms = interval_ms;
    return qn_held_put(kv, owner, &held);
}

enum qn_err qn_custody_calm(struct qn_kv *kv, const struct qn_site_id *owner, uint32_t alarms)
{
    struct qn_held held;
    QN_TRY(qn_held_get(kv, owner, &held));
    held.alarms &= ~alarms;
    return qn_held_put(kv, owner, &held);
}

bool qn_held_is_overdue(const struct qn_held *held, uint64_t lock_ms)
{
    if (held->interval_ms == 0 || held->is_ended)
        return false;
    uint64_t last_ms = held->snapshot_lock_ms > 0 ? held->snapshot_lock_ms : held->since_lock_ms;
    uint64_t silent_ms = left(lock_ms, last_ms);
    return left(silent_ms, held->interval_ms) > held->interval_ms / 2;
}

static enum qn_err raise(struct qn_kv *kv, const struct qn_site_id *owner, struct qn_held *held,
                         enum qn_held_alarm alarm)
{
    if ((held->alarms & alarm) != 0)
        return QN_OK;
    held->alarms |= alarm;
    return qn_held_put(kv, owner, held);
}

/* ---- packs ---- */

static enum qn_err lease_runs(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_lease_id *id, uint64_t now_ms, bool *ret_runs)
{
    struct qn_held_lease lease;
    *ret_runs = false;
    if (id == NULL)
        return QN_OK;
    enum qn_err err = qn_held_lease_get(kv, owner, id, &lease);
    QN_TRY(qn_may_miss(err));
    *ret_runs = err == QN_OK && now_ms < lease.expires_ms;
    return QN_OK;
}

/* A writer relies on a pack that came before it began. */
static enum qn_err touch(struct qn_kv *kv, const struct qn_site_id *owner,
                         const struct qn_custody_offer *offer, const struct qn_digest *name,
                         struct qn_held_pack *pack)
{
    uint64_t now_ms;
    bool runs;
    QN_TRY(qn_lock_now(kv, &now_ms));
    QN_TRY(lease_runs(kv, owner, offer->lease, now_ms, &runs));
    if (!runs || pack->touched_ms >= now_ms)
        return QN_OK;
    pack->touched_ms = now_ms;
    return qn_held_pack_put(kv, owner, name, pack);
}

static enum qn_err offer_known(struct qn_kv *kv, const struct qn_site_id *owner,
                               const struct qn_custody_offer *offer, const struct qn_digest *name,
                               uint64_t size, struct qn_held_pack *pack, enum qn_offer *ret_offer)
{
    if (pack->is_condemned) {
        *ret_offer = QN_OFFER_LATER;
    } else if (pack->size != size) {
        *ret_offer = QN_OFFER_SIZE;
    } else if (pack->is_bad) {
        *ret_offer = QN_OFFER_WANTED; /* its place is counted already */
    } else {
        *ret_offer = QN_OFFER_HERE;
        return touch(kv, owner, offer, name, pack);
    }
    return QN_OK;
}

static enum qn_err offer_new(struct qn_kv *kv, const struct qn_site_id *owner, struct qn_held *held,
                             struct qn_custody_offer *offer, uint64_t size,
                             enum qn_offer *ret_offer)
{
    if (size > left(left(held->quota_bytes, held->used_bytes), offer->claimed_bytes)) {
        *ret_offer = QN_OFFER_QUOTA;
        return raise(kv, owner, held, QN_HELD_ALARM_QUOTA);
    }
    if (size > left(offer->room_bytes, offer->claimed_bytes)) {
        *ret_offer = QN_OFFER_ROOM;
        return raise(kv, owner, held, QN_HELD_ALARM_ROOM);
    }
    offer->claimed_bytes += size;
    *ret_offer = QN_OFFER_WANTED;
    return QN_OK;
}

enum qn_err qn_custody_offer(struct qn_kv *kv, const struct qn_site_id *owner,
                             struct qn_custody_offer *offer, const struct qn_digest *name,
                             uint64_t size, enum qn_offer *ret_offer)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_held_pack pack;
    *ret_offer = QN_OFFER_DENIED;
    enum qn_err err = qn_custody_open(kv, owner, &now_ms, &held);
    if (err == QN_ERR_DENIED)
        return QN_OK;
    QN_TRY(err);
    *ret_offer = QN_OFFER_SIZE;
    if (size == 0 || size > QN_HELD_PACK_SIZE_MAX)
        return QN_OK;
    err = qn_held_pack_get(kv, owner, name, &pack);
    if (err == QN_ERR_NOTFOUND)
        return offer_new(kv, owner, &held, offer, size, ret_offer);
    QN_TRY(err);
    return offer_known(kv, owner, offer, name, size, &pack, ret_offer);
}

static enum qn_err store_new(struct qn_kv *kv, const struct qn_site_id *owner, struct qn_held *held,
                             uint64_t now_ms, const struct qn_digest *name, uint64_t size)
{
    if (size > left(held->quota_bytes, held->used_bytes)) {
        QN_TRY(raise(kv, owner, held, QN_HELD_ALARM_QUOTA));
        return QN_ERR_LIMIT;
    }
    struct qn_held_pack pack = {.size = size,
                                .received_ms = now_ms,
                                .touched_ms = now_ms,
                                .locked_until_ms = qn_ms_after(now_ms, held->lock_days)};
    held->used_bytes += size;
    held->pack_count++;
    qn_held_count(held, name, true);
    QN_TRY(qn_held_pack_put(kv, owner, name, &pack));
    return qn_held_put(kv, owner, held);
}

static enum qn_err store_again(struct qn_kv *kv, const struct qn_site_id *owner,
                               struct qn_held *held, uint64_t now_ms, const struct qn_digest *name,
                               struct qn_held_pack *pack)
{
    uint64_t until_ms = qn_ms_after(now_ms, held->lock_days);
    if (until_ms > pack->locked_until_ms)
        pack->locked_until_ms = until_ms;
    pack->touched_ms = now_ms;
    qn_held_make_good(held, name, pack);
    QN_TRY(qn_held_pack_put(kv, owner, name, pack));
    return qn_held_put(kv, owner, held);
}

enum qn_err qn_custody_stored(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_digest *name, uint64_t size)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_held_pack pack;
    QN_TRY(qn_custody_open(kv, owner, &now_ms, &held));
    if (size == 0 || size > QN_HELD_PACK_SIZE_MAX)
        return QN_ERR_INVALID;
    enum qn_err err = qn_held_pack_get(kv, owner, name, &pack);
    if (err == QN_ERR_NOTFOUND)
        return store_new(kv, owner, &held, now_ms, name, size);
    QN_TRY(err);
    if (pack.is_condemned)
        return QN_ERR_BUSY;
    if (pack.size != size)
        return QN_ERR_EXISTS;
    return store_again(kv, owner, &held, now_ms, name, &pack);
}

enum qn_err qn_held_names(struct qn_kv *kv, const struct qn_site_id *owner,
                          const struct qn_digest *after, size_t count_max, struct qn_digest *out,
                          size_t *ret_count, bool *ret_is_end)
{
    struct qn_digest at = {0};
    bool is_first = after == NULL;
    size_t count = 0;
    if (!is_first)
        at = *after;
    while (count < count_max) {
        struct qn_held_pack pack;
        enum qn_err err = qn_held_pack_next(kv, owner, is_first ? NULL : &at, &at, &pack);
        *ret_is_end = err == QN_ERR_NOTFOUND;
        *ret_count = count;
        if (*ret_is_end)
            return QN_OK;
        QN_TRY(err);
        is_first = false;
        if (qn_held_pack_is_good(&pack))
            out[count++] = at;
    }
    *ret_is_end = false;
    *ret_count = count;
    return QN_OK;
}
