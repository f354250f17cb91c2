#include "chunk/places.h"

#include "chunk/pack_private.h"

#define SQUEEZED     0x80 /* beside the kind */
#define ROW_SIZE_MAX (1 + 5 + 5 + 5 + 5 + 32)

void qn_places_init(struct qn_places *places)
{
    *places = (struct qn_places){0};
    qn_buf_init(&places->rows, QN_PLACES_ROWS_MAX * ROW_SIZE_MAX);
    qn_places_reset(places);
}

void qn_places_deinit(struct qn_places *places)
{
    qn_vec_free(&places->packs);
    qn_buf_deinit(&places->rows);
}

void qn_places_reset(struct qn_places *places)
{
    places->packs.count = places->row_count = places->last = 0;
    places->end = QN_PACK_HEAD_SIZE;
    qn_buf_reset(&places->rows);
}

/* ---- writing ---- */

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* Neighbours are mostly in one pack: the last one is looked at first. */
static bool find_pack(struct qn_places *places, const struct qn_pack_name *name)
{
    const size_t count = places->packs.count;
    for (size_t i = 0; i < count; i++) {
        size_t at = (places->last + i) % count;
        if (memcmp(&places->packs.items[at], name, sizeof(*name)) == 0) {
            places->last = at;
            return true;
        }
    }
    if (count >= QN_PLACES_PACKS_MAX)
        return false;
    qn_vec_push(&places->packs, *name);
    places->last = count;
    return true;
}

static size_t id_size(enum qn_blob_kind kind)
{
    return kind == QN_BLOB_PLACES ? sizeof(struct qn_chunk_id) : QN_PLACE_ID_SIZE;
}

bool qn_places_add(struct qn_places *places, const struct qn_place *place)
{
    const struct qn_blob *blob = &place->blob;
    if (places->row_count >= QN_PLACES_ROWS_MAX || !qn_blob_is_possible(blob) ||
        !find_pack(places, &place->pack))
        return false;
    struct qn_buf *rows = &places->rows;
    qn_buf_append_u8(rows, (uint8_t)((unsigned)blob->kind | (blob->is_squeezed ? SQUEEZED : 0)));
    qn_buf_append_varint(rows, places->last);
    qn_buf_append_varint(rows, zigzag((int64_t)blob->offset - (int64_t)places->end));
    qn_buf_append_varint(rows, blob->stored_size);
    if (blob->is_squeezed)
        qn_buf_append_varint(rows, blob->raw_size);
    qn_buf_append(rows, blob->id.bytes, id_size(blob->kind));
    places->row_count++;
    places->end = blob->offset + (uint32_t)qn_blob_span_size(blob);
    return true;
}

void qn_places_pack(const struct qn_places *places, struct qn_buf *out)
{
    if (places->row_count == 0)
        return;
    qn_buf_append_varint(out, places->packs.count);
    qn_buf_append(out, places->packs.items, places->packs.count * sizeof(*places->packs.items));
    qn_buf_append_span(out, qn_buf_view(&places->rows));
}

/* ---- reading ---- */

struct reader {
    struct qn_span bytes, packs;
    size_t at;
    int64_t end;
};

static enum qn_err read_number(struct reader *reader, uint64_t max, uint64_t *ret_number)
{
    uint64_t number;
    if (qn_read_varint(reader->bytes, &reader->at, &number) != QN_OK || number > max)
        return QN_ERR_CORRUPT;
    *ret_number = number;
    return QN_OK;
}

static enum qn_err read_packs(struct reader *reader)
{
    const size_t size = sizeof(struct qn_pack_name);
    uint64_t count;
    QN_TRY(read_number(reader, QN_PLACES_PACKS_MAX, &count));
    if (count == 0 || count > (reader->bytes.size - reader->at) / size)
        return QN_ERR_CORRUPT;
    reader->packs = qn_span(reader->bytes.data + reader->at, (size_t)count * size);
    reader->at += reader->packs.size;
    return QN_OK;
}

static enum qn_err read_pack(struct reader *reader, struct qn_pack_name *ret_name)
{
    uint64_t pack;
    QN_TRY(read_number(reader, reader->packs.size / sizeof(*ret_name) - 1, &pack));
    memcpy(ret_name, reader->packs.data + (size_t)pack * sizeof(*ret_name), sizeof(*ret_name));
    return QN_OK;
}

static enum qn_err read_offset(struct reader *reader, uint32_t *ret_offset)
{
    uint64_t delta;
    QN_TRY(read_number(reader, 4 * (uint64_t)QN_PACK_SIZE_MAX, &delta));
    int64_t offset = reader->end + ((int64_t)(delta >> 1) ^ -(int64_t)(delta & 1));
    if (offset < QN_PACK_HEAD_SIZE || offset > QN_PACK_SIZE_MAX)
        return QN_ERR_CORRUPT;
    *ret_offset = (uint32_t)offset;
    return QN_OK;
}

static enum qn_err read_sizes(struct reader *reader, struct qn_blob *blob)
{
    uint64_t stored, raw;
    QN_TRY(read_number(reader, QN_BLOB_SIZE_MAX, &stored));
    raw = stored;
    if (blob->is_squeezed)
        QN_TRY(read_number(reader, QN_BLOB_SIZE_MAX, &raw));
    blob->stored_size = (uint32_t)stored;
    blob->raw_size = (uint32_t)raw;
    return QN_OK;
}

static enum qn_err read_row(struct reader *reader, struct qn_place *place)
{
    struct qn_blob *blob = &place->blob;
    uint8_t form = reader->bytes.data[reader->at++];
    blob->kind = (enum qn_blob_kind)(form & ~SQUEEZED);
    blob->is_squeezed = (form & SQUEEZED) != 0;
    QN_TRY(read_pack(reader, &place->pack));
    QN_TRY(read_offset(reader, &blob->offset));
    QN_TRY(read_sizes(reader, blob));
    size_t size = id_size(blob->kind);
    if (!qn_blob_is_possible(blob) || reader->bytes.size - reader->at < size)
        return QN_ERR_CORRUPT;
    memcpy(blob->id.bytes, reader->bytes.data + reader->at, size);
    reader->at += size;
    reader->end = (int64_t)blob->offset + (int64_t)qn_blob_span_size(blob);
    return reader->end <= QN_PACK_SIZE_MAX ? QN_OK : QN_ERR_CORRUPT;
}

enum qn_err qn_places_read(struct qn_span bytes, qn_place_fn fn, void *context)
{
    struct reader reader = {.bytes = bytes, .end = QN_PACK_HEAD_SIZE};
    QN_TRY(read_packs(&reader));
    for (size_t rows = 0; reader.at < bytes.size; rows++) {
        struct qn_place place = {0};
        if (rows >= QN_PLACES_ROWS_MAX)
            return QN_ERR_CORRUPT;
        QN_TRY(read_row(&reader, &place));
        QN_TRY(fn(context, &place));
    }
    return QN_OK;
}
