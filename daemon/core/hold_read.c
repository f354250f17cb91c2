/* QN_READ_HELD: everything that the holder's part reads from the store. Rows of other owners are
 * never looked at: all keys begin with the one who asks. */
#include "core/hold_impl.h"
#include "model/fingerprint.h"

/* ---- arguments ---- */

void hold_read_args(enum hold_read kind, const struct qn_site_id *owner, size_t count,
                    struct qn_buf *ret_args)
{
    qn_buf_init(ret_args, QN_FRAME_SIZE_MAX);
    qn_pack_array(ret_args, count);
    qn_pack_u64(ret_args, kind);
    qn_pack_bin(ret_args, QN_SPAN_OF(owner->bytes));
}

void hold_pack_after(struct qn_buf *out, const struct qn_digest *after)
{
    if (after == NULL)
        qn_pack_nil(out);
    else
        qn_pack_bin(out, qn_digest_view(after));
}

enum qn_err hold_take_after(struct qn_cursor *cursor, struct qn_digest *ret_after,
                            bool *ret_is_there)
{
    *ret_is_there = qn_cursor_peek(cursor) != QN_ITEM_NIL;
    if (!*ret_is_there)
        return qn_cursor_nil(cursor);
    return qn_cursor_bytes(cursor, ret_after->bytes, sizeof(ret_after->bytes));
}

struct read {
    struct qn_kv *kv;
    struct qn_site_id owner;
    struct qn_cursor args;
    struct qn_buf *out;
};

static enum qn_err take_digest(struct read *read, struct qn_digest *ret_digest)
{
    return qn_cursor_bytes(&read->args, ret_digest->bytes, sizeof(ret_digest->bytes));
}

/* ---- all owners, for the custodian ---- */

static enum qn_err put_owner(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_held *held, struct qn_buf *out)
{
    struct qn_digest pack;
    uint64_t size = 0, due_ms = 0;
    enum qn_err err = qn_custody_scrub_next(kv, owner, &pack, &size, &due_ms);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    qn_pack_array(out, 6);
    qn_pack_bin(out, QN_SPAN_OF(owner->bytes));
    qn_pack_bool(out, held->pack_count > 0 || held->list_count > 0);
    qn_pack_u64(out, held->bad_count);
    hold_pack_after(out, err == QN_OK ? &pack : NULL);
    qn_pack_u64(out, size);
    qn_pack_u64(out, due_ms);
    return QN_OK;
}

static enum qn_err read_all(struct qn_kv *kv, struct qn_buf *out)
{
    struct qn_site_id owner;
    struct qn_held held;
    uint64_t now_ms;
    enum qn_err err = qn_lock_now(kv, &now_ms);
    if (err == QN_ERR_STATE)
        now_ms = 0;
    else
        QN_TRY(err);
    qn_pack_u64(out, now_ms);
    err = qn_held_next(kv, NULL, &owner, &held);
    for (size_t count = 0; err == QN_OK && count < QN_SITES_MAX; count++) {
        QN_TRY(put_owner(kv, &owner, &held, out));
        struct qn_site_id after = owner;
        err = qn_held_next(kv, &after, &owner, &held);
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

/* ---- what an owner asks ---- */

static bool counts(const struct qn_held_list *list)
{
    return list->is_whole && !list->is_forgotten;
}

static enum qn_err sum_lists(struct read *read, struct qn_digest *ret_sum, uint64_t *ret_count)
{
    struct qn_held_list list;
    struct qn_digest leaf, after;
    *ret_sum = (struct qn_digest){0};
    *ret_count = 0;
    enum qn_err err = qn_held_list_next(read->kv, &read->owner, NULL, &list);
    for (; err == QN_OK; err = qn_held_list_next(read->kv, &read->owner, &after, &list)) {
        after = list.id;
        if (!counts(&list))
            continue;
        QN_DIGEST(&leaf, qn_digest_view(&list.id));
        qn_sum_add(ret_sum->bytes, leaf.bytes);
        ++*ret_count;
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err read_state(struct read *read)
{
    struct qn_digest pack_sum, list_sum, found_sum;
    struct qn_held held = {0};
    uint64_t lists;
    uint32_t epoch;
    QN_TRY(take_digest(read, &pack_sum));
    QN_TRY(take_digest(read, &list_sum));
    enum qn_err err = qn_held_get(read->kv, &read->owner, &held);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    QN_TRY(sum_lists(read, &found_sum, &lists));
    QN_TRY(qn_held_key_newest(read->kv, &read->owner, &epoch));
    qn_pack_array(read->out, 7);
    qn_pack_bool(read->out, qn_digest_eq(&held.sum, &pack_sum));
    qn_pack_bool(read->out, qn_digest_eq(&found_sum, &list_sum));
    qn_pack_u64(read->out, held.quota_bytes);
    qn_pack_u64(read->out, held.used_bytes);
    qn_pack_u64(read->out, held.good_count);
    qn_pack_u64(read->out, lists);
    qn_pack_u64(read->out, epoch);
    return QN_OK;
}

static void put_names(struct read *read, bool is_last, const void *names, size_t size)
{
    qn_pack_array(read->out, 2);
    qn_pack_bool(read->out, is_last);
    qn_pack_bin(read->out, qn_span(names, size));
}

static enum qn_err read_pack_names(struct read *read)
{
    struct qn_digest after;
    bool has_after, is_end;
    size_t count;
    QN_TRY(hold_take_after(&read->args, &after, &has_after));
    QN_AUTO_FREE struct qn_digest *names = qn_alloc(BULK_NAMES_MAX * sizeof(names[0]));
    QN_TRY(qn_held_names(read->kv, &read->owner, has_after ? &after : NULL, BULK_NAMES_MAX, names,
                         &count, &is_end));
    put_names(read, is_end, names, count * sizeof(names[0]));
    return QN_OK;
}

static enum qn_err read_list_names(struct read *read)
{
    struct qn_digest after;
    bool has_after;
    struct qn_held_list list;
    QN_AUTO_BUF struct qn_buf names = {0};
    QN_TRY(hold_take_after(&read->args, &after, &has_after));
    qn_buf_init(&names, BULK_NAMES_MAX * QN_DIGEST_SIZE);
    enum qn_err err = qn_held_list_next(read->kv, &read->owner, has_after ? &after : NULL, &list);
    while (err == QN_OK && names.size < names.size_max) {
        after = list.id;
        if (counts(&list))
            qn_buf_append_span(&names, qn_digest_view(&list.id));
        err = qn_held_list_next(read->kv, &read->owner, &after, &list);
    }
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    put_names(read, err == QN_ERR_NOTFOUND, names.data, names.size);
    return QN_OK;
}

static enum qn_err read_pack(struct read *read)
{
    struct qn_digest name;
    struct qn_held_pack pack;
    QN_TRY(take_digest(read, &name));
    QN_TRY(qn_held_pack_get(read->kv, &read->owner, &name, &pack));
    if (pack.is_condemned)
        return QN_ERR_NOTFOUND;
    qn_pack_array(read->out, 2);
    qn_pack_u64(read->out, pack.size);
    qn_pack_bool(read->out, !pack.is_bad);
    return QN_OK;
}

/* The first good pack whose name begins so; zero: there is none. */
static enum qn_err resolve(struct read *read, const uint8_t prefix[BULK_PROOF_PREFIX],
                           struct qn_digest *ret_name, uint64_t *ret_size)
{
    struct qn_digest found;
    struct qn_held_pack pack;
    size_t count;
    bool is_end;
    struct qn_digest before = {0};
    memcpy(before.bytes, prefix, BULK_PROOF_PREFIX);
    *ret_name = before;
    enum qn_err err = qn_held_pack_get(read->kv, &read->owner, &before, &pack);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    if (err != QN_OK || pack.is_bad || pack.is_condemned) {
        QN_TRY(qn_held_names(read->kv, &read->owner, &before, 1, &found, &count, &is_end));
        bool fits = count == 1 && memcmp(found.bytes, prefix, BULK_PROOF_PREFIX) == 0;
        *ret_name = fits ? found : (struct qn_digest){0};
        if (!fits)
            return QN_OK;
        QN_TRY(qn_held_pack_get(read->kv, &read->owner, &found, &pack));
    }
    *ret_size = pack.size;
    return QN_OK;
}

/* [bytes of the packs, bytes that are held in all, names joined] */
static enum qn_err read_resolved(struct read *read)
{
    struct qn_span prefixes;
    struct qn_held held;
    uint64_t bytes = 0;
    QN_AUTO_BUF struct qn_buf names = {0};
    QN_TRY(qn_cursor_bin(&read->args, BULK_NAMES_MAX * BULK_PROOF_PREFIX, &prefixes));
    QN_TRY(qn_held_get(read->kv, &read->owner, &held));
    qn_buf_init(&names, BULK_NAMES_MAX * QN_DIGEST_SIZE);
    for (size_t at = 0; at + BULK_PROOF_PREFIX <= prefixes.size; at += BULK_PROOF_PREFIX) {
        struct qn_digest name;
        uint64_t size = 0;
        QN_TRY(resolve(read, prefixes.data + at, &name, &size));
        qn_buf_append_span(&names, qn_digest_view(&name));
        bytes += size;
    }
    qn_pack_array(read->out, 3);
    qn_pack_u64(read->out, bytes);
    qn_pack_u64(read->out, held.used_bytes);
    qn_pack_bin(read->out, qn_buf_view(&names));
    return qn_buf_status(read->out);
}

/* ---- lists, read back ---- */

static enum qn_err read_list(struct read *read)
{
    struct qn_digest id, after;
    bool has_after;
    uint64_t count;
    struct qn_held_list list;
    QN_AUTO_BUF struct qn_buf names = {0};
    QN_TRY(take_digest(read, &id));
    QN_TRY(hold_take_after(&read->args, &after, &has_after));
    QN_TRY(qn_cursor_u64(&read->args, &count));
    if (count > BULK_NAMES_MAX)
        return QN_ERR_INVALID;
    QN_TRY(qn_held_list_get(read->kv, &read->owner, &id, &list));
    if (!list.is_whole)
        return QN_ERR_NOTFOUND;
    qn_buf_init(&names, BULK_NAMES_MAX * QN_DIGEST_SIZE);
    QN_TRY(
        qn_held_list_names(read->kv, &read->owner, &id, has_after ? &after : NULL, count, &names));
    bool is_last = names.size == 0 || memcmp(names.data + names.size - QN_DIGEST_SIZE,
                                             list.last.bytes, QN_DIGEST_SIZE) == 0;
    put_names(read, is_last, names.data, names.size);
    return QN_OK;
}

static enum qn_err put_list(struct read *read, const struct qn_held_list *list, uint64_t wall_ms,
                            struct qn_buf *out)
{
    struct qn_span sealed;
    uint64_t now_ms;
    QN_TRY(qn_lock_now(read->kv, &now_ms));
    QN_TRY(qn_held_list_sealed(read->kv, &read->owner, &list->id, &sealed));
    uint64_t left_ms = list->locked_until_ms > now_ms ? list->locked_until_ms - now_ms : 0;
    qn_pack_array(out, 6);
    qn_pack_bin(out, qn_digest_view(&list->id));
    qn_pack_bin(out, qn_digest_view(&list->head.snapshot));
    qn_pack_u64(out, list->received_wall_ms);
    qn_pack_u64(out, wall_ms + left_ms);
    qn_pack_u64(out, list->head.name_count);
    qn_pack_bin(out, sealed);
    return QN_OK;
}

/* Whole lists, forgotten ones too as long as they are here; as many as fit. */
static enum qn_err read_lists(struct read *read)
{
    struct qn_digest after;
    bool has_after;
    uint64_t wall_ms;
    struct qn_held_list list;
    size_t count = 0;
    QN_AUTO_BUF struct qn_buf items = {0};
    QN_TRY(hold_take_after(&read->args, &after, &has_after));
    QN_TRY(qn_cursor_u64(&read->args, &wall_ms));
    qn_buf_init(&items, BULK_READ_MAX);
    enum qn_err err = qn_held_list_next(read->kv, &read->owner, has_after ? &after : NULL, &list);
    while (err == QN_OK && items.size + QN_HELD_SEALED_SIZE_MAX + 256 <= items.size_max) {
        after = list.id;
        if (list.is_whole) {
            QN_TRY(put_list(read, &list, wall_ms, &items));
            count++;
        }
        err = qn_held_list_next(read->kv, &read->owner, &after, &list);
    }
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    qn_pack_array(read->out, 2);
    qn_pack_bool(read->out, err == QN_ERR_NOTFOUND);
    qn_pack_array(read->out, count);
    qn_pack_raw(read->out, qn_buf_view(&items));
    return qn_buf_status(&items);
}

static enum qn_err read_keys(struct read *read)
{
    uint32_t epoch = 0;
    struct qn_span sealed;
    size_t count = 0;
    enum qn_err err;
    QN_AUTO_BUF struct qn_buf items = {0};
    qn_buf_init(&items, QN_HELD_KEYS_MAX * (QN_HELD_KEY_SIZE_MAX + 16));
    while ((err = qn_held_key_next(read->kv, &read->owner, epoch, &epoch, &sealed)) == QN_OK) {
        qn_pack_array(&items, 2);
        qn_pack_u64(&items, epoch);
        qn_pack_bin(&items, sealed);
        count++;
    }
    if (err != QN_ERR_NOTFOUND)
        return err;
    qn_pack_array(read->out, 2);
    qn_pack_bool(read->out, true);
    qn_pack_array(read->out, count);
    qn_pack_raw(read->out, qn_buf_view(&items));
    return qn_buf_status(&items);
}

static enum qn_err read_kind(struct read *read, enum hold_read kind)
{
    switch (kind) {
    case HOLD_READ_ALL:
        return read_all(read->kv, read->out);
    case HOLD_READ_STATE:
        return read_state(read);
    case HOLD_READ_PACK_NAMES:
        return read_pack_names(read);
    case HOLD_READ_LIST_NAMES:
        return read_list_names(read);
    case HOLD_READ_PACK:
        return read_pack(read);
    case HOLD_READ_RESOLVE:
        return read_resolved(read);
    case HOLD_READ_LIST:
        return read_list(read);
    case HOLD_READ_LISTS:
        return read_lists(read);
    case HOLD_READ_KEYS:
        return read_keys(read);
    case HOLD_READ_REPORTS:
        return custodian_read_reports(read->kv, &read->owner, read->out);
    }
    return QN_ERR_INVALID;
}

enum qn_err hold_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out)
{
    struct read read = {.kv = kv, .args = qn_cursor(args), .out = out};
    size_t count;
    uint64_t kind;
    QN_TRY(qn_cursor_array(&read.args, 8, &count));
    QN_TRY(qn_cursor_u64(&read.args, &kind));
    QN_TRY(qn_cursor_bytes(&read.args, read.owner.bytes, sizeof(read.owner.bytes)));
    return read_kind(&read, (enum hold_read)kind);
}
