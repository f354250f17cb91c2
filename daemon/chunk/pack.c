#include "chunk/chunker.h"
#include "chunk/pack_private.h"

_Static_assert(QN_BLOB_SIZE_MAX >= QN_CHUNK_SIZE_MAX, "every chunk can be a blob");
_Static_assert(QN_PACK_HEAD_SIZE == QN_HEAD_SIZE, "a pack begins like every sealed file");
_Static_assert((int)QN_PACK_DATA == QN_HEAD_DATA && (int)QN_PACK_META == QN_HEAD_META,
               "a kind of pack is a kind of head");

size_t qn_blob_span_size(const struct qn_blob *blob)
{
    return QN_BLOB_HEADER_SIZE + (size_t)blob->stored_size + QN_AEAD_TAG_SIZE;
}

void qn_blob_record_write(const struct qn_blob *blob, uint8_t out[QN_BLOB_RECORD_SIZE])
{
    out[0] = (uint8_t)blob->kind;
    out[1] = blob->is_squeezed;
    qn_write_u32(out + 2, blob->raw_size);
    qn_write_u32(out + 6, blob->stored_size);
    memcpy(out + 10, blob->id.bytes, sizeof(blob->id.bytes));
}

bool qn_blob_is_possible(const struct qn_blob *blob)
{
    if (blob->kind < QN_BLOB_DATA || blob->kind > QN_BLOB_PLACES)
        return false;
    if (blob->raw_size > QN_BLOB_SIZE_MAX)
        return false;
    return blob->is_squeezed ? blob->stored_size < blob->raw_size
                             : blob->stored_size == blob->raw_size;
}

enum qn_err qn_blob_record_read(const uint8_t record[QN_BLOB_RECORD_SIZE], struct qn_blob *ret_blob)
{
    if (record[0] == QN_BLOB_END)
        return QN_ERR_NOTFOUND;
    struct qn_blob blob = {
        .kind = record[0],
        .is_squeezed = record[1] == 1,
        .raw_size = qn_read_u32(record + 2),
        .stored_size = qn_read_u32(record + 6),
    };
    memcpy(blob.id.bytes, record + 10, sizeof(blob.id.bytes));
    if (record[1] > 1 || !qn_blob_is_possible(&blob))
        return QN_ERR_CORRUPT;
    *ret_blob = blob;
    return QN_OK;
}

size_t qn_pack_size_bare(size_t blobs_end, size_t blob_count)
{
    return blobs_end + QN_BLOB_HEADER_SIZE + QN_AEAD_TAG_SIZE /* the padding's */ +
           blob_count * QN_BLOB_RECORD_SIZE + QN_AEAD_TAG_SIZE /* the directory's */ +
           QN_PACK_TRAILER_SIZE;
}

static unsigned floor_log2(size_t value)
{
    return (unsigned)(63 - __builtin_clzll(value));
}

size_t qn_padme(size_t size)
{
    if (size < 2)
        return size;
    unsigned exponent = floor_log2(size), mantissa = floor_log2(exponent) + 1;
    if (exponent < mantissa)
        return size;
    size_t low_bits = ((size_t)1 << (exponent - mantissa)) - 1;
    return (size + low_bits) & ~low_bits;
}
