#include "base/assert.h"
#include "base/mem.h"
#include "chunk/pack_private.h"

struct qn_packer {
    const struct qn_vault_keys *keys;
    struct qn_aead *aead;
    struct qn_hasher *hasher;
    struct qn_pack_aad aad;
    size_t size_goal;
    uint8_t *bytes; /* of the largest pack that the goal allows; blobs are sealed into it */
    size_t size;
    qn_blob_vec blobs;
    bool is_open; /* between start and finish */
};

/* Size of a pack once one more blob was added. */
static size_t size_with(size_t size, size_t blob_count, size_t stored_size)
{
    size_t blobs_end = size + QN_BLOB_HEADER_SIZE + stored_size + QN_AEAD_TAG_SIZE;
    return qn_pack_size_bare(blobs_end, blob_count + 1);
}

static size_t capacity_for(size_t size_goal)
{
    size_t single = size_with(QN_PACK_HEAD_SIZE, 0, QN_BLOB_SIZE_MAX);
    return qn_padme(size_goal > single ? size_goal : single);
}

struct qn_packer *qn_packer_new(const struct qn_vault_keys *keys, size_t size_goal)
{
    QN_ASSERT(size_goal <= QN_PACK_GOAL_MAX);
    struct qn_packer *packer = QN_NEW(struct qn_packer);
    packer->keys = keys;
    packer->aead = qn_aead_new();
    packer->hasher = qn_hasher_new();
    packer->size_goal = size_goal;
    packer->bytes = qn_alloc(capacity_for(size_goal));
    return packer;
}

void qn_packer_free(struct qn_packer *packer)
{
    if (packer == NULL)
        return;
    qn_aead_free(packer->aead);
    qn_hasher_free(packer->hasher);
    qn_free(packer->bytes);
    qn_vec_free(&packer->blobs);
    qn_free(packer);
}

void qn_packer_start(struct qn_packer *packer, enum qn_pack_kind kind, const uint8_t salt[32])
{
    qn_head_seal(packer->keys, QN_PACK_MAGIC, (enum qn_head_kind)kind, salt, packer->aead,
                 packer->bytes);
    memcpy(packer->aad.head, packer->bytes, QN_PACK_HEAD_SIZE);
    packer->size = QN_PACK_HEAD_SIZE;
    packer->blobs.count = 0;
    packer->is_open = true;
}

bool qn_packer_has_room(const struct qn_packer *packer, size_t stored_size)
{
    size_t count = packer->blobs.count;
    if (!packer->is_open || stored_size > QN_BLOB_SIZE_MAX)
        return false;
    if (count == 0)
        return true;
    return count < QN_PACK_BLOBS_MAX &&
           size_with(packer->size, count, stored_size) <= packer->size_goal;
}

size_t qn_packer_room(const struct qn_packer *packer)
{
    size_t size = size_with(packer->size, packer->blobs.count, 0);
    return size < packer->size_goal ? packer->size_goal - size : 0;
}

size_t qn_packer_count(const struct qn_packer *packer)
{
    return packer->blobs.count;
}

/* `plain` may already stand where it is sealed to: at the end of the pack. */
static void append_region(struct qn_packer *packer, enum qn_pack_region region,
                          struct qn_span plain)
{
    qn_aead_seal(packer->aead, packer->size, qn_pack_aad(&packer->aad, region), plain,
                 packer->bytes + packer->size);
    packer->size += plain.size + QN_AEAD_TAG_SIZE;
}

static void append_header(struct qn_packer *packer, const struct qn_blob *blob)
{
    uint8_t record[QN_BLOB_RECORD_SIZE];
    qn_blob_record_write(blob, record);
    append_region(packer, QN_REGION_HEADER, QN_SPAN_OF(record));
}

enum qn_err qn_packer_add(struct qn_packer *packer, enum qn_blob_kind kind,
                          const struct qn_chunk_id *id, struct qn_span stored, size_t raw_size,
                          bool is_squeezed, struct qn_blob *ret_blob)
{
    QN_ASSERT(packer->is_open);
    if (raw_size > QN_BLOB_SIZE_MAX || !qn_packer_has_room(packer, stored.size))
        return QN_ERR_LIMIT;
    struct qn_blob blob = {
        .id = *id,
        .kind = kind,
        .offset = (uint32_t)packer->size,
        .stored_size = (uint32_t)stored.size,
        .raw_size = (uint32_t)raw_size,
        .is_squeezed = is_squeezed,
    };
    if (!qn_blob_is_possible(&blob))
        return QN_ERR_INVALID;
    append_header(packer, &blob);
    append_region(packer, QN_REGION_BODY, stored);
    qn_vec_push(&packer->blobs, blob);
    *ret_blob = blob;
    return QN_OK;
}

static void append_padding(struct qn_packer *packer)
{
    size_t bare = qn_pack_size_bare(packer->size, packer->blobs.count);
    size_t size = qn_padme(bare) - bare;
    const struct qn_blob end = {
        .kind = QN_BLOB_END, .raw_size = (uint32_t)size, .stored_size = (uint32_t)size};
    append_header(packer, &end);
    uint8_t *zeros = packer->bytes + packer->size;
    memset(zeros, 0, size);
    append_region(packer, QN_REGION_PADDING, qn_span(zeros, size));
}

static void append_directory(struct qn_packer *packer)
{
    uint8_t *plain = packer->bytes + packer->size, *at = plain;
    qn_vec_each (&packer->blobs, blob) {
        qn_blob_record_write(blob, at);
        at += QN_BLOB_RECORD_SIZE;
    }
    append_region(packer, QN_REGION_DIRECTORY, qn_span(plain, (size_t)(at - plain)));
}

static void append_trailer(struct qn_packer *packer, size_t directory_offset)
{
    uint8_t plain[QN_PACK_TRAILER_PLAIN_SIZE] = {0};
    qn_write_u32(plain, (uint32_t)directory_offset);
    qn_write_u32(plain + 4, (uint32_t)(packer->size - directory_offset));
    qn_write_u32(plain + 8, (uint32_t)packer->blobs.count);
    append_region(packer, QN_REGION_TRAILER, QN_SPAN_OF(plain));
}

static void name_pack(struct qn_packer *packer, struct qn_pack_name *ret_name)
{
    struct qn_digest digest;
    qn_hasher_start(packer->hasher);
    qn_hasher_add(packer->hasher, qn_span(packer->bytes, packer->size));
    qn_hasher_finish(packer->hasher, &digest);
    memcpy(ret_name->bytes, digest.bytes, sizeof(ret_name->bytes));
}

enum qn_err qn_packer_finish(struct qn_packer *packer, struct qn_span *ret_bytes,
                             struct qn_pack_name *ret_name, const struct qn_blob **ret_blobs,
                             size_t *ret_count)
{
    QN_ASSERT(packer->is_open);
    if (packer->blobs.count == 0)
        return QN_ERR_STATE;
    append_padding(packer);
    size_t directory_offset = packer->size;
    append_directory(packer);
    append_trailer(packer, directory_offset);
    packer->is_open = false;
    name_pack(packer, ret_name);
    *ret_bytes = qn_span(packer->bytes, packer->size);
    *ret_blobs = packer->blobs.items;
    *ret_count = packer->blobs.count;
    return QN_OK;
}
