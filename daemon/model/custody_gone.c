/* What a holder tells about the end: what it let go since the agreement is over, and until when the
 * rest is locked. */
#include "model/custody_impl.h"

#define FORMAT  1
#define ROW_MAX 32

static struct qn_span key_of(struct qn_key *key, const struct qn_site_id *owner)
{
    qn_key_name(key, QN_META_GONE);
    qn_key_add(key, QN_SPAN_OF(owner->bytes));
    return qn_key_view(key);
}

static enum qn_err get(struct qn_kv *kv, const struct qn_site_id *owner, struct qn_gone *ret_gone)
{
    struct qn_key key;
    struct qn_span row;
    *ret_gone = (struct qn_gone){0};
    enum qn_err err = qn_kv_get(kv, QN_TABLE_META, key_of(&key, owner), &row);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    struct qn_fixed fixed = qn_fixed(row, FORMAT);
    struct qn_gone gone = {.packs = qn_fixed_u64(&fixed)};
    gone.bytes = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_gone = gone;
    return QN_OK;
}

enum qn_err qn_gone_add(struct qn_kv *kv, const struct qn_site_id *owner,
                        const struct qn_gone *more)
{
    struct qn_gone gone;
    struct qn_key key;
    QN_TRY(get(kv, owner, &gone));
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, ROW_MAX);
    qn_buf_append_u8(&row, FORMAT);
    qn_buf_append_u64(&row, gone.packs + more->packs);
    qn_buf_append_u64(&row, gone.bytes + more->bytes);
    return qn_kv_put(kv, QN_TABLE_META, key_of(&key, owner), qn_buf_view(&row));
}

enum qn_err qn_gone_reset(struct qn_kv *kv, const struct qn_site_id *owner)
{
    struct qn_key key;
    return qn_may_miss(qn_kv_del(kv, QN_TABLE_META, key_of(&key, owner)));
}

static void raise_to(uint64_t *until_ms, uint64_t ms)
{
    if (ms > *until_ms)
        *until_ms = ms;
}

static enum qn_err of_lists(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t *until_ms)
{
    struct qn_held_list list;
    struct qn_digest after;
    enum qn_err err = qn_held_list_next(kv, owner, NULL, &list);
    for (; err == QN_OK; err = qn_held_list_next(kv, owner, &after, &list)) {
        after = list.id;
        raise_to(until_ms, list.locked_until_ms);
    }
    return qn_may_miss(err);
}

static enum qn_err of_packs(struct qn_kv *kv, const struct qn_site_id *owner,
                            struct qn_held_end *end)
{
    struct qn_held_pack pack;
    struct qn_digest name, after;
    enum qn_err err = qn_held_pack_next(kv, owner, NULL, &name, &pack);
    for (; err == QN_OK; err = qn_held_pack_next(kv, owner, &after, &name, &pack)) {
        after = name;
        if (pack.is_condemned)
            end->condemned_packs++;
        else
            raise_to(&end->locked_until_ms, pack.locked_until_ms);
    }
    return qn_may_miss(err);
}

enum qn_err qn_held_end(struct qn_kv *kv, const struct qn_site_id *owner,
                        struct qn_held_end *ret_end)
{
    struct qn_held_end end = {0};
    struct qn_gone gone;
    QN_TRY(get(kv, owner, &gone));
    QN_TRY(of_lists(kv, owner, &end.locked_until_ms));
    QN_TRY(of_packs(kv, owner, &end));
    end.destroyed_packs = gone.packs;
    end.destroyed_bytes = gone.bytes;
    *ret_end = end;
    return QN_OK;
}
