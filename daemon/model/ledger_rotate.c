/* A site's change of key (docs/ledger.md, "Keys"). */
#include "base/assert.h"
#include "model/ledger_impl.h"
#include "proto/pack.h"

#define ROTATE_DOMAIN "quoin rotate 1"

void qn_node_keys(const struct qn_node *admission, struct qn_site_keys *ret_keys)
{
    struct qn_body body;
    QN_ASSERT(qn_body_unpack(qn_node_body(admission), &body) == QN_OK); /* it was checked */
    QN_ASSERT(body.type == QN_BODY_GENESIS || body.type == QN_BODY_ADMIT);
    *ret_keys = body.type == QN_BODY_GENESIS ? body.genesis.keys : body.admit.keys;
}

static void pack_statement(const struct qn_ledger *ledger, const struct qn_chain *chain,
                           const struct qn_body_rotate_key *rotate, struct qn_buf *out)
{
    qn_buf_init(out, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_pack_array(out, 5);
    qn_pack_bin(out, qn_digest_view(qn_ledger_group_id(ledger)));
    qn_pack_bin(out, QN_SPAN_OF(chain->id.bytes));
    qn_pack_u64(out, chain->keys.count);
    qn_pack_bin(out, qn_digest_view(&rotate->admission));
    qn_pack_bin(out, QN_SPAN_OF(rotate->key.bytes));
}

int qn_admission_cmp(const struct qn_node *a, const struct qn_node *b)
{
    if (a->invite == NULL || b->invite == NULL)
        return (a->invite != NULL) - (b->invite != NULL);
    bool is_a_own = a->author == a->subject, is_b_own = b->author == b->subject;
    if (is_a_own != is_b_own)
        return is_a_own ? 1 : -1;
    uint64_t first = a->invite->invite->admin_seq, second = b->invite->invite->admin_seq;
    if (first != second)
        return first < second ? -1 : 1;
    return qn_node_cmp(a, b);
}

/* The admission that the body names: never one behind that which a RotateKey of the chain named
 * before. So a later admission, for which the first key suffices, takes nothing from the kit of an
 * earlier one; and that kit takes back what one of a later admission did. */
static enum qn_err find_admission(const struct qn_ledger *ledger, const struct qn_chain *chain,
                                  const struct qn_digest *hash, const struct qn_node **ret_node)
{
    const struct qn_node *admission = qn_chain_admission(chain, hash);
    if (admission == NULL)
        return qn_ledger_node(ledger, hash) == NULL ? QN_ERR_HELD : QN_ERR_INVALID;
    if (chain->pinned != NULL && qn_admission_cmp(admission, chain->pinned) > 0)
        return QN_ERR_INVALID;
    *ret_node = admission;
    return QN_OK;
}

static bool had_key(const struct qn_chain *chain, const struct qn_public_key *key)
{
    qn_vec_each (&chain->keys, had) {
        if (qn_public_key_eq(had, key))
            return true;
    }
    return false;
}

enum qn_err qn_ledger_check_rotate(const struct qn_ledger *ledger, const struct qn_chain *chain,
                                   const struct qn_body_rotate_key *rotate)
{
    const struct qn_node *admission;
    QN_TRY(find_admission(ledger, chain, &rotate->admission, &admission));
    size_t kept = rotate->is_by_recovery ? 0 : QN_SITE_KEYS_KIT;
    if (chain->keys.count + kept >= QN_SITE_KEYS_MAX)
        return QN_ERR_LIMIT;
    struct qn_site_keys keys;
    qn_node_keys(admission, &keys);
    if (had_key(chain, &rotate->key) || qn_public_key_eq(&rotate->key, &keys.recovery_sign))
        return QN_ERR_INVALID;
    QN_AUTO_BUF struct qn_buf statement;
    pack_statement(ledger, chain, rotate, &statement);
    QN_TRY(qn_buf_status(&statement));
    const struct qn_public_key *prover =
        rotate->is_by_recovery ? &keys.recovery_sign : qn_chain_key(chain);
    return qn_verify(prover, ROTATE_DOMAIN, qn_buf_view(&statement), &rotate->proof);
}

enum qn_err qn_rotate_sign(const struct qn_ledger *ledger, const struct qn_site_id *site,
                           const struct qn_signer *prover, struct qn_body_rotate_key *body)
{
    const struct qn_chain *chain = qn_ledger_chain(ledger, site);
    const struct qn_node *admission;
    if (chain == NULL || find_admission(ledger, chain, &body->admission, &admission) != QN_OK)
        return QN_ERR_NOTFOUND;
    struct qn_site_keys keys;
    qn_node_keys(admission, &keys);
    const struct qn_public_key *expected =
        body->is_by_recovery ? &keys.recovery_sign : qn_chain_key(chain);
    if (!qn_public_key_eq(expected, qn_signer_public(prover)))
        return QN_ERR_DENIED;
    QN_AUTO_BUF struct qn_buf statement;
    pack_statement(ledger, chain, body, &statement);
    QN_TRY(qn_buf_status(&statement));
    return qn_signer_sign(prover, ROTATE_DOMAIN, qn_buf_view(&statement), &body->proof);
}
