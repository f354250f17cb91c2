/* Inside core: one request from the control socket while it is looked at. */
#pragma once

#include "core/args.h"
#include "core/state.h"

struct call {
    struct qn_core *core;
    uint64_t id;
    struct qn_span args, user;
    const uint8_t *entropy;
};

/* Answers with an error; `object` is cut to what fits. */
void call_fail(const struct call *call, enum qn_err err, const char *code, struct qn_span object);
/* The code (docs/control.md 5) that a refused write has. */
const char *call_code_of(enum qn_err err, enum qn_intent_kind kind);
/* The named collection, shared here; else answers with an error and gives NULL. */
struct coll *call_collection(const struct call *call);
/* The same; a folder is refused too: it has files, not records. */
struct coll *call_records(const struct call *call);
/* Commits an intent (payload taken) whose outcome answers the request. */
struct pending *call_commit(const struct call *call, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, struct qn_span object);

/* request_site.c */
void call_site_invite(const struct call *call);
void call_site_revoke(const struct call *call);
void call_site_withdraw(const struct call *call);
void call_site_trust(const struct call *call);
void call_site_set(const struct call *call);
/* request_view.c: answered from memory */
void call_site_list(const struct call *call);
void call_site_show(const struct call *call);
void call_site_invites(const struct call *call);
void call_site_report(const struct call *call); /* request_report.c */
void call_collection_list(const struct call *call);
void call_collection_show(const struct call *call);
/* request_coll.c */
void call_collection_create(const struct call *call);
void call_collection_grant(const struct call *call);
void call_collection_ungrant(const struct call *call);
void call_collection_close(const struct call *call);
/* late.c, late_rescue.c */
void call_collection_resume(const struct call *call);
void call_collection_rescue(const struct call *call);
void call_collection_give_up(const struct call *call); /* repair.c */
/* request_record.c */
void call_record_put(const struct call *call);
void call_record_put_many(const struct call *call);
void call_record_delete(const struct call *call);
void call_record_restore(const struct call *call);
void call_record_erase(const struct call *call);
void call_record_empty_trash(const struct call *call); /* request_trash.c */
void call_conflict_resolve(const struct call *call);
void call_verify(const struct call *call);
/* request_plan.c, request_backup.c, request_holder.c */
struct plan *call_plan(const struct call *call); /* the named plan; else answers, and NULL */
bool call_flag(const struct call *call, const char *key); /* false if it is absent */
/* Queues a job; its end answers the request. `plan` as in struct want. */
void call_run_job(const struct call *call, enum qn_job_kind kind, const char *plan);
void call_backup_create(const struct call *call);
void call_backup_change(const struct call *call);
void call_backup_delete(const struct call *call);
void call_backup_plans(const struct call *call);
void call_backup_list(const struct call *call);
void call_backup_run(const struct call *call);
void call_backup_stop(const struct call *call);
void call_backup_prune(const struct call *call);
void call_backup_verify(const struct call *call);
void call_backup_forget(const struct call *call);
void call_backup_agreement(const struct call *call);
void call_holder_list(const struct call *call);
void call_holder_accept(const struct call *call);
void call_holder_quota(const struct call *call);
/* request_fetch.c */
void call_vault_fetch(const struct call *call);
void call_vault_keys(const struct call *call);
void call_vault_lists(const struct call *call);
void call_vault_names(const struct call *call);
void call_vault_rebuild(const struct call *call);
