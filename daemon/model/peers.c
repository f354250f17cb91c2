#include "model/peers.h"

#include "base/limits.h"
#include "proto/pack.h"

static const char domain[] = "quoin announce 1";

/* The array without the signature; `item_count` is that of the whole. */
static void pack_unsigned(const struct qn_announcement *a, size_t item_count, struct qn_buf *out)
{
    qn_pack_array(out, item_count);
    qn_pack_bin(out, QN_SPAN_OF(a->site.bytes));
    qn_pack_u64(out, a->hlc);
    qn_pack_array(out, a->address_count);
    for (size_t i = 0; i < a->address_count; i++)
        qn_pack_str(out, a->addresses[i]);
    qn_pack_str(out, a->version);
}

enum qn_err qn_announcement_sign(struct qn_announcement *announcement,
                                 const struct qn_signer *signer, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf message;
    qn_buf_init(&message, QN_ANNOUNCEMENT_SIZE_MAX);
    pack_unsigned(announcement, 4, &message);
    QN_TRY(qn_buf_status(&message));
    QN_TRY(qn_signer_sign(signer, domain, qn_buf_view(&message), &announcement->signature));
    pack_unsigned(announcement, 5, out);
    qn_pack_bin(out, QN_SPAN_OF(announcement->signature.bytes));
    return qn_buf_status(out);
}

enum qn_err qn_announcement_unpack(struct qn_span bytes, struct qn_announcement *ret_announcement)
{
    if (bytes.size > QN_ANNOUNCEMENT_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_announcement a = {0};
    struct qn_cursor cursor = qn_cursor(bytes);
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 5, &count));
    if (count != 5)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_bytes(&cursor, a.site.bytes, sizeof(a.site.bytes)));
    QN_TRY(qn_cursor_u64(&cursor, &a.hlc));
    QN_TRY(qn_cursor_array(&cursor, QN_ADDRESSES_MAX, &a.address_count));
    for (size_t i = 0; i < a.address_count; i++)
        QN_TRY(qn_cursor_str(&cursor, QN_ADDRESS_SIZE_MAX, &a.addresses[i]));
    QN_TRY(qn_cursor_str(&cursor, QN_NAME_SIZE_MAX, &a.version));
    QN_TRY(qn_cursor_bytes(&cursor, a.signature.bytes, sizeof(a.signature.bytes)));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_announcement = a;
    return QN_OK;
}

enum qn_err qn_announcement_verify(const struct qn_announcement *announcement,
                                   const struct qn_public_key *key)
{
    QN_AUTO_BUF struct qn_buf message;
    qn_buf_init(&message, QN_ANNOUNCEMENT_SIZE_MAX);
    pack_unsigned(announcement, 4, &message);
    QN_TRY(qn_buf_status(&message));
    return qn_verify(key, domain, qn_buf_view(&message), &announcement->signature);
}

#define PEER_KEY_SIZE (QN_COLL_ID_SIZE + QN_DIGEST_SIZE)

static void peer_key(const struct qn_coll_id *coll, const struct qn_site_id *site,
                     uint8_t ret_key[PEER_KEY_SIZE + 1])
{
    memset(ret_key, 0, PEER_KEY_SIZE + 1);
    memcpy(ret_key, coll->bytes, QN_COLL_ID_SIZE);
    if (site != NULL)
        memcpy(ret_key + QN_COLL_ID_SIZE, site->bytes, QN_DIGEST_SIZE);
}

enum qn_err qn_peer_clock_put(struct qn_kv *kv, const struct qn_coll_id *coll,
                              const struct qn_site_id *site, const struct qn_vv *clock,
                              uint64_t heard_ms)
{
    uint8_t key[PEER_KEY_SIZE + 1];
    peer_key(coll, site, key);
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_FRAME_SIZE_MAX);
    qn_pack_array(&row, 2);
    qn_vv_pack(clock, &row);
    qn_pack_u64(&row, heard_ms);
    QN_TRY(qn_buf_status(&row));
    return qn_kv_put(kv, QN_TABLE_PEER, qn_span(key, PEER_KEY_SIZE), qn_buf_view(&row));
}

static enum qn_err read_peer_row(struct qn_span row, struct qn_vv *ret_clock,
                                 uint64_t *ret_heard_ms)
{
    struct qn_cursor cursor = qn_cursor(row);
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 2, &count));
    QN_TRY(qn_vv_unpack(&cursor, ret_clock));
    return qn_cursor_u64(&cursor, ret_heard_ms);
}

enum qn_err qn_peer_clock_next(struct qn_kv *kv, const struct qn_coll_id *coll,
                               const struct qn_site_id *after, struct qn_site_id *ret_site,
                               struct qn_vv *ret_clock, uint64_t *ret_heard_ms)
{
    uint8_t key[PEER_KEY_SIZE + 1];
    peer_key(coll, after, key);
    struct qn_span start = qn_span(key, after == NULL ? QN_COLL_ID_SIZE : sizeof(key));
    struct qn_span found, row;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_PEER, start, &found, &row));
    if (found.size != PEER_KEY_SIZE || memcmp(found.data, coll->bytes, QN_COLL_ID_SIZE) != 0)
        return QN_ERR_NOTFOUND;
    if (read_peer_row(row, ret_clock, ret_heard_ms) != QN_OK)
        return QN_ERR_CORRUPT;
    memcpy(ret_site->bytes, found.data + QN_COLL_ID_SIZE, QN_DIGEST_SIZE);
    return QN_OK;
}

enum qn_err qn_site_contact_get(struct qn_kv *kv, const struct qn_site_id *site,
                                struct qn_span *ret_announcement, uint64_t *ret_contact_ms)
{
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_SITE, QN_SPAN_OF(site->bytes), &row));
    if (row.size < 8)
        return QN_ERR_CORRUPT;
    *ret_contact_ms = qn_read_u64(row.data);
    *ret_announcement = qn_span_from(row, 8);
    return QN_OK;
}

enum qn_err qn_site_contact_put(struct qn_kv *kv, const struct qn_site_id *site,
                                struct qn_span announcement, uint64_t contact_ms)
{
    struct qn_span old = {0};
    uint64_t old_ms = 0;
    enum qn_err err = qn_site_contact_get(kv, site, &old, &old_ms);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_ANNOUNCEMENT_SIZE_MAX + 8);
    qn_buf_append_u64(&row, contact_ms > old_ms ? contact_ms : old_ms);
    qn_buf_append_span(&row, announcement.size > 0 ? announcement : old);
    QN_TRY(qn_buf_status(&row));
    return qn_kv_put(kv, QN_TABLE_SITE, QN_SPAN_OF(site->bytes), qn_buf_view(&row));
}
