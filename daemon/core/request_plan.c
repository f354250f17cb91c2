#include "core/backup.h"
#include "core/call.h"

#define LOCK_DAYS 30

/* A plan as it is being made of a request and, when it is changed, of the plan before. */
struct draft {
    const struct call *call;
    struct qn_plan plan;
    QN_VEC(struct qn_site_id) new_copies;
};

static bool fail(const struct draft *draft, enum qn_err err, const char *code,
                 struct qn_span object)
{
    call_fail(draft->call, err, code, object);
    return false;
}

/* ---- the parts; false after answering with an error ---- */

static bool take_paths(struct draft *draft)
{
    struct qn_span packed = args_value(draft->call->args, "paths");
    struct qn_cursor cursor = qn_cursor(packed);
    size_t count;
    if (packed.size == 0)
        return true;
    if (qn_cursor_array(&cursor, QN_PLAN_PATHS_MAX, &count) != QN_OK || count == 0)
        return fail(draft, QN_ERR_INVALID, "bad-path", qn_span_str(""));
    draft->plan.paths.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct qn_span path = {0};
        if (qn_cursor_bin(&cursor, QN_PLAN_PATH_SIZE_MAX - 1, &path) != QN_OK || path.size == 0 ||
            path.data[0] != '/' || memchr(path.data, 0, path.size) != NULL)
            return fail(draft, QN_ERR_INVALID, "bad-path", path);
        while (path.size > 1 && path.data[path.size - 1] == '/')
            path.size--;
        qn_vec_push(&draft->plan.paths, path);
    }
    return true;
}

static bool take_excludes(struct draft *draft)
{
    struct qn_span packed = args_value(draft->call->args, "exclude");
    struct qn_cursor cursor = qn_cursor(packed);
    size_t count;
    if (packed.size == 0)
        return true;
    if (qn_cursor_array(&cursor, QN_PLAN_EXCLUDES_MAX, &count) != QN_OK)
        return fail(draft, QN_ERR_INVALID, "bad-pattern", qn_span_str(""));
    draft->plan.excludes.count = 0;
    struct qn_exclude *exclude = qn_exclude_new();
    bool is_good = true;
    for (size_t i = 0; i < count && is_good; i++) {
        struct qn_span pattern = {0};
        is_good = qn_cursor_str(&cursor, QN_PLAN_PATH_SIZE_MAX, &pattern) == QN_OK &&
                  qn_exclude_add(exclude, pattern) == QN_OK;
        if (is_good)
            qn_vec_push(&draft->plan.excludes, pattern);
        else
            fail(draft, QN_ERR_INVALID, "bad-pattern", pattern);
    }
    qn_exclude_free(exclude);
    return is_good;
}

static bool take_texts(struct draft *draft)
{
    struct qn_span args = draft->call->args, text;
    struct qn_schedule schedule;
    struct qn_keep keep;
    if (args_text(args, "schedule", QN_PLAN_TEXT_SIZE_MAX, &text)) {
        if (qn_schedule_parse(text, &schedule) != QN_OK)
            return fail(draft, QN_ERR_INVALID, "bad-schedule", text);
        draft->plan.schedule = text;
    }
    if (args_text(args, "keep", QN_PLAN_TEXT_SIZE_MAX, &text)) {
        if (qn_keep_parse(text, &keep) != QN_OK)
            return fail(draft, QN_ERR_INVALID, "bad-keep", text);
        draft->plan.keep = text;
    }
    uint64_t lock_days;
    if (args_u64(args, "lock_days", &lock_days)) {
        if (lock_days > QN_LOCK_DAYS_MAX)
            return fail(draft, QN_ERR_LIMIT, "bad-lock", qn_span_str(""));
        draft->plan.lock_days = (uint32_t)lock_days;
    }
    return true;
}

static void add_copy(struct draft *draft, const struct qn_site_id *holder)
{
    size_t at = 0;
    while (at < draft->plan.copies.count &&
           qn_site_id_cmp(&draft->plan.copies.items[at], holder) < 0)
        at++;
    if (at < draft->plan.copies.count && qn_site_id_eq(&draft->plan.copies.items[at], holder))
        return;
    *qn_vec_insert_slot(&draft->plan.copies, at) = *holder;
}

static bool take_copies(struct draft *draft)
{
    const struct qn_core *core = draft->call->core;
    struct qn_span packed = args_value(draft->call->args, "copies");
    struct qn_cursor cursor = qn_cursor(packed);
    size_t count;
    if (packed.size == 0)
        return true;
    if (qn_cursor_array(&cursor, QN_COPIES_MAX, &count) != QN_OK)
        return fail(draft, QN_ERR_LIMIT, "too-many", qn_span_str("copies"));
    draft->plan.copies.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct qn_span name = {0};
        const struct qn_site *site = NULL;
        if (qn_cursor_str(&cursor, QN_NAME_SIZE_MAX, &name) == QN_OK)
            site = qn_group_site_named(qn_ledger_group(core->ledger), name);
        if (site == NULL || site->state != QN_SITE_MEMBER)
            return fail(draft, QN_ERR_NOTFOUND, "site-unknown", name);
        if (qn_site_id_eq(&site->id, &core->site))
            return fail(draft, QN_ERR_INVALID, "holder-is-self", name);
        add_copy(draft, &site->id);
    }
    return true;
}

/* ---- the whole ---- */

/* A holder without an agreement is asked for one. */
static void ask_holders(const struct draft *draft)
{
    struct qn_core *core = draft->call->core;
    qn_vec_each (&draft->plan.copies, holder)
        if (!place_is_asked(core, holder, draft->plan.lock_days))
            place_propose(core, holder, PLACE_QUOTA_ASKED, draft->plan.lock_days);
}

static void commit_plan(const struct draft *draft)
{
    struct qn_core *core = draft->call->core;
    QN_AUTO_BUF struct qn_buf packed;
    struct qn_buf payload;
    qn_buf_init(&packed, QN_PLAN_SIZE_MAX);
    qn_plan_pack(&draft->plan, &packed);
    if (qn_buf_status(&packed) != QN_OK) {
        fail(draft, QN_ERR_LIMIT, "too-many", draft->plan.name);
        return;
    }
    qn_buf_init(&payload, QN_PLAN_SIZE_MAX + 16);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&packed));
    ask_holders(draft);
    const struct pending *pending =
        call_commit(draft->call, QN_INTENT_PLAN_PUT, &payload, draft->plan.name);
    plan_changes(core, pending->token, draft->plan.name, qn_buf_view(&packed));
}

static bool take_all(struct draft *draft)
{
    return take_paths(draft) && take_excludes(draft) && take_texts(draft) && take_copies(draft);
}

static bool may_append_if_copies(const struct draft *draft)
{
    return draft->plan.copies.count == 0 || core_may_append(draft->call->core) ||
           fail(draft, QN_ERR_BUSY, "busy", qn_span_str(draft->call->core->name));
}

void call_backup_create(const struct call *call)
{
    struct qn_core *core = call->core;
    struct draft draft = {.call = call,
                          .plan = {.lock_days = LOCK_DAYS, .created_ms = core->wall_ms}};
    if (!args_text(call->args, "name", QN_NAME_SIZE_MAX, &draft.plan.name) ||
        !qn_text_is_name(draft.plan.name))
        call_fail(call, QN_ERR_INVALID, "bad-name", draft.plan.name);
    else if (backup_plan(core, draft.plan.name) != NULL || plan_is_coming(core, draft.plan.name))
        call_fail(call, QN_ERR_EXISTS, "plan-exists", draft.plan.name);
    else if (core->backup->plans.count >= QN_PLANS_MAX)
        call_fail(call, QN_ERR_LIMIT, "too-many", draft.plan.name);
    else if (take_all(&draft) && may_append_if_copies(&draft)) {
        if (draft.plan.paths.count > 0)
            commit_plan(&draft);
        else
            call_fail(call, QN_ERR_INVALID, "bad-path", qn_span_str(""));
    }
    qn_plan_deinit(&draft.plan);
}

struct plan *call_plan(const struct call *call)
{
    struct qn_span name = {0};
    if (!args_text(call->args, "name", QN_NAME_SIZE_MAX, &name)) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("name"));
        return NULL;
    }
    struct plan *plan = backup_plan(call->core, name);
    if (plan == NULL)
        call_fail(call, QN_ERR_NOTFOUND, "plan-unknown", name);
    return plan;
}

void call_backup_change(const struct call *call)
{
    struct plan *plan = call_plan(call);
    if (plan == NULL)
        return;
    struct draft draft = {.call = call};
    if (qn_plan_unpack(qn_buf_view(&plan->packed), &draft.plan) != QN_OK)
        call_fail(call, QN_ERR_CORRUPT, "internal", qn_span_str(plan->name));
    else if (take_all(&draft) && may_append_if_copies(&draft))
        commit_plan(&draft);
    qn_plan_deinit(&draft.plan);
}

void call_backup_delete(const struct call *call)
{
    struct plan *plan = call_plan(call);
    if (plan == NULL)
        return;
    if (backup_is_running(call->core, plan->name)) {
        call_fail(call, QN_ERR_BUSY, "already-running", plan->row.name);
        return;
    }
    struct qn_buf payload;
    qn_buf_init(&payload, 128);
    qn_pack_array(&payload, 1);
    qn_pack_str(&payload, plan->row.name);
    const struct pending *pending =
        call_commit(call, QN_INTENT_PLAN_REMOVE, &payload, plan->row.name);
    plan_changes(call->core, pending->token, plan->row.name, qn_span(NULL, 0));
}
