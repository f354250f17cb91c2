/* Challenging holders: how far that is, what to challenge next; and their lists, for comparison. */
#include "model/book_impl.h"
#include "model/fingerprint.h"

#define FORMAT    1
#define PACKS_MAX 1024 /* looked at in one call */

/* ---- how far ---- */

static struct qn_span proof_key(struct qn_key *key, const struct qn_site_id *holder)
{
    return qn_key_copy_of(key, holder, QN_TAG_PROOF, NULL);
}

static enum qn_err read_proof(struct qn_span row, struct qn_proof *ret_proof)
{
    struct qn_fixed fixed = qn_fixed(row, FORMAT);
    struct qn_proof proof = {.verified_ms = qn_fixed_u64(&fixed)};
    proof.ended_ms = qn_fixed_u64(&fixed);
    proof.started_ms = qn_fixed_u64(&fixed);
    proof.at = qn_fixed_u64(&fixed);
    proof.bad = qn_fixed_u64(&fixed);
    proof.unknown = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_proof = proof;
    return QN_OK;
}

enum qn_err qn_book_proof_get(struct qn_kv *kv, const struct qn_site_id *holder,
                              struct qn_proof *ret_proof)
{
    struct qn_key key;
    struct qn_span row;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_COPY, proof_key(&key, holder), &row);
    if (err == QN_OK)
        return read_proof(row, ret_proof);
    QN_TRY(qn_may_miss(err));
    *ret_proof = (struct qn_proof){0};
    return QN_OK;
}

/* Only beside the row of the holder, which qn_copy_next finds first. */
enum qn_err qn_book_proof_put(struct qn_kv *kv, const struct qn_site_id *holder,
                              const struct qn_proof *proof)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_COPY, qn_key_holder(&key, holder), &row));
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&out, FORMAT);
    qn_buf_append_u64(&out, proof->verified_ms);
    qn_buf_append_u64(&out, proof->ended_ms);
    qn_buf_append_u64(&out, proof->started_ms);
    qn_buf_append_u64(&out, proof->at);
    qn_buf_append_u64(&out, proof->bad);
    qn_buf_append_u64(&out, proof->unknown);
    return qn_kv_put(kv, QN_TABLE_COPY, proof_key(&key, holder), qn_buf_view(&out));
}

/* ---- what is next ---- */

enum qn_err qn_book_next_acked(struct qn_kv *kv, const struct qn_site_id *holder,
                               uint64_t after_order, size_t count_max, struct qn_book_next *out,
                               size_t *ret_count, uint64_t *ret_after, bool *ret_is_end)
{
    size_t count = 0;
    bool is_end = false;
    for (unsigned looked = 0; looked < PACKS_MAX && count < count_max; looked++) {
        struct qn_digest name;
        struct qn_own_pack pack;
        bool is_acked;
        enum qn_err err = qn_own_pack_next(kv, after_order, &name, &pack);
        is_end = err == QN_ERR_NOTFOUND;
        if (is_end)
            break;
        QN_TRY(err);
        QN_TRY(qn_copy_has(kv, holder, QN_TAG_PACK, &name, &is_acked));
        if (is_acked)
            out[count++] =
                (struct qn_book_next){.pack = name, .size = pack.size, .order = pack.order};
        after_order = pack.order;
    }
    *ret_count = count;
    *ret_after = after_order;
    *ret_is_end = is_end;
    return QN_OK;
}

/* ---- lists ---- */

enum qn_err qn_book_lists(struct qn_kv *kv, const struct qn_site_id *holder,
                          const struct qn_digest *after, size_t count_max, struct qn_digest *out,
                          size_t *ret_count, bool *ret_is_end)
{
    return qn_copy_names(kv, holder, QN_TAG_LIST, after, count_max, out, ret_count, ret_is_end);
}

enum qn_err qn_book_list_sum(struct qn_kv *kv, const struct qn_site_id *holder,
                             struct qn_digest *ret_sum)
{
    struct qn_digest lists[64], sum = {0}, leaf, after;
    bool is_end = false;
    for (const struct qn_digest *from = NULL; !is_end; from = &after) {
        size_t count;
        QN_TRY(qn_book_lists(kv, holder, from, sizeof(lists) / sizeof(lists[0]), lists, &count,
                             &is_end));
        for (size_t i = 0; i < count; i++) {
            QN_DIGEST(&leaf, qn_digest_view(&lists[i]));
            qn_sum_add(sum.bytes, leaf.bytes);
        }
        if (count > 0)
            after = lists[count - 1];
    }
    *ret_sum = sum;
    return QN_OK;
}
