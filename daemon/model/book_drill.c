/* The signature over the result of the last restore for practice. */
#include "base/text.h"
#include "model/book_impl.h"

#define DRILL_FORMAT 1
#define DRILL_DOMAIN "quoin drill 1"

/* What is signed: whose, of which plan and snapshot, when, and what came of it. */
static void write_statement(const struct qn_site_id *site, struct qn_span name,
                            const struct qn_digest *snapshot, const struct qn_plan_runs *runs,
                            struct qn_buf *out)
{
    struct qn_span err = qn_span_str(qn_err_name(runs->drill_err));
    qn_buf_append(out, site->bytes, sizeof(site->bytes));
    qn_buf_append_u8(out, (uint8_t)name.size);
    qn_buf_append_span(out, name);
    qn_buf_append_span(out, qn_digest_view(snapshot));
    qn_buf_append_u64(out, runs->drill_ms);
    qn_buf_append_u8(out, (uint8_t)err.size);
    qn_buf_append_span(out, err);
    qn_buf_append_u64(out, runs->drill_files);
    qn_buf_append_u64(out, runs->drill_bytes);
}

enum qn_err qn_book_drill_sign(struct qn_kv *kv, const struct qn_site_id *site,
                               const struct qn_signer *signer, struct qn_span name,
                               const struct qn_digest *snapshot)
{
    struct qn_plan_runs runs;
    struct qn_signature signature;
    QN_AUTO_BUF struct qn_buf statement, row;
    qn_buf_init(&statement, QN_BOOK_ROW_MAX);
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    QN_TRY(qn_book_runs_get(kv, name, &runs));
    write_statement(site, name, snapshot, &runs, &statement);
    QN_TRY(qn_buf_status(&statement));
    QN_TRY(qn_signer_sign(signer, DRILL_DOMAIN, qn_buf_view(&statement), &signature));
    qn_buf_append_u8(&row, DRILL_FORMAT);
    qn_buf_append_span(&row, qn_digest_view(snapshot));
    qn_buf_append(&row, signature.bytes, sizeof(signature.bytes));
    QN_TRY(qn_buf_status(&row));
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_PLAN, qn_key_tagged(&key, QN_TAG_DRILL, name), qn_buf_view(&row));
}

static enum qn_err read_row(struct qn_kv *kv, struct qn_span name, struct qn_digest *ret_snapshot,
                            struct qn_signature *ret_signature)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_PLAN, qn_key_tagged(&key, QN_TAG_DRILL, name), &row));
    struct qn_fixed fixed = qn_fixed(row, DRILL_FORMAT);
    *ret_snapshot = qn_fixed_digest(&fixed);
    for (size_t i = 0; i < sizeof(ret_signature->bytes); i++)
        ret_signature->bytes[i] = qn_fixed_u8(&fixed);
    return qn_fixed_end(&fixed);
}

enum qn_err qn_book_drill_check(struct qn_kv *kv, const struct qn_site_id *site,
                                const struct qn_public_key *keys, size_t key_count,
                                struct qn_span name)
{
    struct qn_plan_runs runs;
    struct qn_digest snapshot;
    struct qn_signature signature;
    QN_AUTO_BUF struct qn_buf statement;
    qn_buf_init(&statement, QN_BOOK_ROW_MAX);
    QN_TRY(qn_book_runs_get(kv, name, &runs));
    enum qn_err err = read_row(kv, name, &snapshot, &signature);
    if (err == QN_ERR_NOTFOUND && runs.drill_ms == 0)
        return QN_OK;
    if (err == QN_ERR_NOTFOUND)
        return QN_ERR_SIGNATURE;
    QN_TRY(err);
    write_statement(site, name, &snapshot, &runs, &statement);
    for (size_t i = key_count; i-- > 0;) { /* most likely by the last */
        err = qn_verify(&keys[i], DRILL_DOMAIN, qn_buf_view(&statement), &signature);
        if (err != QN_ERR_SIGNATURE)
            return err;
    }
    return QN_ERR_SIGNATURE;
}
