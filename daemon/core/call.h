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
/* Commits an intent (payload taken) whose outcome answers the request. */
struct pending *call_commit(const struct call *call, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, struct qn_span object);

/* request_site.c */
void call_site_invite(const struct call *call);
void call_site_revoke(const struct call *call);
void call_site_withdraw(const struct call *call);
void call_site_set(const struct call *call);
/* request_view.c: answered from memory */
void call_site_list(const struct call *call);
void call_site_show(const struct call *call);
void call_site_invites(const struct call *call);
void call_collection_list(const struct call *call);
void call_collection_show(const struct call *call);
/* request_coll.c */
void call_collection_create(const struct call *call);
void call_collection_grant(const struct call *call);
void call_collection_ungrant(const struct call *call);
/* request_record.c */
void call_record_put(const struct call *call);
void call_record_put_many(const struct call *call);
void call_record_delete(const struct call *call);
void call_record_restore(const struct call *call);
void call_record_erase(const struct call *call);
void call_conflict_resolve(const struct call *call);
void call_verify(const struct call *call);
