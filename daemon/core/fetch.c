#include "core/recover.h"

#define BODY_DEPTH_MAX 4 /* of the rows of a list */

struct fetch {
    QN_VEC(struct fetch_ask) asks; /* in the order of their coming */
    uint64_t last_number;
    size_t open; /* sent on this connection and not answered, those that nobody waits for too */
    size_t late; /* of them: nobody waits */
};

struct fetch *fetch_new(void)
{
    return QN_NEW(struct fetch);
}

void fetch_free(struct fetch *fetch)
{
    if (fetch == NULL)
        return;
    qn_vec_free(&fetch->asks);
    qn_free(fetch);
}

bool fetch_is_busy(const struct qn_core *core, const struct bulk *bulk)
{
    (void)core;
    return bulk->fetch->asks.count > 0 || bulk->fetch->open > 0;
}

/* ---- how one ends ---- */

static const char *name_of(const struct qn_core *core, const struct qn_site_id *id)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *site = group == NULL ? NULL : qn_group_site(group, id);
    return site == NULL ? "?" : (const char *)site->name;
}

static const char *code_of(enum qn_err err)
{
    switch (err) {
    case QN_ERR_NOTFOUND:
        return "not-held";
    case QN_ERR_DENIED:
        return "holder-refused";
    case QN_ERR_CORRUPT:
        return "holder-bad";
    case QN_ERR_BUSY:
        return "holder-busy";
    default:
        return "holder-offline";
    }
}

static void refuse(struct qn_core *core, const struct qn_site_id *holder,
                   const struct fetch_ask *ask, enum qn_err err, const char *code)
{
    if (ask->is_own)
        recover_heard_keys(core, holder, err, qn_span(NULL, 0));
    else
        core_reply_error(core, ask->request, err, code, name_of(core, holder));
}

static struct fetch_ask take(struct fetch *fetch, size_t i)
{
    struct fetch_ask ask = fetch->asks.items[i];
    qn_vec_remove(&fetch->asks, i);
    return ask;
}

/* This holder does not give it: another one may. The ask was taken out of the list. */
static void failed(struct qn_core *core, const struct bulk *bulk, struct fetch_ask ask,
                   enum qn_err err)
{
    if (!ask.is_anywhere) {
        refuse(core, &bulk->peer->site, &ask, err, code_of(err));
        return;
    }
    ask.was_offline |= err != QN_ERR_NOTFOUND;
    ask.number = 0;
    ask.busy_count = 0;
    ask.again_ms = 0;
    fetch_start_anywhere(core, &ask);
}

/* Sent ones stay open at the holder: its answer is dropped when it comes. */
static void fail_one(struct qn_core *core, struct bulk *bulk, size_t i, enum qn_err err)
{
    struct fetch *fetch = bulk->fetch;
    fetch->late += fetch->asks.items[i].number != 0;
    failed(core, bulk, take(fetch, i), err);
}

/* What comes back to this holder meanwhile stands behind those that were there. */
static void fail_all(struct qn_core *core, struct bulk *bulk, enum qn_err err)
{
    for (size_t left = bulk->fetch->asks.count; left > 0; left--)
        fail_one(core, bulk, 0, err);
}

/* ---- sending ---- */

static void send_pack_get(struct qn_core *core, struct bulk *bulk, const struct fetch_ask *ask)
{
    struct qn_buf *out = core_message(core, QN_MSG_PACK_GET, 4);
    qn_pack_u64(out, ask->number);
    qn_pack_bin(out, QN_SPAN_OF(ask->name.bytes));
    qn_pack_u64(out, ask->offset);
    qn_pack_u64(out, ask->size);
    bulk_send(core, bulk);
}

static void pack_digest_or_nil(struct qn_buf *out, bool is_there, const struct qn_digest *digest)
{
    if (is_there)
        qn_pack_bin(out, QN_SPAN_OF(digest->bytes));
    else
        qn_pack_nil(out);
}

/* The page behind a list is asked for by that list's id, the names behind a name by `after`. */
static void send_list_get(struct qn_core *core, struct bulk *bulk, const struct fetch_ask *ask)
{
    struct qn_buf *out = core_message(core, QN_MSG_LIST_GET, 4);
    bool is_names = ask->what == FETCH_NAMES;
    qn_pack_u64(out, ask->number);
    qn_pack_u64(out, ask->what);
    pack_digest_or_nil(out, is_names || ask->has_after, is_names ? &ask->name : &ask->after);
    pack_digest_or_nil(out, is_names && ask->has_after, &ask->after);
    bulk_send(core, bulk);
}

static void send_ask(struct qn_core *core, struct bulk *bulk, struct fetch_ask *ask)
{
    struct fetch *fetch = bulk->fetch;
    ask->number = ++fetch->last_number;
    ask->deadline_ms = core->now_ms + FETCH_TIMEOUT_MS;
    fetch->open++;
    if (ask->what == FETCH_PACK)
        send_pack_get(core, bulk, ask);
    else
        send_list_get(core, bulk, ask);
    bulk_used(core, bulk);
}

static void pump(struct qn_core *core, struct bulk *bulk)
{
    struct fetch *fetch = bulk->fetch;
    if (!bulk_is_wide(bulk))
        return;
    for (size_t i = 0; i < fetch->asks.count && fetch->open < BULK_REQUESTS_MAX; i++) {
        struct fetch_ask *ask = &fetch->asks.items[i];
        if (ask->number == 0 && core->now_ms >= ask->again_ms)
            send_ask(core, bulk, ask);
        else if (ask->number == 0)
            core_wake(core, ask->again_ms);
    }
}

void fetch_up(struct qn_core *core, struct bulk *bulk)
{
    bulk->fetch->open = bulk->fetch->late = 0;
    pump(core, bulk);
}

void fetch_down(struct qn_core *core, struct bulk *bulk)
{
    struct fetch *fetch = bulk->fetch;
    fetch->open = fetch->late = 0;
    qn_vec_each (&fetch->asks, ask) {
        if (ask->number == 0)
            continue;
        ask->number = 0;
        ask->deadline_ms = core->now_ms + FETCH_OFFLINE_MS;
    }
}

void fetch_tick(struct qn_core *core, struct bulk *bulk)
{
    struct fetch *fetch = bulk->fetch;
    for (size_t i = 0; i < fetch->asks.count;) {
        struct fetch_ask *ask = &fetch->asks.items[i];
        bool waits_for_turn = ask->number == 0 && bulk_is_wide(bulk);
        if (waits_for_turn || core->now_ms < ask->deadline_ms)
            i++;
        else
            fail_one(core, bulk, i, QN_ERR_TIMEOUT);
    }
    if (fetch->asks.count == 0)
        return;
    bulk_want(core, bulk);
    pump(core, bulk);
    qn_vec_each (&fetch->asks, ask)
        if (ask->number != 0 || !bulk_is_wide(bulk))
            core_wake(core, ask->deadline_ms);
}

/* ---- answers ---- */

/* The number of what an answer is for; QN_ERR_NOTFOUND: nobody waits for it any more. */
static enum qn_err find_asked(struct fetch *fetch, uint64_t number, bool is_pack, size_t *ret_i)
{
    for (size_t i = 0; i < fetch->asks.count; i++) {
        if (fetch->asks.items[i].number != number || number == 0)
            continue;
        if ((fetch->asks.items[i].what == FETCH_PACK) != is_pack)
            return QN_ERR_INVALID;
        *ret_i = i;
        return QN_OK;
    }
    if (number == 0 || number > fetch->last_number || fetch->late == 0)
        return QN_ERR_INVALID; /* nothing was asked under it, or it was answered before */
    fetch->late--;
    fetch->open--;
    return QN_ERR_NOTFOUND;
}

static enum qn_err err_of(struct qn_span code)
{
    if (qn_span_eq_str(code, "unknown"))
        return QN_ERR_NOTFOUND;
    if (qn_span_eq_str(code, "busy"))
        return QN_ERR_BUSY;
    if (qn_span_eq_str(code, "damaged") || qn_span_eq_str(code, "range") ||
        qn_span_eq_str(code, "failed"))
        return QN_ERR_CORRUPT;
    return QN_ERR_DENIED;
}

/* The code or nil with which an answer begins. */
static enum qn_err read_code(struct qn_cursor *fields, struct qn_span *ret_code)
{
    *ret_code = qn_span(NULL, 0);
    if (qn_cursor_peek(fields) == QN_ITEM_NIL)
        return qn_cursor_nil(fields);
    QN_TRY(qn_cursor_str(fields, 64, ret_code));
    return ret_code->size > 0 ? QN_OK : QN_ERR_INVALID;
}

static struct fetch_ask answered(struct fetch *fetch, size_t i)
{
    fetch->open--;
    return take(fetch, i);
}

/* The holder does not give it; one that is busy is asked again soon. */
static void heard_code(struct qn_core *core, struct bulk *bulk, size_t i, struct qn_span code)
{
    struct fetch_ask *ask = &bulk->fetch->asks.items[i];
    enum qn_err err = err_of(code);
    if (err != QN_ERR_BUSY || ask->busy_count >= FETCH_BUSY_MAX) {
        failed(core, bulk, answered(bulk->fetch, i), err);
        return;
    }
    bulk->fetch->open--;
    ask->number = 0;
    ask->again_ms = core->now_ms + ((uint64_t)FETCH_BUSY_MS << ask->busy_count++);
}

/* As much as was asked for, or all there is of it. */
static bool is_what_was_asked(const struct fetch_ask *ask, uint64_t total, struct qn_span bytes)
{
    if (total > QN_PACK_SIZE_MAX || ask->offset >= total)
        return false;
    uint64_t left = total - ask->offset;
    return bytes.size == (ask->size < left ? ask->size : left);
}

static void reply_bytes(struct qn_core *core, const struct bulk *bulk, const struct fetch_ask *ask,
                        uint64_t total, struct qn_span bytes)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, bytes.size + 64 + QN_NAME_SIZE_MAX);
    qn_pack_map(&data, 3);
    qn_pack_cstr(&data, "bytes");
    qn_pack_bin(&data, bytes);
    qn_pack_cstr(&data, "site");
    qn_pack_cstr(&data, name_of(core, &bulk->peer->site));
    qn_pack_cstr(&data, "size");
    qn_pack_u64(&data, total);
    core_reply_end(core, ask->request, &data);
}

static enum qn_err heard_pack(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    uint64_t number, total;
    struct qn_span code, bytes;
    size_t i;
    QN_TRY(qn_cursor_u64(fields, &number));
    QN_TRY(read_code(fields, &code));
    QN_TRY(qn_cursor_u64(fields, &total));
    QN_TRY(qn_cursor_bin(fields, BULK_READ_MAX, &bytes));
    enum qn_err err = find_asked(bulk->fetch, number, true, &i);
    if (err != QN_OK)
        return err == QN_ERR_NOTFOUND ? QN_OK : err;
    if (code.size > 0) {
        heard_code(core, bulk, i, code);
        return QN_OK;
    }
    struct fetch_ask ask = answered(bulk->fetch, i);
    if (is_what_was_asked(&ask, total, bytes))
        reply_bytes(core, bulk, &ask, total, bytes);
    else
        failed(core, bulk, ask, QN_ERR_CORRUPT);
    return QN_OK;
}

static void reply_rows(struct qn_core *core, const struct fetch_ask *ask, bool is_last,
                       struct qn_span body)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, body.size + 64);
    qn_pack_map(&data, 2);
    qn_pack_cstr(&data, "body");
    qn_pack_bin(&data, body);
    qn_pack_cstr(&data, "last");
    qn_pack_bool(&data, is_last);
    core_reply_end(core, ask->request, &data);
}

/* Names are a binary, rows an array: that is handed on as it is. */
static enum qn_err read_body(struct qn_cursor *fields, struct qn_span *ret_body)
{
    if (qn_cursor_peek(fields) == QN_ITEM_BIN)
        return qn_cursor_bin(fields, QN_FRAME_SIZE_MAX, ret_body);
    return qn_cursor_skip(fields, BODY_DEPTH_MAX, ret_body);
}

static enum qn_err heard_list(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    uint64_t number;
    struct qn_span code, body;
    bool is_last;
    size_t i;
    QN_TRY(qn_cursor_u64(fields, &number));
    QN_TRY(read_code(fields, &code));
    QN_TRY(qn_cursor_bool(fields, &is_last));
    QN_TRY(read_body(fields, &body));
    enum qn_err err = find_asked(bulk->fetch, number, false, &i);
    if (err != QN_OK)
        return err == QN_ERR_NOTFOUND ? QN_OK : err;
    if (code.size > 0) {
        heard_code(core, bulk, i, code);
        return QN_OK;
    }
    struct fetch_ask ask = answered(bulk->fetch, i);
    if (ask.is_own)
        recover_heard_keys(core, &bulk->peer->site, QN_OK, body);
    else
        reply_rows(core, &ask, is_last, body);
    return QN_OK;
}

static enum qn_err heard_refusal(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct qn_span code;
    QN_TRY(qn_cursor_str(fields, 64, &code));
    fail_all(core, bulk, QN_ERR_DENIED);
    return QN_OK;
}

enum qn_err fetch_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                        struct qn_cursor *fields)
{
    enum qn_err err = QN_OK;
    if (number == QN_MSG_PACK_DATA)
        err = heard_pack(core, bulk, fields);
    else if (number == QN_MSG_LIST_DATA)
        err = heard_list(core, bulk, fields);
    else if (number == QN_MSG_VAULT_REFUSED)
        err = heard_refusal(core, bulk, fields);
    if (err == QN_OK)
        pump(core, bulk);
    return err;
}

/* Nothing is committed, read or written for a fetch. */
void fetch_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                   const struct qn_outcome *outcome)
{
    (void)core, (void)bulk, (void)pending, (void)outcome;
}

void fetch_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_read_result *result)
{
    (void)core, (void)bulk, (void)pending, (void)result;
}

void fetch_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_file_result *result)
{
    (void)core, (void)bulk, (void)pending, (void)result;
}

/* ---- what is asked ---- */

void fetch_start(struct qn_core *core, const struct qn_site_id *holder, const struct fetch_ask *ask)
{
    struct bulk *bulk = bulk_of(core, holder);
    if (bulk == NULL) {
        refuse(core, holder, ask, QN_ERR_NOTFOUND, "site-unknown");
        return;
    }
    if (bulk->fetch->asks.count >= FETCH_WAITING_MAX) {
        refuse(core, holder, ask, QN_ERR_BUSY, "vault-busy");
        return;
    }
    qn_vec_push(&bulk->fetch->asks, *ask);
    struct fetch_ask *queued = &bulk->fetch->asks.items[bulk->fetch->asks.count - 1];
    queued->number = 0;
    queued->deadline_ms = core->now_ms + FETCH_OFFLINE_MS;
    bulk_want(core, bulk);
    core_wake(core, queued->deadline_ms);
    pump(core, bulk);
}

static bool was_tried(const struct fetch_ask *ask, const struct qn_site_id *site)
{
    for (size_t i = 0; i < ask->tried_count; i++)
        if (qn_site_id_eq(&ask->tried[i], site))
            return true;
    return false;
}

/* How soon an answer may come from there. */
static unsigned nearness(const struct bulk *bulk)
{
    if (bulk_is_wide(bulk))
        return 3;
    return bulk->peer->session != NULL ? 2 : 1;
}

static struct bulk *next_holder(struct qn_core *core, const struct fetch_ask *ask)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    struct bulk *best = NULL;
    if (group == NULL || ask->tried_count == FETCH_HOLDERS_MAX)
        return NULL;
    qn_vec_each (&group->places, place) {
        bool is_ours = qn_site_id_eq(&place->owner, &core->site);
        struct bulk *bulk = is_ours ? bulk_of(core, &place->holder) : NULL;
        if (bulk == NULL || was_tried(ask, &place->holder))
            continue;
        if (best == NULL || nearness(bulk) > nearness(best))
            best = bulk;
    }
    return best;
}

void fetch_start_anywhere(struct qn_core *core, const struct fetch_ask *ask)
{
    struct fetch_ask next = *ask;
    struct bulk *bulk = next_holder(core, ask);
    if (bulk == NULL) {
        enum qn_err err = ask->was_offline ? QN_ERR_TIMEOUT : QN_ERR_NOTFOUND;
        core_reply_error(core, ask->request, err, "no-copy-reachable", "");
        return;
    }
    next.tried[next.tried_count++] = bulk->peer->site;
    fetch_start(core, &bulk->peer->site, &next);
}

static void forget(struct fetch *fetch, uint64_t request)
{
    for (size_t i = fetch->asks.count; i-- > 0;) {
        if (fetch->asks.items[i].request != request || fetch->asks.items[i].is_own)
            continue;
        fetch->late += fetch->asks.items[i].number != 0;
        qn_vec_remove(&fetch->asks, i);
    }
}

void fetch_gone(struct qn_core *core, uint64_t request)
{
    qn_vec_each (&core->peers, peer)
        if ((*peer)->bulk != NULL)
            forget((*peer)->bulk->fetch, request);
}

void fetch_lost(struct qn_core *core, struct bulk *bulk)
{
    fail_all(core, bulk, QN_ERR_TIMEOUT);
}
