/* What a site writes into the ledger: entries, the statement of who joins. */
#include "model/ledger_impl.h"
#include "proto/pack.h"

#define ADMIT_DOMAIN "quoin admit 1"

enum qn_err qn_ledger_compose(const struct qn_ledger *ledger, const struct qn_signer *signer,
                              const struct qn_site_id *author, qn_hlc hlc, struct qn_span body,
                              struct qn_buf *out)
{
    const struct qn_chain *chain = qn_ledger_chain(ledger, author);
    if (chain == NULL)
        return QN_ERR_NOTFOUND;
    struct qn_body parsed;
    QN_TRY(qn_body_unpack(body, &parsed));
    bool is_rotation = parsed.is_understood && parsed.type == QN_BODY_ROTATE_KEY;
    const struct qn_public_key *key = is_rotation ? &parsed.rotate.key : qn_chain_key(chain);
    if (!qn_public_key_eq(key, qn_signer_public(signer)))
        return QN_ERR_DENIED;
    const struct qn_node *head = qn_ledger_admin_head(ledger);
    struct qn_entry entry = {
        .body_bytes = body,
        .author = *author,
        .epoch = chain->keys.count - (is_rotation ? 0 : 1),
        .aseq = chain->nodes.count + 1,
        .ref = {.term = 1, .seq = head->admin_seq, .hash = head->hash},
        .hlc = hlc,
    };
    if (chain->nodes.count > 0)
        entry.aprev = chain->nodes.items[chain->nodes.count - 1]->hash;
    struct qn_digest hash;
    return qn_entry_compose(&entry, signer, out, &hash);
}

enum qn_err qn_genesis_compose(const struct qn_signer *signer,
                               const struct qn_body_genesis *genesis, qn_hlc hlc,
                               struct qn_buf *out, struct qn_digest *ret_group_id)
{
    if (!qn_public_key_eq(&genesis->keys.site, qn_signer_public(signer)))
        return QN_ERR_DENIED;
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_genesis_pack(genesis, &body);
    QN_TRY(qn_buf_status(&body));
    struct qn_entry entry = {
        .body_bytes = qn_buf_view(&body), .aseq = 1, .ref = {.term = 1}, .hlc = hlc};
    qn_site_id_of(&genesis->keys.site, &entry.author);
    return qn_entry_compose(&entry, signer, out, ret_group_id);
}

static void pack_statement(const struct qn_digest *group, const struct qn_body_admit *admit,
                           struct qn_buf *out)
{
    qn_buf_init(out, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_pack_array(out, 7);
    qn_pack_bin(out, qn_digest_view(group));
    qn_pack_bin(out, QN_SPAN_OF(admit->invite_key.bytes));
    qn_pack_bin(out, QN_SPAN_OF(admit->keys.site.bytes));
    qn_pack_bin(out, QN_SPAN_OF(admit->keys.recovery_sign.bytes));
    qn_pack_bin(out, QN_SPAN_OF(admit->keys.recovery_seal.bytes));
    qn_pack_str(out, admit->name);
    qn_pack_str(out, admit->legal_entity);
}

enum qn_err qn_admit_sign(const struct qn_digest *group, const struct qn_signer *invite_signer,
                          const struct qn_signer *site_signer, struct qn_body_admit *admit)
{
    if (!qn_public_key_eq(&admit->invite_key, qn_signer_public(invite_signer)) ||
        !qn_public_key_eq(&admit->keys.site, qn_signer_public(site_signer)))
        return QN_ERR_DENIED;
    QN_AUTO_BUF struct qn_buf statement;
    pack_statement(group, admit, &statement);
    QN_TRY(qn_buf_status(&statement));
    struct qn_signature by_invite, by_site;
    QN_TRY(qn_signer_sign(invite_signer, ADMIT_DOMAIN, qn_buf_view(&statement), &by_invite));
    QN_TRY(qn_signer_sign(site_signer, ADMIT_DOMAIN, qn_buf_view(&statement), &by_site));
    admit->by_invite = by_invite;
    admit->by_site = by_site;
    return QN_OK;
}

enum qn_err qn_admit_verify(const struct qn_digest *group, const struct qn_body_admit *admit)
{
    QN_AUTO_BUF struct qn_buf statement;
    pack_statement(group, admit, &statement);
    QN_TRY(qn_buf_status(&statement));
    struct qn_span message = qn_buf_view(&statement);
    QN_TRY(qn_verify(&admit->invite_key, ADMIT_DOMAIN, message, &admit->by_invite));
    return qn_verify(&admit->keys.site, ADMIT_DOMAIN, message, &admit->by_site);
}
