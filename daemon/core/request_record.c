#include "core/call.h"

/* A map of fields as the array of the intent, its values unread: the writer checks them. */
static bool pack_fields(struct qn_span map, struct qn_buf *out)
{
    struct qn_cursor cursor = qn_cursor(map);
    size_t count;
    if (qn_cursor_map(&cursor, QN_OP_FIELDS_MAX, &count) != QN_OK)
        return false;
    qn_pack_array(out, 2 * count);
    struct qn_span last = {0};
    for (size_t i = 0; i < count; i++) {
        struct qn_span name, value;
        if (qn_cursor_str(&cursor, QN_FRAME_SIZE_MAX, &name) != QN_OK ||
            (i > 0 && qn_span_cmp(last, name) >= 0) ||
            qn_cursor_skip(&cursor, QN_VALUE_DEPTH_MAX, &value) != QN_OK)
            return false;
        qn_pack_str(out, name);
        qn_pack_raw(out, value);
        last = name;
    }
    return true;
}

static bool is_key(struct qn_span key)
{
    return key.size >= 1 && key.size <= QN_KEY_SIZE_MAX && !qn_span_eq_str(key, QN_KEY_COLLECTION);
}

static void pack_write_head(const struct call *call, size_t item_count, enum qn_op_kind kind,
                            struct qn_span key, struct qn_buf *out)
{
    qn_pack_array(out, item_count);
    qn_pack_u64(out, kind);
    qn_pack_str(out, key);
    qn_pack_str(out, call->user);
}

/* With what the caller has seen (pack_expected) or without it. */
static size_t write_items(const struct call *call)
{
    return args_value(call->args, "if").size > 0 ? 5 : 4;
}

/* What the caller has seen, behind the fields. */
static bool pack_expected(const struct call *call, struct qn_buf *out)
{
    struct qn_span state, value = args_value(call->args, "if");
    struct qn_cursor cursor = qn_cursor(value);
    if (value.size == 0)
        return true;
    if (qn_cursor_bin(&cursor, QN_STATE_HASH_SIZE, &state) != QN_OK ||
        (state.size != 0 && state.size != QN_STATE_HASH_SIZE)) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("if"));
        return false;
    }
    qn_pack_bin(out, state);
    return true;
}

static void start_payload(const struct coll *coll, size_t write_count, struct qn_buf *ret_payload)
{
    qn_buf_init(ret_payload, 2 * QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_array(ret_payload, 2);
    qn_pack_bin(ret_payload, QN_SPAN_OF(coll->id.bytes));
    qn_pack_array(ret_payload, write_count);
}

/* The collection and the key of a call about one record; NULL after answering with an error. */
static struct coll *coll_and_key(const struct call *call, struct qn_span *ret_key)
{
    struct coll *coll = call_records(call);
    if (coll == NULL)
        return NULL;
    if (!args_text(call->args, "key", QN_FRAME_SIZE_MAX, ret_key) || !is_key(*ret_key)) {
        call_fail(call, QN_ERR_INVALID, "bad-key", qn_span_str("key"));
        return NULL;
    }
    return coll;
}

void call_record_put(const struct call *call)
{
    struct qn_span key;
    struct coll *coll = coll_and_key(call, &key);
    if (coll == NULL)
        return;
    struct qn_buf payload;
    start_payload(coll, 1, &payload);
    pack_write_head(call, write_items(call), QN_OP_PUT, key, &payload);
    if (!pack_fields(args_value(call->args, "fields"), &payload)) {
        qn_buf_deinit(&payload);
        call_fail(call, QN_ERR_INVALID, "bad-field", key);
        return;
    }
    if (pack_expected(call, &payload))
        call_commit(call, QN_INTENT_WRITE, &payload, key)->wants_changed = true;
    else
        qn_buf_deinit(&payload);
}

static bool pack_records(const struct call *call, struct qn_cursor *cursor, size_t count,
                         struct qn_buf *payload, struct qn_span *ret_key)
{
    for (size_t i = 0; i < count; i++) {
        struct qn_span fields;
        size_t two;
        if (qn_cursor_array(cursor, 2, &two) != QN_OK || two != 2 ||
            qn_cursor_str(cursor, QN_FRAME_SIZE_MAX, ret_key) != QN_OK || !is_key(*ret_key) ||
            qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX + 1, &fields) != QN_OK)
            return false;
        pack_write_head(call, 4, QN_OP_PUT, *ret_key, payload);
        if (!pack_fields(fields, payload))
            return false;
    }
    return true;
}

void call_record_put_many(const struct call *call)
{
    struct coll *coll = call_records(call);
    struct qn_cursor cursor = qn_cursor(args_value(call->args, "records"));
    struct qn_span key = {0};
    size_t count;
    if (coll == NULL)
        return;
    if (qn_cursor_array(&cursor, QN_TXN_OPS_MAX, &count) != QN_OK) {
        call_fail(call, QN_ERR_LIMIT, "too-many", qn_span_str("records"));
        return;
    }
    struct qn_buf payload;
    start_payload(coll, count, &payload);
    if (!pack_records(call, &cursor, count, &payload, &key)) {
        qn_buf_deinit(&payload);
        call_fail(call, QN_ERR_INVALID, "bad-key", key);
        return;
    }
    struct pending *pending = call_commit(call, QN_INTENT_WRITE, &payload, qn_span_str(""));
    pending->wants_counts = true;
    core_last_intent(call->core)->op_count = count > 0 ? count : 1;
}

static void change_state(const struct call *call, enum qn_op_kind kind)
{
    struct qn_span key;
    struct coll *coll = coll_and_key(call, &key);
    if (coll == NULL)
        return;
    struct qn_buf payload;
    start_payload(coll, 1, &payload);
    pack_write_head(call, write_items(call), kind, key, &payload);
    qn_pack_array(&payload, 0);
    if (!pack_expected(call, &payload)) {
        qn_buf_deinit(&payload);
        return;
    }
    struct pending *pending = call_commit(call, QN_INTENT_WRITE, &payload, key);
    pending->refusal = kind == QN_OP_RESTORE ? "not-in-trash" : "record-not-found";
}

void call_record_delete(const struct call *call)
{
    change_state(call, QN_OP_TRASH);
}

void call_record_restore(const struct call *call)
{
    change_state(call, QN_OP_RESTORE);
}

void call_record_erase(const struct call *call)
{
    change_state(call, QN_OP_ERASE);
}

void call_conflict_resolve(const struct call *call)
{
    struct qn_span key, field, take = {0}, value = args_value(call->args, "value");
    const struct qn_site *site = NULL;
    struct coll *coll = coll_and_key(call, &key);
    if (coll == NULL)
        return;
    bool takes_site = args_text(call->args, "take", QN_NAME_SIZE_MAX, &take);
    if (!args_text(call->args, "field", QN_FIELD_SIZE_MAX, &field)) {
        call_fail(call, QN_ERR_INVALID, "bad-field", key);
        return;
    }
    if (takes_site)
        site = qn_group_site_named(qn_ledger_group(call->core->ledger), take);
    if (takes_site && site == NULL) {
        call_fail(call, QN_ERR_NOTFOUND, "site-unknown", take);
        return;
    }
    struct qn_buf payload;
    qn_buf_init(&payload, 2 * QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 6);
    qn_pack_bin(&payload, QN_SPAN_OF(coll->id.bytes));
    qn_pack_str(&payload, key);
    qn_pack_str(&payload, field);
    if (takes_site)
        qn_pack_bin(&payload, QN_SPAN_OF(site->id.bytes));
    else
        qn_pack_nil(&payload);
    if (value.size > 0)
        qn_pack_raw(&payload, value);
    else
        qn_pack_nil(&payload);
    qn_pack_str(&payload, call->user);
    call_commit(call, QN_INTENT_RESOLVE, &payload, key);
}

void call_verify(const struct call *call)
{
    uint64_t timeout_ms;
    struct coll *only = NULL;
    if (!args_u64(call->args, "timeout_ms", &timeout_ms) || timeout_ms > QN_CONTROL_TIME_MAX_MS) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("timeout_ms"));
        return;
    }
    if (args_value(call->args, "collection").size > 0) {
        only = call_collection(call);
        if (only == NULL)
            return;
    }
    verify_start(call->core, call->id, only, call_flag(call, "scrub"), timeout_ms);
}
