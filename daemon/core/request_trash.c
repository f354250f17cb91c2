/* A person empties the trash: one transaction of bounded size after the other, each in its own
 * turn, so that other writes come in between. Whoever goes away stops it behind the one that is
 * under way; what was erased until then stays erased. */
#include "core/call.h"

#define DAY_MS (24 * 3600 * UINT64_C(1000))

struct sweep {
    uint64_t request;
    struct qn_coll_id coll;
    uint64_t until_ms;
    bool is_dry_run;
    uint64_t erased, kept, looked, total;
    char user[QN_USER_SIZE_MAX + 1];
};

static void step(struct qn_core *core, const struct sweep *sweep, struct qn_span after)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_KEY_SIZE_MAX + QN_USER_SIZE_MAX + 64);
    qn_pack_array(&payload, 5);
    qn_pack_bin(&payload, QN_SPAN_OF(sweep->coll.bytes));
    qn_pack_u64(&payload, sweep->until_ms);
    qn_pack_bin(&payload, after);
    qn_pack_cstr(&payload, sweep->user);
    qn_pack_bool(&payload, sweep->is_dry_run);
    core_commit(core, QN_INTENT_EMPTY_TRASH, &payload, PENDING_SWEEP)->request = sweep->request;
    core_last_intent(core)->op_count = QN_SWEEP_OPS;
}

/* Days that reach back before 1970 leave nothing. */
static bool read_until(const struct call *call, uint64_t *ret_until_ms)
{
    uint64_t days, now_ms = call->core->wall_ms;
    *ret_until_ms = UINT64_MAX;
    if (args_value(call->args, "older_days").size == 0)
        return true;
    if (!args_u64(call->args, "older_days", &days))
        return false;
    *ret_until_ms = days > now_ms / DAY_MS ? 0 : now_ms - days * DAY_MS;
    return true;
}

/* What is no bool must not be taken for "erase". */
static bool read_dry_run(const struct call *call, bool *ret_is_dry_run)
{
    struct qn_span value = args_value(call->args, "dry_run");
    struct qn_cursor cursor = qn_cursor(value);
    *ret_is_dry_run = false;
    return value.size == 0 || qn_cursor_bool(&cursor, ret_is_dry_run) == QN_OK;
}

static void start(const struct call *call, const struct coll *coll, const struct sweep *wanted)
{
    struct sweep *sweep = QN_NEW(struct sweep);
    *sweep = *wanted;
    sweep->request = call->id;
    sweep->coll = coll->id;
    sweep->total = coll->info.trashed;
    if (call->user.size < sizeof(sweep->user))
        memcpy(sweep->user, call->user.data, call->user.size);
    qn_vec_push(&call->core->sweeps, sweep);
    step(call->core, sweep, qn_span(NULL, 0));
}

void call_record_empty_trash(const struct call *call)
{
    struct coll *coll = call_records(call);
    struct sweep wanted = {.request = 0};
    if (coll == NULL)
        return;
    if (!read_until(call, &wanted.until_ms))
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("older_days"));
    else if (!read_dry_run(call, &wanted.is_dry_run))
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("dry_run"));
    else
        start(call, coll, &wanted);
}

static struct sweep *find(struct qn_core *core, uint64_t request)
{
    qn_vec_each (&core->sweeps, sweep)
        if ((*sweep)->request == request)
            return *sweep;
    return NULL;
}

void sweep_gone(struct qn_core *core, uint64_t request)
{
    for (size_t i = core->sweeps.count; i-- > 0;)
        if (core->sweeps.items[i]->request == request) {
            qn_free(core->sweeps.items[i]);
            qn_vec_remove(&core->sweeps, i);
        }
}

void sweeps_free(struct qn_core *core)
{
    qn_vec_each (&core->sweeps, sweep)
        qn_free(*sweep);
    qn_vec_free(&core->sweeps);
}

/* ---- what became of a step ---- */

static enum qn_err add_up(struct sweep *sweep, const struct qn_outcome *outcome,
                          struct qn_span *ret_after)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    uint64_t erased, kept, looked;
    size_t count;
    QN_TRY(outcome->err);
    QN_TRY(qn_cursor_array(&cursor, 4, &count));
    QN_TRY(qn_cursor_u64(&cursor, &erased));
    QN_TRY(qn_cursor_u64(&cursor, &kept));
    QN_TRY(qn_cursor_u64(&cursor, &looked));
    QN_TRY(qn_cursor_bin(&cursor, QN_KEY_SIZE_MAX, ret_after));
    sweep->erased += erased;
    sweep->kept += kept;
    sweep->looked += looked;
    return QN_OK;
}

static void tell_progress(struct qn_core *core, const struct sweep *sweep)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 128);
    qn_pack_map(&data, 3);
    qn_pack_cstr(&data, "erased");
    qn_pack_u64(&data, sweep->erased);
    qn_pack_cstr(&data, "looked");
    qn_pack_u64(&data, sweep->looked);
    qn_pack_cstr(&data, "total");
    qn_pack_u64(&data, sweep->total);
    core_reply_data(core, sweep->request, &data);
}

static void tell_end(struct qn_core *core, const struct sweep *sweep)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 128);
    qn_pack_map(&data, 2);
    qn_pack_cstr(&data, "erased");
    qn_pack_u64(&data, sweep->erased);
    qn_pack_cstr(&data, "kept");
    qn_pack_u64(&data, sweep->kept);
    core_reply_end(core, sweep->request, &data);
}

/* The collection may have been taken from this site meanwhile. */
static bool goes_on(struct qn_core *core, const struct sweep *sweep)
{
    const struct coll *coll = core_coll(core, &sweep->coll);
    return coll != NULL && coll->is_shared;
}

void sweep_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome)
{
    struct sweep *sweep = find(core, pending->request);
    struct qn_span after = {0};
    if (sweep == NULL)
        return;
    enum qn_err err = add_up(sweep, outcome, &after);
    if (err == QN_OK && after.size > 0 && goes_on(core, sweep)) {
        tell_progress(core, sweep);
        step(core, sweep, after);
        return;
    }
    if (err == QN_OK)
        tell_end(core, sweep);
    else
        core_reply_error(core, sweep->request, err, call_code_of(err, QN_INTENT_WRITE), "");
    sweep_gone(core, pending->request);
}
