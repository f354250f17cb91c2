#include "base/assert.h"
#include "base/mem.h"
#include "chunk/pack_private.h"

struct qn_unpacker {
    const struct qn_vault_keys *keys;
    struct qn_aead *aead;
    struct qn_squeezer *squeezer;
    struct qn_pack_aad aad;
    struct qn_buf opened; /* directories, bodies that are squeezed */
    bool is_started;
};

/* A directory of a pack of the largest size is smaller than that. */
#define DIRECTORY_PLAIN_MAX (QN_PACK_BLOBS_MAX * QN_BLOB_RECORD_SIZE)
#define OPENED_SIZE_MAX                                                                            \
    (DIRECTORY_PLAIN_MAX > QN_BLOB_SIZE_MAX ? DIRECTORY_PLAIN_MAX : QN_BLOB_SIZE_MAX)

struct qn_unpacker *qn_unpacker_new(const struct qn_vault_keys *keys)
{
    struct qn_unpacker *unpacker = QN_NEW(struct qn_unpacker);
    unpacker->keys = keys;
    unpacker->aead = qn_aead_new();
    unpacker->squeezer = qn_squeezer_new(1);
    qn_buf_init(&unpacker->opened, OPENED_SIZE_MAX);
    return unpacker;
}

void qn_unpacker_free(struct qn_unpacker *unpacker)
{
    if (unpacker == NULL)
        return;
    qn_aead_free(unpacker->aead);
    qn_squeezer_free(unpacker->squeezer);
    qn_buf_deinit(&unpacker->opened);
    qn_free(unpacker);
}

enum qn_err qn_unpacker_start(struct qn_unpacker *unpacker, struct qn_span head,
                              enum qn_pack_kind *ret_kind)
{
    enum qn_head_kind kind;
    unpacker->is_started = false;
    QN_TRY(qn_head_open(unpacker->keys, QN_PACK_MAGIC, head, unpacker->aead, &kind));
    memcpy(unpacker->aad.head, head.data, QN_PACK_HEAD_SIZE);
    unpacker->is_started = true;
    *ret_kind = (enum qn_pack_kind)kind;
    return QN_OK;
}

static enum qn_err open_region(struct qn_unpacker *unpacker, enum qn_pack_region region,
                               size_t offset, struct qn_span sealed, uint8_t *out)
{
    QN_ASSERT(unpacker->is_started);
    return qn_aead_open(unpacker->aead, offset, qn_pack_aad(&unpacker->aad, region), sealed, out);
}

/* Opens into the unpacker's own memory; sealed.size is within the limit. */
static enum qn_err open_inside(struct qn_unpacker *unpacker, enum qn_pack_region region,
                               size_t offset, struct qn_span sealed, struct qn_span *ret_plain)
{
    size_t size = sealed.size - QN_AEAD_TAG_SIZE;
    qn_buf_reset(&unpacker->opened);
    uint8_t *out = qn_buf_reserve(&unpacker->opened, size);
    QN_ASSERT(out != NULL);
    QN_TRY(open_region(unpacker, region, offset, sealed, out));
    *ret_plain = qn_span(out, size);
    return QN_OK;
}

enum qn_err qn_unpacker_trailer(struct qn_unpacker *unpacker, struct qn_span trailer,
                                size_t pack_size, size_t *ret_offset, size_t *ret_size)
{
    uint8_t plain[QN_PACK_TRAILER_PLAIN_SIZE];
    if (pack_size > QN_PACK_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (trailer.size != QN_PACK_TRAILER_SIZE || pack_size < QN_PACK_TRAILER_SIZE)
        return QN_ERR_CORRUPT;
    size_t end = pack_size - QN_PACK_TRAILER_SIZE;
    QN_TRY(open_region(unpacker, QN_REGION_TRAILER, end, trailer, plain));
    size_t offset = qn_read_u32(plain), size = qn_read_u32(plain + 4);
    size_t count = qn_read_u32(plain + 8);
    if (offset < QN_PACK_HEAD_SIZE || offset > end || size != end - offset)
        return QN_ERR_CORRUPT;
    if (count > QN_PACK_BLOBS_MAX || size != count * QN_BLOB_RECORD_SIZE + QN_AEAD_TAG_SIZE)
        return QN_ERR_CORRUPT;
    *ret_offset = offset;
    *ret_size = size;
    return QN_OK;
}

/* Where a blob is follows from those before it: `at` and `end` are where it begins and where the
 * last one must have ended. */
static enum qn_err read_record(const uint8_t *record, size_t at, size_t end,
                               struct qn_blob *ret_blob)
{
    struct qn_blob blob;
    if (qn_blob_record_read(record, &blob) != QN_OK)
        return QN_ERR_CORRUPT;
    if (at > end || qn_blob_span_size(&blob) > end - at)
        return QN_ERR_CORRUPT;
    blob.offset = (uint32_t)at;
    *ret_blob = blob;
    return QN_OK;
}

static enum qn_err read_records(struct qn_span plain, size_t end, qn_blob_vec *out)
{
    size_t at = QN_PACK_HEAD_SIZE;
    for (size_t i = 0; i < plain.size; i += QN_BLOB_RECORD_SIZE) {
        struct qn_blob blob;
        QN_TRY(read_record(plain.data + i, at, end, &blob));
        at += qn_blob_span_size(&blob);
        qn_vec_push(out, blob);
    }
    return QN_OK;
}

enum qn_err qn_unpacker_directory(struct qn_unpacker *unpacker, size_t offset,
                                  struct qn_span sealed, qn_blob_vec *out)
{
    struct qn_span plain;
    out->count = 0;
    if (offset > QN_PACK_SIZE_MAX || sealed.size < QN_AEAD_TAG_SIZE)
        return QN_ERR_CORRUPT;
    size_t plain_size = sealed.size - QN_AEAD_TAG_SIZE;
    if (plain_size > DIRECTORY_PLAIN_MAX || plain_size % QN_BLOB_RECORD_SIZE != 0)
        return QN_ERR_CORRUPT;
    QN_TRY(open_inside(unpacker, QN_REGION_DIRECTORY, offset, sealed, &plain));
    enum qn_err err = read_records(plain, offset, out);
    if (err != QN_OK)
        out->count = 0;
    return err;
}

enum qn_err qn_unpacker_scan(struct qn_unpacker *unpacker, struct qn_span pack, size_t *offset,
                             struct qn_blob *ret_blob)
{
    uint8_t record[QN_BLOB_RECORD_SIZE];
    struct qn_blob blob;
    size_t at = *offset;
    if (pack.size > QN_PACK_SIZE_MAX || at < QN_PACK_HEAD_SIZE || at > pack.size)
        return QN_ERR_CORRUPT;
    if (pack.size - at < QN_BLOB_HEADER_SIZE)
        return QN_ERR_CORRUPT;
    struct qn_span header = qn_span(pack.data + at, QN_BLOB_HEADER_SIZE);
    QN_TRY(open_region(unpacker, QN_REGION_HEADER, at, header, record));
    if (record[0] == QN_BLOB_END)
        return QN_ERR_NOTFOUND;
    QN_TRY(read_record(record, at, pack.size, &blob));
    *offset = at + qn_blob_span_size(&blob);
    *ret_blob = blob;
    return QN_OK;
}

/* The sealed header says the same as `blob`. */
static enum qn_err check_header(struct qn_unpacker *unpacker, const struct qn_blob *blob,
                                struct qn_span header)
{
    uint8_t record[QN_BLOB_RECORD_SIZE], wanted[QN_BLOB_RECORD_SIZE];
    QN_TRY(open_region(unpacker, QN_REGION_HEADER, blob->offset, header, record));
    qn_blob_record_write(blob, wanted);
    return memcmp(record, wanted, sizeof(wanted)) == 0 ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err open_body(struct qn_unpacker *unpacker, const struct qn_blob *blob,
                             struct qn_span body, uint8_t *out)
{
    size_t offset = (size_t)blob->offset + QN_BLOB_HEADER_SIZE;
    if (!blob->is_squeezed)
        return open_region(unpacker, QN_REGION_BODY, offset, body, out);
    struct qn_span squeezed;
    QN_TRY(open_inside(unpacker, QN_REGION_BODY, offset, body, &squeezed));
    return qn_unsqueeze(unpacker->squeezer, squeezed, out, blob->raw_size);
}

enum qn_err qn_unpacker_blob(struct qn_unpacker *unpacker, const struct qn_blob *blob,
                             struct qn_span bytes, struct qn_mac *mac, uint8_t *out)
{
    if (!qn_blob_is_possible(blob) || bytes.size != qn_blob_span_size(blob))
        return QN_ERR_CORRUPT;
    QN_TRY(check_header(unpacker, blob, qn_span(bytes.data, QN_BLOB_HEADER_SIZE)));
    QN_TRY(open_body(unpacker, blob, qn_span_from(bytes, QN_BLOB_HEADER_SIZE), out));
    if (mac == NULL)
        return QN_OK;
    struct qn_digest digest;
    qn_mac_of(mac, qn_span(out, blob->raw_size), &digest);
    return memcmp(digest.bytes, blob->id.bytes, sizeof(digest.bytes)) == 0 ? QN_OK : QN_ERR_CORRUPT;
}
