#include "model/row.h"

#include "base/assert.h"
#include "base/limits.h"

#define ROW_FORMAT    1
#define ROW_HEAD      (2 + QN_STATE_HASH_SIZE)

#define FLAG_STATE    0x03
#define FLAG_CONFLICT 0x04

/* References to names: 0 none, 1 the name itself follows, n + 1 for number n. */
#define NAME_NONE    0
#define NAME_INLINE  1

#define HLC_CTR_MASK 0xffff

enum qn_err qn_row_put_name(struct qn_dict *dict, struct qn_span name, struct qn_buf *out)
{
    if (name.size == 0) {
        qn_buf_append_varint(out, NAME_NONE);
        return QN_OK;
    }
    uint32_t number;
    QN_TRY(qn_dict_number_name(dict, name, &number));
    if (number > 0) {
        qn_buf_append_varint(out, (uint64_t)number + NAME_INLINE);
        return QN_OK;
    }
    qn_buf_append_varint(out, NAME_INLINE);
    qn_buf_append_varint(out, name.size);
    qn_buf_append_span(out, name);
    return QN_OK;
}

static enum qn_err get_varint(struct qn_span row, size_t *offset, uint64_t *ret_value)
{
    return qn_read_varint(row, offset, ret_value) == QN_OK ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err get_bytes(struct qn_span row, size_t *offset, size_t size_max,
                             struct qn_span *ret_bytes)
{
    uint64_t size;
    QN_TRY(get_varint(row, offset, &size));
    if (size == 0 || size > size_max || size > row.size - *offset)
        return QN_ERR_CORRUPT;
    *ret_bytes = qn_span(row.data + *offset, (size_t)size);
    *offset += (size_t)size;
    return QN_OK;
}

enum qn_err qn_row_get_name(struct qn_dict *dict, struct qn_span row, size_t *offset,
                            struct qn_span *ret_name)
{
    uint64_t reference;
    QN_TRY(get_varint(row, offset, &reference));
    *ret_name = qn_span(NULL, 0);
    if (reference == NAME_NONE)
        return QN_OK;
    if (reference == NAME_INLINE)
        return get_bytes(row, offset, QN_FIELD_SIZE_MAX, ret_name);
    return qn_dict_name_of(dict, reference - NAME_INLINE, ret_name);
}

/* --- clocks: milliseconds below the latest, and the counter only if it is not 0 --- */

static void put_hlc(qn_hlc hlc, qn_hlc latest, struct qn_buf *out)
{
    uint64_t below = qn_hlc_ms(latest) - qn_hlc_ms(hlc);
    uint64_t ctr = hlc & HLC_CTR_MASK;
    qn_buf_append_varint(out, below << 1 | (ctr != 0));
    if (ctr != 0)
        qn_buf_append_varint(out, ctr);
}

static enum qn_err get_hlc(struct qn_span row, size_t *offset, qn_hlc latest, qn_hlc *ret_hlc)
{
    uint64_t below, ctr = 0;
    QN_TRY(get_varint(row, offset, &below));
    if ((below & 1) != 0)
        QN_TRY(get_varint(row, offset, &ctr));
    if (below >> 1 > qn_hlc_ms(latest) || ctr > HLC_CTR_MASK || ((below & 1) != 0 && ctr == 0))
        return QN_ERR_CORRUPT;
    *ret_hlc = (qn_hlc_ms(latest) - (below >> 1)) << 16 | ctr;
    return QN_OK;
}

/* --- pairs and fields --- */

static enum qn_err put_pair(struct qn_dict *dict, const struct qn_pair *pair, qn_hlc latest,
                            struct qn_buf *out)
{
    uint32_t actor;
    QN_TRY(qn_dict_number_actor(dict, &pair->dot.actor, &actor));
    qn_buf_append_varint(out, actor);
    qn_buf_append_varint(out, pair->dot.ctr);
    put_hlc(pair->hlc, latest, out);
    QN_TRY(qn_row_put_name(dict, pair->user, out));
    qn_buf_append_varint(out, pair->value.size);
    qn_buf_append_span(out, pair->value);
    return QN_OK;
}

static enum qn_err get_pair(struct qn_dict *dict, struct qn_span row, size_t *offset, qn_hlc latest,
                            struct qn_pair *ret_pair)
{
    uint64_t actor;
    QN_TRY(get_varint(row, offset, &actor));
    QN_TRY(qn_dict_actor_of(dict, actor, &ret_pair->dot.actor));
    QN_TRY(get_varint(row, offset, &ret_pair->dot.ctr));
    QN_TRY(get_hlc(row, offset, latest, &ret_pair->hlc));
    QN_TRY(qn_row_get_name(dict, row, offset, &ret_pair->user));
    QN_TRY(get_bytes(row, offset, QN_VALUE_SIZE_MAX, &ret_pair->value));
    return ret_pair->dot.ctr > 0 ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err put_field(struct qn_dict *dict, const struct qn_field *field, qn_hlc latest,
                             struct qn_buf *out)
{
    bool is_many = field->pairs.count > 1;
    QN_TRY(qn_row_put_name(dict, field->name, out));
    if (is_many)
        qn_buf_append_varint(out, 0); /* no actor has this number: a count follows */
    if (is_many)
        qn_buf_append_varint(out, field->pairs.count);
    qn_vec_each (&field->pairs, pair)
        QN_TRY(put_pair(dict, pair, latest, out));
    return QN_OK;
}

static enum qn_err get_pair_count(struct qn_span row, size_t *offset, size_t *ret_count)
{
    uint64_t count = 1;
    if (*offset < row.size && row.data[*offset] == 0) {
        ++*offset;
        QN_TRY(get_varint(row, offset, &count));
        if (count < 2 || count > row.size - *offset)
            return QN_ERR_CORRUPT;
    }
    *ret_count = (size_t)count;
    return QN_OK;
}

static const struct qn_pair *last_pair(const struct qn_record *record)
{
    const struct qn_field *field = &record->fields.items[record->fields.count - 1];
    return &field->pairs.items[field->pairs.count - 1];
}

/* Fields and pairs are appended, and must come in their order. */
static enum qn_err get_field(struct qn_dict *dict, struct qn_span row, size_t *offset,
                             qn_hlc latest, struct qn_record *record)
{
    struct qn_span name;
    size_t count;
    QN_TRY(qn_row_get_name(dict, row, offset, &name));
    QN_TRY(get_pair_count(row, offset, &count));
    size_t before = record->fields.count;
    if (name.size == 0 ||
        (before > 0 && qn_span_cmp(record->fields.items[before - 1].name, name) >= 0))
        return QN_ERR_CORRUPT;
    for (size_t i = 0; i < count; i++) {
        struct qn_pair pair;
        QN_TRY(get_pair(dict, row, offset, latest, &pair));
        if (i > 0 && qn_dot_cmp(&last_pair(record)->dot, &pair.dot) >= 0)
            return QN_ERR_CORRUPT;
        qn_record_add(record, name, &pair);
    }
    return QN_OK;
}

/* --- rows --- */

enum qn_err qn_row_encode(struct qn_dict *dict, const struct qn_row_head *head,
                          const struct qn_record *record, struct qn_buf *out)
{
    QN_ASSERT(record->fields.count > 0);
    qn_hlc latest = qn_record_latest(record)->hlc;
    qn_buf_append_u8(out, ROW_FORMAT);
    qn_buf_append_u8(out, (uint8_t)(head->state | (head->has_conflict ? FLAG_CONFLICT : 0)));
    qn_buf_append(out, head->hash, sizeof(head->hash));
    qn_buf_append_varint(out, qn_hlc_ms(latest));
    qn_vec_each (&record->fields, field)
        QN_TRY(put_field(dict, field, latest, out));
    return qn_buf_status(out) == QN_OK ? QN_OK : QN_ERR_NOSPACE;
}

enum qn_err qn_row_decode_head(struct qn_span row, struct qn_row_head *ret_head)
{
    if (row.size <= ROW_HEAD || row.data[0] != ROW_FORMAT)
        return QN_ERR_CORRUPT;
    uint8_t flags = row.data[1];
    if ((flags & ~(FLAG_STATE | FLAG_CONFLICT)) != 0 || (flags & FLAG_STATE) == QN_RECORD_NONE)
        return QN_ERR_CORRUPT;
    ret_head->state = (enum qn_record_state)(flags & FLAG_STATE);
    ret_head->has_conflict = (flags & FLAG_CONFLICT) != 0;
    memcpy(ret_head->hash, row.data + 2, QN_STATE_HASH_SIZE);
    return QN_OK;
}

static enum qn_err get_fields(struct qn_dict *dict, struct qn_span row, struct qn_record *record)
{
    size_t offset = ROW_HEAD;
    uint64_t latest_ms;
    QN_TRY(get_varint(row, &offset, &latest_ms));
    if (latest_ms > UINT64_MAX >> 16 || offset == row.size)
        return QN_ERR_CORRUPT;
    while (offset < row.size)
        QN_TRY(get_field(dict, row, &offset, latest_ms << 16, record));
    return QN_OK;
}

enum qn_err qn_row_decode(struct qn_dict *dict, struct qn_span row, struct qn_record *ret_record)
{
    struct qn_row_head head;
    struct qn_record record = {0};
    QN_TRY(qn_row_decode_head(row, &head));
    enum qn_err err = get_fields(dict, row, &record);
    if (err == QN_OK)
        *ret_record = record;
    else
        qn_record_deinit(&record);
    return err;
}
