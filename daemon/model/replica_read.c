#include "model/replica_read.h"

#include "base/limits.h"
#include "base/text.h"
#include "model/fingerprint.h"
#include "model/late_seg.h"
#include "model/log_row.h"
#include "model/row.h"
#include "proto/cursor.h"

static enum qn_err decode(struct qn_kv *kv, struct qn_span row, struct qn_record *ret_record)
{
    struct qn_dict dict;
    qn_dict_init(&dict, kv, false);
    return qn_row_decode(&dict, row, ret_record);
}

static enum qn_err number_of(struct qn_kv *kv, const struct qn_coll_id *coll, uint32_t *ret_number)
{
    struct qn_coll_row row;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    *ret_number = row.number;
    return QN_OK;
}

/* A name longer than there is room for is cut between characters. */
static void copy_name(struct qn_span text, uint8_t *out, size_t size_max)
{
    size_t size = text.size < size_max ? text.size : size_max;
    while (size > 0 && size < text.size && (text.data[size] & 0xc0) == 0x80)
        size--;
    if (size > 0)
        memcpy(out, text.data, size);
    out[size] = 0;
}

/* The shown value of a field, if it is text; else empty. */
static struct qn_span shown_text(const struct qn_record *record, const char *field)
{
    struct qn_span text = {0};
    const struct qn_field *found = qn_record_field(record, qn_span_str(field));
    if (found == NULL)
        return text;
    struct qn_cursor cursor = qn_cursor(qn_field_shown(found)->value);
    return qn_cursor_str(&cursor, QN_VALUE_SIZE_MAX, &text) == QN_OK ? text : qn_span(NULL, 0);
}

static void read_kind(const struct qn_record *record, struct qn_coll_info *info)
{
    QN_AUTO_BUF struct qn_buf home;
    qn_buf_init(&home, sizeof(info->home.bytes));
    if (!qn_span_eq_str(shown_text(record, "kind"), QN_COLL_KIND_FOLDER))
        return;
    info->is_folder = qn_text_parse_hex(shown_text(record, "home"), &home) == QN_OK &&
                      home.size == sizeof(info->home.bytes);
    if (info->is_folder)
        memcpy(info->home.bytes, home.data, home.size);
}

/* What the record _collection says. */
static enum qn_err read_self(struct qn_kv *kv, const struct qn_coll_id *coll,
                             struct qn_coll_info *info)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    enum qn_err err = qn_read_record(kv, coll, qn_span_str(QN_KEY_COLLECTION), &record);
    if (err == QN_ERR_DAMAGED)
        return QN_OK; /* without a name, until it is repaired */
    if (err != QN_OK)
        return qn_may_miss(err);
    copy_name(shown_text(&record, "name"), info->name, sizeof(info->name) - 1);
    read_kind(&record, info);
    return QN_OK;
}

static void fill_late(const struct qn_segs *segs, struct qn_late *late)
{
    struct qn_buf cursor;
    const struct qn_seg *last = qn_segs_last(segs, late->pass);
    if (!late->is_passing || last == NULL)
        return;
    late->has_clock = !segs->clocks.items[last->clock].is_lowered;
    late->clock = segs->clocks.items[last->clock].digest;
    qn_buf_init(&cursor, sizeof(late->cursor));
    qn_spot_pack(&last->hi, &cursor);
    late->cursor_size = cursor.size;
    memcpy(late->cursor, cursor.data, cursor.size);
    qn_buf_deinit(&cursor);
}

static enum qn_err read_late(struct qn_kv *kv, const struct qn_coll_row *row, struct qn_late *late)
{
    struct qn_segs segs = {0};
    struct qn_dict dict;
    QN_AUTO_VV struct qn_vv cc = {0};
    if (!row->is_late)
        return QN_OK;
    late->is_late = true;
    late->is_passing = row->is_passing;
    late->pass = row->pass;
    late->dropped = row->dropped;
    qn_dict_init(&dict, kv, false);
    QN_TRY(qn_dict_clock(&dict, QN_TABLE_CC, row->number, &cc));
    enum qn_err err = qn_segs_load(kv, row->number, true, &segs);
    if (err == QN_OK) {
        late->segs = (uint32_t)qn_segs_open(&segs, &cc);
        fill_late(&segs, late);
    }
    qn_segs_deinit(&segs);
    return err;
}

enum qn_err qn_read_coll(struct qn_kv *kv, const struct qn_coll_id *coll,
                         struct qn_coll_info *ret_info)
{
    struct qn_coll_row row;
    struct qn_log_row log;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_TRY(qn_log_row_get(kv, row.number, row.order_head, &log));
    struct qn_coll_info info = {
        .order_head = row.order_head,
        .live = row.live,
        .trashed = row.trashed,
        .conflicts = row.conflicts,
        .rows = row.rows,
        .log_ops = log.ops,
        .log_bytes = log.bytes,
    };
    qn_sum_cut(row.sum, row.rows, info.root);
    QN_TRY(qn_damage_get(kv, row.number, &info.damage));
    QN_TRY(read_self(kv, coll, &info));
    QN_TRY(read_late(kv, &row, &info.late));
    *ret_info = info;
    return QN_OK;
}

static enum qn_err read_clock(struct qn_kv *kv, enum qn_table table, const struct qn_coll_id *coll,
                              struct qn_vv *ret_vv)
{
    struct qn_dict dict;
    uint32_t number;
    qn_dict_init(&dict, kv, false);
    QN_TRY(number_of(kv, coll, &number));
    return qn_dict_clock(&dict, table, number, ret_vv);
}

enum qn_err qn_read_cc(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_vv *ret_cc)
{
    return read_clock(kv, QN_TABLE_CC, coll, ret_cc);
}

enum qn_err qn_read_floor(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_vv *ret_floor)
{
    return read_clock(kv, QN_TABLE_FLOOR, coll, ret_floor);
}

enum qn_err qn_read_record(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span key,
                           struct qn_record *ret_record)
{
    struct qn_key at;
    struct qn_span row;
    uint32_t number;
    QN_TRY(number_of(kv, coll, &number));
    if (number == 0 || key.size == 0 || key.size > QN_KEY_SIZE_MAX)
        return QN_ERR_NOTFOUND;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_REC, qn_key_record(&at, number, key), &row);
    if (err == QN_ERR_NOTFOUND && qn_aside_get(kv, number, key, &row) == QN_OK)
        return QN_ERR_DAMAGED;
    QN_TRY(err);
    err = decode(kv, row, ret_record);
    return err == QN_ERR_CORRUPT ? QN_ERR_DAMAGED : err;
}

/* The first key of a table that is > after, begins with prefix and belongs to the collection. */
static enum qn_err next_key(struct qn_kv *kv, enum qn_table table, uint32_t coll,
                            struct qn_span after, struct qn_span prefix, struct qn_span *ret_key,
                            struct qn_span *ret_value)
{
    struct qn_key at;
    struct qn_span key, value;
    if (coll == 0 || prefix.size > QN_KEY_SIZE_MAX || after.size > QN_KEY_SIZE_MAX)
        return QN_ERR_NOTFOUND;
    bool is_inside = after.size > 0 && qn_span_cmp(after, prefix) >= 0;
    qn_key_record(&at, coll, is_inside ? after : prefix);
    if (is_inside)
        qn_key_next(&at);
    QN_TRY(qn_kv_seek(kv, table, qn_key_view(&at), &key, &value));
    if (!qn_span_has_prefix(key, qn_key_coll(&at, coll)) ||
        !qn_span_has_prefix(qn_span_from(key, 4), prefix))
        return QN_ERR_NOTFOUND;
    *ret_key = qn_span_from(key, 4);
    *ret_value = value;
    return QN_OK;
}

enum qn_err qn_read_next(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span after,
                         struct qn_span prefix, struct qn_span *ret_key,
                         struct qn_record *ret_record)
{
    struct qn_span key, row;
    uint32_t number;
    QN_TRY(number_of(kv, coll, &number));
    for (;;) { /* past what is damaged: the others can be read */
        QN_TRY(next_key(kv, QN_TABLE_REC, number, after, prefix, &key, &row));
        enum qn_err err = decode(kv, row, ret_record);
        *ret_key = key;
        if (err != QN_ERR_CORRUPT)
            return err;
        after = key;
    }
}

enum qn_err qn_read_next_in(struct qn_kv *kv, enum qn_table index, const struct qn_coll_id *coll,
                            struct qn_span after, struct qn_span *ret_key)
{
    struct qn_span value;
    uint32_t number;
    QN_TRY(number_of(kv, coll, &number));
    return next_key(kv, index, number, after, qn_span(NULL, 0), ret_key, &value);
}
