#include "chunk/snapshot.h"

#include "base/assert.h"
#include "chunk/pack_private.h"
#include "chunk/snapshot_body.h"

#define MAGIC "QNSNAP01"
#define PAGE_SIZE                                                                                  \
    1024 /* the size of a file is a multiple of it: that of the body does not show                 \
          */

/* What is sealed: u32 size of the body | body | zeros. */
#define PLAIN_SIZE_MAX (QN_SNAPSHOT_SIZE_MAX - QN_HEAD_SIZE - QN_AEAD_TAG_SIZE)

/* ---- sealing ---- */

static size_t padded_size(size_t body_size)
{
    size_t whole = QN_HEAD_SIZE + 4 + body_size + QN_AEAD_TAG_SIZE;
    return (whole + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
}

static void pad(struct qn_buf *plain, size_t size)
{
    static const uint8_t zeros[PAGE_SIZE];
    QN_ASSERT(size - plain->size < PAGE_SIZE);
    qn_buf_append(plain, zeros, size - plain->size);
}

static enum qn_err make_plain(const struct qn_snapshot *snapshot, struct qn_buf *plain)
{
    qn_buf_append_u32(plain, 0);
    QN_TRY(qn_snapshot_body_pack(snapshot, plain));
    size_t body_size = plain->size - 4;
    qn_write_u32(plain->data, (uint32_t)body_size);
    pad(plain, padded_size(body_size) - QN_HEAD_SIZE - QN_AEAD_TAG_SIZE);
    return qn_buf_status(plain);
}

/* Head and sealed plain, into `file` of whole size. */
static void seal(const struct qn_vault_keys *keys, const uint8_t salt[32], struct qn_span plain,
                 uint8_t *file)
{
    struct qn_aead *aead = qn_aead_new();
    struct qn_pack_aad aad;
    qn_head_seal(keys, MAGIC, QN_HEAD_META, salt, aead, file);
    memcpy(aad.head, file, QN_HEAD_SIZE);
    qn_aead_seal(aead, QN_HEAD_SIZE, qn_pack_aad(&aad, QN_REGION_SNAPSHOT), plain,
                 file + QN_HEAD_SIZE);
    qn_aead_free(aead);
}

enum qn_err qn_snapshot_seal(const struct qn_snapshot *snapshot, const struct qn_vault_keys *keys,
                             const uint8_t salt[32], struct qn_buf *out,
                             struct qn_snapshot_name *ret_name)
{
    QN_AUTO_BUF struct qn_buf plain;
    qn_buf_init(&plain, PLAIN_SIZE_MAX);
    QN_TRY(make_plain(snapshot, &plain));
    size_t size = QN_HEAD_SIZE + plain.size + QN_AEAD_TAG_SIZE;
    uint8_t *file = qn_buf_reserve(out, size);
    if (file == NULL)
        return QN_ERR_LIMIT;
    seal(keys, salt, qn_buf_view(&plain), file);
    out->size += size;
    qn_snapshot_name_of(qn_span(file, size), ret_name);
    return QN_OK;
}

void qn_snapshot_name_of(struct qn_span sealed, struct qn_snapshot_name *ret_name)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, sealed);
    memcpy(ret_name->bytes, digest.bytes, sizeof(ret_name->bytes));
}

/* ---- opening ---- */

static enum qn_err open_plain(struct qn_span sealed, const struct qn_vault_keys *keys,
                              struct qn_aead *aead, uint8_t *out)
{
    enum qn_head_kind kind;
    struct qn_pack_aad aad;
    QN_TRY(qn_head_open(keys, MAGIC, qn_span(sealed.data, QN_HEAD_SIZE), aead, &kind));
    if (kind != QN_HEAD_META)
        return QN_ERR_INVALID;
    memcpy(aad.head, sealed.data, QN_HEAD_SIZE);
    return qn_aead_open(aead, QN_HEAD_SIZE, qn_pack_aad(&aad, QN_REGION_SNAPSHOT),
                        qn_span_from(sealed, QN_HEAD_SIZE), out);
}

/* The body without its padding, which is zeros. */
static enum qn_err body_of(struct qn_span plain, struct qn_span *ret_body)
{
    size_t size = qn_read_u32(plain.data);
    if (size > plain.size - 4)
        return QN_ERR_CORRUPT;
    for (size_t i = 4 + size; i < plain.size; i++)
        if (plain.data[i] != 0)
            return QN_ERR_CORRUPT;
    *ret_body = qn_span(plain.data + 4, size);
    return QN_OK;
}

static bool is_size(size_t size)
{
    return size > 0 && size <= QN_SNAPSHOT_SIZE_MAX && size % PAGE_SIZE == 0;
}

enum qn_err qn_snapshot_open(struct qn_span sealed, const struct qn_vault_keys *keys,
                             struct qn_buf *plain, struct qn_snapshot *ret_snapshot)
{
    struct qn_span body;
    if (!is_size(sealed.size))
        return QN_ERR_INVALID;
    size_t size = sealed.size - QN_HEAD_SIZE - QN_AEAD_TAG_SIZE;
    qn_buf_reset(plain);
    uint8_t *out = qn_buf_reserve(plain, size);
    if (out == NULL)
        return QN_ERR_LIMIT;
    struct qn_aead *aead = qn_aead_new();
    enum qn_err err = open_plain(sealed, keys, aead, out);
    qn_aead_free(aead);
    QN_TRY(err);
    plain->size = size;
    QN_TRY(body_of(qn_buf_view(plain), &body));
    return qn_snapshot_body_read(body, ret_snapshot);
}
