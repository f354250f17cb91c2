/* What each holder acknowledged. For a holder, packs up to its frontier are there but for those in
 * `lost`; packs above it were not looked at, whether they are acknowledged or not. */
#include "model/book_impl.h"
#include "model/fingerprint.h"

#define TAG_BEHIND  0xff
#define COPY_FORMAT 1
#define ACK_FORMAT  1
#define ADVANCE_MAX 4096 /* packs by which a frontier moves in one call */

/* ---- keys and rows ---- */

struct qn_span qn_key_holder(struct qn_key *key, const struct qn_site_id *holder)
{
    qn_key_copy(key, QN_SPAN_OF(holder->bytes));
    return qn_key_view(key);
}

struct qn_span qn_key_copy_of(struct qn_key *key, const struct qn_site_id *holder, uint8_t tag,
                              const struct qn_digest *name)
{
    qn_key_holder(key, holder);
    qn_key_add(key, QN_SPAN_OF(tag));
    if (name != NULL)
        qn_key_add(key, qn_digest_view(name));
    return qn_key_view(key);
}

struct qn_span qn_key_lost(struct qn_key *key, const struct qn_site_id *holder, uint64_t order)
{
    qn_key_copy_of(key, holder, QN_TAG_LOST, NULL);
    qn_key_add_u64(key, order);
    return qn_key_view(key);
}

static enum qn_err read_copy(struct qn_span row, struct qn_copy *ret_copy)
{
    struct qn_fixed fixed = qn_fixed(row, COPY_FORMAT);
    struct qn_copy copy = {.packs = qn_fixed_u64(&fixed)};
    copy.bytes = qn_fixed_u64(&fixed);
    copy.own_packs = qn_fixed_u64(&fixed);
    copy.own_bytes = qn_fixed_u64(&fixed);
    copy.sum = qn_fixed_digest(&fixed);
    copy.frontier = qn_fixed_u64(&fixed);
    copy.lost = qn_fixed_u64(&fixed);
    copy.lists = qn_fixed_u64(&fixed);
    copy.heard_ms = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_copy = copy;
    return QN_OK;
}

enum qn_err qn_book_copy_get(struct qn_kv *kv, const struct qn_site_id *holder,
                             struct qn_copy *ret_copy)
{
    struct qn_key key;
    struct qn_span row;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_COPY, qn_key_holder(&key, holder), &row);
    if (err == QN_OK)
        return read_copy(row, ret_copy);
    QN_TRY(qn_may_miss(err));
    *ret_copy = (struct qn_copy){0};
    return QN_OK;
}

enum qn_err qn_copy_put(struct qn_kv *kv, const struct qn_site_id *holder,
                        const struct qn_copy *copy)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&row, COPY_FORMAT);
    qn_buf_append_u64(&row, copy->packs);
    qn_buf_append_u64(&row, copy->bytes);
    qn_buf_append_u64(&row, copy->own_packs);
    qn_buf_append_u64(&row, copy->own_bytes);
    qn_buf_append_span(&row, qn_digest_view(&copy->sum));
    qn_buf_append_u64(&row, copy->frontier);
    qn_buf_append_u64(&row, copy->lost);
    qn_buf_append_u64(&row, copy->lists);
    qn_buf_append_u64(&row, copy->heard_ms);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_COPY, qn_key_holder(&key, holder), qn_buf_view(&row));
}

enum qn_err qn_copy_next(struct qn_kv *kv, const struct qn_site_id *after,
                         struct qn_site_id *ret_holder, struct qn_copy *ret_copy)
{
    static const struct qn_site_id first = {0};
    struct qn_key key;
    struct qn_span found, row;
    struct qn_span at =
        after != NULL ? qn_key_copy_of(&key, after, TAG_BEHIND, NULL) : qn_key_holder(&key, &first);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_COPY, at, &found, &row));
    if (found.size != sizeof(ret_holder->bytes))
        return QN_ERR_CORRUPT;
    QN_TRY(read_copy(row, ret_copy));
    memcpy(ret_holder->bytes, found.data, sizeof(ret_holder->bytes));
    return QN_OK;
}

enum qn_err qn_copy_has(struct qn_kv *kv, const struct qn_site_id *holder, uint8_t tag,
                        const struct qn_digest *name, bool *ret_has)
{
    struct qn_key key;
    struct qn_span row;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, tag, name), &row);
    *ret_has = err == QN_OK;
    return qn_may_miss(err);
}

static enum qn_err get_ack(struct qn_kv *kv, const struct qn_site_id *holder,
                           const struct qn_digest *name, uint64_t *ret_size)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, QN_TAG_PACK, name), &row));
    struct qn_fixed fixed = qn_fixed(row, ACK_FORMAT);
    uint64_t size = qn_fixed_u32(&fixed);
    (void)qn_fixed_u64(&fixed); /* when */
    QN_TRY(qn_fixed_end(&fixed));
    *ret_size = size;
    return QN_OK;
}

static enum qn_err put_ack(struct qn_kv *kv, const struct qn_site_id *holder,
                           const struct qn_digest *name, uint64_t size, uint64_t now_ms)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&row, ACK_FORMAT);
    qn_buf_append_u32(&row, (uint32_t)size);
    qn_buf_append_u64(&row, now_ms);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, QN_TAG_PACK, name),
                     qn_buf_view(&row));
}

/* ---- counting ---- */

static void count(struct qn_copy *copy, const struct qn_digest *name, uint64_t size)
{
    struct qn_digest leaf;
    QN_DIGEST(&leaf, qn_digest_view(name));
    qn_sum_add(copy->sum.bytes, leaf.bytes);
    copy->packs++;
    copy->bytes += size;
}

static enum qn_err uncount(struct qn_copy *copy, const struct qn_digest *name, uint64_t size)
{
    struct qn_digest leaf;
    if (copy->packs == 0 || copy->bytes < size)
        return QN_ERR_CORRUPT;
    QN_DIGEST(&leaf, qn_digest_view(name));
    qn_sum_sub(copy->sum.bytes, leaf.bytes);
    copy->packs--;
    copy->bytes -= size;
    return QN_OK;
}

static void count_own(struct qn_copy *copy, uint64_t size)
{
    copy->own_packs++;
    copy->own_bytes += size;
}

static enum qn_err uncount_own(struct qn_copy *copy, uint64_t size)
{
    if (copy->own_packs == 0 || copy->own_bytes < size)
        return QN_ERR_CORRUPT;
    copy->own_packs--;
    copy->own_bytes -= size;
    return QN_OK;
}

static enum qn_err find_lost(struct qn_kv *kv, const struct qn_site_id *holder,
                             struct qn_copy *copy, uint64_t order)
{
    struct qn_key key;
    QN_TRY(qn_must_exist(qn_kv_del(kv, QN_TABLE_COPY, qn_key_lost(&key, holder, order))));
    if (copy->lost == 0)
        return QN_ERR_CORRUPT;
    copy->lost--;
    return QN_OK;
}

/* Moves the frontier over what is acknowledged; to the end if all of it is. */
static enum qn_err advance(struct qn_kv *kv, const struct qn_site_id *holder,
                           const struct qn_own_totals *totals, struct qn_copy *copy)
{
    for (unsigned steps = 0; steps < ADVANCE_MAX; steps++) {
        struct qn_digest name;
        struct qn_own_pack pack;
        bool is_acked;
        bool is_all = copy->own_packs == totals->packs;
        enum qn_err err =
            is_all ? QN_ERR_NOTFOUND : qn_own_pack_next(kv, copy->frontier, &name, &pack);
        if (err == QN_ERR_NOTFOUND)
            copy->frontier = totals->order;
        if (err == QN_ERR_NOTFOUND)
            return QN_OK;
        QN_TRY(err);
        QN_TRY(qn_copy_has(kv, holder, QN_TAG_PACK, &name, &is_acked));
        if (!is_acked)
            return QN_OK;
        copy->frontier = pack.order;
    }
    return QN_OK;
}

/* ---- acknowledgements ---- */

static enum qn_err forget_unread(struct qn_kv *kv, const struct qn_site_id *holder,
                                 const struct qn_digest *name)
{
    struct qn_key key;
    return qn_may_miss(
        qn_kv_del(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, QN_TAG_UNREAD, name)));
}

static enum qn_err acked_own(struct qn_kv *kv, const struct qn_site_id *holder,
                             const struct qn_digest *name, const struct qn_own_pack *pack,
                             struct qn_copy *copy)
{
    count_own(copy, pack->size);
    QN_TRY(forget_unread(kv, holder, name));
    return pack->order <= copy->frontier ? find_lost(kv, holder, copy, pack->order) : QN_OK;
}

enum qn_err qn_book_acked(struct qn_kv *kv, const struct qn_site_id *holder,
                          const struct qn_digest *name, uint64_t size, uint64_t now_ms)
{
    struct qn_own_totals totals;
    struct qn_own_pack pack = {.size = size};
    struct qn_copy copy;
    bool is_known;
    if (size == 0 || size > QN_HELD_PACK_SIZE_MAX)
        return QN_ERR_INVALID;
    QN_TRY(qn_copy_has(kv, holder, QN_TAG_PACK, name, &is_known));
    if (is_known)
        return QN_OK;
    QN_TRY(qn_book_copy_get(kv, holder, &copy));
    enum qn_err err = qn_book_pack_get(kv, name, &pack);
    QN_TRY(qn_may_miss(err));
    bool is_own = err == QN_OK;
    copy.heard_ms = now_ms;
    count(&copy, name, pack.size);
    QN_TRY(put_ack(kv, holder, name, pack.size, now_ms));
    if (is_own)
        QN_TRY(acked_own(kv, holder, name, &pack, &copy));
    QN_TRY(qn_book_totals(kv, &totals));
    QN_TRY(advance(kv, holder, &totals, &copy));
    return qn_copy_put(kv, holder, &copy);
}

static enum qn_err lost_own(struct qn_kv *kv, const struct qn_site_id *holder,
                            const struct qn_digest *name, const struct qn_own_pack *pack,
                            struct qn_copy *copy)
{
    QN_TRY(uncount_own(copy, pack->size));
    if (pack->order > copy->frontier)
        return QN_OK;
    copy->lost++;
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_COPY, qn_key_lost(&key, holder, pack->order),
                     qn_digest_view(name));
}

enum qn_err qn_book_lost(struct qn_kv *kv, const struct qn_site_id *holder,
                         const struct qn_digest *name)
{
    struct qn_own_pack pack;
    struct qn_copy copy;
    struct qn_key key;
    uint64_t size;
    enum qn_err err = get_ack(kv, holder, name, &size);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    QN_TRY(qn_book_copy_get(kv, holder, &copy));
    QN_TRY(uncount(&copy, name, size));
    QN_TRY(qn_kv_del(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, QN_TAG_PACK, name)));
    err = qn_book_pack_get(kv, name, &pack);
    QN_TRY(qn_may_miss(err));
    if (err == QN_OK)
        QN_TRY(lost_own(kv, holder, name, &pack, &copy));
    return qn_copy_put(kv, holder, &copy);
}

/* Beside the row of the holder, which qn_copy_next finds first. */
enum qn_err qn_book_unread(struct qn_kv *kv, const struct qn_site_id *holder,
                           const struct qn_digest *name)
{
    struct qn_own_pack pack;
    struct qn_copy copy;
    struct qn_key key;
    bool is_acked;
    QN_TRY(qn_copy_has(kv, holder, QN_TAG_PACK, name, &is_acked));
    enum qn_err err = qn_book_pack_get(kv, name, &pack);
    if (is_acked || err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    QN_TRY(qn_book_copy_get(kv, holder, &copy));
    QN_TRY(qn_copy_put(kv, holder, &copy));
    return qn_kv_put(kv, QN_TABLE_COPY, qn_key_copy_of(&key, holder, QN_TAG_UNREAD, name),
                     qn_span(NULL, 0));
}

enum qn_err qn_book_unread_count(struct qn_kv *kv, const struct qn_site_id *holder,
                                 uint64_t *ret_count)
{
    QN_AUTO_FREE struct qn_digest *names = qn_alloc(QN_COPY_UNREAD_MAX * sizeof(names[0]));
    size_t count;
    bool is_end;
    QN_TRY(
        qn_copy_names(kv, holder, QN_TAG_UNREAD, NULL, QN_COPY_UNREAD_MAX, names, &count, &is_end));
    *ret_count = count;
    return QN_OK;
}

/* ---- changes of what is here ---- */

/* A holder may have it already, from before it was removed here; then with the size that counts. */
static enum qn_err added_at(struct qn_kv *kv, const struct qn_site_id *holder,
                            const struct qn_digest *name, const struct qn_own_pack *pack,
                            struct qn_copy *copy)
{
    uint64_t size;
    enum qn_err err = get_ack(kv, holder, name, &size);
    QN_TRY(qn_may_miss(err));
    if (err != QN_OK)
        return QN_OK;
    if (size != pack->size) {
        QN_TRY(uncount(copy, name, size));
        count(copy, name, pack->size);
        QN_TRY(put_ack(kv, holder, name, pack->size, copy->heard_ms));
    }
    count_own(copy, pack->size);
    return QN_OK;
}

static enum qn_err removed_at(struct qn_kv *kv, const struct qn_site_id *holder,
                              const struct qn_digest *name, const struct qn_own_pack *pack,
                              struct qn_copy *copy)
{
    bool is_acked;
    QN_TRY(forget_unread(kv, holder, name));
    QN_TRY(qn_copy_has(kv, holder, QN_TAG_PACK, name, &is_acked));
    if (is_acked)
        return uncount_own(copy, pack->size);
    return pack->order <= copy->frontier ? find_lost(kv, holder, copy, pack->order) : QN_OK;
}

typedef enum qn_err (*at_holder)(struct qn_kv *kv, const struct qn_site_id *holder,
                                 const struct qn_digest *name, const struct qn_own_pack *pack,
                                 struct qn_copy *copy);

static enum qn_err for_each_holder(struct qn_kv *kv, const struct qn_digest *name,
                                   const struct qn_own_pack *pack,
                                   const struct qn_own_totals *totals, at_holder act)
{
    struct qn_site_id holder, after;
    struct qn_copy copy;
    enum qn_err err = qn_copy_next(kv, NULL, &holder, &copy);
    for (; err == QN_OK; err = qn_copy_next(kv, &after, &holder, &copy)) {
        after = holder;
        QN_TRY(act(kv, &holder, name, pack, &copy));
        QN_TRY(advance(kv, &holder, totals, &copy));
        QN_TRY(qn_copy_put(kv, &holder, &copy));
    }
    return qn_may_miss(err);
}

enum qn_err qn_copies_added(struct qn_kv *kv, const struct qn_digest *name,
                            const struct qn_own_pack *pack, const struct qn_own_totals *totals)
{
    return for_each_holder(kv, name, pack, totals, added_at);
}

enum qn_err qn_copies_removed(struct qn_kv *kv, const struct qn_digest *name,
                              const struct qn_own_pack *pack, const struct qn_own_totals *totals)
{
    return for_each_holder(kv, name, pack, totals, removed_at);
}

/* ---- names, and the end ---- */

enum qn_err qn_copy_names(struct qn_kv *kv, const struct qn_site_id *holder, uint8_t tag,
                          const struct qn_digest *after, size_t count_max, struct qn_digest *out,
                          size_t *ret_count, bool *ret_is_end)
{
    struct qn_key key;
    qn_key_copy_of(&key, holder, tag, after);
    struct qn_span at = after != NULL ? qn_key_next(&key) : qn_key_view(&key);
    for (size_t i = 0; i < count_max; i++) {
        struct qn_span found, row;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_COPY, at, &found, &row);
        QN_TRY(qn_may_miss(err));
        *ret_count = i;
        *ret_is_end = err != QN_OK || found.size != QN_KEY_COPY_SIZE ||
                      !qn_span_has_prefix(found, qn_span(key.bytes, QN_DIGEST_SIZE + 1));
        if (*ret_is_end)
            return QN_OK;
        memcpy(out[i].bytes, found.data + QN_DIGEST_SIZE + 1, sizeof(out[i].bytes));
        qn_key_copy(&key, found);
        at = qn_key_next(&key);
    }
    *ret_count = count_max;
    *ret_is_end = false;
    return QN_OK;
}

enum qn_err qn_book_names(struct qn_kv *kv, const struct qn_site_id *holder,
                          const struct qn_digest *after, size_t count_max, struct qn_digest *out,
                          size_t *ret_count, bool *ret_is_end)
{
    return qn_copy_names(kv, holder, QN_TAG_PACK, after, count_max, out, ret_count, ret_is_end);
}

enum qn_err qn_book_copy_drop(struct qn_kv *kv, const struct qn_site_id *holder, size_t count_max,
                              bool *ret_is_end)
{
    for (size_t i = 0; i < count_max; i++) {
        struct qn_key key;
        struct qn_span found, row;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_COPY, qn_key_holder(&key, holder), &found, &row);
        QN_TRY(qn_may_miss(err));
        *ret_is_end = err != QN_OK || !qn_span_has_prefix(found, QN_SPAN_OF(holder->bytes));
        if (*ret_is_end)
            return QN_OK;
        qn_key_copy(&key, found);
        QN_TRY(qn_kv_del(kv, QN_TABLE_COPY, qn_key_view(&key)));
    }
    *ret_is_end = false;
    return QN_OK;
}
