/* Tokens to challenge holders with. The row stays when its tokens are used up: it knows the next
 * round. */
#include "model/book_impl.h"

#define FORMAT      1
#define ROW_MAX     (1 + 4 + QN_TOKENS_MAX * QN_TOKEN_SIZE)
#define TOKENS_SIZE (QN_TOKENS_MAX * QN_TOKEN_SIZE)

struct tokens {
    uint32_t round; /* of the first */
    size_t count;
    struct qn_token items[QN_TOKENS_MAX];
};

static enum qn_err read_tokens(struct qn_span row, struct tokens *tokens)
{
    struct qn_fixed fixed = qn_fixed(row, FORMAT);
    tokens->round = qn_fixed_u32(&fixed);
    struct qn_span rest = qn_fixed_rest(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    if (rest.size % QN_TOKEN_SIZE != 0 || rest.size > TOKENS_SIZE)
        return QN_ERR_CORRUPT;
    tokens->count = rest.size / QN_TOKEN_SIZE;
    if (rest.size > 0)
        memcpy(tokens->items, rest.data, rest.size);
    return QN_OK;
}

static enum qn_err get(struct qn_kv *kv, const struct qn_digest *pack, struct tokens *tokens)
{
    struct qn_span row;
    tokens->round = 0;
    tokens->count = 0;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_TOKEN, qn_digest_view(pack), &row);
    return err == QN_OK ? read_tokens(row, tokens) : qn_may_miss(err);
}

static enum qn_err put(struct qn_kv *kv, const struct qn_digest *pack, uint32_t round,
                       const struct qn_token *items, size_t count)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, ROW_MAX);
    qn_buf_append_u8(&row, FORMAT);
    qn_buf_append_u32(&row, round);
    qn_buf_append(&row, items, count * sizeof(items[0]));
    QN_TRY(qn_buf_status(&row));
    return qn_kv_put(kv, QN_TABLE_TOKEN, qn_digest_view(pack), qn_buf_view(&row));
}

enum qn_err qn_book_token_round(struct qn_kv *kv, const struct qn_digest *pack, uint32_t *ret_round,
                                size_t *ret_left)
{
    struct tokens tokens;
    QN_TRY(get(kv, pack, &tokens));
    *ret_round = tokens.round + (uint32_t)tokens.count;
    *ret_left = tokens.count;
    return QN_OK;
}

enum qn_err qn_book_tokens_add(struct qn_kv *kv, const struct qn_digest *pack, uint32_t round,
                               const struct qn_token *items, size_t count)
{
    struct tokens tokens;
    struct qn_own_pack row;
    QN_TRY(qn_book_pack_get(kv, pack, &row));
    QN_TRY(get(kv, pack, &tokens));
    if (round != tokens.round + (uint32_t)tokens.count)
        return QN_ERR_STATE;
    if (count > QN_TOKENS_MAX - tokens.count || count > UINT32_MAX - round)
        return QN_ERR_LIMIT;
    if (count > 0)
        memcpy(tokens.items + tokens.count, items, count * sizeof(items[0]));
    return put(kv, pack, tokens.round, tokens.items, tokens.count + count);
}

enum qn_err qn_book_token_take(struct qn_kv *kv, const struct qn_digest *pack, uint32_t *ret_round,
                               struct qn_token *ret_token)
{
    struct tokens tokens;
    QN_TRY(get(kv, pack, &tokens));
    if (tokens.count == 0)
        return QN_ERR_NOTFOUND;
    QN_TRY(put(kv, pack, tokens.round + 1, tokens.items + 1, tokens.count - 1));
    *ret_round = tokens.round;
    *ret_token = tokens.items[0];
    return QN_OK;
}
