/* Lists that a holder is asked to let go, once their locks have passed (docs/protocol.md 10.7). */
#include "core/offsite_impl.h"

void forgets_tick(struct qn_core *core, struct bulk *bulk)
{
    struct lists *lists = &bulk->offsite->lists;
    if (!lists->needs_forget || lists->is_forgetting || lists->has_asked_forget ||
        lists->forget_commits > 0)
        return;
    struct qn_buf args = copy_read(bulk, COPY_READ_FORGETS, 0);
    read_copy(core, bulk, &args, TAG_FORGETS);
    lists->needs_forget = false;
    lists->is_forgetting = true;
}

static enum qn_err ask(struct qn_core *core, struct bulk *bulk, struct qn_span ids)
{
    struct lists *lists = &bulk->offsite->lists;
    struct qn_signature signature;
    QN_TRY(qn_signer_sign(core->options.signer, "quoin forget 1", ids, &signature));
    qn_buf_reset(&lists->forgets);
    qn_buf_append_span(&lists->forgets, ids);
    struct qn_buf *out = core_message(core, QN_MSG_LIST_FORGET, 2);
    qn_pack_bin(out, ids);
    qn_pack_bin(out, QN_SPAN_OF(signature.bytes));
    bulk_send(core, bulk);
    lists->has_asked_forget = true;
    return QN_OK;
}

static enum qn_err take(struct qn_core *core, struct bulk *bulk, struct qn_cursor *answer)
{
    size_t count;
    struct qn_span ids;
    QN_TRY(qn_cursor_array(answer, 1, &count));
    QN_TRY(read_joined(answer, BULK_OFFERS_MAX, &ids));
    return ids.size == 0 ? QN_OK : ask(core, bulk, ids);
}

void forgets_read_done(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result)
{
    struct qn_cursor answer = qn_cursor(qn_buf_view(&result->body));
    bulk->offsite->lists.is_forgetting = false;
    enum qn_err err = result->err == QN_OK ? take(core, bulk, &answer) : result->err;
    if (err != QN_OK) /* asked again on the next connection */
        core_note(core, "read-failed", err, holder_name(core, bulk));
}

enum qn_err forgets_done(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct lists *lists = &bulk->offsite->lists;
    struct qn_span ids;
    QN_TRY(read_joined(fields, BULK_OFFERS_MAX, &ids));
    if (!lists->has_asked_forget)
        return bulk->is_narrow ? QN_OK : QN_ERR_STATE; /* it was asked again */
    for (size_t at = 0; at < ids.size; at += QN_DIGEST_SIZE) {
        struct qn_digest id;
        memcpy(id.bytes, ids.data + at, sizeof(id.bytes));
        if (!names_have(qn_buf_view(&lists->forgets), &id))
            return QN_ERR_INVALID;
        struct qn_buf payload = copy_intent(bulk, 1);
        qn_pack_bin(&payload, qn_digest_view(&id));
        commit_copy(core, bulk, QN_INTENT_COPY_FORGOTTEN, &payload, TAG_FORGOTTEN);
        lists->forget_commits++;
    }
    lists->has_asked_forget = false;
    return QN_OK;
}

void forgets_say_again(struct offsite *offsite)
{
    struct lists *lists = &offsite->lists;
    if (!lists->has_asked_forget)
        return;
    lists->has_asked_forget = false;
    lists->needs_forget = true;
}

/* There may be more than fitted in one message. */
void forgets_committed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome)
{
    struct lists *lists = &bulk->offsite->lists;
    if (lists->forget_commits > 0 && --lists->forget_commits == 0)
        lists->needs_forget = outcome->err == QN_OK;
}
