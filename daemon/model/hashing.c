#include "model/hashing.h"

#include "base/text.h"
#include "proto/pack.h"

/* Heads are collected here and hashed before each value; a field name is the largest of them. */
#define HEAD_SIZE_MAX 512

void qn_hash_chain(struct qn_hasher *hasher, const struct qn_digest *before, struct qn_span op,
                   struct qn_digest *ret_hash)
{
    qn_hasher_start(hasher);
    qn_hasher_add(hasher, qn_digest_view(before));
    qn_hasher_add(hasher, op);
    qn_hasher_finish(hasher, ret_hash);
}

static void hash_pair(struct qn_hasher *hasher, struct qn_buf *head, const struct qn_pair *pair)
{
    qn_pack_bin(head, QN_SPAN_OF(pair->dot.actor.bytes));
    qn_pack_u64(head, pair->dot.ctr);
    qn_pack_u64(head, pair->hlc);
    qn_hasher_add(hasher, qn_buf_view(head));
    qn_hasher_add(hasher, pair->value);
    qn_buf_reset(head);
}

static bool is_trash(const struct qn_field *field)
{
    return qn_span_eq_str(field->name, QN_FIELD_TRASH);
}

void qn_hash_record(struct qn_hasher *hasher, const struct qn_record *record, bool without_trash,
                    uint8_t ret_hash[QN_STATE_HASH_SIZE])
{
    QN_AUTO_BUF struct qn_buf head;
    qn_buf_init(&head, HEAD_SIZE_MAX);
    size_t left_out = 0;
    qn_vec_each (&record->fields, field)
        left_out += without_trash && is_trash(field);
    qn_hasher_start(hasher);
    qn_pack_array(&head, 2 * (record->fields.count - left_out));
    qn_vec_each (&record->fields, field) {
        if (without_trash && is_trash(field))
            continue;
        qn_pack_str(&head, field->name);
        qn_pack_array(&head, 4 * field->pairs.count);
        qn_vec_each (&field->pairs, pair)
            hash_pair(hasher, &head, pair);
    }
    qn_hasher_add(hasher, qn_buf_view(&head));
    struct qn_digest digest;
    qn_hasher_finish(hasher, &digest);
    memcpy(ret_hash, digest.bytes, QN_STATE_HASH_SIZE);
}

void qn_hash_leaf(struct qn_hasher *hasher, const struct qn_coll_id *coll, struct qn_span key,
                  const uint8_t hash[QN_STATE_HASH_SIZE], struct qn_digest *ret_leaf)
{
    qn_hasher_start(hasher);
    qn_hasher_add(hasher, QN_SPAN_OF(coll->bytes));
    qn_hasher_add(hasher, key);
    qn_hasher_add(hasher, qn_span(hash, QN_STATE_HASH_SIZE));
    qn_hasher_finish(hasher, ret_leaf);
}

uint16_t qn_hash_bucket(struct qn_hasher *hasher, struct qn_span key)
{
    struct qn_digest digest;
    qn_hasher_start(hasher);
    qn_hasher_add(hasher, key);
    qn_hasher_finish(hasher, &digest);
    return qn_read_u16(digest.bytes);
}

uint8_t qn_hash_group(struct qn_hasher *hasher, struct qn_span key)
{
    return (uint8_t)(qn_hash_bucket(hasher, key) >> 8);
}

/* What `_trash` holds if nothing changed since: the state hash as text. */
static void trash_value(struct qn_hasher *hasher, const struct qn_record *record,
                        struct qn_buf *out)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    QN_AUTO_BUF struct qn_buf hex;
    qn_hash_record(hasher, record, true, hash);
    qn_buf_init(&hex, sizeof(hash) * 2);
    qn_text_append_hex(&hex, QN_SPAN_OF(hash));
    qn_pack_str(out, qn_buf_view(&hex));
}

enum qn_record_state qn_hash_state(struct qn_hasher *hasher, const struct qn_record *record)
{
    if (record->fields.count == 0)
        return QN_RECORD_NONE;
    const struct qn_field *trash = qn_record_field(record, qn_span_str(QN_FIELD_TRASH));
    if (trash == NULL)
        return QN_RECORD_LIVE;
    if (record->fields.count == 1) /* nothing is left that anybody could have missed */
        return QN_RECORD_TRASHED;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, 64);
    trash_value(hasher, record, &value);
    qn_vec_each (&trash->pairs, pair) {
        if (qn_span_eq(pair->value, qn_buf_view(&value)))
            return QN_RECORD_TRASHED;
    }
    return QN_RECORD_CONTESTED;
}

bool qn_hash_has_conflict(enum qn_record_state state, const struct qn_record *record)
{
    switch (state) {
    case QN_RECORD_NONE:
    case QN_RECORD_TRASHED: /* nobody is asked to decide about it */
        return false;
    case QN_RECORD_CONTESTED:
        return true;
    case QN_RECORD_LIVE:
        break;
    }
    qn_vec_each (&record->fields, field)
        if (qn_field_has_conflict(field))
            return true;
    return false;
}
