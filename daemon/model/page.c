#include "model/page.h"

#include "base/limits.h"
#include "model/value.h"
#include "proto/pack.h"

#define PAGE_PARTS 7

_Static_assert(QN_KEY_SIZE_MAX == 255 && QN_FIELD_SIZE_MAX == 127, "QN_SPOT_SIZE_MAX counts them");

/* --- spots --- */

static int cmp_kind(enum qn_spot_kind a, enum qn_spot_kind b)
{
    return (a > b) - (a < b);
}

static bool is_at_edge(const struct qn_spot *spot)
{
    return spot->kind == QN_SPOT_START || spot->kind == QN_SPOT_END;
}

int qn_spot_cmp(const struct qn_spot *a, const struct qn_spot *b)
{
    if (is_at_edge(a) || is_at_edge(b))
        return cmp_kind(a->kind, b->kind);
    int order = qn_span_cmp(a->key, b->key);
    if (order == 0 && (a->kind == QN_SPOT_KEY || b->kind == QN_SPOT_KEY))
        return cmp_kind(a->kind, b->kind);
    if (order == 0)
        order = qn_span_cmp(a->field, b->field);
    return order != 0 ? order : qn_dot_cmp(&a->dot, &b->dot);
}

void qn_spot_pack(const struct qn_spot *spot, struct qn_buf *out)
{
    switch (spot->kind) {
    case QN_SPOT_START:
        qn_pack_nil(out);
        return;
    case QN_SPOT_END:
        qn_pack_bool(out, true);
        return;
    case QN_SPOT_KEY:
        qn_pack_array(out, 1);
        qn_pack_str(out, spot->key);
        return;
    case QN_SPOT_PAIR:
        qn_pack_array(out, 4);
        qn_pack_str(out, spot->key);
        qn_pack_str(out, spot->field);
        qn_pack_bin(out, QN_SPAN_OF(spot->dot.actor.bytes));
        qn_pack_u64(out, spot->dot.ctr);
        return;
    }
}

static enum qn_err read_name(struct qn_cursor *cursor, size_t size_max, struct qn_span *ret_name)
{
    QN_TRY(qn_cursor_str(cursor, size_max, ret_name));
    return ret_name->size > 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_spot(struct qn_cursor *cursor, struct qn_spot *spot)
{
    size_t parts;
    QN_TRY(qn_cursor_array(cursor, 4, &parts));
    if (parts != 1 && parts != 4)
        return QN_ERR_INVALID;
    spot->kind = parts == 1 ? QN_SPOT_KEY : QN_SPOT_PAIR;
    QN_TRY(read_name(cursor, QN_KEY_SIZE_MAX, &spot->key));
    if (parts == 1)
        return QN_OK;
    QN_TRY(read_name(cursor, QN_FIELD_SIZE_MAX, &spot->field));
    QN_TRY(qn_cursor_bytes(cursor, spot->dot.actor.bytes, sizeof(spot->dot.actor.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &spot->dot.ctr));
    return spot->dot.ctr > 0 ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_spot_unpack(struct qn_cursor *cursor, struct qn_spot *ret_spot)
{
    struct qn_cursor trial = *cursor;
    struct qn_spot spot = {.kind = QN_SPOT_START};
    bool is_end = true;
    enum qn_item item = qn_cursor_peek(&trial);
    if (item == QN_ITEM_NIL) {
        QN_TRY(qn_cursor_nil(&trial));
    } else if (item == QN_ITEM_BOOL) {
        spot.kind = QN_SPOT_END;
        QN_TRY(qn_cursor_bool(&trial, &is_end));
    } else {
        QN_TRY(read_spot(&trial, &spot));
    }
    if (!is_end)
        return QN_ERR_INVALID;
    *cursor = trial;
    *ret_spot = spot;
    return QN_OK;
}

/* --- clocks with their checkpoints --- */

void qn_page_heads_deinit(struct qn_page_heads *heads)
{
    qn_vec_free(&heads->list);
}

void qn_page_heads_pack(const struct qn_page_heads *heads, struct qn_buf *out)
{
    qn_pack_array(out, 4 * heads->list.count);
    qn_vec_each (&heads->list, head) {
        qn_pack_bin(out, QN_SPAN_OF(head->at.actor.bytes));
        qn_pack_u64(out, head->at.ctr);
        qn_pack_bin(out, QN_SPAN_OF(head->hash.bytes));
        qn_pack_bin(out, QN_SPAN_OF(head->signature.bytes));
    }
}

static enum qn_err read_head(struct qn_cursor *cursor, struct qn_page_head *head)
{
    QN_TRY(qn_cursor_bytes(cursor, head->at.actor.bytes, sizeof(head->at.actor.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &head->at.ctr));
    QN_TRY(qn_cursor_bytes(cursor, head->hash.bytes, sizeof(head->hash.bytes)));
    QN_TRY(qn_cursor_bytes(cursor, head->signature.bytes, sizeof(head->signature.bytes)));
    return head->at.ctr > 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_heads(struct qn_cursor *cursor, struct qn_page_heads *heads)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 4 * QN_PAGE_HEADS_MAX, &count));
    if (count % 4 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count / 4; i++) {
        struct qn_page_head head;
        QN_TRY(read_head(cursor, &head));
        if (i > 0 && qn_actor_cmp(&heads->list.items[i - 1].at.actor, &head.at.actor) >= 0)
            return QN_ERR_INVALID;
        qn_vec_push(&heads->list, head);
    }
    return QN_OK;
}

enum qn_err qn_page_heads_unpack(struct qn_cursor *cursor, struct qn_page_heads *ret_heads)
{
    struct qn_page_heads heads = {0};
    enum qn_err err = read_heads(cursor, &heads);
    if (err == QN_OK)
        *ret_heads = heads;
    else
        qn_page_heads_deinit(&heads);
    return err;
}

/* --- pages --- */

void qn_page_deinit(struct qn_page *page)
{
    qn_page_heads_deinit(&page->heads);
    qn_vec_free(&page->actors);
    qn_vec_free(&page->names);
    qn_vec_free(&page->pairs);
    qn_vec_free(&page->records);
}

static enum qn_err read_range(struct qn_cursor *cursor, struct qn_page *page)
{
    QN_TRY(qn_spot_unpack(cursor, &page->lo));
    QN_TRY(qn_spot_unpack(cursor, &page->hi));
    return qn_spot_cmp(&page->lo, &page->hi) < 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_clock(struct qn_cursor *cursor, struct qn_page *page)
{
    page->has_heads = qn_cursor_peek(cursor) == QN_ITEM_ARRAY;
    if (page->has_heads)
        return qn_page_heads_unpack(cursor, &page->heads);
    return qn_cursor_bytes(cursor, page->clock.bytes, sizeof(page->clock.bytes));
}

static enum qn_err read_actors(struct qn_cursor *cursor, struct qn_page *page)
{
    struct qn_span all;
    QN_TRY(qn_cursor_bin(cursor, QN_PAGE_HEADS_MAX * QN_ACTOR_SIZE, &all));
    if (all.size % QN_ACTOR_SIZE != 0)
        return QN_ERR_INVALID;
    for (size_t at = 0; at < all.size; at += QN_ACTOR_SIZE)
        memcpy(qn_vec_push_slot(&page->actors)->bytes, all.data + at, QN_ACTOR_SIZE);
    return QN_OK;
}

static enum qn_err read_names(struct qn_cursor *cursor, struct qn_page *page)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_PAGE_NAMES_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(read_name(cursor, QN_FIELD_SIZE_MAX, qn_vec_push_slot(&page->names)));
    return QN_OK;
}

struct stamp {
    struct qn_dot dot;
    qn_hlc hlc;
    struct qn_span user;
};

struct stamps {
    QN_VEC(struct stamp) list;
};

static enum qn_err read_stamp(struct qn_cursor *cursor, const struct qn_page *page, qn_hlc base,
                              struct stamp *stamp)
{
    uint64_t actor, user;
    int64_t beside;
    QN_TRY(qn_cursor_u64(cursor, &actor));
    QN_TRY(qn_cursor_u64(cursor, &stamp->dot.ctr));
    QN_TRY(qn_cursor_i64(cursor, &beside));
    QN_TRY(qn_cursor_u64(cursor, &user));
    if (actor >= page->actors.count || stamp->dot.ctr == 0 || user > page->names.count)
        return QN_ERR_INVALID;
    stamp->dot.actor = page->actors.items[actor];
    stamp->hlc = base + (uint64_t)beside;
    stamp->user = user == 0 ? qn_span(NULL, 0) : page->names.items[user - 1];
    return stamp->user.size <= QN_USER_SIZE_MAX ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_stamps(struct qn_cursor *cursor, const struct qn_page *page, qn_hlc base,
                               struct stamps *stamps)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_PAGE_SIZE_MAX, &count));
    if (count == 0 || count % 4 != 0)
        return QN_ERR_INVALID;
    stamps->list.count = 0;
    for (size_t i = 0; i < count / 4; i++) {
        struct stamp stamp;
        QN_TRY(read_stamp(cursor, page, base, &stamp));
        if (i > 0 && qn_dot_cmp(&stamps->list.items[i - 1].dot, &stamp.dot) >= 0)
            return QN_ERR_INVALID;
        qn_vec_push(&stamps->list, stamp);
    }
    return QN_OK;
}

static enum qn_err read_pair(struct qn_cursor *cursor, const struct qn_page *page,
                             const struct stamps *stamps, struct qn_page_pair *ret_pair)
{
    uint64_t field, at;
    QN_TRY(qn_cursor_u64(cursor, &field));
    QN_TRY(qn_cursor_u64(cursor, &at));
    if (field >= page->names.count || at >= stamps->list.count)
        return QN_ERR_INVALID;
    const struct stamp *stamp = &stamps->list.items[at];
    *ret_pair = (struct qn_page_pair){
        .field = page->names.items[field],
        .pair = {.dot = stamp->dot, .hlc = stamp->hlc, .user = stamp->user},
    };
    QN_TRY(qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX, &ret_pair->pair.value));
    return qn_value_check(ret_pair->pair.value);
}

static struct qn_spot spot_of(struct qn_span key, const struct qn_page_pair *pair)
{
    return (struct qn_spot){QN_SPOT_PAIR, key, pair->field, pair->pair.dot};
}

static enum qn_err read_pairs(struct qn_cursor *cursor, const struct stamps *stamps,
                              struct qn_page *page, struct qn_page_record *record)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_PAGE_SIZE_MAX, &count));
    if (count == 0 || count % 3 != 0)
        return QN_ERR_INVALID;
    record->first = page->pairs.count;
    record->count = count / 3;
    for (size_t i = 0; i < record->count; i++) {
        struct qn_page_pair pair;
        QN_TRY(read_pair(cursor, page, stamps, &pair));
        struct qn_spot at = spot_of(record->key, &pair);
        if (i > 0) {
            struct qn_spot before = spot_of(record->key, &page->pairs.items[page->pairs.count - 1]);
            if (qn_spot_cmp(&before, &at) >= 0)
                return QN_ERR_INVALID;
        }
        qn_vec_push(&page->pairs, pair);
    }
    return QN_OK;
}

static enum qn_err read_record(struct qn_cursor *cursor, qn_hlc base, struct stamps *stamps,
                               struct qn_page *page)
{
    size_t parts;
    struct qn_page_record record;
    QN_TRY(qn_cursor_array(cursor, 3, &parts));
    if (parts != 3)
        return QN_ERR_INVALID;
    QN_TRY(read_name(cursor, QN_KEY_SIZE_MAX, &record.key));
    size_t count = page->records.count;
    if (count > 0 && qn_span_cmp(page->records.items[count - 1].key, record.key) >= 0)
        return QN_ERR_INVALID;
    QN_TRY(read_stamps(cursor, page, base, stamps));
    QN_TRY(read_pairs(cursor, stamps, page, &record));
    qn_vec_push(&page->records, record);
    return QN_OK;
}

/* All stand in order, so the first and the last say it of all. */
static enum qn_err check_range(const struct qn_page *page)
{
    size_t records = page->records.count;
    if (records == 0)
        return QN_OK;
    struct qn_spot first = spot_of(page->records.items[0].key, &page->pairs.items[0]);
    struct qn_spot last =
        spot_of(page->records.items[records - 1].key, &page->pairs.items[page->pairs.count - 1]);
    bool is_inside = qn_spot_cmp(&page->lo, &first) < 0 && qn_spot_cmp(&last, &page->hi) <= 0;
    return is_inside ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_records(struct qn_cursor *cursor, qn_hlc base, struct qn_page *page)
{
    size_t count;
    struct stamps stamps = {0};
    QN_TRY(qn_cursor_array(cursor, QN_PAGE_SIZE_MAX, &count));
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < count && err == QN_OK; i++)
        err = read_record(cursor, base, &stamps, page);
    qn_vec_free(&stamps.list);
    return err;
}

static enum qn_err read_page(struct qn_cursor *cursor, struct qn_page *page)
{
    size_t parts;
    qn_hlc base;
    QN_TRY(qn_cursor_array(cursor, PAGE_PARTS, &parts));
    if (parts != PAGE_PARTS)
        return QN_ERR_INVALID;
    QN_TRY(read_range(cursor, page));
    QN_TRY(read_clock(cursor, page));
    QN_TRY(qn_cursor_u64(cursor, &base));
    QN_TRY(read_actors(cursor, page));
    QN_TRY(read_names(cursor, page));
    QN_TRY(read_records(cursor, base, page));
    QN_TRY(qn_cursor_finish(cursor));
    return check_range(page);
}

enum qn_err qn_page_unpack(struct qn_span body, struct qn_page *ret_page)
{
    if (body.size > QN_PAGE_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_page page = {0};
    struct qn_cursor cursor = qn_cursor(body);
    enum qn_err err = read_page(&cursor, &page);
    if (err == QN_OK)
        *ret_page = page;
    else
        qn_page_deinit(&page);
    return err;
}
