/* What nothing holds any more, found by marking: no counter that could go wrong decides about a
 * pack. Of all lists only the names in the range of the packs that are looked at are read. */
#include "base/search.h"
#include "model/bugs.h"
#include "model/custody_impl.h"

#define DROPS_MAX 4 /* lists dropped in one step: up to 259 rows each */

struct candidate {
    struct qn_digest name;
    struct qn_held_pack pack;
    bool is_held;
};

struct sweep {
    struct qn_kv *kv;
    const struct qn_site_id *owner;
    uint64_t now_ms;
    struct qn_held held;
    struct qn_held_leases leases;
    QN_VEC(struct qn_digest) lists; /* those that hold what they name: at most QN_HELD_LISTS_MAX */
    struct candidate *packs;        /* ascending */
    size_t count;
};

/* Lists that hold nothing any more are passed over whether they are dropped yet or not. */
static enum qn_err find_lists(struct sweep *sweep)
{
    struct qn_held_list list;
    struct qn_digest after;
    unsigned drops = 0;
    enum qn_err err = qn_held_list_next(sweep->kv, sweep->owner, NULL, &list);
    for (; err == QN_OK; err = qn_held_list_next(sweep->kv, sweep->owner, &after, &list)) {
        after = list.id;
        if (qn_held_list_holds(&list, &sweep->held, sweep->now_ms))
            qn_vec_push(&sweep->lists, list.id);
        else if (drops++ < DROPS_MAX)
            QN_TRY(qn_held_list_drop(sweep->kv, sweep->owner, &list, &sweep->held));
        if (sweep->lists.count > QN_HELD_LISTS_MAX)
            return QN_ERR_CORRUPT;
    }
    return qn_may_miss(err);
}

static bool is_leased(const struct sweep *sweep, const struct qn_held_pack *pack)
{
    for (size_t i = 0; i < sweep->leases.count; i++)
        if (pack->touched_ms >= sweep->leases.items[i].started_ms)
            return true;
    return false;
}

static enum qn_err find_packs(struct sweep *sweep, size_t count_max, struct qn_custody_sweep *at)
{
    static const struct qn_digest zero = {0};
    struct qn_digest name = at->after;
    bool is_first = qn_digest_eq(&name, &zero);
    at->is_end = false;
    while (sweep->count < count_max) {
        struct candidate *candidate = &sweep->packs[sweep->count];
        enum qn_err err = qn_held_pack_next(sweep->kv, sweep->owner, is_first ? NULL : &name,
                                            &candidate->name, &candidate->pack);
        at->is_end = err == QN_ERR_NOTFOUND;
        if (at->is_end)
            return QN_OK;
        QN_TRY(err);
        is_first = false;
        name = candidate->name;
        candidate->is_held =
            (sweep->now_ms < candidate->pack.locked_until_ms && !QN_BUG(QN_BUG_LOCK_IGNORED)) ||
            (is_leased(sweep, &candidate->pack) && !QN_BUG(QN_BUG_LOCK_IGNORED));
        sweep->count++;
    }
    return QN_OK;
}

/* Both ascend. */
static void mark_names(struct sweep *sweep, struct qn_span names, size_t *at)
{
    for (size_t i = 0; i < names.size / QN_DIGEST_SIZE && *at < sweep->count;) {
        int order = qn_digest_cmp(qn_name_at(names, i), &sweep->packs[*at].name);
        if (order == 0)
            sweep->packs[*at].is_held = true;
        i += order <= 0;
        *at += order >= 0;
    }
}

static enum qn_err mark_list(struct sweep *sweep, const struct qn_digest *list)
{
    for (size_t at = 0; at < sweep->count;) {
        struct qn_span names;
        enum qn_err err =
            qn_held_list_chunk(sweep->kv, sweep->owner, list, &sweep->packs[at].name, &names);
        if (err == QN_ERR_NOTFOUND)
            return QN_OK;
        QN_TRY(err);
        mark_names(sweep, names, &at);
    }
    return QN_OK;
}

static enum qn_err condemn(struct sweep *sweep, struct candidate *candidate)
{
    struct qn_held *held = &sweep->held;
    struct qn_held_pack *pack = &candidate->pack;
    if (held->pack_count == 0 || held->used_bytes < pack->size)
        return QN_ERR_CORRUPT;
    if (pack->is_bad)
        qn_held_make_good(held, &candidate->name, pack);
    qn_held_count(held, &candidate->name, false);
    held->pack_count--;
    held->used_bytes -= pack->size;
    pack->is_condemned = true;
    return qn_held_pack_put(sweep->kv, sweep->owner, &candidate->name, pack);
}

static enum qn_err let_go(struct sweep *sweep, struct qn_buf *unlink)
{
    for (size_t i = 0; i < sweep->count; i++) {
        struct candidate *candidate = &sweep->packs[i];
        if (!candidate->pack.is_condemned) {
            if (candidate->is_held)
                continue;
            QN_TRY(condemn(sweep, candidate));
        }
        qn_buf_append_span(unlink, qn_digest_view(&candidate->name));
    }
    return qn_buf_status(unlink);
}

static enum qn_err sweep_step(struct sweep *sweep, size_t count_max, struct qn_custody_sweep *at,
                              struct qn_buf *unlink)
{
    QN_TRY(qn_held_leases(sweep->kv, sweep->owner, sweep->now_ms, &sweep->held, &sweep->leases));
    QN_TRY(find_lists(sweep));
    QN_TRY(find_packs(sweep, count_max, at));
    qn_vec_each (&sweep->lists, list)
        QN_TRY(mark_list(sweep, list));
    QN_TRY(let_go(sweep, unlink));
    if (sweep->count > 0)
        at->after = sweep->packs[sweep->count - 1].name;
    return qn_held_put(sweep->kv, sweep->owner, &sweep->held);
}

enum qn_err qn_custody_sweep(struct qn_kv *kv, const struct qn_site_id *owner,
                             size_t pack_count_max, struct qn_custody_sweep *at,
                             struct qn_buf *unlink)
{
    struct sweep sweep = {.kv = kv, .owner = owner};
    if (pack_count_max == 0 || pack_count_max > QN_HELD_SWEEP_PACKS_MAX)
        return QN_ERR_INVALID;
    QN_TRY(qn_lock_now(kv, &sweep.now_ms));
    QN_TRY(qn_held_get(kv, owner, &sweep.held));
    sweep.packs = qn_alloc(pack_count_max * sizeof(sweep.packs[0]));
    struct qn_custody_sweep next = *at;
    enum qn_err err = sweep_step(&sweep, pack_count_max, &next, unlink);
    if (err == QN_OK)
        *at = next;
    qn_free(sweep.packs);
    qn_vec_free(&sweep.lists);
    return err;
}

/* ---- when the files are gone ---- */

static enum qn_err check_condemned(struct qn_kv *kv, const struct qn_site_id *owner,
                                   struct qn_span names)
{
    for (size_t i = 0; i < names.size / QN_DIGEST_SIZE; i++) {
        struct qn_held_pack pack;
        enum qn_err err = qn_held_pack_get(kv, owner, qn_name_at(names, i), &pack);
        QN_TRY(qn_may_miss(err));
        if (err == QN_OK && !pack.is_condemned)
            return QN_ERR_STATE;
    }
    return QN_OK;
}

static enum qn_err drop_row(struct qn_kv *kv, const struct qn_site_id *owner,
                            const struct qn_digest *name, struct qn_gone *gone)
{
    struct qn_held_pack pack;
    struct qn_key key;
    enum qn_err err = qn_held_pack_get(kv, owner, name, &pack);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    gone->packs++;
    gone->bytes += pack.size;
    qn_key_held(&key, owner, name);
    return qn_kv_del(kv, QN_TABLE_HELD_PACK, qn_key_view(&key));
}

enum qn_err qn_custody_unlinked(struct qn_kv *kv, const struct qn_site_id *owner,
                                struct qn_span names)
{
    if (names.size % QN_DIGEST_SIZE != 0)
        return QN_ERR_INVALID;
    QN_TRY(check_condemned(kv, owner, names));
    struct qn_gone gone = {0};
    for (size_t i = 0; i < names.size / QN_DIGEST_SIZE; i++)
        QN_TRY(drop_row(kv, owner, qn_name_at(names, i), &gone));
    struct qn_held held;
    enum qn_err err = qn_held_get(kv, owner, &held);
    QN_TRY(qn_may_miss(err));
    bool counts = err == QN_OK && held.is_ended && gone.packs > 0;
    return counts ? qn_gone_add(kv, owner, &gone) : QN_OK;
}

/* ---- for people ---- */

static int order_of_name(const void *item, const void *key)
{
    return qn_digest_cmp(item, key);
}

static enum qn_err list_until(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_held *held, const struct qn_held_list *list,
                              const struct qn_digest *name, uint64_t *until_ms)
{
    struct qn_span names;
    if (!list->is_whole)
        return QN_OK;
    enum qn_err err = qn_held_list_chunk(kv, owner, &list->id, name, &names);
    QN_TRY(qn_may_miss(err));
    if (err != QN_OK)
        return QN_OK;
    bool is_named;
    (void)qn_search(names.data, names.size / QN_DIGEST_SIZE, QN_DIGEST_SIZE, name, order_of_name,
                    &is_named);
    if (!is_named)
        return QN_OK;
    bool is_let_go = list->is_forgotten || held->is_ended;
    uint64_t end_ms = is_let_go ? list->locked_until_ms : UINT64_MAX;
    if (end_ms > *until_ms)
        *until_ms = end_ms;
    return QN_OK;
}

enum qn_err qn_held_pack_until(struct qn_kv *kv, const struct qn_site_id *owner,
                               const struct qn_digest *name, uint64_t *ret_until_ms)
{
    struct qn_held held;
    struct qn_held_pack pack;
    struct qn_held_list list;
    struct qn_digest after;
    QN_TRY(qn_held_get(kv, owner, &held));
    QN_TRY(qn_held_pack_get(kv, owner, name, &pack));
    uint64_t until_ms = pack.locked_until_ms;
    enum qn_err err = qn_held_list_next(kv, owner, NULL, &list);
    for (; err == QN_OK; err = qn_held_list_next(kv, owner, &after, &list)) {
        after = list.id;
        QN_TRY(list_until(kv, owner, &held, &list, name, &until_ms));
    }
    QN_TRY(qn_may_miss(err));
    *ret_until_ms = until_ms;
    return QN_OK;
}

enum qn_err qn_custody_strays(struct qn_kv *kv, const struct qn_site_id *owner,
                              struct qn_span names, struct qn_buf *strays)
{
    if (names.size % QN_DIGEST_SIZE != 0)
        return QN_ERR_INVALID;
    for (size_t at = 0; at < names.size; at += QN_DIGEST_SIZE) {
        struct qn_digest name;
        struct qn_held_pack pack;
        memcpy(name.bytes, names.data + at, sizeof(name.bytes));
        enum qn_err err = qn_held_pack_get(kv, owner, &name, &pack);
        QN_TRY(qn_may_miss(err));
        if (err == QN_ERR_NOTFOUND)
            qn_buf_append_span(strays, qn_digest_view(&name));
    }
    return QN_OK;
}
