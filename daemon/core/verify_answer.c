/* What the request `verify` answers: how each collection compares with each site, and what was
 * found and done before. */
#include "core/integrity.h"

static void report(struct qn_core *core, const struct verify *verify,
                   const struct verify_task *task)
{
    static const char *const words[] = {[VERIFY_UNREACHABLE] = "unreachable",
                                        [VERIFY_BEHIND] = "behind",
                                        [VERIFY_IDENTICAL] = "identical",
                                        [VERIFY_DIFFERENT] = "different"};
    const struct coll *coll = core_coll(core, &task->coll);
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &task->site);
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_CONTROL_FRAME_SIZE_MAX - 1024);
    qn_pack_map(&row, task->is_incomplete ? 5 : 4);
    qn_pack_cstr(&row, "collection");
    qn_pack_cstr(&row, coll == NULL ? "" : coll->shown);
    if (task->is_incomplete) {
        qn_pack_cstr(&row, "incomplete");
        qn_pack_bool(&row, true);
    }
    qn_pack_cstr(&row, "keys");
    qn_pack_array(&row, task->key_count);
    qn_pack_raw(&row, qn_buf_view(&task->keys));
    qn_pack_cstr(&row, "site");
    qn_pack_cstr(&row, site == NULL ? "" : site->name);
    qn_pack_cstr(&row, "state");
    qn_pack_cstr(&row, words[task->result]);
    core_reply_data(core, verify->request, &row);
}

/* ---- what was found and done before ---- */

static const char *word_of(uint64_t kind)
{
    static const char *const words[] = {
        [QN_INCIDENT_DAMAGED] = "damaged",   [QN_INCIDENT_REPAIRED] = "repaired",
        [QN_INCIDENT_MAJORITY] = "majority", [QN_INCIDENT_BOTH] = "both",
        [QN_INCIDENT_RECOUNTED] = "counted", [QN_INCIDENT_LOG] = "log",
        [QN_INCIDENT_ORDER] = "order",       [QN_INCIDENT_CLOCK] = "clock",
        [QN_INCIDENT_GIVEN_UP] = "given-up",
    };
    bool is_known = kind > 0 && kind < sizeof(words) / sizeof(words[0]);
    return is_known ? words[kind] : "unknown";
}

static enum qn_err add_incident(struct qn_core *core, struct verify *verify,
                                const struct coll *coll, struct qn_cursor *cursor)
{
    uint64_t at_ms, kind;
    struct qn_span key;
    struct qn_site_id id;
    QN_TRY(qn_cursor_u64(cursor, &at_ms));
    QN_TRY(qn_cursor_u64(cursor, &kind));
    QN_TRY(qn_cursor_str(cursor, QN_KEY_SIZE_MAX, &key));
    QN_TRY(qn_cursor_bytes(cursor, id.bytes, sizeof(id.bytes)));
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &id);
    struct qn_buf *out = &verify->incidents;
    qn_pack_map(out, 5);
    qn_pack_cstr(out, "collection");
    qn_pack_cstr(out, coll->shown);
    qn_pack_cstr(out, "key");
    qn_pack_str(out, key);
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, site == NULL ? "" : site->name);
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, at_ms);
    qn_pack_cstr(out, "what");
    qn_pack_cstr(out, word_of(kind));
    verify->incident_count++;
    return QN_OK;
}

static void add_incidents(struct qn_core *core, struct verify *verify, const struct coll *coll,
                          struct qn_span body)
{
    struct qn_cursor cursor = qn_cursor(body);
    size_t count;
    if (qn_cursor_array(&cursor, 4 * INCIDENTS_SHOWN_MAX, &count) != QN_OK)
        return;
    for (size_t i = 0; i < count; i += 4)
        if (verify->incidents.size > QN_CONTROL_FRAME_SIZE_MAX / 4 ||
            add_incident(core, verify, coll, &cursor) != QN_OK)
            return;
}

void verify_incidents_done(struct qn_core *core, const struct pending *pending,
                           const struct qn_read_result *result)
{
    const struct coll *coll = core_coll(core, &pending->coll);
    qn_vec_each (&core->verifies, slot) {
        struct verify *verify = *slot;
        if (verify->is_own || verify->request != pending->request || verify->reads == 0)
            continue;
        verify->reads--;
        if (coll != NULL && result->err == QN_OK)
            add_incidents(core, verify, coll, qn_buf_view(&result->body));
    }
}

bool verify_waits_for_incidents(struct qn_core *core, struct verify *verify)
{
    if (verify->is_own || verify->has_asked)
        return verify->reads > 0;
    verify->has_asked = true;
    qn_buf_init(&verify->incidents, QN_CONTROL_FRAME_SIZE_MAX / 2);
    qn_vec_each (&core->colls, slot) {
        struct coll *coll = *slot;
        bool is_wanted = !verify->has_only || qn_coll_id_eq(&coll->id, &verify->only);
        if (!coll->is_shared || coll->info.damage.found == 0 || !is_wanted)
            continue;
        struct qn_read *read = QN_NEW(struct qn_read);
        *read = (struct qn_read){.kind = QN_READ_INCIDENTS, .coll = coll->id};
        struct pending *pending = core_read_later(core, read, PENDING_INTEGRITY);
        pending->level = INTEGRITY_VERIFY;
        pending->coll = coll->id;
        pending->request = verify->request;
        verify->reads++;
    }
    return verify->reads > 0;
}

static void finish_own(struct qn_core *core, struct verify *verify)
{
    for (size_t i = core->verifies.count; i-- > 0;)
        if (core->verifies.items[i] == verify)
            qn_vec_remove(&core->verifies, i);
    verify_free(verify);
}

void verify_finish(struct qn_core *core, struct verify *verify)
{
    bool is_identical = true;
    if (verify->is_own) {
        finish_own(core, verify);
        return;
    }
    qn_vec_each (&verify->tasks, task) {
        report(core, verify, *task);
        is_identical &= (*task)->result == VERIFY_IDENTICAL;
    }
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, QN_CONTROL_FRAME_SIZE_MAX - 1024);
    qn_pack_map(&data, 2);
    qn_pack_cstr(&data, "identical");
    qn_pack_bool(&data, is_identical);
    qn_pack_cstr(&data, "incidents");
    qn_pack_array(&data, verify->incident_count);
    qn_pack_raw(&data, qn_buf_view(&verify->incidents));
    core_reply_end(core, verify->request, &data);
    verify_gone(core, verify->request);
}
