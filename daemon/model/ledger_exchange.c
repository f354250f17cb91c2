/* What two ledgers tell each other: heads, digest, missing entries. */
#include "model/ledger_impl.h"
#include "proto/pack.h"

#define ARRAY_HEAD_MAX 5

static size_t count_written(const struct qn_ledger *ledger)
{
    size_t count = 0;
    qn_vec_each (&ledger->chains, chain)
        count += (*chain)->nodes.count > 0;
    return count;
}

void qn_ledger_pack_heads(const struct qn_ledger *ledger, struct qn_buf *out)
{
    qn_pack_array(out, 2 * count_written(ledger));
    qn_vec_each (&ledger->chains, chain) {
        if ((*chain)->nodes.count == 0)
            continue;
        qn_pack_bin(out, QN_SPAN_OF((*chain)->id.bytes));
        qn_pack_u64(out, (*chain)->nodes.count);
    }
}

void qn_ledger_digest(const struct qn_ledger *ledger, struct qn_digest *ret_digest)
{
    QN_AUTO_BUF struct qn_buf heads;
    qn_buf_init(&heads, ARRAY_HEAD_MAX + QN_SITES_MAX * (2 * (2 + QN_DIGEST_SIZE) + 9));
    qn_pack_array(&heads, 3 * count_written(ledger));
    qn_vec_each (&ledger->chains, chain) {
        const struct qn_node_vec *nodes = &(*chain)->nodes;
        if (nodes->count == 0)
            continue;
        qn_pack_bin(&heads, QN_SPAN_OF((*chain)->id.bytes));
        qn_pack_u64(&heads, nodes->count);
        qn_pack_bin(&heads, qn_digest_view(&nodes->items[nodes->count - 1]->hash));
    }
    QN_DIGEST(ret_digest, qn_buf_view(&heads));
}

/* For each chain by its place in `chains`, how many entries the other side has. Authors that this
 * ledger does not know are passed over. */
static enum qn_err read_heads(const struct qn_ledger *ledger, struct qn_cursor *cursor,
                              uint64_t known[QN_SITES_MAX])
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, (size_t)2 * QN_SITES_MAX, &count));
    if (count % 2 != 0)
        return QN_ERR_INVALID;
    struct qn_site_id last, id;
    size_t at = 0;
    for (size_t i = 0; i < count / 2; i++) {
        uint64_t aseq;
        QN_TRY(qn_cursor_bytes(cursor, id.bytes, sizeof(id.bytes)));
        QN_TRY(qn_cursor_u64(cursor, &aseq));
        if (aseq == 0 || (i > 0 && qn_site_id_cmp(&last, &id) >= 0))
            return QN_ERR_INVALID;
        last = id;
        while (at < ledger->chains.count && qn_site_id_cmp(&ledger->chains.items[at]->id, &id) < 0)
            at++;
        if (at < ledger->chains.count && qn_site_id_eq(&ledger->chains.items[at]->id, &id))
            known[at] = aseq;
    }
    return QN_OK;
}

enum qn_err qn_ledger_covers(const struct qn_ledger *ledger, struct qn_cursor heads,
                             const struct qn_site_id *author, bool *ret_covers)
{
    size_t count;
    QN_TRY(qn_cursor_array(&heads, (size_t)2 * QN_SITES_MAX, &count));
    bool covers = true;
    for (size_t i = 0; i < count / 2; i++) {
        struct qn_site_id id;
        uint64_t aseq;
        QN_TRY(qn_cursor_bytes(&heads, id.bytes, sizeof(id.bytes)));
        QN_TRY(qn_cursor_u64(&heads, &aseq));
        const struct qn_chain *chain = qn_ledger_chain(ledger, &id);
        bool is_asked = author == NULL || qn_site_id_eq(&id, author);
        covers = covers && !(is_asked && aseq > (chain == NULL ? 0 : chain->nodes.count));
    }
    *ret_covers = covers;
    return QN_OK;
}

static size_t packed_size(const struct qn_node *node)
{
    return node->size + (node->size < 0x100 ? 2 : 3); /* a binary of at most 64 KiB */
}

static size_t array_head_size(size_t count)
{
    return count < 16 ? 1 : count < 0x10000 ? 3 : ARRAY_HEAD_MAX;
}

/* Walks the entries that are missing, in order of addition: how many fit, and one past the last. */
static size_t count_fitting(const struct qn_ledger *ledger, const uint64_t *known, size_t size_max,
                            size_t *ret_end, bool *ret_is_cut)
{
    size_t count = 0, size = 0;
    *ret_is_cut = false;
    for (size_t i = 0; i < ledger->nodes.count; i++) {
        const struct qn_node *node = ledger->nodes.items[i];
        if (node->aseq <= known[node->author->index])
            continue;
        size += packed_size(node);
        if (size + array_head_size(count + 1) > size_max) {
            *ret_is_cut = true;
            *ret_end = i;
            return count;
        }
        count++;
    }
    *ret_end = ledger->nodes.count;
    return count;
}

enum qn_err qn_ledger_pack_missing(const struct qn_ledger *ledger, struct qn_cursor *heads,
                                   size_t size_max, struct qn_buf *out, size_t *ret_count)
{
    uint64_t known[QN_SITES_MAX] = {0};
    QN_TRY(read_heads(ledger, heads, known));
    for (size_t i = 0; i < ledger->chains.count; i++)
        ledger->chains.items[i]->index = i;
    size_t end;
    bool is_cut;
    size_t count = count_fitting(ledger, known, size_max, &end, &is_cut);
    if (count == 0 && is_cut)
        return QN_ERR_LIMIT;
    qn_pack_array(out, count);
    for (size_t i = 0; i < end; i++) {
        const struct qn_node *node = ledger->nodes.items[i];
        if (node->aseq > known[node->author->index])
            qn_pack_bin(out, qn_span(node->bytes, node->size));
    }
    QN_TRY(qn_buf_status(out));
    *ret_count = count;
    return QN_OK;
}
