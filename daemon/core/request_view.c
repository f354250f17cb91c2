#include "core/call.h"

static void reply_site(const struct call *call, const struct qn_site *site, bool is_end)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 16 * 1024);
    view_site(call->core, site, call->core->wall_ms, true, &data);
    if (is_end)
        core_reply_end(call->core, call->id, &data);
    else
        core_reply_data(call->core, call->id, &data);
}

void call_site_list(const struct call *call)
{
    size_t count;
    QN_AUTO_FREE const struct qn_site **sorted = view_sorted_sites(call->core, true, &count);
    for (size_t i = 0; i < count; i++)
        reply_site(call, sorted[i], false);
    core_reply_end(call->core, call->id, NULL);
}

void call_site_show(const struct call *call)
{
    struct qn_span name = {0};
    const struct qn_site *site = NULL;
    if (args_text(call->args, "name", QN_NAME_SIZE_MAX, &name))
        site = qn_group_site_named(qn_ledger_group(call->core->ledger), name);
    if (site == NULL)
        call_fail(call, QN_ERR_NOTFOUND, "site-unknown", name);
    else
        reply_site(call, site, true);
}

static const char *invite_state(const struct qn_invite *invite, uint64_t wall_ms)
{
    if (invite->is_used)
        return "used";
    if (invite->is_revoked)
        return "revoked";
    return invite->expiry_ms <= wall_ms ? "expired" : "open";
}

void call_site_invites(const struct call *call)
{
    qn_vec_each (&qn_ledger_group(call->core->ledger)->invites, invite) {
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, 1024);
        qn_pack_map(&data, 3);
        qn_pack_cstr(&data, "expiry");
        qn_pack_u64(&data, invite->expiry_ms);
        qn_pack_cstr(&data, "label");
        qn_pack_cstr(&data, invite->label);
        qn_pack_cstr(&data, "state");
        qn_pack_cstr(&data, invite_state(invite, call->core->wall_ms));
        core_reply_data(call->core, call->id, &data);
    }
    core_reply_end(call->core, call->id, NULL);
}

void call_collection_list(const struct call *call)
{
    size_t count;
    QN_AUTO_FREE struct coll **sorted = view_sorted_colls(call->core, &count);
    for (size_t i = 0; i < count; i++) {
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, 64 * 1024);
        view_coll(call->core, sorted[i], false, &data);
        core_reply_data(call->core, call->id, &data);
    }
    core_reply_end(call->core, call->id, NULL);
}

void call_collection_show(const struct call *call)
{
    struct coll *coll = call_collection(call);
    if (coll == NULL)
        return;
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 64 * 1024);
    view_coll(call->core, coll, true, &data);
    core_reply_end(call->core, call->id, &data);
}
