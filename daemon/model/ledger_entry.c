#include "model/ledger_entry.h"

#include "proto/pack.h"

#define ITEM_COUNT 8

/* Everything before the item of the signature, the head of the array included. */
static void entry_hash(struct qn_span before_signature, struct qn_digest *ret_hash)
{
    QN_DIGEST(ret_hash, qn_span(QN_ENTRY_DOMAIN, sizeof(QN_ENTRY_DOMAIN)), before_signature);
}

static enum qn_err read_ref(struct qn_cursor *cursor, struct qn_ledger_ref *ref)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 3, &count));
    if (count != 3)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_u64(cursor, &ref->term));
    QN_TRY(qn_cursor_u64(cursor, &ref->seq));
    return qn_cursor_bytes(cursor, ref->hash.bytes, sizeof(ref->hash.bytes));
}

static enum qn_err read_items(struct qn_cursor *cursor, struct qn_entry *entry)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, ITEM_COUNT, &count));
    if (count != ITEM_COUNT)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_skip(cursor, QN_LEDGER_DEPTH_MAX + 2, &entry->body_bytes));
    QN_TRY(qn_cursor_bytes(cursor, entry->author.bytes, sizeof(entry->author.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &entry->epoch));
    QN_TRY(qn_cursor_u64(cursor, &entry->aseq));
    QN_TRY(qn_cursor_bytes(cursor, entry->aprev.bytes, sizeof(entry->aprev.bytes)));
    QN_TRY(read_ref(cursor, &entry->ref));
    QN_TRY(qn_cursor_u64(cursor, &entry->hlc));
    entry_hash(qn_span(cursor->input.data, cursor->at), &entry->hash);
    QN_TRY(qn_cursor_bytes(cursor, entry->signature.bytes, sizeof(entry->signature.bytes)));
    return qn_cursor_finish(cursor);
}

enum qn_err qn_entry_unpack(struct qn_span bytes, struct qn_entry *ret_entry)
{
    if (bytes.size > QN_LEDGER_ENTRY_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_entry entry = {.bytes = bytes};
    struct qn_cursor cursor = qn_cursor(bytes);
    QN_TRY(read_items(&cursor, &entry));
    QN_TRY(qn_body_unpack(entry.body_bytes, &entry.body));
    if (entry.aseq == 0 || entry.ref.term == 0)
        return QN_ERR_INVALID;
    *ret_entry = entry;
    return QN_OK;
}

enum qn_err qn_entry_verify(const struct qn_entry *entry, const struct qn_public_key *key)
{
    return qn_verify(key, QN_ENTRY_DOMAIN, qn_digest_view(&entry->hash), &entry->signature);
}

static void pack_unsigned(const struct qn_entry *entry, struct qn_buf *out)
{
    qn_pack_array(out, ITEM_COUNT);
    qn_pack_raw(out, entry->body_bytes);
    qn_pack_bin(out, QN_SPAN_OF(entry->author.bytes));
    qn_pack_u64(out, entry->epoch);
    qn_pack_u64(out, entry->aseq);
    qn_pack_bin(out, qn_digest_view(&entry->aprev));
    qn_pack_array(out, 3);
    qn_pack_u64(out, entry->ref.term);
    qn_pack_u64(out, entry->ref.seq);
    qn_pack_bin(out, qn_digest_view(&entry->ref.hash));
    qn_pack_u64(out, entry->hlc);
}

enum qn_err qn_entry_compose(const struct qn_entry *entry, const struct qn_signer *signer,
                             struct qn_buf *out, struct qn_digest *ret_hash)
{
    struct qn_body body;
    QN_TRY(qn_body_unpack(entry->body_bytes, &body));
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, QN_LEDGER_ENTRY_SIZE_MAX);
    pack_unsigned(entry, &bytes);
    QN_TRY(qn_buf_status(&bytes));
    struct qn_digest hash;
    struct qn_signature signature;
    entry_hash(qn_buf_view(&bytes), &hash);
    QN_TRY(qn_signer_sign(signer, QN_ENTRY_DOMAIN, qn_digest_view(&hash), &signature));
    qn_pack_bin(&bytes, QN_SPAN_OF(signature.bytes));
    QN_TRY(qn_buf_status(&bytes));
    qn_buf_append_span(out, qn_buf_view(&bytes));
    QN_TRY(qn_buf_status(out));
    *ret_hash = hash;
    return QN_OK;
}
