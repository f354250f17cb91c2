#include <stdio.h>

#include "core/backup.h"
#include "core/call.h"
#include "core/fetch.h"
#include "core/hold.h"
#include "core/trail.h"
#include "model/bugs.h"

void call_fail(const struct call *call, enum qn_err err, const char *code, struct qn_span object)
{
    char text[160];
    snprintf(text, sizeof(text), "%.*s", (int)object.size, (const char *)object.data);
    core_reply_error(call->core, call->id, err, code, text);
}

static const char *code_of_record(enum qn_err err)
{
    switch (err) {
    case QN_ERR_NOTFOUND:
        return "record-not-found";
    case QN_ERR_LIMIT:
        return "record-too-large";
    case QN_ERR_DENIED:
        return "bad-field";
    case QN_ERR_INVALID:
        return "bad-value";
    case QN_ERR_STATE:
        return "no-conflict";
    case QN_ERR_EXISTS:
        return "changed";
    case QN_ERR_DAMAGED:
        return "record-damaged";
    default:
        return "internal";
    }
}

const char *call_code_of(enum qn_err err, enum qn_intent_kind kind)
{
    if (err == QN_ERR_NOSPACE)
        return "disk-full";
    if (err == QN_ERR_BUSY)
        return "busy";
    if (qn_err_is_fatal(err))
        return "store-failed";
    if (kind == QN_INTENT_WRITE || kind == QN_INTENT_RESOLVE)
        return code_of_record(err);
    return err == QN_ERR_DENIED ? "not-admin" : "internal";
}

struct coll *call_collection(const struct call *call)
{
    struct qn_span name;
    if (!args_text(call->args, "collection", QN_NAME_SIZE_MAX, &name) &&
        !args_text(call->args, "name", QN_NAME_SIZE_MAX, &name)) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("collection"));
        return NULL;
    }
    struct coll *coll = core_coll_named(call->core, name);
    if (coll == NULL)
        call_fail(call, QN_ERR_NOTFOUND, "collection-unknown", name);
    return coll;
}

struct coll *call_records(const struct call *call)
{
    struct coll *coll = call_collection(call);
    if (coll == NULL || !coll->info.is_folder)
        return coll;
    call_fail(call, QN_ERR_STATE, "is-folder", qn_span_str(coll->shown));
    return NULL;
}

struct pending *call_commit(const struct call *call, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, struct qn_span object)
{
    struct pending *pending = core_commit(call->core, kind, take_payload, PENDING_REPLY);
    pending->request = call->id;
    if (QN_BUG(QN_BUG_ACK_BEFORE_COMMIT) && kind == QN_INTENT_WRITE)
        core_reply_end(call->core, call->id, NULL);
    snprintf(pending->object, sizeof(pending->object), "%.*s", (int)object.size,
             (const char *)object.data);
    return pending;
}

static const struct {
    const char *name, *args;
    void (*run)(const struct call *call);
    bool is_for_ledger; /* it writes an entry */
} commands[] = {
    {"site.list", "", call_site_list, false},
    {"site.show", "name", call_site_show, false},
    {"site.invites", "", call_site_invites, false},
    {"site.report", "name", call_site_report, false},
    {"collection.list", "", call_collection_list, false},
    {"collection.show", "name", call_collection_show, false},
    {"site.invite", "expires_s name", call_site_invite, true},
    {"site.revoke", "name", call_site_revoke, true},
    {"site.withdraw", "name", call_site_withdraw, true},
    {"site.set", "entity", call_site_set, true},
    {"site.trust", "name", call_site_trust, false},
    {"collection.create", "folder members name", call_collection_create, true},
    {"collection.grant", "name site", call_collection_grant, true},
    {"collection.ungrant", "name site", call_collection_ungrant, true},
    {"collection.close", "name", call_collection_close, true},
    {"collection.resume", "name", call_collection_resume, false},
    {"collection.rescue", "name", call_collection_rescue, false},
    {"collection.give-up", "name", call_collection_give_up, false},
    {"record.put", "collection fields if key", call_record_put, false},
    {"record.put-many", "collection records", call_record_put_many, false},
    {"record.delete", "collection if key", call_record_delete, false},
    {"record.restore", "collection key", call_record_restore, false},
    {"record.erase", "collection key", call_record_erase, false},
    {"record.empty-trash", "collection dry_run older_days", call_record_empty_trash, false},
    {"conflict.resolve", "collection field key take value", call_conflict_resolve, false},
    {"verify", "collection scrub timeout_ms", call_verify, false},
    {"backup.create", "copies exclude keep lock_days name paths schedule", call_backup_create,
     false},
    {"backup.change", "copies exclude keep lock_days name paths schedule", call_backup_change,
     false},
    {"backup.delete", "name", call_backup_delete, false},
    {"backup.plans", "", call_backup_plans, false},
    {"backup.list", "name", call_backup_list, false},
    {"backup.run", "name wait", call_backup_run, false},
    {"backup.stop", "name", call_backup_stop, false},
    {"backup.forget", "dry_run name", call_backup_forget, false},
    {"backup.prune", "", call_backup_prune, false},
    {"backup.verify", "name read_data timeout_ms", call_backup_verify, false},
    {"backup.agreement", "holder reference until", call_backup_agreement, true},
    {"holder.list", "", call_holder_list, false},
    {"holder.accept", "owner", call_holder_accept, true},
    {"holder.quota", "owner quota_bytes", call_holder_quota, true},
    {"vault.fetch", "name not offset site size", call_vault_fetch, false},
    {"vault.keys", "site", call_vault_keys, false},
    {"vault.lists", "after site", call_vault_lists, false},
    {"vault.names", "after list site", call_vault_names, false},
    {"vault.rebuild", "data site", call_vault_rebuild, false},
};

static bool needs_vault(struct qn_span command)
{
    static const char *const names[] = {"backup.run", "backup.forget", "backup.prune",
                                        "backup.verify"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (qn_span_eq_str(command, names[i]))
            return true;
    return false;
}

/* A site that left keeps its own data, and may look at what there is. */
static bool is_open_to_who_left(struct qn_span command)
{
    static const char *const names[] = {"site.list",       "site.show",       "site.report",
                                        "collection.list", "collection.show", "backup.plans",
                                        "backup.list",     "holder.list"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (qn_span_eq_str(command, names[i]))
            return true;
    return false;
}

static bool may_run(const struct call *call, struct qn_span command)
{
    struct qn_core *core = call->core;
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (core->joining.is_active || group == NULL)
        call_fail(call, QN_ERR_STATE, "joining", qn_span_str(core->name));
    else if (!core_is_member(core) && is_open_to_who_left(command))
        return true;
    else if (!core_is_member(core))
        call_fail(call, QN_ERR_STATE, "withdrawn", qn_span_str(core->name));
    else if (!core_has_key(core))
        call_fail(call, QN_ERR_STATE, "key-replaced", qn_span_str(core->name));
    else if (core_is_keyless(core) && needs_vault(command))
        call_fail(call, QN_ERR_STATE, "recovering", qn_span_str(recover_key_holder(core)));
    else if (group->needs_upgrade)
        call_fail(call, QN_ERR_UNSUPPORTED, "upgrade-needed", qn_span_str(group->name));
    else
        return true;
    return false;
}

static bool may_append(const struct call *call)
{
    if (core_may_append(call->core))
        return true;
    call_fail(call, QN_ERR_BUSY, "in-doubt", qn_span_str(call->core->name));
    return false;
}

void request_start(struct qn_core *core, const struct qn_event *event)
{
    struct call call = {.core = core,
                        .id = event->token,
                        .args = event->args,
                        .user = event->user,
                        .entropy = event->entropy};
    if (qn_span_eq_str(event->command, "audit.witnesses")) { /* also of a site that stands alone */
        uint64_t points;
        trail_ask_start(core, call.id, args_u64(call.args, "points", &points) ? points : 0);
        return;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!qn_span_eq_str(event->command, commands[i].name))
            continue;
        if (!args_are_only(call.args, commands[i].args))
            call_fail(&call, QN_ERR_INVALID, "bad-request", event->command);
        else if (may_run(&call, event->command) &&
                 (!commands[i].is_for_ledger || may_append(&call)))
            commands[i].run(&call);
        return;
    }
    call_fail(&call, QN_ERR_NOTFOUND, "unknown-command", event->command);
}

void request_gone(struct qn_core *core, uint64_t request)
{
    verify_gone(core, request);
    waiters_gone(core, request);
    fetch_gone(core, request);
    trail_ask_gone(core, request);
    sweep_gone(core, request);
    custodian_request_gone(core, request);
    qn_vec_each (&core->pending, pending)
        if (pending->kind == PENDING_REPLY && pending->request == request)
            pending->kind = PENDING_QUIET;
}

static void reply_counts(struct qn_core *core, uint64_t request, const struct qn_outcome *outcome)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 128);
    qn_pack_map(&data, 2);
    qn_pack_cstr(&data, "changed");
    qn_pack_u64(&data, outcome->changed);
    qn_pack_cstr(&data, "unchanged");
    qn_pack_u64(&data, outcome->unchanged);
    core_reply_end(core, request, &data);
}

static void reply_changed(struct qn_core *core, uint64_t request, const struct qn_outcome *outcome)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 128);
    qn_pack_map(&data, 1);
    qn_pack_cstr(&data, "changed");
    qn_pack_bool(&data, outcome->changed > 0);
    core_reply_end(core, request, &data);
}

void request_outcome(struct qn_core *core, struct pending *pending,
                     const struct qn_outcome *outcome)
{
    if (outcome->err != QN_OK) {
        const char *code = call_code_of(outcome->err, outcome->kind);
        bool is_expected = outcome->err == QN_ERR_NOTFOUND || outcome->err == QN_ERR_STATE;
        if (pending->refusal != NULL && is_expected)
            code = pending->refusal;
        core_reply_error(core, pending->request, outcome->err, code, pending->object);
    } else if (pending->wants_counts) {
        reply_counts(core, pending->request, outcome);
    } else if (pending->wants_changed) {
        reply_changed(core, pending->request, outcome);
    } else {
        core_reply_end(core, pending->request, &pending->data);
    }
}
