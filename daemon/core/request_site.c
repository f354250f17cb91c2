#include "core/call.h"
#include "core/hold.h"

#define EXPIRES_MAX_S     (365u * 24 * 3600)
#define REVOKED_SIZE_MAX  (1024 * 1024)
#define WITHDRAW_SIZE_MAX (1024 * 1024)

static bool is_admin(const struct call *call)
{
    const struct qn_group *group = qn_ledger_group(call->core->ledger);
    if (qn_site_id_eq(&group->admin, &call->core->site))
        return true;
    const struct qn_site *admin = qn_group_site(group, &group->admin);
    call_fail(call, QN_ERR_DENIED, "not-admin", qn_span_str(admin == NULL ? "?" : admin->name));
    return false;
}

static struct pending *append(const struct call *call, const struct qn_buf *body,
                              struct qn_span object)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_LEDGER_ENTRY_SIZE_MAX + 16);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(body));
    return call_commit(call, QN_INTENT_LEDGER_APPEND, &payload, object);
}

static void make_code(const struct call *call, uint64_t expires_s, struct qn_code *ret_code)
{
    struct qn_core *core = call->core;
    *ret_code = (struct qn_code){.address_count = core->options.address_count};
    memcpy(ret_code->secret, call->entropy, sizeof(ret_code->secret));
    memcpy(ret_code->group_prefix, qn_ledger_group(core->ledger)->id.bytes,
           sizeof(ret_code->group_prefix));
    ret_code->expiry_s = (uint32_t)(core->wall_ms / 1000 + expires_s);
    for (size_t i = 0; i < ret_code->address_count; i++)
        memcpy(ret_code->addresses[i], core->addresses[i], sizeof(core->addresses[i]));
}

static void pack_code(const struct qn_code *code, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_CODE_SIZE_MAX);
    qn_code_print(code, &text);
    qn_buf_init(out, QN_CODE_SIZE_MAX + 64);
    qn_pack_map(out, 1);
    qn_pack_cstr(out, "code");
    qn_pack_str(out, qn_buf_view(&text));
}

void call_site_invite(const struct call *call)
{
    struct qn_core *core = call->core;
    const struct qn_group *group = qn_ledger_group(core->ledger);
    struct qn_span name = {0};
    uint64_t expires_s;
    if (!args_text(call->args, "name", QN_NAME_SIZE_MAX, &name) || !qn_text_is_name(name)) {
        call_fail(call, QN_ERR_INVALID, "bad-name", name.size > 0 ? name : qn_span_str("name"));
        return;
    }
    if (!args_u64(call->args, "expires_s", &expires_s) || expires_s == 0 ||
        expires_s > EXPIRES_MAX_S) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("expires_s"));
        return;
    }
    if (!is_admin(call))
        return;
    const struct qn_site *namesake = qn_group_site_named(group, name);
    if (namesake != NULL && namesake->state == QN_SITE_MEMBER) {
        call_fail(call, QN_ERR_EXISTS, "site-name-taken", name);
        return;
    }
    struct qn_code code;
    struct qn_signer *signer;
    make_code(call, expires_s, &code);
    if (qn_code_signer(&code, &signer) != QN_OK) {
        call_fail(call, QN_ERR_CRYPTO, "internal", name);
        return;
    }
    struct qn_body_invite invite = {.invite_key = *qn_signer_public(signer),
                                    .expiry_ms = (uint64_t)code.expiry_s * 1000,
                                    .label = name};
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_invite_pack(&group->id, &invite, &body);
    pack_code(&code, &append(call, &body, name)->data);
    qn_signer_free(signer);
    qn_wipe(&code, sizeof(code));
}

static void pack_revoke(const struct qn_group *group, const struct qn_invite *invite,
                        struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_revoke_invite_pack(&group->id, &invite->key, &body);
    qn_pack_bin(out, qn_buf_view(&body));
}

void call_site_revoke(const struct call *call)
{
    const struct qn_group *group = qn_ledger_group(call->core->ledger);
    struct qn_span name;
    if (!args_text(call->args, "name", QN_NAME_SIZE_MAX, &name)) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("name"));
        return;
    }
    if (!is_admin(call))
        return;
    QN_AUTO_BUF struct qn_buf bodies;
    qn_buf_init(&bodies, REVOKED_SIZE_MAX);
    size_t count = 0;
    qn_vec_each (&group->invites, invite)
        if (qn_span_eq_str(name, invite->label) && qn_invite_is_open(invite, call->core->wall_ms)) {
            pack_revoke(group, invite, &bodies);
            count++;
        }
    if (count == 0) {
        call_fail(call, QN_ERR_NOTFOUND, "no-invitation", name);
        return;
    }
    if (qn_buf_status(&bodies) != QN_OK) {
        call_fail(call, QN_ERR_LIMIT, "too-many", name);
        return;
    }
    struct qn_buf payload;
    qn_buf_init(&payload, REVOKED_SIZE_MAX + 16);
    qn_pack_array(&payload, count);
    qn_pack_raw(&payload, qn_buf_view(&bodies));
    call_commit(call, QN_INTENT_LEDGER_APPEND, &payload, name);
}

static void pack_withdraw(const struct qn_group *group, const struct qn_digest *admission,
                          struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_withdraw_pack(&group->id, admission, &body);
    qn_pack_bin(out, qn_buf_view(&body));
}

/* Of each membership: the kit may have brought one back beside another (docs/ledger.md, "Keys"). */
void call_site_withdraw(const struct call *call)
{
    struct qn_core *core = call->core;
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *self = qn_group_site(group, &core->site);
    struct qn_span name;
    if (!args_text(call->args, "name", QN_NAME_SIZE_MAX, &name)) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("name"));
        return;
    }
    if (!qn_span_eq_str(name, self->name)) {
        call_fail(call, QN_ERR_DENIED, "not-this-site", name);
        return;
    }
    struct qn_buf payload;
    qn_buf_init(&payload, WITHDRAW_SIZE_MAX);
    qn_pack_array(&payload, self->memberships.count);
    qn_vec_each (&self->memberships, admission)
        pack_withdraw(group, admission, &payload);
    if (custodian_holds_anything(core))
        custodian_leave(core, call->id, name, &payload);
    else
        call_commit(call, QN_INTENT_LEDGER_APPEND, &payload, name);
}

/* Where nobody is left to compare ledgers with, somebody has to say that nothing was forgotten.
 * With another member at hand the doubt ends, or turns out to be right, without that. */
void call_site_trust(const struct call *call)
{
    struct qn_core *core = call->core;
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct peer *online = group_online_peer(core);
    struct qn_span name;
    if (!args_text(call->args, "name", QN_NAME_SIZE_MAX, &name)) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("name"));
        return;
    }
    if (!qn_span_eq_str(name, qn_group_site(group, &core->site)->name)) {
        call_fail(call, QN_ERR_DENIED, "not-this-site", name);
        return;
    }
    if (core->is_in_doubt && online != NULL) {
        call_fail(call, QN_ERR_STATE, "site-online",
                  qn_span_str(core_site_name(core, &online->site)));
        return;
    }
    struct qn_buf payload;
    group_pack_trust(&payload);
    call_commit(call, QN_INTENT_TRUST, &payload, name);
}

void call_site_set(const struct call *call)
{
    struct qn_span entity;
    if (!args_text(call->args, "entity", QN_ENTITY_SIZE_MAX, &entity) ||
        !qn_text_is_printable(entity)) {
        call_fail(call, QN_ERR_INVALID, "bad-entity", qn_span_str("entity"));
        return;
    }
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_describe_pack(&qn_ledger_group(call->core->ledger)->id, entity, &body);
    append(call, &body, entity);
}
