/* What is to be sent to a holder next, and which of its lists are to be forgotten. */
#include "model/book_impl.h"

#define LIST_FORMAT 1
#define PACKS_MAX   1024 /* looked at in one call */
#define SNAPS_MAX   256

/* ---- packs ---- */

struct packs {
    struct qn_kv *kv;
    const struct qn_site_id *holder;
    size_t count_max, count;
    struct qn_book_next *out;
    uint64_t after; /* the last order that was looked at */
    bool is_end;
};

static void add(struct packs *packs, const struct qn_digest *name, const struct qn_own_pack *pack)
{
    packs->out[packs->count++] =
        (struct qn_book_next){.pack = *name, .size = pack->size, .order = pack->order};
}

static enum qn_err next_lost(struct qn_kv *kv, const struct qn_site_id *holder, uint64_t after,
                             struct qn_digest *ret_name, uint64_t *ret_order)
{
    struct qn_key key;
    struct qn_span found, name;
    if (after == UINT64_MAX)
        return QN_ERR_NOTFOUND;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_COPY, qn_key_lost(&key, holder, after + 1), &found, &name));
    if (!qn_span_has_prefix(found, qn_span(key.bytes, key.size - 8)))
        return QN_ERR_NOTFOUND;
    if (found.size != key.size || name.size != sizeof(ret_name->bytes))
        return QN_ERR_CORRUPT;
    memcpy(ret_name->bytes, name.data, sizeof(ret_name->bytes));
    *ret_order = qn_read_u64(found.data + key.size - 8);
    return QN_OK;
}

static enum qn_err add_lost(struct packs *packs, uint64_t frontier)
{
    while (packs->after < frontier && packs->count < packs->count_max) {
        struct qn_digest name;
        struct qn_own_pack pack;
        uint64_t order;
        enum qn_err err = next_lost(packs->kv, packs->holder, packs->after, &name, &order);
        if (err == QN_ERR_NOTFOUND)
            packs->after = frontier;
        if (err == QN_ERR_NOTFOUND)
            return QN_OK;
        QN_TRY(err);
        QN_TRY(qn_must_exist(qn_book_pack_get(packs->kv, &name, &pack)));
        add(packs, &name, &pack);
        packs->after = order;
    }
    return QN_OK;
}

static enum qn_err add_new(struct packs *packs)
{
    for (unsigned looked = 0; looked < PACKS_MAX && packs->count < packs->count_max; looked++) {
        struct qn_digest name;
        struct qn_own_pack pack;
        bool is_acked;
        enum qn_err err = qn_own_pack_next(packs->kv, packs->after, &name, &pack);
        packs->is_end = err == QN_ERR_NOTFOUND;
        if (packs->is_end)
            return QN_OK;
        QN_TRY(err);
        QN_TRY(qn_copy_has(packs->kv, packs->holder, QN_TAG_PACK, &name, &is_acked));
        if (!is_acked)
            add(packs, &name, &pack);
        packs->after = pack.order;
    }
    return QN_OK;
}

enum qn_err qn_book_next_packs(struct qn_kv *kv, const struct qn_site_id *holder,
                               uint64_t after_order, size_t count_max, struct qn_book_next *out,
                               size_t *ret_count, uint64_t *ret_after, bool *ret_is_end)
{
    struct packs packs = {
        .kv = kv, .holder = holder, .count_max = count_max, .out = out, .after = after_order};
    struct qn_copy copy;
    QN_TRY(qn_book_copy_get(kv, holder, &copy));
    QN_TRY(add_lost(&packs, copy.frontier));
    if (packs.after >= copy.frontier)
        QN_TRY(add_new(&packs));
    *ret_count = packs.count;
    *ret_after = packs.after;
    *ret_is_end = packs.is_end;
    return QN_OK;
}

/* ---- lists ---- */

static enum qn_err are_packs_there(struct qn_kv *kv, const struct qn_site_id *holder,
                                   const struct qn_own_snap *snap, bool *ret_are)
{
    struct qn_copy copy;
    struct qn_digest name;
    uint64_t order;
    QN_TRY(qn_book_copy_get(kv, holder, &copy));
    *ret_are = copy.frontier >= snap->order;
    if (!*ret_are || copy.lost == 0)
        return QN_OK;
    enum qn_err err = next_lost(kv, holder, 0, &name, &order);
    *ret_are = err != QN_OK || order > snap->order;
    return qn_may_miss(err);
}

enum qn_err qn_book_copy_state(struct qn_kv *kv, const struct qn_site_id *holder,
                               const struct qn_own_snap *snap, enum qn_copy_state *ret_state)
{
    bool are_there, is_listed;
    struct qn_digest list;
    qn_own_snap_list(snap, &list);
    QN_TRY(are_packs_there(kv, holder, snap, &are_there));
    QN_TRY(qn_copy_has(kv, holder, QN_TAG_LIST, &list, &is_listed));
    if (!are_there)
        *ret_state = QN_COPY_SENDING;
    else
        *ret_state = is_listed ? QN_COPY_COMPLETE : QN_COPY_PACKS;
    return QN_OK;
}

enum qn_err qn_book_list_acked_at(struct qn_kv *kv, const struct qn_site_id *holder,
                                  const struct qn_own_snap *snap, uint64_t *ret_ms)
{
    struct qn_key key;
    struct qn_digest list;
    struct qn_span row;
    qn_own_snap_list(snap, &list);
    enum qn_err err =
        qn_kv_get(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, QN_TAG_LIST, &list), &row);
    *ret_ms = 0;
    if (err != QN_OK)
        return qn_may_miss(err);
    struct qn_fixed fixed = qn_fixed(row, LIST_FORMAT);
    (void)qn_fixed_digest(&fixed); /* the snapshot */
    uint64_t acked_ms = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_ms = acked_ms;
    return QN_OK;
}

enum qn_err qn_book_next_list(struct qn_kv *kv, const struct qn_site_id *holder, uint64_t after,
                              uint64_t *ret_after, struct qn_own_snap *ret_snap)
{
    *ret_after = after;
    for (unsigned looked = 0; looked < SNAPS_MAX; looked++) {
        struct qn_own_snap snap;
        enum qn_copy_state state;
        QN_TRY(qn_book_snap_next(kv, *ret_after, &snap));
        QN_TRY(qn_book_copy_state(kv, holder, &snap, &state));
        *ret_after = snap.number;
        if (state != QN_COPY_PACKS)
            continue;
        *ret_snap = snap;
        return QN_OK;
    }
    return QN_ERR_BUSY;
}

static enum qn_err put_list(struct qn_kv *kv, const struct qn_site_id *holder, uint8_t tag,
                            const struct qn_digest *list, const struct qn_digest *snapshot,
                            uint64_t now_ms)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&row, LIST_FORMAT);
    qn_buf_append_span(&row, qn_digest_view(snapshot));
    qn_buf_append_u64(&row, now_ms);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, tag, list), qn_buf_view(&row));
}

static enum qn_err del_list(struct qn_kv *kv, const struct qn_site_id *holder, uint8_t tag,
                            const struct qn_digest *list)
{
    struct qn_key key;
    return qn_may_miss(qn_kv_del(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, tag, list)));
}

/* Whether it is the present list of a snapshot that is here. */
static enum qn_err is_present(struct qn_kv *kv, const struct qn_digest *snapshot,
                              const struct qn_digest *list, bool *ret_is)
{
    struct qn_own_snap snap;
    struct qn_digest present;
    enum qn_err err = qn_book_snap_get(kv, snapshot, &snap);
    QN_TRY(qn_may_miss(err));
    *ret_is = err == QN_OK;
    if (err != QN_OK)
        return QN_OK;
    qn_own_snap_list(&snap, &present);
    *ret_is = qn_digest_eq(&present, list);
    return QN_OK;
}

enum qn_err qn_book_list_acked(struct qn_kv *kv, const struct qn_site_id *holder,
                               const struct qn_list_head *head, uint64_t now_ms)
{
    struct qn_copy copy;
    struct qn_digest list;
    bool is_known, is_wanted;
    qn_list_id(head, &list);
    QN_TRY(qn_copy_has(kv, holder, QN_TAG_LIST, &list, &is_known));
    QN_TRY(is_present(kv, &head->snapshot, &list, &is_wanted));
    QN_TRY(qn_book_copy_get(kv, holder, &copy));
    QN_TRY(put_list(kv, holder, QN_TAG_LIST, &list, &head->snapshot, now_ms));
    if (is_wanted)
        QN_TRY(del_list(kv, holder, QN_TAG_FORGET, &list));
    else /* it was on its way when its snapshot went, or got another one */
        QN_TRY(put_list(kv, holder, QN_TAG_FORGET, &list, &head->snapshot, now_ms));
    copy.lists += !is_known;
    copy.heard_ms = now_ms;
    return qn_copy_put(kv, holder, &copy);
}

/* ---- forgetting ---- */

enum qn_err qn_copies_forget(struct qn_kv *kv, const struct qn_digest *list,
                             const struct qn_digest *snapshot)
{
    struct qn_site_id holder, after;
    struct qn_copy copy;
    enum qn_err err = qn_copy_next(kv, NULL, &holder, &copy);
    for (; err == QN_OK; err = qn_copy_next(kv, &after, &holder, &copy)) {
        after = holder;
        QN_TRY(put_list(kv, &holder, QN_TAG_FORGET, list, snapshot, copy.heard_ms));
    }
    return qn_may_miss(err);
}

enum qn_err qn_copies_keep(struct qn_kv *kv, const struct qn_digest *list)
{
    struct qn_site_id holder, after;
    struct qn_copy copy;
    enum qn_err err = qn_copy_next(kv, NULL, &holder, &copy);
    for (; err == QN_OK; err = qn_copy_next(kv, &after, &holder, &copy)) {
        after = holder;
        QN_TRY(del_list(kv, &holder, QN_TAG_FORGET, list));
    }
    return qn_may_miss(err);
}

/* The list that replaces it must be there first: between the two nothing would hold the packs. */
static enum qn_err may_forget(struct qn_kv *kv, const struct qn_site_id *holder,
                              const struct qn_digest *snapshot, bool *ret_may)
{
    struct qn_own_snap snap;
    struct qn_digest present;
    enum qn_err err = qn_book_snap_get(kv, snapshot, &snap);
    QN_TRY(qn_may_miss(err));
    *ret_may = err == QN_ERR_NOTFOUND;
    if (*ret_may)
        return QN_OK;
    qn_own_snap_list(&snap, &present);
    return qn_copy_has(kv, holder, QN_TAG_LIST, &present, ret_may);
}

static enum qn_err next_forget_row(struct qn_kv *kv, struct qn_key *at, struct qn_digest *ret_list,
                                   struct qn_digest *ret_snapshot)
{
    struct qn_span found, row;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_COPY, qn_key_view(at), &found, &row));
    if (!qn_span_has_prefix(found, qn_span(at->bytes, QN_DIGEST_SIZE + 1)))
        return QN_ERR_NOTFOUND;
    struct qn_fixed fixed = qn_fixed(row, LIST_FORMAT);
    *ret_snapshot = qn_fixed_digest(&fixed);
    (void)qn_fixed_u64(&fixed); /* when */
    QN_TRY(qn_fixed_end(&fixed));
    if (found.size != QN_KEY_COPY_SIZE)
        return QN_ERR_CORRUPT;
    memcpy(ret_list->bytes, found.data + QN_DIGEST_SIZE + 1, sizeof(ret_list->bytes));
    qn_key_copy(at, found);
    qn_key_next(at);
    return QN_OK;
}

enum qn_err qn_book_next_forget(struct qn_kv *kv, const struct qn_site_id *holder,
                                const struct qn_digest *after, struct qn_digest *ret_list)
{
    struct qn_key at;
    qn_key_copy_of(&at, holder, QN_TAG_FORGET, after);
    if (after != NULL)
        qn_key_next(&at);
    for (;;) {
        struct qn_digest list, snapshot;
        bool may;
        QN_TRY(next_forget_row(kv, &at, &list, &snapshot));
        QN_TRY(may_forget(kv, holder, &snapshot, &may));
        if (!may)
            continue;
        *ret_list = list;
        return QN_OK;
    }
}

enum qn_err qn_book_forgotten(struct qn_kv *kv, const struct qn_site_id *holder,
                              const struct qn_digest *list)
{
    struct qn_copy copy;
    bool is_known;
    QN_TRY(qn_copy_has(kv, holder, QN_TAG_LIST, list, &is_known));
    QN_TRY(del_list(kv, holder, QN_TAG_FORGET, list));
    if (!is_known)
        return QN_OK;
    QN_TRY(del_list(kv, holder, QN_TAG_LIST, list));
    QN_TRY(qn_book_copy_get(kv, holder, &copy));
    if (copy.lists == 0)
        return QN_ERR_CORRUPT;
    copy.lists--;
    return qn_copy_put(kv, holder, &copy);
}
