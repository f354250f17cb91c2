/* Rows of the trail:
 *
 *   entry       [1, seq, ms, site, actor, device, address, action, object, result, previous]
 *   checkpoint  [1, seq, ms, hash, signature]
 *   head        [1, first, last, hash]
 *
 * The hash of an entry is SHA-256 over "quoin audit 1", a zero byte, and the row. A checkpoint is
 * signed in the domain "quoin audit checkpoint 1" over: site (32 bytes), u64 seq, u64 ms, hash.
 */
#include "people/audit.h"
#include "proto/cursor.h"
#include "proto/pack.h"

#define FORMAT        1
#define ENTRY_MEMBERS 11
#define DOMAIN        "quoin audit checkpoint 1"
#define MESSAGE_SIZE  (QN_DIGEST_SIZE + 8 + 8 + QN_DIGEST_SIZE)

void qn_audit_key(const char *prefix, uint64_t seq, struct qn_buf *out)
{
    qn_buf_append_str(out, prefix);
    qn_buf_append_u64(out, seq);
}

static enum qn_err read_format(struct qn_cursor *cursor, size_t members)
{
    uint64_t format;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, members, &count));
    QN_TRY(qn_cursor_u64(cursor, &format));
    return count == members && format == FORMAT ? QN_OK : QN_ERR_INVALID;
}

/* ---- entries ---- */

void qn_audit_entry_pack(const struct qn_audit_entry *entry, struct qn_buf *out)
{
    qn_pack_array(out, ENTRY_MEMBERS);
    qn_pack_u64(out, FORMAT);
    qn_pack_u64(out, entry->seq);
    qn_pack_u64(out, entry->wall_ms);
    qn_pack_str(out, entry->site);
    qn_pack_str(out, entry->actor);
    qn_pack_str(out, entry->device);
    qn_pack_str(out, entry->address);
    qn_pack_str(out, entry->action);
    qn_pack_str(out, entry->object);
    qn_pack_str(out, entry->result);
    qn_pack_bin(out, qn_digest_view(&entry->previous));
}

static enum qn_err read_texts(struct qn_cursor *cursor, struct qn_audit_entry *entry)
{
    QN_TRY(qn_cursor_str(cursor, QN_AUDIT_WORD_SIZE_MAX, &entry->site));
    QN_TRY(qn_cursor_str(cursor, QN_PERSON_SIZE_MAX, &entry->actor));
    QN_TRY(qn_cursor_str(cursor, QN_AUDIT_WORD_SIZE_MAX, &entry->device));
    QN_TRY(qn_cursor_str(cursor, QN_AUDIT_WORD_SIZE_MAX, &entry->address));
    QN_TRY(qn_cursor_str(cursor, QN_AUDIT_WORD_SIZE_MAX, &entry->action));
    QN_TRY(qn_cursor_str(cursor, QN_AUDIT_TEXT_SIZE_MAX, &entry->object));
    return qn_cursor_str(cursor, QN_AUDIT_WORD_SIZE_MAX, &entry->result);
}

enum qn_err qn_audit_entry_unpack(struct qn_span row, struct qn_audit_entry *ret_entry)
{
    struct qn_cursor cursor = qn_cursor(row);
    struct qn_audit_entry entry;
    QN_TRY(read_format(&cursor, ENTRY_MEMBERS));
    QN_TRY(qn_cursor_u64(&cursor, &entry.seq));
    QN_TRY(qn_cursor_u64(&cursor, &entry.wall_ms));
    QN_TRY(read_texts(&cursor, &entry));
    QN_TRY(qn_cursor_bytes(&cursor, entry.previous.bytes, QN_DIGEST_SIZE));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_entry = entry;
    return QN_OK;
}

void qn_audit_entry_hash(struct qn_span row, struct qn_digest *ret_hash)
{
    QN_DIGEST(ret_hash, qn_span("quoin audit 1", sizeof("quoin audit 1")), row);
}

/* ---- checkpoints ---- */

static void write_message(const struct qn_audit_checkpoint *checkpoint,
                          const struct qn_site_id *site, uint8_t out[MESSAGE_SIZE])
{
    memcpy(out, site->bytes, QN_DIGEST_SIZE);
    qn_write_u64(out + QN_DIGEST_SIZE, checkpoint->seq);
    qn_write_u64(out + QN_DIGEST_SIZE + 8, checkpoint->wall_ms);
    memcpy(out + QN_DIGEST_SIZE + 16, checkpoint->hash.bytes, QN_DIGEST_SIZE);
}

enum qn_err qn_audit_checkpoint_sign(struct qn_audit_checkpoint *checkpoint,
                                     const struct qn_site_id *site, const struct qn_signer *signer)
{
    uint8_t message[MESSAGE_SIZE];
    write_message(checkpoint, site, message);
    return qn_signer_sign(signer, DOMAIN, QN_SPAN_OF(message), &checkpoint->signature);
}

enum qn_err qn_audit_checkpoint_verify(const struct qn_audit_checkpoint *checkpoint,
                                       const struct qn_site_id *site,
                                       const struct qn_public_key *key)
{
    uint8_t message[MESSAGE_SIZE];
    write_message(checkpoint, site, message);
    return qn_verify(key, DOMAIN, QN_SPAN_OF(message), &checkpoint->signature);
}

void qn_audit_checkpoint_pack(const struct qn_audit_checkpoint *checkpoint, struct qn_buf *out)
{
    qn_pack_array(out, 5);
    qn_pack_u64(out, FORMAT);
    qn_pack_u64(out, checkpoint->seq);
    qn_pack_u64(out, checkpoint->wall_ms);
    qn_pack_bin(out, qn_digest_view(&checkpoint->hash));
    qn_pack_bin(out, QN_SPAN_OF(checkpoint->signature.bytes));
}

enum qn_err qn_audit_checkpoint_unpack(struct qn_span row,
                                       struct qn_audit_checkpoint *ret_checkpoint)
{
    struct qn_cursor cursor = qn_cursor(row);
    struct qn_audit_checkpoint found;
    QN_TRY(read_format(&cursor, 5));
    QN_TRY(qn_cursor_u64(&cursor, &found.seq));
    QN_TRY(qn_cursor_u64(&cursor, &found.wall_ms));
    QN_TRY(qn_cursor_bytes(&cursor, found.hash.bytes, QN_DIGEST_SIZE));
    QN_TRY(qn_cursor_bytes(&cursor, found.signature.bytes, QN_SIGNATURE_SIZE));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_checkpoint = found;
    return QN_OK;
}

/* ---- the head ---- */

void qn_audit_head_pack(const struct qn_audit_head *head, struct qn_buf *out)
{
    qn_pack_array(out, 4);
    qn_pack_u64(out, FORMAT);
    qn_pack_u64(out, head->first);
    qn_pack_u64(out, head->last);
    qn_pack_bin(out, qn_digest_view(&head->hash));
}

enum qn_err qn_audit_head_unpack(struct qn_span row, struct qn_audit_head *ret_head)
{
    struct qn_cursor cursor = qn_cursor(row);
    struct qn_audit_head head;
    QN_TRY(read_format(&cursor, 4));
    QN_TRY(qn_cursor_u64(&cursor, &head.first));
    QN_TRY(qn_cursor_u64(&cursor, &head.last));
    QN_TRY(qn_cursor_bytes(&cursor, head.hash.bytes, QN_DIGEST_SIZE));
    QN_TRY(qn_cursor_finish(&cursor));
    if (head.first == 0 || head.first > head.last + 1 || head.last == UINT64_MAX)
        return QN_ERR_INVALID;
    *ret_head = head;
    return QN_OK;
}
