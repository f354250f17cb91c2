#include "model/copy.h"

#include "base/limits.h"
#include "base/text.h"
#include "model/value.h"
#include "proto/pack.h"

#define PARTS      5 /* of a pair */
#define FIELDS_MAX 65536
#define PAIRS_MAX  65536

/* ---- a record ---- */

static void pack_pair(const struct qn_pair *pair, struct qn_buf *out)
{
    qn_pack_bin(out, QN_SPAN_OF(pair->dot.actor.bytes));
    qn_pack_u64(out, pair->dot.ctr);
    qn_pack_u64(out, pair->hlc);
    if (pair->user.size > 0)
        qn_pack_str(out, pair->user);
    else
        qn_pack_nil(out);
    qn_pack_raw(out, pair->value);
}

void qn_record_pack(const struct qn_record *record, struct qn_buf *out)
{
    qn_pack_array(out, 2 * record->fields.count);
    qn_vec_each (&record->fields, field) {
        qn_pack_str(out, field->name);
        qn_pack_array(out, PARTS * field->pairs.count);
        qn_vec_each (&field->pairs, pair)
            pack_pair(pair, out);
    }
}

static enum qn_err unpack_user(struct qn_cursor *cursor, struct qn_span *ret_user)
{
    *ret_user = qn_span(NULL, 0);
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    QN_TRY(qn_cursor_str(cursor, QN_USER_SIZE_MAX, ret_user));
    return ret_user->size > 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err unpack_pair(struct qn_cursor *cursor, struct qn_pair *ret_pair)
{
    QN_TRY(qn_cursor_bytes(cursor, ret_pair->dot.actor.bytes, QN_ACTOR_SIZE));
    QN_TRY(qn_cursor_u64(cursor, &ret_pair->dot.ctr));
    QN_TRY(qn_cursor_u64(cursor, &ret_pair->hlc));
    QN_TRY(unpack_user(cursor, &ret_pair->user));
    QN_TRY(qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX, &ret_pair->value));
    QN_TRY(qn_value_check(ret_pair->value));
    return ret_pair->dot.ctr > 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err unpack_pairs(struct qn_cursor *cursor, struct qn_span name,
                                struct qn_record *record)
{
    struct qn_dot last = {0};
    size_t count;
    QN_TRY(qn_cursor_array(cursor, PARTS * PAIRS_MAX, &count));
    if (count == 0 || count % PARTS != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i += PARTS) {
        struct qn_pair pair;
        QN_TRY(unpack_pair(cursor, &pair));
        if (qn_dot_cmp(&last, &pair.dot) >= 0)
            return QN_ERR_INVALID;
        last = pair.dot;
        qn_record_add(record, name, &pair);
    }
    return QN_OK;
}

static enum qn_err unpack_fields(struct qn_cursor *cursor, struct qn_record *record)
{
    struct qn_span last = {0}, name;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 2 * FIELDS_MAX, &count));
    if (count == 0 || count % 2 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i += 2) {
        QN_TRY(qn_cursor_str(cursor, QN_FIELD_SIZE_MAX, &name));
        if (name.size == 0 || qn_span_cmp(last, name) >= 0)
            return QN_ERR_INVALID;
        QN_TRY(unpack_pairs(cursor, name, record));
        last = name;
    }
    return QN_OK;
}

enum qn_err qn_record_unpack(struct qn_cursor *cursor, struct qn_record *ret_record)
{
    struct qn_record record = {0};
    enum qn_err err = unpack_fields(cursor, &record);
    if (err == QN_OK)
        *ret_record = record;
    else
        qn_record_deinit(&record);
    return err;
}

/* ---- a copy ---- */

void qn_record_copy_deinit(struct qn_record_copy *copy)
{
    qn_record_deinit(&copy->record);
}

static enum qn_err unpack_damaged(struct qn_cursor *cursor, struct qn_record_copy *copy)
{
    copy->kind = QN_COPY_DAMAGED;
    QN_TRY(qn_cursor_bin(cursor, QN_STATE_HASH_SIZE, &copy->hash));
    return copy->hash.size == 0 || copy->hash.size == QN_STATE_HASH_SIZE ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err unpack_too_large(struct qn_cursor *cursor, struct qn_record_copy *copy)
{
    bool is_sent;
    copy->kind = QN_COPY_TOO_LARGE;
    QN_TRY(qn_cursor_bool(cursor, &is_sent));
    return is_sent ? QN_ERR_INVALID : QN_OK;
}

static enum qn_err unpack_kind(struct qn_cursor *cursor, struct qn_record_copy *copy)
{
    switch (qn_cursor_peek(cursor)) {
    case QN_ITEM_NIL:
        copy->kind = QN_COPY_NONE;
        return qn_cursor_nil(cursor);
    case QN_ITEM_BIN:
        return unpack_damaged(cursor, copy);
    case QN_ITEM_ARRAY:
        return qn_record_unpack(cursor, &copy->record);
    default:
        return unpack_too_large(cursor, copy);
    }
}

enum qn_err qn_record_copy_unpack(struct qn_cursor *cursor, struct qn_record_copy *ret_copy)
{
    struct qn_record_copy copy = {.kind = QN_COPY_RECORD};
    size_t start = cursor->at;
    QN_TRY(unpack_kind(cursor, &copy));
    copy.packed = qn_span(cursor->input.data + start, cursor->at - start);
    *ret_copy = copy;
    return QN_OK;
}

/* ---- what is left ---- */

void qn_copy_left_deinit(struct qn_copy_left *left)
{
    qn_record_deinit(&left->said);
    qn_record_deinit(&left->seen);
}

static enum qn_err unpack_some(struct qn_cursor *cursor, struct qn_record *ret_record)
{
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    return qn_record_unpack(cursor, ret_record);
}

enum qn_err qn_copy_left_unpack(struct qn_cursor *cursor, struct qn_copy_left *ret_left)
{
    struct qn_copy_left left = {.key = {0}};
    QN_TRY(qn_cursor_str(cursor, QN_KEY_SIZE_MAX, &left.key));
    enum qn_err err = unpack_some(cursor, &left.said);
    if (err == QN_OK)
        err = unpack_some(cursor, &left.seen);
    if (err == QN_OK)
        *ret_left = left;
    else
        qn_copy_left_deinit(&left);
    return err;
}
